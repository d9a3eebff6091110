/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "main/meter/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/privilege.h"

#define TSTAT_STEP "5m"

/* Rows and summary ------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static enum sn_rows_format rows_format(const struct meter_options *o)
{
	enum meter_format format = meter_options_format(o);

	if (format == METER_SUMMARY && o->output != NULL && ends_with(o->output, ".csv"))
		format = METER_CSV;
	return format == METER_CSV ? SN_ROWS_OUT_CSV : SN_ROWS_OUT_JSON;
}

/* Rows go to standard output, unless a file is named; else that gets the summary. */
static bool has_rows(const struct meter_options *o)
{
	enum meter_format format = meter_options_format(o);

	return format == METER_JSON || format == METER_CSV || o->output != NULL;
}

static int open_rows(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_rows_options options = {
		.format = rows_format(o), .strict = o->strict, .datasets = o->datasets};

	parts->out_fd = STDOUT_FILENO;
	if (o->output != NULL || !has_rows(o))
		parts->summary = sn_summary_create(o->top);
	if (!has_rows(o))
		return 0;
	if (o->output != NULL)
		parts->out_fd = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (parts->out_fd < 0)
		return sn_err_sys(err, -errno, "cannot write '%s'", o->output);
	options.fd = parts->out_fd;
	options.name = o->output != NULL ? o->output : "standard output";
	return sn_rows_out_create(&options, &parts->rows, err);
}

bool meter_outputs_want(const struct meter_parts *parts, const char *dataset)
{
	return parts->rows != NULL && sn_rows_out_wants(parts->rows, dataset);
}

/* Tstat's logs ------------------------------------------------------------------- */

/* The directory belongs to whom we are going to be: its files are made later. */
static int open_directory(const char *path, struct sn_err *err)
{
	int fd, result;

	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return sn_err_sys(err, -errno, "cannot make directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sn_err_sys(err, -errno, "cannot open directory '%s'", path);
	result = sn_privilege_hand_over("sonde-meter", fd);
	if (result == 0)
		return fd;
	close(fd);
	return sn_err_sys(err, result, "cannot give directory '%s' to the user that meters", path);
}

/* Histograms lie beside the logs of their time. */
static void follow_logs(int directory, int64_t begin_ns, void *ctx)
{
	const struct meter_parts *parts = ctx;

	if (parts->board != NULL)
		sn_traffic_board_directory(parts->board, directory, begin_ns);
}

static int open_logs(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_tstat_options options = {
		.name = o->directory,
		.step_ns = parts->globals.step_ns,
		/* An ordinary capture file makes one directory, however long it is. */
		.steps = parts->live ? (unsigned)parts->globals.directories : 0,
		.keep = (unsigned)o->keep,
		.gzip = o->gzip,
		.gzip_finished = parts->live && o->keep > 0,
		.strict_privacy = o->strict,
		.keep_going = parts->live,
		.choice = parts->settings.logs,
		.opened = follow_logs,
		.ctx = parts,
	};

	if (o->directory == NULL)
		return 0;
	options.directory = open_directory(o->directory, err);
	if (options.directory < 0)
		return options.directory;
	return sn_tstat_logs_create(&options, &parts->logs, err);
}

/* Series ---------------------------------------------------------------------------- */

static int write_lines(struct sn_str lines, void *ctx)
{
	struct meter_parts *parts = ctx;

	return sn_rows_out_write(parts->rows, lines);
}

static void take_value(const struct sn_traffic_value *value, void *ctx)
{
	struct meter_parts *parts = ctx;

	if (atomic_load(&parts->series_on) && parts->traffic_rows != NULL)
		sn_traffic_rows_add(value, parts->traffic_rows);
}

/* "1s,5m" -> the bits of series.h. */
static int read_steps(const char *text, unsigned *steps, struct sn_err *err)
{
	static const char *const names[] = {"1s", "1m", "5m"};
	struct sn_str rest = sn_str(text), name;

	*steps = 0;
	while (rest.n > 0 && sn_str_split(&rest, ',', &name)) {
		unsigned found = 0;

		for (unsigned i = 0; i < SN_COUNT(names); i++)
			if (sn_str_eqc(sn_str_trim(name), names[i]))
				found = 1U << i;
		if (found == 0)
			return sn_err_set(err, -EINVAL,
					  "no series has steps of '%.*s' (1s, 1m, 5m)", (int)name.n,
					  name.p);
		*steps |= found;
	}
	return 0;
}

static const char *interface_name(const struct meter_options *o)
{
	return o->interface != NULL ? o->interface
	       : o->files.count > 0 ? o->files.items[0]
				    : "capture";
}

static int open_series(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_buf conf = {0};
	struct sn_traffic_options options = {
		.interface = interface_name(o),
		.value = take_value,
		.ctx = parts,
		.inside = &parts->inside,
		.long_seconds = (unsigned)(parts->globals.step_ns / SN_NS_PER_S),
		.tstat_steps = o->workers == 1 && parts->logs != NULL,
		.global = o->global,
		.keep_going = parts->live,
	};
	int result = 0;

	if (o->series == NULL && !meter_options_want_traffic(o) && !parts->settings.histograms)
		return 0;
	if (o->series != NULL || meter_options_want_traffic(o))
		result =
			read_steps(o->series != NULL ? o->series : TSTAT_STEP, &options.steps, err);
	if (result == 0 && o->rrd_conf != NULL)
		result = sn_fs_read(o->rrd_conf, SN_TRAFFIC_CONF_MAX, &conf, err);
	if (conf.n > 0)
		options.rrd_conf = sn_buf_cstr(&conf);
	if (result == 0)
		result = sn_traffic_board_create(&options, &parts->board, err);
	sn_buf_finish(&conf);
	if (result == 0 && meter_outputs_want(parts, "traffic"))
		parts->traffic_rows = sn_traffic_rows_create(sn_rows_out_is_named(parts->rows),
							     write_lines, parts);
	meter_outputs_switch(parts);
	return result;
}

/* Packets are counted from the start or never. */
int meter_outputs_check(const struct meter_parts *parts, const struct sn_settings_values *values,
			struct sn_err *err)
{
	const struct sn_settings_values *before = &parts->settings;

	if (parts->logs == NULL && values->histograms && !before->histograms)
		return sn_err_set(err, -ENOTSUP,
				  "cannot switch histo_engine on: there are no logs to write the "
				  "files beside (start the meter with --directory)");
	if (parts->board != NULL)
		return 0;
	if (values->series && !before->series)
		return sn_err_set(err, -ENOTSUP,
				  "cannot switch rrd_engine on: no series were asked for (start "
				  "the meter with dataset traffic)");
	if (values->histograms && !before->histograms)
		return sn_err_set(err, -ENOTSUP,
				  "cannot switch histo_engine on: no histograms were asked for "
				  "(start the meter with --histograms, or with dataset traffic)");
	return 0;
}

void meter_outputs_switch(struct meter_parts *parts)
{
	atomic_store(&parts->series_on, parts->settings.series);
	if (parts->board != NULL)
		sn_traffic_board_histograms(parts->board, parts->settings.histograms);
}

/* All ----------------------------------------------------------------------------------- */

static int open_ipfix(struct meter_parts *parts, struct sn_err *err)
{
	const struct meter_options *o = parts->options;
	struct sn_ipfix_options options = {
		.collector = o->ipfix,
		.domain = (uint32_t)o->ipfix_domain,
		.enterprise = (uint32_t)o->enterprise,
		.uniflow = o->uniflow,
		.ca = o->ipfix_ca,
		.certificate = o->ipfix_cert,
		.key = o->ipfix_key,
	};

	return o->ipfix != NULL ? sn_ipfix_create(&options, &parts->ipfix, err) : 0;
}

int meter_outputs_open(struct meter_parts *parts, struct sn_err *err)
{
	int result = open_rows(parts, err);

	if (result == 0)
		result = open_logs(parts, err);
	if (result == 0)
		result = open_series(parts, err);
	if (result == 0)
		result = open_ipfix(parts, err);
	return result;
}

static void add_sink(struct sn_worker_options *worker, struct sn_sink sink)
{
	worker->sinks[worker->sink_count++] = sink;
}

int meter_outputs_equip(struct meter_parts *parts, unsigned number,
			struct sn_worker_options *worker, struct sn_err *err)
{
	(void)err;
	if (parts->logs != NULL)
		add_sink(worker, sn_tstat_sink_create(parts->logs));
	if (parts->rows != NULL)
		add_sink(worker, sn_rows_sink_create(parts->rows));
	if (parts->summary != NULL)
		add_sink(worker, sn_summary_sink_create(parts->summary));
	if (parts->ipfix != NULL)
		add_sink(worker, sn_ipfix_sink_create(parts->ipfix));
	if (parts->control != NULL)
		add_sink(worker, sn_tally_sink(&parts->tally));
	if (parts->board != NULL) {
		parts->traffic[number] = sn_traffic_create(parts->board);
		worker->meter.series = parts->traffic[number];
		add_sink(worker, sn_traffic_sink(parts->traffic[number]));
	}
	return 0;
}

void meter_outputs_tell_ignored(struct meter_parts *parts)
{
	struct sn_session_stats stats;

	if (parts->ipfix == NULL)
		return;
	sn_session_read_stats(parts->session, &stats);
	sn_ipfix_set_ignored(parts->ipfix, sn_meter_ignored(&stats));
}

int meter_outputs_finish(struct meter_parts *parts, struct sn_err *err)
{
	int result = 0;

	meter_outputs_tell_ignored(parts);
	if (parts->board != NULL)
		result = sn_traffic_board_finish(parts->board, err);
	if (result == 0 && parts->traffic_rows != NULL)
		result = sn_traffic_rows_flush(parts->traffic_rows, err);
	return result;
}

void meter_outputs_close(struct meter_parts *parts)
{
	for (unsigned i = 0; i < SN_SESSION_WORKERS_MAX; i++)
		sn_traffic_destroy(parts->traffic[i]);
	sn_traffic_board_destroy(parts->board);
	sn_traffic_rows_destroy(parts->traffic_rows);
	sn_ipfix_destroy(parts->ipfix);
	sn_tstat_logs_destroy(parts->logs);
	sn_rows_out_destroy(parts->rows);
	sn_summary_destroy(parts->summary);
	if (parts->out_fd > STDERR_FILENO)
		close(parts->out_fd);
}

/* For people --------------------------------------------------------------------------------- */

void meter_outputs_print(struct meter_parts *parts, const char *source)
{
	struct sn_session_stats stats;
	struct sn_summary_facts facts = {.source = source};
	struct sn_buf text = {0};

	sn_session_read_stats(parts->session, &stats);
	facts.worker = &stats.worker;
	facts.losses = stats.losses;
	facts.losses_count = stats.losses_count;
	facts.filtered = stats.filtered;
	if (parts->summary != NULL) {
		sn_summary_write(parts->summary, &facts, &text);
		fwrite(text.p, 1, text.n, stdout);
	} else {
		sn_summary_write_losses(&facts, &text);
		if (text.n > 0)
			sn_notice("%s", sn_buf_cstr(&text));
	}
	sn_buf_finish(&text);
}

/* For the control socket -------------------------------------------------------------------- */

static json_t *count_json(const struct sn_meter_count *count)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)count->packets, "bytes",
			 (json_int_t)count->bytes);
}

static json_t *losses_json(const struct sn_capture_losses *losses)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "interface", losses->interface, "packets",
			 (json_int_t)losses->packets, "kernel_drops",
			 (json_int_t)losses->kernel_drops, "interface_drops",
			 (json_int_t)losses->interface_drops, "own_drops",
			 (json_int_t)losses->own_drops);
}

static json_t *ipfix_json(const struct sn_ipfix *ipfix)
{
	struct sn_ipfix_stats stats;

	sn_ipfix_stats(ipfix, &stats);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "records", (json_int_t)stats.records,
			 "messages", (json_int_t)stats.messages, "bytes", (json_int_t)stats.bytes,
			 "lost_records", (json_int_t)stats.lost_records, "connects",
			 (json_int_t)stats.connects);
}

json_t *meter_outputs_stats(void *ctx)
{
	struct meter_parts *parts = ctx;
	json_t *skipped = json_object(), *refused = json_object(), *losses = json_array();
	struct sn_session_stats stats;
	const struct sn_meter_stats *meter = &stats.worker.meter;
	json_t *all;

	sn_session_read_stats(parts->session, &stats);
	for (unsigned i = 1; i < SN_SKIP_COUNT; i++)
		json_object_set_new(skipped, sn_skip_info[i].name, count_json(&meter->skipped[i]));
	for (unsigned i = 0; i < SN_APP_REFUSALS; i++)
		json_object_set_new(refused, sn_app_refusal_info[i].name,
				    json_integer((json_int_t)stats.worker.refused[i]));
	for (size_t i = 0; i < stats.losses_count; i++)
		json_array_append_new(losses, losses_json(&stats.losses[i]));
	all = json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "all", count_json(&meter->all),
			"skipped", skipped, "refused", refused, "losses", losses, "flows",
			(json_int_t)meter->flows, "reports", (json_int_t)meter->reports,
			"evictions", (json_int_t)meter->evictions, "memory_bytes",
			(json_int_t)(meter->memory_peak_bytes + stats.worker.app_memory_bytes));
	if (parts->ipfix != NULL)
		json_object_set_new(all, "ipfix", ipfix_json(parts->ipfix));
	return all;
}

void meter_outputs_metrics(struct sn_buf *out, bool open_metrics, void *ctx)
{
	struct meter_parts *parts = ctx;
	struct sn_session_stats session;
	struct sn_tstat_stats logs;
	struct sn_ipfix_stats ipfix;
	struct sn_traffic_stats series;
	struct sn_meter_facts facts = {
		.session = &session, .tally = &parts->tally, .names = parts->names};

	sn_session_read_stats(parts->session, &session);
	if (parts->logs != NULL) {
		sn_tstat_logs_stats(parts->logs, &logs);
		facts.logs = &logs;
	}
	if (parts->ipfix != NULL) {
		sn_ipfix_stats(parts->ipfix, &ipfix);
		facts.ipfix = &ipfix;
	}
	if (parts->board != NULL) {
		sn_traffic_board_stats(parts->board, &series);
		facts.series = &series;
	}
	sn_meter_metrics(out, &facts, open_metrics);
}
