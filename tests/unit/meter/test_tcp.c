/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "meter/tcp/options.h"
#include "meter/tcp/tcp.h"
#include "packets.h"

#define MS SN_NS_PER_MS
#define T0 (1700000000 * SN_NS_PER_S)

enum { C, S };
enum { SYN = SN_TCP_SYN, ACK = SN_TCP_ACK, FIN = SN_TCP_FIN, RST = SN_TCP_RST };

static struct sn_tcp tcp;
static struct sn_segment_pool pool;
static bool ended;

static void update(unsigned side, const struct sn_decoded *packet, int64_t time_ms)
{
	struct sn_tcp_verdict verdict;

	sn_tcp_update(&tcp, &pool, packet, side, T0 + time_ms * MS, &verdict);
	ended = verdict.closes;
}

/* One segment into the connection under test: client ISN 1000, server ISN 5000. */
static void give(unsigned side, int64_t time_ms, uint8_t flags, uint32_t seq, uint32_t ack,
		 uint32_t payload)
{
	struct sn_decoded packet = {
		.tcp_flags = flags, .tcp_seq = seq, .tcp_ack = ack, .payload_bytes = payload};

	update(side, &packet, time_ms);
}

static void give_stamped(unsigned side, int64_t time_ms, uint8_t flags, uint32_t seq, uint32_t ack,
			 uint32_t tsval, uint32_t tsecr)
{
	struct frame f = {.n = 0};
	struct sn_decoded packet = {.tcp_flags = flags, .tcp_seq = seq, .tcp_ack = ack};

	put32(&f, 0x0101080a);
	put32(&f, tsval);
	put32(&f, tsecr);
	sn_rd_init(&packet.tcp_options, f.bytes, f.n);
	update(side, &packet, time_ms);
}

static int start(void **state SN_UNUSED)
{
	tcp = (struct sn_tcp){0};
	sn_segment_pool_init(&pool, 0);
	ended = false;
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	sn_tcp_forget(&tcp, &pool);
	assert_int_equal(pool.slab.used, 0);
	sn_segment_pool_finish(&pool);
	return 0;
}

static void handshake(void)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(S, 30, SYN | ACK, 5000, 1001, 0);
	give(C, 40, ACK, 1001, 5001, 0);
}

static void the_handshake_gives_both_round_trips(void **state SN_UNUSED)
{
	handshake();
	assert_int_equal(sn_tcp_server_rtt(&tcp), 30 * MS);
	assert_int_equal(sn_tcp_client_rtt(&tcp), 10 * MS);
	assert_int_equal(sn_tcp_handshake_rtt(&tcp), 40 * MS);
	assert_true(sn_tcp_has_handshake(&tcp));
	assert_false(ended);
}

static void later_data_does_not_change_the_round_trips(void **state SN_UNUSED)
{
	handshake();
	give(C, 900, ACK, 1001, 5001, 100);
	assert_int_equal(sn_tcp_client_rtt(&tcp), 10 * MS);
}

static void a_repeated_syn_without_timestamps_gives_no_server_time(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(C, 1000, SYN, 1000, 0, 0);
	give(S, 1030, SYN | ACK, 5000, 1001, 0);
	give(C, 1040, ACK, 1001, 5001, 0);
	assert_int_equal(sn_tcp_server_rtt(&tcp), SN_TCP_RTT_NONE);
	assert_int_equal(sn_tcp_client_rtt(&tcp), 10 * MS);
	assert_int_equal(sn_tcp_handshake_rtt(&tcp), SN_TCP_RTT_NONE);
}

static void timestamps_tell_which_syn_was_answered(void **state SN_UNUSED)
{
	give_stamped(C, 0, SYN, 1000, 0, 100, 0);
	give_stamped(C, 1000, SYN, 1000, 0, 1100, 0);
	give_stamped(S, 1030, SYN | ACK, 5000, 1001, 7, 1100);
	assert_int_equal(sn_tcp_server_rtt(&tcp), 30 * MS);
}

static void an_answer_to_the_first_syn_is_not_taken_for_the_last(void **state SN_UNUSED)
{
	give_stamped(C, 0, SYN, 1000, 0, 100, 0);
	give_stamped(C, 1000, SYN, 1000, 0, 1100, 0);
	give_stamped(S, 1005, SYN | ACK, 5000, 1001, 7, 100);
	assert_int_equal(sn_tcp_server_rtt(&tcp), SN_TCP_RTT_NONE);
}

static void equal_timestamps_tell_nothing(void **state SN_UNUSED)
{
	give_stamped(C, 0, SYN, 1000, 0, 100, 0);
	give_stamped(C, 1, SYN, 1000, 0, 100, 0);
	give_stamped(S, 30, SYN | ACK, 5000, 1001, 7, 100);
	assert_int_equal(sn_tcp_server_rtt(&tcp), SN_TCP_RTT_NONE);
}

static void a_repeated_syn_ack_gives_no_client_time(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(S, 30, SYN | ACK, 5000, 1001, 0);
	give(S, 1030, SYN | ACK, 5000, 1001, 0);
	give(C, 1040, ACK, 1001, 5001, 0);
	assert_int_equal(sn_tcp_server_rtt(&tcp), 30 * MS);
	assert_int_equal(sn_tcp_client_rtt(&tcp), SN_TCP_RTT_NONE);
}

static void timestamps_tell_which_syn_ack_was_answered(void **state SN_UNUSED)
{
	give_stamped(C, 0, SYN, 1000, 0, 100, 0);
	give_stamped(S, 30, SYN | ACK, 5000, 1001, 7, 100);
	give_stamped(S, 1030, SYN | ACK, 5000, 1001, 1007, 100);
	give_stamped(C, 1040, ACK, 1001, 5001, 1140, 1007);
	assert_int_equal(sn_tcp_client_rtt(&tcp), 10 * MS);
	assert_int_equal(sn_tcp_handshake_rtt(&tcp), 40 * MS);
}

static void an_ack_that_the_capture_missed_gives_no_client_time(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(S, 30, SYN | ACK, 5000, 1001, 0);
	give(C, 500, ACK, 1101, 5001, 100); /* second data segment */
	assert_int_equal(sn_tcp_client_rtt(&tcp), SN_TCP_RTT_NONE);
	give(C, 600, ACK, 1001, 5001, 0); /* too late to count as the first */
	assert_int_equal(sn_tcp_client_rtt(&tcp), SN_TCP_RTT_NONE);
}

static void a_syn_ack_for_something_never_sent_is_ignored(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 0);
	give(S, 3, SYN | ACK, 9999, 900, 0);
	assert_int_equal(sn_tcp_server_rtt(&tcp), SN_TCP_RTT_NONE);
	assert_int_equal(tcp.synack_ns, 0);
}

static void data_in_the_syn_is_a_handshake_all_the_same(void **state SN_UNUSED)
{
	give(C, 0, SYN, 1000, 0, 50);
	give(S, 30, SYN | ACK, 5000, 1051, 0);
	give(C, 40, ACK, 1051, 5001, 0);
	assert_int_equal(sn_tcp_handshake_rtt(&tcp), 40 * MS);
}

static void an_answer_before_its_question_gives_no_server_time(void **state SN_UNUSED)
{
	give(S, 10, SYN | ACK, 5000, 1001, 0);
	give(C, 11, SYN, 1000, 0, 0);
	give(C, 20, ACK, 1001, 5001, 0);
	assert_int_equal(sn_tcp_server_rtt(&tcp), SN_TCP_RTT_NONE);
	assert_true(sn_tcp_has_handshake(&tcp));
}

static void it_ends_when_both_fins_are_acknowledged(void **state SN_UNUSED)
{
	handshake();
	give(C, 50, FIN | ACK, 1001, 5001, 10);
	assert_false(ended);
	give(S, 60, ACK, 5001, 1012, 0);
	give(S, 70, FIN | ACK, 5001, 1012, 0);
	assert_false(ended);
	give(C, 80, ACK, 1012, 5002, 0);
	assert_true(ended);
	assert_false(tcp.reset);
}

static void sequence_numbers_may_wrap_before_the_end(void **state SN_UNUSED)
{
	give(C, 0, SYN, 0xfffffff0U, 0, 0);
	give(S, 30, SYN | ACK, 0xfffffffeU, 0xfffffff1U, 0);
	give(C, 40, ACK, 0xfffffff1U, 0xffffffffU, 0);
	assert_int_equal(sn_tcp_handshake_rtt(&tcp), 40 * MS);
	give(C, 50, FIN | ACK, 0xfffffff1U, 0xffffffffU, 100);
	give(S, 60, FIN | ACK, 0xffffffffU, 0xfffffff1U + 101, 7);
	assert_false(ended);
	give(C, 70, ACK, 0xfffffff1U + 101, 7, 0);
	assert_true(ended);
}

static void a_reset_ends_it_and_says_so(void **state SN_UNUSED)
{
	handshake();
	give(S, 60, RST, 5001, 0, 0);
	assert_true(ended);
	assert_true(tcp.reset);
}

static void a_client_that_talks_to_nobody_has_half_a_connection(void **state SN_UNUSED)
{
	struct sn_decoded data = {.tcp_flags = ACK, .tcp_seq = 1001, .payload_bytes = 10};

	give(C, 0, SYN, 1000, 0, 0);
	give(C, 10, ACK, 1001, 5001, 0);
	assert_true(sn_tcp_is_half(&tcp, &data, C));
	assert_false(sn_tcp_is_half(&tcp, &data, S));
	give(S, 20, SYN | ACK, 5000, 1001, 0);
	assert_false(sn_tcp_is_half(&tcp, &data, C));
}

static void read_options(struct sn_tcp_options *options, const void *bytes, size_t size)
{
	struct sn_decoded packet = {.family = 4};

	sn_rd_init(&packet.tcp_options, bytes, size);
	sn_tcp_options_read(options, &packet);
}

static void options_are_read_up_to_the_first_that_is_broken(void **state SN_UNUSED)
{
	static const uint8_t syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0,
				      1, 2, 0, 0,    3, 4, 1, 3,  3, 77};
	static const uint8_t broken[] = {2, 0, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4};
	static const uint8_t cut[] = {4, 2, 8, 10, 0, 0, 1, 2, 0};
	static const uint8_t ended_list[] = {0, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4};
	static const uint8_t sack[] = {1, 1, 5, 10, 0, 0, 1, 2, 0, 0, 3, 4};
	struct sn_tcp_options options;

	read_options(&options, syn, sizeof(syn));
	assert_true(options.has_mss && options.has_scale && options.has_timestamps);
	assert_true(options.has_sack_permitted && !options.has_sack);
	assert_int_equal(options.mss, 1460);
	assert_int_equal(options.scale, SN_TCP_SCALE_MAX);
	assert_int_equal(options.tsval, 0x102);
	assert_int_equal(options.tsecr, 0x304);
	read_options(&options, broken, sizeof(broken));
	assert_false(options.has_mss || options.has_timestamps);
	read_options(&options, cut, sizeof(cut));
	assert_true(options.has_sack_permitted && options.has_timestamps);
	assert_int_equal(options.tsval, 0x102);
	assert_int_equal(options.tsecr, 0);
	read_options(&options, ended_list, sizeof(ended_list));
	assert_false(options.has_timestamps);
	read_options(&options, sack, sizeof(sack));
	assert_true(options.has_sack);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_handshake_gives_both_round_trips),
		TEST(later_data_does_not_change_the_round_trips),
		TEST(a_repeated_syn_without_timestamps_gives_no_server_time),
		TEST(timestamps_tell_which_syn_was_answered),
		TEST(an_answer_to_the_first_syn_is_not_taken_for_the_last),
		TEST(equal_timestamps_tell_nothing),
		TEST(a_repeated_syn_ack_gives_no_client_time),
		TEST(timestamps_tell_which_syn_ack_was_answered),
		TEST(an_ack_that_the_capture_missed_gives_no_client_time),
		TEST(a_syn_ack_for_something_never_sent_is_ignored),
		TEST(data_in_the_syn_is_a_handshake_all_the_same),
		TEST(an_answer_before_its_question_gives_no_server_time),
		TEST(it_ends_when_both_fins_are_acknowledged),
		TEST(sequence_numbers_may_wrap_before_the_end),
		TEST(a_reset_ends_it_and_says_so),
		TEST(a_client_that_talks_to_nobody_has_half_a_connection),
		TEST(options_are_read_up_to_the_first_that_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
