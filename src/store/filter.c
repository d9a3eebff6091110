/* SPDX-License-Identifier: Apache-2.0 */
#include "store/filter.h"

#include <string.h>

#include "base/mem.h"

/* -1, 0, 1; exact, while the nearest double of a large integer may be another number. */
static int compare_i64_f64(int64_t i, double f)
{
	int64_t whole;

	if (f >= 0x1p63)
		return -1;
	if (f < -0x1p63)
		return 1;
	whole = (int64_t)f;
	if (i != whole)
		return i < whole ? -1 : 1;
	return ((double)whole < f) ? -1 : (double)whole > f;
}

static int compare_texts(struct sn_str a, struct sn_str b)
{
	size_t n = SN_MIN(a.n, b.n);
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

/* How the value of the row stands to that of the filter; types were checked. */
static int compare(const struct sn_vector *vector, size_t row, const struct sn_value *value)
{
	switch (vector->type) {
	case SN_TYPE_TEXT:
		return compare_texts(vector->s[row], value->s);
	case SN_TYPE_BOOL:
		return ORDER(vector->b[row] != 0, value->b);
	case SN_TYPE_F64:
		return value->type == SN_TYPE_F64 ? ORDER(vector->f[row], value->f)
						  : -compare_i64_f64(value->i, vector->f[row]);
	default:
		return value->type == SN_TYPE_F64 ? compare_i64_f64(vector->i[row], value->f)
						  : ORDER(vector->i[row], value->i);
	}
}

static bool contains(struct sn_str text, struct sn_str part)
{
	return part.n == 0 || (text.n >= part.n && memmem(text.p, text.n, part.p, part.n) != NULL);
}

static bool passes(enum sn_query_op op, int order)
{
	switch (op) {
	case SN_EQ:
		return order == 0;
	case SN_NE:
		return order != 0;
	case SN_LT:
		return order < 0;
	case SN_LE:
		return order <= 0;
	case SN_GT:
		return order > 0;
	case SN_GE:
		return order >= 0;
	case SN_CONTAINS:
		break;
	}
	return false;
}

/* Texts are compared for equality most of the time, and most differ in length or in one look. */
static void equal_texts(struct sn_str text, const struct sn_vector *vector, uint8_t *match)
{
	for (size_t i = 0; i < vector->rows; i++)
		if (match[i] && !sn_str_eq(vector->s[i], text))
			match[i] = 0;
}

static void pass_one(const struct sn_filter *filter, const struct sn_vector *vector, uint8_t *match)
{
	const struct sn_value *value = &filter->value;
	bool wants_null = value->type == SN_TYPE_NULL && filter->op == SN_EQ;

	for (size_t i = 0; i < vector->rows; i++)
		match[i] &= sn_vector_is_null(vector, i) == wants_null;
	if (value->type == SN_TYPE_NULL)
		return;
	if (vector->type == SN_TYPE_TEXT && filter->op == SN_EQ) {
		equal_texts(value->s, vector, match);
		return;
	}
	for (size_t i = 0; i < vector->rows; i++)
		if (match[i] &&
		    (filter->op == SN_CONTAINS ? !contains(vector->s[i], value->s)
					       : !passes(filter->op, compare(vector, i, value))))
			match[i] = 0;
}

void sn_filter_vector(const struct sn_filter *filter, const struct sn_vector *vector,
		      uint8_t *match)
{
	sn_autofree uint8_t *other = NULL;

	if (filter->or_next) {
		other = sn_xmalloc(vector->rows);
		memcpy(other, match, vector->rows);
		pass_one(filter + 1, vector, other);
	}
	pass_one(filter, vector, match);
	for (size_t i = 0; other != NULL && i < vector->rows; i++)
		match[i] |= other[i];
}
