/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_salvage: what is whole of a file that was set aside goes into the file that the day has
 * now: the ledger first, then the rows, piece by piece of its blocks.
 *
 * Rows get new numbers.  Those of a batch that came again meanwhile are left out: its number in the
 * ledger of the new file is noted in _doubled, in the transaction that copies the ledger, so that
 * a salvage that was killed goes on as it began.  How far it came is in _file, under the name of
 * the file that was set aside: the last block, and SALVAGED when it is done.
 *
 * Files: sqlite_salvage_ledger.c knows batches and whose the rows are (_batch, _span, _doubled);
 * sqlite_salvage.c goes through files, blocks and rows.
 */
#ifndef SONDE_STORE_SQLITE_SALVAGE_H
#define SONDE_STORE_SQLITE_SALVAGE_H

#include "store/blocks_internal.h"
#include "store/sqlite.h"

/* A batch's rows among the numbers of the old file. */
struct sn_salvage_span {
	int64_t first, end;
	char *node, *stream;
	int64_t seq;    /* -1: not known */
	int64_t source; /* in the new file; 0: its rows are there already */
};

struct sn_salvage { /* of one file */
	struct sn_store *store;
	struct sn_day *day;
	const char *name; /* of the old file, without its directory */
	struct sn_db *old;
	struct sn_db *db; /* the new file */
	struct sn_store_salvage *sum;
	struct sn_blocks_reader reader;
	int64_t progress;
	struct sn_salvage_span *spans; /* of the block at hand */
	size_t span_count;
};

/* All batches that can be read, in a transaction of the new file; what is damaged is left out. */
int sn_salvage_copy_ledger(struct sn_salvage *salvage, struct sn_err *err);
/* When all rows are there; in a transaction, too. */
int sn_salvage_end_ledger(struct sn_salvage *salvage, struct sn_err *err);

/* The spans of a block; of a damaged table: none. */
int sn_salvage_load_spans(struct sn_salvage *salvage, const struct sn_dataset *dataset,
			  const struct sn_blocks_info *info, struct sn_err *err);
/* Their sources in the new file, in the transaction of the rows. */
int sn_salvage_find_sources(struct sn_salvage *salvage, struct sn_err *err);
/* Of the row with this number in the old file; NULL: not known. */
const struct sn_salvage_span *sn_salvage_span_of(const struct sn_salvage *salvage, int64_t number);
void sn_salvage_forget_spans(struct sn_salvage *salvage);

#endif
