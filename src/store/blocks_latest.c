/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest row of each series: a pass over time, node and key of all blocks since then, then the
 * rows that are left of it, block by block.
 */
#include "store/blocks_query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

/* The newest row of a series so far, and where it is. */
struct newest {
	int64_t time_ns, number;
	size_t block; /* index of `blocks` */
	size_t row;   /* index of `rows` */
};

/*
 * The series of a row that was looked at shortly before.  Texts of a dictionary have one address,
 * so that most rows are recognised without reading their texts.
 */
struct recent {
	struct sn_value node, key;
	struct newest *newest;
};
#define RECENT_BITS 10

struct latest {
	struct sn_db *db;
	const struct sn_dataset *dataset;
	int64_t since_ns;
	int key; /* column, or -1 */
	struct sn_blocks_info *blocks;
	size_t block_count, block_capacity;
	struct sn_map *series;
	struct newest **found; /* those of `series` */
	struct sn_batch *rows;
	struct recent recent[1 << RECENT_BITS]; /* of one block */
};

/* Series -------------------------------------------------------------------- */

/* The same value at the same place; texts at two places may still be equal. */
static bool is_same(struct sn_value a, struct sn_value b)
{
	if (a.type != b.type)
		return false;
	if (a.type == SN_TYPE_TEXT)
		return a.s.p == b.s.p && a.s.n == b.s.n;
	if (a.type == SN_TYPE_F64)
		return memcmp(&a.f, &b.f, sizeof(a.f)) == 0;
	if (a.type == SN_TYPE_BOOL)
		return a.b == b.b;
	return a.type == SN_TYPE_NULL || a.i == b.i;
}

static uint64_t place_of(struct sn_value value)
{
	if (value.type == SN_TYPE_TEXT)
		return (uint64_t)(uintptr_t)value.s.p;
	return value.type == SN_TYPE_NULL || value.type == SN_TYPE_F64 ? 0
	       : value.type == SN_TYPE_BOOL                            ? value.b
								       : (uint64_t)value.i;
}

/* The length keeps node and key apart. */
char *sn_series_name(struct sn_value node, struct sn_value key)
{
	struct sn_buf name = {0};
	char *text;

	sn_buf_addf(&name, "%zu %.*s%u ", node.s.n, (int)node.s.n, node.s.p, (unsigned)key.type);
	if (key.type == SN_TYPE_TEXT)
		sn_buf_add(&name, key.s.p, key.s.n);
	else if (key.type == SN_TYPE_F64)
		sn_buf_addf(&name, "%a", key.f);
	else if (key.type == SN_TYPE_BOOL)
		sn_buf_addc(&name, key.b ? '1' : '0');
	else if (key.type != SN_TYPE_NULL)
		sn_buf_add_i64(&name, key.i);
	text = sn_xstrdup(sn_buf_cstr(&name));
	sn_buf_finish(&name);
	return text;
}

static struct newest *find_series(struct latest *latest, struct sn_value node, struct sn_value key)
{
	uint64_t hash = (place_of(node) * 31 + place_of(key)) * 0x9e3779b97f4a7c15ULL;
	struct recent *recent = &latest->recent[hash >> (64 - RECENT_BITS)];
	sn_autofree char *name = NULL;
	struct newest *newest;

	if (recent->newest != NULL && is_same(recent->node, node) && is_same(recent->key, key))
		return recent->newest;
	name = sn_series_name(node, key);
	newest = sn_map_get(latest->series, name);
	if (newest == NULL) {
		newest = sn_new(struct newest);
		sn_map_set(latest->series, name, newest);
	}
	*recent = (struct recent){node, key, newest};
	return newest;
}

/* First pass ---------------------------------------------------------------- */

static void look_at_rows(struct latest *latest, size_t block,
			 struct sn_block_column *const *columns)
{
	const struct sn_vector *times = sn_block_vector(columns[0]);
	const struct sn_vector *nodes = sn_block_vector(columns[1]);
	int64_t first = latest->blocks[block].first;

	memset(latest->recent, 0, sizeof(latest->recent));
	for (size_t i = 0; i < times->rows; i++) {
		struct sn_value node = sn_vector_value(nodes, i), key = {.type = SN_TYPE_NULL};
		int64_t number = first + (int64_t)i;
		struct newest *newest;

		if (node.type != SN_TYPE_TEXT || sn_vector_is_null(times, i) ||
		    times->i[i] < latest->since_ns)
			continue;
		if (latest->key >= 0)
			key = sn_vector_value(sn_block_vector(columns[2]), i);
		newest = find_series(latest, node, key);
		/* Numbers begin with 1: 0 is one that has no row yet. */
		if (newest->number == 0 || times->i[i] > newest->time_ns ||
		    (times->i[i] == newest->time_ns && number > newest->number)) {
			newest->time_ns = times->i[i];
			newest->number = number;
			newest->block = block;
		}
	}
}

static int look_at_blocks(struct latest *latest, struct sn_err *err)
{
	const int wanted[] = {SN_COL_TIME, SN_COL_NODE, latest->key};
	size_t count = latest->key >= 0 ? 3 : 2;
	struct sn_block_column *columns[3];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < latest->block_count; i++) {
		rc = sn_blocks_read(latest->db, &latest->blocks[i], latest->dataset, wanted, count,
				    columns, err);
		if (rc == 0)
			look_at_rows(latest, i, columns);
		for (size_t k = 0; rc == 0 && k < count; k++)
			sn_block_column_destroy(columns[k]);
	}
	return rc;
}

static int note_block(const struct sn_blocks_info *block, void *ctx)
{
	struct latest *latest = ctx;

	if (latest->block_count == latest->block_capacity) {
		latest->block_capacity =
			latest->block_capacity > 0 ? 2 * latest->block_capacity : 64;
		latest->blocks = sn_xrealloc(latest->blocks, latest->block_capacity,
					     sizeof(*latest->blocks));
	}
	latest->blocks[latest->block_count++] = *block;
	return 0;
}

/* Second pass --------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct newest *left = *(struct newest *const *)a;
	const struct newest *right = *(struct newest *const *)b;

	return (left->number > right->number) - (left->number < right->number);
}

static int newest_first(const void *a, const void *b)
{
	const struct newest *left = *(struct newest *const *)a;
	const struct newest *right = *(struct newest *const *)b;

	if (left->time_ns != right->time_ns)
		return left->time_ns < right->time_ns ? 1 : -1;
	return by_number(b, a);
}

static void copy_row(struct latest *latest, struct sn_block_column *const *columns, size_t row,
		     struct newest *newest)
{
	newest->row = sn_batch_add_row(latest->rows);
	for (size_t i = 0; i < latest->dataset->column_count; i++)
		sn_batch_set(latest->rows, newest->row, (int)i,
			     sn_vector_value(sn_block_vector(columns[i]), row));
}

/* The rows that were found in one block; `found` are `count` of them. */
static int copy_rows(struct latest *latest, struct newest **found, size_t count, struct sn_err *err)
{
	const struct sn_blocks_info *block = &latest->blocks[found[0]->block];
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
	int wanted[SN_DATASET_COLUMNS_MAX];
	int rc;

	for (size_t i = 0; i < latest->dataset->column_count; i++)
		wanted[i] = (int)i;
	rc = sn_blocks_read(latest->db, block, latest->dataset, wanted,
			    latest->dataset->column_count, columns, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		copy_row(latest, columns, (size_t)(found[i]->number - block->first), found[i]);
	for (size_t i = 0; i < latest->dataset->column_count; i++)
		sn_block_column_destroy(columns[i]);
	return 0;
}

static int copy_all(struct latest *latest, size_t count, struct sn_err *err)
{
	int rc = 0;

	qsort(latest->found, count, sizeof(struct newest *), by_number);
	for (size_t i = 0, n; rc == 0 && i < count; i += n) {
		n = 1;
		while (i + n < count && latest->found[i + n]->block == latest->found[i]->block)
			n++;
		rc = copy_rows(latest, &latest->found[i], n, err);
	}
	return rc;
}

static size_t list_found(struct latest *latest)
{
	size_t cursor = 0, count = 0;
	const char *name;
	void *newest;

	latest->found = sn_xcalloc(sn_map_count(latest->series) + 1, sizeof(struct newest *));
	while (sn_map_next(latest->series, &cursor, &name, &newest))
		latest->found[count++] = newest;
	return count;
}

static int run(struct latest *latest, sn_blocks_row_fn *fn, void *ctx, struct sn_err *err)
{
	size_t count;
	int rc = sn_blocks_list(latest->db, latest->dataset, latest->since_ns, INT64_MAX,
				note_block, latest, err);

	if (rc == 0)
		rc = look_at_blocks(latest, err);
	count = list_found(latest);
	if (rc == 0)
		rc = copy_all(latest, count, err);
	if (rc != 0 || count == 0)
		return rc;
	qsort(latest->found, count, sizeof(struct newest *), newest_first);
	for (size_t i = 0; i < count; i++)
		if (fn(sn_batch_row(latest->rows, latest->found[i]->row), latest->found[i]->number,
		       ctx) != 0)
			break;
	return 0;
}

int sn_blocks_latest(struct sn_db *db, const struct sn_dataset *dataset, int64_t since_ns,
		     sn_blocks_row_fn *fn, void *ctx, struct sn_err *err)
{
	struct latest *latest = sn_new(struct latest);
	struct sn_err local = {0};
	int rc;

	latest->db = db;
	latest->dataset = dataset;
	latest->since_ns = since_ns;
	latest->key = dataset->key != NULL ? sn_dataset_column(dataset, dataset->key) : -1;
	latest->series = sn_map_create(free);
	latest->rows = sn_batch_create(dataset);
	rc = run(latest, fn, ctx, err != NULL ? err : &local);
	sn_batch_destroy(latest->rows);
	sn_map_destroy(latest->series);
	free(latest->found);
	free(latest->blocks);
	free(latest);
	return rc;
}
