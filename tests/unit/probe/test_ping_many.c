/* SPDX-License-Identifier: Apache-2.0 */
/* Many targets: how requests are spread, and what is too much. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ping_fixture.h"

static void targets_are_spread_over_the_interval(void **state)
{
	struct ping_fixture *f = *state;

	ping_begin(f, ping_one_run(2), 4);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 4);
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(f->net.sent_at_ns[i], PING_MONO0 + i * 50 * MS);
		assert_int_equal(f->net.sent_to[i], i % 4);
	}
}

static void slow_sender_falls_behind_without_bunching(void **state)
{
	struct ping_fixture *f = *state;

	/* Four targets every 200 ms would take 400 ms of sending. */
	f->net.send_cost_ns = 100 * MS;
	ping_begin(f, ping_one_run(4), 4);
	ping_pass(f, 20000 * MS);
	assert_int_equal(f->result_count, 4);
	for (uint32_t i = 0; i < 16; i++)
		for (uint32_t j = 0; j < i; j++)
			if (f->net.sent_to[i] == f->net.sent_to[j])
				assert_true(f->net.sent_at_ns[i] - f->net.sent_at_ns[j] >=
					    100 * MS);
	assert_int_equal(f->results[3].received, 4);
	assert_int_equal(f->results[3].status, SN_PING_PARTIAL);
	assert_non_null(strstr(f->results[3].error, "behind schedule"));
}

static void replies_are_read_while_a_burst_is_being_sent(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_ping_config config = ping_one_run(1);

	config.interval_ns = MS;
	ping_begin(f, config, 200);
	ping_pass(f, 1 * MS);
	assert_true(f->net.sent >= 200);
	assert_true(f->net.receives >= 200 / 32);
	ping_pass(f, 3000 * MS);
	assert_int_equal(f->result_count, 200);
}

static void offsets_rise_and_stay_within_the_spread(void **state)
{
	struct sn_ping_config config = ping_standing(1, 86400 * (uint64_t)SN_NS_PER_S);
	uint64_t last_ns = 0;

	(void)state;
	assert_int_equal(sn_ping_start_offset(&config, 10000000, 0), 0);
	/* A day times ten million would not fit into 64 bits. */
	for (uint32_t i = 1; i < 10000000; i += 999983) {
		uint64_t offset_ns = sn_ping_start_offset(&config, 10000000, i);

		assert_true(offset_ns > last_ns && offset_ns < config.period_ns);
		last_ns = offset_ns;
	}
	/* Few targets do not wait for the end of a long period. */
	assert_int_equal(sn_ping_start_offset(&config, 3, 2), 20 * MS);
}

static void interval_grows_with_the_number_of_targets(void **state)
{
	(void)state;
	assert_int_equal(sn_ping_paced_interval(200 * MS, 1), 200 * MS);
	assert_int_equal(sn_ping_paced_interval(200 * MS, 20000), 200 * MS);
	assert_int_equal(sn_ping_paced_interval(200 * MS, 1000000), 10000 * MS);
}

static void impossible_periods_are_refused(void **state)
{
	struct sn_ping_config config = ping_standing(5, 800 * MS);
	struct sn_err err;

	(void)state;
	assert_int_equal(sn_ping_config_check(&config, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "do not fit"));
	config.period_ns++;
	assert_int_equal(sn_ping_config_check(&config, 1, &err), 0);
	config = ping_standing(1, 1000 * MS);
	assert_int_equal(sn_ping_config_check(&config, SN_PING_RATE_MAX, &err), 0);
	assert_int_equal(sn_ping_config_check(&config, SN_PING_RATE_MAX + 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "limit"));
}

static void more_requests_than_can_be_kept_are_refused(void **state)
{
	struct sn_ping_config config = ping_one_run(64);
	struct sn_err err;

	(void)state;
	assert_int_equal(sn_ping_config_check(&config, SN_PING_OPEN_MAX / 64, &err), 0);
	assert_int_equal(sn_ping_config_check(&config, SN_PING_OPEN_MAX / 64 + 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "limit"));
}

static void bursts_grow_with_the_rate_and_shrink_with_the_packets(void **state)
{
	struct sn_ping_config config = ping_one_run(1);

	(void)state;
	config.interval_ns = SN_NS_PER_S;
	assert_int_equal(sn_ping_gathering_time(&config, 1), SN_PING_TICK_NS);
	assert_int_equal(sn_ping_gathering_time(&config, 3999), SN_PING_TICK_NS);
	assert_int_equal(sn_ping_gathering_time(&config, 4000), 10 * MS);
	assert_int_equal(sn_ping_gathering_time(&config, 20000), 5 * MS);
	assert_int_equal(sn_ping_gathering_time(&config, 100000), 1 * MS);
	config.payload_size = 1192; /* ten in 12,000 bytes */
	assert_int_equal(sn_ping_gathering_time(&config, 5000), 2 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PING_TEST(targets_are_spread_over_the_interval),
		PING_TEST(slow_sender_falls_behind_without_bunching),
		PING_TEST(replies_are_read_while_a_burst_is_being_sent),
		PING_TEST(offsets_rise_and_stay_within_the_spread),
		PING_TEST(interval_grows_with_the_number_of_targets),
		PING_TEST(impossible_periods_are_refused),
		PING_TEST(more_requests_than_can_be_kept_are_refused),
		PING_TEST(bursts_grow_with_the_rate_and_shrink_with_the_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
