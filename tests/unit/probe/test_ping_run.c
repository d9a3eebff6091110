/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on a clock that stands still until it is moved, with a network that
 * loses, delays, doubles and forges as each test says.
 */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "probe/ping_run.h"

#define MS          SN_NS_PER_MS
#define MONO0       (1000 * (uint64_t)SN_NS_PER_S)
#define WALL0       (1700000000 * (int64_t)SN_NS_PER_S)
#define PACKETS_MAX 4096
#define RESULTS_MAX 256
#define LOST        INT64_MAX
#define DEFAULT_RTT (20 * MS)

struct arrival {
	uint64_t at_ns;
	struct sn_ping_reply reply;
	bool delivered;
};

struct network {
	struct sn_ping_port port;
	struct sn_clock_virtual clock;
	struct sn_loop *loop;
	struct sn_timer timer;
	/* What each test decides; by the number of the request since the start. */
	int64_t (*delay)(uint32_t sent);  /* LOST: no reply */
	int64_t (*second)(uint32_t sent); /* of a second copy; NULL: none */
	int (*refuse)(uint32_t sent);     /* errno of sending; NULL: none */
	int64_t send_cost_ns;             /* time that passes with each request */
	bool user_stamps, no_token, deaf; /* deaf: replies wait until receive() */
	uint64_t drops;
	/* What happened. */
	uint32_t sent;
	uint64_t sent_at_ns[PACKETS_MAX];
	uint32_t sent_to[PACKETS_MAX];
	struct sn_icmp_token tokens[PACKETS_MAX];
	uint16_t seqs[PACKETS_MAX];
	struct arrival arrivals[PACKETS_MAX];
	size_t arrival_count;
	unsigned receives;
};

struct fixture {
	struct network net;
	struct sn_ping_targets targets;
	struct sn_ping *ping;
	struct sn_ping_result results[RESULTS_MAX];
	int64_t result_at_ns[RESULTS_MAX];
	unsigned result_count, done, events[4];
};

/* The network ------------------------------------------------------------------------------- */

static void deliver(struct network *net)
{
	uint64_t now_ns = net->clock.mono_ns;

	for (size_t i = 0; i < net->arrival_count; i++) {
		struct arrival *arrival = &net->arrivals[i];

		if (arrival->delivered || arrival->at_ns > now_ns)
			continue;
		arrival->delivered = true;
		arrival->reply.read_ns = now_ns;
		if (!arrival->reply.kernel_stamp)
			arrival->reply.received_ns = now_ns;
		net->port.sink->on_reply(net->port.sink, &arrival->reply);
	}
}

static void arm_delivery(struct network *net)
{
	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < net->arrival_count; i++)
		if (!net->arrivals[i].delivered && net->arrivals[i].at_ns > net->clock.mono_ns)
			next_ns = SN_MIN(next_ns, net->arrivals[i].at_ns);
	if (next_ns != UINT64_MAX)
		sn_timer_at(&net->timer, next_ns);
}

static void arrive(struct sn_timer *timer)
{
	struct network *net = sn_container_of(timer, struct network, timer);

	if (!net->deaf && net->port.sink != NULL)
		deliver(net);
	arm_delivery(net);
}

static void schedule(struct network *net, const struct sn_ping_reply *reply, int64_t delay_ns)
{
	if (delay_ns == LOST)
		return;
	assert_true(net->arrival_count < PACKETS_MAX);
	net->arrivals[net->arrival_count++] = (struct arrival){
		.at_ns = net->clock.mono_ns + (uint64_t)delay_ns,
		.reply = *reply,
	};
	net->arrivals[net->arrival_count - 1].reply.received_ns =
		net->clock.mono_ns + (uint64_t)delay_ns;
	arm_delivery(net);
}

static int fake_send(struct sn_ping_port *port, const struct sn_addr *to, uint16_t seq,
		     const struct sn_icmp_token *token, uint64_t *sent_ns)
{
	struct network *net = sn_container_of(port, struct network, port);
	uint32_t n = net->sent;
	struct sn_ping_reply reply = {
		.icmp = {.seq = seq, .has_token = !net->no_token, .token = *token},
		.from = *to,
		.ttl = 57,
		.kernel_stamp = !net->user_stamps,
	};

	assert_true(n < PACKETS_MAX);
	*sent_ns = net->clock.mono_ns;
	net->sent_at_ns[n] = *sent_ns;
	net->sent_to[n] = token->target;
	net->tokens[n] = *token;
	net->seqs[n] = seq;
	net->sent++;
	if (net->refuse != NULL && net->refuse(n) != 0)
		return net->refuse(n);
	schedule(net, &reply, net->delay != NULL ? net->delay(n) : DEFAULT_RTT);
	if (net->second != NULL)
		schedule(net, &reply, net->second(n));
	sn_clock_virtual_advance(&net->clock, (uint64_t)net->send_cost_ns);
	return 0;
}

static void fake_receive(struct sn_ping_port *port)
{
	struct network *net = sn_container_of(port, struct network, port);

	net->receives++;
	deliver(net);
}

static uint64_t fake_drops(struct sn_ping_port *port)
{
	return sn_container_of(port, struct network, port)->drops;
}

static const struct sn_ping_port_ops fake_ops = {fake_send, fake_receive, fake_drops};

/* The fixture ------------------------------------------------------------------------------- */

static void on_result(const struct sn_ping_result *result, void *ctx)
{
	struct fixture *f = ctx;

	assert_true(f->result_count < RESULTS_MAX);
	f->result_at_ns[f->result_count] = (int64_t)(f->net.clock.mono_ns - MONO0);
	f->results[f->result_count] = *result;
	f->results[f->result_count++].rtts = NULL;
	for (size_t i = 1; i < result->rtt.count; i++)
		assert_true(result->rtts[i - 1] <= result->rtts[i]);
}

static void on_event(const struct sn_ping_event *event, void *ctx)
{
	struct fixture *f = ctx;

	f->events[event->kind]++;
}

static void on_done(void *ctx)
{
	struct fixture *f = ctx;

	f->done++;
}

static int set_up(void **state)
{
	struct fixture *f = sn_new(struct fixture);

	sn_clock_virtual_init(&f->net.clock, MONO0, WALL0);
	f->net.loop = sn_loop_create(&f->net.clock.clock);
	f->net.port.ops = &fake_ops;
	sn_timer_init(&f->net.timer, f->net.loop, arrive);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	sn_ping_destroy(f->ping);
	sn_timer_stop(&f->net.timer);
	sn_ping_targets_finish(&f->targets);
	sn_loop_destroy(f->net.loop);
	free(f);
	return 0;
}

static struct sn_ping_config one_run(uint32_t count)
{
	return (struct sn_ping_config){.count = count,
				       .interval_ns = 200 * MS,
				       .timeout_ns = 1000 * MS,
				       .payload_size = 56};
}

static struct sn_ping_config standing(uint32_t count, uint64_t period_ns)
{
	struct sn_ping_config config = one_run(count);

	config.period_ns = period_ns;
	return config;
}

static void start(struct fixture *f, struct sn_ping_config config, uint32_t targets)
{
	struct sn_ping_observer observer = {on_result, on_event, on_done, f};
	char text[32];
	struct sn_err err;

	for (uint32_t i = f->targets.count; i < targets; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		assert_int_equal(sn_ping_targets_add(&f->targets, sn_str(text), &err), 0);
	}
	sn_ping_targets_parse(&f->targets, AF_UNSPEC);
	assert_int_equal(sn_ping_config_check(&config, targets, &err), 0);
	f->ping = sn_ping_create(f->net.loop, &f->net.port, &f->targets, &config, &observer);
	sn_ping_start(f->ping);
}

static void pass(struct fixture *f, uint64_t ns)
{
	sn_loop_advance(f->net.loop, ns);
}

/* One run ----------------------------------------------------------------------------------- */

static void all_replies_make_a_complete_run(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	start(f, one_run(5), 1);
	pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 1);
	assert_int_equal(r->sent, 5);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->lost, 0);
	assert_true(r->loss_known);
	assert_int_equal(r->status, SN_PING_OK);
	assert_string_equal(r->error, "");
	assert_int_equal(r->rtt.min_ns, DEFAULT_RTT);
	assert_int_equal(r->rtt.max_ns, DEFAULT_RTT);
	assert_int_equal(r->reply_ttl, 57);
	assert_true(r->kernel_stamps);
	assert_int_equal(r->started_wall_ns, WALL0);
	assert_int_equal(f->events[SN_PING_EVENT_REPLY], 5);
	assert_int_equal(f->done, 1);
}

static void requests_keep_their_grid(void **state)
{
	struct fixture *f = *state;

	start(f, one_run(5), 1);
	pass(f, 5000 * MS);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(f->net.sent_at_ns[i], MONO0 + i * 200 * MS);
}

static void answered_run_ends_after_a_short_wait_and_not_after_the_timeout(void **state)
{
	struct fixture *f = *state;

	start(f, one_run(3), 1);
	pass(f, 5000 * MS);
	assert_int_equal(f->result_at_ns[0], 400 * MS + DEFAULT_RTT + SN_PING_LINGER_NS);
}

static int64_t lose_second_and_last(uint32_t sent)
{
	return sent == 1 || sent == 4 ? LOST : DEFAULT_RTT;
}

static void lost_requests_are_counted_and_have_no_delay(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = lose_second_and_last;
	start(f, one_run(5), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->sent, 5);
	assert_int_equal(r->received, 3);
	assert_int_equal(r->lost, 2);
	assert_int_equal(r->rtt.count, 3);
	/* A run with loss is measured all the same. */
	assert_int_equal(r->status, SN_PING_OK);
	assert_int_equal(f->result_at_ns[0], 800 * MS + 1000 * MS);
}

static int64_t lose_all(uint32_t sent SN_UNUSED)
{
	return LOST;
}

static void silence_fails_with_its_reason(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = lose_all;
	start(f, one_run(2), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->received, 0);
	assert_int_equal(r->lost, 2);
	assert_int_equal(r->rtt.count, 0);
	assert_int_equal(r->status, SN_PING_FAILED);
	assert_string_equal(r->error, "no reply within 1s");
	assert_int_equal(r->reply_ttl, -1);
}

static int64_t doubled(uint32_t sent)
{
	return sent == 2 ? DEFAULT_RTT + MS : sent == 4 ? DEFAULT_RTT + 9 * MS : LOST;
}

static void further_replies_are_duplicates_and_change_no_delay(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.second = doubled;
	start(f, one_run(5), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->duplicates, 2); /* that of the last one within the short wait */
	assert_int_equal(r->rtt.count, 5);
	assert_int_equal(r->rtt.max_ns, DEFAULT_RTT);
	assert_int_equal(f->events[SN_PING_EVENT_DUPLICATE], 2);
}

static int64_t first_overtaken_twice(uint32_t sent)
{
	return sent == 0 ? 450 * MS : DEFAULT_RTT;
}

static void reply_below_one_seen_before_is_reordered(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	/* Order of arrival 1 2 0 3 4: one reply, not two, came out of order (RFC 4737). */
	f->net.delay = first_overtaken_twice;
	start(f, one_run(5), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->reordered, 1);
	assert_int_equal(r->rtt.max_ns, 450 * MS);
}

static int64_t first_late(uint32_t sent)
{
	return sent == 0 ? 1000 * MS + 1 : sent == 1 ? 1000 * MS : DEFAULT_RTT;
}

static void reply_after_the_timeout_is_late_and_lost(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = first_late;
	start(f, one_run(8), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->late, 1);
	assert_int_equal(r->received, 7);
	assert_int_equal(r->lost, 1);
	assert_int_equal(r->rtt.max_ns, 1000 * MS); /* exactly the timeout is in time */
	assert_int_equal(f->events[SN_PING_EVENT_LATE], 1);
}

static int64_t copy_after_late(uint32_t sent)
{
	return sent == 0 ? 1100 * MS : LOST;
}

static void second_copy_of_a_late_reply_is_a_duplicate(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = first_late;
	f->net.second = copy_after_late;
	start(f, one_run(8), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->late, 1);
	assert_int_equal(r->duplicates, 1);
	assert_int_equal(r->received, 7);
}

static void reply_that_waited_unread_counts_with_the_kernels_time(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	/* Nothing wakes us for replies; they are found when the run would end. */
	f->net.deaf = true;
	start(f, one_run(1), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->received, 1);
	assert_int_equal(r->rtt.max_ns, DEFAULT_RTT);
	assert_int_equal(f->result_at_ns[0], 1000 * MS + SN_PING_LINGER_NS);
}

static void user_timestamps_are_told_apart(void **state)
{
	struct fixture *f = *state;

	f->net.user_stamps = true;
	start(f, one_run(2), 1);
	pass(f, 5000 * MS);
	assert_int_equal(f->results[0].received, 2);
	assert_false(f->results[0].kernel_stamps);
	assert_int_equal(f->results[0].rtt.max_ns, DEFAULT_RTT);
}

/* Others' packets ----------------------------------------------------------------------------- */

static void forged_and_foreign_replies_change_nothing(void **state)
{
	struct fixture *f = *state;
	struct sn_ping_reply reply = {.ttl = 1, .kernel_stamp = true};

	f->net.delay = lose_all;
	start(f, one_run(3), 1);
	pass(f, 10 * MS);
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
	pass(f, 5000 * MS);
	assert_int_equal(f->results[0].received, 0);
	assert_int_equal(f->results[0].duplicates, 0);
}

static void reply_to_a_request_not_yet_sent_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct sn_ping_reply reply = {.ttl = 1};
	struct sn_ping_config config = one_run(3);

	config.payload_size = 8; /* no proof: the number can be guessed */
	f->net.delay = lose_all;
	start(f, config, 1);
	pass(f, 10 * MS);
	reply.icmp.seq = (uint16_t)(f->net.seqs[0] + 1);
	reply.from = f->targets.items[0].addr;
	f->net.port.sink->on_reply(f->net.port.sink, &reply);
	pass(f, 5000 * MS);
	assert_int_equal(f->results[0].received, 0);
}

static void small_payloads_are_matched_by_address_and_number(void **state)
{
	struct fixture *f = *state;
	struct sn_ping_config config = one_run(3);
	struct sn_err err;

	config.payload_size = 15;
	f->net.no_token = true;
	/* Two of the three targets share an address. */
	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.9"), &err);
	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.9"), &err);
	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.10"), &err);
	start(f, config, 3);
	pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->results[i].received, 3);
		assert_int_equal(f->results[i].duplicates, 0);
	}
}

/* Trouble ----------------------------------------------------------------------------------- */

static int refuse_first_two(uint32_t sent)
{
	return sent < 2 ? -ENETUNREACH : 0;
}

static void refused_requests_are_neither_sent_nor_lost(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.refuse = refuse_first_two;
	start(f, one_run(5), 1);
	pass(f, 5000 * MS);
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
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.refuse = refuse_all;
	start(f, one_run(3), 1);
	pass(f, 5000 * MS);
	assert_int_equal(r->sent, 0);
	assert_int_equal(r->lost, 0);
	assert_int_equal(r->status, SN_PING_FAILED);
	assert_int_equal(f->result_at_ns[0], 400 * MS + SN_PING_LINGER_NS);
	assert_int_equal(f->done, 1);
}

static void icmp_error_is_named_with_its_reporter(void **state)
{
	struct fixture *f = *state;
	struct sn_ping_error error = {.type = 11, .code = 0};
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = lose_all;
	start(f, one_run(2), 2);
	pass(f, 110 * MS);
	error.to = f->targets.items[1].addr;
	error.seq = f->net.seqs[1];
	assert_int_equal(sn_addr_parse(SN_STR("198.51.100.1"), 0, &error.reporter), 0);
	f->net.port.sink->on_error(f->net.port.sink, &error);
	/* Errors about strangers or about numbers never sent are not ours. */
	error.seq = 999;
	f->net.port.sink->on_error(f->net.port.sink, &error);
	assert_int_equal(sn_addr_parse(SN_STR("203.0.113.1"), 0, &error.to), 0);
	f->net.port.sink->on_error(f->net.port.sink, &error);
	pass(f, 5000 * MS);
	assert_int_equal(f->events[SN_PING_EVENT_ERROR], 1);
	assert_string_equal(r[0].error, "no reply within 1s");
	assert_string_equal(r[1].error, "time to live exceeded (reported by 198.51.100.1)");
	assert_int_equal(r[1].lost, 2);
}

static void own_drops_make_the_loss_unknown_and_say_so(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = lose_second_and_last;
	f->net.drops = 7; /* of earlier times: these do not matter */
	start(f, one_run(5), 1);
	pass(f, 300 * MS);
	f->net.drops = 8;
	pass(f, 5000 * MS);
	assert_int_equal(r->received, 3);
	assert_false(r->loss_known);
	assert_int_equal(r->status, SN_PING_PARTIAL);
	assert_non_null(strstr(r->error, "this machine dropped replies"));
}

static void own_drops_do_not_matter_to_a_complete_run(void **state)
{
	struct fixture *f = *state;

	start(f, one_run(5), 1);
	pass(f, 300 * MS);
	f->net.drops = 8;
	pass(f, 5000 * MS);
	assert_true(f->results[0].loss_known);
	assert_int_equal(f->results[0].status, SN_PING_OK);
}

static void unresolved_targets_fail_with_their_reason(void **state)
{
	struct fixture *f = *state;

	struct sn_err err;

	sn_ping_targets_add(&f->targets, SN_STR("192.0.2.1:5"), &err);
	start(f, one_run(2), 2);
	pass(f, 5000 * MS);
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
	struct fixture *f = *state;
	struct sn_prefixes never = {0};
	struct sn_addr bad;
	struct sn_err err;

	assert_int_equal(
		sn_prefixes_parse(&never, SN_STR("192.0.2.2\n198.51.100.0/24"), "never", &err), 0);
	f->targets.never = &never;
	start(f, standing(2, 1000 * MS), 3);
	pass(f, 1900 * MS);
	assert_int_equal(f->net.sent, 4);
	for (uint32_t i = 0; i < f->net.sent; i++)
		assert_int_not_equal(f->net.sent_to[i], 1);
	assert_int_equal(f->result_count, 3);
	/* Where a name leads may change: what is under way ends, and no more is sent. */
	sn_addr_parse(SN_STR("198.51.100.3"), 0, &bad);
	sn_ping_target_set_addr(&f->targets, 2, &bad);
	pass(f, 1000 * MS);
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

/* Many targets -------------------------------------------------------------------------------- */

static void targets_are_spread_over_the_interval(void **state)
{
	struct fixture *f = *state;

	start(f, one_run(2), 4);
	pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 4);
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(f->net.sent_at_ns[i], MONO0 + i * 50 * MS);
		assert_int_equal(f->net.sent_to[i], i % 4);
	}
}

static void slow_sender_falls_behind_without_bunching(void **state)
{
	struct fixture *f = *state;

	/* Four targets every 200 ms would take 400 ms of sending. */
	f->net.send_cost_ns = 100 * MS;
	start(f, one_run(4), 4);
	pass(f, 20000 * MS);
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
	struct fixture *f = *state;
	struct sn_ping_config config = one_run(1);

	config.interval_ns = MS;
	start(f, config, 200);
	pass(f, 1 * MS);
	assert_true(f->net.sent >= 200);
	assert_true(f->net.receives >= 200 / 32);
	pass(f, 3000 * MS);
	assert_int_equal(f->result_count, 200);
}

static void offsets_rise_and_stay_within_the_spread(void **state)
{
	struct sn_ping_config config = standing(1, 86400 * (uint64_t)SN_NS_PER_S);
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
	struct sn_ping_config config = standing(5, 800 * MS);
	struct sn_err err;

	(void)state;
	assert_int_equal(sn_ping_config_check(&config, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "do not fit"));
	config.period_ns++;
	assert_int_equal(sn_ping_config_check(&config, 1, &err), 0);
	config = standing(1, 1000 * MS);
	assert_int_equal(sn_ping_config_check(&config, SN_PING_RATE_MAX, &err), 0);
	assert_int_equal(sn_ping_config_check(&config, SN_PING_RATE_MAX + 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "limit"));
}

static void more_requests_than_can_be_kept_are_refused(void **state)
{
	struct sn_ping_config config = one_run(64);
	struct sn_err err;

	(void)state;
	assert_int_equal(sn_ping_config_check(&config, SN_PING_OPEN_MAX / 64, &err), 0);
	assert_int_equal(sn_ping_config_check(&config, SN_PING_OPEN_MAX / 64 + 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "limit"));
}

static void bursts_grow_with_the_rate_and_shrink_with_the_packets(void **state)
{
	struct sn_ping_config config = one_run(1);

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

/* Standing runs ------------------------------------------------------------------------------- */

static void standing_runs_start_at_wall_clock_multiples(void **state)
{
	struct fixture *f = *state;

	f->net.clock.wall_ns += 300 * MS;
	start(f, standing(2, 1000 * MS), 1);
	pass(f, 3600 * MS);
	assert_int_equal(f->result_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(f->results[i].started_wall_ns,
				 WALL0 + (i + 1) * (int64_t)SN_NS_PER_S);
		assert_int_equal(f->results[i].missed_runs, 0);
		assert_int_equal(f->results[i].received, 2);
	}
	assert_int_equal(f->done, 0);
}

static void runs_may_overlap_while_they_wait_for_replies(void **state)
{
	struct fixture *f = *state;

	/* 0.8 s of requests and 1 s of timeout, every second; one reply lost in each run. */
	f->net.delay = lose_second_and_last;
	start(f, standing(5, 1000 * MS), 2);
	pass(f, 5900 * MS);
	assert_true(f->result_count >= 6);
	assert_int_equal(f->results[0].received + f->results[1].received, 8);
	for (unsigned i = 2; i < f->result_count; i++)
		assert_int_equal(f->results[i].received, 5);
}

static void points_slept_through_are_counted_and_not_made_up_for(void **state)
{
	struct fixture *f = *state;

	start(f, standing(1, 1000 * MS), 1);
	pass(f, 1500 * MS);
	assert_int_equal(f->result_count, 1);
	/* The process stands still for 3.2 s: points 2 (late), 3 and 4 come at once. */
	sn_clock_virtual_advance(&f->net.clock, 3200 * MS);
	pass(f, 1500 * MS);
	assert_int_equal(f->net.sent, 4);
	assert_int_equal(f->result_count, 4);
	assert_int_equal(f->results[1].missed_runs, 0);
	assert_int_equal(f->results[2].missed_runs, 2);
}

static void walk_that_takes_longer_than_the_period_skips_points(void **state)
{
	struct fixture *f = *state;
	uint64_t missed = 0;

	f->net.send_cost_ns = 300 * MS;
	start(f, standing(1, 1000 * MS), 10);
	pass(f, 30000 * MS);
	/* Three seconds for ten targets: about every third point is met. */
	for (unsigned i = 0; i < f->result_count; i++)
		if (f->results[i].target == &f->targets.items[0])
			missed += f->results[i].missed_runs;
	assert_true(f->result_count >= 70 && f->result_count <= 110);
	assert_in_range(missed, 12, 20);
}

static void step_of_the_wall_clock_moves_the_grid_and_no_delay(void **state)
{
	struct fixture *f = *state;
	int64_t off_ns;

	start(f, standing(2, 1000 * MS), 1);
	pass(f, 2100 * MS);
	f->net.clock.wall_ns += 3600 * (int64_t)SN_NS_PER_S + 400 * MS;
	pass(f, 6000 * MS);
	assert_true(f->result_count >= 6);
	for (unsigned i = 0; i < f->result_count; i++) {
		assert_int_equal(f->results[i].rtt.max_ns, DEFAULT_RTT);
		assert_int_equal(f->results[i].received, 2);
		assert_int_equal(f->results[i].missed_runs, 0);
	}
	/* The run that was due is not left out; those after it are on the new grid. */
	for (unsigned i = 3; i < f->result_count; i++) {
		off_ns = f->results[i].started_wall_ns % SN_NS_PER_S;
		assert_int_equal(off_ns, 0);
	}
}

static void new_address_is_used_from_the_next_run_on(void **state)
{
	struct fixture *f = *state;
	struct sn_addr after;

	assert_int_equal(sn_addr_parse(SN_STR("198.51.100.9"), 0, &after), 0);
	start(f, standing(1, 1000 * MS), 1);
	pass(f, 1500 * MS);
	assert_int_equal(f->results[0].received, 1);
	sn_ping_target_set_addr(&f->targets, 0, &after);
	pass(f, 1000 * MS);
	assert_int_equal(f->result_count, 2);
	assert_int_equal(f->results[1].received, 1);
}

static int64_t reply_after_its_run(uint32_t sent)
{
	return sent == 0 ? 1500 * MS : DEFAULT_RTT;
}

static void reply_that_comes_after_its_run_is_not_given_to_the_next(void **state)
{
	struct fixture *f = *state;

	f->net.delay = reply_after_its_run;
	start(f, standing(1, 2000 * MS), 1);
	pass(f, 6500 * MS);
	assert_int_equal(f->result_count, 3);
	assert_int_equal(f->results[0].lost, 1);
	assert_int_equal(f->results[1].received, 1);
	assert_int_equal(f->results[1].duplicates, 0);
}

/* Interruption -------------------------------------------------------------------------------- */

static void interruption_keeps_what_is_decided(void **state)
{
	struct fixture *f = *state;
	const struct sn_ping_result *r = &f->results[0];

	f->net.delay = lose_second_and_last;
	start(f, one_run(10), 1);
	pass(f, 1410 * MS); /* 8 sent; that at 200 ms is lost, those at 800 and 1400 open */
	sn_ping_interrupt(f->ping);
	assert_int_equal(f->result_count, 1);
	assert_int_equal(r->sent, 6);
	assert_int_equal(r->received, 5);
	assert_int_equal(r->lost, 1);
	assert_int_equal(r->status, SN_PING_PARTIAL);
	assert_string_equal(r->error, "interrupted after 8 of 10 requests");
	pass(f, 5000 * MS);
	assert_int_equal(f->result_count, 1);
}

static void interruption_before_anything_is_known_tells_nothing(void **state)
{
	struct fixture *f = *state;

	start(f, one_run(10), 3);
	pass(f, 10 * MS);
	sn_ping_interrupt(f->ping);
	assert_int_equal(f->result_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_replies_make_a_complete_run),
		TEST(requests_keep_their_grid),
		TEST(answered_run_ends_after_a_short_wait_and_not_after_the_timeout),
		TEST(lost_requests_are_counted_and_have_no_delay),
		TEST(silence_fails_with_its_reason),
		TEST(further_replies_are_duplicates_and_change_no_delay),
		TEST(reply_below_one_seen_before_is_reordered),
		TEST(reply_after_the_timeout_is_late_and_lost),
		TEST(second_copy_of_a_late_reply_is_a_duplicate),
		TEST(reply_that_waited_unread_counts_with_the_kernels_time),
		TEST(user_timestamps_are_told_apart),
		TEST(forged_and_foreign_replies_change_nothing),
		TEST(reply_to_a_request_not_yet_sent_is_ignored),
		TEST(small_payloads_are_matched_by_address_and_number),
		TEST(refused_requests_are_neither_sent_nor_lost),
		TEST(run_that_could_send_nothing_fails_at_once),
		TEST(icmp_error_is_named_with_its_reporter),
		TEST(own_drops_make_the_loss_unknown_and_say_so),
		TEST(own_drops_do_not_matter_to_a_complete_run),
		TEST(unresolved_targets_fail_with_their_reason),
		TEST(nothing_is_sent_to_what_is_never_probed),
		TEST(targets_are_spread_over_the_interval),
		TEST(slow_sender_falls_behind_without_bunching),
		TEST(replies_are_read_while_a_burst_is_being_sent),
		TEST(offsets_rise_and_stay_within_the_spread),
		TEST(interval_grows_with_the_number_of_targets),
		TEST(impossible_periods_are_refused),
		TEST(more_requests_than_can_be_kept_are_refused),
		TEST(bursts_grow_with_the_rate_and_shrink_with_the_packets),
		TEST(standing_runs_start_at_wall_clock_multiples),
		TEST(runs_may_overlap_while_they_wait_for_replies),
		TEST(points_slept_through_are_counted_and_not_made_up_for),
		TEST(walk_that_takes_longer_than_the_period_skips_points),
		TEST(step_of_the_wall_clock_moves_the_grid_and_no_delay),
		TEST(new_address_is_used_from_the_next_run_on),
		TEST(reply_that_comes_after_its_run_is_not_given_to_the_next),
		TEST(interruption_keeps_what_is_decided),
		TEST(interruption_before_anything_is_known_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
