/* SPDX-License-Identifier: Apache-2.0 */
#include "ping_fixture.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* The network ------------------------------------------------------------------------------- */

static void deliver(struct ping_network *net)
{
	uint64_t now_ns = net->clock.mono_ns;

	for (size_t i = 0; i < net->arrival_count; i++) {
		struct ping_arrival *arrival = &net->arrivals[i];

		if (arrival->delivered || arrival->at_ns > now_ns)
			continue;
		arrival->delivered = true;
		arrival->reply.read_ns = now_ns;
		if (!arrival->reply.kernel_stamp)
			arrival->reply.received_ns = now_ns;
		net->port.sink->on_reply(net->port.sink, &arrival->reply);
	}
}

static void arm_delivery(struct ping_network *net)
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
	struct ping_network *net = sn_container_of(timer, struct ping_network, timer);

	if (!net->deaf && net->port.sink != NULL)
		deliver(net);
	arm_delivery(net);
}

static void schedule(struct ping_network *net, const struct sn_ping_reply *reply, int64_t delay_ns)
{
	if (delay_ns == PING_LOST)
		return;
	assert_true(net->arrival_count < PING_PACKETS_MAX);
	net->arrivals[net->arrival_count++] = (struct ping_arrival){
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
	struct ping_network *net = sn_container_of(port, struct ping_network, port);
	uint32_t n = net->sent;
	struct sn_ping_reply reply = {
		.icmp = {.seq = seq, .has_token = !net->no_token, .token = *token},
		.from = *to,
		.ttl = 57,
		.kernel_stamp = !net->user_stamps,
	};

	assert_true(n < PING_PACKETS_MAX);
	*sent_ns = net->clock.mono_ns;
	net->sent_at_ns[n] = *sent_ns;
	net->sent_to[n] = token->target;
	net->tokens[n] = *token;
	net->seqs[n] = seq;
	net->sent++;
	if (net->refuse != NULL && net->refuse(n) != 0)
		return net->refuse(n);
	schedule(net, &reply, net->delay != NULL ? net->delay(n) : PING_DEFAULT_RTT);
	if (net->second != NULL)
		schedule(net, &reply, net->second(n));
	sn_clock_virtual_advance(&net->clock, (uint64_t)net->send_cost_ns);
	return 0;
}

static void fake_receive(struct sn_ping_port *port)
{
	struct ping_network *net = sn_container_of(port, struct ping_network, port);

	net->receives++;
	deliver(net);
}

static uint64_t fake_drops(struct sn_ping_port *port)
{
	return sn_container_of(port, struct ping_network, port)->drops;
}

static const struct sn_ping_port_ops fake_ops = {fake_send, fake_receive, fake_drops};

/* The fixture ------------------------------------------------------------------------------- */

static void on_result(const struct sn_ping_result *result, void *ctx)
{
	struct ping_fixture *f = ctx;

	assert_true(f->result_count < PING_RESULTS_MAX);
	f->result_at_ns[f->result_count] = (int64_t)(f->net.clock.mono_ns - PING_MONO0);
	f->results[f->result_count] = *result;
	f->results[f->result_count++].rtts = NULL;
	for (size_t i = 1; i < result->rtt.count; i++)
		assert_true(result->rtts[i - 1] <= result->rtts[i]);
}

static void on_event(const struct sn_ping_event *event, void *ctx)
{
	struct ping_fixture *f = ctx;

	f->events[event->kind]++;
}

static void on_done(void *ctx)
{
	struct ping_fixture *f = ctx;

	f->done++;
}

int ping_set_up(void **state)
{
	struct ping_fixture *f = sn_new(struct ping_fixture);

	sn_clock_virtual_init(&f->net.clock, PING_MONO0, PING_WALL0);
	f->net.loop = sn_loop_create(&f->net.clock.clock);
	f->net.port.ops = &fake_ops;
	sn_timer_init(&f->net.timer, f->net.loop, arrive);
	*state = f;
	return 0;
}

int ping_tear_down(void **state)
{
	struct ping_fixture *f = *state;

	sn_ping_destroy(f->ping);
	sn_timer_stop(&f->net.timer);
	sn_ping_targets_finish(&f->targets);
	sn_loop_destroy(f->net.loop);
	free(f);
	return 0;
}

struct sn_ping_config ping_one_run(uint32_t count)
{
	return (struct sn_ping_config){.count = count,
				       .interval_ns = 200 * MS,
				       .timeout_ns = 1000 * MS,
				       .payload_size = 56};
}

struct sn_ping_config ping_standing(uint32_t count, uint64_t period_ns)
{
	struct sn_ping_config config = ping_one_run(count);

	config.period_ns = period_ns;
	return config;
}

void ping_begin(struct ping_fixture *f, struct sn_ping_config config, uint32_t targets)
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

void ping_pass(struct ping_fixture *f, uint64_t ns)
{
	sn_loop_advance(f->net.loop, ns);
}

int64_t ping_lose_all(uint32_t sent SN_UNUSED)
{
	return PING_LOST;
}

int64_t ping_lose_second_and_last(uint32_t sent)
{
	return sent == 1 || sent == 4 ? PING_LOST : PING_DEFAULT_RTT;
}
