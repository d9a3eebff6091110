/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monroe_record: one JSON object of the MONROE testbed's as a row of its table.
 *
 * Internal to exchange/: monroe_json finds the objects in a file.
 */
#ifndef SONDE_EXCHANGE_MONROE_RECORD_H
#define SONDE_EXCHANGE_MONROE_RECORD_H

#include "exchange/monroe_json.h"

struct sn_monroe_records;

/* All are borrowed. */
struct sn_monroe_records *sn_monroe_records_create(const struct sn_monroe_options *options,
						   const struct sn_intake *intake,
						   struct sn_intake_counts *counts);
void sn_monroe_records_destroy(struct sn_monroe_records *records);
/* Places must be asked for again. */
void sn_monroe_records_resume(struct sn_monroe_records *records);

/* The members of the object that the text is, which stays borrowed; -EINVAL: a mistake in it. */
int sn_monroe_records_parse(struct sn_monroe_records *records, struct sn_str text);
/* Adds the row of the object parsed last: 0; 1: the record is bad; -ECANCELED. */
int sn_monroe_records_take(struct sn_monroe_records *records, struct sn_err *err);
/* What was wrong with the object or record. */
const char *sn_monroe_records_why(const struct sn_monroe_records *records);

#endif
