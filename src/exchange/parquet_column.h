/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet_column: values of one column in, pages of a column chunk out.
 * Internal to the writer of Parquet files.
 *
 * Values wait in an open page.  A full page is encoded and compressed at once, so
 * that a row group takes about as much memory as it will take in the file.  The
 * first page of a chunk shows whether a dictionary pays; where it does, pages
 * refer to it until it is full, and the ones after that are PLAIN.
 */
#ifndef SONDE_EXCHANGE_PARQUET_COLUMN_H
#define SONDE_EXCHANGE_PARQUET_COLUMN_H

#include <stdbool.h>
#include <stdint.h>
#include <zstd.h>

#include "base/buf.h"
#include "data/columns.h"
#include "exchange/parquet_dictionary.h"

#define SN_PARQUET_PAGE_ROWS  16384
#define SN_PARQUET_PAGE_BYTES (1024 * 1024) /* of texts; one more may begin below it */

/* What columns of one file share. */
struct sn_parquet_press {
	ZSTD_CCtx *zstd;
	struct sn_buf body, packed; /* a page before and after it is compressed */
	uint32_t *level;            /* of SN_PARQUET_PAGE_ROWS rows */
	int rc;                     /* -ENOMEM: a page could not be compressed */
};

void sn_parquet_press_init(struct sn_parquet_press *press, int zstd_level);
void sn_parquet_press_finish(struct sn_parquet_press *press);

enum sn_parquet_encoding { SN_PARQUET_PLAIN = 0, SN_PARQUET_RLE = 3, SN_PARQUET_INDEX = 8 };

struct sn_parquet_range { /* of the values of a chunk */
	bool known;
	union {
		int64_t i;
		double f;
	} min, max;
	struct sn_buf text_min, text_max;
};

struct sn_parquet_column {
	enum sn_type type;
	struct sn_parquet_press *press;
	struct sn_parquet_dictionary dictionary;
	bool indexed; /* values of the open page are entries of the dictionary */
	/* The open page. */
	uint8_t *defined; /* per row */
	size_t rows, values;
	uint32_t *index;     /* per value: entry, or truth value */
	size_t referred;     /* bytes that the texts behind the entries would take */
	struct sn_buf plain; /* values that are neither */
	struct sn_buf repaired;
	/* The chunk so far. */
	struct sn_buf pages;
	uint64_t chunk_rows, chunk_nulls, unpacked_bytes;
	uint32_t plain_pages, index_pages;
	struct sn_parquet_range range;
};

void sn_parquet_column_init(struct sn_parquet_column *column, enum sn_type type,
			    struct sn_parquet_press *press);
void sn_parquet_column_finish(struct sn_parquet_column *column);

/* A value of the column's type, or null; doubles that are not finite are null. */
void sn_parquet_column_add(struct sn_parquet_column *column, const struct sn_value *value);
void sn_parquet_column_add_vector(struct sn_parquet_column *column, const struct sn_vector *vector);

size_t sn_parquet_column_held(const struct sn_parquet_column *column); /* bytes, about */

/* Ends the chunk: no page is open.  Puts the dictionary's page into `out` (may stay empty). */
void sn_parquet_column_end(struct sn_parquet_column *column, struct sn_buf *out);
/* Begins the next one. */
void sn_parquet_column_clear(struct sn_parquet_column *column);

#endif
