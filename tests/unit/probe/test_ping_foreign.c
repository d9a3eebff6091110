/* SPDX-License-Identifier: Apache-2.0 */
/* Others' packets. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ping_fixture.h"

static void forged_and_foreign_replies_change_nothing(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_ping_reply reply = {.ttl = 1, .kernel_stamp = true};

	f->net.delay = ping_lose_all;
	ping_begin(f, ping_one_run(3), 1);
	ping_pass(f, 10 * MS);
	reply.icmp = (struct sn_icmp_reply){
		.seq = f->net.seqs[0], .has_token = true, .token = f->net.tokens[0]};
	reply.from = f->targets.items[0].addr;
	reply.received_ns = reply.read_ns = f->net.clock.mono_ns;
	/* Right but for one bit of each member in turn. */
	reply.icmp.token.proof ^= 1;
	f->net.port.sink->on_reply(f->net.port.sink, &reply);
	reply.icmp.token = f->net.tokens[0];
	reply.icmp.token.number ^= 1;
	f->net.port.sink->on_reply(f->net.port.sink, &reply);
	reply.icmp.token = f->net.tokens[0];
	reply.icmp.token.target = 0x80000000;
	f->net.port.sink->on_reply(f->net.port.sink, &reply);
	reply.icmp.has_token = false;
	f->net.port.sink->on_reply(f->net.port.sink, &reply);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->results[0].received, 0);
	assert_int_equal(f->results[0].duplicates, 0);
}

static void reply_to_a_request_not_yet_sent_is_ignored(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_ping_reply reply = {.ttl = 1};
	struct sn_ping_config config = ping_one_run(3);

	config.payload_size = 8; /* no proof: the number can be guessed */
	f->net.delay = ping_lose_all;
	ping_begin(f, config, 1);
	ping_pass(f, 10 * MS);
	reply.icmp.seq = (uint16_t)(f->net.seqs[0] + 1);
	reply.from = f->targets.items[0].addr;
	f->net.port.sink->on_reply(f->net.port.sink, &reply);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->results[0].received, 0);
}

static void small_payloads_are_matched_by_address_and_number(void **state)
{
	struct ping_fixture *f = *state;
	struct sn_ping_config config = ping_one_run(3);
	struct sn_err err;

	config.payload_size = 15;
	f->net.no_token = true;
	/* Two of the three targets share an address. */
	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.9"), &err);
	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.9"), &err);
	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.10"), &err);
	ping_begin(f, config, 3);
	ping_pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->results[i].received, 3);
		assert_int_equal(f->results[i].duplicates, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PING_TEST(forged_and_foreign_replies_change_nothing),
		PING_TEST(reply_to_a_request_not_yet_sent_is_ignored),
		PING_TEST(small_payloads_are_matched_by_address_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
