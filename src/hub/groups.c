/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/groups.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/util.h"

#define KEY_MAX (SN_TEXT_MAX + 2)

struct group {
	char *key; /* kind of value and its text */
	uint64_t rows;
	double weight, sums[SN_GROUPS_WEIGHTS_MAX];
	double *bins; /* of the kept ones */
};

struct sn_groups {
	struct sn_groups_question question;
	struct sn_map *by_key; /* struct group */
	struct group **all;
	size_t count, kept;
	struct group others, total;
	uint64_t other_values;
};

struct sn_groups *sn_groups_create(const struct sn_groups_question *question)
{
	struct sn_groups *groups = sn_new(struct sn_groups);

	assert(question->limit >= 1 && question->limit <= SN_GROUPS_KEPT_MAX);
	assert(question->bins.count <= SN_GROUPS_POINTS_MAX);
	groups->question = *question;
	groups->by_key = sn_map_create(NULL);
	return groups;
}

static void free_group(struct group *group)
{
	free(group->key);
	free(group->bins);
	free(group);
}

void sn_groups_destroy(struct sn_groups *groups)
{
	if (groups == NULL)
		return;
	for (size_t i = 0; i < groups->count; i++)
		free_group(groups->all[i]);
	free(groups->all);
	free(groups->others.bins);
	sn_map_destroy(groups->by_key);
	free(groups);
}

/* Rows in -------------------------------------------------------------------- */

/* The first character says what kind of value it is, so that "1" and 1 are two. */
static void make_key(const struct sn_value *value, char key[KEY_MAX])
{
	switch (value->type) {
	case SN_TYPE_TEXT:
		snprintf(key, KEY_MAX, "t%.*s", (int)value->s.n, value->s.p);
		break;
	case SN_TYPE_I64:
	case SN_TYPE_TIME:
		snprintf(key, KEY_MAX, "i%" PRId64, value->i);
		break;
	case SN_TYPE_F64:
		snprintf(key, KEY_MAX, "f%.17g", value->f);
		break;
	case SN_TYPE_BOOL:
		snprintf(key, KEY_MAX, "b%d", value->b);
		break;
	default:
		memcpy(key, "n", 2);
	}
}

static double number(const struct sn_value *value)
{
	return value->type == SN_TYPE_I64   ? (double)value->i
	       : value->type == SN_TYPE_F64 ? value->f
					    : 0;
}

static double weight_of(const struct sn_groups *groups, const struct sn_value *row)
{
	const struct sn_groups_question *q = &groups->question;
	double weight = 0;

	for (unsigned i = 0; i < q->weight_count; i++)
		weight += number(&row[q->weights[i]]);
	return q->weight_count > 0 ? weight : 1;
}

static void add_row(const struct sn_groups *groups, struct group *group, const struct sn_value *row)
{
	group->rows++;
	group->weight += weight_of(groups, row);
	for (unsigned i = 0; i < groups->question.weight_count; i++)
		group->sums[i] += number(&row[groups->question.weights[i]]);
}

static struct group *open_group(struct sn_groups *groups, const char *key)
{
	struct group *group;

	if (groups->count == SN_GROUPS_MAX)
		return &groups->others;
	group = sn_new(struct group);
	group->key = sn_xstrdup(key);
	sn_map_set(groups->by_key, key, group);
	if ((groups->count & (groups->count - 1)) == 0)
		groups->all = sn_xrealloc(groups->all, SN_MAX(groups->count * 2, (size_t)1),
					  sizeof(struct group *));
	groups->all[groups->count++] = group;
	return group;
}

static struct group *find(const struct sn_groups *groups, const struct sn_value *row,
			  char key[KEY_MAX])
{
	make_key(&row[groups->question.by], key);
	return sn_map_get(groups->by_key, key);
}

void sn_groups_add(struct sn_groups *groups, const struct sn_value *row)
{
	char key[KEY_MAX];
	struct group *group = find(groups, row, key);

	add_row(groups, group != NULL ? group : open_group(groups, key), row);
	add_row(groups, &groups->total, row);
}

/* The weightiest ---------------------------------------------------------------- */

static int by_weight(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return strcmp(x->key, y->key);
}

static void forget(struct sn_groups *groups, size_t i)
{
	struct group *group = groups->all[i];

	groups->others.rows += group->rows;
	groups->others.weight += group->weight;
	for (unsigned j = 0; j < groups->question.weight_count; j++)
		groups->others.sums[j] += group->sums[j];
	groups->other_values++;
	sn_map_remove(groups->by_key, group->key);
	free_group(group);
}

void sn_groups_keep(struct sn_groups *groups)
{
	unsigned points = groups->question.bins.count;

	if (groups->count > 0)
		qsort(groups->all, groups->count, sizeof(struct group *), by_weight);
	groups->kept = SN_MIN(groups->count, (size_t)groups->question.limit);
	for (size_t i = groups->kept; i < groups->count; i++)
		forget(groups, i);
	groups->count = groups->kept;
	if (points == 0)
		return;
	groups->others.bins = sn_new_n(double, points);
	for (size_t i = 0; i < groups->kept; i++)
		groups->all[i]->bins = sn_new_n(double, points);
}

void sn_groups_add_to_bins(struct sn_groups *groups, const struct sn_value *row)
{
	char key[KEY_MAX];
	struct group *group;
	unsigned bin;

	if (groups->question.bins.count == 0 ||
	    !sn_bins_find(&groups->question.bins, row[SN_COL_TIME].i, &bin))
		return;
	group = find(groups, row, key);
	group = group != NULL ? group : &groups->others;
	group->bins[bin] += weight_of(groups, row);
}

/* JSON out ------------------------------------------------------------------------ */

static void write_value(struct sn_jw *jw, const char *key)
{
	switch (key[0]) {
	case 't':
		sn_jw_cstr(jw, key + 1);
		break;
	case 'i':
		sn_jw_i64(jw, strtoll(key + 1, NULL, 10));
		break;
	case 'f':
		sn_jw_double(jw, strtod(key + 1, NULL));
		break;
	case 'b':
		sn_jw_bool(jw, key[1] == '1');
		break;
	default:
		sn_jw_null(jw);
	}
}

static void write_counts(struct sn_jw *jw, const struct sn_groups *groups,
			 const struct group *group)
{
	const struct sn_groups_question *q = &groups->question;

	sn_jw_ku64(jw, "rows", group->rows);
	sn_jw_kdouble(jw, "weight", group->weight);
	sn_jw_key(jw, "sums");
	sn_jw_object(jw);
	for (unsigned i = 0; i < q->weight_count; i++)
		sn_jw_kdouble(jw, q->dataset->columns[q->weights[i]].name, group->sums[i]);
	sn_jw_object_end(jw);
	if (group->bins == NULL)
		return;
	sn_jw_key(jw, "bins");
	sn_jw_array(jw);
	for (unsigned i = 0; i < q->bins.count; i++)
		sn_jw_double(jw, group->bins[i]);
	sn_jw_array_end(jw);
}

static void write_question(struct sn_jw *jw, const struct sn_groups_question *q)
{
	sn_jw_kcstr(jw, "by", q->dataset->columns[q->by].name);
	sn_jw_key(jw, "weights");
	sn_jw_array(jw);
	for (unsigned i = 0; i < q->weight_count; i++)
		sn_jw_cstr(jw, q->dataset->columns[q->weights[i]].name);
	sn_jw_array_end(jw);
	if (q->bins.count > 0)
		sn_bins_write(&q->bins, jw);
}

void sn_groups_write(const struct sn_groups *groups, struct sn_buf *out)
{
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	write_question(&jw, &groups->question);
	sn_jw_key(&jw, "groups");
	sn_jw_array(&jw);
	for (size_t i = 0; i < groups->kept; i++) {
		sn_jw_object(&jw);
		sn_jw_key(&jw, "value");
		write_value(&jw, groups->all[i]->key);
		write_counts(&jw, groups, groups->all[i]);
		sn_jw_object_end(&jw);
	}
	sn_jw_array_end(&jw);
	sn_jw_key(&jw, "others");
	sn_jw_object(&jw);
	sn_jw_ku64(&jw, "values", groups->other_values);
	write_counts(&jw, groups, &groups->others);
	sn_jw_object_end(&jw);
	sn_jw_key(&jw, "total");
	sn_jw_object(&jw);
	write_counts(&jw, groups, &groups->total);
	sn_jw_object_end(&jw);
	sn_jw_object_end(&jw);
}
