/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moving: what a day's file knows of its rows that go to ClickHouse.
 *
 * Rows of a dataset leave a file in the order of their numbers, some blocks at a
 * time: a unit.  At any moment there is one number, the frontier, before which
 * all rows have left and from which on all are here.  Whoever has read the
 * frontier in a transaction knows exactly which rows of ClickHouse belong to
 * what it sees of the file, whatever moves meanwhile.
 *
 *   _moving (dataset, version, first, rows, block, time_min, time_max): the unit that is
 *           being inserted, or was when somebody was killed; one per dataset
 *   _moved  (the same): units that are in ClickHouse and no longer here
 *
 * A unit's id there is (epoch, id of its first block), which no other unit ever has.
 * Blocks of a unit are of the highest tier from the note on, so that nobody puts them
 * together with others.
 */
#ifndef SONDE_STORE_MOVING_H
#define SONDE_STORE_MOVING_H

#include "store/blocks.h"

#define SN_MOVING_NAME_MAX 64

/* The tables, for a list of migrations. */
extern const char sn_moving_schema[];

struct sn_moving_unit {
	char dataset[SN_MOVING_NAME_MAX];
	unsigned version;
	int64_t first; /* number of the first row */
	uint64_t rows;
	int64_t block; /* id of the first block in this file */
	int64_t end;   /* number behind the last row */
	int64_t time_min, time_max;
};

typedef int sn_moving_fn(const struct sn_moving_unit *unit, void *ctx);

/* What is here of each dataset: first row, rows, times; `block` is the number of blocks. */
int sn_moving_waiting(struct sn_db *db, sn_moving_fn *fn, void *ctx, struct sn_err *err);
/* Units that were noted and not forgotten. */
int sn_moving_notes(struct sn_db *db, sn_moving_fn *fn, void *ctx, struct sn_err *err);
/* Per dataset, all that has left: rows and times; `block` is the number of units. */
int sn_moving_left(struct sn_db *db, sn_moving_fn *fn, void *ctx, struct sn_err *err);
/* The unit that left last, of any dataset: 1, or 0 if none has. */
int sn_moving_last(struct sn_db *db, struct sn_moving_unit *unit, struct sn_err *err);

/* `moved`: whether rows have left at all. */
int sn_moving_frontier(struct sn_db *db, const struct sn_dataset *dataset, int64_t *number,
		       bool *moved, struct sn_err *err);

/* About when the rows that have left begin and end; left alone if none have. */
int sn_moving_ends(struct sn_db *db, const struct sn_dataset *dataset, int64_t *first_ns,
		   int64_t *last_ns, struct sn_err *err);

/*
 * The next unit: blocks without a gap between them, none with a row of number `end` or above,
 * together up to SN_BLOCK_ROWS_MAX rows; and its note, in a transaction of its own.  1, or 0 if
 * there is none.
 */
int sn_moving_begin(struct sn_db *db, const struct sn_dataset *dataset, int64_t end,
		    struct sn_moving_unit *unit, struct sn_err *err);
/* Adds the unit's rows to `rows`. */
int sn_moving_read(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_columns *rows,
		   struct sn_err *err);
/* The unit was not sent, or is not there: forgets the note. */
int sn_moving_cancel(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err);
/* The unit is in ClickHouse: forgets its blocks and the note, in a transaction of its own. */
int sn_moving_end(struct sn_db *db, const struct sn_moving_unit *unit, struct sn_err *err);
/*
 * The other way: rows of the unit that left last are here again, in a transaction of its own.
 * -ESTALE if another one of the dataset left later.  From the first one on the file is one that
 * takes its rows back, until that is cleared: copies of them are still in ClickHouse, so that they
 * must not move there again.
 */
int sn_moving_return(struct sn_db *db, const struct sn_moving_unit *unit,
		     const struct sn_columns *rows, struct sn_err *err);
int sn_moving_is_returning(struct sn_db *db, bool *returning, struct sn_err *err);
int sn_moving_returned(struct sn_db *db, struct sn_err *err);

#endif
