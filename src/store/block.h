/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block: a column of rows as bytes, and back bit by bit.
 *
 * Whole numbers, times, truth values: frame of reference (smallest value and the
 * narrowest width that holds the distances from it), or that of the differences
 * when they are narrower; bytes transposed; zstd where it helps.  Doubles: as
 * whole numbers when all are k / 10^n, which is true of most delays, else their
 * bits.  Texts: a dictionary when it is shorter, else lengths and bytes.  Nulls:
 * a bit map, nothing when there are none or only nulls.  A column of one value
 * takes some ten bytes.
 *
 * Every column has a checksum over its bytes, its type and its number of rows.
 * Nothing in the bytes is trusted: whatever they say, a read ends in a column or
 * in an error, and takes no more memory than the limits below allow.  The bytes
 * are the same on every machine; doc/internals/store.md has the layout.
 *
 * Any thread; each that writes or reads keeps some memory until it ends.
 */
#ifndef SONDE_STORE_BLOCK_H
#define SONDE_STORE_BLOCK_H

#include "base/buf.h"
#include "base/err.h"
#include "data/columns.h"

#define SN_BLOCK_ROWS_MAX   65536
#define SN_BLOCK_PIECE_ROWS 4096 /* longer columns are made of pieces of so many rows */
#define SN_BLOCK_PIECES_MAX (SN_BLOCK_ROWS_MAX / SN_BLOCK_PIECE_ROWS)
#define SN_BLOCK_TEXTS_MAX                                                                         \
	(64 << 20) /* bytes of the texts of one column, each different one once                    \
		    */

/*
 * Adds one column to `out`.  -EINVAL: no rows, too many, or a value that no column holds (a number
 * that is not finite, a text above SN_TEXT_MAX, a truth value other than 0 and 1); -E2BIG: texts
 * above SN_BLOCK_TEXTS_MAX (write fewer rows).  On error `out` is as it was.
 */
int sn_block_write(const struct sn_vector *column, struct sn_buf *out);

struct sn_block_column; /* owns what its vector points to */

/*
 * A column of `type` and `rows`.  -EUCLEAN: damaged; -EPROTONOSUPPORT: of a layout that a newer
 * release writes.  `bytes` may go afterwards.
 */
int sn_block_read(struct sn_str bytes, enum sn_type type, size_t rows, struct sn_block_column **out,
		  struct sn_err *err);

/*
 * Piece `piece` of a column of `rows` can be read for itself: it is a column of
 * sn_block_piece_rows() rows.  Where it is among the bytes of the column, of which the first
 * SN_BLOCK_HEAD_MAX, or as many as there are, are enough to find it.  Errors as above.
 */
#define SN_BLOCK_HEAD_MAX 128
static inline size_t sn_block_pieces(size_t rows)
{
	return (rows + SN_BLOCK_PIECE_ROWS - 1) / SN_BLOCK_PIECE_ROWS;
}
static inline size_t sn_block_piece_rows(size_t rows, size_t piece)
{
	return piece + 1 < sn_block_pieces(rows) ? SN_BLOCK_PIECE_ROWS
						 : rows - piece * SN_BLOCK_PIECE_ROWS;
}
int sn_block_find_piece(struct sn_str head, size_t size, enum sn_type type, size_t rows,
			size_t piece, size_t *offset, size_t *length, struct sn_err *err);

/* One in which all rows are null. */
struct sn_block_column *sn_block_column_of_nulls(enum sn_type type, size_t rows);
const struct sn_vector *sn_block_vector(const struct sn_block_column *column);
void sn_block_column_destroy(struct sn_block_column *column);

/*
 * Columns of a few rows as one: adds the bytes of one to the pack; finds those of number `place`,
 * borrowed.  -EUCLEAN if there are not so many or the pack is damaged.
 */
void sn_block_pack(struct sn_buf *pack, struct sn_str bytes);
int sn_block_unpack(struct sn_str pack, size_t place, struct sn_str *bytes);

/* Smallest and largest value; known for numbers and times of which there is one. */
struct sn_block_range {
	bool known;
	struct sn_value min, max;
};
void sn_vector_range(const struct sn_vector *vector, struct sn_block_range *range);

#endif
