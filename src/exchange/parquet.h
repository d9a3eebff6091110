/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet: rows of one dataset as a Parquet file (Apache Parquet format 2.x,
 * parquet.thrift), for pandas, DuckDB, Spark, BigQuery.
 *
 * One flat schema: the dataset's columns under their names, all of them OPTIONAL
 * (null is null): BOOLEAN, INT64, DOUBLE, BYTE_ARRAY (STRING) and INT64
 * (TIMESTAMP, nanoseconds, adjusted to UTC).  Pages are compressed with zstd and
 * carry a CRC; repeated values go into a dictionary.  Each column chunk tells its
 * least and greatest value (texts up to SN_PARQUET_BOUND_MAX bytes) and its nulls.
 * The metadata tells the dataset: "sonde.dataset", "sonde.version" and, as a JSON
 * array with name, type, unit and help of each, "sonde.columns".
 *
 * The file is streamed: bytes go to a function of the caller and never back.  The
 * writer keeps one row group, compressed, and a few dozen bytes per chunk that is
 * already written.  The same rows give the same bytes, whether they come one by one
 * or by column.  One thread.
 */
#ifndef SONDE_EXCHANGE_PARQUET_H
#define SONDE_EXCHANGE_PARQUET_H

#include <stddef.h>

#include "base/err.h"
#include "data/columns.h"

#define SN_PARQUET_GROUP_ROWS      1048576            /* most rows of a group, as a default */
#define SN_PARQUET_GROUP_BYTES     (32 * 1024 * 1024) /* a group ends soon after; as a default */
#define SN_PARQUET_GROUP_BYTES_MIN (64 * 1024)
#define SN_PARQUET_GROUPS_MAX      32767 /* of a file: what readers count in 16 bits */
#define SN_PARQUET_BOUND_MAX       256 /* bytes of a text that is told as a chunk's least or greatest */

struct sn_parquet_options { /* zeroed: the defaults */
	size_t group_rows;  /* up to SN_PARQUET_GROUP_ROWS */
	size_t group_bytes; /* at least SN_PARQUET_GROUP_BYTES_MIN */
	int zstd_level;     /* 1 .. 19; default 3 */
};

/* Takes the next bytes of the file: 0, or a negative errno that ends the writing. */
typedef int sn_parquet_write_fn(const void *data, size_t size, void *ctx);

struct sn_parquet;
/* `options` may be NULL.  The dataset stays the caller's and must outlive the writer. */
struct sn_parquet *sn_parquet_create(const struct sn_dataset *dataset,
				     const struct sn_parquet_options *options,
				     sn_parquet_write_fn *write, void *ctx);
/* Without sn_parquet_finish() before, what was written is no Parquet file. */
void sn_parquet_destroy(struct sn_parquet *parquet);

/*
 * 0; what the caller's function said; -ENOMEM; -EFBIG: no more row groups.  The first error
 * stays.  Texts need not outlive the call; what is not UTF-8 in them becomes U+FFFD.
 */
int sn_parquet_add_row(struct sn_parquet *parquet, const struct sn_value *row, struct sn_err *err);
/* Of the same dataset. */
int sn_parquet_add_columns(struct sn_parquet *parquet, const struct sn_columns *columns,
			   struct sn_err *err);
/* Writes what is left and the footer; once, also for a file without rows. */
int sn_parquet_finish(struct sn_parquet *parquet, struct sn_err *err);

size_t sn_parquet_rows(const struct sn_parquet *parquet);   /* added so far */
size_t sn_parquet_groups(const struct sn_parquet *parquet); /* written so far */
size_t sn_parquet_bytes(const struct sn_parquet *parquet);  /* written so far */

#endif
