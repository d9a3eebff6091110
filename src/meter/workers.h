/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers: the threads that meter.
 *
 * Either each of them watches a source of its own (a ring of a fanout group), or the
 * caller reads packets and gives them: then the hash of the addresses of a packet's
 * flow decides which worker gets it, both directions alike, so that a worker sees all
 * packets of a flow.  Of a tunnel that is entered the addresses inside count.  Ports do
 * not: later fragments have none.
 *
 * Packets that are given wait in batches.  A batch goes to its worker when it is full,
 * when packet time has gone on by SN_WORKERS_DELAY_NS, and at every
 * sn_workers_advance().  Nothing else tells a worker the time than its packets: as with
 * one worker, idle flows of a file end when others begin.  Bytes in windows of
 * sn_workers_windows() stay where they are; others are copied, which costs about as much
 * as decoding.
 *
 * All functions here are for one thread, that of the caller.  When it would have to wait
 * for room it works, too: a worker is not a thread, but nobody else is busy with it then,
 * and what is done for it is done in order.  Signals stay with the caller: the threads
 * block all of them.
 */
#ifndef SONDE_METER_WORKERS_H
#define SONDE_METER_WORKERS_H

#include "base/err.h"
#include "meter/capture/live.h"

#define SN_WORKERS_MAX      SN_RING_GROUP_MAX
#define SN_WORKERS_DELAY_NS SN_NS_PER_S

struct sn_workers;

/*
 * What a worker does, each with its own `ctx`, never twice at the same time.  0 or a negative
 * error, after which it is not called any more.
 */
struct sn_workers_ops {
	/* All of one link and source; the bytes are valid until it returns. */
	int (*packets)(void *ctx, int link, const struct sn_packet *packets, size_t count,
		       uint16_t source);
	/* Time went on to `now_ns`; nothing older comes, but what is out of order by itself. */
	int (*advance)(void *ctx, int64_t now_ns);
	/* The last call, at the end of the input; also after an error. */
	int (*finish)(void *ctx, struct sn_err *err);
};

struct sn_workers_options {
	unsigned count;       /* 1 to SN_WORKERS_MAX */
	unsigned tunnels_max; /* decode.h; as the workers have it */
	bool pin;             /* each to a processor of its own, if there are enough */
	bool drop;            /* a full queue loses packets instead of holding up the caller */
	size_t queue_packets; /* how many may wait for a worker; 0: SN_WORKERS_QUEUE_DEFAULT */
};
#define SN_WORKERS_QUEUE_DEFAULT 8192

/*
 * Starts the threads.  `ctxs` are `options->count` pointers, `ops` stays valid.  With `lives` each
 * worker watches the one of its number (borrowed); NULL: packets are given.
 */
int sn_workers_create(const struct sn_workers_options *options, const struct sn_workers_ops *ops,
		      void *const *ctxs, struct sn_live *const *lives, struct sn_workers **workers,
		      struct sn_err *err);
/* Finishes first if need be; NULL is fine. */
void sn_workers_destroy(struct sn_workers *workers);

/* Shares packets out; waits while a queue is full unless `drop`.  0 or the first error of a worker.
 */
int sn_workers_give(struct sn_workers *workers, const struct sn_packet *packets, size_t count);
/*
 * For sn_capture_merge_share() and sn_capture_file_share(), before anything is read; the files are
 * closed before the workers are destroyed.
 */
struct sn_windows *sn_workers_windows(struct sn_workers *workers);
/* All that was given goes to the workers now, and `now_ns` behind it. */
int sn_workers_advance(struct sn_workers *workers, int64_t now_ns);

/*
 * 0 while all of them work; else the first error.  -ENODEV: the interface of a source is gone.
 */
int sn_workers_check(const struct sn_workers *workers, struct sn_err *err);

/*
 * The end of the input: returns when all workers have done what was given to them, or what their
 * sources hold, and have finished.  The first error, 0 the second time.
 */
int sn_workers_finish(struct sn_workers *workers, struct sn_err *err);

/* Packets that found no room in the queue of a worker. */
uint64_t sn_workers_dropped(const struct sn_workers *workers);

#endif
