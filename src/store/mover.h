/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mover: brings the rows of a store to ClickHouse, on a thread of its own.
 *
 * The store takes rows into its day files and acknowledges them; from there the
 * mover takes them, oldest day first, in units of up to 65,536 rows, at most one a
 * second per day and dataset.  A unit is noted in its file, inserted as one block
 * under an id that it keeps, and forgotten in the file, which is one transaction
 * with the account of it (moving.h).  Whether a unit arrived whose answer did not
 * is asked; it is inserted again only when a server that answers has denied it for
 * some seconds.  So whatever is killed when, each row is in the file or there.
 *
 * ClickHouse may be down: rows stay in the files, which is said in the status.
 * Any number of other handles may use the store meanwhile.
 */
#ifndef SONDE_STORE_MOVER_H
#define SONDE_STORE_MOVER_H

#include "store/clickhouse.h"

#define SN_MOVER_AFTER_NS (10 * SN_NS_PER_S)

/*
 * Rows of the dataset from this number on have to stay, because somebody still has to read them;
 * INT64_MAX: none.  On the mover's thread.
 */
typedef int64_t sn_mover_floor_fn(void *ctx, int32_t day, const char *dataset, unsigned version);

struct sn_mover_config {
	const char *dir;                         /* of the store */
	struct sn_clickhouse_options clickhouse; /* its `stop` is not used */
	/* How long rows stay in the file: what came meanwhile is put together.  0:
	 * SN_MOVER_AFTER_NS */
	int64_t after_ns;
	unsigned retention_days;  /* 0: nothing is dropped by age */
	sn_mover_floor_fn *floor; /* may be NULL */
	void *ctx;
};

struct sn_mover;

/* All texts are copied.  Does not wait for ClickHouse. */
int sn_mover_start(const struct sn_mover_config *config, struct sn_mover **mover,
		   struct sn_err *err);
/* Ends what is under way; NULL is fine. */
void sn_mover_stop(struct sn_mover *mover);

/* `back`: rows return to the files, and their days are dropped in ClickHouse; kept over restarts.
 */
int sn_mover_turn(struct sn_mover *mover, bool back, struct sn_err *err);

enum sn_mover_state { SN_MOVER_OK, SN_MOVER_LAGGING, SN_MOVER_UNREACHABLE, SN_MOVER_STATES };
const char *sn_mover_state_name(enum sn_mover_state state); /* "ok" "lagging" "unreachable" */

struct sn_mover_status {
	enum sn_mover_state state;
	int64_t since_ns;             /* of the state */
	char reason[SN_ERR_TEXT_MAX]; /* why it is not ok; or what is wrong besides; "" */
	char url[256], cluster[128], version[32]; /* "" while not known; no password */
	bool back;                                /* rows return to the files */
	uint64_t moved_blocks, moved_rows;        /* that are there */
	uint64_t waiting_blocks, waiting_rows;    /* that are in the files */
	int64_t oldest_waiting_ns;                /* time of the oldest of them; 0: none */
	uint64_t inserts, failures;               /* since the start */
	double insert_seconds;
};
/* Any thread; never waits. */
void sn_mover_status(struct sn_mover *mover, struct sn_mover_status *status);

#endif
