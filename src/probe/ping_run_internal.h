/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_run_internal: the engine's state, shared by its two halves: ping_run.c sends and
 * ends runs as time passes, ping_match.c takes what comes back.
 */
#ifndef SONDE_PROBE_PING_RUN_INTERNAL_H
#define SONDE_PROBE_PING_RUN_INTERNAL_H

#include "base/list.h"
#include "base/pace.h"
#include "probe/ping_run.h"

/* One request of a run: state in the top two bits, below them when it was sent or its RTT. */
#define SLOT_UNSENT  0ULL
#define SLOT_WAITING (1ULL << 62) /* sent, no reply yet */
#define SLOT_REPLIED (2ULL << 62)
#define SLOT_LATE    (3ULL << 62)
#define SLOT_STATE   (3ULL << 62)
#define SLOT_VALUE   (~SLOT_STATE)

struct sn_ping_run {
	struct sn_list link; /* in sending, waiting or lingering, or in the list of free ones */
	struct sn_ping_run *older; /* of the same target: its replies may still come */
	uint64_t due_ns;           /* next request, or the end */
	int64_t started_wall_ns;
	uint64_t missed_runs, drops_before, behind_ns;
	struct sn_addr to, local;
	char *icmp_error; /* the first that came */
	uint32_t target, first_number;
	uint32_t tried, open; /* requests handed over; those without reply or refusal */
	uint32_t sent, received, duplicates, reordered, late, send_errors;
	uint32_t highest; /* highest request answered, + 1 */
	int send_error, reply_ttl;
	bool user_stamp; /* some receive time is not the kernel's */
	uint64_t slots[];
};

struct sn_ping_chunk {
	struct sn_ping_chunk *next;
	unsigned char runs[];
};

struct sn_ping_series { /* per target */
	struct sn_ping_run *newest;
	uint32_t next_number;
};

/* Walks the targets once per grid point and starts their runs. */
struct sn_ping_starter {
	bool active, pending; /* pending: the next grid point came before the walk was over */
	uint32_t next;
	uint64_t grid_ns, pending_ns;
	uint64_t missed;         /* points skipped since the last walk began */
	uint64_t missed_by_walk; /* those before the present one */
};

struct sn_ping {
	struct sn_ping_sink sink;
	struct sn_loop *loop;
	struct sn_ping_port *port;
	struct sn_ping_targets *targets;
	struct sn_ping_config config;
	struct sn_ping_observer observer;
	struct sn_timer timer;
	struct sn_pace pace;
	struct sn_ping_starter starter;
	struct sn_ping_series *series;
	struct sn_list sending, waiting, lingering, spare; /* each in the order of due_ns */
	struct sn_ping_chunk *chunks;
	uint64_t *scratch;
	uint64_t now_ns; /* never goes back */
	uint64_t tick_ns;
	uint64_t drops;
	uint32_t finished;
	bool pumping;
};

/* The keyed hash that no stranger can make. */
uint64_t sn_ping_proof(uint32_t target, uint32_t number);
void sn_ping_advance(struct sn_ping *ping, uint64_t now_ns);
void sn_ping_move(struct sn_list *list, struct sn_ping_run *run, uint64_t due_ns);

/* The engine's sink (ping_port.h). */
void sn_ping_on_reply(struct sn_ping_sink *sink, const struct sn_ping_reply *reply);
void sn_ping_on_error(struct sn_ping_sink *sink, const struct sn_ping_error *error);

#endif
