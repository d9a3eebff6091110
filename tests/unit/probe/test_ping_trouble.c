/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that cannot send, are told of errors, or lose replies here. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ping_fixture.h"

static int refuse_first_two(uint32_t sent)
{
	return sent < 2 ? -ENETUNREACH : 0;
}

static void refused_requests_are_neither_sent_nor_lost(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.refuse = refuse_first_two;
	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->send_errors, 2);
	assert_int_equal(r->sent, 3);
	assert_int_equal(r->received, 3);
	assert_int_equal(r->lost, 0);
	assert_int_equal(r->status, SN_PING_PARTIAL);
	assert_non_null(strstr(r->error, "2 of 5 requests could not be sent: Network is unreach"));
}

static int refuse_all(uint32_t sent SN_UNUSED)
{
	return -EPERM;
}

static void run_that_could_send_nothing_fails_at_once(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.refuse = refuse_all;
	ping_begin(f, ping_one_run(3), 1);
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->sent, 0);
	assert_int_equal(r->lost, 0);
	assert_int_equal(r->status, SN_PING_FAILED);
	assert_int_equal(f->result_at_ns[0], 400 * MS + SN_PING_LINGER_NS);
	assert_int_equal(f->done, 1);
}

static void icmp_error_is_named_with_its_reporter(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_ping_error error = {.type = 11, .code = 0};
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = ping_lose_all;
	ping_begin(f, ping_one_run(2), 2);
	ping_pass(f, 110 * MS);
	error.to = f->targets.items[1].addr;
	error.seq = f->net.seqs[1];
	assert_int_equal(sn_addr_parse(SN_STR("198.51.100.1"), 0, &error.reporter), 0);
	f->net.port.sink->on_error(f->net.port.sink, &error);
	/* Errors about strangers or about numbers never sent are not ours. */
	error.seq = 999;
	f->net.port.sink->on_error(f->net.port.sink, &error);
	assert_int_equal(sn_addr_parse(SN_STR("203.0.113.1"), 0, &error.to), 0);
	f->net.port.sink->on_error(f->net.port.sink, &error);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->events[SN_PING_EVENT_ERROR], 1);
	assert_string_equal(r[0].error, "no reply within 1s");
	assert_string_equal(r[1].error, "time to live exceeded (reported by 198.51.100.1)");
	assert_int_equal(r[1].lost, 2);
}

static void own_drops_make_the_loss_unknown_and_say_so(void **state)
{
	struct ping_fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = ping_lose_second_and_last;
	f->net.drops = 7; /* of earlier times: these do not matter */
	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 300 * MS);
	f->net.drops = 8;
	ping_pass(f, 5000 * MS);
	assert_int_equal(r->received, 3);
	assert_false(r->loss_known);
	assert_int_equal(r->status, SN_PING_PARTIAL);
	assert_non_null(strstr(r->error, "this machine dropped replies"));
}

static void own_drops_do_not_matter_to_a_complete_run(void **state)
{
	struct ping_fixture *f = *state;

	ping_begin(f, ping_one_run(5), 1);
	ping_pass(f, 300 * MS);
	f->net.drops = 8;
	ping_pass(f, 5000 * MS);
	assert_true(f->results[0].loss_known);
	assert_int_equal(f->results[0].status, SN_PING_OK);
}

static void unresolved_targets_fail_with_their_reason(void **state)
{
	struct ping_fixture *f = *state;

	struct sn_err err;

	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.1:5"), &err);
	ping_begin(f, ping_one_run(2), 2);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 2);
	assert_null(f->results[0].address);
	assert_int_equal(f->results[0].status, SN_PING_FAILED);
	assert_non_null(strstr(f->results[0].error, "port"));
	assert_false(f->results[0].loss_known);
	assert_int_equal(f->results[1].received, 2);
	assert_int_equal(f->done, 1);
}

static void nothing_is_sent_to_what_is_never_probed(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_prefixes never = {0};
	struct sn_addr bad;
	struct sn_err err;

	assert_int_equal(
		sn_prefixes_parse(&never, SN_STR("192.0.2.2\n198.51.100.0/24"), "never", &err), 0);
	f->targets.never = &never;
	ping_begin(f, ping_standing(2, 1000 * MS), 3);
	ping_pass(f, 1900 * MS);
	assert_int_equal(f->net.sent, 4);
	for (uint32_t i = 0; i < f->net.sent; i++)
		assert_int_not_equal(f->net.sent_to[i], 1);
	assert_int_equal(f->result_count, 3);
	/* Where a name leads may change: what is under way ends, and no more is sent. */
	sn_addr_parse(SN_STR("198.51.100.3"), 0, &bad);
	sn_ping_target_set_addr(&f->targets, 2, &bad);
	ping_pass(f, 1000 * MS);
	assert_int_equal(f->net.sent, 6);
	assert_int_equal(f->result_count, 6);
	for (unsigned i = 0; i < f->result_count; i++) {
		const struct sn_ping_result *result = &f->results[i];

		if (result->status == SN_PING_OK)
			continue;
		assert_int_equal(result->status, SN_PING_FAILED);
		assert_int_equal(result->sent, 0);
		assert_null(result->address);
		assert_non_null(strstr(result->error, "is never probed (network "));
	}
	sn_ping_destroy(f->ping);
	f->ping = NULL;
	f->targets.never = NULL;
	sn_prefixes_finish(&never);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PING_TEST(refused_requests_are_neither_sent_nor_lost),
		PING_TEST(run_that_could_send_nothing_fails_at_once),
		PING_TEST(icmp_error_is_named_with_its_reporter),
		PING_TEST(own_drops_make_the_loss_unknown_and_say_so),
		PING_TEST(own_drops_do_not_matter_to_a_complete_run),
		PING_TEST(unresolved_targets_fail_with_their_reason),
		PING_TEST(nothing_is_sent_to_what_is_never_probed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
