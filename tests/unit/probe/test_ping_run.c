/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the requests of one run, and of a run that is interrupted. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ping_fixture.h"

/* One run ----------------------------------------------------------------------------------- */

static void all_replies_make_a_complete_run(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 1);
	assert_int_equal(r->sent, 5);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->lost, 0);
	assert_true(r->loss_known);
	assert_int_equal(r->status, SN_PING_OK);
	assert_string_equal(r->error, "");
	assert_int_equal(r->rtt.min_ns, PING_DEFAULT_RTT);
	assert_int_equal(r->rtt.max_ns, PING_DEFAULT_RTT);
	assert_int_equal(r->reply_ttl, 57);
	assert_true(r->kernel_stamps);
	assert_int_equal(r->started_wall_ns, PING_WALL0);
	assert_int_equal(f->events[SN_PING_EVENT_REPLY], 5);
	assert_int_equal(f->done, 1);
}

static void requests_keep_their_grid(void **state)
{
	struct ping_fixture *f = *state;

	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 5000 * MS);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(f->net.sent_at_ns[i], PING_MONO0 + i * 200 * MS);
}

static void answered_run_ends_after_a_short_wait_and_not_after_the_timeout(void **state)
{
	struct ping_fixture *f = *state;

	ping_begin(f, ping_one_run(3), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->result_at_ns[0], 400 * MS + PING_DEFAULT_RTT + SN_PING_LINGER_NS);
}

static void lost_requests_are_counted_and_have_no_delay(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = ping_lose_second_and_last;
	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->sent, 5);
	assert_int_equal(r->received, 3);
	assert_int_equal(r->lost, 2);
	assert_int_equal(r->rtt.count, 3);
	/* A run with loss is measured all the same. */
	assert_int_equal(r->status, SN_PING_OK);
	assert_int_equal(f->result_at_ns[0], 800 * MS + 1000 * MS);
}

static void silence_fails_with_its_reason(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = ping_lose_all;
	ping_begin(f, ping_one_run(2), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->received, 0);
	assert_int_equal(r->lost, 2);
	assert_int_equal(r->rtt.count, 0);
	assert_int_equal(r->status, SN_PING_FAILED);
	assert_string_equal(r->error, "no reply within 1s");
	assert_int_equal(r->reply_ttl, -1);
}

static int64_t doubled(uint32_t sent)
{
	return sent == 2   ? PING_DEFAULT_RTT + MS
	       : sent == 4 ? PING_DEFAULT_RTT + 9 * MS
			   : PING_LOST;
}

static void further_replies_are_duplicates_and_change_no_delay(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.second = doubled;
	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->duplicates, 2); /* that of the last one within the short wait */
	assert_int_equal(r->rtt.count, 5);
	assert_int_equal(r->rtt.max_ns, PING_DEFAULT_RTT);
	assert_int_equal(f->events[SN_PING_EVENT_DUPLICATE], 2);
}

static int64_t first_overtaken_twice(uint32_t sent)
{
	return sent == 0 ? 450 * MS : PING_DEFAULT_RTT;
}

static void reply_below_one_seen_before_is_reordered(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	/* Order of arrival 1 2 0 3 4: one reply, not two, came out of order (RFC 4737). */
	f->net.delay = first_overtaken_twice;
	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->reordered, 1);
	assert_int_equal(r->rtt.max_ns, 450 * MS);
}

static int64_t first_late(uint32_t sent)
{
	return sent == 0 ? 1000 * MS + 1 : sent == 1 ? 1000 * MS : PING_DEFAULT_RTT;
}

static void reply_after_the_timeout_is_late_and_lost(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = first_late;
	ping_begin(f, ping_one_run(8), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->late, 1);
	assert_int_equal(r->received, 7);
	assert_int_equal(r->lost, 1);
	assert_int_equal(r->rtt.max_ns, 1000 * MS); /* exactly the timeout is in time */
	assert_int_equal(f->events[SN_PING_EVENT_LATE], 1);
}

static int64_t copy_after_late(uint32_t sent)
{
	return sent == 0 ? 1100 * MS : PING_LOST;
}

static void second_copy_of_a_late_reply_is_a_duplicate(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = first_late;
	f->net.second = copy_after_late;
	ping_begin(f, ping_one_run(8), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->late, 1);
	assert_int_equal(r->duplicates, 1);
	assert_int_equal(r->received, 7);
}

static void reply_that_waited_unread_counts_with_the_kernels_time(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	/* Nothing wakes us for replies; they are found when the run would end. */
	f->net.deaf = true;
	ping_begin(f, ping_one_run(1), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->received, 1);
	assert_int_equal(r->rtt.max_ns, PING_DEFAULT_RTT);
	assert_int_equal(f->result_at_ns[0], 1000 * MS + SN_PING_LINGER_NS);
}

static void user_timestamps_are_told_apart(void **state)
{
	struct ping_fixture *f = *state;

	f->net.user_stamps = true;
	ping_begin(f, ping_one_run(2), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->results[0].received, 2);
	assert_false(f->results[0].kernel_stamps);
	assert_int_equal(f->results[0].rtt.max_ns, PING_DEFAULT_RTT);
}

/* Interruption -------------------------------------------------------------------------------- */

static void interruption_keeps_what_is_decided(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = ping_lose_second_and_last;
	ping_begin(f, ping_one_run(10), 1);
	ping_pass(f, 1410 * MS); /* 8 sent; that at 200 ms is lost, those at 800 and 1400 open */
	sn_ping_interrupt(f->ping);
	assert_int_equal(f->result_count, 1);
	assert_int_equal(r->sent, 6);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->lost, 1);
	assert_int_equal(r->status, SN_PING_PARTIAL);
	assert_string_equal(r->error, "interrupted after 8 of 10 requests");
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 1);
}

static void interruption_before_anything_is_known_tells_nothing(void **state)
{
	struct ping_fixture *f = *state;

	ping_begin(f, ping_one_run(10), 3);
	ping_pass(f, 10 * MS);
	sn_ping_interrupt(f->ping);
	assert_int_equal(f->result_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PING_TEST(all_replies_make_a_complete_run),
		PING_TEST(requests_keep_their_grid),
		PING_TEST(answered_run_ends_after_a_short_wait_and_not_after_the_timeout),
		PING_TEST(lost_requests_are_counted_and_have_no_delay),
		PING_TEST(silence_fails_with_its_reason),
		PING_TEST(further_replies_are_duplicates_and_change_no_delay),
		PING_TEST(reply_below_one_seen_before_is_reordered),
		PING_TEST(reply_after_the_timeout_is_late_and_lost),
		PING_TEST(second_copy_of_a_late_reply_is_a_duplicate),
		PING_TEST(reply_that_waited_unread_counts_with_the_kernels_time),
		PING_TEST(user_timestamps_are_told_apart),
		PING_TEST(interruption_keeps_what_is_decided),
		PING_TEST(interruption_before_anything_is_known_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
