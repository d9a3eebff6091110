/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_file: files in our own forms (data/codec.h), JSON Lines and CSV, as rows of a
 * dataset that whoever imports names.
 *
 * The same strict codecs as everywhere, so that what was exported comes back as it was.
 * Unknown members and columns are skipped, of CSV the header line says which are there.
 * A row needs its time.  A last line without an end is read like any other.
 */
#ifndef SONDE_EXCHANGE_ROWS_FILE_H
#define SONDE_EXCHANGE_ROWS_FILE_H

#include "exchange/input.h"
#include "exchange/intake.h"

/* Bytes of a line, for sn_input_open(); of a record of CSV, which may have line feeds in quotes. */
#define SN_ROWS_FILE_LINE_MAX   65536
#define SN_ROWS_FILE_RECORD_MAX (1024 * 1024)

enum sn_file_form { SN_FILE_JSON_LINES, SN_FILE_CSV };

/* By the name: ".jsonl", ".ndjson", ".json" or ".csv", whatever it is compressed with. */
int sn_file_form_of(const char *path, enum sn_file_form *form); /* -ENOENT */

struct sn_rows_reader;

/* `input` and `intake` are borrowed. */
struct sn_rows_reader *sn_rows_reader_create(struct sn_input *input,
					     const struct sn_dataset *dataset,
					     enum sn_file_form form,
					     const struct sn_intake *intake);
void sn_rows_reader_destroy(struct sn_rows_reader *reader);

/*
 * Reads on until `rows_max` more rows are there, or SN_INTAKE_LINES_MAX lines were read: 1; or the
 * end: 0.  Negative, after the rows before
 * it: what sn_input_next() returns, -EINVAL (no header of CSV that can be used), -ECANCELED.
 */
int sn_rows_reader_read(struct sn_rows_reader *reader, size_t rows_max, struct sn_err *err);
const struct sn_intake_counts *sn_rows_reader_counts(const struct sn_rows_reader *reader);

#endif
