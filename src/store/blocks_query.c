/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blocks_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/filter.h"

/* A block of which rows wait or are handed out. */
struct opened {
	struct sn_blocks_info info;
	size_t waiting;
	bool whole; /* all columns have been read */
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
};

/* A row that waits for its turn. */
struct entry {
	int64_t time_ns, number;
	struct opened *block;
};

struct sn_blocks_search {
	struct sn_db *db;
	const struct sn_query *query;
	const struct sn_dataset *dataset;
	struct sn_cursor after;
	bool resumed; /* `after` is a place */
	bool newest_first;
	struct opened *current;        /* whose row was handed out last */
	struct sn_blocks_info *blocks; /* in the order in which they are opened */
	size_t block_count, block_capacity, next_block;
	struct entry *heap;
	size_t entry_count, entry_capacity;
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
};

/* Blocks -------------------------------------------------------------------- */

static int note_block(const struct sn_blocks_info *block, void *ctx)
{
	struct sn_blocks_search *search = ctx;

	if (search->block_count == search->block_capacity) {
		search->block_capacity =
			search->block_capacity > 0 ? 2 * search->block_capacity : 64;
		search->blocks = sn_xrealloc(search->blocks, search->block_capacity,
					     sizeof(*search->blocks));
	}
	search->blocks[search->block_count++] = *block;
	return 0;
}

static int oldest_first(const void *a, const void *b)
{
	const struct sn_blocks_info *left = a, *right = b;

	return (left->time_min > right->time_min) - (left->time_min < right->time_min);
}

static int newest_first(const void *a, const void *b)
{
	const struct sn_blocks_info *left = a, *right = b;

	return (left->time_max < right->time_max) - (left->time_max > right->time_max);
}

static int find_blocks(struct sn_blocks_search *search, int64_t from, int64_t to,
		       struct sn_err *err)
{
	int rc = sn_blocks_list(search->db, search->dataset, from, to, note_block, search, err);

	if (rc == 0 && search->block_count > 0)
		qsort(search->blocks, search->block_count, sizeof(*search->blocks),
		      search->newest_first ? newest_first : oldest_first);
	return rc;
}

/* Those of `wanted` that were not read yet. */
static int read_columns(struct sn_blocks_search *search, struct opened *block, const int *wanted,
			size_t count, struct sn_err *err)
{
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
	int missing[SN_DATASET_COLUMNS_MAX] = {0};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < count; i++) {
		bool again = block->columns[wanted[i]] != NULL;

		for (size_t k = 0; k < n; k++)
			again |= missing[k] == wanted[i];
		if (!again)
			missing[n++] = wanted[i];
	}
	rc = sn_blocks_read(search->db, &block->info, search->dataset, missing, n, columns, err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		block->columns[missing[i]] = columns[i];
	return rc;
}

static int read_all(struct sn_blocks_search *search, struct opened *block, struct sn_err *err)
{
	int all[SN_DATASET_COLUMNS_MAX];
	int rc;

	if (block->whole)
		return 0;
	for (size_t i = 0; i < search->dataset->column_count; i++)
		all[i] = (int)i;
	rc = read_columns(search, block, all, search->dataset->column_count, err);
	block->whole = rc == 0;
	return rc;
}

static void close_block(struct opened *block)
{
	for (size_t i = 0; i < SN_DATASET_COLUMNS_MAX; i++)
		sn_block_column_destroy(block->columns[i]);
	free(block);
}

static const struct sn_vector *vector(const struct opened *block, int column)
{
	return sn_block_vector(block->columns[column]);
}

static struct opened *open_block(const struct sn_blocks_info *info)
{
	struct opened *block = sn_new(struct opened);

	block->info = *info;
	return block;
}

/* Rows that wait ------------------------------------------------------------ */

/* Whether `a` is to be handed out before `b`. */
static bool is_before(const struct sn_blocks_search *search, const struct entry *a,
		      const struct entry *b)
{
	const struct entry *early = search->newest_first ? b : a;
	const struct entry *late = search->newest_first ? a : b;

	return early->time_ns != late->time_ns ? early->time_ns < late->time_ns
					       : early->number < late->number;
}

static void push(struct sn_blocks_search *search, struct entry entry)
{
	size_t at = search->entry_count++;

	if (at == search->entry_capacity) {
		search->entry_capacity = at > 0 ? 2 * at : 1024;
		search->heap =
			sn_xrealloc(search->heap, search->entry_capacity, sizeof(*search->heap));
	}
	for (; at > 0 && is_before(search, &entry, &search->heap[(at - 1) / 2]); at = (at - 1) / 2)
		search->heap[at] = search->heap[(at - 1) / 2];
	search->heap[at] = entry;
	entry.block->waiting++;
}

/* Takes the first one out. */
static struct entry pop(struct sn_blocks_search *search)
{
	struct entry first = search->heap[0], last = search->heap[--search->entry_count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < search->entry_count) {
		if (child + 1 < search->entry_count &&
		    is_before(search, &search->heap[child + 1], &search->heap[child]))
			child++;
		if (!is_before(search, &search->heap[child], &last))
			break;
		search->heap[at] = search->heap[child];
		at = child;
	}
	search->heap[at] = last;
	return first;
}

/* The block may go when none of its rows waits or is in the caller's hands. */
static void let_go(struct opened *block)
{
	if (block != NULL && --block->waiting == 0)
		close_block(block);
}

/* The first row that waits, which is one of an open block; it is whole until the next call. */
static int take_first(struct sn_blocks_search *search, int64_t *number, struct sn_err *err)
{
	struct entry entry = pop(search);
	size_t row = (size_t)(entry.number - entry.block->info.first);
	int rc;

	search->current = entry.block;
	rc = read_all(search, entry.block, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < search->dataset->column_count; i++)
		search->row[i] = sn_vector_value(vector(entry.block, (int)i), row);
	*number = entry.number;
	return 1;
}

/* Queries ------------------------------------------------------------------- */

/* First and last time that rows may have. */
static void time_range(const struct sn_query *query, const struct sn_cursor *after, int64_t *from,
		       int64_t *to)
{
	*from = query->since_ns;
	*to = query->until_ns != 0 ? query->until_ns - 1 : INT64_MAX;
	if (after != NULL && query->newest_first)
		*to = SN_MIN(*to, after->time_ns);
	else if (after != NULL)
		*from = SN_MAX(*from, after->time_ns);
}

static void match_times(struct sn_blocks_search *search, const struct opened *block, uint8_t *match)
{
	const struct sn_vector *times = vector(block, SN_COL_TIME);
	const struct sn_cursor *after = search->resumed ? &search->after : NULL;
	struct entry place = {.number = 0}, entry;
	int64_t from, to;

	time_range(search->query, after, &from, &to);
	if (after != NULL)
		place = (struct entry){.time_ns = after->time_ns, .number = after->rowid};
	for (size_t i = 0; i < times->rows; i++) {
		entry = (struct entry){.time_ns = times->i[i],
				       .number = block->info.first + (int64_t)i};
		match[i] = !sn_vector_is_null(times, i) && entry.time_ns >= from &&
			   entry.time_ns <= to &&
			   (after == NULL || is_before(search, &place, &entry));
	}
}

/* Rows arrive about in the order of time; what is pushed in the order of the heap goes to its end.
 */
static void push_rows(struct sn_blocks_search *search, struct opened *block, const uint8_t *match)
{
	const struct sn_vector *times = vector(block, SN_COL_TIME);

	for (size_t k = 0; k < times->rows; k++) {
		size_t i = search->newest_first ? times->rows - 1 - k : k;

		if (match[i])
			push(search, (struct entry){.time_ns = times->i[i],
						    .number = block->info.first + (int64_t)i,
						    .block = block});
	}
}

/* Lets the rows of the next block wait. */
static int open_next(struct sn_blocks_search *search, struct sn_err *err)
{
	static _Thread_local uint8_t match[SN_BLOCK_ROWS_MAX];
	const struct sn_query *query = search->query;
	struct opened *block = open_block(&search->blocks[search->next_block++]);
	int wanted[SN_QUERY_FILTERS_MAX + 1] = {SN_COL_TIME};
	int rc;

	for (unsigned i = 0; i < query->filter_count; i++)
		wanted[i + 1] = query->filters[i].column;
	rc = read_columns(search, block, wanted, query->filter_count + 1, err);
	if (rc == 0) {
		match_times(search, block, match);
		for (unsigned i = 0; i < query->filter_count; i++)
			sn_filter_vector(&query->filters[i],
					 vector(block, query->filters[i].column), match);
	}
	if (rc == 0)
		push_rows(search, block, match);
	if (block->waiting == 0)
		close_block(block);
	return rc;
}

/* Whether no row of a block that is still closed comes before the first one that waits. */
static bool is_due(const struct sn_blocks_search *search)
{
	const struct sn_blocks_info *next = &search->blocks[search->next_block];

	if (search->entry_count == 0)
		return false;
	if (search->next_block == search->block_count)
		return true;
	return search->newest_first ? search->heap[0].time_ns > next->time_max
				    : search->heap[0].time_ns < next->time_min;
}

int sn_blocks_search_open(struct sn_db *db, const struct sn_query *query,
			  const struct sn_cursor *after, struct sn_blocks_search **out,
			  struct sn_err *err)
{
	struct sn_blocks_search *search = sn_new(struct sn_blocks_search);
	int64_t from, to;
	int rc;

	search->db = db;
	search->query = query;
	search->dataset = query->dataset;
	search->newest_first = query->newest_first;
	search->resumed = after != NULL;
	if (after != NULL)
		search->after = *after;
	time_range(query, after, &from, &to);
	rc = find_blocks(search, from, to, err);
	if (rc != 0)
		sn_blocks_search_close(search);
	else
		*out = search;
	return rc;
}

int sn_blocks_search_next(struct sn_blocks_search *search, const struct sn_value **row,
			  int64_t *number, struct sn_err *err)
{
	int rc = 0;

	let_go(sn_steal(&search->current));
	while (rc == 0 && search->next_block < search->block_count && !is_due(search))
		rc = open_next(search, err);
	if (rc != 0 || search->entry_count == 0)
		return rc;
	*row = search->row;
	return take_first(search, number, err);
}

void sn_blocks_search_close(struct sn_blocks_search *search)
{
	if (search == NULL)
		return;
	let_go(search->current);
	while (search->entry_count > 0)
		let_go(pop(search).block);
	free(search->heap);
	free(search->blocks);
	free(search);
}

int sn_blocks_query(struct sn_db *db, const struct sn_query *query, const struct sn_cursor *after,
		    sn_blocks_row_fn *fn, void *ctx, struct sn_err *err)
{
	struct sn_blocks_search *search;
	const struct sn_value *row;
	struct sn_err local = {0};
	int64_t number;
	int rc;

	err = err != NULL ? err : &local;
	rc = sn_blocks_search_open(db, query, after, &search, err);
	if (rc != 0)
		return rc;
	do
		rc = sn_blocks_search_next(search, &row, &number, err);
	while (rc == 1 && fn(row, number, ctx) == 0);
	sn_blocks_search_close(search);
	return SN_MIN(rc, 0);
}
