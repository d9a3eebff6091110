/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_internal: where rows that gather (gather.c) meet batches that are on disk (spool.c).
 */
#ifndef SONDE_NODE_SPOOL_INTERNAL_H
#define SONDE_NODE_SPOOL_INTERNAL_H

#include "node/spool/spool.h"

#define SN_SPOOL_DATASETS_MAX 256

/* Rows on their way to a file. */
struct sn_spool_open {
	const struct sn_dataset *dataset;
	struct sn_batch *rows;
	int64_t day;
	uint64_t since_ns;
};

struct sn_spool {
	char *dir;
	uint64_t limit_bytes;
	char stream[SN_SPOOL_STREAM_SIZE];
	uint64_t next_batch, next_row;
	char fork[SN_SPOOL_STREAM_SIZE]; /* the new stream while the old one has batches; "" */
	uint64_t fork_from;              /* the first batch that was never one of the old */

	/* What is on disk, by number: items[head .. tail). */
	struct sn_spool_batch *items;
	size_t head, tail, capacity;

	char *datasets[SN_SPOOL_DATASETS_MAX]; /* "ping/1" */
	size_t dataset_count;
	struct sn_spool_open *open; /* one per dataset that ever had rows */
	size_t open_count;
	struct sn_buf text; /* of the file being written; kept for its memory */
	struct sn_spool_stats stats;
};

/*
 * spool->text, that many rows numbered from spool->next_row on, as the next batch.  The counters
 * move on only when it is on disk; -ENOSPC when it would go over the limit.
 */
int sn_spool_write(struct sn_spool *spool, const struct sn_dataset *dataset, size_t rows,
		   struct sn_err *err);
/* Writes what is open, and forgets it. */
void sn_spool_gather_finish(struct sn_spool *spool);

#endif
