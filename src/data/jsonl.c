/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Lines.  The reader goes over a line once, without a tree and, but for
 * texts with escapes, without copies: it is what every row of every node passes.
 */
#include "data/codec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "data/json_read.h"
#include "data/scalar.h"

/* Writing ---------------------------------------------------------------- */

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
		sn_scalar_add_f64(out, value->f);
		break;
	case SN_TYPE_TEXT:
		sn_buf_addc(out, '"');
		sn_json_escape(out, value->s);
		sn_buf_addc(out, '"');
		break;
	case SN_TYPE_TIME:
		sn_buf_addc(out, '"');
		sn_scalar_add_time(out, value->i);
		sn_buf_addc(out, '"');
		break;
	case SN_TYPE_NULL:
		break;
	}
}

static bool has_value(const struct sn_value *value)
{
	return value->type != SN_TYPE_NULL && (value->type != SN_TYPE_F64 || isfinite(value->f));
}

void sn_jsonl_write_row(struct sn_buf *out, const struct sn_dataset *dataset,
			const struct sn_value *row)
{
	char before = '{';

	for (size_t i = 0; i < dataset->column_count; i++) {
		if (!has_value(&row[i]))
			continue;
		sn_buf_addc(out, before);
		sn_buf_addc(out, '"');
		sn_buf_adds(out, dataset->columns[i].name);
		sn_buf_add(out, "\":", 2);
		write_value(out, &row[i]);
		before = ',';
	}
	sn_buf_adds(out, before == '{' ? "{}\n" : "}\n");
}

void sn_jsonl_write(struct sn_buf *out, const struct sn_batch *batch)
{
	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		sn_jsonl_write_row(out, sn_batch_dataset(batch), sn_batch_row(batch, i));
}

/* Reading ---------------------------------------------------------------- */

struct scanner {
	struct sn_jr jr;
	struct sn_batch *batch;
	const struct sn_column *columns;
	size_t column_count;
	size_t expected; /* column that comes next if the writer kept our order */
	uint64_t seen[SN_DATASET_COLUMNS_MAX / 64];
};

/* Only names of our own get into messages, never bytes of the input. */
static int refuse_member(struct scanner *scanner, const char *p, int column, const char *reason)
{
	return sn_err_set(scanner->jr.err, -EINVAL, "column %zu: '%s' %s",
			  (size_t)(p - scanner->jr.start) + 1, scanner->columns[column].name,
			  reason);
}

static int read_bool(struct scanner *scanner, int column)
{
	bool value = sn_jr_word(&scanner->jr, SN_STR("true"));

	if (!value && !sn_jr_word(&scanner->jr, SN_STR("false")))
		return refuse_member(scanner, scanner->jr.p, column, "is not true or false");
	sn_batch_set_bool(scanner->batch, column, value);
	return 0;
}

static bool at_number(const struct scanner *scanner)
{
	return scanner->jr.p < scanner->jr.end &&
	       (*scanner->jr.p == '-' || (*scanner->jr.p >= '0' && *scanner->jr.p <= '9'));
}

static int read_i64(struct scanner *scanner, int column)
{
	const char *start = scanner->jr.p;
	struct sn_number number;
	int64_t value;
	int rc;

	if (!at_number(scanner))
		return refuse_member(scanner, start, column, "is not an integer");
	if (sn_jr_number(&scanner->jr, &number) != 0)
		return -EINVAL;
	rc = sn_number_i64(&number, &value);
	if (rc != 0)
		return refuse_member(scanner, start, column,
				     rc == -ERANGE ? "does not fit into 64 bits"
						   : "is not an integer");
	sn_batch_set_i64(scanner->batch, column, value);
	return 0;
}

static int read_f64(struct scanner *scanner, int column)
{
	const char *start = scanner->jr.p;
	struct sn_number number;
	double value;

	if (!at_number(scanner))
		return refuse_member(scanner, start, column, "is not a number");
	if (sn_jr_number(&scanner->jr, &number) != 0)
		return -EINVAL;
	if (sn_number_f64(&number, &value) != 0)
		return refuse_member(scanner, start, column, "is too large or has too many digits");
	sn_batch_set_f64(scanner->batch, column, value);
	return 0;
}

static int read_text(struct scanner *scanner, int column)
{
	const char *start = scanner->jr.p;
	struct sn_str text;

	if (start == scanner->jr.end || *start != '"')
		return refuse_member(scanner, start, column, "is not a text");
	if (sn_jr_string(&scanner->jr, &text) != 0)
		return -EINVAL;
	if (text.n > SN_TEXT_MAX)
		return refuse_member(scanner, start, column, "is too long");
	sn_batch_set_text(scanner->batch, column, text);
	return 0;
}

static int read_time(struct scanner *scanner, int column)
{
	const char *start = scanner->jr.p;
	struct sn_str text;
	int64_t value;

	if (start == scanner->jr.end || *start != '"')
		return refuse_member(scanner, start, column, "is not a time");
	if (sn_jr_string(&scanner->jr, &text) != 0)
		return -EINVAL;
	if (sn_time_scan(text, &value) != 0)
		return refuse_member(scanner, start, column, "is not a time (RFC 3339)");
	sn_batch_set_time(scanner->batch, column, value);
	return 0;
}

/* A member that we do not know: anything flat. */
static int skip_value(struct scanner *scanner)
{
	struct sn_number number;
	struct sn_str text;

	if (scanner->jr.p < scanner->jr.end && *scanner->jr.p == '"')
		return sn_jr_string(&scanner->jr, &text);
	if (sn_jr_word(&scanner->jr, SN_STR("true")) || sn_jr_word(&scanner->jr, SN_STR("false")))
		return 0;
	return sn_jr_number(&scanner->jr, &number);
}

static int read_value(struct scanner *scanner, int column)
{
	static int (*const readers[])(struct scanner *, int) = {
		[SN_TYPE_BOOL] = read_bool, [SN_TYPE_I64] = read_i64,   [SN_TYPE_F64] = read_f64,
		[SN_TYPE_TEXT] = read_text, [SN_TYPE_TIME] = read_time,
	};

	if (scanner->jr.p < scanner->jr.end && (*scanner->jr.p == '{' || *scanner->jr.p == '['))
		return sn_jr_refuse(&scanner->jr, "a nested value");
	if (sn_jr_word(&scanner->jr, SN_STR("null")))
		return 0;
	return column >= 0 ? readers[scanner->columns[column].type](scanner, column)
			   : skip_value(scanner);
}

/* Members mostly come in the order of the columns, so the search starts where it ended. */
static int find_column(struct scanner *scanner, struct sn_str name)
{
	for (size_t i = 0, at = scanner->expected; i < scanner->column_count; i++, at++) {
		const char *candidate;

		if (at == scanner->column_count)
			at = 0;
		candidate = scanner->columns[at].name;
		if (strncmp(candidate, name.p, name.n) == 0 && candidate[name.n] == '\0') {
			scanner->expected = at + 1 < scanner->column_count ? at + 1 : 0;
			return (int)at;
		}
	}
	return -1;
}

static int read_member(struct scanner *scanner)
{
	const char *start = scanner->jr.p;
	struct sn_str name;
	int column;

	if (start == scanner->jr.end || *start != '"')
		return sn_jr_refuse(&scanner->jr, "not a member's name in quotes");
	if (sn_jr_string(&scanner->jr, &name) != 0)
		return -EINVAL;
	column = find_column(scanner, name);
	if (column >= 0) {
		uint64_t bit = UINT64_C(1) << (column % 64);

		if ((scanner->seen[column / 64] & bit) != 0)
			return refuse_member(scanner, start, column, "is given twice");
		scanner->seen[column / 64] |= bit;
	}
	sn_jr_blanks(&scanner->jr);
	if (!sn_jr_take(&scanner->jr, ':'))
		return sn_jr_refuse(&scanner->jr, "no ':' behind a member's name");
	sn_jr_blanks(&scanner->jr);
	return read_value(scanner, column);
}

static int read_object(struct scanner *scanner)
{
	sn_jr_blanks(&scanner->jr);
	if (!sn_jr_take(&scanner->jr, '{'))
		return sn_jr_refuse(&scanner->jr, "not an object");
	sn_jr_blanks(&scanner->jr);
	if (!sn_jr_take(&scanner->jr, '}')) {
		do {
			sn_jr_blanks(&scanner->jr);
			if (read_member(scanner) != 0)
				return -EINVAL;
			sn_jr_blanks(&scanner->jr);
		} while (sn_jr_take(&scanner->jr, ','));
		if (!sn_jr_take(&scanner->jr, '}'))
			return sn_jr_refuse(&scanner->jr, "neither ',' nor '}' behind a value");
	}
	sn_jr_blanks(&scanner->jr);
	if (scanner->jr.p != scanner->jr.end)
		return sn_jr_refuse(&scanner->jr, "bytes behind the object");
	return 0;
}

int sn_jsonl_read_row(struct sn_batch *batch, struct sn_str line, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_batch_dataset(batch);
	struct scanner scanner = {
		.jr = {.start = line.p, .p = line.p, .end = line.p + line.n, .err = err},
		.batch = batch,
		.columns = dataset->columns,
		.column_count = dataset->column_count,
	};
	int rc;

	if (line.n > SN_JSONL_LINE_MAX)
		return sn_err_set(err, -EINVAL, "column %d: the line is too long",
				  SN_JSONL_LINE_MAX + 1);
	sn_batch_add_row(batch);
	rc = read_object(&scanner);
	if (rc != 0)
		sn_batch_drop_row(batch);
	sn_buf_finish(&scanner.jr.decoded);
	return rc;
}

const struct sn_dataset *sn_jsonl_dataset(struct sn_str line, const struct sn_dataset *otherwise)
{
	static const char start[] = "{\"dataset\":\"";
	char name[64];
	const char *end;

	if (!sn_str_has_prefix(line, start))
		return otherwise;
	line.p += sizeof(start) - 1;
	line.n -= sizeof(start) - 1;
	end = memchr(line.p, '"', line.n);
	if (end == NULL || (size_t)(end - line.p) >= sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(end - line.p), line.p);
	return sn_catalog_find(name);
}

int sn_jsonl_read(struct sn_batch *batch, struct sn_str text, size_t rows_max, struct sn_err *err)
{
	struct sn_str line;

	for (size_t number = 1; text.n > 0; number++) {
		const char *feed = memchr(text.p, '\n', text.n);

		line.p = text.p;
		line.n = feed != NULL ? (size_t)(feed - text.p) : text.n;
		text.p += line.n + (feed != NULL);
		text.n -= line.n + (feed != NULL);
		if (number > rows_max)
			return sn_err_set(err, -E2BIG, "line %zu: more than %zu rows", number,
					  rows_max);
		if (sn_jsonl_read_row(batch, line, err) != 0) {
			if (err != NULL)
				sn_err_wrap(err, "line %zu", number);
			return -EINVAL;
		}
	}
	return 0;
}
