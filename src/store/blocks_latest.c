/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest row of each series: a pass over time, node and key of all pieces of blocks since then,
 * then the rows that are left of it, piece by piece.
 */
#include "store/blocks_query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/blocks_internal.h"

/* A piece of a block that may have rows since then. */
struct part {
	struct sn_blocks_info info;
	size_t piece;
	int64_t first; /* number of its first row */
	bool damaged;
};

/*
 * The series of a row that was looked at shortly before.  Texts of a dictionary have one address,
 * so that most rows are recognised without reading their texts.
 */
struct recent {
	struct sn_value node, key;
	struct sn_series *series;
};
#define RECENT_BITS 10

struct latest {
	struct sn_db *db;
	const struct sn_dataset *dataset;
	int64_t since_ns;
	int key; /* column, or -1 */
	struct sn_blocks_reader reader;
	struct sn_blocks_info *blocks;
	size_t block_count, block_capacity;
	struct part *parts;
	size_t part_count;
	struct sn_err damage; /* the first that was met */
	struct sn_series_set *series;
	struct sn_series **found; /* those of `series` whose newest row is here */
	struct sn_batch *rows;
	struct recent recent[1 << RECENT_BITS]; /* of one piece */
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

static struct sn_series *find_series(struct latest *latest, struct sn_value node,
				     struct sn_value key)
{
	uint64_t hash = (place_of(node) * 31 + place_of(key)) * 0x9e3779b97f4a7c15ULL;
	struct recent *recent = &latest->recent[hash >> (64 - RECENT_BITS)];

	if (recent->series == NULL || !is_same(recent->node, node) || !is_same(recent->key, key))
		*recent = (struct recent){node, key, sn_series_find(latest->series, node, key)};
	return recent->series;
}

/* First pass ---------------------------------------------------------------- */

static void look_at_rows(struct latest *latest, size_t part, struct sn_block_column *const *columns)
{
	const struct sn_vector *times = sn_block_vector(columns[0]);
	const struct sn_vector *nodes = sn_block_vector(columns[1]);
	int64_t first = latest->parts[part].first;

	memset(latest->recent, 0, sizeof(latest->recent));
	for (size_t i = 0; i < times->rows; i++) {
		struct sn_value node = sn_vector_value(nodes, i), key = {.type = SN_TYPE_NULL};
		int64_t number = first + (int64_t)i;
		struct sn_series *series;

		if (node.type != SN_TYPE_TEXT || sn_vector_is_null(times, i) ||
		    times->i[i] < latest->since_ns)
			continue;
		if (latest->key >= 0)
			key = sn_vector_value(sn_block_vector(columns[2]), i);
		series = find_series(latest, node, key);
		if (series->done || !sn_series_is_newer(series, times->i[i], number))
			continue;
		series->time_ns = times->i[i];
		series->number = number;
		series->part = part;
	}
}

/* Damage of blocks is noted, and the search goes on without them; not so that of the file. */
static int note_damage(struct latest *latest, struct part *part, int rc, const struct sn_err *err)
{
	if (rc != -EUCLEAN || sn_db_is_damaged(latest->db))
		return rc;
	if (part != NULL)
		part->damaged = true;
	if (latest->damage.code == 0) {
		latest->damage = *err;
		sn_err_wrap(&latest->damage, "dataset '%s'", latest->dataset->name);
	}
	return 0;
}

static int look_at_parts(struct latest *latest, struct sn_err *err)
{
	const int wanted[] = {SN_COL_TIME, SN_COL_NODE, latest->key};
	size_t count = latest->key >= 0 ? 3 : 2;
	struct sn_block_column *columns[3];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < latest->part_count; i++) {
		struct part *part = &latest->parts[i];

		if (part->damaged)
			continue;
		rc = sn_blocks_reader_load(&latest->reader, &part->info, part->piece, wanted, count,
					   columns, err);
		if (rc == 0)
			look_at_rows(latest, i, columns);
		for (size_t k = 0; rc == 0 && k < count; k++)
			sn_block_column_destroy(columns[k]);
		rc = note_damage(latest, part, rc, err);
	}
	return rc;
}

static int add_parts(struct latest *latest, const struct sn_blocks_info *info, struct sn_err *err)
{
	size_t pieces = sn_block_pieces(info->rows);
	struct sn_buf marks = {0};
	int rc = pieces > 1 ? sn_blocks_reader_marks(&latest->reader, info, &marks, err) : 0;

	latest->parts =
		sn_xrealloc(latest->parts, latest->part_count + pieces, sizeof(*latest->parts));
	for (size_t i = 0; rc == 0 && i < pieces; i++) {
		int64_t min, max = info->time_max;

		sn_marks_times(sn_buf_str(&marks), i, &min, &max);
		if (max >= latest->since_ns)
			latest->parts[latest->part_count++] = (struct part){
				*info, i, info->first + (int64_t)(i * SN_BLOCK_PIECE_ROWS), false};
	}
	sn_buf_finish(&marks);
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

static int list_parts(struct latest *latest, struct sn_err *err)
{
	int rc = sn_blocks_list(latest->db, latest->dataset, latest->since_ns, INT64_MAX,
				note_block, latest, err);

	rc = note_damage(latest, NULL, rc, err);
	for (size_t i = 0; rc == 0 && i < latest->block_count; i++)
		rc = add_parts(latest, &latest->blocks[i], err);
	return rc;
}

/* Second pass --------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const struct sn_series *left = *(struct sn_series *const *)a;
	const struct sn_series *right = *(struct sn_series *const *)b;

	return (left->number > right->number) - (left->number < right->number);
}

static void copy_row(struct latest *latest, struct sn_block_column *const *columns, size_t row,
		     struct sn_series *newest)
{
	newest->row = sn_batch_add_row(latest->rows);
	for (size_t i = 0; i < latest->dataset->column_count; i++)
		sn_batch_set(latest->rows, newest->row, (int)i,
			     sn_vector_value(sn_block_vector(columns[i]), row));
}

/* The rows that were found in one piece; `found` are `count` of them. */
static int copy_rows(struct latest *latest, struct sn_series **found, size_t count,
		     struct sn_err *err)
{
	struct part *part = &latest->parts[found[0]->part];
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
	int wanted[SN_DATASET_COLUMNS_MAX];
	int rc;

	for (size_t i = 0; i < latest->dataset->column_count; i++)
		wanted[i] = (int)i;
	rc = sn_blocks_reader_load(&latest->reader, &part->info, part->piece, wanted,
				   latest->dataset->column_count, columns, err);
	if (rc != 0)
		return note_damage(latest, part, rc, err);
	for (size_t i = 0; i < count; i++)
		copy_row(latest, columns, (size_t)(found[i]->number - part->first), found[i]);
	for (size_t i = 0; i < latest->dataset->column_count; i++)
		sn_block_column_destroy(columns[i]);
	return 0;
}

/* `again`: a piece turned out to be damaged, so that some series have another newest row. */
static int copy_all(struct latest *latest, size_t count, bool *again, struct sn_err *err)
{
	int rc = 0;

	*again = false;
	qsort(latest->found, count, sizeof(struct sn_series *), by_number);
	for (size_t i = 0, n; rc == 0 && i < count; i += n) {
		size_t part = latest->found[i]->part;

		n = 1;
		while (i + n < count && latest->found[i + n]->part == part)
			n++;
		rc = copy_rows(latest, &latest->found[i], n, err);
		*again |= latest->parts[part].damaged;
	}
	return rc;
}

static size_t list_found(struct latest *latest)
{
	size_t all, count = 0;
	struct sn_series *const *list = sn_series_list(latest->series, &all);

	latest->found = sn_xcalloc(all + 1, sizeof(struct sn_series *));
	for (size_t i = 0; i < all; i++)
		if (!list[i]->done && list[i]->number != 0)
			latest->found[count++] = list[i];
	return count;
}

static void forget(struct latest *latest, size_t count)
{
	for (size_t i = 0; i < count; i++)
		latest->found[i]->number = 0;
	sn_batch_clear(latest->rows);
	free(sn_steal(&latest->found));
}

static int find_rows(struct latest *latest, size_t *count, struct sn_err *err)
{
	bool again;
	int rc;

	do {
		forget(latest, *count);
		rc = look_at_parts(latest, err);
		*count = list_found(latest);
		again = false;
		if (rc == 0 && *count > 0)
			rc = copy_all(latest, *count, &again, err);
	} while (rc == 0 && again);
	return rc;
}

static int run(struct latest *latest, sn_blocks_row_fn *fn, void *ctx, struct sn_err *err)
{
	size_t count = 0;
	int rc = list_parts(latest, err);

	if (rc == 0)
		rc = find_rows(latest, &count, err);
	/* What was not handed out is as if it had not been found. */
	if (rc != 0) {
		forget(latest, count);
		return rc;
	}
	if (count > 0)
		qsort(latest->found, count, sizeof(struct sn_series *), sn_series_newest_first);
	for (size_t i = 0; i < count; i++)
		latest->found[i]->done = true;
	for (size_t i = 0; i < count; i++)
		if (fn(sn_batch_row(latest->rows, latest->found[i]->row), latest->found[i]->number,
		       ctx) != 0)
			break;
	if (latest->damage.code != 0)
		*err = latest->damage;
	return latest->damage.code;
}

int sn_blocks_latest(struct sn_db *db, const struct sn_dataset *dataset, int64_t since_ns,
		     struct sn_series_set *series, sn_blocks_row_fn *fn, void *ctx,
		     struct sn_err *err)
{
	struct latest *latest = sn_new(struct latest);
	struct sn_err local = {0};
	int rc;

	latest->db = db;
	latest->dataset = dataset;
	latest->since_ns = since_ns;
	latest->key = dataset->key != NULL ? sn_dataset_column(dataset, dataset->key) : -1;
	latest->series = series;
	latest->rows = sn_batch_create(dataset);
	latest->reader = (struct sn_blocks_reader){.db = db, .dataset = dataset};
	rc = run(latest, fn, ctx, err != NULL ? err : &local);
	sn_batch_destroy(latest->rows);
	free(latest->found);
	sn_blocks_reader_finish(&latest->reader);
	free(latest->parts);
	free(latest->blocks);
	free(latest);
	return rc;
}
