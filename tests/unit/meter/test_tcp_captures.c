/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of real captures, column by column beside the records that Tstat
 * wrote of them: CAPTURES/NAME.pcap and CAPTURES/../tstat-expected/NAME/all-local.
 * SONDE_CAPTURES names another directory of captures.
 */
#include "lib/test.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/capture/file.h"
#include "meter/meter.h"
#include "meter/output/row.h"

#define RECORDS_MAX 4000
#define COLUMNS_MAX 200
#define LINE_MAX_   8192
#define SHARE_MIN   0.99

struct record {
	struct sn_tcp_flow flow;
	bool complete, taken;
	char c_ip[SN_FLOW_ADDRESS_MAX], s_ip[SN_FLOW_ADDRESS_MAX];
};

static struct record records[RECORDS_MAX];
static size_t record_count;
static unsigned expected_count, equal_count, missing_count, extra_count;

static void keep(const struct sn_flow *flow, enum sn_flow_end end, void *ctx SN_UNUSED)
{
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	struct record *record = &records[record_count];

	if (tcp == NULL || flow->mid_stream)
		return;
	assert_true(record_count < RECORDS_MAX);
	record_count++;
	*record = (struct record){
		.flow.flow = *flow,
		.flow.tcp = tcp->tcp,
		.complete = sn_tcp_has_handshake(&tcp->tcp) && end != SN_END_END,
	};
	sn_flow_side_text(flow, SN_CLIENT, record->c_ip);
	sn_flow_side_text(flow, SN_SERVER, record->s_ip);
}

static void meter_capture(const char *path)
{
	struct sn_meter_options options;
	struct sn_meter *meter;
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	struct sn_err err;
	int count;

	record_count = 0;
	sn_meter_options_default(&options);
	meter = sn_meter_create(&options, keep, NULL);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		sn_meter_packets(meter, sn_capture_file_link(file), packets, (size_t)count, 0);
	sn_meter_flush(meter);
	sn_capture_file_close(file);
	sn_meter_destroy(meter);
}

/* Columns ------------------------------------------------------------------ */

/* Tstat keeps microseconds in a double. */
static double us(int64_t ns)
{
	return (double)(ns / 1000);
}

static double elapsed_ms(const struct record *record, int64_t ns)
{
	double ms = (us(ns) - us(record->flow.flow.first_ns)) / 1000;

	return ns == 0 || ms < 0 ? 0 : ms;
}

static double rtt_deviation(const struct sn_tcp_rtt *rtt)
{
	double n = rtt->count;

	return n <= 2 ? 0 : sqrt((rtt->sum2_us - rtt->sum_us * rtt->sum_us / n) / (n - 1)) / 1000;
}

struct column {
	const char *name; /* without c_ or s_ */
	double (*value)(const struct record *record, unsigned side);
};

#define SIDE(record, side) (&(record)->flow.tcp.side[side])
#define COUNTER(name, expression)                                                                  \
	static double get_##name(const struct record *record, unsigned side)                       \
	{                                                                                          \
		const struct sn_tcp_side *s = SIDE(record, side);                                  \
		const struct sn_flow_side *f = &record->flow.flow.side[side];                      \
                                                                                                   \
		(void)s, (void)f;                                                                  \
		return (double)(expression);                                                       \
	}
#define COLUMNS(X)                                                                                 \
	X(pkts_all, f->packets)                                                                    \
	X(rst_cnt, s->n.rst)                                                                       \
	X(ack_cnt, s->n.ack)                                                                       \
	X(ack_cnt_p, s->n.pure_ack)                                                                \
	X(bytes_uniq, s->n.unique_bytes)                                                           \
	X(pkts_data, s->n.data)                                                                    \
	X(bytes_all, f->payload)                                                                   \
	X(pkts_retx, s->n.retransmitted)                                                           \
	X(bytes_retx, s->n.retransmitted_bytes)                                                    \
	X(pkts_ooo, s->n.out_of_order)                                                             \
	X(syn_cnt, s->n.syn)                                                                       \
	X(fin_cnt, s->n.fin)                                                                       \
	X(first, elapsed_ms(record, s->first_data_ns))                                             \
	X(last, elapsed_ms(record, s->last_data_ns))                                               \
	X(first_ack, elapsed_ms(record, s->first_ack_ns))                                          \
	X(rtt_avg, s->rtt.sum_us / (s->rtt.count + 0.0001) / 1000)                                 \
	X(rtt_min, (double)s->rtt.min_us / 1000)                                                   \
	X(rtt_max, (double)s->rtt.max_us / 1000)                                                   \
	X(rtt_std, rtt_deviation(&s->rtt))                                                         \
	X(rtt_cnt, s->rtt.count)                                                                   \
	X(ttl_min, s->ttl_min)                                                                     \
	X(ttl_max, s->ttl_max)                                                                     \
	X(f1323_opt, s->has_scale)                                                                 \
	X(tm_opt, s->has_timestamps)                                                               \
	X(win_scl, s->window_scale)                                                                \
	X(sack_opt, s->has_sack)                                                                   \
	X(sack_cnt, s->sacks)                                                                      \
	X(mss, s->mss)                                                                             \
	X(mss_max, s->segment_max)                                                                 \
	X(mss_min, s->segment_min)                                                                 \
	X(win_max, s->window_max)                                                                  \
	X(win_min, s->window_min)                                                                  \
	X(win_0, s->zero_windows)                                                                  \
	X(cwin_max, s->flight_max)                                                                 \
	X(cwin_min, s->flight_min)                                                                 \
	X(cwin_ini, s->flight_initial)                                                             \
	X(pkts_rto, s->anomalies[SN_TCP_RTO])                                                      \
	X(pkts_fs, s->anomalies[SN_TCP_FAST])                                                      \
	X(pkts_reor, s->anomalies[SN_TCP_REORDER])                                                 \
	X(pkts_dup, s->anomalies[SN_TCP_DUPLICATE])                                                \
	X(pkts_unk, s->anomalies[SN_TCP_UNKNOWN])                                                  \
	X(pkts_fc, s->anomalies[SN_TCP_FLOW_CONTROL])                                              \
	X(pkts_unrto, s->anomalies[SN_TCP_NEEDLESS_RTO])                                           \
	X(pkts_unfs, s->anomalies[SN_TCP_NEEDLESS_FAST])                                           \
	X(syn_retx, s->odd_repeat)                                                                 \
	X(pkts_push, s->messages)
COLUMNS(COUNTER)

static const struct column columns[] = {
#define ENTRY(name, expression) {#name, get_##name},
	COLUMNS(ENTRY)
#undef ENTRY
};

/* The value of Tstat's column; false if it is not one of ours. */
static bool value_of(const struct record *record, const char *name, double *value)
{
	if (strcmp(name, "first") == 0 || strcmp(name, "last") == 0) {
		*value = us(strcmp(name, "first") == 0 ? record->flow.flow.first_ns
						       : record->flow.flow.last_ns) /
			 1000;
		return true;
	}
	if (strcmp(name, "durat") == 0) {
		*value = elapsed_ms(record, record->flow.flow.last_ns);
		return true;
	}
	for (size_t i = 0; (name[0] == 'c' || name[0] == 's') && i < SN_COUNT(columns); i++)
		if (name[1] == '_' && strcmp(name + 2, columns[i].name) == 0) {
			*value = columns[i].value(record, name[0] == 's');
			return true;
		}
	return false;
}

/* Records of the reference -------------------------------------------------- */

struct expected {
	char *names[COLUMNS_MAX], *values[COLUMNS_MAX];
	size_t name_count, value_count;
	char header[LINE_MAX_], line[LINE_MAX_];
};

static size_t split(char *line, char **fields)
{
	size_t count = 0;

	for (char *word = strtok(line, " \n"); word != NULL && count < COLUMNS_MAX;
	     word = strtok(NULL, " \n"))
		fields[count++] = word;
	return count;
}

static const char *text_of(const struct expected *expected, const char *name)
{
	for (size_t i = 0; i < expected->value_count; i++)
		if (strcmp(expected->names[i], name) == 0)
			return expected->values[i];
	return "";
}

static struct record *find(const struct expected *expected, bool complete)
{
	double first = strtod(text_of(expected, "first"), NULL);

	for (size_t i = 0; i < record_count; i++) {
		struct record *record = &records[i];

		if (!record->taken && record->complete == complete &&
		    strcmp(record->c_ip, text_of(expected, "c_ip")) == 0 &&
		    strcmp(record->s_ip, text_of(expected, "s_ip")) == 0 &&
		    sn_flow_port(&record->flow.flow, SN_CLIENT) ==
			    strtoul(text_of(expected, "c_port"), NULL, 10) &&
		    sn_flow_port(&record->flow.flow, SN_SERVER) ==
			    strtoul(text_of(expected, "s_port"), NULL, 10) &&
		    fabs(us(record->flow.flow.first_ns) / 1000 - first) < 0.001)
			return record;
	}
	return NULL;
}

static bool agrees(const char *text, double value)
{
	double number = strtod(text, NULL);

	if (strchr(text, '.') == NULL)
		return number == value;
	return fabs(number - value) <= 0.0011 || fabs(number - value) <= 1e-6 * fabs(number);
}

static void compare(const char *capture, const struct expected *expected, bool complete)
{
	struct record *record = find(expected, complete);
	bool equal = true;

	expected_count++;
	if (record == NULL) {
		print_message("%s: no record of %s:%s > %s:%s\n", capture,
			      text_of(expected, "c_ip"), text_of(expected, "c_port"),
			      text_of(expected, "s_ip"), text_of(expected, "s_port"));
		missing_count++;
		return;
	}
	record->taken = true;
	for (size_t i = 0; i < expected->value_count; i++) {
		double value;

		if (!value_of(record, expected->names[i], &value) ||
		    agrees(expected->values[i], value))
			continue;
		print_message("%s: %s:%s %s is %s, not %.6f\n", capture, text_of(expected, "c_ip"),
			      text_of(expected, "c_port"), expected->names[i], expected->values[i],
			      value);
		equal = false;
	}
	equal_count += equal;
}

static void compare_log(const char *capture, const char *path, bool complete)
{
	static struct expected expected;
	FILE *file = fopen(path, "r");

	if (file == NULL)
		return;
	if (fgets(expected.header, sizeof(expected.header), file) != NULL) {
		char *names = strchr(expected.header + 1, '#');

		assert_non_null(names);
		expected.name_count = split(names + 1, expected.names);
		for (size_t i = 0; i < expected.name_count; i++)
			*strchr(expected.names[i], ':') = '\0';
	}
	while (fgets(expected.line, sizeof(expected.line), file) != NULL) {
		expected.value_count = split(expected.line, expected.values);
		assert_true(expected.value_count <= expected.name_count);
		compare(capture, &expected, complete);
	}
	fclose(file);
}

static void compare_capture(const char *directory, const char *name)
{
	sn_autofree char *capture = sn_xasprintf("%s/%s.pcap", directory, name);
	sn_autofree char *logs = sn_xasprintf("%s/../tstat-expected/%s/all-local", directory, name);
	sn_autofree char *complete = sn_xasprintf("%s/log_tcp_complete", logs);
	sn_autofree char *nocomplete = sn_xasprintf("%s/log_tcp_nocomplete", logs);
	FILE *there = fopen(complete, "r");

	if (there == NULL)
		return;
	fclose(there);
	meter_capture(capture);
	compare_log(name, complete, true);
	compare_log(name, nocomplete, false);
	for (size_t i = 0; i < record_count; i++) {
		if (records[i].taken)
			continue;
		extra_count++;
		print_message("%s: %s:%u > %s:%u is not in the reference\n", name, records[i].c_ip,
			      sn_flow_port(&records[i].flow.flow, SN_CLIENT), records[i].s_ip,
			      sn_flow_port(&records[i].flow.flow, SN_SERVER));
	}
}

static void columns_are_those_of_the_reference(void **state SN_UNUSED)
{
	const char *given = getenv("SONDE_CAPTURES");
	const char *directory = given != NULL ? given : SN_TEST_DATA "/pcap";
	DIR *dir = opendir(directory);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		sn_autofree char *name = sn_xstrdup(entry->d_name);
		char *dot = strstr(name, ".pcap");

		if (dot == NULL)
			continue;
		*dot = '\0';
		compare_capture(directory, name);
	}
	closedir(dir);
	if (expected_count == 0) {
		print_message("no records of the reference beside %s\n", directory);
		skip();
	}
	print_message("%u records, %u equal, %u missing, %u only ours\n", expected_count,
		      equal_count, missing_count, extra_count);
	assert_true(equal_count >= SHARE_MIN * expected_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_those_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
