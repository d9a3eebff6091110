/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec: rows as JSON Lines (one object per line) and CSV (RFC 4180).
 *
 * Names are the dataset's; times are RFC 3339 with nanoseconds.  JSON leaves
 * null columns out, CSV leaves the field empty.  The JSON reader is a strict
 * scanner for flat objects: unknown members are skipped (readers ignore what a
 * newer writer adds), a wrong type, duplicate member, bad UTF-8, nested value or
 * trailing byte refuses the line with column and reason.
 */
#ifndef SONDE_DATA_CODEC_H
#define SONDE_DATA_CODEC_H

#include "base/buf.h"
#include "base/err.h"
#include "data/batch.h"

#define SN_JSONL_LINE_MAX 65536

void sn_jsonl_write_row(struct sn_buf *out, const struct sn_dataset *dataset,
			const struct sn_value *row); /* with the line feed */
void sn_jsonl_write(struct sn_buf *out, const struct sn_batch *batch);
/* Adds one row to `batch`, or none: -EINVAL with the reason. */
int sn_jsonl_read_row(struct sn_batch *batch, struct sn_str line, struct sn_err *err);
/*
 * What a line that begins with {"dataset":"NAME", is a row of, as programs that write several put
 * it; `otherwise` for other lines, NULL for a name that is none.
 */
const struct sn_dataset *sn_jsonl_dataset(struct sn_str line, const struct sn_dataset *otherwise);
/* All lines; stops at the first bad one, which `err` names by number. */
int sn_jsonl_read(struct sn_batch *batch, struct sn_str text, size_t rows_max, struct sn_err *err);

void sn_csv_write_header(struct sn_buf *out, const struct sn_dataset *dataset);
void sn_csv_write_row(struct sn_buf *out, const struct sn_dataset *dataset,
		      const struct sn_value *row);
/* Header line decides the columns; unknown columns are skipped. */
int sn_csv_read(struct sn_batch *batch, struct sn_str text, size_t rows_max, struct sn_err *err);

/* The same, record by record, for files that are not in memory; records with or without an end. */
struct sn_csv;
struct sn_csv *sn_csv_create(const struct sn_dataset *dataset);
void sn_csv_destroy(struct sn_csv *csv);
int sn_csv_header(struct sn_csv *csv, struct sn_str record, struct sn_err *err);
/* Adds one row to `batch`, or none: -EINVAL with the reason. */
int sn_csv_row(struct sn_csv *csv, struct sn_batch *batch, struct sn_str record,
	       struct sn_err *err);
size_t sn_csv_unknown(const struct sn_csv *csv); /* columns of the header that are skipped */

#endif
