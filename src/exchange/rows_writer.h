/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_writer: rows of a dataset as a file in one of the forms that leave the house,
 * row by row, compressed or not.
 *
 *   csv      RFC 4180 with a header, data/codec.h
 *   jsonl    one JSON object per line, the same
 *   parquet  exchange/parquet.h; compressed inside, so not once more
 *   monroe   MONROE's daily dumps, exchange/monroe_csv.h; its own tables only
 *
 * What is ready gathers in a buffer that the caller empties when it likes: text at
 * any time, of Parquet a whole row group at once.  The same rows give the same
 * bytes.  One thread.
 */
#ifndef SONDE_EXCHANGE_ROWS_WRITER_H
#define SONDE_EXCHANGE_ROWS_WRITER_H

#include "base/buf.h"
#include "base/err.h"
#include "data/batch.h"

enum sn_export_form {
	SN_EXPORT_CSV,
	SN_EXPORT_JSONL,
	SN_EXPORT_PARQUET,
	SN_EXPORT_MONROE,
	SN_EXPORT_FORMS
};
enum sn_export_packing { SN_EXPORT_PLAIN, SN_EXPORT_GZIP, SN_EXPORT_ZSTD, SN_EXPORT_PACKINGS };

/* "csv", "jsonl", "parquet", "monroe"; "none", "gzip", "zstd". */
const char *sn_export_form_name(enum sn_export_form form);
int sn_export_form_parse(struct sn_str name, enum sn_export_form *form); /* -EINVAL */
int sn_export_packing_parse(struct sn_str name, enum sn_export_packing *packing);
/* The end of a file's name, ".csv" or ".jsonl" ..., and ".gz" or ".zst" behind it, or "". */
const char *sn_export_form_suffix(enum sn_export_form form);
const char *sn_export_packing_suffix(enum sn_export_packing packing);
/* By the end of a file's name, "x.csv.gz": 0; -ENOENT if it says nothing. */
int sn_export_of_name(const char *name, enum sn_export_form *form, enum sn_export_packing *packing);
const char *sn_export_form_type(enum sn_export_form form,
				enum sn_export_packing packing); /* MIME */

struct sn_rows_writer;
/*
 * `dataset` (rows have its columns) must outlive the writer.  -EINVAL with the reason: a form
 * that the dataset does not have, a packing that the form does not have.
 */
int sn_rows_writer_create(const struct sn_dataset *dataset, enum sn_export_form form,
			  enum sn_export_packing packing, struct sn_rows_writer **writer,
			  struct sn_err *err);
void sn_rows_writer_destroy(struct sn_rows_writer *writer); /* NULL is fine */
/* 0, or what sn_parquet_add_row() says, or -ENOMEM. */
int sn_rows_writer_add(struct sn_rows_writer *writer, const struct sn_value *row,
		       struct sn_err *err);
/* Without it what was written is not whole; once, also for a file without rows. */
int sn_rows_writer_finish(struct sn_rows_writer *writer, struct sn_err *err);
/* What is ready; the caller clears it, or takes its memory and leaves it zeroed. */
struct sn_buf *sn_rows_writer_ready(struct sn_rows_writer *writer);
/*
 * A row group of Parquet is tens of megabytes: `spill` is called while it is written, each time
 * that `each` bytes more are ready, and may take them or not.  Negative ends the writing.
 */
typedef int sn_rows_spill_fn(struct sn_buf *ready, void *ctx);
void sn_rows_writer_set_spill(struct sn_rows_writer *writer, size_t each, sn_rows_spill_fn *spill,
			      void *ctx);
uint64_t sn_rows_writer_rows(const struct sn_rows_writer *writer); /* added so far */

#endif
