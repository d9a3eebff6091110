/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: what the meter found as rows of datasets, to one descriptor, as JSON Lines
 * or CSV.
 *
 * Shared by the workers: each has its own sink, which collects whole lines.  Each
 * JSON line begins with the name of its dataset, unless all are of `flow`.  The
 * first error is kept and given back by every later call.
 */
#ifndef SONDE_METER_OUTPUT_ROWS_H
#define SONDE_METER_OUTPUT_ROWS_H

#include "base/err.h"
#include "data/dataset.h"
#include "meter/output/sink.h"

enum sn_rows_format { SN_ROWS_OUT_JSON, SN_ROWS_OUT_CSV };

struct sn_rows_options {
	int fd;           /* borrowed */
	const char *name; /* of it, for messages; borrowed */
	enum sn_rows_format format;
	bool strict;          /* identifiers of videos are told as "XXX" */
	const char *datasets; /* "flow,tstat_tcp_complete"; NULL: flow.  Of CSV one: it has one
				 header */
};

struct sn_rows_out;
/* -EINVAL: datasets that the meter has no rows of. */
int sn_rows_out_create(const struct sn_rows_options *options, struct sn_rows_out **rows,
		       struct sn_err *err);
void sn_rows_out_destroy(struct sn_rows_out *rows); /* after its sinks; NULL is fine */
struct sn_sink sn_rows_sink_create(struct sn_rows_out *rows);

bool sn_rows_out_wants(const struct sn_rows_out *rows, const char *dataset);
/* Each line says of which dataset it is. */
bool sn_rows_out_is_named(const struct sn_rows_out *rows);
/* Whole lines that somebody else made (series/rows.h), at once. */
int sn_rows_out_write(struct sn_rows_out *rows, struct sn_str lines);

#endif
