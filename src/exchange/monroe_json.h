/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monroe_json: result and metadata files of the MONROE testbed as rows of the datasets
 * monroe_* (data/monroe/tables.h).
 *
 * A file has one JSON object after the other; an object may span lines, but two never
 * share a line.  The member DataId says which table a record belongs to; names of
 * members and columns are the same but for upper and lower case.
 *
 * Two ways to read:
 * - strict, as the original importer: an unknown member or a value of another type
 *   refuses the record, a mistake in the syntax the file (sn_monroe_json_check() finds it
 *   before a row is taken);
 * - lenient: unknown members are counted and skipped, any value is taken for a text, and
 *   what is no object is told as a bad line.
 * Both take numbers that stand in quotes, as the original's database did, and refuse
 * records without a column of the key, older than allowed, or of a ping with a negative
 * SequenceNumber, or Rtt or Bytes that are not positive.  null is as if the member were
 * not there.
 */
#ifndef SONDE_EXCHANGE_MONROE_JSON_H
#define SONDE_EXCHANGE_MONROE_JSON_H

#include "data/monroe/tables.h"
#include "exchange/input.h"
#include "exchange/intake.h"

#define SN_MONROE_OBJECT_MAX  (1024 * 1024) /* bytes; of a line, too, for sn_input_open() */
#define SN_MONROE_MEMBERS_MAX 256           /* of an object */
/* What the original refuses as too old. */
#define SN_MONROE_AGE_MAX_NS (14 * 86400 * SN_NS_PER_S)

struct sn_monroe_options {
	bool strict;
	int64_t oldest_ns;                   /* records before this time are bad; 0: none is */
	const struct sn_monroe_table *table; /* of records without DataId; NULL: they are bad */
};

struct sn_monroe_reader;

/* `input` and `intake` are borrowed, `options` copied. */
struct sn_monroe_reader *sn_monroe_reader_create(struct sn_input *input,
						 const struct sn_monroe_options *options,
						 const struct sn_intake *intake);
void sn_monroe_reader_destroy(struct sn_monroe_reader *reader);

/*
 * Reads on until `rows_max` more rows are there, or SN_INTAKE_LINES_MAX lines were read: 1; or the
 * end: 0.  Negative, after the rows before
 * it: what sn_input_next() returns, -ECANCELED; when strict -EINVAL for a mistake in the syntax and
 * for a file without an object.
 */
int sn_monroe_reader_read(struct sn_monroe_reader *reader, size_t rows_max, struct sn_err *err);
const struct sn_intake_counts *sn_monroe_reader_counts(const struct sn_monroe_reader *reader);

/* Goes through the file without taking rows: 0 if a strict reader would reach its end. */
int sn_monroe_json_check(struct sn_input *input, struct sn_err *err);

#endif
