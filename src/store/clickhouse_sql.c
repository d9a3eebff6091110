/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clickhouse_sql.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool sn_sql_is_name(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!is_letter(text[i]) && (i == 0 || !is_digit(text[i])))
			return false;
	return n > 0 && n <= SN_SQL_NAME_MAX;
}

bool sn_sql_is_cluster(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-' && text[i] != '.')
			return false;
	return n > 0 && n <= SN_SQL_NAME_MAX;
}

void sn_sql_add_name(struct sn_buf *out, const char *name)
{
	assert(sn_sql_is_cluster(name));
	sn_buf_addf(out, "`%s`", name);
}

void sn_sql_add_text(struct sn_buf *out, struct sn_str text)
{
	sn_buf_addc(out, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\0') {
			sn_buf_adds(out, "\\0");
			continue;
		}
		if (text.p[i] == '\'' || text.p[i] == '\\')
			sn_buf_addc(out, '\\');
		sn_buf_addc(out, text.p[i]);
	}
	sn_buf_addc(out, '\'');
}

void sn_sql_add_f64(struct sn_buf *out, double value)
{
	char hex[2 * sizeof(uint64_t) + 1];
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	bits = htole64(bits);
	sn_buf_addf(out, "reinterpretAsFloat64(unhex('%s'))", sn_hex(&bits, sizeof(bits), hex));
}

void sn_sql_add_day(struct sn_buf *out, int32_t day)
{
	sn_buf_addf(out, "toDate(%" PRId32 ")", day);
}

/* Filters --------------------------------------------------------------------- */

static const char *const operators[] = {
	[SN_EQ] = "=", [SN_NE] = "!=", [SN_LT] = "<", [SN_LE] = "<=", [SN_GT] = ">", [SN_GE] = ">=",
};

static void add_no_null(struct sn_buf *out, const char *column)
{
	sn_buf_addf(out, "`%s` IS NOT NULL", column);
}

static void add_integer(struct sn_buf *out, const char *column, enum sn_query_op op, int64_t value)
{
	sn_buf_addf(out, "`%s` %s %" PRId64, column, operators[op], value);
}

static void add_double(struct sn_buf *out, const char *column, enum sn_query_op op, double value)
{
	sn_buf_addf(out, "`%s` %s ", column, operators[op]);
	sn_sql_add_f64(out, value);
}

/* A number that no value of the column is, of which it is known how it stands to all of them. */
static void add_known(struct sn_buf *out, const char *column, bool passes)
{
	if (passes)
		add_no_null(out, column);
	else
		sn_buf_adds(out, "0");
}

/*
 * A number between two neighbours of the column's values: `below` and `above` it.  The server would
 * compare the nearest double.
 */
enum side { BELOW, ABOVE };
static bool is_between(enum sn_query_op op, enum side *side, enum sn_query_op *other)
{
	if (op == SN_EQ || op == SN_NE)
		return false;
	*side = op == SN_LT || op == SN_LE ? BELOW : ABOVE;
	*other = *side == BELOW ? SN_LE : SN_GE;
	return true;
}

/* An integer column and a double. */
static void add_integer_to_double(struct sn_buf *out, const char *column, enum sn_query_op op,
				  double value)
{
	double below = floor(value);
	enum side side;

	if (value >= 0x1p63)
		add_known(out, column, op == SN_NE || op == SN_LT || op == SN_LE);
	else if (value < -0x1p63)
		add_known(out, column, op == SN_NE || op == SN_GT || op == SN_GE);
	else if (below == value)
		add_integer(out, column, op, (int64_t)value);
	else if (!is_between(op, &side, &op))
		add_known(out, column, op == SN_NE);
	else
		add_integer(out, column, op, (int64_t)below + (side == ABOVE));
}

static bool is_exact(int64_t integer, double value)
{
	return value < 0x1p63 && (int64_t)value == integer;
}

/* A double column and an integer. */
static void add_double_to_integer(struct sn_buf *out, const char *column, enum sn_query_op op,
				  int64_t value)
{
	double nearest = (double)value;
	bool is_above = nearest >= 0x1p63 || (int64_t)nearest > value;
	enum side side;

	if (is_exact(value, nearest))
		add_double(out, column, op, nearest);
	else if (!is_between(op, &side, &op))
		add_known(out, column, op == SN_NE);
	else if (side == BELOW)
		add_double(out, column, op, is_above ? nextafter(nearest, -INFINITY) : nearest);
	else
		add_double(out, column, op, is_above ? nearest : nextafter(nearest, INFINITY));
}

static void add_text(struct sn_buf *out, const char *column, enum sn_query_op op,
		     struct sn_str value)
{
	if (op == SN_CONTAINS && value.n == 0) {
		add_no_null(out, column);
		return;
	}
	if (op == SN_CONTAINS)
		sn_buf_addf(out, "position(`%s`, ", column);
	else
		sn_buf_addf(out, "`%s` %s ", column, operators[op]);
	sn_sql_add_text(out, value);
	if (op == SN_CONTAINS)
		sn_buf_adds(out, ") > 0");
}

void sn_sql_add_filter(struct sn_buf *out, const struct sn_dataset *dataset,
		       const struct sn_filter *filter, bool exists)
{
	const struct sn_column *column = &dataset->columns[filter->column];
	const struct sn_value *value = &filter->value;
	bool is_double = value->type == SN_TYPE_F64;

	assert(sn_sql_is_name(column->name));
	if (!exists)
		sn_buf_adds(out, value->type == SN_TYPE_NULL && filter->op == SN_EQ ? "1" : "0");
	else if (value->type == SN_TYPE_NULL)
		sn_buf_addf(out, "`%s` IS %sNULL", column->name, filter->op == SN_EQ ? "" : "NOT ");
	else if (column->type == SN_TYPE_TEXT)
		add_text(out, column->name, filter->op, value->s);
	else if (column->type == SN_TYPE_BOOL)
		add_integer(out, column->name, filter->op, value->b);
	else if (column->type == SN_TYPE_F64 && is_double)
		add_double(out, column->name, filter->op, value->f);
	else if (column->type == SN_TYPE_F64)
		add_double_to_integer(out, column->name, filter->op, value->i);
	else if (is_double)
		add_integer_to_double(out, column->name, filter->op, value->f);
	else
		add_integer(out, column->name, filter->op, value->i);
}
