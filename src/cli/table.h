/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: aligned columns for people, as wide as the terminal.
 *
 * Cells are UTF-8; control characters are shown as '?', so that nothing that came
 * over the network can drive the terminal.  A table that does not fit first
 * shortens its wide text columns (with an ellipsis), then leaves out the columns
 * that declare themselves dispensable.
 */
#ifndef SONDE_CLI_TABLE_H
#define SONDE_CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/util.h"

#define SN_TABLE_COLUMNS_MAX 64
#define SN_TABLE_SHRINK_MIN  12 /* a shortened column keeps this much */
#define SN_TABLE_GAP         2  /* blanks between two columns */

enum sn_tone { SN_TONE_PLAIN, SN_TONE_GOOD, SN_TONE_WARN, SN_TONE_BAD, SN_TONE_QUIET };

struct sn_table_column {
	const char *header;
	bool right;     /* numbers */
	bool shrink;    /* may be shortened */
	unsigned drop;  /* 0: never left out; else the highest goes first */
	bool sparse;    /* left out while no row has a value in it */
	unsigned least; /* width that later rows will need */
};

struct sn_table;

/* `columns` and their texts are borrowed. */
struct sn_table *sn_table_create(const struct sn_table_column *columns, size_t count);
void sn_table_destroy(struct sn_table *table);
/* The next cell of the row; after the last column the next row begins.  NULL is "-". */
void sn_table_cell(struct sn_table *table, enum sn_tone tone, const char *text);
void sn_table_cellf(struct sn_table *table, enum sn_tone tone, const char *format, ...)
	SN_PRINTF(3, 4);
size_t sn_table_rows(const struct sn_table *table);
/*
 * Prints and forgets the rows.  The header comes with the first print only; later
 * rows keep the widths or widen them.
 */
void sn_table_print(struct sn_table *table, FILE *out, unsigned width, bool colour);
/* The same with what `out` is: its width, its ability to show colour. */
void sn_table_show(struct sn_table *table, FILE *out);

/*
 * The arithmetic alone: natural widths in, printed widths out; 0 leaves a column
 * out.  `total` 0 means that there is no limit.
 */
void sn_table_layout(const struct sn_table_column *columns, const unsigned *natural, size_t count,
		     unsigned total, unsigned *widths);

/* With '?' for what could drive a terminal; malloc'ed. */
char *sn_text_defused(const char *text);
/* A label, padded to `width`, and a text that came from elsewhere. */
void sn_print_pair(FILE *out, unsigned width, const char *label, const char *text);
unsigned sn_text_width(const char *text); /* columns on a terminal */
unsigned sn_terminal_width(FILE *out);    /* 0 if it is none; COLUMNS counts only for one */
bool sn_terminal_colour(FILE *out);       /* a terminal, and no NO_COLOR */
/* Starts and ends a tone on a stream that shows colour; "" else. */
const char *sn_tone_start(enum sn_tone tone, bool colour);
const char *sn_tone_end(enum sn_tone tone, bool colour);

/* One block character for each value between min and max of all; NaN is a blank.  malloc'ed. */
char *sn_sparkline(const double *values, size_t count);

#endif
