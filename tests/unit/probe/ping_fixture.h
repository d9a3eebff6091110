/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of ping on a clock that stands still until it is moved, with a network that
 * loses, delays, doubles and forges as each test says.
 */
#ifndef SONDE_TESTS_PROBE_PING_FIXTURE_H
#define SONDE_TESTS_PROBE_PING_FIXTURE_H

#include "base/util.h"
#include "probe/ping_run.h"

#define MS               SN_NS_PER_MS
#define PING_MONO0       (1000 * (uint64_t)SN_NS_PER_S)
#define PING_WALL0       (1700000000 * (int64_t)SN_NS_PER_S)
#define PING_PACKETS_MAX 4096
#define PING_RESULTS_MAX 256
#define PING_LOST        INT64_MAX
#define PING_DEFAULT_RTT (20 * MS)

struct ping_arrival {
	uint64_t at_ns;
	struct sn_ping_reply reply;
	bool delivered;
};

struct ping_network {
	struct sn_ping_port port;
	struct sn_clock_virtual clock;
	struct sn_loop *loop;
	struct sn_timer timer;
	/* What each test decides; by the number of the request since the start. */
	int64_t (*delay)(uint32_t sent);  /* PING_LOST: no reply */
	int64_t (*second)(uint32_t sent); /* of a second copy; NULL: none */
	int (*refuse)(uint32_t sent);     /* errno of sending; NULL: none */
	int64_t send_cost_ns;             /* time that passes with each request */
	bool user_stamps, no_token, deaf; /* deaf: replies wait until receive() */
	uint64_t drops;
	/* What happened. */
	uint32_t sent;
	uint64_t sent_at_ns[PING_PACKETS_MAX];
	uint32_t sent_to[PING_PACKETS_MAX];
	struct sn_icmp_token tokens[PING_PACKETS_MAX];
	uint16_t seqs[PING_PACKETS_MAX];
	struct ping_arrival arrivals[PING_PACKETS_MAX];
	size_t arrival_count;
	unsigned receives;
};

struct ping_fixture {
	struct ping_network net;
	struct sn_ping_targets targets;
	struct sn_ping *ping;
	struct sn_ping_result results[PING_RESULTS_MAX];
	int64_t result_at_ns[PING_RESULTS_MAX];
	unsigned result_count, done, events[4];
};

int ping_set_up(void **state);
int ping_tear_down(void **state);
/* Some requests 200 ms apart, which wait a second for their reply. */
struct sn_ping_config ping_one_run(uint32_t count);
struct sn_ping_config ping_standing(uint32_t count, uint64_t period_ns);
/* To 192.0.2.1 and on, behind what the targets already are. */
void ping_begin(struct ping_fixture *f, struct sn_ping_config config, uint32_t targets);
/* For `delay`: no request is answered. */
int64_t ping_lose_all(uint32_t sent);
/* For `delay`: the second and the fifth request are not answered. */
int64_t ping_lose_second_and_last(uint32_t sent);
/* Time passes. */
void ping_pass(struct ping_fixture *f, uint64_t ns);

#define PING_TEST(name) cmocka_unit_test_setup_teardown(name, ping_set_up, ping_tear_down)

#endif
