/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV (RFC 4180): records end with CR LF, readers take LF too.  An empty field is
 * no value, a quoted empty field is the empty text, so that both come back.
 */
#include "data/codec.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/scalar.h"

#define FIELDS_MAX 1024 /* in a header line, known and unknown ones */

/* Writing ---------------------------------------------------------------- */

/* Bytes that are not UTF-8 become U+FFFD, quotes are doubled. */
static void add_quoted(struct sn_buf *out, struct sn_str text)
{
	sn_buf_addc(out, '"');
	for (size_t i = 0; i < text.n;) {
		size_t length = sn_utf8_length(text.p + i, text.n - i);

		if (length == 0)
			sn_buf_adds(out, "\xef\xbf\xbd");
		else if (text.p[i] == '"')
			sn_buf_adds(out, "\"\"");
		else
			sn_buf_add(out, text.p + i, length);
		i += length > 0 ? length : 1;
	}
	sn_buf_addc(out, '"');
}

static bool needs_quotes(struct sn_str text)
{
	if (text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ')
		return true;
	for (size_t i = 0; i < text.n; i++)
		if (memchr(",\"\r\n", text.p[i], 4) != NULL)
			return true;
	return !sn_utf8_valid(text);
}

static void write_value(struct sn_buf *out, const struct sn_value *value)
{
	switch (value->type) {
	case SN_TYPE_BOOL:
		sn_buf_adds(out, value->b ? "true" : "false");
		break;
	case SN_TYPE_I64:
		sn_buf_add_i64(out, value->i);
		break;
	case SN_TYPE_F64:
		if (isfinite(value->f))
			sn_scalar_add_f64(out, value->f);
		break;
	case SN_TYPE_TEXT:
		if (needs_quotes(value->s))
			add_quoted(out, value->s);
		else
			sn_buf_add(out, value->s.p, value->s.n);
		break;
	case SN_TYPE_TIME:
		sn_scalar_add_time(out, value->i);
		break;
	case SN_TYPE_NULL:
		break;
	}
}

void sn_csv_write_header(struct sn_buf *out, const struct sn_dataset *dataset)
{
	for (size_t i = 0; i < dataset->column_count; i++) {
		if (i > 0)
			sn_buf_addc(out, ',');
		sn_buf_adds(out, dataset->columns[i].name);
	}
	sn_buf_adds(out, "\r\n");
}

void sn_csv_write_row(struct sn_buf *out, const struct sn_dataset *dataset,
		      const struct sn_value *row)
{
	for (size_t i = 0; i < dataset->column_count; i++) {
		if (i > 0)
			sn_buf_addc(out, ',');
		write_value(out, &row[i]);
	}
	sn_buf_adds(out, "\r\n");
}

/* Reading ---------------------------------------------------------------- */

struct field {
	struct sn_str text;
	bool quoted;
	bool last; /* of its record */
};

struct sn_csv {
	struct sn_str rest;
	size_t line; /* of the place where `rest` begins; from 1 */
	struct sn_batch *batch;
	const struct sn_dataset *dataset;
	int columns[FIELDS_MAX]; /* of the dataset, -1: unknown */
	size_t column_count;
	struct sn_buf decoded; /* the field read last, if it was quoted */
	struct sn_err *err;
};

static int refuse(struct sn_csv *reader, const char *reason)
{
	return sn_err_set(reader->err, -EINVAL, "%s", reason);
}

static void drop(struct sn_csv *reader, size_t count)
{
	reader->rest.p += count;
	reader->rest.n -= count;
}

/* What stands behind a field: a comma, or the end of its record. */
static int take_separator(struct sn_csv *reader, struct field *field)
{
	struct sn_str rest = reader->rest;

	field->last = rest.n == 0 || rest.p[0] != ',';
	if (rest.n == 0)
		return 0;
	if (rest.p[0] == '\r' && rest.n > 1 && rest.p[1] == '\n')
		drop(reader, 2);
	else if (rest.p[0] == ',' || rest.p[0] == '\n')
		drop(reader, 1);
	else
		return refuse(reader, "neither ',' nor a line's end behind a field");
	return 0;
}

static int read_quoted(struct sn_csv *reader, struct field *field)
{
	sn_buf_clear(&reader->decoded);
	drop(reader, 1);
	for (;;) {
		const char *quote =
			reader->rest.n > 0 ? memchr(reader->rest.p, '"', reader->rest.n) : NULL;

		if (quote == NULL)
			return refuse(reader, "a quoted field without an end");
		sn_buf_add(&reader->decoded, reader->rest.p, (size_t)(quote - reader->rest.p));
		drop(reader, (size_t)(quote - reader->rest.p) + 1);
		if (reader->rest.n == 0 || reader->rest.p[0] != '"')
			break;
		sn_buf_addc(&reader->decoded, '"');
		drop(reader, 1);
	}
	field->text = sn_buf_str(&reader->decoded);
	return 0;
}

static int read_field(struct sn_csv *reader, struct field *field)
{
	struct sn_str rest = reader->rest;
	size_t n = 0;

	field->quoted = rest.n > 0 && rest.p[0] == '"';
	if (field->quoted) {
		if (read_quoted(reader, field) != 0)
			return -EINVAL;
		return take_separator(reader, field);
	}
	while (n < rest.n && memchr(",\"\r\n", rest.p[n], 4) == NULL)
		n++;
	if (n < rest.n && rest.p[n] == '"')
		return refuse(reader, "a quote inside a field without quotes");
	field->text = (struct sn_str){rest.p, n};
	drop(reader, n);
	return take_separator(reader, field);
}

static int find_column(const struct sn_dataset *dataset, struct sn_str name)
{
	for (size_t i = 0; i < dataset->column_count; i++)
		if (sn_str_eqc(name, dataset->columns[i].name))
			return (int)i;
	return -1;
}

static int read_header(struct sn_csv *reader)
{
	uint64_t seen[SN_DATASET_COLUMNS_MAX / 64] = {0};
	struct field field = {.last = false};

	if (reader->rest.n == 0)
		return refuse(reader, "no header");
	while (!field.last) {
		int column;

		if (read_field(reader, &field) != 0)
			return -EINVAL;
		if (reader->column_count == FIELDS_MAX)
			return refuse(reader, "too many columns");
		column = find_column(reader->dataset, field.text);
		if (column >= 0 && (seen[column / 64] >> (column % 64) & 1) != 0)
			return sn_err_set(reader->err, -EINVAL, "column '%s' is given twice",
					  reader->dataset->columns[column].name);
		if (column >= 0)
			seen[column / 64] |= UINT64_C(1) << (column % 64);
		reader->columns[reader->column_count++] = column;
	}
	return 0;
}

static const char *set_bool(struct sn_batch *batch, int column, struct sn_str text)
{
	if (!sn_str_eqc(text, "true") && !sn_str_eqc(text, "false"))
		return "is not true or false";
	sn_batch_set_bool(batch, column, text.p[0] == 't');
	return NULL;
}

static const char *set_i64(struct sn_batch *batch, int column, struct sn_str text)
{
	struct sn_number number;
	int64_t value;
	int rc;

	if (sn_number_scan(text, &number) != text.n || text.n == 0)
		return "is not an integer";
	rc = sn_number_i64(&number, &value);
	if (rc != 0)
		return rc == -ERANGE ? "does not fit into 64 bits" : "is not an integer";
	sn_batch_set_i64(batch, column, value);
	return NULL;
}

static const char *set_f64(struct sn_batch *batch, int column, struct sn_str text)
{
	struct sn_number number;
	double value;

	if (sn_number_scan(text, &number) != text.n || text.n == 0)
		return "is not a number";
	if (sn_number_f64(&number, &value) != 0)
		return "is too large or has too many digits";
	sn_batch_set_f64(batch, column, value);
	return NULL;
}

static const char *set_text(struct sn_batch *batch, int column, struct sn_str text)
{
	if (text.n > SN_TEXT_MAX)
		return "is too long";
	if (!sn_utf8_valid(text) || (text.n > 0 && memchr(text.p, '\0', text.n) != NULL))
		return "is not UTF-8 text";
	sn_batch_set_text(batch, column, text);
	return NULL;
}

static const char *set_time(struct sn_batch *batch, int column, struct sn_str text)
{
	int64_t value;

	if (sn_time_scan(text, &value) != 0)
		return "is not a time (RFC 3339)";
	sn_batch_set_time(batch, column, value);
	return NULL;
}

static int set_column(struct sn_csv *reader, int column, const struct field *field)
{
	static const char *(*const setters[])(struct sn_batch *, int, struct sn_str) = {
		[SN_TYPE_BOOL] = set_bool, [SN_TYPE_I64] = set_i64,   [SN_TYPE_F64] = set_f64,
		[SN_TYPE_TEXT] = set_text, [SN_TYPE_TIME] = set_time,
	};
	const char *reason;

	if (column < 0 || (field->text.n == 0 && !field->quoted))
		return 0;
	reason = setters[reader->dataset->columns[column].type](reader->batch, column, field->text);
	if (reason != NULL)
		return sn_err_set(reader->err, -EINVAL, "'%s' %s",
				  reader->dataset->columns[column].name, reason);
	return 0;
}

static int read_record(struct sn_csv *reader)
{
	struct field field = {.last = false};
	size_t count = 0;

	while (!field.last) {
		if (read_field(reader, &field) != 0)
			return -EINVAL;
		if (count < reader->column_count &&
		    set_column(reader, reader->columns[count], &field) != 0)
			return -EINVAL;
		count++;
	}
	if (count != reader->column_count)
		return sn_err_set(reader->err, -EINVAL, "%zu fields where the header has %zu",
				  count, reader->column_count);
	return 0;
}

static int add_record(struct sn_csv *reader)
{
	int rc;

	sn_batch_add_row(reader->batch);
	rc = read_record(reader);
	if (rc != 0)
		sn_batch_drop_row(reader->batch);
	return rc;
}

static size_t count_lines(const char *from, const char *to)
{
	size_t lines = 0;

	for (; (from = memchr(from, '\n', (size_t)(to - from))) != NULL; from++)
		lines++;
	return lines;
}

static int read_records(struct sn_csv *reader, size_t rows_max)
{
	for (size_t rows = 0; reader->rest.n > 0; rows++) {
		const char *start = reader->rest.p;

		if (rows == rows_max)
			return sn_err_set(reader->err, -E2BIG, "more than %zu rows", rows_max);
		if (add_record(reader) != 0)
			return -EINVAL;
		/* Quoted fields may hold line feeds. */
		reader->line += count_lines(start, reader->rest.p);
	}
	return 0;
}

static int begin(struct sn_csv *reader, struct sn_str text)
{
	reader->rest = text;
	/* The byte order mark that spreadsheets put in front. */
	if (sn_str_has_prefix(text, "\xef\xbb\xbf"))
		drop(reader, 3);
	reader->column_count = 0;
	return read_header(reader);
}

int sn_csv_read(struct sn_batch *batch, struct sn_str text, size_t rows_max, struct sn_err *err)
{
	struct sn_csv reader = {
		.line = 1,
		.batch = batch,
		.dataset = sn_batch_dataset(batch),
		.err = err,
	};
	int rc = begin(&reader, text);

	if (rc == 0) {
		reader.line += count_lines(text.p, reader.rest.p);
		rc = read_records(&reader, rows_max);
	}
	if (rc != 0 && err != NULL)
		sn_err_wrap(err, "line %zu", reader.line);
	sn_buf_finish(&reader.decoded);
	return rc;
}

/* One record after the other ------------------------------------------------ */

struct sn_csv *sn_csv_create(const struct sn_dataset *dataset)
{
	struct sn_csv *csv = sn_new(struct sn_csv);

	csv->dataset = dataset;
	return csv;
}

void sn_csv_destroy(struct sn_csv *csv)
{
	if (csv == NULL)
		return;
	sn_buf_finish(&csv->decoded);
	free(csv);
}

static int at_end(struct sn_csv *csv)
{
	return csv->rest.n == 0 ? 0 : refuse(csv, "bytes behind the record");
}

int sn_csv_header(struct sn_csv *csv, struct sn_str record, struct sn_err *err)
{
	int rc;

	csv->err = err;
	rc = begin(csv, record);
	return rc == 0 ? at_end(csv) : rc;
}

int sn_csv_row(struct sn_csv *csv, struct sn_batch *batch, struct sn_str record, struct sn_err *err)
{
	int rc;

	assert(sn_batch_dataset(batch) == csv->dataset);
	csv->rest = record;
	csv->batch = batch;
	csv->err = err;
	rc = add_record(csv);
	if (rc == 0 && at_end(csv) != 0) {
		sn_batch_drop_row(batch);
		rc = -EINVAL;
	}
	return rc;
}

size_t sn_csv_unknown(const struct sn_csv *csv)
{
	size_t unknown = 0;

	for (size_t i = 0; i < csv->column_count; i++)
		unknown += csv->columns[i] < 0;
	return unknown;
}
