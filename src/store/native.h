/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native: ClickHouse's format Native, in which rows travel by column.
 *
 * A block is: varint number of columns, varint number of rows, then of each column
 * its name and type (varint length, bytes) and its values: numbers side by side, little
 * endian; texts as varint length and bytes; in front of those that may be null a byte per
 * row, 1 for a null.  An answer is blocks behind each other, without an end mark.
 *
 *   I64, TIME  Int64      F64  Float64      BOOL  UInt8      TEXT  String
 *
 * The reader takes an answer in pieces of any size and trusts nothing in it: columns
 * must be those that were asked for, and whatever the bytes say it takes no more memory than
 * the limits below allow.
 */
#ifndef SONDE_STORE_NATIVE_H
#define SONDE_STORE_NATIVE_H

#include "base/buf.h"
#include "base/err.h"
#include "data/columns.h"

#define SN_NATIVE_ROWS_MAX  (1 << 20) /* of a block: servers may put groups of all rows into one */
#define SN_NATIVE_BYTES_MAX (256 << 20) /* of a block */

struct sn_native_column {
	const char *name; /* borrowed */
	enum sn_type type;
	bool nullable;
};

/* "Nullable(Int64)"; constant. */
const char *sn_native_type(enum sn_type type, bool nullable);

/* Writing: the head of a block, then exactly so many columns of so many rows. */
void sn_native_add_head(struct sn_buf *out, size_t columns, size_t rows);
/* A column that is not nullable must have no nulls (asserted). */
void sn_native_add_column(struct sn_buf *out, const struct sn_native_column *column,
			  const struct sn_vector *vector);
size_t sn_native_column_size(const struct sn_native_column *column, const struct sn_vector *vector);
/*
 * Columns that are alike in all blocks: a Date, a UInt64, and Int64 that count up from `first`, in
 * an order of the rows if there is one (NULL: as they stand).
 */
void sn_native_add_day(struct sn_buf *out, const char *name, uint16_t day, size_t rows);
void sn_native_add_same(struct sn_buf *out, const char *name, uint64_t value, size_t rows);
void sn_native_add_numbers(struct sn_buf *out, const char *name, int64_t first,
			   const uint32_t *order, size_t rows);

struct sn_native_reader;
/* Vectors, as many as columns were asked for, and what they point to are borrowed for the call.
 * Numbers that are not finite are null.  Non-zero ends the reading.
 */
typedef int sn_native_fn(const struct sn_vector *columns, size_t rows, void *ctx);

/* `columns` and their names are borrowed for as long as the reader lives. */
struct sn_native_reader *sn_native_reader_create(const struct sn_native_column *columns,
						 size_t count);
void sn_native_reader_destroy(struct sn_native_reader *reader);
/*
 * Goes on with `bytes`; `fn` gets the blocks that are complete and have rows.  -EBADMSG: this is
 * no such block, -E2BIG: over a limit; -ECANCELED: `fn` ended it.  After an error nothing more may
 * be fed.
 */
int sn_native_reader_feed(struct sn_native_reader *reader, struct sn_str bytes, sn_native_fn *fn,
			  void *ctx, struct sn_err *err);
/* What is there of the block at hand, borrowed; empty between two blocks. */
struct sn_str sn_native_reader_rest(const struct sn_native_reader *reader);

#endif
