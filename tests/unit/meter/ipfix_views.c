/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfix_views.h"

#include <string.h>

#define START_NS (1700000000 * SN_NS_PER_S)

static void set_address(struct sn_view_address *address, uint8_t family, const void *ip)
{
	address->family = family;
	memcpy(address->ip, ip, family == 4 ? 4 : 16);
}

static void init(struct ipfix_test_view *test, uint8_t protocol)
{
	memset(test, 0, sizeof(*test));
	test->flow.key.family = 4;
	test->flow.key.protocol = protocol;
	test->flow.first_ns = START_NS;
	test->flow.last_ns = START_NS + 1500 * SN_NS_PER_MS;
	test->view = (struct sn_view_flow){
		.flow = &test->flow,
		.end = SN_END_CLOSED,
		.interface = "eth0",
		.client_port = 40000,
		.server_port = 443,
		.application = "",
		.period = {{.packets = 10, .bytes = 1000, .payload = 600},
			   {.packets = 12, .bytes = 9000, .payload = 8500}},
		.period_first_ns = START_NS,
	};
	memcpy(test->flow.side, test->view.period, sizeof(test->flow.side));
	test->view.client.internal = true;
	set_address(&test->view.client, 4, "\300\0\2\1");
	set_address(&test->view.server, 4, "\306\63\144\2");
}

void ipfix_test_view_tcp(struct ipfix_test_view *test)
{
	struct sn_tcp_side *client = test->tcp.tcp.side, *server = client + 1;

	init(test, SN_PROTO_TCP);
	test->tcp.app = &test->app_tcp;
	test->app_tcp.con_type = SN_CON_TLS;
	test->app_tcp.tls_version = 0x0304;
	test->view.application = "tls";
	test->view.server_name = SN_STR("www.example.com");
	test->view.fqdn = SN_STR("example.com");
	client->n = (struct sn_tcp_counters){
		.syn = 1, .ack = 9, .fin = 1, .data = 5, .retransmitted = 2};
	server->n = (struct sn_tcp_counters){.syn = 1, .ack = 12, .rst = 1, .data = 7};
	client->rtt = (struct sn_tcp_rtt){
		.sum_us = 600, .sum2_us = 140000, .min_us = 100, .max_us = 300, .count = 3};
	client->has_push = true;
	test->tcp.tcp.flags = 0xff;
	client->ttl_min = 63;
	client->ttl_max = 64;
	server->ttl_min = server->ttl_max = 55;
	test->tcp.tcp.trouble = test->trouble;
	test->trouble[SN_CLIENT].anomalies[SN_TCP_FAST] = 2;
	server->window_max = 65536;
	test->tcp.tcp.syn_ns = START_NS;
	test->tcp.tcp.synack_ns = START_NS + 20 * SN_NS_PER_MS;
	test->tcp.tcp.handshake_ns = START_NS + 21 * SN_NS_PER_MS;
}

void ipfix_test_view_udp(struct ipfix_test_view *test)
{
	init(test, SN_PROTO_UDP);
	test->view.application = "quic";
	test->view.end = SN_END_IDLE;
	test->udp.app = &test->app_udp;
	test->app_udp.quic_version[SN_CLIENT] = 1;
	test->udp.side[SN_CLIENT].first_ns = START_NS;
	test->udp.side[SN_CLIENT].last_ns = START_NS + 1500 * SN_NS_PER_MS;
	test->udp.side[SN_SERVER].first_ns = START_NS + 30 * SN_NS_PER_MS;
	test->udp.side[SN_SERVER].last_ns = START_NS + 1400 * SN_NS_PER_MS;
}

void ipfix_test_view_icmp(struct ipfix_test_view *test, uint8_t family)
{
	init(test, family == 4 ? SN_PROTO_ICMP : SN_PROTO_ICMP6);
	test->view.client_port = 77;
	test->view.server_port = (family == 4 ? 8 : 128) << 8;
	if (family == 4)
		return;
	test->flow.key.family = 6;
	set_address(&test->view.client, 6, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	set_address(&test->view.server, 6, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2");
}

/* Random ones ----------------------------------------------------------------- */

static uint64_t below(struct sn_prng *prng, uint64_t limit)
{
	return sn_prng_u64(prng) % limit;
}

/* Small, middling and huge numbers alike. */
static uint64_t any_number(struct sn_prng *prng)
{
	return sn_prng_u64(prng) >> below(prng, 64);
}

static void fill(struct sn_prng *prng, void *out, size_t size)
{
	unsigned char *p = out;

	while (size-- > 0)
		*p++ = (unsigned char)sn_prng_u64(prng);
}

/* Empty, a name, or whatever bytes a peer may send. */
static struct sn_str any_text(struct sn_prng *prng, char *room, size_t size)
{
	size_t length = below(prng, 3) == 0 ? 0 : below(prng, below(prng, 2) ? 40 : size + 1);

	fill(prng, room, length);
	if (below(prng, 2) == 0)
		for (size_t i = 0; i < length; i++)
			room[i] = (char)('a' + (unsigned char)room[i] % 26);
	return (struct sn_str){room, length};
}

static void any_address(struct sn_prng *prng, struct sn_view_address *address, uint8_t family)
{
	fill(prng, address->ip, sizeof(address->ip));
	address->family = below(prng, 5) == 0 ? 0 : family;
	address->internal = below(prng, 2) != 0;
	address->asn = below(prng, 2) != 0 ? (uint32_t)any_number(prng) : 0;
	if (below(prng, 3) == 0)
		memcpy(address->country, "IT", 3);
}

static void any_tcp(struct sn_prng *prng, struct ipfix_test_view *test)
{
	fill(prng, &test->tcp.tcp, sizeof(test->tcp.tcp));
	fill(prng, test->trouble, sizeof(test->trouble));
	test->tcp.tcp.trouble = below(prng, 2) != 0 ? test->trouble : NULL;
	for (unsigned side = 0; side < 2; side++) {
		struct sn_tcp_side *s = &test->tcp.tcp.side[side];

		/* Bools must be bools; sums are finite. */
		s->has_scale = s->has_timestamps = s->has_sack = s->has_syn = s->has_fin =
			s->has_ack = s->odd_repeat = false;
		s->rtt.sum_us = sn_prng_unit(prng) * 1e12;
		s->rtt.sum2_us = sn_prng_unit(prng) * 1e20;
	}
	/* Times are those of a flow, though in any order. */
	test->tcp.tcp.syn_ns = START_NS + (int64_t)below(prng, 1ULL << 60);
	test->tcp.tcp.synack_ns = START_NS + (int64_t)below(prng, 1ULL << 60);
	test->tcp.tcp.handshake_ns = below(prng, 2) * START_NS;
	test->tcp.app = below(prng, 2) != 0 ? &test->app_tcp : NULL;
	test->app_tcp.tls_version = (uint16_t)any_number(prng);
}

static void any_udp(struct sn_prng *prng, struct ipfix_test_view *test)
{
	fill(prng, test->udp.side, sizeof(test->udp.side));
	test->udp.app = below(prng, 2) != 0 ? &test->app_udp : NULL;
	test->app_udp.quic_version[SN_CLIENT] = (uint32_t)any_number(prng);
}

void ipfix_test_view_random(struct ipfix_test_view *test, struct sn_prng *prng)
{
	static const uint8_t protocols[] = {SN_PROTO_TCP, SN_PROTO_TCP,  SN_PROTO_UDP,
					    SN_PROTO_UDP, SN_PROTO_ICMP, SN_PROTO_ICMP6};
	static const char *const words[] = {"", "tls", "http", "dns", "quic"};
	struct sn_str *texts[IPFIX_TEST_TEXTS] = {&test->view.fqdn,
						  &test->view.server_name,
						  &test->view.http_host,
						  &test->view.tls_certificate_name,
						  &test->view.tls_server_name,
						  &test->view.quic_server_name};
	uint8_t family = below(prng, 2) != 0 ? 4 : 6;

	init(test, protocols[below(prng, SN_COUNT(protocols))]);
	test->flow.source = (uint16_t)any_number(prng);
	test->flow.mid_stream = below(prng, 2) != 0;
	test->flow.first_ns = (int64_t)sn_prng_u64(prng) / 2;
	test->flow.last_ns = (int64_t)sn_prng_u64(prng) / 2;
	test->view.end = (enum sn_flow_end)below(prng, SN_END_END + 1);
	test->view.interface = below(prng, 4) != 0 ? "eth\xff 1" : NULL;
	test->view.application = words[below(prng, SN_COUNT(words))];
	test->view.client_port = (uint16_t)any_number(prng);
	test->view.server_port = (uint16_t)any_number(prng);
	test->view.period_first_ns = below(prng, 2) ? test->flow.first_ns : START_NS;
	for (unsigned side = 0; side < 2; side++)
		test->view.period[side] = (struct sn_flow_side){any_number(prng) - 1,
								any_number(prng), any_number(prng)};
	any_address(prng, &test->view.client, family);
	any_address(prng, &test->view.server, family);
	for (unsigned i = 0; i < IPFIX_TEST_TEXTS; i++)
		*texts[i] = any_text(prng, test->texts[i], sizeof(test->texts[i]));
	if (below(prng, 2) != 0)
		strcpy(test->view.community_id, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	if (test->flow.key.protocol == SN_PROTO_TCP)
		any_tcp(prng, test);
	else if (test->flow.key.protocol == SN_PROTO_UDP)
		any_udp(prng, test);
}
