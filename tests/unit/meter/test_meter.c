/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <time.h>

#include "meter/app/names.h"
#include "meter/meter.h"
#include "packets.h"

#define S  SN_NS_PER_S
#define T0 (1700000000 * S)
#define A  "192.0.2.1"
#define B  "192.0.2.2"

enum { SYN = SN_TCP_SYN, ACK = SN_TCP_ACK, FIN = SN_TCP_FIN, RST = SN_TCP_RST };

static struct {
	union {
		struct sn_tcp_flow flow;
		struct sn_udp_flow udp;
	};
	struct sn_flow_side period[2];
	int64_t since_ns;
	enum sn_flow_end end;
} reports[4096];
static size_t report_count;
static struct sn_meter *meter;

static void keep(const struct sn_flow *flow, enum sn_flow_end end, void *ctx SN_UNUSED)
{
	assert_true(report_count < SN_COUNT(reports));
	if (flow->key.protocol == SN_PROTO_TCP)
		reports[report_count].flow = *(const struct sn_tcp_flow *)(const void *)flow;
	else if (flow->key.protocol == SN_PROTO_UDP)
		reports[report_count].udp = *(const struct sn_udp_flow *)(const void *)flow;
	else
		reports[report_count].flow.flow = *flow;
	for (unsigned side = 0; side < 2; side++)
		reports[report_count].period[side] = sn_flow_period(flow, side);
	reports[report_count].since_ns = sn_flow_period_first_ns(flow);
	reports[report_count++].end = end;
}

static const struct sn_flow *reported(size_t i)
{
	assert_true(i < report_count);
	return &reports[i].flow.flow;
}

static void start(int64_t idle_ns, int64_t active_ns, size_t max_flows)
{
	struct sn_meter_options options;

	report_count = 0;
	sn_meter_options_default(&options);
	options.tcp_idle_ns = options.udp_idle_ns = idle_ns;
	options.tcp_singleton_ns = options.udp_singleton_ns = idle_ns;
	options.active_ns = active_ns;
	options.max_flows = max_flows;
	meter = sn_meter_create(&options, keep, NULL);
}

static int stop(void **state SN_UNUSED)
{
	sn_meter_destroy(meter);
	meter = NULL;
	return 0;
}

static void give(struct frame f, int64_t time_ns)
{
	struct sn_packet packet;

	f.time_ns = time_ns;
	packet = frame_packet(&f);
	sn_meter_packets(meter, DLT_EN10MB, &packet, 1, 0);
}

static void give_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport,
		     int64_t time_ns)
{
	give(udp_frame(src, sport, dst, dport, 100), time_ns);
}

static void give_tcp(bool from_a, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload,
		     int64_t time_ns)
{
	give(exchange_frame(from_a, 80, flags, seq, ack, payload), time_ns);
}

/* A whole connection of seven segments, ends at T0 + 60 ms. */
static void give_connection(void)
{
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_tcp(false, SYN | ACK, 20, 11, 0, T0 + 10 * SN_NS_PER_MS);
	give_tcp(true, ACK, 11, 21, 0, T0 + 20 * SN_NS_PER_MS);
	give_tcp(true, ACK, 11, 21, 500, T0 + 30 * SN_NS_PER_MS);
	give_tcp(false, FIN | ACK, 21, 511, 70, T0 + 40 * SN_NS_PER_MS);
	give_tcp(true, FIN | ACK, 511, 92, 0, T0 + 50 * SN_NS_PER_MS);
	give_tcp(false, ACK, 92, 512, 0, T0 + 60 * SN_NS_PER_MS);
}

static void both_directions_are_counted_apart(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_udp(A, 1000, B, 53, T0);
	give_udp(B, 53, A, 1000, T0 + 1);
	give_udp(B, 53, A, 1000, T0 + 2);
	sn_meter_flush(meter);

	const struct sn_flow *flow = reported(0);

	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_END);
	assert_int_equal(flow->side[SN_CLIENT].packets, 1);
	assert_int_equal(flow->side[SN_SERVER].packets, 2);
	assert_int_equal(flow->side[SN_CLIENT].bytes, 128);
	assert_int_equal(flow->side[SN_SERVER].bytes, 256);
	assert_int_equal(flow->side[SN_SERVER].payload, 200);
	assert_true(flow->first_ns == T0 && flow->last_ns == T0 + 2);
}

static void the_first_packet_makes_the_client_whatever_its_address(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_udp(B, 53, A, 1000, T0);
	give_udp(A, 1000, B, 53, T0 + 1);
	give_udp(A, 1000, B, 53, T0 + 2);
	sn_meter_flush(meter);
	assert_int_equal(reported(0)->side[SN_CLIENT].packets, 1);
	assert_int_equal(reported(0)->side[SN_SERVER].packets, 2);
}

static void who_answers_first_is_still_the_server(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_tcp(false, SYN | ACK, 20, 11, 0, T0);
	give(icmp_frame(B, A, 0, 0, 7, 10), T0);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(reported(i)->side[SN_CLIENT].packets, 0);
		assert_int_equal(reported(i)->side[SN_SERVER].packets, 1);
	}
}

static void echo_and_reply_are_one_flow(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give(icmp_frame(A, B, 8, 0, 7, 56), T0);
	give(icmp_frame(B, A, 0, 0, 7, 56), T0 + 1);
	give(icmp_frame(A, B, 8, 0, 8, 56), T0 + 2);
	give(icmp_frame("2001:db8::1", "2001:db8::1", 128, 0, 7, 56), T0 + 3);
	give(icmp_frame("2001:db8::1", "2001:db8::1", 129, 0, 7, 56), T0 + 4);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 3);
	assert_int_equal(reported(0)->side[SN_SERVER].packets, 1);
	assert_int_equal(reported(1)->side[SN_SERVER].packets, 0);
	assert_int_equal(reported(2)->side[SN_CLIENT].packets, 1);
	assert_int_equal(reported(2)->side[SN_SERVER].packets, 1);
}

static uint64_t late_packets(void)
{
	struct sn_meter_stats stats;

	sn_meter_read_stats(meter, &stats);
	return stats.skipped[SN_SKIP_LATE].packets;
}

static void a_closed_connection_is_reported_at_once(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_connection();
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_CLOSED);
	give_tcp(false, FIN | ACK, 21, 511, 70, T0 + S); /* late copy */
	give_tcp(true, RST, 512, 0, 0, T0 + S);
	give_udp(A, 1, B, 2, T0 + 3 * S);
	assert_int_equal(report_count, 1);
	assert_int_equal(late_packets(), 2);
	assert_int_equal(reported(0)->side[SN_CLIENT].packets, 4);
	assert_int_equal(reported(0)->side[SN_SERVER].packets, 3);
	assert_int_equal(reported(0)->side[SN_SERVER].payload, 70);
	assert_int_equal(sn_tcp_handshake_rtt(&reports[0].flow.tcp), 20 * SN_NS_PER_MS);
	assert_false(reports[0].flow.tcp.reset);
}

static void a_segment_after_the_linger_is_another_flow(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_connection();
	give_tcp(false, ACK, 92, 512, 0, T0 + 60 * SN_NS_PER_MS + SN_METER_LINGER_NS);
	give_tcp(false, ACK, 92, 512, 0, T0 + 61 * SN_NS_PER_MS + SN_METER_LINGER_NS);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 2);
	assert_int_equal(late_packets(), 1);
	assert_int_equal(sn_flow_packets(reported(1)), 1);
	assert_true(reported(1)->mid_stream);
	assert_false(reported(0)->mid_stream);
}

static void a_new_syn_on_the_same_ports_is_another_flow_at_once(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_connection();
	give_tcp(true, SYN, 7000, 0, 0, T0 + 70 * SN_NS_PER_MS);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 2);
	assert_int_equal(reports[1].end, SN_END_END);
	assert_int_equal(late_packets(), 0);
}

static void a_syn_ends_what_began_in_the_middle(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_tcp(true, ACK, 500, 600, 10, T0);
	give_tcp(true, SYN, 7000, 0, 0, T0 + S);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_CLOSED);
	assert_true(reported(0)->mid_stream);
	sn_meter_flush(meter);
	assert_false(reported(1)->mid_stream);
}

static void a_second_syn_of_an_open_connection_is_part_of_it(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_tcp(true, SYN, 7000, 0, 0, T0 + S);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 1);
	assert_int_equal(sn_flow_packets(reported(0)), 2);
}

static void give_ports(const char *src, uint16_t sport, const char *dst, uint16_t dport,
		       uint8_t flags, uint16_t payload)
{
	struct segment segment = {
		.sport = sport, .dport = dport, .seq = 1, .flags = flags, .payload = payload};

	give(tcp_frame(src, dst, &segment), T0);
}

/* Client and its port of the only flow. */
static void expect_client(bool is_a, uint16_t port)
{
	sn_meter_flush(meter);
	assert_int_equal(report_count, 1);
	assert_int_equal(sn_flow_port(reported(0), SN_CLIENT), port);
	assert_int_equal(reported(0)->client_is_high, !is_a);
	report_count = 0;
}

static void in_the_middle_the_server_has_the_lower_port(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_ports(B, 443, A, 50000, ACK, 100);
	expect_client(true, 50000);
	give_ports(A, 443, B, 50000, ACK, 100);
	expect_client(false, 50000);
	give_ports(A, 50000, B, 443, ACK, 100);
	expect_client(true, 50000);
	give_ports(B, 8080, A, 8081, RST | ACK, 0);
	expect_client(true, 8081);
	/* Nobody knows better than the first packet. */
	give_ports(B, 179, A, 179, ACK, 19);
	expect_client(false, 179);
	give_ports(B, 40000, A, 50000, ACK, 100);
	expect_client(false, 40000);
	/* A SYN tells. */
	give_ports(A, 20, B, 50000, SYN, 0);
	expect_client(true, 20);
	give_ports(B, 50000, A, 20, SYN | ACK, 0);
	expect_client(true, 20);
}

static void what_goes_on_in_the_middle_keeps_its_client(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_ports(B, 20, A, 50000, SYN, 0);
	give_ports(B, 20, A, 50000, ACK, 100);
	assert_int_equal(report_count, 1);
	assert_false(reported(0)->mid_stream);
	report_count = 0;
	expect_client(false, 20);
}

static void half_a_connection_goes_on_as_one_begun_in_the_middle(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_tcp(true, ACK, 11, 21, 0, T0 + 1);
	give_tcp(true, ACK, 11, 21, 100, T0 + 2);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_CLOSED);
	assert_int_equal(sn_flow_packets(reported(0)), 2);
	give_tcp(true, ACK, 111, 21, 100, T0 + 3);
	give_tcp(true, FIN | ACK, 211, 21, 0, T0 + 4);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 2);
	assert_int_equal(sn_flow_packets(reported(1)), 3);
	assert_true(reported(1)->mid_stream);
	assert_int_equal(late_packets(), 0);
}

static void a_reset_that_its_sender_ignores_was_forged(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_tcp(false, SYN | ACK, 20, 11, 0, T0 + 1);
	give_tcp(false, RST, 21, 0, 0, T0 + 2);
	assert_int_equal(report_count, 1);
	give_tcp(true, ACK, 11, 21, 100, T0 + 3); /* on its way before the reset arrived */
	assert_int_equal(late_packets(), 1);
	give_tcp(false, ACK, 21, 111, 300, T0 + 4);
	give_tcp(true, ACK, 111, 321, 100, T0 + 5);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 2);
	assert_int_equal(sn_flow_packets(reported(1)), 2);
	assert_true(reported(1)->mid_stream);
}

static void unanswered_syns_and_single_datagrams_go_early(void **state SN_UNUSED)
{
	struct sn_meter_options options;

	report_count = 0;
	sn_meter_options_default(&options);
	meter = sn_meter_create(&options, keep, NULL);
	give_tcp(true, SYN, 10, 0, 0, T0);
	give_udp(A, 1, B, 2, T0);
	give_udp(A, 3, B, 4, T0);
	give_udp(A, 3, B, 4, T0);
	give(icmp_frame(A, B, 8, 0, 7, 56), T0);
	sn_meter_advance(meter, T0 + 11 * S);
	assert_int_equal(report_count, 2);
	sn_meter_advance(meter, T0 + 199 * S);
	assert_int_equal(report_count, 2);
	sn_meter_advance(meter, T0 + 201 * S);
	assert_int_equal(report_count, 4);
	give_tcp(true, SYN, 10, 0, 0, T0 + 201 * S);
	give_tcp(false, SYN | ACK, 20, 11, 0, T0 + 202 * S);
	sn_meter_advance(meter, T0 + 500 * S);
	assert_int_equal(report_count, 4);
	sn_meter_advance(meter, T0 + 503 * S);
	assert_int_equal(report_count, 5);
	assert_int_equal(reports[4].end, SN_END_IDLE);
}

static void datagrams_are_timed_per_direction(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_udp(A, 1, B, 2, T0);
	give_udp(B, 2, A, 1, T0 + 5);
	give_udp(B, 2, A, 1, T0 + 9);
	give_udp(A, 1, B, 2, T0 + 7);
	sn_meter_flush(meter);
	assert_true(reports[0].udp.side[SN_CLIENT].first_ns == T0);
	assert_true(reports[0].udp.side[SN_CLIENT].last_ns == T0 + 7);
	assert_true(reports[0].udp.side[SN_SERVER].first_ns == T0 + 5);
	assert_true(reports[0].udp.side[SN_SERVER].last_ns == T0 + 9);
	assert_int_equal(reports[0].udp.side[SN_SERVER].bytes, 200);
}

static void silence_longer_than_the_idle_timeout_ends_a_flow(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_udp(A, 1, B, 2, T0);
	give_udp(A, 1, B, 2, T0 + 10 * S);
	give_udp(A, 3, B, 4, T0 + 20 * S);
	assert_int_equal(report_count, 0);
	give_udp(A, 5, B, 6, T0 + 21 * S);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_IDLE);
	assert_int_equal(sn_flow_packets(reported(0)), 2);
	give_udp(A, 1, B, 2, T0 + 22 * S);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 4);
}

/* As with Tstat, which looks for idle flows when another begins. */
static void silence_that_nobody_noticed_does_not_end_it_at_once(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_udp(A, 1, B, 2, T0);
	give_udp(A, 1, B, 2, T0 + 20 * S);
	assert_int_equal(report_count, 0);
	give_udp(A, 1, B, 2, T0 + 40 * S + 1);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_IDLE);
	assert_int_equal(sn_flow_packets(reported(0)), 2);
}

static void a_quiet_link_reports_by_the_given_time(void **state SN_UNUSED)
{
	start(10 * S, 0, 100);
	give_udp(A, 1, B, 2, T0);
	sn_meter_advance(meter, T0 + 9 * S);
	assert_int_equal(report_count, 0);
	sn_meter_advance(meter, T0 + 11 * S);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_IDLE);
}

static void the_active_timeout_splits_without_losing_anything(void **state SN_UNUSED)
{
	uint64_t packets = 0;

	start(10 * S, 5 * S, 100);
	for (int i = 0; i < 130; i++)
		give_udp(A, 1, B, 2, T0 + i * S / 10);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 3);
	assert_int_equal(reports[0].end, SN_END_ACTIVE);
	assert_int_equal(reports[1].end, SN_END_ACTIVE);
	assert_int_equal(reports[2].end, SN_END_END);
	for (size_t i = 0; i < report_count; i++)
		packets += reports[i].period[SN_CLIENT].packets;
	assert_int_equal(packets, 130);
	assert_int_equal(sn_flow_packets(reported(2)), 130);
	assert_true(reported(2)->first_ns == T0);
	assert_true(reports[0].since_ns == T0);
	assert_true(reported(0)->last_ns < reports[1].since_ns);
	assert_in_range(reported(0)->last_ns - reported(0)->first_ns, 4 * S, 5 * S);
}

static void a_period_without_packets_gives_no_interim_report(void **state SN_UNUSED)
{
	start(60 * S, 5 * S, 100);
	give_udp(A, 1, B, 2, T0);
	for (int i = 1; i < 50; i++)
		sn_meter_advance(meter, T0 + i * S);
	assert_int_equal(report_count, 1);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 2);
	assert_int_equal(reports[1].end, SN_END_END);
	assert_int_equal(sn_flow_packets(reported(1)), 1);
	assert_int_equal(reports[1].period[SN_CLIENT].packets, 0);
}

static void a_full_table_lets_the_longest_idle_go(void **state SN_UNUSED)
{
	start(1000 * S, 0, 3);
	give_udp(A, 1, B, 9, T0);
	give_udp(A, 2, B, 9, T0 + S);
	give_udp(A, 3, B, 9, T0 + 2 * S);
	give_udp(A, 1, B, 9, T0 + 3 * S); /* not idle any more */
	give_udp(A, 4, B, 9, T0 + 4 * S);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_FULL);
	assert_true(reported(0)->first_ns == T0 + S);
}

static void a_full_table_forgets_ended_connections_first(void **state SN_UNUSED)
{
	struct sn_meter_stats stats;

	start(1000 * S, 0, 2);
	give_udp(A, 1, B, 9, T0 - S);
	give_connection();
	give_udp(A, 2, B, 9, T0 + S);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_CLOSED);
	sn_meter_read_stats(meter, &stats);
	assert_int_equal(stats.evictions, 0);
}

static void the_limit_of_flows_holds_under_a_flood(void **state SN_UNUSED)
{
	struct sn_meter_stats stats;

	start(1000 * S, 0, 100);
	for (uint16_t port = 1; port <= 3000; port++)
		give_udp(A, port, B, 9, T0 + port);
	sn_meter_read_stats(meter, &stats);
	assert_int_equal(stats.flows, 100);
	assert_int_equal(stats.flows_peak, 100);
	assert_int_equal(stats.evictions, 2900);
	sn_meter_flush(meter);
	assert_int_equal(report_count, 3000);
}

static double cpu_seconds(void)
{
	return (double)test_cpu_ns() / 1e9;
}

static void jumps_of_years_cost_as_much_as_microseconds(void **state SN_UNUSED)
{
	enum { JUMPS = 2000 };
	double begin = cpu_seconds();

	start(10 * S, 5 * S, 1000);
	for (int64_t i = 0; i < JUMPS; i++)
		give_udp(A, 1, B, 2, i * 40 * 86400 * S); /* over more than two centuries */
	assert_int_equal(report_count, JUMPS - 1);
	assert_true(cpu_seconds() - begin < 0.5);
}

static void small_steps_back_are_reordering(void **state SN_UNUSED)
{
	struct sn_meter_stats stats;

	start(10 * S, 0, 100);
	give_udp(A, 1, B, 2, T0 + 5 * S);
	give_udp(A, 1, B, 2, T0);
	give_udp(A, 1, B, 2, T0 + 3 * S);
	sn_meter_flush(meter);
	sn_meter_read_stats(meter, &stats);
	assert_int_equal(report_count, 1);
	assert_true(reported(0)->first_ns == T0);
	assert_true(reported(0)->last_ns == T0 + 5 * S);
	assert_int_equal(stats.clock_steps, 0);
	assert_true(stats.first_ns == T0 && stats.last_ns == T0 + 5 * S);
}

static void a_large_step_back_ends_the_time_line(void **state SN_UNUSED)
{
	struct sn_meter_stats stats;

	start(10 * S, 5 * S, 100);
	give_udp(A, 1, B, 2, T0);
	give_udp(A, 1, B, 2, T0 - 3600 * S);
	assert_int_equal(report_count, 1);
	assert_int_equal(reports[0].end, SN_END_END);
	give_udp(A, 1, B, 2, T0 - 3599 * S);
	sn_meter_flush(meter);
	sn_meter_read_stats(meter, &stats);
	assert_int_equal(report_count, 2);
	assert_int_equal(sn_flow_packets(reported(1)), 2);
	assert_int_equal(stats.clock_steps, 1);
}

static void give_fragment(uint16_t id, uint16_t field, uint16_t payload, int64_t time_ns)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, A, B, SN_PROTO_UDP, id, field);
	if ((field & 0x1fff) == 0)
		put_udp(&f, 5, 6, payload);
	else
		put_zeros(&f, payload);
	frame_seal(&f);
	give(f, time_ns);
}

static void later_fragments_count_to_the_flow_of_the_first(void **state SN_UNUSED)
{
	struct sn_meter_stats stats;

	start(10 * S, 0, 100);
	give_fragment(1, 0x2000, 1000, T0);
	give_fragment(1, 126, 500, T0 + 1);
	give_fragment(2, 126, 500, T0 + 2); /* its first was not seen */
	sn_meter_flush(meter);
	sn_meter_read_stats(meter, &stats);
	assert_int_equal(report_count, 1);
	assert_int_equal(reported(0)->side[SN_CLIENT].packets, 2);
	assert_int_equal(reported(0)->side[SN_CLIENT].payload, 1500);
	assert_int_equal(reported(0)->side[SN_CLIENT].bytes, 20 + 8 + 1000 + 20 + 500);
	assert_int_equal(stats.skipped[SN_SKIP_FRAGMENT].packets, 1);
}

static void every_packet_is_in_a_flow_or_has_a_reason(void **state SN_UNUSED)
{
	struct frame arp = {.n = 0};
	struct sn_meter_stats stats;

	start(10 * S, 0, 100);
	put_ethernet(&arp, 0x0806);
	put_zeros(&arp, 28);
	give(arp, T0);
	give_udp(A, 1, B, 2, T0);
	give_connection();
	sn_meter_flush(meter);
	sn_meter_read_stats(meter, &stats);
	assert_int_equal(stats.all.packets, 9);
	assert_int_equal(stats.skipped[SN_SKIP_NOT_IP].packets, 1);
	assert_int_equal(stats.skipped[SN_SKIP_NOT_IP].bytes, 42);
	assert_int_equal(sn_flow_packets(reported(0)) + sn_flow_packets(reported(1)), 8);
}

/* The same packets one by one and many at a time give the same flows. */
static void batches_change_nothing(void **state SN_UNUSED)
{
	enum { COUNT = 100 };
	static struct frame frames[COUNT];
	struct sn_packet packets[COUNT];
	size_t alone;

	for (uint16_t i = 0; i < COUNT; i++) {
		frames[i] = udp_frame(A, i % 7, B, 9, i);
		frames[i].time_ns = T0 + i * S;
		packets[i] = frame_packet(&frames[i]);
	}
	start(3 * S, 0, 4);
	for (size_t i = 0; i < COUNT; i++)
		sn_meter_packets(meter, DLT_EN10MB, &packets[i], 1, 0);
	sn_meter_flush(meter);
	alone = report_count;
	stop(NULL);
	start(3 * S, 0, 4);
	sn_meter_packets(meter, DLT_EN10MB, packets, COUNT, 0);
	sn_meter_flush(meter);
	assert_int_equal(report_count, alone);
}

/* Whether a flow of T0 has the name of an answer that is read behind its packet. */
static bool is_named(bool late, int64_t answered_ns)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 16);
	struct sn_dns_cache *cache = sn_dns_cache_create(names, 10);
	struct sn_dns_hit facts = {.answered_ns = answered_ns};
	struct sn_meter_options options;
	bool named;

	report_count = 0;
	sn_meter_options_default(&options);
	options.dns_cache = cache;
	options.names_late = late;
	meter = sn_meter_create(&options, keep, NULL);
	give_udp(A, 1000, B, 2000, T0);
	sn_meter_flush(meter); /* tells how the addresses are written */
	give_udp(A, 1000, B, 2000, T0);
	sn_dns_cache_add(cache, sn_flow_address(reported(0), SN_CLIENT),
			 sn_flow_address(reported(0), SN_SERVER), sn_str("example.org"), &facts);
	sn_meter_flush(meter);
	named = reported(1)->name != NULL;
	stop(NULL);
	sn_dns_cache_destroy(cache);
	sn_name_pool_destroy(names);
	return named;
}

static void a_name_that_another_worker_reads_late_is_told_at_the_end(void **state SN_UNUSED)
{
	assert_true(is_named(true, T0 - S));
	assert_false(is_named(true, T0 + S)); /* then it was not yet known to the client */
	assert_false(is_named(false, T0 - S));
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_directions_are_counted_apart),
		TEST(the_first_packet_makes_the_client_whatever_its_address),
		TEST(in_the_middle_the_server_has_the_lower_port),
		TEST(what_goes_on_in_the_middle_keeps_its_client),
		TEST(who_answers_first_is_still_the_server),
		TEST(echo_and_reply_are_one_flow),
		TEST(a_closed_connection_is_reported_at_once),
		TEST(a_segment_after_the_linger_is_another_flow),
		TEST(a_new_syn_on_the_same_ports_is_another_flow_at_once),
		TEST(a_syn_ends_what_began_in_the_middle),
		TEST(a_second_syn_of_an_open_connection_is_part_of_it),
		TEST(half_a_connection_goes_on_as_one_begun_in_the_middle),
		TEST(a_reset_that_its_sender_ignores_was_forged),
		TEST(unanswered_syns_and_single_datagrams_go_early),
		TEST(datagrams_are_timed_per_direction),
		TEST(silence_longer_than_the_idle_timeout_ends_a_flow),
		TEST(silence_that_nobody_noticed_does_not_end_it_at_once),
		TEST(a_quiet_link_reports_by_the_given_time),
		TEST(the_active_timeout_splits_without_losing_anything),
		TEST(a_period_without_packets_gives_no_interim_report),
		TEST(a_full_table_lets_the_longest_idle_go),
		TEST(a_full_table_forgets_ended_connections_first),
		TEST(the_limit_of_flows_holds_under_a_flood),
		TEST(jumps_of_years_cost_as_much_as_microseconds),
		TEST(small_steps_back_are_reordering),
		TEST(a_large_step_back_ends_the_time_line),
		TEST(later_fragments_count_to_the_flow_of_the_first),
		TEST(every_packet_is_in_a_flow_or_has_a_reason),
		TEST(batches_change_nothing),
		TEST(a_name_that_another_worker_reads_late_is_told_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
