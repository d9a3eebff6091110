/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "app_flow.h"
#include "meter/app/dns.h"
#include "meter/app/tcp_internal.h"

#define CLIENT_HELLO "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" /* its beginning */
#define SERVER_HELLO "\x16\x03\x03\x00\x2f\x02\x00\x00\x2b\x03\x03"
#define TORRENT                                                                                    \
	"\x13"                                                                                     \
	"BitTorrent protocol"
#define SMB2 "\0\0\0\x40\xfeSMB@\0"

/* What each side says in turn; the side that begins is `first`. */
static const struct {
	unsigned first;
	const char *says[5];
	uint32_t con;
	const char *word;
} dialogues[] = {
	{SN_CLIENT, {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"}, SN_CON_HTTP, "http"},
	{SN_CLIENT, {"GET / HTTP/1.0\r\n\r\n", "<html>"}, 0, ""},
	{SN_CLIENT, {"GET / HTTP/1.0\r\n\r\n", "ICY 200 OK\r\n"}, SN_CON_ICY, "icy"},
	{SN_CLIENT, {"TRACE / HTTP/1.0\r\n\r\n", "HTTP/1.0 405 No\r\n"}, 0, "http"},
	{SN_SERVER, {"HTTP/1.0 408 Timeout\r\n"}, 0, "http"},
	{SN_CLIENT, {"OPTIONS rtsp://h RTSP/1.0\r\n\r\n", "RTSP/1.0 200 OK\r\n"}, 0, "rtsp"},
	{SN_CLIENT, {"DESCRIBE rtsp://h RTSP/1.0\r\n\r\n", "RTSP/1.0 200 OK"}, SN_CON_RTSP, "rtsp"},
	{SN_CLIENT, {CLIENT_HELLO, SERVER_HELLO}, SN_CON_TLS, "tls"},
	{SN_CLIENT, {CLIENT_HELLO, "\x15\x03\x03"}, 0, ""},
	{SN_SERVER, {"220 host ESMTP\r\n", "EHLO x\r\n"}, SN_CON_SMTP, "smtp"},
	{SN_SERVER, {"220-host ESMTP\r\n", "EHLO x\r\n"}, 0, "smtp"},
	{SN_SERVER, {"220 host ready\r\n", "USER x\r\n"}, 0, "ftp"},
	{SN_SERVER, {"+OK\r\n", "CAPA\r\n", "+OK\r\n", "QUIT\r\n"}, SN_CON_POP3, "pop3"},
	{SN_SERVER, {"+OK\r\n", "CAPA\r\n", "+OK\r\n", "user x\r\n"}, 0, "pop3"},
	{SN_SERVER, {"* OK IMAP\r\n", "a1 LOGIN\r\n", "a1 OK\r\n"}, SN_CON_IMAP, "imap"},
	{SN_SERVER, {"* OK IMAP\r\n", "C00000 X\r\n", "* CAPABILITY\r\n"}, 0, "imap"},
	{SN_SERVER, {"SSH-2.0-a\r\n", "SSH-2.0-b\r\n"}, SN_CON_SSH, "ssh"},
	{SN_CLIENT, {"SSH-2.0-b\r\n", "SSH-2.0-a\r\n"}, 0, "ssh"},
	{SN_CLIENT, {"\x03\x01\x02\x03\x04\x05", "\x03\x06\x05\x04"}, SN_CON_RTMP, "rtmp"},
	{SN_CLIENT,
	 {"\x03"
	  "abc",
	  "\x04"
	  "abc"},
	 0,
	 ""},
	{SN_CLIENT, {"<?xml version='1.0' ?>"}, SN_CON_XMPP, "xmpp"},
	{SN_CLIENT, {"<stream:stream to='x'>"}, SN_CON_XMPP, "xmpp"},
	{SN_CLIENT, {"YMSG....", "YMSG...."}, SN_CON_YMSG, "ymsg"},
	{SN_CLIENT, {"VER 1 MSNP8\r\n", "VER 1 MSNP8\r\n"}, SN_CON_MSN, "msn"},
	{SN_CLIENT, {TORRENT}, SN_CON_P2P, "bittorrent"},
	{SN_SERVER, {TORRENT}, SN_CON_P2P, "bittorrent"},
	{SN_CLIENT, {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, 0, "http2"},
	{SN_CLIENT, {"REGISTER sip:h SIP/2.0\r\n"}, 0, "sip"},
	{SN_CLIENT, {"NICK me\r\n"}, 0, "irc"},
	{SN_CLIENT, {"hello", "hello", "hello"}, 0, ""},
};

static void dialogues_have_their_class(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(dialogues); i++) {
		struct talk talk;

		talk_init(&talk, 1234);
		for (unsigned j = 0; j < 5 && dialogues[i].says[j] != NULL; j++)
			talk_text(&talk, dialogues[i].first ^ (j & 1), dialogues[i].says[j]);
		if (talk.flow.app->con_type != dialogues[i].con ||
		    strcmp(sn_app_tcp_word(talk.flow.app), dialogues[i].word) != 0)
			fail_msg("%s: %u %s", dialogues[i].says[0], talk.flow.app->con_type,
				 sn_app_tcp_word(talk.flow.app));
		talk_finish(&talk);
	}
}

/* What was said must not be read as text: these have zeros in them. */
static void binary_protocols_have_their_class(void **state SN_UNUSED)
{
	static const char edonkey[] = "\xe3\x02\x00\x00\x00\x01x";
	struct talk talk;

	talk_init(&talk, 445);
	talk_say(&talk, SN_CLIENT, SMB2, 10);
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "smb");
	talk_finish(&talk);

	talk_init(&talk, 4662);
	talk_say(&talk, SN_CLIENT, edonkey, 7);
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "edonkey");
	assert_int_equal(talk.flow.app->p2p_type, 1);
	talk_finish(&talk);

	talk_init(&talk, 4662);
	talk_say(&talk, SN_CLIENT, edonkey, 6); /* its length lies */
	assert_int_equal(talk.flow.app->con_type, 0);
	talk_finish(&talk);

	/* A remote desktop begins with 3, too. */
	talk_init(&talk, 3389);
	talk_say(&talk, SN_CLIENT, "\x03\x00\x00\x06\x01\x02", 6);
	talk_say(&talk, SN_SERVER, "\x03\x00\x00\x06\x01\x02", 6);
	assert_int_equal(talk.flow.app->con_type, 0);
	talk_finish(&talk);

	/* RTMP's handshake in two segments, as Tstat has it. */
	talk_init(&talk, 1935);
	talk_say(&talk, SN_CLIENT, "\x03\x00\x00\x00\x00", 5);
	talk_say(&talk, SN_CLIENT, "\x00\x00", 2);
	talk_say(&talk, SN_SERVER, "\x03\x00\x00\x00\x00", 5);
	assert_int_equal(talk.flow.app->con_type, 0);
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "rtmp");
	talk_finish(&talk);
}

static void nothing_has_no_word(void **state SN_UNUSED)
{
	assert_string_equal(sn_app_tcp_word(NULL), "");
}

/* Bytes whose half bytes are all equally frequent. */
static void fill_random(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(0x10 + i * 0x2b + (i / 16) * 0x11);
}

static uint32_t con_of_random(size_t client, size_t server)
{
	uint8_t bytes[700];
	struct talk talk;
	uint32_t con;

	fill_random(bytes, sizeof(bytes));
	talk_init(&talk, 6881);
	talk_say(&talk, SN_CLIENT, bytes, client);
	talk_say(&talk, SN_SERVER, bytes, server);
	con = talk.flow.app->con_type;
	talk_finish(&talk);
	return con;
}

static void random_beginnings_of_the_right_length_are_mse(void **state SN_UNUSED)
{
	uint8_t zeros[200] = {0};
	struct talk talk;

	assert_int_equal(con_of_random(96, 608), SN_CON_MSE);
	assert_int_equal(con_of_random(95, 200), 0);
	assert_int_equal(con_of_random(200, 609), 0);

	talk_init(&talk, 6881);
	talk_say(&talk, SN_CLIENT, zeros, sizeof(zeros));
	talk_say(&talk, SN_SERVER, zeros, sizeof(zeros));
	assert_int_equal(talk.flow.app->con_type, 0);
	talk_finish(&talk);
}

static void a_definite_protocol_clears_the_guess(void **state SN_UNUSED)
{
	uint8_t bytes[200];
	struct talk talk;

	fill_random(bytes, sizeof(bytes));
	talk_init(&talk, 6881);
	talk_say(&talk, SN_CLIENT, bytes, sizeof(bytes));
	talk_say(&talk, SN_SERVER, bytes, sizeof(bytes));
	assert_int_equal(talk.flow.app->con_type, SN_CON_MSE);
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "encrypted");
	talk_text(&talk, SN_CLIENT, TORRENT);
	assert_int_equal(talk.flow.app->con_type, SN_CON_P2P);
	assert_string_equal(sn_app_tcp_word(talk.flow.app), "bittorrent");
	talk_finish(&talk);
}

static void only_the_first_packets_are_looked_at(void **state SN_UNUSED)
{
	for (int late = 0; late < 2; late++) {
		struct talk talk;

		talk_init(&talk, 80);
		for (int i = 0; i < SN_APP_TCP_PACKETS - 2 + late; i++)
			talk_text(&talk, SN_CLIENT, "x");
		talk_text(&talk, SN_CLIENT, "GET / HTTP/1.1\r\n\r\n");
		talk_text(&talk, SN_SERVER, "HTTP/1.1 200 OK\r\n\r\n");
		assert_int_equal(talk.flow.app->con_type, late ? 0 : SN_CON_HTTP);
		/* They are counted in any case. */
		assert_int_equal(talk.flow.app->http_requests, 1);
		assert_int_equal(talk.flow.app->http_responses, 1);
		talk_text(&talk, SN_SERVER, "x");
		assert_null(talk.flow.app->parser);
		talk_finish(&talk);
	}
}

static void repeated_requests_are_counted_as_tstat_does(void **state SN_UNUSED)
{
	static const char get[] = "GET / HTTP/1.1\r\n\r\n";
	struct talk talk;

	talk_init(&talk, 80);
	talk_text(&talk, SN_CLIENT, get);
	talk_say_at(&talk, SN_CLIENT, 1, get, sizeof(get) - 1, sizeof(get) - 1);
	assert_int_equal(talk.flow.app->http_requests, 2);
	talk_finish(&talk);
}

static void the_end_of_a_tls_handshake_is_timed(void **state SN_UNUSED)
{
	struct talk talk;
	const struct sn_tls_side *client, *server;
	int64_t start;

	talk_init(&talk, 443);
	start = talk.now_ns;
	talk_say(&talk, SN_CLIENT, CLIENT_HELLO, 11);
	assert_int_equal(talk.flow.app->tls->side[SN_CLIENT].handshake_ns,
			 0); /* it is not TLS yet */
	talk_say(&talk, SN_SERVER, SERVER_HELLO, 11);
	talk_say(&talk, SN_CLIENT, "\x16\x03\x03", 3);
	talk_say(&talk, SN_SERVER, "\x17\x03\x03\x00\x10", 5);
	talk_say(&talk, SN_SERVER, "\x17\x03\x03\x00\x10", 5);
	talk_say(&talk, SN_CLIENT, "\x17\x03\x03\x00\x10", 5);
	client = &talk.flow.app->tls->side[SN_CLIENT];
	server = &talk.flow.app->tls->side[SN_SERVER];
	assert_int_equal(client->handshake_ns, start + 3 * TALK_STEP_NS);
	assert_int_equal(server->handshake_ns, start + 2 * TALK_STEP_NS);
	assert_int_equal(server->data_ns, start + 4 * TALK_STEP_NS);
	assert_int_equal(server->data_offset, 12);
	assert_int_equal(client->data_ns, start + 6 * TALK_STEP_NS);
	assert_int_equal(client->data_offset, 15);
	assert_int_equal(talk.flow.app->look & ~4u, 0); /* nothing is timed any more */
	talk_finish(&talk);
}

static void presence_is_noticed(void **state SN_UNUSED)
{
	struct talk talk;

	talk_init(&talk, 5222);
	talk_text(&talk, SN_CLIENT, "<stream:stream to='x'>");
	assert_false(talk.flow.app->has_presence);
	talk_text(&talk, SN_CLIENT, "<presence/>");
	assert_true(talk.flow.app->has_presence);
	talk_finish(&talk);
}

static void payload_in_the_syn_is_the_first_payload(void **state SN_UNUSED)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	struct sn_decoded packet = {.payload_bytes = sizeof(get) - 1, .tcp_flags = SN_TCP_SYN};
	struct sn_tcp_verdict verdict = {.fresh = sizeof(get) - 1, .in_order = true};
	struct talk talk;

	talk_init(&talk, 80);
	sn_rd_init(&packet.payload, get, sizeof(get) - 1);
	sn_app_tcp(talk.apps, &talk.flow, SN_CLIENT, &packet, &verdict, 1);
	talk.next[SN_CLIENT] += sizeof(get) - 1;
	assert_string_equal(name_or_none(talk.flow.app->http_host), "h");
	talk_finish(&talk);
}

static void a_look_that_is_off_costs_nothing(void **state SN_UNUSED)
{
	struct sn_apps_options options = {.off = true};
	struct sn_apps *apps;
	struct talk talk;

	talk_init(&talk, 80);
	sn_apps_destroy(talk.apps);
	apps = talk.apps = sn_apps_create(&options);
	talk_text(&talk, SN_CLIENT, "GET / HTTP/1.1\r\n\r\n");
	assert_null(talk.flow.app);
	assert_ptr_equal(apps, talk.apps);
	talk_finish(&talk);
}

/* DNS behind lengths ------------------------------------------------------------- */

static struct sn_dns_event heard[8];
static size_t heard_count;

static void hear_dns(const struct sn_dns_event *event, const struct sn_flow *flow SN_UNUSED,
		     void *ctx SN_UNUSED)
{
	assert_true(heard_count < SN_COUNT(heard));
	heard[heard_count++] = *event;
}

/* A question for the addresses of "a.b" and its answer, each behind its length. */
static const char question[] = "\0\x15\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01"
			       "a\x01"
			       "b\0\0\x01\0\x01";
static const char response[] = "\0\x25\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x01"
			       "a\x01"
			       "b\0\0\x01\0\x01"
			       "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01";

static void dns_over_tcp_is_dns(void **state SN_UNUSED)
{
	const struct sn_app_watch watch = {.dns = hear_dns};

	for (size_t step = 2; step < 42; step++) {
		struct talk talk;

		talk_init(&talk, 53);
		sn_apps_set_watch(talk.apps, &watch);
		heard_count = 0;
		talk_slowly(&talk, SN_CLIENT, question, sizeof(question) - 1, step);
		talk_slowly(&talk, SN_CLIENT, question, sizeof(question) - 1, step);
		talk_slowly(&talk, SN_SERVER, response, sizeof(response) - 1, step);
		assert_string_equal(sn_app_tcp_word(talk.flow.app), "dns");
		assert_int_equal(heard_count, 3);
		assert_int_equal(heard[0].entry, SN_DNS_REQUEST);
		assert_true(heard[0].tcp);
		assert_int_equal(heard[2].entry, SN_DNS_RESPONSE);
		assert_int_equal(heard[2].bytes, sizeof(response) - 3);
		assert_int_equal(heard[2].asked_ns, heard[1].time_ns);
		talk_finish(&talk);
	}
}

static void a_dns_message_beyond_the_limit_is_read_in_part(void **state SN_UNUSED)
{
	const struct sn_app_watch watch = {.dns = hear_dns};
	struct talk talk;
	uint8_t text[2 + 40000] = {0x9c, 0x40};

	talk_init(&talk, 53);
	sn_apps_set_watch(talk.apps, &watch);
	heard_count = 0;
	memcpy(text + 2, question + 2, sizeof(question) - 3);
	talk_slowly(&talk, SN_CLIENT, text, sizeof(text), 1448);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0].bytes, 40000);
	assert_int_equal(talk.apps->scratch_bytes, 0);
	talk_finish(&talk);
}

static void a_dns_stream_without_sense_is_given_up(void **state SN_UNUSED)
{
	struct talk talk;

	talk_init(&talk, 53);
	talk_say(&talk, SN_CLIENT, question, sizeof(question) - 1);
	talk_say(&talk, SN_CLIENT, "\0\x03xyz", 5);
	assert_int_equal(sn_apps_refused(talk.apps, SN_APP_DNS_MALFORMED), 1);
	assert_null(talk.flow.app->parser);
	talk_finish(&talk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_have_their_class),
		cmocka_unit_test(binary_protocols_have_their_class),
		cmocka_unit_test(nothing_has_no_word),
		cmocka_unit_test(random_beginnings_of_the_right_length_are_mse),
		cmocka_unit_test(a_definite_protocol_clears_the_guess),
		cmocka_unit_test(only_the_first_packets_are_looked_at),
		cmocka_unit_test(repeated_requests_are_counted_as_tstat_does),
		cmocka_unit_test(the_end_of_a_tls_handshake_is_timed),
		cmocka_unit_test(presence_is_noticed),
		cmocka_unit_test(payload_in_the_syn_is_the_first_payload),
		cmocka_unit_test(a_look_that_is_off_costs_nothing),
		cmocka_unit_test(dns_over_tcp_is_dns),
		cmocka_unit_test(a_dns_message_beyond_the_limit_is_read_in_part),
		cmocka_unit_test(a_dns_stream_without_sense_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
