/* SPDX-License-Identifier: Apache-2.0 */
/* The headers that Tstat 3.3 writes come out of the tables, and rows find their columns. */
#include "lib/test.h"

#include <string.h>

#include "base/util.h"
#include "data/tstat/columns.h"

static struct sn_buf text;

static const char *header(enum sn_tstat_log log, uint8_t level)
{
	sn_buf_clear(&text);
	sn_tstat_write_header(&text, &sn_tstat_tables[log], level);
	return sn_buf_cstr(&text);
}

static int finish_text(void **state)
{
	(void)state;
	sn_buf_finish(&text);
	return 0;
}

static void expect_end(const char *whole, const char *end)
{
	size_t n = strlen(whole), m = strlen(end);

	assert_true(n >= m);
	assert_string_equal(whole + n - m, end);
}

static void numbers_of_columns_shift_with_the_level(void **state)
{
	(void)state;
	assert_memory_equal(header(SN_TSTAT_TCP_COMPLETE, 31), "#31#c_ip:1 c_port:2 c_pkts_all:3 ",
			    32);
	expect_end(header(SN_TSTAT_TCP_COMPLETE, 31), " s_TLSvers:133 dns_enc:134\n");
	expect_end(header(SN_TSTAT_TCP_COMPLETE, 15), " s_TLSvers:133 dns_enc:134\n");
	expect_end(header(SN_TSTAT_TCP_COMPLETE, 0), " p2p_t:43 http_t:44\n");
	assert_memory_equal(header(SN_TSTAT_TCP_COMPLETE, 0), "#00#c_ip:1 ", 11);
	assert_non_null(
		strstr(header(SN_TSTAT_TCP_COMPLETE, SN_TSTAT_OPTIONS), "#08#c_ip:1 c_port:2 "));
	expect_end(header(SN_TSTAT_TCP_COMPLETE, SN_TSTAT_OPTIONS),
		   " http_t:44 c_f1323_opt:45 c_tm_opt:46 "
		   "c_win_scl:47 c_sack_opt:48 c_sack_cnt:49 c_mss:50 c_mss_max:51 c_mss_min:52 "
		   "c_win_max:53 c_win_min:54 c_win_0:55 c_cwin_max:56 c_cwin_min:57 c_cwin_ini:58 "
		   "c_pkts_rto:59 c_pkts_fs:60 c_pkts_reor:61 c_pkts_dup:62 c_pkts_unk:63 "
		   "c_pkts_fc:64 c_pkts_unrto:65 c_pkts_unfs:66 c_syn_retx:67 s_f1323_opt:68 "
		   "s_tm_opt:69 s_win_scl:70 s_sack_opt:71 s_sack_cnt:72 s_mss:73 s_mss_max:74 "
		   "s_mss_min:75 s_win_max:76 s_win_min:77 s_win_0:78 s_cwin_max:79 s_cwin_min:80 "
		   "s_cwin_ini:81 s_pkts_rto:82 s_pkts_fs:83 s_pkts_reor:84 s_pkts_dup:85 "
		   "s_pkts_unk:86 s_pkts_fc:87 s_pkts_unrto:88 s_pkts_unfs:89 s_syn_retx:90\n");
	expect_end(header(SN_TSTAT_VIDEO_COMPLETE, 63), " s_TLSvers:186 dns_enc:187\n");
	assert_non_null(
		strstr(header(SN_TSTAT_VIDEO_COMPLETE, 31), " yt_stream:72 c_f1323_opt:73 "));
}

/* The level is in the header of short connections too, but they have the core columns only. */
static void short_connections_have_the_core_columns(void **state)
{
	(void)state;
	assert_memory_equal(header(SN_TSTAT_TCP_NOCOMPLETE, 31), "#31#c_ip:1 ", 11);
	expect_end(header(SN_TSTAT_TCP_NOCOMPLETE, 31), " p2p_t:43 http_t:44\n");
}

static void other_headers_have_no_level(void **state)
{
	static const struct {
		enum sn_tstat_log log;
		const char *start, *end;
	} cases[] = {
		{SN_TSTAT_UDP_COMPLETE, "#c_ip:1 c_port:2 c_first_abs:3 ", " quic_ech:25\n"},
		{SN_TSTAT_MM_COMPLETE, "#a_proto:1 direction:2 c_proto:3 ", " jitter90k_min:53\n"},
		{SN_TSTAT_CHAT_COMPLETE, "#c_ip:1 c_port:2 c_bytes_uniq:3 ", " s_iscrypto:30\n"},
		{SN_TSTAT_DNS_COMPLETE, "#c_ip:1 c_port:2 c_isint:3 ", " pkt_size:22\n"},
		{SN_TSTAT_TCP_PERIODIC, "#c_ip:1 c_port:2 s_ip:3 ", " s_iscrypto:46\n"},
		{SN_TSTAT_UDP_PERIODIC, "#c_ip:1 c_port:2 c_isint:3 ", " s_bytes_all:16\n"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		assert_memory_equal(header(cases[i].log, 31), cases[i].start,
				    strlen(cases[i].start));
		expect_end(header(cases[i].log, 31), cases[i].end);
	}
	assert_string_equal(header(SN_TSTAT_CHAT_MESSAGES, 0),
			    "#idflow:1 type:2 dir:3 paylen:4 first_tm:5 durat:6 con_t:7\n");
	assert_string_equal(header(SN_TSTAT_SKYPE_COMPLETE, 31), "");
}

static void http_has_a_header_for_each_kind_of_line(void **state)
{
	(void)state;
	assert_string_equal(
		header(SN_TSTAT_HTTP_COMPLETE, 31),
		"#C#c_ip:1\tc_port:2\ts_ip:3\ts_port:4\ttime_abs:5\tmethod:6\thostname:7\t"
		"fqdn:8\tpath:9\treferer:10\tuser_agent:11\tcookie:12\tdnt:13\n"
		"#S#c_ip:1\tc_port:2\ts_ip:3\ts_port:4\ttime_abs:5\tHTTP:6\tresponse:7\t"
		"content_len:8\tcontent_type:9\tserver:10\trange:11\tlocation:12\tset_cookie:13\n");
}

static void columns_are_found_by_name(void **state)
{
	const struct sn_tstat_table *tcp = &sn_tstat_tables[SN_TSTAT_TCP_COMPLETE];

	(void)state;
	for (size_t i = 0; i < tcp->count; i++)
		assert_int_equal(sn_tstat_column(tcp, sn_str(tcp->columns[i].name)), i);
	assert_int_equal(sn_tstat_column(tcp, SN_STR("c_tls_sni")), -1);
	/* Not of this log, although of the same table in memory. */
	assert_int_equal(
		sn_tstat_column(&sn_tstat_tables[SN_TSTAT_TCP_NOCOMPLETE], SN_STR("c_rtt_avg")),
		-1);
}

static void check_positions(const struct sn_tstat_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		int at = sn_tstat_position(table, i);
		const char *name = table->columns[i].name;

		if (table->dataset == NULL || strcmp(name, "HTTP") == 0) {
			assert_int_equal(at, -1);
			continue;
		}
		assert_in_range(at, SN_COL_COMMON, table->dataset->column_count - 1);
		/* "time" is a common column of every dataset. */
		assert_string_equal(table->dataset->columns[at].name,
				    strcmp(name, "time") == 0 ? "time_ms" : name);
		assert_int_equal(table->dataset->columns[at].type == SN_TYPE_TEXT,
				 table->columns[i].type == SN_TSTAT_TYPE_TEXT);
	}
}

static void fields_of_logs_have_their_places_in_rows(void **state)
{
	size_t others = 0;

	(void)state;
	for (size_t i = 0; i < SN_TSTAT_LOGS; i++) {
		check_positions(&sn_tstat_tables[i]);
		others += sn_tstat_tables[i].dataset == NULL;
	}
	check_positions(&sn_tstat_http_responses);
	/* Of log_skype_complete nobody knows the columns. */
	assert_int_equal(others, 1);
	assert_int_equal(sn_dataset_tstat_tcp_complete.column_count, SN_COL_COMMON + 134 + 5);
	assert_int_equal(sn_dataset_tstat_http_complete.column_count, SN_COL_COMMON + 20 + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_columns_shift_with_the_level),
		cmocka_unit_test(short_connections_have_the_core_columns),
		cmocka_unit_test(other_headers_have_no_level),
		cmocka_unit_test(http_has_a_header_for_each_kind_of_line),
		cmocka_unit_test(columns_are_found_by_name),
		cmocka_unit_test(fields_of_logs_have_their_places_in_rows),
	};

	return cmocka_run_group_tests(tests, NULL, finish_text);
}
