/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP applications of real captures beside what Tstat tells of them
 * (tests/data/app-expected.tsv, http-expected.tsv).  SONDE_CAPTURES names another
 * directory of captures, which may have more of them.
 */
#include "lib/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/app/app.h"
#include "meter/app/http.h"
#include "meter/app/tcp.h"
#include "meter/capture/file.h"
#include "meter/meter.h"
#include "meter/output/row.h"

#define FLOWS_MAX    4000
#define MESSAGES_MAX 400
#define COLUMNS      20
#define LINE_MAX_    2048
#define TEXT_MAX     128
#define PATH_CUT     60 /* of paths in the table */

enum {
	CON_T,
	P2P_T,
	HTTP_T,
	REQUESTS,
	RESPONSES,
	STATUS,
	SNI,
	SCN,
	CLIENT_ALPN,
	SERVER_ALPN,
	SESSION,
	CLIENT_HANDSHAKE,
	SERVER_HANDSHAKE,
	CLIENT_DATA,
	SERVER_DATA,
	CLIENT_OFFSET,
	SERVER_OFFSET,
	HOST,
	CLIENT_VERSIONS,
	SERVER_VERSION,
};

struct ends {
	char c_ip[SN_FLOW_ADDRESS_MAX], s_ip[SN_FLOW_ADDRESS_MAX];
	unsigned c_port, s_port;
};

static struct found_flow {
	struct ends ends;
	int64_t first_us;
	char columns[COLUMNS][TEXT_MAX];
} flows[FLOWS_MAX];
static size_t flow_count;

static struct found_message {
	struct ends ends;
	int64_t time_us;
	char method[16], a[TEXT_MAX], b[TEXT_MAX];
	bool seen;
} messages[MESSAGES_MAX];
static size_t message_count;

static void fill_ends(struct ends *ends, const struct sn_flow *flow)
{
	sn_flow_side_text(flow, SN_CLIENT, ends->c_ip);
	sn_flow_side_text(flow, SN_SERVER, ends->s_ip);
	ends->c_port = sn_flow_port(flow, SN_CLIENT);
	ends->s_port = sn_flow_port(flow, SN_SERVER);
}

static void put_text(char *out, struct sn_str text)
{
	snprintf(out, TEXT_MAX, "%.*s", text.n > 0 ? (int)text.n : 1, text.n > 0 ? text.p : "-");
}

static void put_number(char *out, uint64_t number)
{
	snprintf(out, TEXT_MAX, "%" PRIu64, number);
}

static void put_time(char *out, const struct sn_flow *flow, int64_t time_ns)
{
	int64_t us = time_ns == 0 ? 0 : time_ns / 1000 - flow->first_ns / 1000;

	snprintf(out, TEXT_MAX, "%" PRId64, us);
}

static void fill_tls(char columns[][TEXT_MAX], const struct sn_flow *flow,
		     const struct sn_app_tcp *app)
{
	const struct sn_app_tls *tls = sn_app_tls(app);

	put_text(columns[SNI], sn_name_text(tls->server_name));
	put_text(columns[SCN], sn_name_text(tls->certificate_name));
	put_number(columns[SESSION], app->tls_session);
	put_text(columns[CLIENT_VERSIONS], sn_name_text(tls->client_versions));
	put_text(columns[SERVER_VERSION], (struct sn_str){0});
	if (app->tls_version != 0)
		snprintf(columns[SERVER_VERSION], TEXT_MAX, "%04x", app->tls_version);
	for (unsigned side = 0; side < 2; side++) {
		put_number(columns[CLIENT_ALPN + side], tls->side[side].npn_alpn);
		put_time(columns[CLIENT_HANDSHAKE + side], flow, tls->side[side].handshake_ns);
		put_time(columns[CLIENT_DATA + side], flow, tls->side[side].data_ns);
		put_number(columns[CLIENT_OFFSET + side], tls->side[side].data_offset);
	}
}

static void keep(const struct sn_flow *flow, enum sn_flow_end end SN_UNUSED, void *ctx SN_UNUSED)
{
	static const struct sn_app_tcp nothing;
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	const struct sn_app_tcp *app = tcp != NULL && tcp->app != NULL ? tcp->app : &nothing;
	struct found_flow *found = &flows[flow_count];
	bool answered = (app->con_type & SN_CON_HTTP) != 0 && app->http_status[0] != '\0';

	if (tcp == NULL || flow->mid_stream)
		return;
	assert_true(flow_count++ < FLOWS_MAX);
	fill_ends(&found->ends, flow);
	found->first_us = flow->first_ns / 1000;
	put_number(found->columns[CON_T], app->con_type);
	put_number(found->columns[P2P_T], app->p2p_type);
	put_number(found->columns[HTTP_T], app->http_type);
	put_number(found->columns[REQUESTS], app->http_requests);
	put_number(found->columns[RESPONSES], app->http_responses);
	put_text(found->columns[STATUS], answered ? sn_str(app->http_status) : SN_STR("---"));
	put_text(found->columns[HOST], sn_name_text(app->http_host));
	fill_tls(found->columns, flow, app);
}

static void hear(const struct sn_http_message *message, const struct sn_flow *flow,
		 void *ctx SN_UNUSED)
{
	struct found_message *found = &messages[message_count];
	struct sn_str b =
		message->is_request ? message->target : message->fields[SN_HTTP_CONTENT_LENGTH];

	assert_true(message_count++ < MESSAGES_MAX);
	*found = (struct found_message){.time_us = message->time_ns / 1000};
	fill_ends(&found->ends, flow);
	snprintf(found->method, sizeof(found->method), "%.*s",
		 message->is_request ? (int)message->method.n : 4,
		 message->is_request ? message->method.p : "HTTP");
	if (found->method[0] == '\0')
		snprintf(found->method, sizeof(found->method), "-");
	put_text(found->a, message->is_request ? message->fields[SN_HTTP_HOST] : message->status);
	put_text(found->b, (struct sn_str){b.p, SN_MIN(b.n, (size_t)PATH_CUT)});
}

static void meter_capture(const char *path)
{
	struct sn_app_watch watch = {.http = hear};
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_apps_options apps_options = {.names = names};
	struct sn_apps *apps = sn_apps_create(&apps_options);
	struct sn_meter_options options;
	struct sn_meter *meter;
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	struct sn_err err;
	int count;

	flow_count = message_count = 0;
	sn_apps_set_watch(apps, &watch);
	sn_meter_options_default(&options);
	options.apps = apps;
	meter = sn_meter_create(&options, keep, NULL);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		sn_meter_packets(meter, sn_capture_file_link(file), packets, (size_t)count, 0);
	sn_meter_flush(meter);
	sn_capture_file_close(file);
	sn_meter_destroy(meter);
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
}

/* Tables ---------------------------------------------------------------------- */

struct table {
	FILE *file;
	char line[LINE_MAX_];
	char *fields[8 + COLUMNS];
	char capture[TEXT_MAX]; /* that was metered last */
	bool is_there;
};

static void open_table(struct table *table, const char *name)
{
	sn_autofree char *path = sn_xasprintf("%s/%s", SN_TEST_DATA, name);

	*table = (struct table){.file = fopen(path, "r")};
	assert_non_null(table->file);
}

static void meter_for(struct table *table)
{
	const char *given = getenv("SONDE_CAPTURES");
	sn_autofree char *path = sn_xasprintf(
		"%s/%s.pcap", given != NULL ? given : SN_TEST_DATA "/pcap", table->fields[0]);

	if (strcmp(table->capture, table->fields[0]) == 0)
		return;
	snprintf(table->capture, sizeof(table->capture), "%s", table->fields[0]);
	table->is_there = access(path, R_OK) == 0;
	if (table->is_there)
		meter_capture(path);
}

/* The next row of a capture that is there, which has been metered. */
static bool next_row(struct table *table)
{
	while (fgets(table->line, sizeof(table->line), table->file) != NULL) {
		char *rest = table->line;
		size_t count = 0;

		if (table->line[0] == '#')
			continue;
		table->line[strcspn(table->line, "\n")] = '\0';
		while (count < SN_COUNT(table->fields) &&
		       (table->fields[count] = strsep(&rest, "\t")) != NULL)
			count++;
		meter_for(table);
		if (table->is_there)
			return true;
	}
	fclose(table->file);
	return false;
}

static bool is_between(const struct ends *ends, char *const *fields)
{
	return strcmp(ends->c_ip, fields[1]) == 0 && ends->c_port == strtoul(fields[2], NULL, 10) &&
	       strcmp(ends->s_ip, fields[3]) == 0 && ends->s_port == strtoul(fields[4], NULL, 10);
}

/* Is `word` one of those in `list`, which commas separate? */
static bool is_listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; (at = strstr(at, word)) != NULL; at += n)
		if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

static const char *const names[COLUMNS] = {
	"con_t",
	"p2p_t",
	"http_t",
	"http_req_cnt",
	"http_res_cnt",
	"http_res",
	"c_tls_SNI",
	"s_tls_SCN",
	"c_npnalpn",
	"s_npnalpn",
	"tls_session_stat",
	"c_last_handshakeT",
	"s_last_handshakeT",
	"c_appdataT",
	"s_appdataT",
	"c_appdataB",
	"s_appdataB",
	"http_hostname",
	"c_TLSvers",
	"s_TLSvers",
};

static unsigned compare_flow(char *const *fields)
{
	int64_t first_us = strtoll(fields[5], NULL, 10);
	char *const *columns = fields + 6;
	const char *differs = columns[COLUMNS];
	unsigned wrong = 0;

	for (size_t i = 0; i < flow_count; i++) {
		if (!is_between(&flows[i].ends, fields) || flows[i].first_us != first_us)
			continue;
		for (size_t c = 0; c < COLUMNS; c++) {
			bool equal = strcmp(columns[c], flows[i].columns[c]) == 0;

			if (strcmp(columns[c], "*") == 0 || equal != is_listed(differs, names[c]))
				continue;
			print_message("%s %s:%s: %s is %s, Tstat: %s\n", fields[0], fields[1],
				      fields[2], names[c], flows[i].columns[c], columns[c]);
			wrong++;
		}
		return wrong;
	}
	print_message("%s %s:%s is missing\n", fields[0], fields[1], fields[2]);
	return 1;
}

static void flows_are_told_as_by_the_reference(void **state SN_UNUSED)
{
	struct table table;
	unsigned rows = 0, wrong = 0;

	open_table(&table, "app-expected.tsv");
	while (next_row(&table)) {
		rows++;
		wrong += compare_flow(table.fields);
	}
	print_message("%u flows\n", rows);
	assert_int_equal(wrong, 0);
	assert_true(rows > 50);
}

static bool find_message(char *const *fields)
{
	int64_t time_us = strtoll(fields[5], NULL, 10);

	for (size_t i = 0; i < message_count; i++) {
		struct found_message *found = &messages[i];
		bool is_cut = strcmp(fields[9], "cut") == 0;

		if (found->seen || found->time_us != time_us ||
		    strcmp(found->method, fields[6]) != 0 || !is_between(&found->ends, fields) ||
		    (!is_cut &&
		     (strcmp(found->a, fields[7]) != 0 || strcmp(found->b, fields[8]) != 0)))
			continue;
		found->seen = true;
		return true;
	}
	return false;
}

static void messages_are_those_of_the_reference(void **state SN_UNUSED)
{
	struct table table;
	unsigned rows = 0, wrong = 0;

	open_table(&table, "http-expected.tsv");
	while (next_row(&table)) {
		const char *note = table.fields[9];

		rows++;
		if (strcmp(note, "second") == 0 || strcmp(note, "rtsp") == 0 ||
		    find_message(table.fields))
			continue;
		print_message("%s %s %s %s %s is missing\n", table.fields[0], table.fields[2],
			      table.fields[6], table.fields[7], table.fields[8]);
		wrong++;
	}
	print_message("%u messages\n", rows);
	assert_int_equal(wrong, 0);
	assert_true(rows > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_are_told_as_by_the_reference),
		cmocka_unit_test(messages_are_those_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
