/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define ELLIPSIS     "\xe2\x80\xa6"
#define WIDTH_MIN    20 /* a narrower terminal is treated as this wide */
#define WIDTH_MAX    1000
#define SPARK_LEVELS 8

struct cell {
	char *text;
	enum sn_tone tone;
};

struct sn_table {
	const struct sn_table_column *columns;
	size_t column_count;
	struct cell *cells; /* row after row */
	size_t count, capacity;
	unsigned natural[SN_TABLE_COLUMNS_MAX];
	bool filled[SN_TABLE_COLUMNS_MAX]; /* some cell had a value */
	bool hidden[SN_TABLE_COLUMNS_MAX]; /* decided with the header */
	bool header_done;
};

/* Text ------------------------------------------------------------------ */

/* The sequence at `p`: its code point, and its length (1 for a byte that is none). */
static size_t decode(const char *p, uint32_t *code)
{
	unsigned char first = (unsigned char)p[0];
	size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	*code = length == 1 ? first : first & (0xffU >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80) {
			*code = 0xfffd;
			return 1;
		}
		*code = *code << 6 | ((unsigned char)p[i] & 0x3f);
	}
	if (length == 1 && first >= 0x80)
		*code = 0xfffd;
	return length;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* Unicode Standard Annex 11 in rough: what terminals draw over two cells, or none. */
static unsigned code_width(uint32_t code)
{
	static const struct range none[] = {
		{0x300, 0x36f}, {0x200b, 0x200f}, {0x2060, 0x2064}, {0xfe00, 0xfe0f}};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0xa4cf},  {0xac00, 0xd7a3}, {0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
		{0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

	if (code < 0x300)
		return 1;
	if (in_ranges(code, none, SN_COUNT(none)))
		return 0;
	return in_ranges(code, wide, SN_COUNT(wide)) ? 2 : 1;
}

unsigned sn_text_width(const char *text)
{
	unsigned width = 0;
	uint32_t code;

	while (*text != '\0') {
		text += decode(text, &code);
		width += code_width(code);
	}
	return width;
}

/* Controls of C0 and C1 and broken bytes become a question mark. */
char *sn_text_defused(const char *text)
{
	struct sn_buf buf = {0};
	uint32_t code;

	while (*text != '\0') {
		size_t length = decode(text, &code);

		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xfffd)
			sn_buf_addc(&buf, '?');
		else
			sn_buf_add(&buf, text, length);
		text += length;
	}
	sn_buf_cstr(&buf);
	return buf.p;
}

void sn_print_pair(FILE *out, unsigned width, const char *label, const char *text)
{
	sn_autofree char *safe = sn_text_defused(text != NULL ? text : "");

	fprintf(out, "%-*s %s\n", (int)width, label, safe);
}

/* Bytes of `text` that fill at most `width` columns; stores how many they fill. */
static size_t cut(const char *text, unsigned width, unsigned *filled)
{
	size_t bytes = 0;
	uint32_t code;

	*filled = 0;
	while (text[bytes] != '\0') {
		size_t length = decode(text + bytes, &code);

		if (*filled + code_width(code) > width)
			break;
		*filled += code_width(code);
		bytes += length;
	}
	return bytes;
}

/* Terminal -------------------------------------------------------------- */

unsigned sn_terminal_width(FILE *out)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width;

	if (!isatty(fileno(out)))
		return 0;
	if (columns != NULL && sn_parse_u64(sn_str(columns), WIDTH_MIN, WIDTH_MAX, &width) == 0)
		return (unsigned)width;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return SN_MAX((unsigned)size.ws_col, (unsigned)WIDTH_MIN);
}

bool sn_terminal_colour(FILE *out)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color != NULL && *no_color != '\0')
		return false;
	return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
}

const char *sn_tone_start(enum sn_tone tone, bool colour)
{
	static const char *const starts[] = {
		[SN_TONE_PLAIN] = "",        [SN_TONE_GOOD] = "\033[32m",
		[SN_TONE_WARN] = "\033[33m", [SN_TONE_BAD] = "\033[1;31m",
		[SN_TONE_QUIET] = "\033[2m",
	};

	return colour ? starts[tone] : "";
}

const char *sn_tone_end(enum sn_tone tone, bool colour)
{
	return colour && tone != SN_TONE_PLAIN ? "\033[0m" : "";
}

/* Building -------------------------------------------------------------- */

struct sn_table *sn_table_create(const struct sn_table_column *columns, size_t count)
{
	struct sn_table *table = sn_new(struct sn_table);

	assert(count > 0 && count <= SN_TABLE_COLUMNS_MAX);
	table->columns = columns;
	table->column_count = count;
	for (size_t i = 0; i < count; i++)
		table->natural[i] = SN_MAX(sn_text_width(columns[i].header), columns[i].least);
	return table;
}

static void forget_rows(struct sn_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	table->count = 0;
}

void sn_table_destroy(struct sn_table *table)
{
	if (table == NULL)
		return;
	forget_rows(table);
	free(table->cells);
	free(table);
}

void sn_table_cell(struct sn_table *table, enum sn_tone tone, const char *text)
{
	size_t column = table->count % table->column_count;
	struct cell cell = {.tone = tone};
	unsigned width;

	table->filled[column] |= text != NULL && *text != '\0';
	cell.text = sn_text_defused(text == NULL || *text == '\0' ? "-" : text);
	width = sn_text_width(cell.text);
	table->natural[column] = SN_MAX(table->natural[column], width);
	if (table->count == table->capacity) {
		table->capacity = SN_MAX(table->capacity * 2, (size_t)64);
		table->cells = sn_xrealloc(table->cells, table->capacity, sizeof(struct cell));
	}
	table->cells[table->count++] = cell;
}

void sn_table_cellf(struct sn_table *table, enum sn_tone tone, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sn_table_cell(table, tone, text);
}

size_t sn_table_rows(const struct sn_table *table)
{
	return table->count / table->column_count;
}

/* Layout ---------------------------------------------------------------- */

static unsigned line_width(const unsigned *widths, size_t count)
{
	unsigned total = 0, columns = 0;

	for (size_t i = 0; i < count; i++) {
		total += widths[i];
		columns += widths[i] > 0;
	}
	return total + (columns > 0 ? (columns - 1) * SN_TABLE_GAP : 0);
}

/* The widest column that may still give something, or -1. */
static int widest(const struct sn_table_column *columns, const unsigned *widths, size_t count)
{
	int best = -1;

	for (size_t i = 0; i < count; i++) {
		if (!columns[i].shrink || widths[i] <= SN_TABLE_SHRINK_MIN)
			continue;
		if (best < 0 || widths[i] > widths[best])
			best = (int)i;
	}
	return best;
}

static int most_dispensable(const struct sn_table_column *columns, const unsigned *widths,
			    size_t count)
{
	int best = -1;

	for (size_t i = 0; i < count; i++) {
		if (columns[i].drop == 0 || widths[i] == 0)
			continue;
		if (best < 0 || columns[i].drop > columns[best].drop)
			best = (int)i;
	}
	return best;
}

static void shrink(const struct sn_table_column *columns, size_t count, unsigned total,
		   unsigned *widths)
{
	int column;

	while (line_width(widths, count) > total && (column = widest(columns, widths, count)) >= 0)
		widths[column]--;
}

void sn_table_layout(const struct sn_table_column *columns, const unsigned *natural, size_t count,
		     unsigned total, unsigned *widths)
{
	bool dropped[SN_TABLE_COLUMNS_MAX] = {false};

	for (;;) {
		int column;

		/* Anew each time: what a dropped column frees goes to the shortened ones. */
		for (size_t i = 0; i < count; i++)
			widths[i] = dropped[i] ? 0 : natural[i];
		if (total == 0)
			return;
		shrink(columns, count, total, widths);
		if (line_width(widths, count) <= total)
			return;
		column = most_dispensable(columns, widths, count);
		if (column < 0)
			return;
		dropped[column] = true;
	}
}

/* Printing -------------------------------------------------------------- */

static void print_cell(const char *text, unsigned width, bool right, bool last, FILE *out)
{
	unsigned filled;
	bool fits = sn_text_width(text) <= width;
	size_t bytes = cut(text, fits || width == 0 ? width : width - 1, &filled);

	if (!fits)
		filled++;
	if (right)
		fprintf(out, "%*s", (int)(width - filled), "");
	fwrite(text, 1, bytes, out);
	if (!fits)
		fputs(ELLIPSIS, out);
	if (!right && !last)
		fprintf(out, "%*s", (int)(width - filled), "");
}

static size_t last_shown(const unsigned *widths, size_t count)
{
	while (count > 1 && widths[count - 1] == 0)
		count--;
	return count - 1;
}

static void print_row(const struct sn_table *table, const struct cell *cells,
		      const unsigned *widths, bool colour, FILE *out)
{
	size_t last = last_shown(widths, table->column_count);
	const char *gap = "";

	for (size_t i = 0; i <= last; i++) {
		if (widths[i] == 0)
			continue;
		fprintf(out, "%s%s", gap, sn_tone_start(cells[i].tone, colour));
		print_cell(cells[i].text, widths[i], table->columns[i].right, i == last, out);
		fputs(sn_tone_end(cells[i].tone, colour), out);
		gap = "  ";
	}
	fputc('\n', out);
}

static void print_header(const struct sn_table *table, const unsigned *widths, bool colour,
			 FILE *out)
{
	struct cell cells[SN_TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < table->column_count; i++)
		cells[i] = (struct cell){(char *)table->columns[i].header, SN_TONE_QUIET};
	print_row(table, cells, widths, colour, out);
}

static void decide_hidden(struct sn_table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		table->hidden[i] = table->columns[i].sparse && !table->filled[i];
}

void sn_table_print(struct sn_table *table, FILE *out, unsigned width, bool colour)
{
	unsigned natural[SN_TABLE_COLUMNS_MAX] = {0}, widths[SN_TABLE_COLUMNS_MAX] = {0};

	assert(table->count % table->column_count == 0);
	if (!table->header_done)
		decide_hidden(table);
	for (size_t i = 0; i < table->column_count; i++)
		natural[i] = table->hidden[i] ? 0 : table->natural[i];
	sn_table_layout(table->columns, natural, table->column_count, width, widths);
	if (!table->header_done)
		print_header(table, widths, colour, out);
	table->header_done = true;
	for (size_t i = 0; i < table->count; i += table->column_count)
		print_row(table, table->cells + i, widths, colour, out);
	forget_rows(table);
}

void sn_table_show(struct sn_table *table, FILE *out)
{
	sn_table_print(table, out, sn_terminal_width(out), sn_terminal_colour(out));
}

/* Sparkline ------------------------------------------------------------- */

char *sn_sparkline(const double *values, size_t count)
{
	double min = INFINITY, max = -INFINITY;
	struct sn_buf buf = {0};

	for (size_t i = 0; i < count; i++) {
		min = fmin(min, values[i]);
		max = fmax(max, values[i]);
	}
	for (size_t i = 0; i < count; i++) {
		double share = max > min ? (values[i] - min) / (max - min) : 0;
		unsigned level = (unsigned)SN_MIN(share * SPARK_LEVELS, SPARK_LEVELS - 1.0);
		/* U+2581 .. U+2588 */
		char block[] = {(char)0xe2, (char)0x96, (char)(0x81 + level)};

		if (isnan(values[i]))
			sn_buf_addc(&buf, ' ');
		else
			sn_buf_add(&buf, block, sizeof(block));
	}
	sn_buf_cstr(&buf);
	return buf.p;
}
