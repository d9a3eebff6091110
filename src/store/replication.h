/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replication: rows on their way from one hub to another, as bytes
 * (application/vnd.sonde.block).
 *
 * All numbers are little-endian.  A body is "SNDR", a version (8 bits: 1), and frames:
 *
 *   frame   type (8 bits), length of the payload (32 bits), payload, CRC-32 of all of that (32
 * bits) 'R'     rows: number of the first one (64), rows (32), columns (16), and per column: length
 * of its name (8), name, type (8), length (32) and bytes as of block.h 'B'     a batch that these
 * rows complete: length (8) and node, length (8) and stream, number (64), SHA-256, number of its
 * first row (64), rows (32) 'G'     numbers whose rows are not here any more: first (64), next (64)
 *   'E'     the end: number that follows what was sent (64), number that the next row of the
 *           sender's will get (64), frames before this one (32)
 *
 * Frames come in the order of numbers; a body without its 'E' is half of one.  Nothing in it is
 * trusted: limits are checked before memory is taken, and the bytes of columns by whoever reads
 * them.
 */
#ifndef SONDE_STORE_REPLICATION_H
#define SONDE_STORE_REPLICATION_H

#include "base/buf.h"
#include "base/err.h"
#include "data/dataset.h"
#include "store/block.h"

#define SN_REPLICATION_TYPE     "application/vnd.sonde.block"
#define SN_REPLICATION_BODY_MAX (48 << 20)
#define SN_REPLICATION_ROWS_MAX (4 * SN_BLOCK_ROWS_MAX) /* of one body */
#define SN_REPLICATION_NAME_MAX 128

struct sn_replication_column {
	struct sn_str name;
	enum sn_type type;
	struct sn_str bytes;
};

struct sn_replication_rows {
	int64_t first;
	size_t rows, column_count;
	struct sn_replication_column columns[SN_DATASET_COLUMNS_MAX];
};

struct sn_replication_batch {
	struct sn_str node, stream;
	uint64_t seq;
	uint8_t digest[32];
	int64_t first;
	size_t rows;
};

struct sn_replication_gap {
	int64_t first, next;
};

struct sn_replication_end {
	int64_t next, head;
};

/* Writing: sn_replication_begin(), frames, sn_replication_end(). */
struct sn_replication_writer {
	struct sn_buf *out;
	uint32_t frames;
};
void sn_replication_begin(struct sn_replication_writer *writer, struct sn_buf *out);
void sn_replication_rows(struct sn_replication_writer *writer,
			 const struct sn_replication_rows *rows);
void sn_replication_batch(struct sn_replication_writer *writer,
			  const struct sn_replication_batch *batch);
void sn_replication_gap(struct sn_replication_writer *writer, const struct sn_replication_gap *gap);
void sn_replication_end(struct sn_replication_writer *writer, const struct sn_replication_end *end);

/* Texts and bytes are borrowed for the call.  Non-zero ends the reading and is returned. */
struct sn_replication_reader {
	int (*rows)(const struct sn_replication_rows *rows, void *ctx);
	int (*batch)(const struct sn_replication_batch *batch, void *ctx);
	int (*gap)(const struct sn_replication_gap *gap, void *ctx);
	void *ctx;
};
/*
 * A whole body that begins at row `from`.  -EBADMSG: half of one, damaged, or not what it should
 * be; -EPROTONOSUPPORT: of a newer version; what `reader` returned.
 */
int sn_replication_read(struct sn_str body, int64_t from,
			const struct sn_replication_reader *reader, struct sn_replication_end *end,
			struct sn_err *err);

#endif
