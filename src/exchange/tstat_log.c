/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tstat_log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "base/util.h"
#include "data/scalar.h"

#define REASON_MAX    160
#define PLAIN_DIGITS  18                  /* always fit into 63 bits */
#define MILLIS_DIGITS 13                  /* with six more they fit into 64 bits */
#define EXACT_INTEGER (UINT64_C(1) << 53) /* up to here doubles hold every whole number */
#define HTTP_KIND     5                   /* the field that tells responses from requests */
#define REPLACEMENT   "\xef\xbf\xbd"      /* U+FFFD */

enum kind { KIND_SKIP, KIND_INTEGER, KIND_DECIMAL, KIND_TEXT };

/* What a field of the line is. */
struct field {
	uint8_t kind;
	bool is_time;   /* when the row began */
	int16_t column; /* of the dataset */
	int16_t source; /* of the table; -1: unknown */
};

struct layout {
	const struct sn_tstat_table *table;
	const struct field *time; /* the field that tells when; NULL: no header yet */
	unsigned time_digits;     /* of its unit in nanoseconds: 6 for milliseconds */
	size_t count;
	struct field fields[SN_TSTAT_LOG_FIELDS_MAX];
};

struct sn_tstat_reader {
	struct sn_input *input;
	const struct sn_intake *intake;
	char *node;
	struct sn_intake_row row;
	struct sn_intake_counts counts;
	struct layout layouts[2]; /* of HTTP: requests, responses */
	struct sn_columns *columns;
	int64_t time_ns;
	struct sn_buf clean; /* a text that was not UTF-8 */
	char reason[REASON_MAX];
};

/* Where the rows of a table tell when they began. */
static const struct {
	const struct sn_dataset *dataset;
	const char *name;
	unsigned digits;
} times[] = {
	{&sn_dataset_tstat_tcp_complete, "first", 6},
	{&sn_dataset_tstat_tcp_nocomplete, "first", 6},
	{&sn_dataset_tstat_udp_complete, "c_first_abs", 6},
	{&sn_dataset_tstat_http_complete, "time_abs", 9},
	{&sn_dataset_tstat_dns_complete, "time", 6},
	{&sn_dataset_tstat_video_complete, "first", 6},
	{&sn_dataset_tstat_mm_complete, "starttime", 9},
	{&sn_dataset_tstat_chat_complete, "first_tm", 9},
	{&sn_dataset_tstat_chat_messages, "first_tm", 9},
	{&sn_dataset_tstat_tcp_periodic, "time_abs_start", 6},
	{&sn_dataset_tstat_udp_periodic, "time_abs_start", 6},
};

const struct sn_tstat_table *sn_tstat_log_table(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	for (size_t i = 0; i < SN_TSTAT_LOGS; i++) {
		const struct sn_tstat_table *table = &sn_tstat_tables[i];
		size_t n = strlen(table->name);

		if (strncmp(name, table->name, n) == 0 && (name[n] == '\0' || name[n] == '.'))
			return table->dataset != NULL ? table : NULL;
	}
	return NULL;
}

struct sn_tstat_reader *sn_tstat_reader_create(struct sn_input *input,
					       const struct sn_tstat_table *table,
					       struct sn_str node, const struct sn_intake *intake)
{
	struct sn_tstat_reader *reader = sn_new(struct sn_tstat_reader);

	assert(table->dataset != NULL);
	reader->input = input;
	reader->intake = intake;
	reader->node = node.n > 0 ? sn_xstrndup(node.p, node.n) : NULL;
	reader->layouts[0].table = table;
	reader->layouts[1].table = &sn_tstat_http_responses;
	sn_intake_row_init(&reader->row, intake, table->dataset);
	return reader;
}

void sn_tstat_reader_destroy(struct sn_tstat_reader *reader)
{
	if (reader == NULL)
		return;
	sn_intake_row_finish(&reader->row);
	sn_buf_finish(&reader->clean);
	free(reader->node);
	free(reader);
}

const struct sn_intake_counts *sn_tstat_reader_counts(const struct sn_tstat_reader *reader)
{
	return &reader->counts;
}

/* Header ----------------------------------------------------------------- */

static int bad_header(struct sn_tstat_reader *reader, const char *reason, struct sn_err *err)
{
	return sn_err_set(err, -EINVAL, "cannot read '%s': line %llu: %s",
			  sn_input_name(reader->input), (unsigned long long)reader->counts.lines,
			  reason);
}

/* "c_ip:1": the name without its number, which must be `number` if it is there. */
static bool take_name(struct sn_str *word, size_t number)
{
	const char *colon = memchr(word->p, ':', word->n);
	struct sn_str digits;
	uint64_t value;

	if (colon == NULL)
		return true;
	digits = (struct sn_str){colon + 1, word->n - (size_t)(colon + 1 - word->p)};
	word->n = (size_t)(colon - word->p);
	return sn_parse_u64(digits, number, number, &value) == 0;
}

static const char *time_name(const struct sn_tstat_table *table, unsigned *digits)
{
	for (size_t i = 0; i < SN_COUNT(times); i++) {
		if (times[i].dataset == table->dataset) {
			*digits = times[i].digits;
			return times[i].name;
		}
	}
	assert(!"a dataset without a time");
	return NULL;
}

static enum kind kind_of(enum sn_tstat_type type)
{
	return type == SN_TSTAT_TYPE_INTEGER || type == SN_TSTAT_TYPE_FLAG ? KIND_INTEGER
	       : type == SN_TSTAT_TYPE_TEXT                                ? KIND_TEXT
									   : KIND_DECIMAL;
}

static struct field make_field(const struct layout *layout, struct sn_str name)
{
	int source = sn_tstat_column(layout->table, name);
	int column = source >= 0 ? sn_tstat_position(layout->table, (size_t)source) : -1;

	return (struct field){
		.kind = (uint8_t)(column >= 0 ? kind_of(layout->table->columns[source].type)
					      : KIND_SKIP),
		.column = (int16_t)column,
		.source = (int16_t)source,
	};
}

static bool has_column(const struct layout *layout, int source)
{
	for (size_t i = 0; i < layout->count; i++)
		if (source >= 0 && layout->fields[i].source == source)
			return true;
	return false;
}

static const char *add_field(struct sn_tstat_reader *reader, struct layout *layout,
			     struct sn_str word)
{
	struct field field;

	if (layout->count == SN_TSTAT_LOG_FIELDS_MAX)
		return "the header has too many columns";
	if (!take_name(&word, layout->count + 1))
		return "the columns of the header are not numbered one after the other";
	field = make_field(layout, word);
	if (has_column(layout, field.source))
		return "the header has a column twice";
	reader->counts.unknown += field.source < 0;
	field.is_time = sn_str_eqc(word, time_name(layout->table, &layout->time_digits));
	layout->fields[layout->count++] = field;
	if (field.is_time)
		layout->time = &layout->fields[layout->count - 1];
	return NULL;
}

/* Behind the first '#': "31#", "C#", "S#" or nothing. */
static struct layout *take_mark(struct sn_tstat_reader *reader, struct sn_str *rest)
{
	const char *mark = memchr(rest->p, '#', SN_MIN(rest->n, (size_t)4));
	struct layout *layout = &reader->layouts[0];

	if (mark == NULL)
		return layout;
	if (layout->table->mark != 0 && rest->p[0] == sn_tstat_http_responses.mark)
		layout = &reader->layouts[1];
	rest->n -= (size_t)(mark + 1 - rest->p);
	rest->p = mark + 1;
	return layout;
}

static int read_header(struct sn_tstat_reader *reader, struct sn_str line, struct sn_err *err)
{
	struct sn_str rest = {line.p + 1, line.n - 1}, word;
	struct layout *layout = take_mark(reader, &rest);
	const char *reason = NULL;

	layout->count = 0;
	layout->time = NULL;
	while (reason == NULL && sn_str_split(&rest, layout->table->separator, &word))
		reason = add_field(reader, layout, word);
	if (reason == NULL && layout->time == NULL)
		reason = "the header has no column that tells the time (is it another log?)";
	return reason != NULL ? bad_header(reader, reason, err) : 0;
}

/* Fields ----------------------------------------------------------------- */

static bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* "-", "--" and "---" say that there is nothing. */
static bool says_nothing(struct sn_str text)
{
	size_t i = 0;

	while (i < text.n && text.p[i] == '-')
		i++;
	return i == text.n && i <= 3;
}

/* What the reference writes for what it does not know, and where it divided by zero. */
static bool is_unknown(struct sn_str text)
{
	static const char *const words[] = {"0.0", "nan", "-nan", "inf", "-inf"};

	for (size_t i = 0; i < SN_COUNT(words); i++)
		if (sn_str_eqc(text, words[i]))
			return true;
	return false;
}

/* m * 10^-6, correctly rounded: 10^6 is 15625 * 64, and m / 15625 has bits enough before the point.
 */
static double from_millionths(uint64_t m)
{
	uint64_t whole = m / 15625, rest = m % 15625, part, top;
	int shift;

	if (m < EXACT_INTEGER)
		return (double)m / 1e6;
	part = (rest << 40) / 15625;
	shift = __builtin_clzll(whole);
	top = whole << shift | part >> (40 - shift);
	/* Below the 53 bits that stay, one bit is enough to say that there was something. */
	top |= (part << (24 + shift)) != 0 || (rest << 40) % 15625 != 0;
	return (double)top * (1.0 / 64) / (double)(UINT64_C(1) << shift);
}

static const char *fail(struct sn_tstat_reader *reader, const struct layout *layout,
			const struct field *field, const char *what)
{
	snprintf(reader->reason, sizeof(reader->reason), "'%s' %s",
		 layout->table->columns[field->source].name, what);
	return reader->reason;
}

/* The forms of numbers that are rare. */
static const char *set_number(struct sn_tstat_reader *reader, const struct layout *layout,
			      const struct field *field, struct sn_str text)
{
	struct sn_number number;
	int64_t integer;
	double value;
	int rc;

	if (says_nothing(text) || (field->kind == KIND_DECIMAL && is_unknown(text)))
		return NULL;
	if (sn_number_scan(text, &number) != text.n)
		return fail(reader, layout, field, "is not a number");
	if (field->kind == KIND_INTEGER) {
		rc = sn_number_i64(&number, &integer);
		if (rc != 0)
			return fail(reader, layout, field,
				    rc == -ERANGE ? "does not fit into 64 bits"
						  : "is not an integer");
		sn_columns_set_i64(reader->columns, field->column, integer);
		return NULL;
	}
	if (sn_number_f64(&number, &value) != 0)
		return fail(reader, layout, field, "is too large or has too many digits");
	sn_columns_set_f64(reader->columns, field->column, value);
	return NULL;
}

static struct sn_str clean_text(struct sn_tstat_reader *reader, struct sn_str text)
{
	if (sn_utf8_valid(text))
		return text;
	sn_buf_clear(&reader->clean);
	for (size_t i = 0; i < text.n;) {
		size_t length = sn_utf8_length(text.p + i, text.n - i);

		sn_buf_add(&reader->clean, length > 0 ? text.p + i : REPLACEMENT,
			   length > 0 ? length : sizeof(REPLACEMENT) - 1);
		i += length > 0 ? length : 1;
	}
	return sn_buf_str(&reader->clean);
}

static void set_text(struct sn_tstat_reader *reader, const struct field *field, struct sn_str text)
{
	if (says_nothing(text))
		return;
	text = sn_str_trim(text);
	reader->counts.cut += text.n > SN_TEXT_MAX;
	if (text.n > 0)
		sn_columns_set_text(reader->columns, field->column, clean_text(reader, text));
}

/* The digits of a time as nanoseconds, those behind them dropped; 0 if it is none. */
static int64_t read_time(struct sn_str text, unsigned unit_digits)
{
	const char *point = memchr(text.p, '.', text.n);
	struct sn_str whole = {text.p, point != NULL ? (size_t)(point - text.p) : text.n};
	struct sn_str fraction = {text.p + whole.n + 1, point != NULL ? text.n - whole.n - 1 : 0};
	uint64_t value;

	if (sn_parse_u64(whole, 0, INT64_MAX, &value) != 0)
		return 0;
	for (unsigned i = 0; i < unit_digits; i++) {
		unsigned digit = i < fraction.n ? (unsigned)(fraction.p[i] - '0') : 0;

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return 0;
	}
	return value <= INT64_MAX ? (int64_t)value : 0;
}

/* The place behind a field that begins at `p`. */
static const char *field_end(const char *p, const char *end, char separator)
{
	const char *found = p < end ? memchr(p, separator, (size_t)(end - p)) : NULL;

	return found != NULL ? found : end;
}

/*
 * Digits, a point, six digits, and the separator: what Tstat prints.  The place behind it, or `p`
 * if it is something else.
 */
static inline const char *take_decimal(const char *p, const char *end, char separator,
				       double *value)
{
	const char *from = p, *point;
	uint64_t m = 0;

	while (p < end && is_digit(*p))
		m = m * 10 + (uint64_t)(*p++ - '0');
	point = p;
	if (end - point < 7 || *point != '.' || point == from || point - from > MILLIS_DIGITS)
		return from;
	for (p = point + 1; p < point + 7; p++) {
		if (!is_digit(*p))
			return from;
		m = m * 10 + (uint64_t)(*p - '0');
	}
	if (p < end && *p != separator)
		return from;
	*value = from_millionths(m);
	return p;
}

static inline const char *take_integer(const char *p, const char *end, char separator,
				       int64_t *value)
{
	const char *from = p;
	uint64_t m = 0;

	while (p < end && is_digit(*p))
		m = m * 10 + (uint64_t)(*p++ - '0');
	if (p == from || p - from > PLAIN_DIGITS || (p < end && *p != separator))
		return from;
	*value = (int64_t)m;
	return p;
}

/* At a field: sets it and moves behind it; a reason if it is bad. */
static inline const char *take_field(struct sn_tstat_reader *reader, const struct layout *layout,
				     const struct field *field, const char **at, const char *end)
{
	char separator = layout->table->separator;
	const char *from = *at, *to = from;
	int64_t integer;
	double decimal;

	if (field->kind == KIND_INTEGER) {
		to = take_integer(from, end, separator, &integer);
		if (to != from)
			sn_columns_set_i64(reader->columns, field->column, integer);
	} else if (field->kind == KIND_DECIMAL) {
		to = take_decimal(from, end, separator, &decimal);
		if (to != from)
			sn_columns_set_f64(reader->columns, field->column, decimal);
	}
	*at = to;
	if (to != from && !field->is_time)
		return NULL;
	to = *at = field_end(from, end, separator);
	if (field->is_time)
		reader->time_ns =
			read_time((struct sn_str){from, (size_t)(to - from)}, layout->time_digits);
	if (field->kind == KIND_TEXT)
		set_text(reader, field, (struct sn_str){from, (size_t)(to - from)});
	else if (field->kind != KIND_SKIP)
		return set_number(reader, layout, field,
				  (struct sn_str){from, (size_t)(to - from)});
	return NULL;
}

/* Lines ------------------------------------------------------------------ */

static const char *wrong_count(struct sn_tstat_reader *reader, const struct layout *layout,
			       struct sn_str line)
{
	const char *p = line.p, *end = line.p + line.n;
	size_t count = 1;

	while ((p = field_end(p, end, layout->table->separator)) != end) {
		count++;
		p++;
	}
	snprintf(reader->reason, sizeof(reader->reason), "%zu fields where the header has %zu",
		 count, layout->count);
	return reader->reason;
}

static const char *read_fields(struct sn_tstat_reader *reader, const struct layout *layout,
			       struct sn_str line)
{
	const char *p = line.p, *end = line.p + line.n, *reason;

	for (size_t i = 0; i < layout->count; i++) {
		if (i > 0 && p == end)
			return wrong_count(reader, layout, line);
		p += i > 0;
		reason = take_field(reader, layout, &layout->fields[i], &p, end);
		if (reason != NULL)
			return reason;
	}
	if (p != end)
		return wrong_count(reader, layout, line);
	if (reader->time_ns <= 0)
		return fail(reader, layout, layout->time, "is not a point in time");
	return NULL;
}

/* Requests and responses stand in one file; the word in a response tells them apart. */
static const struct layout *layout_of(const struct sn_tstat_reader *reader, struct sn_str line)
{
	const struct layout *layout = &reader->layouts[0];
	const char *p = line.p, *end = line.p + line.n, *to;
	struct sn_str word;

	if (layout->table->mark == 0)
		return layout;
	for (unsigned i = 0; i < HTTP_KIND; i++) {
		p = field_end(p, end, layout->table->separator);
		if (p == end)
			return layout;
		p++;
	}
	to = field_end(p, end, layout->table->separator);
	word = (struct sn_str){p, (size_t)(to - p)};
	return sn_str_eqc(word, "HTTP") || sn_str_eqc(word, "RES2") ? &reader->layouts[1] : layout;
}

static const char *read_row(struct sn_tstat_reader *reader, const struct sn_input_line *line)
{
	const struct layout *layout = layout_of(reader, line->text);
	const char *reason;

	if (line->too_long)
		return "the line is too long";
	if (!line->whole)
		return "the line has no end: the file was cut";
	if (layout->time == NULL)
		return "a response, but no header for responses";
	reader->columns = sn_intake_row_begin(&reader->row);
	reader->time_ns = 0;
	reason = read_fields(reader, layout, line->text);
	if (reason != NULL) {
		sn_columns_drop_row(reader->columns);
		return reason;
	}
	sn_columns_set_time(reader->columns, SN_COL_TIME, reader->time_ns);
	if (reader->node != NULL)
		sn_columns_set_text(reader->columns, SN_COL_NODE, sn_str(reader->node));
	return NULL;
}

static int take_line(struct sn_tstat_reader *reader, const struct sn_input_line *line,
		     struct sn_err *err)
{
	const char *reason;
	int rc;

	reader->counts.lines = line->number;
	reader->counts.bytes += line->text.n + line->returned + line->whole;
	if (line->text.n > 0 && line->text.p[0] == '#')
		return read_header(reader, line->text, err);
	if (reader->layouts[0].time == NULL)
		return bad_header(reader, "no header (a line that begins with '#') is before it",
				  err);
	reason = read_row(reader, line);
	if (reason == NULL) {
		rc = sn_intake_row_end(&reader->row, reader->time_ns, err);
		reader->counts.rows += rc == 0;
		if (rc <= 0)
			return rc;
		reason = reader->row.why;
	}
	sn_intake_tell_bad(
		reader->intake, &reader->counts,
		&(struct sn_bad_line){.line = line->number, .text = line->text, .reason = reason});
	return 0;
}

int sn_tstat_reader_read(struct sn_tstat_reader *reader, size_t rows_max, struct sn_err *err)
{
	uint64_t enough = reader->counts.rows + rows_max;
	uint64_t pause = reader->counts.lines + SN_INTAKE_LINES_MAX;
	struct sn_input_line line;
	int rc = 1, taken = 0;

	sn_intake_row_resume(&reader->row);
	while (rc > 0 && taken == 0 && reader->counts.rows < enough &&
	       reader->counts.lines < pause) {
		rc = sn_input_next(reader->input, &line, err);
		if (rc > 0)
			taken = take_line(reader, &line, err);
	}
	return taken != 0 ? taken : rc;
}
