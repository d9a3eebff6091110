/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/report.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/mem.h"
#include "data/codec.h"
#include "probe/report_row.h"

#define FLUSH_BYTES (64 * 1024)
#define POOL_MAX    1000000 /* RTTs kept for the percentiles of the summary */
#define WIDTH_MIN   16      /* of the column of target names */
#define WIDTH_MAX   40
#define ERROR_RED   "\033[31m"
#define LOSS_YELLOW "\033[33m"
#define PLAIN       "\033[0m"

struct totals {
	uint64_t runs, sent, received, lost, duplicates, reordered, late, send_errors;
	uint64_t min_ns, max_ns;
	double sum_ns;
	bool loss_unknown;
};

struct sn_report {
	struct sn_report_setting setting;
	struct sn_loop *loop;
	struct sn_flush flush;
	struct sn_buf out;
	struct sn_batch *batch;
	struct totals totals;
	uint64_t *pool;
	size_t pool_count, pool_capacity;
	bool *answered; /* by target */
	uint32_t answered_count;
	int name_width;
	bool single; /* one target, one run: every reply gets its line */
	int error;
};

static void write_row(struct sn_report *report, const struct sn_ping_result *result)
{
	const struct sn_value *row;

	sn_report_row_add(report->batch, result, &report->setting);
	row = sn_batch_row(report->batch, sn_batch_rows(report->batch) - 1);
	if (report->setting.form == SN_REPORT_JSON)
		sn_jsonl_write_row(&report->out, &sn_dataset_ping, row);
	else
		sn_csv_write_row(&report->out, &sn_dataset_ping, row);
	sn_batch_clear(report->batch);
}

/* Lines for people -------------------------------------------------------------------------- */

static void add_padded(struct sn_buf *out, const char *text, size_t size, int width)
{
	int pad = SN_MAX(width, -width) - (int)size;

	for (; width > 0 && pad > 0; pad--)
		sn_buf_addc(out, ' ');
	sn_buf_add(out, text, size);
	for (; width < 0 && pad > 0; pad--)
		sn_buf_addc(out, ' ');
}

static void add_number(struct sn_buf *out, uint64_t value, int width)
{
	char text[24];
	char *p = text + sizeof(text);

	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	add_padded(out, p, (size_t)(text + sizeof(text) - p), width);
}

void sn_report_add_ms(struct sn_buf *out, uint64_t ns, int width)
{
	uint64_t us = (ns + SN_NS_PER_US / 2) / SN_NS_PER_US, fraction = us % 1000;

	add_number(out, us / 1000, SN_MAX(width - 4, 0));
	sn_buf_addc(out, '.');
	sn_buf_addc(out, (char)('0' + fraction / 100));
	sn_buf_addc(out, (char)('0' + fraction / 10 % 10));
	sn_buf_addc(out, (char)('0' + fraction % 10));
}

/* "0%", "33.3%"; never 0% or 100% by rounding. */
static void add_share(struct sn_buf *out, uint64_t part, uint64_t whole, int width)
{
	uint64_t tenths;
	char text[16];
	int n;

	if (whole == 0) {
		add_padded(out, "-", 1, width);
		return;
	}
	tenths = (part * 1000 + whole / 2) / whole;
	if (part > 0 && part < whole)
		tenths = SN_MIN(SN_MAX(tenths, (uint64_t)1), (uint64_t)999);
	n = tenths % 10 == 0 ? snprintf(text, sizeof(text), "%u%%", (unsigned)(tenths / 10))
			     : snprintf(text, sizeof(text), "%u.%u%%", (unsigned)(tenths / 10),
					(unsigned)(tenths % 10));
	add_padded(out, text, (size_t)n, width);
}

static void add_clock(struct sn_buf *out, int64_t wall_ns)
{
	time_t time = (time_t)(wall_ns / SN_NS_PER_S);
	struct tm tm;
	char text[24];

	if (localtime_r(&time, &tm) != NULL && strftime(text, sizeof(text), "%H:%M:%S", &tm) > 0)
		sn_buf_adds(out, text);
	sn_buf_adds(out, "  ");
}

static void add_colour(struct sn_report *report, const char *colour)
{
	if (report->setting.colour && colour != NULL)
		sn_buf_adds(&report->out, colour);
}

static const char *colour_of(const struct sn_ping_result *result)
{
	if (result->status == SN_PING_FAILED)
		return ERROR_RED;
	return result->lost > 0 || result->status == SN_PING_PARTIAL ? LOSS_YELLOW : NULL;
}

static void add_delays(struct sn_buf *out, const struct sn_ping_stats *rtt)
{
	uint64_t values[] = {rtt->min_ns, rtt->p50_ns, (uint64_t)(rtt->mean_ns + 0.5), rtt->p95_ns,
			     rtt->max_ns};

	for (size_t i = 0; i < SN_COUNT(values); i++) {
		if (rtt->count > 0)
			sn_report_add_ms(out, values[i], 10);
		else
			add_padded(out, "-", 1, 10);
	}
}

static void add_note(struct sn_buf *out, uint32_t count, const char *what)
{
	if (count == 0)
		return;
	sn_buf_adds(out, "  ");
	add_number(out, count, 0);
	sn_buf_addc(out, ' ');
	sn_buf_adds(out, what);
}

static void write_line(struct sn_report *report, const struct sn_ping_result *result)
{
	struct sn_buf *out = &report->out;
	const char *name = result->target->name, *colour = colour_of(result);

	add_colour(report, colour);
	if (report->setting.config->period_ns != 0)
		add_clock(out, result->started_wall_ns);
	add_padded(out, name, strlen(name), -report->name_width);
	add_number(out, result->sent, 7);
	if (result->loss_known || result->sent == 0)
		add_share(out, result->lost, result->sent, 8);
	else
		add_padded(out, "?", 1, 8);
	add_delays(out, &result->rtt);
	add_note(out, result->duplicates, "duplicates");
	add_note(out, result->reordered, "reordered");
	add_note(out, result->late, "late");
	if (result->error[0] != '\0') {
		sn_buf_adds(out, "  ");
		sn_buf_adds(out, result->error);
	}
	if (colour != NULL)
		add_colour(report, PLAIN);
	sn_buf_addc(out, '\n');
}

static void write_headings(struct sn_report *report)
{
	static const char *const headings[] = {"MIN ms", "MEDIAN ms", "MEAN ms", "P95 ms",
					       "MAX ms"};
	struct sn_buf *out = &report->out;

	if (report->setting.config->period_ns != 0)
		sn_buf_adds(out, "TIME      ");
	add_padded(out, "TARGET", strlen("TARGET"), -report->name_width);
	add_padded(out, "SENT", strlen("SENT"), 7);
	add_padded(out, "LOSS", strlen("LOSS"), 8);
	for (size_t i = 0; i < SN_COUNT(headings); i++)
		add_padded(out, headings[i], strlen(headings[i]), 10);
	sn_buf_addc(out, '\n');
}

static void write_title(struct sn_report *report)
{
	const struct sn_ping_target *target = &report->setting.targets->items[0];
	const struct sn_ping_config *config = report->setting.config;
	char addr[SN_ADDR_TEXT_MAX], interval[SN_DURATION_TEXT_MAX];

	if (target->addr.length == 0)
		return;
	sn_buf_addf(&report->out, "ping %s", target->name);
	sn_addr_format(&target->addr, addr, sizeof(addr));
	if (strcmp(addr, target->name) != 0)
		sn_buf_addf(&report->out, " (%s)", addr);
	sn_buf_addf(&report->out, ": %u request%s of %zu bytes", config->count,
		    config->count == 1 ? "" : "s", config->payload_size);
	if (config->count > 1)
		sn_buf_addf(&report->out, ", %s apart",
			    sn_format_duration((int64_t)config->interval_ns, interval,
					       sizeof(interval)));
	sn_buf_addc(&report->out, '\n');
}

/* Results --------------------------------------------------------------------------------- */

static void remember_delays(struct sn_report *report, const struct sn_ping_result *result)
{
	size_t room = POOL_MAX - report->pool_count;
	size_t count = SN_MIN(result->rtt.count, room);

	if (report->pool_count + count > report->pool_capacity) {
		report->pool_capacity =
			SN_MAX(report->pool_capacity * 2, report->pool_count + count);
		report->pool =
			sn_xrealloc(report->pool, report->pool_capacity, sizeof(*report->pool));
	}
	if (count > 0)
		memcpy(report->pool + report->pool_count, result->rtts, count * sizeof(uint64_t));
	report->pool_count += count;
}

static void add_up(struct sn_report *report, const struct sn_ping_result *result)
{
	struct totals *totals = &report->totals;
	const struct sn_ping_stats *rtt = &result->rtt;
	bool first = totals->received == 0;

	totals->runs++;
	totals->sent += result->sent;
	totals->received += result->received;
	totals->lost += result->lost;
	totals->duplicates += result->duplicates;
	totals->reordered += result->reordered;
	totals->late += result->late;
	totals->send_errors += result->send_errors;
	totals->loss_unknown |= !result->loss_known && result->sent > 0;
	if (rtt->count == 0)
		return;
	if (first || rtt->min_ns < totals->min_ns)
		totals->min_ns = rtt->min_ns;
	totals->max_ns = SN_MAX(totals->max_ns, rtt->max_ns);
	totals->sum_ns += rtt->mean_ns * (double)rtt->count;
}

void sn_report_result(struct sn_report *report, const struct sn_ping_result *result)
{
	size_t index = (size_t)(result->target - report->setting.targets->items);

	add_up(report, result);
	if (result->received > 0 && !report->answered[index]) {
		report->answered[index] = true;
		report->answered_count++;
	}
	if (report->setting.form != SN_REPORT_HUMAN) {
		write_row(report, result);
	} else {
		remember_delays(report, result);
		if (report->single && result->error[0] != '\0')
			sn_buf_addf(&report->out, "%s: %s\n", result->target->name, result->error);
		else if (!report->single && !report->setting.quiet)
			write_line(report, result);
	}
	if (report->out.n >= FLUSH_BYTES)
		sn_report_flush(report);
}

static void write_event(struct sn_report *report, const struct sn_ping_event *event)
{
	static const char *const kinds[] = {
		[SN_PING_EVENT_REPLY] = "reply",
		[SN_PING_EVENT_DUPLICATE] = "duplicate",
		[SN_PING_EVENT_LATE] = "late reply",
		[SN_PING_EVENT_ERROR] = "error",
	};
	struct sn_buf *out = &report->out;
	char addr[SN_ADDR_TEXT_MAX];

	if (event->kind != SN_PING_EVENT_REPLY)
		add_colour(report, LOSS_YELLOW);
	sn_buf_addf(out, "%s %u", kinds[event->kind], event->index + 1);
	if (event->from->length != 0)
		sn_buf_addf(out, " from %s", sn_addr_format(event->from, addr, sizeof(addr)));
	if (event->text != NULL)
		sn_buf_addf(out, ": %s", event->text);
	if (event->kind == SN_PING_EVENT_REPLY || event->kind == SN_PING_EVENT_LATE) {
		sn_buf_adds(out, ": ");
		sn_report_add_ms(out, event->rtt_ns, 0);
		sn_buf_adds(out, " ms");
	}
	if (event->ttl >= 0)
		sn_buf_addf(out, ", ttl %d", event->ttl);
	if (event->kind != SN_PING_EVENT_REPLY)
		add_colour(report, PLAIN);
	sn_buf_addc(out, '\n');
}

void sn_report_event(struct sn_report *report, const struct sn_ping_event *event)
{
	if (report->single && !report->setting.quiet && report->setting.form == SN_REPORT_HUMAN)
		write_event(report, event);
}

/* Beginning and end ------------------------------------------------------------------------ */

void sn_report_begin(struct sn_report *report)
{
	if (report->setting.form == SN_REPORT_CSV)
		sn_csv_write_header(&report->out, &sn_dataset_ping);
	if (report->setting.form != SN_REPORT_HUMAN || report->setting.quiet)
		return;
	if (report->single)
		write_title(report);
	else
		write_headings(report);
}

static void add_extra(struct sn_buf *out, uint64_t count, const char *what)
{
	if (count > 0)
		sn_buf_addf(out, ", %llu %s", (unsigned long long)count, what);
}

static void summarise_packets(struct sn_report *report)
{
	const struct totals *totals = &report->totals;
	struct sn_buf *out = &report->out;

	sn_buf_addf(out, "%llu sent, %llu received", (unsigned long long)totals->sent,
		    (unsigned long long)totals->received);
	if (totals->loss_unknown) {
		sn_buf_adds(out, ", loss unknown (this machine dropped replies itself)");
	} else if (totals->sent > 0) {
		sn_buf_addf(out, ", %llu lost (", (unsigned long long)totals->lost);
		add_share(out, totals->lost, totals->sent, 0);
		sn_buf_addc(out, ')');
	}
	add_extra(out, totals->duplicates, "duplicates");
	add_extra(out, totals->reordered, "reordered");
	add_extra(out, totals->late, "late");
	add_extra(out, totals->send_errors, "not sent");
	sn_buf_addc(out, '\n');
}

static void summarise_delays(struct sn_report *report)
{
	const struct totals *totals = &report->totals;
	struct sn_buf *out = &report->out;
	struct sn_ping_stats rtt;
	bool all = report->pool_count == totals->received;

	if (totals->received == 0)
		return;
	sn_ping_stats_compute(report->pool, report->pool_count, &rtt);
	sn_buf_adds(out, "RTT min ");
	sn_report_add_ms(out, totals->min_ns, 0);
	if (all) {
		sn_buf_adds(out, ", median ");
		sn_report_add_ms(out, rtt.p50_ns, 0);
	}
	sn_buf_adds(out, ", mean ");
	sn_report_add_ms(out, (uint64_t)(totals->sum_ns / (double)totals->received + 0.5), 0);
	if (all) {
		sn_buf_adds(out, ", p95 ");
		sn_report_add_ms(out, rtt.p95_ns, 0);
	}
	sn_buf_adds(out, ", max ");
	sn_report_add_ms(out, totals->max_ns, 0);
	sn_buf_adds(out, " ms\n");
}

static void summarise(struct sn_report *report, bool interrupted)
{
	uint32_t count = report->setting.targets->count;
	struct sn_buf *out = &report->out;

	if (interrupted)
		sn_buf_addf(out, "interrupted; this is what was measured until then:\n");
	if (count > 1)
		sn_buf_addf(out, "%u targets: %u answered, %u did not\n", count,
			    report->answered_count, count - report->answered_count);
	summarise_packets(report);
	summarise_delays(report);
}

void sn_report_end(struct sn_report *report, bool interrupted)
{
	if (report->setting.form == SN_REPORT_HUMAN)
		summarise(report, interrupted);
	sn_report_flush(report);
	/* For who pressed Ctrl-C; an agent ends its probes all the time. */
	if (report->setting.form != SN_REPORT_HUMAN && interrupted && isatty(STDERR_FILENO))
		fprintf(stderr, "%s: interrupted; %llu rows were written\n", sn_cli_program(),
			(unsigned long long)report->totals.runs);
}

int sn_report_exit_code(const struct sn_report *report)
{
	if (report->answered_count == 0)
		return SN_EXIT_FAILED;
	return report->answered_count == report->setting.targets->count ? SN_EXIT_OK
									: SN_EXIT_PARTIAL;
}

/* Output ---------------------------------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		struct pollfd ready = {.fd = fd, .events = POLLOUT};

		if (n >= 0) {
			data += n;
			size -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&ready, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int sn_report_flush(struct sn_report *report)
{
	if (report->error == 0 && report->out.n > 0)
		report->error = write_all(report->setting.fd, report->out.p, report->out.n);
	sn_buf_clear(&report->out);
	return report->error;
}

static void end_of_turn(struct sn_flush *flush)
{
	struct sn_report *report = sn_container_of(flush, struct sn_report, flush);

	/* Nobody reads any more: measuring on would be for nothing. */
	if (sn_report_flush(report) != 0)
		sn_loop_stop(report->loop, SN_EXIT_FAILED);
}

/* Lifetime -------------------------------------------------------------------------------- */

static int widest_name(const struct sn_ping_targets *targets)
{
	size_t width = WIDTH_MIN;

	for (uint32_t i = 0; i < targets->count && width < WIDTH_MAX; i++)
		width = SN_MAX(width, strlen(targets->items[i].name));
	return (int)SN_MIN(width, (size_t)WIDTH_MAX);
}

struct sn_report *sn_report_create(struct sn_loop *loop, const struct sn_report_setting *setting)
{
	struct sn_report *report = sn_new(struct sn_report);

	report->setting = *setting;
	report->loop = loop;
	report->batch = sn_batch_create(&sn_dataset_ping);
	report->answered = sn_new_n(bool, setting->targets->count);
	report->name_width = widest_name(setting->targets);
	report->single = setting->targets->count == 1 && setting->config->period_ns == 0;
	sn_flush_init(&report->flush, loop, end_of_turn);
	return report;
}

void sn_report_destroy(struct sn_report *report)
{
	if (report == NULL)
		return;
	sn_flush_stop(&report->flush);
	sn_batch_destroy(report->batch);
	sn_buf_finish(&report->out);
	free(report->answered);
	free(report->pool);
	free(report);
}
