/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tstat_log: Tstat's log files as rows of the datasets tstat_* (data/tstat/columns.h).
 *
 * The header line says which columns stand where, so that logs of any level and of
 * versions with more or fewer columns are read: "#31#c_ip:1 c_port:2 ...", "#c_ip:1 ...",
 * for messages of HTTP "#C#" and "#S#".  Columns that the dataset does not have are
 * skipped, those that the file does not have are null.  A further header line in the
 * file (logs that were put together) counts from there on.
 *
 * The common column `time` is when the flow or message began, exactly as the digits in
 * the file say.  "-" is null, as "0.0" is where Tstat writes it for unknown times.
 */
#ifndef SONDE_EXCHANGE_TSTAT_LOG_H
#define SONDE_EXCHANGE_TSTAT_LOG_H

#include "data/tstat/columns.h"
#include "exchange/input.h"
#include "exchange/intake.h"

#define SN_TSTAT_LOG_LINE_MAX   65536 /* bytes, for sn_input_open() */
#define SN_TSTAT_LOG_FIELDS_MAX 512   /* in a header */

/*
 * The table that a file's name stands for, whatever is behind it ("log_tcp_complete.gz"); NULL if
 * it is none, or one that no dataset holds.
 */
const struct sn_tstat_table *sn_tstat_log_table(const char *path);

struct sn_tstat_reader;

/* `input` and `intake` are borrowed.  `node`: for the common column; empty: null. */
struct sn_tstat_reader *sn_tstat_reader_create(struct sn_input *input,
					       const struct sn_tstat_table *table,
					       struct sn_str node, const struct sn_intake *intake);
void sn_tstat_reader_destroy(struct sn_tstat_reader *reader);

/*
 * Reads on until `rows_max` more rows are there, or SN_INTAKE_LINES_MAX lines were read: 1; or the
 * end: 0.  Negative, after the rows before
 * it: what sn_input_next() returns, -EINVAL (a header that cannot be used, or none), -ECANCELED.
 */
int sn_tstat_reader_read(struct sn_tstat_reader *reader, size_t rows_max, struct sn_err *err);
const struct sn_intake_counts *sn_tstat_reader_counts(const struct sn_tstat_reader *reader);

#endif
