/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/app/dns.h"
#include "meter/app/names.h"
#include "meter/app/rtp.h"
#include "meter/app/udp.h"
#include "quic_seal.h"

#define DECIDED UINT8_MAX

/* One flow and what looks at it. */
static struct sn_name_pool *names;
static struct sn_dns_cache *cache;
static struct sn_apps *apps;
static struct sn_udp_flow flow;
static size_t memory_before;
static int64_t now_ns;
static unsigned requests, responses;
static struct sn_dns_event last_event;

static void keep_event(const struct sn_dns_event *event, const struct sn_flow *of,
		       void *ctx SN_UNUSED)
{
	assert_ptr_equal(of, &flow.flow);
	requests += event->entry == SN_DNS_REQUEST;
	responses += event->entry == SN_DNS_RESPONSE;
	last_event = *event;
}

static void set_ends(const char *client, uint16_t client_port, const char *server,
		     uint16_t server_port)
{
	struct sn_flow_key *key = &flow.flow.key;
	bool v6 = strchr(client, ':') != NULL;

	*key = (struct sn_flow_key){.family = v6 ? 6 : 4, .protocol = SN_PROTO_UDP};
	inet_pton(v6 ? AF_INET6 : AF_INET, client, key->low);
	inet_pton(v6 ? AF_INET6 : AF_INET, server, key->high);
	key->low_port = client_port;
	key->high_port = server_port;
}

static int begin(void **state SN_UNUSED)
{
	struct sn_app_watch watch = {.dns = keep_event};
	struct sn_apps_options options = {0};

	names = options.names = sn_name_pool_create(1 << 16);
	cache = options.dns_cache = sn_dns_cache_create(names, 100);
	memory_before = sn_name_pool_memory(names);
	apps = sn_apps_create(&options);
	sn_apps_set_watch(apps, &watch);
	flow = (struct sn_udp_flow){0};
	set_ends("192.0.2.1", 40000, "192.0.2.53", 53);
	now_ns = 1000;
	requests = responses = 0;
	return 0;
}

/* All that hung on the flow is given back. */
static int end(void **state SN_UNUSED)
{
	sn_app_forget_udp(apps, &flow);
	assert_null(flow.app);
	sn_dns_cache_destroy(cache);
	assert_int_equal(sn_name_pool_memory(names), memory_before);
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
	return 0;
}

static void send_part(unsigned side, const void *payload, size_t captured, size_t size)
{
	struct sn_decoded packet = {
		.family = 4,
		.protocol = SN_PROTO_UDP,
		.has_transport = true,
		.ttl = 60,
		.payload_bytes = (uint32_t)size,
		.udp_length = (uint32_t)size + 8,
	};
	sn_autofree uint8_t *copy = sn_xmemdup(payload, SN_MAX(captured, (size_t)1));

	sn_rd_init(&packet.payload, copy, captured);
	now_ns += SN_NS_PER_MS;
	flow.flow.side[side].packets++;
	flow.side[side].last_ns = now_ns;
	sn_app_udp(apps, &flow, side, &packet, now_ns);
}

static void send_it(unsigned side, const void *payload, size_t size)
{
	send_part(side, payload, size, size);
}
#define SEND(side, literal) send_it(side, literal, sizeof(literal) - 1)

static void assert_types(unsigned client, unsigned server)
{
	assert_int_equal(flow.type[SN_CLIENT], client);
	assert_int_equal(flow.type[SN_SERVER], server);
}

/* DNS ------------------------------------------------------------------------ */

#define QUESTION "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1"
#define ANSWER                                                                                     \
	"\x12\x34\x81\x80\0\1\0\1\0\0\0\0\3www\7example\0\0\1\0\1"                                 \
	"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x33\x64\7"

static void an_answer_names_the_flows_that_follow(void **state SN_UNUSED)
{
	uint64_t address[2] = {0};
	struct sn_dns_hit *hit;
	int64_t asked_ns;

	inet_pton(AF_INET, "198.51.100.7", address);
	SEND(SN_CLIENT, QUESTION);
	asked_ns = now_ns;
	assert_int_equal(requests, 1);
	assert_true(last_event.client_is_source);
	SEND(SN_SERVER, ANSWER);
	assert_types(SN_UDP_DNS, SN_UDP_DNS);
	assert_int_equal(responses, 1);
	assert_int_equal(last_event.side, SN_SERVER);
	assert_false(last_event.client_is_source);
	assert_true(last_event.asked_ns == asked_ns);
	hit = sn_dns_cache_find(cache, flow.flow.key.low, address, now_ns);
	assert_non_null(hit);
	assert_string_equal(hit->name->text, "www.example");
	assert_true(hit->asked_ns == asked_ns && hit->answered_ns == now_ns);
	assert_int_equal(hit->resolver_family, 4);
	assert_memory_equal(hit->resolver, flow.flow.key.high, sizeof(hit->resolver));
	sn_dns_hit_give(cache, hit);
	assert_null(flow.app);
}

static void only_resolvers_name_flows(void **state SN_UNUSED)
{
	uint64_t address[2] = {0};

	set_ends("192.0.2.1", 40000, "192.0.2.53", 5300);
	inet_pton(AF_INET, "198.51.100.7", address);
	SEND(SN_SERVER, ANSWER);
	assert_types(SN_UDP_UNKNOWN, SN_UDP_DNS);
	assert_int_equal(responses, 1);
	assert_null(sn_dns_cache_find(cache, flow.flow.key.low, address, now_ns));
	/* Nor does an IPv4 address that was told over IPv6. */
	set_ends("2001:db8::1", 40000, "2001:db8::53", 53);
	SEND(SN_SERVER, ANSWER);
	assert_null(sn_dns_cache_find(cache, flow.flow.key.low, address, now_ns));
}

static void multicast_is_dns_but_no_event(void **state SN_UNUSED)
{
	set_ends("192.0.2.1", 5353, "224.0.0.251", 5353);
	SEND(SN_CLIENT, QUESTION);
	assert_types(SN_UDP_DNS, SN_UDP_UNKNOWN);
	assert_int_equal(requests, 0);
	set_ends("fe80::1", 5353, "ff02::fb", 5353);
	SEND(SN_CLIENT, QUESTION);
	assert_int_equal(requests, 0);
}

static void damage_in_dns_is_counted_cuts_are_not(void **state SN_UNUSED)
{
	char answer[] = ANSWER;

	send_part(SN_SERVER, ANSWER, 40, sizeof(ANSWER) - 1);
	assert_int_equal(sn_apps_refused(apps, SN_APP_DNS_MALFORMED), 0);
	answer[7] = 9; /* answers */
	send_it(SN_SERVER, answer, sizeof(answer) - 1);
	assert_int_equal(sn_apps_refused(apps, SN_APP_DNS_MALFORMED), 1);
	assert_int_equal(responses, 0);
}

static void answers_with_keys_are_told_but_not_typed(void **state SN_UNUSED)
{
	SEND(SN_SERVER, "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1x\0\0\x30\0\1"
			"\xc0\x0c\0\x30\0\1\0\0\0\x3c\0\4\1\1\3\x08");
	assert_types(SN_UDP_UNKNOWN, SN_UDP_UNKNOWN);
	assert_int_equal(responses, 1);
}

/* Classes -------------------------------------------------------------------- */

struct sample {
	const char *payload;
	size_t size;
	enum sn_udp_type type;
};
#define SAMPLE(literal, type)                                                                      \
	{                                                                                          \
		(literal), sizeof(literal) - 1, (type)                                             \
	}

static const struct sample samples[] = {
	SAMPLE("INVITE sip:a@example.org SIP/2.0\r\n", SN_UDP_SIP),
	SAMPLE("SIP/2.0 200 OK\r\n", SN_UDP_SIP),
	SAMPLE("NOTIFY * HTTP/1.1\r\n", SN_UDP_UNKNOWN),
	SAMPLE("\x16\xfe\xff\0\0\0\0\0\0\0\0\0\4\1\0\0\0", SN_UDP_DTLS),
	SAMPLE("\x16\x03\x01\0\0\0\0\0\0\0\0\0\4\1\0\0\0", SN_UDP_UNKNOWN),
	SAMPLE("d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe", SN_UDP_BITTORRENT),
	SAMPLE("\x41\0\x45\x67\xed\x63\x92\x96\0\0\0\0\0\x10\0\0\x23\xc6\0\0", SN_UDP_UTP),
	SAMPLE("\x01\0\x45\x67\xed\x63\x92\x96\0\0\0\0\0\x10\0\0\x23\xc6\0\1", SN_UDP_UNKNOWN),
	SAMPLE("\x60\0\0\0\0\0\x3b\x15\x20\1\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaa", SN_UDP_TEREDO),
	SAMPLE("\x60\0\0\0\0\1\x3b\x15\x20\1\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaa", SN_UDP_UNKNOWN),
	SAMPLE("\xe3\x96\1\2\3\4", SN_UDP_EDK),
	SAMPLE("\xe3\x96\1\2\3", SN_UDP_UNKNOWN),
	SAMPLE("\xe4\x60", SN_UDP_KAD),
	SAMPLE("aaaaaaaaaaaaaaaa\0\5\0\0\0\0\0", SN_UDP_GNUTELLA),
	SAMPLE("aaaaaaaaaaaaaaaa\0\5\0\1\0\0\0", SN_UDP_UNKNOWN),
	SAMPLE("$SR nick file|", SN_UDP_DC),
	SAMPLE("\x27\0\0\0\xa9\x80KaZaA\0", SN_UDP_KAZAA),
	SAMPLE("\1\1\6\0\x48\xad\x22\xbf\2\x8b\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	       SN_UDP_UNKNOWN), /* DHCP */
	SAMPLE("x", SN_UDP_UNKNOWN),
};

static void one_datagram_tells_the_class(void **state)
{
	for (size_t i = 0; i < SN_COUNT(samples); i++) {
		end(state);
		begin(state);
		set_ends("192.0.2.1", 1024, "192.0.2.2", 1025);
		send_it(SN_CLIENT, samples[i].payload, samples[i].size);
		if (flow.type[SN_CLIENT] != samples[i].type)
			fail_msg("sample %zu is of type %u", i, flow.type[SN_CLIENT]);
		assert_types(samples[i].type, SN_UDP_UNKNOWN);
	}
}

static void who_is_certain_looks_no_more(void **state SN_UNUSED)
{
	SEND(SN_CLIENT, "SIP/2.0 200 OK\r\n");
	assert_int_equal(flow.looked[SN_CLIENT], DECIDED);
	SEND(SN_CLIENT, QUESTION);
	assert_types(SN_UDP_SIP, SN_UDP_UNKNOWN);
	assert_int_equal(requests, 0);
}

static void the_unknown_is_given_up_after_a_while(void **state SN_UNUSED)
{
	for (unsigned i = 0; i < 50; i++) {
		assert_int_not_equal(flow.looked[SN_SERVER], DECIDED);
		SEND(SN_SERVER, "what is this?");
	}
	assert_int_equal(flow.looked[SN_SERVER], DECIDED);
	assert_int_equal(flow.looked[SN_CLIENT], 0);
	assert_null(flow.app);
}

static void utp_beside_the_hash_table_is_bittorrent(void **state SN_UNUSED)
{
	set_ends("192.0.2.1", 1024, "192.0.2.2", 1025);
	send_it(SN_CLIENT, samples[5].payload, samples[5].size);
	send_it(SN_CLIENT, samples[6].payload, samples[6].size);
	SEND(SN_SERVER, "\x21\0\x45\x67\xed\x63\x93\x41\0\0\0\5\0\x10\0\0\x45\x67\x23\xc6");
	assert_types(SN_UDP_UTP_BITTORRENT, SN_UDP_UTP);
}

static void nothing_is_looked_at_when_off_or_empty(void **state SN_UNUSED)
{
	struct sn_apps_options options = {.off = true};
	struct sn_apps *off = sn_apps_create(&options), *on = apps;

	send_part(SN_CLIENT, "", 0, 100);
	assert_int_equal(flow.looked[SN_CLIENT], 0);
	apps = off;
	SEND(SN_CLIENT, QUESTION);
	assert_types(SN_UDP_UNKNOWN, SN_UDP_UNKNOWN);
	apps = on;
	sn_apps_destroy(off);
}

/* Media ---------------------------------------------------------------------- */

static void send_rtp(unsigned side, uint16_t sequence, uint8_t ssrc, uint8_t type)
{
	uint8_t packet[32] = {
		0x80, type, (uint8_t)(sequence >> 8), (uint8_t)sequence, 0, 0, 0, 0, 0, 0, 0, ssrc};

	send_it(side, packet, sizeof(packet));
}

static void the_second_packet_confirms_a_stream(void **state SN_UNUSED)
{
	set_ends("192.0.2.1", 1024, "192.0.2.2", 1025);
	send_rtp(SN_CLIENT, 7, 1, 0);
	assert_types(SN_UDP_FIRST_RTP_PLUS, SN_UDP_UNKNOWN);
	assert_string_equal(sn_app_udp_word(&flow), "");
	send_rtp(SN_CLIENT, 8, 1, 0);
	assert_types(SN_UDP_RTP_PLUS, SN_UDP_UNKNOWN);
	assert_string_equal(sn_app_udp_word(&flow), "rtp");
	assert_int_equal(flow.app->rtp->first->packets, 2);
	assert_int_equal(flow.app->rtp->mux[SN_CLIENT], 1);
	/* It goes on being counted. */
	for (uint16_t i = 9; i < 300; i++)
		send_rtp(SN_CLIENT, i, 1, 0);
	assert_int_equal(flow.app->rtp->first->packets, 293);
	assert_int_equal(flow.app->rtp->ttl[SN_CLIENT].count, 293);
	SEND(SN_CLIENT, "\xff???");
	assert_int_equal(flow.app->rtp->first->bogus, 1);
}

static void a_packet_that_does_not_fit_takes_a_candidate_back(void **state SN_UNUSED)
{
	set_ends("192.0.2.1", 1024, "192.0.2.2", 1025);
	send_rtp(SN_SERVER, 7, 9, 0);
	send_rtp(SN_CLIENT, 7, 1, 0);
	send_rtp(SN_CLIENT, 5000, 1, 0);
	assert_types(SN_UDP_UNKNOWN, SN_UDP_FIRST_RTP_PLUS);
	assert_int_equal(flow.app->rtp->count, 1);
	assert_int_equal(flow.app->rtp->first->ssrc, 9);
	send_rtp(SN_CLIENT, 7, 1, 0);
	send_rtp(SN_CLIENT, 8, 2, 0);
	assert_types(SN_UDP_UNKNOWN, SN_UDP_FIRST_RTP_PLUS);
	send_rtp(SN_CLIENT, 7, 1, 0);
	SEND(SN_CLIENT, "\xff???");
	assert_types(SN_UDP_UNKNOWN, SN_UDP_FIRST_RTP_PLUS);
}

static void calls_share_a_port(void **state SN_UNUSED)
{
	set_ends("192.0.2.1", 1024, "192.0.2.2", 1025);
	SEND(SN_CLIENT, "\0\1\0\0\x21\x12\xa4\x42"
			"aaaaaaaaaaaa");
	assert_types(SN_UDP_UNKNOWN, SN_UDP_UNKNOWN);
	SEND(SN_CLIENT, "\x16\xfe\xff\0\0\0\0\0\0\0\0\0\4\1\0\0\0");
	assert_types(SN_UDP_DTLS, SN_UDP_UNKNOWN);
	send_rtp(SN_CLIENT, 1, 5, 111);
	send_rtp(SN_CLIENT, 2, 5, 111);
	assert_types(SN_UDP_RTP_PLUS, SN_UDP_UNKNOWN);
	SEND(SN_CLIENT, "\x81\xc9\0\1\0\0\0\5"); /* RTCP */
	SEND(SN_CLIENT, "\0\1\0\0\x21\x12\xa4\x42"
			"aaaaaaaaaaaa");                             /* STUN */
	SEND(SN_CLIENT, "\x17\xfe\xfd\0\1\0\0\0\0\0\0\0\4\1\2\3\4"); /* DTLS */
	SEND(SN_CLIENT, "\x40\1\0\4abcd");                           /* TURN */
	SEND(SN_CLIENT, "\x10\0\0\1ZRTP");
	assert_int_equal(flow.app->rtp->mux[SN_CLIENT], 1 | 2 | 4 | 8 | 16 | 32);
	assert_int_equal(flow.app->rtp->ttl[SN_CLIENT].count, 9);
	assert_int_equal(flow.app->rtp->count, 2);
	assert_true(flow.app->rtp->first->next->rtcp);
}

static void so_many_streams_and_no_more(void **state SN_UNUSED)
{
	set_ends("192.0.2.1", 1024, "192.0.2.2", 1025);
	send_rtp(SN_CLIENT, 1, 0, 0);
	send_rtp(SN_CLIENT, 2, 0, 0);
	for (uint8_t i = 1; i < SN_RTP_STREAMS_MAX; i++)
		send_rtp(SN_CLIENT, 1, i, 0);
	assert_int_equal(flow.app->rtp->count, SN_RTP_STREAMS_MAX);
	assert_int_equal(sn_apps_refused(apps, SN_APP_RTP_TOO_MANY), 0);
	send_rtp(SN_CLIENT, 1, 200, 0);
	assert_int_equal(flow.app->rtp->count, SN_RTP_STREAMS_MAX);
	assert_int_equal(sn_apps_refused(apps, SN_APP_RTP_TOO_MANY), 1);
}

/* QUIC ----------------------------------------------------------------------- */

static void send_hello(uint32_t version, const struct sn_quic_id *id, const struct sn_quic_id *to,
		       size_t from, size_t behind)
{
	uint8_t plain[512] = {0}, packet[1500];

	quic_put_crypto(plain, quic_hello, from, behind);
	send_it(SN_CLIENT, packet,
		quic_seal(version, id, to, (uint32_t)from, plain, sizeof(plain), packet));
}

static void send_server_initial(uint32_t version)
{
	uint8_t packet[64] = {0xc0, 0, 0, 0, 0, 0, 1, 0xaa, 0, 53};

	packet[0] = version == SN_QUIC_V2 ? 0xd0 : 0xc0;
	for (int i = 0; i < 4; i++)
		packet[1 + i] = (uint8_t)(version >> (24 - 8 * i));
	send_it(SN_SERVER, packet, sizeof(packet));
}

static const char *server_name(void)
{
	return flow.app != NULL && flow.app->quic_server_name != NULL
		       ? flow.app->quic_server_name->text
		       : "";
}

static void a_handshake_of_quic_tells_the_server(void **state SN_UNUSED)
{
	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 0, sizeof(quic_hello));
	assert_string_equal(server_name(), "example.com");
	assert_string_equal(flow.app->quic_alpn->text, "alpn");
	assert_types(SN_UDP_UNKNOWN, SN_UDP_UNKNOWN);
	send_server_initial(SN_QUIC_V1);
	assert_types(SN_UDP_QUIC, SN_UDP_QUIC);
	assert_int_equal(flow.app->quic_version[SN_CLIENT], SN_QUIC_V1);
	assert_int_equal(flow.app->quic_version[SN_SERVER], SN_QUIC_V1);
	assert_int_equal(flow.looked[SN_CLIENT], DECIDED);
	assert_int_equal(flow.looked[SN_SERVER], DECIDED);
	assert_null(flow.app->parser);
}

static void a_hello_may_come_in_any_order(void **state SN_UNUSED)
{
	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 150, sizeof(quic_hello));
	send_server_initial(SN_QUIC_V1);
	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 50, 160);
	assert_string_equal(server_name(), "");
	assert_int_not_equal(flow.looked[SN_CLIENT], DECIDED);
	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 0, 50);
	assert_string_equal(server_name(), "example.com");
	assert_int_equal(flow.looked[SN_CLIENT], DECIDED);
}

/* The server's id takes the place of the first one; the keys stay. */
static void later_packets_go_to_the_id_of_the_server(void **state SN_UNUSED)
{
	static const struct sn_quic_id server_id = {{1, 2, 3}, 3};

	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 0, 50);
	send_hello(SN_QUIC_V1, &quic_id, &server_id, 50, sizeof(quic_hello));
	assert_string_equal(server_name(), "example.com");
	assert_int_equal(sn_apps_refused(apps, SN_APP_QUIC_MALFORMED), 0);
}

static void after_a_retry_the_keys_are_new(void **state SN_UNUSED)
{
	static const struct sn_quic_id retry_id = {{9, 9, 9, 9}, 4};

	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 0, 50);
	send_hello(SN_QUIC_V1, &retry_id, &retry_id, 0, sizeof(quic_hello));
	assert_string_equal(server_name(), "example.com");
}

static void version_2_is_read_but_not_typed(void **state SN_UNUSED)
{
	send_hello(SN_QUIC_V2, &quic_id, &quic_id, 0, sizeof(quic_hello));
	send_server_initial(SN_QUIC_V2);
	assert_types(SN_UDP_UNKNOWN, SN_UDP_UNKNOWN);
	assert_string_equal(server_name(), "example.com");
	assert_string_equal(sn_app_udp_word(&flow), "quic");
	assert_int_equal(flow.looked[SN_SERVER], DECIDED);
}

static void drafts_are_read_and_typed(void **state SN_UNUSED)
{
	for (uint32_t draft = 23; draft <= 34; draft++) {
		end(state);
		begin(state);
		send_hello(0xff000000 | draft, &quic_id, &quic_id, 0, sizeof(quic_hello));
		send_server_initial(0xff000000 | draft);
		assert_types(SN_UDP_QUIC, SN_UDP_QUIC);
		assert_string_equal(server_name(), "example.com");
	}
}

static void forged_packets_of_quic_are_counted_and_given_up(void **state SN_UNUSED)
{
	uint8_t packet[200] = {0xc0, 0, 0, 0, 1, 4, 1, 2, 3, 4, 0, 0, 0x40, 186};

	for (unsigned i = 0; i < 2 * SN_QUIC_INITIALS_MAX; i++)
		send_it(SN_CLIENT, packet, sizeof(packet));
	assert_int_equal(sn_apps_refused(apps, SN_APP_QUIC_MALFORMED), SN_QUIC_INITIALS_MAX + 1);
	assert_types(SN_UDP_UNKNOWN, SN_UDP_UNKNOWN);
	assert_int_equal(flow.app->quic_version[SN_CLIENT], SN_QUIC_V1);
}

static void early_data_before_the_answer_is_counted(void **state SN_UNUSED)
{
	static const uint8_t early[40] = {0xd0, 0, 0, 0, 1, 4, 1, 2, 3, 4, 0, 28};

	send_it(SN_CLIENT, early, sizeof(early));
	assert_null(flow.app);
	send_hello(SN_QUIC_V1, &quic_id, &quic_id, 0, 50);
	send_it(SN_CLIENT, early, sizeof(early));
	send_it(SN_CLIENT, early, sizeof(early));
	send_it(SN_SERVER, early, sizeof(early));
	send_server_initial(SN_QUIC_V1);
	send_it(SN_CLIENT, early, sizeof(early));
	assert_int_equal(flow.app->quic_zero_rtt, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_names_the_flows_that_follow),
		TEST(only_resolvers_name_flows),
		TEST(multicast_is_dns_but_no_event),
		TEST(damage_in_dns_is_counted_cuts_are_not),
		TEST(answers_with_keys_are_told_but_not_typed),
		TEST(one_datagram_tells_the_class),
		TEST(who_is_certain_looks_no_more),
		TEST(the_unknown_is_given_up_after_a_while),
		TEST(utp_beside_the_hash_table_is_bittorrent),
		TEST(nothing_is_looked_at_when_off_or_empty),
		TEST(the_second_packet_confirms_a_stream),
		TEST(a_packet_that_does_not_fit_takes_a_candidate_back),
		TEST(calls_share_a_port),
		TEST(so_many_streams_and_no_more),
		TEST(a_handshake_of_quic_tells_the_server),
		TEST(a_hello_may_come_in_any_order),
		TEST(later_packets_go_to_the_id_of_the_server),
		TEST(after_a_retry_the_keys_are_new),
		TEST(version_2_is_read_but_not_typed),
		TEST(drafts_are_read_and_typed),
		TEST(forged_packets_of_quic_are_counted_and_given_up),
		TEST(early_data_before_the_answer_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
