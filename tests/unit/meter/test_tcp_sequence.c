/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a side sends and how it is acknowledged: round trips, losses and their
 * classes, windows, bytes in flight, messages; and how much of it is remembered.
 */
#include "lib/test.h"

#include <string.h>

#include "base/rand.h"
#include "meter/tcp/tcp.h"

#define MS SN_NS_PER_MS
#define T0 (1700000000 * SN_NS_PER_S)

enum { C, S };
enum { SYN = SN_TCP_SYN, ACK = SN_TCP_ACK, FIN = SN_TCP_FIN, RST = SN_TCP_RST, PSH = SN_TCP_PSH };

static struct sn_tcp tcp;
static struct sn_segment_pool pool;
static struct sn_tcp_verdict verdict;
static uint16_t next_id;

/* Client ISN 1000, server ISN 5000; each segment has an IP identification of its own. */
static struct sn_decoded segment(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t payload)
{
	return (struct sn_decoded){
		.tcp_flags = flags,
		.tcp_seq = seq,
		.tcp_ack = ack,
		.payload_bytes = payload,
		.tcp_window = 1000,
		.ttl = 64,
		.has_ip_id = true,
		.ip_id = next_id++,
	};
}

static void update(unsigned side, int64_t time_ms, const struct sn_decoded *packet)
{
	sn_tcp_update(&tcp, &pool, packet, side, T0 + time_ms * MS, &verdict);
}

static void give(unsigned side, int64_t time_ms, uint8_t flags, uint32_t seq, uint32_t ack,
		 uint32_t payload)
{
	struct sn_decoded packet = segment(flags, seq, ack, payload);

	update(side, time_ms, &packet);
}

static void data(int64_t time_ms, uint32_t seq, uint32_t payload)
{
	give(C, time_ms, ACK, seq, 5001, payload);
}

static void acknowledge(int64_t time_ms, uint32_t ack)
{
	give(S, time_ms, ACK, 5001, ack, 0);
}

static int start(void **state SN_UNUSED)
{
	tcp = (struct sn_tcp){0};
	next_id = 1;
	sn_segment_pool_init(&pool, 0);
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	sn_tcp_forget(&tcp, &pool);
	assert_int_equal(pool.slab.used, 0);
	sn_segment_pool_finish(&pool);
	return 0;
}

/* Both round trips have a sample of 40 and 10 ms afterwards; it ends at 50 ms. */
static void handshake(void)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(S, 40, SYN | ACK, 5000, 1001, 0);
	give(C, 50, ACK, 1001, 5001, 0);
}

static const struct sn_tcp_side *client(void)
{
	return &tcp.side[C];
}

static uint32_t classes(void)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < SN_TCP_ANOMALIES; i++)
		sum += sn_tcp_trouble(&tcp, C)->anomalies[i];
	return sum;
}

static void expect_one(enum sn_tcp_anomaly anomaly)
{
	assert_int_equal(verdict.anomaly, anomaly);
	assert_int_equal(sn_tcp_trouble(&tcp, C)->anomalies[anomaly], 1);
	assert_int_equal(classes(), 1);
}

/* Round trips --------------------------------------------------------------- */

static void an_exact_acknowledgement_is_a_round_trip(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 500);
	acknowledge(130, 1501);
	data(200, 1501, 500);
	acknowledge(250, 2001);
	assert_int_equal(client()->rtt.count, 3);
	assert_int_equal(client()->rtt.min_us, 30000);
	assert_int_equal(client()->rtt.max_us, 50000);
	assert_true(client()->rtt.sum_us == 120000);
	assert_int_equal(tcp.side[S].rtt.count, 1);
	assert_int_equal(tcp.side[S].rtt.min_us, 10000);
}

static void segments_covered_together_are_one_round_trip(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1101, 100);
	data(102, 1201, 100);
	acknowledge(142, 1301);
	assert_int_equal(client()->rtt.count, 2);
	assert_true(client()->rtt.sum_us == 80000);
	data(200, 1301, 100);
	acknowledge(230, 1350); /* in the middle of it */
	acknowledge(231, 1401);
	assert_int_equal(client()->rtt.count, 3);
}

static void what_was_sent_twice_is_no_round_trip(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(700, 1001, 100);
	acknowledge(740, 1101);
	assert_int_equal(client()->rtt.count, 1);
}

static void what_waited_for_something_sent_again_is_none(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1101, 100);
	data(700, 1001, 100); /* the acknowledgement waits for this one */
	acknowledge(740, 1201);
	assert_int_equal(client()->rtt.count, 1);
	data(800, 1201, 100);
	acknowledge(840, 1301);
	assert_int_equal(client()->rtt.count, 2);
}

static void a_syn_that_waits_for_its_answer_costs_no_memory(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 0);
	assert_int_equal(pool.slab.used, 0);
	give(S, 40, SYN | ACK, 5000, 1001, 0);
	assert_int_equal(client()->rtt.count, 1);
	assert_int_equal(client()->rtt.min_us, 40000);
}

static void a_repeated_syn_is_retransmitted_without_bytes(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(C, 1000, SYN, 1000, 0, 0);
	expect_one(SN_TCP_RTO);
	give(S, 1040, SYN | ACK, 5000, 1001, 0);
	assert_int_equal(client()->n.retransmitted, 1);
	assert_int_equal(client()->n.retransmitted_bytes, 0);
	assert_int_equal(client()->rtt.count, 0);
}

/* Losses ---------------------------------------------------------------------- */

static void overlaps_are_told_apart_byte_by_byte(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1201, 100); /* a hole of 100 */
	data(102, 1051, 200); /* 50 again, the hole, 50 again */
	assert_int_equal(client()->n.unique_bytes, 300);
	assert_int_equal(client()->n.retransmitted_bytes, 100);
	assert_int_equal(client()->n.retransmitted, 1);
	assert_int_equal(client()->n.out_of_order, 0);
	assert_int_equal(verdict.fresh, 100);
	assert_false(verdict.in_order);
	data(103, 1251, 100); /* 50 again and 50 new */
	assert_int_equal(client()->n.unique_bytes, 350);
	assert_int_equal(client()->next, 1351);
}

/* Any segments in any order, beside a plain list of bytes. */
static void bytes_agree_with_a_plain_map(void **state SN_UNUSED)
{
	enum { SPACE = 2000, STEPS = 400 };
	bool seen[SPACE + 64] = {false};
	uint64_t unique = 0, repeated = 0;
	struct sn_prng prng;

	sn_prng_seed(&prng, 7);
	handshake();
	data(60, 1001, 1);
	seen[0] = true;
	unique = 1;
	for (int step = 0; step < STEPS; step++) {
		uint32_t at = (uint32_t)(sn_prng_u64(&prng) % SPACE);
		uint32_t size = 1 + (uint32_t)(sn_prng_u64(&prng) % 50);

		for (uint32_t i = at; i < at + size; i++) {
			unique += !seen[i];
			repeated += seen[i];
			seen[i] = true;
		}
		data(100 + step, 1001 + at, size);
		assert_int_equal(client()->n.unique_bytes, unique);
		assert_int_equal(client()->n.retransmitted_bytes, repeated);
	}
}

/* Whatever is forgotten, each byte is counted once. */
static void every_byte_is_new_or_repeated(void **state SN_UNUSED)
{
	uint64_t sent = 0;
	struct sn_prng prng;

	sn_prng_seed(&prng, 8);
	pool.max = 20;
	handshake();
	for (int step = 0; step < 20000; step++) {
		uint32_t jump = (uint32_t)(sn_prng_u64(&prng) % 3000);
		uint32_t size = 1 + (uint32_t)(sn_prng_u64(&prng) % 1460);

		data(100 + step, client()->next + 300 - jump, size);
		sent += size;
		if (sn_prng_u64(&prng) % 4 == 0)
			acknowledge(100 + step, client()->next - (uint32_t)(jump / 2));
		assert_int_equal(client()->n.unique_bytes + client()->n.retransmitted_bytes, sent);
		assert_true(client()->segment_count <= 21);
		assert_true(pool.slab.used <= 40);
	}
}

static void a_hole_that_is_filled_at_once_was_reordering(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1201, 100);
	data(103, 1101, 100);
	assert_int_equal(client()->n.out_of_order, 1);
	assert_int_equal(client()->n.retransmitted, 0);
	expect_one(SN_TCP_REORDER);
}

static void a_hole_that_is_filled_late_was_a_timeout(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1201, 100);
	data(900, 1101, 100);
	expect_one(SN_TCP_RTO);
}

static void repeating_it_late_was_a_timeout(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(900, 1001, 100);
	expect_one(SN_TCP_RTO);
	assert_int_equal(client()->n.retransmitted_bytes, 100);
}

static void repeating_it_without_need_was_a_needless_timeout(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	acknowledge(140, 1101);
	data(900, 1001, 100);
	expect_one(SN_TCP_NEEDLESS_RTO);
}

static void repeating_it_after_duplicates_was_fast(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(110, 1101, 100);
	data(111, 1201, 100);
	data(112, 1301, 100);
	for (int64_t i = 0; i < 4; i++)
		acknowledge(140 + i, 1101);
	data(170, 1101, 100);
	expect_one(SN_TCP_FAST);
}

static void fewer_duplicates_do_not_make_it_fast(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(110, 1101, 100);
	for (int64_t i = 0; i < 3; i++)
		acknowledge(140 + i, 1101);
	data(170, 1101, 100);
	expect_one(SN_TCP_UNKNOWN);
}

static void the_same_packet_twice_is_a_duplicate_of_the_network(void **state SN_UNUSED)
{
	struct sn_decoded copy;

	handshake();
	copy = segment(ACK, 1001, 5001, 100);
	update(C, 100, &copy);
	update(C, 101, &copy);
	expect_one(SN_TCP_DUPLICATE);
	copy.has_ip_id = false; /* IPv6 */
	update(C, 900, &copy);
	assert_int_equal(sn_tcp_trouble(&tcp, C)->anomalies[SN_TCP_DUPLICATE], 1);
}

static void a_byte_into_a_closed_window_is_a_probe(void **state SN_UNUSED)
{
	struct sn_decoded closed;

	handshake();
	data(100, 1001, 100);
	closed = segment(ACK, 5001, 1101, 0);
	closed.tcp_window = 0;
	update(S, 140, &closed);
	data(400, 1100, 1);
	expect_one(SN_TCP_FLOW_CONTROL);
	assert_int_equal(sn_tcp_trouble(&tcp, S)->zero_windows, 1);
	assert_int_equal(tcp.side[S].window_min, 1000);
}

static void what_follows_at_once_is_of_the_same_class(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1101, 100);
	data(130, 1201, 100);
	data(900, 1001, 100);
	data(901, 1101, 100);
	assert_int_equal(sn_tcp_trouble(&tcp, C)->anomalies[SN_TCP_RTO], 2);
}

/* Sizes -------------------------------------------------------------------------- */

static void flight_is_what_the_peer_has_not_acknowledged(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	data(101, 1101, 300);
	assert_int_equal(client()->flight_max, 400);
	assert_int_equal(client()->flight_min, 100);
	assert_int_equal(client()->flight_initial, 400);
	acknowledge(140, 1101);
	data(141, 1401, 50);
	assert_int_equal(client()->flight_max, 400);
	assert_int_equal(client()->flight_initial, 400); /* the first window is over */
	data(900, 1401, 50);                             /* not again */
	assert_int_equal(client()->flight_min, 100);
}

static void windows_are_scaled_when_both_sides_offer_it(void **state SN_UNUSED)
{
	static const uint8_t shift[2][4] = {{3, 3, 7, 0}, {3, 3, 2, 0}};
	struct sn_decoded packet = segment(SYN, 1000, 0, 0);

	sn_rd_init(&packet.tcp_options, shift[C], sizeof(shift[C]));
	update(C, 0, &packet);
	packet = segment(SYN | ACK, 5000, 1001, 0);
	sn_rd_init(&packet.tcp_options, shift[S], sizeof(shift[S]));
	update(S, 40, &packet);
	assert_int_equal(client()->window_max, 1000);
	give(C, 50, ACK, 1001, 5001, 0);
	give(S, 60, ACK, 5001, 1001, 0);
	assert_int_equal(client()->window_max, 1000 << 7);
	assert_int_equal(client()->window_min, 1000);
	assert_int_equal(tcp.side[S].window_max, 1000 << 2);
	assert_int_equal(client()->window_scale, 7);
}

static void a_scale_that_one_side_offers_is_none(void **state SN_UNUSED)
{
	static const uint8_t shift[] = {3, 3, 7, 0};
	struct sn_decoded packet = segment(SYN, 1000, 0, 0);

	sn_rd_init(&packet.tcp_options, shift, sizeof(shift));
	update(C, 0, &packet);
	give(S, 40, SYN | ACK, 5000, 1001, 0);
	assert_int_equal(client()->window_scale, 7);
	give(C, 50, ACK, 1001, 5001, 0);
	assert_int_equal(client()->window_scale, 0);
	assert_int_equal(client()->window_max, 1000);
	assert_true(client()->has_scale);
}

static void segments_and_hops_have_their_extremes(void **state SN_UNUSED)
{
	struct sn_decoded packet;

	handshake();
	data(100, 1001, 1460);
	data(101, 2461, 7);
	packet = segment(ACK, 2468, 5001, 0);
	packet.ttl = 3;
	update(C, 102, &packet);
	assert_int_equal(client()->segment_max, 1460);
	assert_int_equal(client()->segment_min, 7);
	assert_int_equal(client()->ttl_min, 3);
	assert_int_equal(client()->ttl_max, 64);
	assert_true(client()->first_data_ns == T0 + 100 * MS);
	assert_true(client()->last_data_ns == T0 + 101 * MS);
	assert_true(client()->first_ack_ns == T0 + 50 * MS);
}

static void kinds_of_segments_are_counted(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	give(C, 101, ACK | FIN, 1101, 5001, 10);
	give(C, 102, RST | ACK, 1112, 5001, 0);
	assert_int_equal(client()->n.syn, 1);
	assert_int_equal(client()->n.ack, 4);
	assert_int_equal(client()->n.pure_ack, 1);
	assert_int_equal(client()->n.data, 2);
	assert_int_equal(client()->n.fin, 1);
	assert_int_equal(client()->n.rst, 1);
}

static void messages_end_with_a_push_behind_something_new(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 100);
	give(C, 101, ACK | PSH, 1101, 5001, 100);
	assert_int_equal(client()->messages, 1);
	give(C, 900, ACK | PSH, 1101, 5001, 100); /* again */
	assert_int_equal(client()->messages, 1);
	data(1000, 1201, 10);
	give(C, 1001, ACK | FIN, 1211, 5001, 0);
	assert_int_equal(client()->messages, 2);
}

static void a_syn_or_fin_elsewhere_is_odd(void **state SN_UNUSED)
{
	handshake();
	give(C, 60, SYN, 1000, 0, 0);
	assert_false(client()->odd_repeat);
	give(C, 61, SYN, 99000, 0, 0);
	assert_true(client()->odd_repeat);
	assert_int_equal(client()->isn, 1000);
	data(62, 1001, 10); /* the stream goes on where it was */
	assert_true(verdict.in_order);
	give(S, 70, ACK | FIN, 5001, 1011, 0);
	give(S, 71, ACK | FIN, 5001, 1011, 0);
	assert_false(tcp.side[S].odd_repeat);
	give(S, 72, ACK | FIN, 5002, 1011, 0);
	assert_true(tcp.side[S].odd_repeat);
}

static void offsets_are_relative_to_the_syn(void **state SN_UNUSED)
{
	handshake();
	data(100, 1001, 10);
	assert_int_equal(verdict.offset, 1);
	assert_true(verdict.in_order);
	assert_int_equal(verdict.fresh, 10);
	data(101, 1031, 10);
	assert_int_equal(verdict.offset, 31);
	assert_false(verdict.in_order);
}

static void numbers_may_wrap(void **state SN_UNUSED)
{
	give(C, 0, SYN, 0xffffff00U, 0, 0);
	give(S, 40, SYN | ACK, 5000, 0xffffff01U, 0);
	give(C, 50, ACK, 0xffffff01U, 5001, 0);
	data(100, 0xffffff01U, 1000);
	acknowledge(140, 0xffffff01U + 1000);
	data(150, 0xffffff01U + 1000, 100);
	data(151, 0xffffff01U, 1000);
	assert_int_equal(client()->n.unique_bytes, 1100);
	assert_int_equal(client()->n.retransmitted_bytes, 1000);
	assert_int_equal(client()->rtt.count, 2);
}

static void a_connection_begun_in_the_middle_counts_from_there(void **state SN_UNUSED)
{
	data(0, 777000, 100);
	assert_int_equal(verdict.offset, 1);
	acknowledge(30, 777100);
	assert_int_equal(client()->rtt.count, 1);
	assert_int_equal(client()->n.unique_bytes, 100);
	data(40, 776900, 100); /* overtaken before the capture began to know it */
	assert_int_equal(client()->n.unique_bytes, 200);
	assert_int_equal(client()->n.out_of_order, 1);
}

/* Memory ---------------------------------------------------------------------------- */

static void acknowledged_segments_are_forgotten_but_a_few(void **state SN_UNUSED)
{
	handshake();
	for (uint32_t i = 0; i < 1000; i++) {
		data(100 + i, 1001 + i * 100, 100);
		acknowledge(100 + i, 1101 + i * 100);
	}
	assert_int_equal(client()->segment_count, SN_SEGMENTS_KEPT);
	assert_int_equal(client()->rtt.count, 1001);
	data(5000, 1001, 100); /* forgotten, but known to have been seen */
	assert_int_equal(client()->n.retransmitted_bytes, 100);
	expect_one(SN_TCP_UNKNOWN);
}

static void waiting_segments_are_limited(void **state SN_UNUSED)
{
	handshake();
	for (uint32_t i = 0; i < 3000; i++)
		data(100, 1001 + i * 100, 100);
	assert_int_equal(client()->segment_count, SN_SEGMENTS_DEFAULT);
	assert_int_equal(client()->n.unique_bytes, 300000);
	acknowledge(140, 1001 + 300000);
	assert_int_equal(client()->rtt.count, 2);
	data(150, 1001, 100);
	assert_int_equal(client()->n.retransmitted_bytes, 100);
}

static void in_a_tight_pool_nothing_is_kept_without_need(void **state SN_UNUSED)
{
	pool.budget = 0;
	handshake();
	data(100, 1001, 100);
	acknowledge(140, 1101);
	give(S, 150, ACK, 5001, 1101, 300);
	give(C, 190, ACK, 1101, 5301, 0);
	assert_int_equal(pool.slab.used, 0);
	assert_int_equal(client()->rtt.count, 2);
	data(200, 1101, 100);
	data(300, 1001, 150);
	assert_int_equal(client()->n.retransmitted_bytes, 150);
	for (uint32_t i = 0; i < 100; i++)
		data(400, 1201 + i * 100, 100);
	assert_int_equal(client()->segment_count, SN_SEGMENTS_TIGHT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_exact_acknowledgement_is_a_round_trip),
		TEST(segments_covered_together_are_one_round_trip),
		TEST(what_was_sent_twice_is_no_round_trip),
		TEST(what_waited_for_something_sent_again_is_none),
		TEST(a_syn_that_waits_for_its_answer_costs_no_memory),
		TEST(a_repeated_syn_is_retransmitted_without_bytes),
		TEST(overlaps_are_told_apart_byte_by_byte),
		TEST(bytes_agree_with_a_plain_map),
		TEST(every_byte_is_new_or_repeated),
		TEST(a_hole_that_is_filled_at_once_was_reordering),
		TEST(a_hole_that_is_filled_late_was_a_timeout),
		TEST(repeating_it_late_was_a_timeout),
		TEST(repeating_it_without_need_was_a_needless_timeout),
		TEST(repeating_it_after_duplicates_was_fast),
		TEST(fewer_duplicates_do_not_make_it_fast),
		TEST(the_same_packet_twice_is_a_duplicate_of_the_network),
		TEST(a_byte_into_a_closed_window_is_a_probe),
		TEST(what_follows_at_once_is_of_the_same_class),
		TEST(flight_is_what_the_peer_has_not_acknowledged),
		TEST(windows_are_scaled_when_both_sides_offer_it),
		TEST(a_scale_that_one_side_offers_is_none),
		TEST(segments_and_hops_have_their_extremes),
		TEST(kinds_of_segments_are_counted),
		TEST(messages_end_with_a_push_behind_something_new),
		TEST(a_syn_or_fin_elsewhere_is_odd),
		TEST(offsets_are_relative_to_the_syn),
		TEST(numbers_may_wrap),
		TEST(a_connection_begun_in_the_middle_counts_from_there),
		TEST(acknowledged_segments_are_forgotten_but_a_few),
		TEST(waiting_segments_are_limited),
		TEST(in_a_tight_pool_nothing_is_kept_without_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
