/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small blocks become few large ones.  Blocks arrive at the end, so what stands before a
 * larger one gets no new neighbours: it counts as one of the larger's tier, and goes along when
 * that is replaced.  Thus a row is written again once or twice per tier, and at most some seven
 * blocks per tier are left.
 */
#include "store/blocks_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ITEMS_MAX 65536 /* blocks that one call looks at */
#define WINDOW    64    /* blocks among which neighbours are searched; above 7 * SN_BLOCKS_TIERS */
#define AT_ONCE   16    /* columns of all neighbours in memory */

struct item {
	struct sn_blocks_info info;
	unsigned tier;
};

struct tidy {
	struct sn_db *db;
	bool all;
	struct item *items; /* by number */
	size_t count;
	size_t from; /* before it there is nothing to do */
};

/* Which --------------------------------------------------------------------- */

static int load_items(struct tidy *tidy, const struct sn_dataset *dataset, struct sn_err *err)
{
	size_t capacity = 0;
	sqlite3_stmt *statement = sn_db_query(
		tidy->db, err, SN_BLOCKS_SELECT " AND b.tier < ? ORDER BY b.first LIMIT ?", "tiii",
		dataset->name, (int64_t)dataset->version, (int64_t)SN_BLOCKS_TIERS,
		(int64_t)ITEMS_MAX);
	int rc = statement != NULL ? 0 : err->code;

	while (rc == 0 && (rc = sn_db_next(tidy->db, statement, err)) == 1) {
		struct sn_blocks_info info;

		rc = sn_blocks_fetch(statement, &info, err);
		if (rc == -EUCLEAN)
			sn_db_blame(tidy->db, info.id);
		if (rc != 0)
			break;
		if (tidy->count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 64;
			tidy->items = sn_xrealloc(tidy->items, capacity, sizeof(*tidy->items));
		}
		tidy->items[tidy->count++] =
			(struct item){info, (unsigned)sqlite3_column_int(statement, 8)};
	}
	sn_db_done(statement);
	return rc;
}

/* Rows of the second come right after those of the first, and have the same columns. */
static bool are_neighbours(const struct item *a, const struct item *b)
{
	return a->info.layout == b->info.layout &&
	       a->info.first + (int64_t)a->info.rows == b->info.first;
}

/* How many of `count` neighbours fit into one block. */
static size_t how_many_fit(const struct item *items, size_t count)
{
	size_t rows = 0, n = 0;

	while (n < count && rows + items[n].info.rows <= SN_BLOCK_ROWS_MAX)
		rows += items[n++].info.rows;
	return n;
}

static size_t count_neighbours(const struct item *items, size_t count)
{
	size_t n = 1;

	while (n < count && are_neighbours(&items[n - 1], &items[n]))
		n++;
	return n;
}

/* Among neighbours, the first SN_BLOCKS_MERGE of one tier: where they begin, or `count`. */
static size_t find_tier(const struct item *items, size_t count)
{
	unsigned tiers[WINDOW] = {0}, tier = 0;
	size_t run = 0;

	for (size_t i = count; i-- > 0;) {
		tier = SN_MAX(tier, items[i].tier);
		tiers[i] = tier;
	}
	for (size_t i = 0; i < count; i++) {
		run = i > 0 && tiers[i] == tiers[i - 1] ? run + 1 : 1;
		if (run == SN_BLOCKS_MERGE)
			return i + 1 - SN_BLOCKS_MERGE;
	}
	return count;
}

/* The next neighbours to replace; how many, or 0. */
static size_t find_group(struct tidy *tidy, size_t *start)
{
	size_t i = tidy->from;

	while (i < tidy->count) {
		const struct item *items = &tidy->items[i];
		size_t left = tidy->count - i, n = count_neighbours(items, SN_MIN(left, WINDOW));
		size_t at = tidy->all ? 0 : find_tier(items, n);
		size_t fit = at < n ? how_many_fit(items + at, tidy->all ? n : SN_BLOCKS_MERGE) : 0;

		*start = i + at;
		if (fit > 1)
			return fit;
		/* Half a window on, so that no neighbours are missed between two of them. */
		i += tidy->all ? 1 : n == WINDOW ? WINDOW / 2 : n;
	}
	return 0;
}

/* Merging ------------------------------------------------------------------- */

/* Values of a column of several blocks, one behind the other. */
struct joined {
	struct sn_vector vector;
	uint8_t *null;
	char *values;
};

static void join(struct sn_block_column *const *parts, size_t count, size_t step, size_t rows,
		 struct joined *joined)
{
	enum sn_type type = sn_block_vector(parts[0])->type;
	size_t size = sn_vector_value_size(type), at = 0;

	*joined = (struct joined){.values = sn_xmalloc(rows * size)};
	for (size_t i = 0; i < count; i++) {
		const struct sn_vector *part = sn_block_vector(parts[i * step]);

		memcpy(joined->values + at * size, part->values, part->rows * size);
		if (part->null != NULL && joined->null == NULL)
			joined->null = sn_xcalloc(rows, 1);
		if (part->null != NULL)
			memcpy(joined->null + at, part->null, part->rows);
		at += part->rows;
	}
	joined->vector = (struct sn_vector){
		.type = type, .rows = rows, .null = joined->null, .values = joined->values};
}

static void destroy_columns(struct sn_block_column **columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sn_block_column_destroy(columns[i]);
}

/* Some columns of all neighbours. */
static int merge_columns(struct sn_db *db, const struct sn_dataset *dataset,
			 const struct item *items, size_t count, size_t rows,
			 const struct sn_layout_column *columns, size_t column_count,
			 struct sn_block_image *image, struct sn_err *err)
{
	struct sn_block_column *parts[WINDOW * AT_ONCE] = {NULL};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = sn_block_load(db, &items[i].info, columns, column_count,
				   &parts[i * column_count], err);
	for (size_t i = 0; rc == 0 && i < column_count; i++) {
		struct joined joined;

		join(&parts[i], count, column_count, rows, &joined);
		rc = sn_block_image_add(image, &joined.vector, columns[i].name, err);
		if (rc == 0 && sn_block_is_marked(dataset, columns[i].name))
			sn_block_image_mark(image, (size_t)columns[i].place, &joined.vector);
		free(joined.values);
		free(joined.null);
	}
	destroy_columns(parts, count * column_count);
	return rc;
}

static void sum_up(const struct item *items, size_t count, struct sn_blocks_info *sum)
{
	*sum = items[0].info;
	for (size_t i = 1; i < count; i++) {
		sum->rows += items[i].info.rows;
		sum->time_min = SN_MIN(sum->time_min, items[i].info.time_min);
		sum->time_max = SN_MAX(sum->time_max, items[i].info.time_max);
	}
}

/* All columns, those that the blocks have. */
static int make_image(struct sn_db *db, const struct sn_dataset *dataset, const struct item *items,
		      size_t count, size_t rows, struct sn_block_image *image, struct sn_err *err)
{
	struct sn_layout layout;
	int rc = sn_layout_load(db, items[0].info.layout, &layout, err);

	if (rc == -EUCLEAN)
		sn_db_blame(db, items[0].info.id);
	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < layout.count; i += AT_ONCE)
		rc = merge_columns(db, dataset, items, count, rows, &layout.columns[i],
				   SN_MIN(layout.count - i, (size_t)AT_ONCE), image, err);
	sn_layout_finish(&layout);
	return rc;
}

/* Whoever has raised its tier meanwhile wants the block to stay. */
static int take_out(struct sn_db *db, int64_t id, struct sn_err *err)
{
	int rc = sn_db_run(db, err, "UPDATE _block SET tier = tier WHERE id = ? AND tier < ?", "ii",
			   id, (int64_t)SN_BLOCKS_TIERS);

	if (rc == 0)
		return sn_err_set(err, -ESTALE, "block %" PRId64 " is not to be replaced", id);
	return rc < 0 ? rc : sn_blocks_remove(db, id, err);
}

static int replace(struct sn_db *db, const struct item *items, size_t count,
		   struct sn_blocks_info *sum, const struct sn_block_image *image,
		   struct sn_err *err)
{
	int rc = sn_db_begin(db, err);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = take_out(db, items[i].info.id, err);
	if (rc == 0)
		rc = sn_block_store(db, sum, image, err);
	if (rc == 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return rc;
}

/* Together they have more text than a block may: each stays as it is. */
static int leave_alone(struct sn_db *db, const struct item *items, size_t count, struct sn_err *err)
{
	int rc = sn_db_begin(db, err);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc >= 0 && i < count; i++)
		rc = sn_db_run(db, err, "UPDATE _block SET tier = ? WHERE id = ?", "ii",
			       (int64_t)SN_BLOCKS_TIERS, items[i].info.id);
	if (rc >= 0)
		return sn_db_commit(db, err);
	sn_db_rollback(db);
	return rc;
}

/* 0 with what stands there now in `sum`, -E2BIG if they stay, another error. */
static int merge(struct sn_db *db, const struct sn_dataset *dataset, const struct item *items,
		 size_t count, struct sn_blocks_info *sum, struct sn_err *err)
{
	struct sn_block_image image = {.count = 0};
	int rc, left;

	sum_up(items, count, sum);
	/* All that is read belongs together; nobody waits for it. */
	rc = sn_db_exec(db, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = make_image(db, dataset, items, count, sum->rows, &image, err);
	sn_db_rollback(db);
	if (rc == 0)
		rc = replace(db, items, count, sum, &image, err);
	else if (rc == -E2BIG && (left = leave_alone(db, items, count, err)) != 0)
		rc = left;
	sn_block_image_finish(&image);
	return rc;
}

/* The list without reading it again, which would take long where many blocks wait. */
static void note_merge(struct tidy *tidy, size_t start, size_t count,
		       const struct sn_blocks_info *sum)
{
	unsigned tier = sn_block_tier(sum->rows);
	size_t end = start + count;

	if (tier < SN_BLOCKS_TIERS)
		tidy->items[start++] = (struct item){*sum, tier};
	memmove(&tidy->items[start], &tidy->items[end], (tidy->count - end) * sizeof(*tidy->items));
	tidy->count -= end - start;
	tidy->from = start > WINDOW ? start - WINDOW : 0;
}

static void forget(struct tidy *tidy)
{
	free(tidy->items);
	tidy->items = NULL;
	tidy->count = tidy->from = 0;
}

/* Merges once: 1, or 0 if there was nothing to do. */
static int tidy_once(struct tidy *tidy, const struct sn_dataset *dataset, struct sn_err *err)
{
	struct sn_blocks_info sum;
	size_t start, count;
	int rc = 0;

	if (tidy->items == NULL)
		rc = load_items(tidy, dataset, err);
	count = rc == 0 ? find_group(tidy, &start) : 0;
	if (count == 0)
		return rc;
	rc = merge(tidy->db, dataset, &tidy->items[start], count, &sum, err);
	if (rc == 0)
		note_merge(tidy, start, count, &sum);
	else
		forget(tidy);
	return rc == 0 || rc == -ESTALE || rc == -E2BIG ? 1 : rc;
}

int sn_blocks_tidy_until(struct sn_db *db, const struct sn_dataset *dataset, bool all,
			 unsigned merges_max, atomic_bool *stop, unsigned *merges,
			 struct sn_err *err)
{
	struct tidy tidy = {.db = db, .all = all};
	struct sn_err local = {0};
	unsigned done = 0;
	int rc = 0;

	err = err != NULL ? err : &local;
	assert(sqlite3_get_autocommit(sn_db_handle(db)));
	while (done < merges_max &&
	       (stop == NULL || !atomic_load_explicit(stop, memory_order_relaxed)) &&
	       (rc = tidy_once(&tidy, dataset, err)) == 1)
		done++;
	forget(&tidy);
	if (merges != NULL)
		*merges = done;
	return SN_MIN(rc, 0);
}

int sn_blocks_tidy(struct sn_db *db, const struct sn_dataset *dataset, bool all,
		   unsigned merges_max, unsigned *merges, struct sn_err *err)
{
	return sn_blocks_tidy_until(db, dataset, all, merges_max, NULL, merges, err);
}
