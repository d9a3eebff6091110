/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mover_internal: what the mover's files share.
 *
 * mover.c: the thread, its rounds, the status; mover_lane.c: one unit after the other;
 * mover_back.c: the other way; mover_look.c: what ClickHouse has beside our account, days that go.
 */
#ifndef SONDE_STORE_MOVER_INTERNAL_H
#define SONDE_STORE_MOVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/rand.h"

#include "store/mover.h"
#include "store/moving.h"
#include "store/remote.h"

#define SN_LANE_MARKS    16
#define SN_DROPS_MAX     64 /* days that are dropped at once */
#define SN_SETTLE_NS     (3 * (uint64_t)SN_NS_PER_S)
#define SN_INSERT_GAP_NS ((uint64_t)SN_NS_PER_S) /* between two parts of a partition */

/* One dataset of one day: its rows leave in their order. */
struct sn_lane {
	char name[SN_MOVING_NAME_MAX];
	unsigned version;
	const struct sn_dataset *dataset; /* NULL: not in the catalogue, its rows stay */
	struct sn_moving_unit waiting;    /* what is in the file */
	struct sn_moving_unit left;       /* what has left it */
	struct {                          /* since when rows before a number wait */
		int64_t end;
		uint64_t mono_ns;
	} marks[SN_LANE_MARKS];
	unsigned mark_count;
	bool noted;    /* `unit` is noted */
	bool fresh;    /* ... and was never sent */
	bool answered; /* ... and was refused: it is not there, nor on its way */
	struct sn_moving_unit unit;
	uint64_t denied_ns; /* since when ClickHouse says that it has not got it; 0 */
	uint64_t inserted_ns, retry_ns;
	unsigned failures;
	int64_t there_end; /* of a restored file: rows before it are there; 0: not asked */
	char reason[SN_ERR_TEXT_MAX]; /* why it does not go on; "" */
};

struct sn_track { /* one day */
	int32_t number;
	uint64_t stamp; /* of the file when it was looked at */
	uint32_t epoch;
	bool returning, restored, seen;
	bool looked_at;    /* once */
	bool emptied;      /* something has left since the file was shrunk */
	uint64_t retry_ns; /* of coming back */
	struct sn_lane *lanes;
	size_t lane_count;
};

struct sn_mover {
	char *dir, *url, *cluster, *ca;
	struct sn_mover_config config;
	struct sn_store *store;
	struct sn_track *tracks; /* by day */
	size_t track_count;
	struct sn_remote_drop drops[SN_DROPS_MAX];
	size_t drop_count;
	uint64_t dropped_ns,
		looked_ns; /* when it was done last; 0: not since the connection came */
	bool connected, back;
	uint64_t retry_ns; /* ClickHouse is not asked before */
	unsigned failures;
	struct sn_map *defined; /* datasets whose tables are known to be good */
	struct sn_prng prng;
	char lost_reason[SN_ERR_TEXT_MAX]; /* rows that should be there and are not */
	struct sn_err lost;                /* why ClickHouse was lost */

	struct sn_mover_status stats;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_bool stop;
	/* under the lock */
	struct sn_mover_status status; /* a copy of `stats` */
	bool turn_back, turned;
};

static inline struct sn_clickhouse *sn_mover_client(const struct sn_mover *mover)
{
	return mover->store->remote->client;
}
uint64_t sn_mover_delay(struct sn_mover *mover, unsigned failures);
/* ClickHouse could not be asked: nobody is for a while.  Returns err->code. */
int sn_mover_lost(struct sn_mover *mover, const struct sn_err *err);
bool sn_mover_is_lost(int code); /* whether an error is of this kind */
bool sn_mover_is_dropped(const struct sn_mover *mover, int32_t day);

/*
 * One step of a lane: 1 if something was done, 0 if nothing was due, an error if ClickHouse is
 * lost; what goes wrong with this lane alone is in its `reason`.
 */
int sn_lane_step(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane);
/* Where its unit is that was noted: 1 if the note is gone. */
int sn_lane_settle(struct sn_mover *mover, struct sn_track *track, struct sn_lane *lane);
/* Notes what waits since when; `old`: what is there now has waited for long enough. */
void sn_lane_mark(struct sn_lane *lane, uint64_t now_ns, int64_t after_ns, bool old);
/* Gives the room of what has left back to the file system. */
void sn_lane_shrink(struct sn_mover *mover, struct sn_track *track);
struct sn_day *sn_lane_open(struct sn_mover *mover, const struct sn_track *track,
			    struct sn_err *err);
void sn_lane_failed(struct sn_mover *mover, struct sn_lane *lane, const struct sn_err *err);

/* One unit of the day comes back: as sn_lane_step(). */
int sn_back_step(struct sn_mover *mover, struct sn_track *track);

int sn_look_drop(struct sn_mover *mover);
int sn_look_around(struct sn_mover *mover);

#endif
