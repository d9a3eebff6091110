/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_run: runs of echo requests to many targets on one loop.
 *
 * A run is `count` requests to one target, `interval` apart, and ends when each is
 * answered (plus a short wait for duplicates) or `timeout` after the last one.
 * Without a period there is one run per target, their starts spread over one
 * interval.  With a period the runs of all targets start at each wall-clock multiple
 * of it, spread over as much of the period as keeps the rate even, for ever; a
 * multiple that finds us too far behind is skipped and counted.
 *
 * Requests of one target keep their grid; a late one never pulls the next closer than
 * half an interval.  All queues are first in, first out because their delays are
 * constant, so the cost per request does not grow with the number of targets.
 *
 * Definitions: loss RFC 6673, delay RFC 2681, duplicates RFC 5560, reordering RFC 4737.
 * Replies are known by a keyed hash in the payload; others' and forged ones are ignored.
 */
#ifndef SONDE_PROBE_PING_RUN_H
#define SONDE_PROBE_PING_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "probe/ping_plan.h"
#include "probe/ping_port.h"
#include "probe/ping_stats.h"
#include "probe/ping_targets.h"

#define SN_PING_LINGER_NS (10 * SN_NS_PER_MS)
#define SN_PING_ERROR_MAX 256

enum sn_ping_status {
	SN_PING_OK,      /* carried out as asked, and there were replies */
	SN_PING_PARTIAL, /* replies, but also something that went wrong: see error */
	SN_PING_FAILED,  /* no reply */
};

struct sn_ping_result {
	const struct sn_ping_target *target;
	const struct sn_addr *address; /* NULL: not resolved, and nothing was sent */
	struct sn_addr local;          /* length 0: unknown */
	int64_t started_wall_ns;
	uint32_t sent, received, duplicates, reordered, late, send_errors;
	bool loss_known; /* false: this machine dropped replies itself */
	uint32_t lost;
	struct sn_ping_stats rtt;
	const uint64_t *rtts; /* rtt.count of them, ascending; valid during the call */
	int reply_ttl;        /* of the last reply; -1: unknown */
	bool kernel_stamps;   /* all receive times are the kernel's */
	uint64_t missed_runs;
	enum sn_ping_status status;
	char error[SN_PING_ERROR_MAX]; /* empty if the status is ok */
};

enum sn_ping_event_kind {
	SN_PING_EVENT_REPLY,
	SN_PING_EVENT_DUPLICATE,
	SN_PING_EVENT_LATE,
	SN_PING_EVENT_ERROR, /* an ICMP error: text and reporter */
};

struct sn_ping_event {
	enum sn_ping_event_kind kind;
	const struct sn_ping_target *target;
	uint32_t index; /* of the request in its run, from 0 */
	uint64_t rtt_ns;
	int ttl;                    /* -1: unknown */
	const struct sn_addr *from; /* who answered; length 0: unknown */
	const char *text;
};

/* No callback may destroy the engine. */
struct sn_ping_observer {
	void (*on_result)(const struct sn_ping_result *result, void *ctx);
	void (*on_event)(const struct sn_ping_event *event, void *ctx); /* may be NULL */
	void (*on_done)(void *ctx); /* all runs have ended; never with a period */
	void *ctx;
};

struct sn_ping;
/* `port`, `targets` and `observer` are borrowed and must outlive the engine. */
struct sn_ping *sn_ping_create(struct sn_loop *loop, struct sn_ping_port *port,
			       struct sn_ping_targets *targets, const struct sn_ping_config *config,
			       const struct sn_ping_observer *observer);
void sn_ping_destroy(struct sn_ping *ping);
void sn_ping_start(struct sn_ping *ping);
/*
 * End here: each unfinished run that has something to tell gives its result.  Requests
 * whose time has not run out are left out of it, being neither answered nor lost.
 */
void sn_ping_interrupt(struct sn_ping *ping);

#endif
