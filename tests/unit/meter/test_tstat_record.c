/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of Tstat's logs, to the letter. */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipfix_views.h"
#include "meter/app/rtp.h"
#include "meter/app/video.h"
#include "meter/log/record.h"

#define T0 (1700000000 * SN_NS_PER_S)

static struct sn_record record;
static struct ipfix_test_view test;
static struct sn_buf line;

static int finish_line(void **state)
{
	(void)state;
	sn_buf_finish(&line);
	return 0;
}

static const char *written(uint8_t level)
{
	sn_buf_clear(&line);
	sn_record_write(&record, level, &line);
	return sn_buf_cstr(&line);
}

static struct sn_str column(const char *name)
{
	struct sn_str rest, part = {0};
	int at = sn_tstat_column(record.table, sn_str(name));

	written(SN_TSTAT_LEVEL_ALL);
	rest = sn_str_trim(sn_buf_str(&line));
	assert_true(at >= 0);
	for (int i = 0; i <= at; i++)
		assert_true(sn_str_split(&rest, record.table->separator, &part));
	return part;
}

static void expect(const char *name, const char *text)
{
	struct sn_str found = column(name);

	if (!sn_str_eqc(found, text))
		fail_msg("%s is '%.*s', not '%s'", name, (int)found.n, found.p, text);
}

static void connection(void)
{
	struct sn_tcp *tcp = &test.tcp.tcp;

	ipfix_test_view_tcp(&test);
	test.view.http_host = (struct sn_str){0};
	test.view.tls_server_name = SN_STR("www.example.com");
	test.view.fqdn = (struct sn_str){0};
	tcp->side[SN_CLIENT].first_data_ns = T0 + 30 * SN_NS_PER_MS;
	tcp->side[SN_CLIENT].has_syn = tcp->side[SN_SERVER].has_syn = true;
}

static void a_connection_becomes_a_line_of_134_fields(void **state)
{
	static const char expected[] =
		"192.0.2.1 40000 10 0 9 0 0 5 600 2 0 0 1 1 198.51.100.2 443 12 1 12 0 0 7 8500 0 "
		"0 0 1 0 1700000000000.000000 1700000001500.000000 1500.000000 30.000000 0.000000 "
		"0.000000 0.000000 0.000000 0.000000 1 0 0 0 8192 0 0 0.199993 0.100000 0.300000 "
		"0.100000 3 63 64 0.000000 0.000000 0.000000 0.000000 0 55 55 0 0 0 0 0 0 ";

	(void)state;
	connection();
	sn_record_tcp(&record, &test.view);
	assert_int_equal(record.count, 134);
	assert_memory_equal(written(31), expected, sizeof(expected) - 1);
	expect("c_pkts_fs", "2");
	expect("s_win_max", "65536");
	expect("c_tls_SNI", "www.example.com");
	expect("http_res", "---");
	expect("fqdn", "-");
	expect("dns_rslv", "-");
	expect("req_tm", "0.0");
	expect("res_tm", "0.0");
	expect("s_TLSvers", "0304");
	expect("dns_enc", "0");
}

static void the_level_leaves_columns_out(void **state)
{
	size_t fields[2] = {1, 1};

	(void)state;
	connection();
	sn_record_tcp(&record, &test.view);
	for (const char *p = written(0); *p != '\0'; p++)
		fields[0] += *p == ' ';
	sn_record_tcp_short(&record, &test.view);
	for (const char *p = written(31); *p != '\0'; p++)
		fields[1] += *p == ' ';
	assert_int_equal(fields[0], 44);
	assert_int_equal(fields[1], 44);
}

/* Microseconds in a double, divided: digits behind the third are its noise, as in Tstat. */
static void times_have_the_noise_of_the_division(void **state)
{
	(void)state;
	connection();
	test.flow.first_ns = 1470104381895304000;
	sn_record_tcp(&record, &test.view);
	expect("first", "1470104381895.303955");
}

static void names_of_dns_come_with_their_times(void **state)
{
	struct sn_dns_hit hit = {.asked_ns = T0 - 20 * SN_NS_PER_MS,
				 .answered_ns = T0 - 10 * SN_NS_PER_MS};

	(void)state;
	connection();
	test.flow.name = &hit;
	test.view.fqdn = SN_STR("www.example.com");
	memcpy(test.view.resolver.ip, "\10\10\10\10", 4);
	test.view.resolver.family = 4;
	test.view.resolver.anonymised = true;
	sn_record_tcp(&record, &test.view);
	expect("fqdn", "www.example.com");
	expect("dns_rslv", "8.8.8.8");
	expect("req_tm", "1699999999980.000000");
	expect("res_tm", "1699999999990.000000");
	expect("dns_enc", "1");
}

/* What comes from the network cannot end a field or a line. */
static void separators_in_texts_are_replaced(void **state)
{
	(void)state;
	connection();
	test.view.tls_server_name = SN_STR("a b\nc\177d");
	sn_record_tcp(&record, &test.view);
	expect("c_tls_SNI", "a_b_c_d");
}

static void any_view_becomes_one_line(void **state)
{
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 7);
	for (int i = 0; i < 3000; i++) {
		const char *text, *end;
		size_t fields = 1;

		ipfix_test_view_random(&test, &prng);
		if (sn_flow_tcp(test.view.flow) != NULL)
			sn_record_tcp(&record, &test.view);
		else if (sn_flow_udp(test.view.flow) != NULL)
			sn_record_udp(&record, &test.view);
		else
			continue;
		text = written(SN_TSTAT_LEVEL_ALL);
		end = strchr(text, '\n');
		assert_ptr_equal(end, text + line.n - 1);
		for (const char *p = text; p < end; p++) {
			assert_int_not_equal(*p, '\0');
			fields += *p == ' ';
		}
		assert_int_equal(fields, record.table->count);
	}
}

static void a_video_has_its_own_columns_between(void **state)
{
	(void)state;
	connection();
	test.app_tcp.con_type = SN_CON_HTTP;
	test.app_tcp.http_type = 15;
	assert_true(sn_record_is_video(&test.view));
	sn_record_video(&record, &test.view, false);
	assert_int_equal(record.count, 187);
	expect("yt_itag", "--");
	expect("vd_dur", "0.000000");
	expect("c_rate_avg", "0.000");
	expect("s_msgsize10", "0");
	expect("s_win_max", "65536");
	expect("dns_enc", "0");
	test.app_tcp.http_type = 1;
	assert_false(sn_record_is_video(&test.view));
	test.app_tcp.con_type = SN_CON_TLS;
	test.view.tls_server_name = SN_STR("r1.googlevideo.com");
	assert_true(sn_record_is_video(&test.view));
}

static void rates_of_a_video_end_with_its_last_packet(void **state)
{
	struct sn_app_video video = {.sampled = true};
	int64_t begin_ns;

	(void)state;
	connection();
	begin_ns = test.tcp.flow.last_ns - 1500 * SN_NS_PER_MS;
	test.app_tcp.con_type = SN_CON_RTMP;
	test.app_tcp.video = &video;
	sn_video_rate_add(&video.side[SN_SERVER], 2000, begin_ns);
	sn_video_rate_add(&video.side[SN_SERVER], 500, begin_ns + SN_NS_PER_S);
	sn_video_message(&video, 1, 2300);
	test.tcp.tcp.side[SN_SERVER].messages = 2;
	test.tcp.tcp.side[SN_SERVER].isn = 7;
	test.tcp.tcp.side[SN_SERVER].next = 7 + 1 + 2500 + 1;
	test.tcp.tcp.side[SN_SERVER].has_fin = true;
	sn_record_video(&record, &test.view, false);
	assert_int_equal(record.count, 187);
	expect("c_rate_smpl", "0");
	expect("s_rate_smpl", "2");
	expect("s_rate_avg", "12.000");
	expect("s_rate_std", "5.657");
	expect("s_rate_min", "8.000");
	expect("s_rate_max", "16.000");
	expect("s_rate1", "2000");
	expect("s_rate2", "500");
	expect("s_rate3", "0");
	expect("s_msg", "2");
	expect("s_msgsize1", "2300");
	expect("s_msgsize2", "200");
	test.app_tcp.video = NULL;
}

/* UDP ------------------------------------------------------------------------ */

static void a_udp_flow_becomes_a_line_of_25_fields(void **state)
{
	(void)state;
	ipfix_test_view_udp(&test);
	test.udp.side[SN_CLIENT].bytes = 600;
	test.udp.side[SN_SERVER].bytes = 8500;
	test.udp.type[SN_CLIENT] = test.udp.type[SN_SERVER] = SN_UDP_QUIC;
	test.app_udp.quic_version[SN_SERVER] = 1;
	test.view.quic_server_name = SN_STR("www.example.com");
	test.view.quic_agent = SN_STR("Chrome/1 x");
	sn_record_udp(&record, &test.view);
	assert_string_equal(written(0),
			    "192.0.2.1 40000 1700000000000.000000 1.500000 600 10 1 0 27 "
			    "198.51.100.2 443 1700000000030.000000 1.370000 8500 12 0 0 27 - "
			    "www.example.com Chrome%2F1%20x 0x00000001 0x00000001 0 0\n");
}

static void a_silent_side_has_neither_time_nor_type(void **state)
{
	(void)state;
	ipfix_test_view_udp(&test);
	test.flow.side[SN_SERVER] = (struct sn_flow_side){0};
	test.udp.side[SN_SERVER] = (struct sn_udp_side){0};
	test.udp.type[SN_SERVER] = SN_UDP_DNS;
	sn_record_udp(&record, &test.view);
	expect("s_first_abs", "0.000000");
	expect("s_durat", "0.000000");
	expect("s_type", "0");
	/* One side's version alone is no QUIC to Tstat. */
	expect("quic_c_vers", "-");
}

static void streams_of_media_become_lines_without_nan(void **state)
{
	struct sn_rtp_stream rtcp = {.rtcp = true,
				     .side = SN_SERVER,
				     .ssrc = 0xeda706e6,
				     .first_ns = T0,
				     .last_ns = T0,
				     .packets = 1,
				     .bytes = 40,
				     .types = {{207, 1}},
				     .type_count = 1};
	struct sn_rtp_streams streams = {
		.first = &rtcp,
		.ttl[SN_SERVER] = {.sum = 359, .min = 41, .max = 57, .count = 7},
		.mux = {28, 4}};

	(void)state;
	ipfix_test_view_udp(&test);
	test.udp.type[SN_CLIENT] = SN_UDP_RTP_PLUS;
	sn_record_mm(&record, &test.view, &streams, &rtcp);
	assert_string_equal(
		written(0),
		"T S 29 192.0.2.1 40000 1 0 28 0 198.51.100.2 443 0 0 4 1 0 0 0 0 "
		"51.2857 57 41 1700000000.000000 0.000000 40 0 0xeda706e6 0 0 0 0 207 1 "
		"0 0 0 0 0 0 0 0 0 0 0 0 0.0 0.0 0.0 0.0 0.0 0.0 0.0 0.0\n");
}

/* Periods -------------------------------------------------------------------- */

static void a_period_tells_the_difference(void **state)
{
	struct sn_interim interim = {.since_ns = T0 + 1000 * SN_NS_PER_MS};

	(void)state;
	connection();
	test.view.end = SN_END_ACTIVE;
	test.view.period_first_ns = interim.since_ns;
	test.view.period[SN_CLIENT] = (struct sn_flow_side){.packets = 4, .payload = 100};
	interim.tcp[SN_CLIENT] = (struct sn_tcp_counters){.ack = 6, .syn = 1, .data = 3};
	interim.more[SN_CLIENT].rtt_sum_us = 500;
	interim.more[SN_CLIENT].rtt_count = 2;
	interim.more[SN_CLIENT].flight_max = 77;
	test.trouble[SN_CLIENT].sacks = 5;
	interim.more[SN_CLIENT].sacks = 2;
	test.flow.interim = &interim;
	sn_record_tcp_periodic(&record, &test.view);
	expect("time_abs_start", "1700000001000.000000");
	expect("time_rel_start", "1000.000000");
	expect("time_rel_end", "1500.000000");
	expect("bin_duration", "500.000000");
	expect("c_pkts_all", "4");
	expect("c_ack_cnt", "3");
	expect("c_syn_cnt", "0");
	expect("c_pkts_data", "2");
	expect("c_bytes_all", "100");
	expect("c_rtt_avg", "0.099990");
	expect("c_rtt_cnt", "1");
	expect("c_cwin_max", "77");
	expect("c_sack_cnt", "3");
}

/* Messages ------------------------------------------------------------------- */

static const char header[] = "GET /a?b=1 HTTP/1.1\r\nHost: www.example.com\r\n"
			     "Cookie: abcdef\r\nReferer: http://example.org/x?y\r\n\r\n";

static struct sn_str part_of_header(const char *text)
{
	const char *at = strstr(header, text);

	assert_non_null(at);
	return (struct sn_str){at, strlen(text)};
}

static struct sn_view_http request(struct sn_http_message *message)
{
	struct sn_view_http view = {.message = message, .client_port = 1, .server_port = 80};

	*message = (struct sn_http_message){
		.is_request = true,
		.time_ns = T0,
		.header = SN_STR(header),
		.method = part_of_header("GET"),
		.target = part_of_header("/a?b=1"),
		.split_ns = T0 + SN_NS_PER_MS,
	};
	message->fields[SN_HTTP_HOST] = view.host = part_of_header("www.example.com");
	message->fields[SN_HTTP_COOKIE] = view.cookie = part_of_header("abcdef");
	message->fields[SN_HTTP_REFERER] = view.referer = part_of_header("http://example.org/x?y");
	view.path = message->target;
	view.client = test.view.client;
	view.server = test.view.server;
	return view;
}

static void urls_are_told_as_far_as_wanted(void **state)
{
	static const char *const rest[] = {
		"GET\twww.example.com\t-\t-\thttp://example.org/\t-\t-\t-\n",
		"GET\twww.example.com\t-\t/a\thttp://example.org/x\t-\t-\t-\n",
		"GET\twww.example.com\t-\t/a?b=1\thttp://example.org/x?y\t-\tabcdef\t-\n",
	};
	struct sn_http_message message;
	struct sn_view_http view;
	char whole[256];

	(void)state;
	connection();
	view = request(&message);
	for (unsigned urls = 0; urls < 3; urls++) {
		assert_true(sn_record_http(&record, &view, urls, SN_RECORD_FIRST));
		assert_false(sn_record_http(&record, &view, urls, SN_RECORD_SECOND));
		sn_record_http(&record, &view, urls, SN_RECORD_FIRST);
		snprintf(whole, sizeof(whole), "192.0.2.1\t1\t198.51.100.2\t80\t%s\t%s",
			 "1700000000.000000", rest[urls]);
		assert_string_equal(written(0), whole);
	}
}

/* A header in two segments is two lines, with a mark where a value was cut. */
static void a_header_in_two_segments_is_two_lines(void **state)
{
	struct sn_http_message message;
	struct sn_view_http view;

	(void)state;
	connection();
	view = request(&message);
	message.split = (uint32_t)(strstr(header, "def\r\n") - header);
	assert_true(sn_record_http(&record, &view, 2, SN_RECORD_FIRST));
	expect("hostname", "www.example.com");
	expect("cookie", "abc[*]");
	expect("referer", "-");
	assert_true(sn_record_http(&record, &view, 2, SN_RECORD_SECOND));
	expect("time_abs", "1700000000.001000");
	expect("method", "REQ2");
	expect("hostname", "-");
	expect("path", "-");
	expect("cookie", "[*]def");
	expect("referer", "http://example.org/x?y");
	/* In a row it is one message. */
	assert_true(sn_record_http(&record, &view, 2, SN_RECORD_WHOLE));
	expect("cookie", "abcdef");
	/* Nothing but the end of the header in the second one: no line. */
	message.split = sizeof(header) - 3;
	assert_false(sn_record_http(&record, &view, 2, SN_RECORD_SECOND));
}

static void responses_have_their_own_columns(void **state)
{
	struct sn_http_message message = {.time_ns = T0, .status = SN_STR("301")};
	struct sn_view_http view = {.message = &message,
				    .location = SN_STR("https://example.org/a?b")};

	(void)state;
	message.fields[SN_HTTP_CONTENT_LENGTH] = view.fields[SN_HTTP_CONTENT_LENGTH] =
		SN_STR("       946");
	assert_true(sn_record_http(&record, &view, 0, SN_RECORD_FIRST));
	assert_string_equal(written(0),
			    "-\t0\t-\t0\t1700000000.000000\tHTTP\t301\t       946\t-\t-\t-\t"
			    "https://example.org/\t-\n");
}

static struct sn_view_dns dns_view(struct sn_dns_event *event)
{
	return (struct sn_view_dns){.event = event,
				    .client_port = 5000,
				    .server_port = 53,
				    .client = test.view.client,
				    .server = test.view.server,
				    .name = event->name,
				    .answer = event->answer};
}

static void dns_messages_become_lines(void **state)
{
	struct sn_dns_event event = {.entry = SN_DNS_RESPONSE,
				     .time_ns = T0,
				     .id = 0x37b0,
				     .flags = 0x8580,
				     .class_ = 1,
				     .type = 15,
				     .ttl_seconds = 3600,
				     .questions = 1,
				     .answers = 2,
				     .bytes = 99,
				     .name = SN_STR("example.org."),
				     .answer = SN_STR("10 mail.example.org.")};
	struct sn_view_dns view;

	(void)state;
	connection();
	view = dns_view(&event);
	assert_true(sn_record_dns(&record, &view));
	assert_string_equal(
		written(0),
		"192.0.2.1 5000 1 0 198.51.100.2 53 0 0 1700000000000.000000 RESP "
		"0x37b0 example.org. 3600 IN MX 10\tmail.example.org. 0x2c 1 2 0 0 99\n");
	event.entry = SN_DNS_REQUEST;
	event.answer = (struct sn_str){0};
	view = dns_view(&event);
	assert_true(sn_record_dns(&record, &view));
	expect("ttl", "-");
	expect("answer", "-");
	event.entry = SN_DNS_ERROR;
	event.rcode = 3;
	assert_true(sn_record_dns(&record, &view));
	expect("entry", "RESP_ERR");
	expect("answer", "NXDOMAIN");
	event.entry = SN_DNS_EMPTY;
	assert_false(sn_record_dns(&record, &view));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_becomes_a_line_of_134_fields),
		cmocka_unit_test(the_level_leaves_columns_out),
		cmocka_unit_test(times_have_the_noise_of_the_division),
		cmocka_unit_test(names_of_dns_come_with_their_times),
		cmocka_unit_test(separators_in_texts_are_replaced),
		cmocka_unit_test(any_view_becomes_one_line),
		cmocka_unit_test(a_video_has_its_own_columns_between),
		cmocka_unit_test(rates_of_a_video_end_with_its_last_packet),
		cmocka_unit_test(a_udp_flow_becomes_a_line_of_25_fields),
		cmocka_unit_test(a_silent_side_has_neither_time_nor_type),
		cmocka_unit_test(streams_of_media_become_lines_without_nan),
		cmocka_unit_test(a_period_tells_the_difference),
		cmocka_unit_test(urls_are_told_as_far_as_wanted),
		cmocka_unit_test(a_header_in_two_segments_is_two_lines),
		cmocka_unit_test(responses_have_their_own_columns),
		cmocka_unit_test(dns_messages_become_lines),
	};

	return cmocka_run_group_tests(tests, NULL, finish_line);
}
