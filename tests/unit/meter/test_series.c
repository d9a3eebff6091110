/* SPDX-License-Identifier: Apache-2.0 */
/* Steps and the workers that fill them. */
#include "lib/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "series_board.h"

static const char rates[] = "ip_bitrate_in idx:1,3\nip_bitrate_out idx:1,3\nip_bitrate_loc idx:3\n";

/* Steps -------------------------------------------------------------------- */

static void each_direction_has_its_rate(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	send_udp(workers[0], SN_SERVER, 250, T0 + S / 2);
	send_udp(workers[0], SN_CLIENT, 500, T0 + S);
	begin_flows(true, true);
	send_udp(workers[0], SN_SERVER, 125, T0 + S);
	begin_flows(false, false);
	send_udp(workers[0], SN_SERVER, 9999, T0 + S);
	advance(workers[0], T0 + 2 * S);
	assert_told(1, T0, "ip_bitrate_out", "idx1", 8000);
	assert_told(1, T0, "ip_bitrate_in", "idx3", 2000);
	assert_told(1, T0, "ip_bitrate_loc", "idx3", 0);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 4000);
	assert_told(1, T0 + S, "ip_bitrate_in", "idx3", 0);
	assert_told(1, T0 + S, "ip_bitrate_loc", "idx3", 1000);
}

static void longer_steps_add_shorter_ones_up(void **state SN_UNUSED)
{
	open_board(rates, 7);
	begin_flows(true, false);
	for (int i = 0; i <= 300; i++)
		send_udp(workers[0], SN_CLIENT, 750, T0 + i * S);
	assert_told(1, T0 + 299 * S, "ip_bitrate_out", "idx3", 6000);
	assert_told(60, T0 + 240 * S, "ip_bitrate_out", "idx3", 6000);
	assert_told(300, T0, "ip_bitrate_out", "idx3", 6000);
	assert_int_equal(told_count, 5 * (300 + 5 + 1));
}

static void a_step_is_told_with_its_bounds(void **state SN_UNUSED)
{
	const struct sn_traffic_value *value;

	open_board("steps 60\nudp_bitrate_out idx:36", 7);
	begin_flows(true, false);
	udp_flow.type[SN_CLIENT] = SN_UDP_DNS;
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 7 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 67 * S);
	value = find(60, T0, "udp_bitrate_out", "idx36");
	assert_non_null(value);
	assert_int_equal(told_count, 1);
	assert_true(value->time_ns == T0 + 60 * S);
	assert_string_equal(value->interface, "eth0");
	assert_string_equal(value->label, "dns");
	assert_false(value->empty);
}

static void the_first_and_the_last_step_have_their_true_length(void **state SN_UNUSED)
{
	open_board(rates, 2);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 50 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 60 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 64 * S);
	finish();
	assert_told(60, T0, "ip_bitrate_out", "idx3", 800);
	assert_told(60, T0 + 60 * S, "ip_bitrate_out", "idx3", 4000);
}

static void rates_over_no_time_cannot_be_told(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	finish();
	assert_told(1, T0, "ip_bitrate_out", "idx3", NAN);
}

static void steps_without_packets_are_not_told(void **state SN_UNUSED)
{
	uint64_t begin_ns;
	int64_t years = 10LL * 365 * 86400 * S;

	open_board(rates, 7);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	begin_ns = test_cpu_ns();
	send_udp(workers[0], SN_CLIENT, 1000, T0 + years);
	assert_int_equal(told_count, 3 * 5);
	assert_true(test_cpu_ns() - begin_ns < 100 * SN_NS_PER_MS);
	advance(workers[0], T0 + 2 * years);
	assert_told(1, T0 + years, "ip_bitrate_out", "idx3", 8000);
	assert_int_equal(told_count, 6 * 5);
}

static void packets_that_are_a_little_late_stay_in_the_present_step(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + S);
	send_udp(workers[0], SN_CLIENT, 500, T0 + S / 2);
	advance(workers[0], T0 + 2 * S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 8000);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 12000);
}

static void a_clock_that_goes_back_begins_anew(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 9000 * S);
	send_udp(workers[0], SN_CLIENT, 2000, T0);
	send_udp(workers[0], SN_CLIENT, 3000, T0 + 1 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 2 * S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 16000);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 24000);
	assert_told(1, T0 + 9000 * S, "ip_bitrate_out", "idx3", NAN);
}

static void times_before_1970_have_steps_too(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, -2 * S);
	send_udp(workers[0], SN_CLIENT, 1000, -S / 2);
	advance(workers[0], 0);
	assert_told(1, -2 * S, "ip_bitrate_out", "idx3", 8000);
	assert_told(1, -S, "ip_bitrate_out", "idx3", 8000);
}

/* Workers ------------------------------------------------------------------ */

static void workers_add_up(void **state SN_UNUSED)
{
	open_board(rates, 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	send_udp(workers[1], SN_CLIENT, 2000, T0 + S / 4);
	send_udp(workers[0], SN_CLIENT, 1, T0 + S);
	assert_int_equal(told_count, 0); /* the other may have more */
	send_udp(workers[1], SN_CLIENT, 4000, T0 + S / 2);
	advance(workers[1], T0 + S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 56000);
}

static void the_slowest_is_not_waited_for_without_end(void **state SN_UNUSED)
{
	const int64_t open = SN_TRAFFIC_OPEN_MAX;
	struct sn_traffic_stats stats;

	open_board(rates, 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[1], SN_CLIENT, 500, T0);
	for (int i = 0; i <= open; i++)
		send_udp(workers[0], SN_CLIENT, 1000, T0 + i * S);
	assert_int_equal(told_count, 0);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + (open + 1) * S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 8000);
	/* What it tells now is in the oldest step that is open. */
	advance(workers[1], T0 + (open + 1) * S);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 12000);
	sn_traffic_board_stats(board, &stats);
	assert_int_equal(stats.late, 1);
	assert_int_equal(stats.steps[0], open + 1);
}

static void workers_may_be_years_apart(void **state SN_UNUSED)
{
	const int64_t years = 10LL * 365 * 86400 * S;

	open_board(rates, 7);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	for (int i = 0; i < 3; i++)
		send_udp(workers[0], SN_CLIENT, 1000, T0 + i * years);
	for (int i = 0; i < 3; i++)
		send_udp(workers[1], SN_CLIENT, 500, T0 + i * years);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 12000);
	assert_told(300, T0 + years, "ip_bitrate_out", "idx3", 40);
}

static void a_worker_that_is_idle_holds_nobody_up(void **state SN_UNUSED)
{
	open_board(rates, 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	advance(workers[1], T0 + S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 8000);
	sn_traffic_destroy(workers[1]);
	workers[1] = NULL;
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 2 * S);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 8000);
}

static void a_clock_that_goes_back_in_one_worker_after_the_other_loses_nothing(
	void **state SN_UNUSED)
{
	double hits = 0;

	open_board("ip_ttl_out hit", 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	for (int i = 0; i < 4; i++)
		send_udp(workers[i % 2], SN_CLIENT, 100, T0 + 5000 * S);
	send_udp(workers[0], SN_CLIENT, 100, T0);
	for (int i = 0; i < 40; i++)
		send_udp(workers[1], SN_CLIENT, 100, T0 + (5000 + i) * S);
	send_udp(workers[1], SN_CLIENT, 100, T0 + 1 * S);
	send_udp(workers[0], SN_CLIENT, 100, T0 + 2 * S);
	finish();
	for (size_t i = 0; i < told_count; i++)
		hits += told[i].value.value;
	assert_true(hits == 4 + 1 + 40 + 2);
}

struct run {
	pthread_t thread;
	struct sn_traffic *traffic;
	unsigned seed;
};

static void *count_in_thread(void *ctx)
{
	struct run *run = ctx;
	struct sn_udp_flow flow = {
		.flow = {.key = {.family = 4, .protocol = SN_PROTO_UDP}, .client_internal = true}};
	struct sn_decoded packet = {
		.family = 4, .protocol = SN_PROTO_UDP, .ip_bytes = 100, .ttl = 64};
	int64_t now_ns = T0;

	for (int i = 0; i < 20000; i++) {
		now_ns += rand_r(&run->seed) % 3000000;
		flow.flow.side[0].packets++;
		sn_traffic_packet(run->traffic, &packet, &flow.flow, SN_CLIENT, NULL, now_ns);
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state SN_UNUSED)
{
	struct run runs[SN_COUNT(workers)];
	double hits = 0;

	open_board("ip_ttl_out hit", 1);
	for (unsigned i = 0; i < SN_COUNT(workers); i++) {
		if (i > 0)
			workers[i] = sn_traffic_create(board);
		runs[i] = (struct run){.traffic = workers[i], .seed = i};
		assert_int_equal(pthread_create(&runs[i].thread, NULL, count_in_thread, &runs[i]),
				 0);
	}
	for (unsigned i = 0; i < SN_COUNT(workers); i++)
		pthread_join(runs[i].thread, NULL);
	finish();
	for (size_t i = 0; i < told_count; i++)
		hits += told[i].value.value;
	assert_true(hits == 20000 * SN_COUNT(workers));
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_direction_has_its_rate),
		TEST(longer_steps_add_shorter_ones_up),
		TEST(a_step_is_told_with_its_bounds),
		TEST(the_first_and_the_last_step_have_their_true_length),
		TEST(rates_over_no_time_cannot_be_told),
		TEST(steps_without_packets_are_not_told),
		TEST(packets_that_are_a_little_late_stay_in_the_present_step),
		TEST(a_clock_that_goes_back_begins_anew),
		TEST(times_before_1970_have_steps_too),
		TEST(workers_add_up),
		TEST(the_slowest_is_not_waited_for_without_end),
		TEST(workers_may_be_years_apart),
		TEST(a_worker_that_is_idle_holds_nobody_up),
		TEST(a_clock_that_goes_back_in_one_worker_after_the_other_loses_nothing),
		TEST(nothing_is_lost_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
