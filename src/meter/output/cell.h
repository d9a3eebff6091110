/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell: values of one row on their way to text, in the order of the dataset's
 * columns.
 *
 * A row of the meter goes from the flow to JSON or CSV without a batch in between:
 * texts are borrowed, times and durations stay whole nanoseconds.  What is written
 * is what data/codec.h reads.
 */
#ifndef SONDE_METER_OUTPUT_CELL_H
#define SONDE_METER_OUTPUT_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "data/dataset.h"

enum sn_cell_kind {
	SN_CELL_NONE,
	SN_CELL_BOOL,
	SN_CELL_INTEGER,
	SN_CELL_SECONDS, /* nanoseconds, written as seconds */
	SN_CELL_FIXED,   /* six decimals, as in Tstat's logs; not finite: none */
	SN_CELL_TIME,    /* Unix nanoseconds */
	SN_CELL_TEXT,
	SN_CELL_WORD, /* a text of ours: letters, digits, nothing that is escaped */
	SN_CELL_ADDRESS,
};

struct sn_view_address;

struct sn_cell {
	enum sn_cell_kind kind;
	union {
		int64_t i;
		double f;
		struct sn_str s;
		const struct sn_view_address *a;
	};
};

/* What stands before a value in JSON: ,"name": and the quote that the value begins with. */
#define SN_CELL_KEY_MAX 32
struct sn_cell_key {
	char text[SN_CELL_KEY_MAX + 1];
	uint8_t n;
};

/* How rows of one dataset are written; keeps the texts of the last seconds. */
#define SN_CELL_SECONDS_KEPT 64
struct sn_cell_writer {
	const struct sn_dataset *dataset;
	struct sn_cell_key *keys; /* by column */
	struct sn_buf head;       /* what a JSON line begins with */
	size_t room;              /* for a row without its texts */
	struct {
		int64_t second;
		char text[20]; /* "2026-03-01T12:00:00." */
	} seconds[SN_CELL_SECONDS_KEPT];
};

/* `with_name`: lines begin with the dataset's name. */
void sn_cell_writer_init(struct sn_cell_writer *writer, const struct sn_dataset *dataset,
			 bool with_name);
void sn_cell_writer_finish(struct sn_cell_writer *writer);
void sn_cell_write_json(struct sn_cell_writer *writer, const struct sn_cell *cells,
			struct sn_buf *out);
void sn_cell_write_csv(struct sn_cell_writer *writer, const struct sn_cell *cells,
		       struct sn_buf *out);

#endif
