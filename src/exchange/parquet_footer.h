/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet_footer: what a Parquet file tells about itself (parquet.thrift:
 * FileMetaData).  Internal to the writer of Parquet files.
 */
#ifndef SONDE_EXCHANGE_PARQUET_FOOTER_H
#define SONDE_EXCHANGE_PARQUET_FOOTER_H

#include <stdint.h>

#include "base/buf.h"
#include "data/dataset.h"
#include "exchange/parquet_column.h"
#include "exchange/thrift.h"

struct sn_parquet_chunk { /* where a column chunk stands in the file */
	uint64_t start;   /* of its dictionary's page, if it has one, else of its first data page */
	uint64_t data_start; /* of its first data page */
	uint64_t bytes;
};

/* A ColumnChunk, as an element of a row group's list. */
void sn_parquet_add_chunk(struct sn_thrift *thrift, const char *name,
			  const struct sn_parquet_column *column,
			  const struct sn_parquet_chunk *chunk);

/* The whole FileMetaData; `groups` are the RowGroups, one behind the other. */
void sn_parquet_add_footer(struct sn_buf *out, const struct sn_dataset *dataset, uint64_t rows,
			   uint32_t group_count, const struct sn_buf *groups);

#endif
