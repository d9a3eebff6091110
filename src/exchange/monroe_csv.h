/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monroe_csv: the tables of the MONROE testbed (data/monroe/tables.h) as its
 * daily dumps had them, for the scripts of its users.
 *
 * One file per table and UTC day, "2016-11-30_1480464000_monroe_exp_ping.csv".  The
 * first line has the names of the columns, in the order and spelling of the
 * original.  A field is not quoted, save `nmea` and the `message` of events; no
 * value is the word None; lists, where there are any, hold commas, so that the
 * tables of paths are separated by tabs; texts are Latin-1, '?' for what it lacks.
 * CR and LF inside a text are the two characters \r and \n.  Only where the
 * original's lines would fall apart they differ from it: a text that holds the
 * separator or a quote is quoted, quotes in quotes are doubled.
 *
 * The strict form has the same columns as RFC 4180 wants them: UTF-8, commas, quotes
 * where needed, CR LF, nothing for no value.
 */
#ifndef SONDE_EXCHANGE_MONROE_CSV_H
#define SONDE_EXCHANGE_MONROE_CSV_H

#include <stdint.h>

#include "base/buf.h"
#include "data/columns.h"

enum sn_monroe_form { SN_MONROE_DUMP, SN_MONROE_STRICT };

struct sn_monroe_csv;
/* NULL if the dataset is none of MONROE's tables. */
struct sn_monroe_csv *sn_monroe_csv_create(const struct sn_dataset *dataset,
					   enum sn_monroe_form form);
void sn_monroe_csv_destroy(struct sn_monroe_csv *csv);

/* Name of the file for a day, counted from 1970-01-01. */
void sn_monroe_csv_name(const struct sn_monroe_csv *csv, int32_t day, struct sn_buf *out);
void sn_monroe_csv_header(const struct sn_monroe_csv *csv, struct sn_buf *out);
void sn_monroe_csv_row(const struct sn_monroe_csv *csv, const struct sn_value *row,
		       struct sn_buf *out);
void sn_monroe_csv_columns(const struct sn_monroe_csv *csv, const struct sn_columns *columns,
			   struct sn_buf *out);

#endif
