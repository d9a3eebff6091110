/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool: rows on disk between measuring and the hub's word that they are stored
 * (doc/internals/node-hub.md).
 *
 * Rows gather in memory, one open batch per dataset, and become a file after
 * SN_SPOOL_LINGER_NS, SN_SPOOL_BATCH_ROWS rows or a change of the UTC day.  Only
 * then they get their numbers: a row has a number exactly when it is on disk, so
 * what was lost before leaves no gap.  The name of a file says what the counters
 * need: <batch>.<dataset>-<version>.<first row>+<rows>.
 *
 * Full is full: a batch that would go over the limit, or that the disk does not
 * take, is dropped and its rows are counted; nothing that is spooled is ever given
 * up for something newer.
 *
 * Acknowledgements may come in any order.  sn_spool_settle() writes the counters
 * behind the acknowledged front into `state` and only then removes its files.  On
 * a disk too full even for that, it removes all of them but the file with the
 * highest number, which keeps the counters by itself, and so makes room.
 *
 * A state directory that was copied or restored counts again what was counted
 * before, and the hub has other rows under those numbers.  sn_spool_fork() then
 * begins a new stream: batches written from now on are of it at once, those that
 * are waiting only when the hub says that it has another of their number, because
 * what was sent before and not answered may be stored under the old stream.
 *
 * No clock and no loop of its own: the caller brings the time.
 */
#ifndef SONDE_NODE_SPOOL_SPOOL_H
#define SONDE_NODE_SPOOL_SPOOL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/batch.h"

#define SN_SPOOL_BATCH_ROWS       256
#define SN_SPOOL_BATCH_BYTES      (1024 * 1024)
#define SN_SPOOL_LINGER_NS        (500 * SN_NS_PER_MS)
#define SN_SPOOL_LINGER_LONG_NS   (5 * SN_NS_PER_S) /* with SN_SPOOL_BACKLOG batches waiting */
#define SN_SPOOL_BACKLOG          512
#define SN_SPOOL_BATCHES_MAX      65536
#define SN_SPOOL_REJECTED_MAX     64 /* files kept for people to look at; the oldest goes */
#define SN_SPOOL_STREAM_SIZE      33
#define SN_SPOOL_STATE_FILE_MAX   4096
#define SN_SPOOL_DATASET_TEXT_MAX 64

struct sn_spool;

/* A batch on disk. */
struct sn_spool_batch {
	uint64_t seq, first_row;
	uint32_t rows, bytes;
	uint16_t dataset; /* index for sn_spool_dataset() */
	bool acknowledged;
	bool forked; /* of the new stream although it was written before that began */
};

struct sn_spool_stats {
	uint64_t batches, bytes; /* waiting; bytes in whole blocks of the disk */
	uint64_t dropped_rows;   /* since start: limit or disk full */
	uint64_t rejected_batches;
	bool full;      /* the last batch was dropped */
	bool set_aside; /* what was there at start was unreadable and lies in <dir>.broken now */
};

/* Makes the directory if it is not there. */
int sn_spool_open(const char *dir, uint64_t limit_bytes, struct sn_spool **spool,
		  struct sn_err *err);
/* Writes what is open; NULL is fine. */
void sn_spool_close(struct sn_spool *spool);
/* Of what is written now; 32 hex digits. */
const char *sn_spool_stream(const struct sn_spool *spool);
/* The number of the next batch to be written: rows that are on disk are in batches below it. */
uint64_t sn_spool_next_seq(const struct sn_spool *spool);
const struct sn_spool_stats *sn_spool_stats(const struct sn_spool *spool);

/* Takes copies of all rows; -EINVAL (and nothing is taken) if one has no time. */
int sn_spool_add(struct sn_spool *spool, const struct sn_batch *rows, uint64_t now_ns);
/* Writes the batches that have waited long enough; returns when to come again, or UINT64_MAX. */
uint64_t sn_spool_flush(struct sn_spool *spool, uint64_t now_ns);
void sn_spool_flush_all(struct sn_spool *spool);

/* The first batch with a number >= `seq` that is not acknowledged; NULL if there is none.  Valid
 * until the next call that changes the spool. */
const struct sn_spool_batch *sn_spool_next(const struct sn_spool *spool, uint64_t seq);
/* "ping/1" */
const char *sn_spool_dataset(const struct sn_spool *spool, const struct sn_spool_batch *batch);
int sn_spool_read(const struct sn_spool *spool, const struct sn_spool_batch *batch,
		  struct sn_buf *out, struct sn_err *err);
/* The stream that the batch is to be sent under. */
const char *sn_spool_batch_stream(const struct sn_spool *spool, const struct sn_spool_batch *batch);
/*
 * The hub has another batch of this number: from now on it is one of a new stream, which
 * is begun if need be.  -EEXIST if it was of the new one already.
 */
int sn_spool_fork(struct sn_spool *spool, uint64_t seq, struct sn_err *err);
/* The hub has committed it.  The file goes with the next sn_spool_settle(). */
void sn_spool_ack(struct sn_spool *spool, uint64_t seq);
/* The hub will never take it: a copy goes to rejected/, then as acknowledged. */
int sn_spool_reject(struct sn_spool *spool, uint64_t seq, struct sn_err *err);
void sn_spool_settle(struct sn_spool *spool);

/* The file `state`, apart so that it can be tested by itself. */
struct sn_spool_state {
	char stream[SN_SPOOL_STREAM_SIZE];
	uint64_t next_batch, next_row;
	char new_stream[SN_SPOOL_STREAM_SIZE]; /* "": none was begun */
	uint64_t new_from;                     /* its first batch */
};
int sn_spool_state_parse(const void *data, size_t size, struct sn_spool_state *state,
			 struct sn_err *err);
void sn_spool_state_format(const struct sn_spool_state *state, struct sn_buf *out);

/* The name of a batch's file; `dataset` is "ping/1". */
struct sn_spool_name {
	uint64_t seq, first_row;
	uint32_t rows;
	char dataset[SN_SPOOL_DATASET_TEXT_MAX];
};
int sn_spool_name_parse(const char *file, struct sn_spool_name *name); /* -EINVAL */
void sn_spool_name_format(const struct sn_spool_name *name, char *out, size_t size);
#define SN_SPOOL_NAME_TEXT_MAX 160

#endif
