/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blocks_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/blocks_internal.h"
#include "store/filter.h"

#define WHOLE SN_BLOCKS_WHOLE

/* What was not looked into yet: a block of which the pieces are not known, or a piece. */
struct closed {
	size_t block; /* index */
	size_t piece; /* or WHOLE */
	int64_t time_min, time_max;
};

/* A piece of which rows wait or are handed out. */
struct opened {
	struct sn_blocks_info info;
	size_t piece;
	int64_t first; /* number of its first row */
	size_t waiting;
	bool whole;   /* all columns have been read */
	bool damaged; /* or cannot be */
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
	struct sn_blocks_reader reader;
	struct sn_cursor after;
	bool resumed; /* `after` is a place */
	bool newest_first;
	int64_t from, to;       /* times that rows may have */
	struct opened *current; /* whose row was handed out last */
	struct sn_blocks_info *blocks;
	size_t block_count, block_capacity;
	struct closed *closed; /* the last one is opened next */
	size_t closed_count, closed_capacity;
	struct entry *heap;
	size_t entry_count, entry_capacity;
	struct sn_err damage; /* the first that was met */
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

/* Damage of blocks is noted, and the search goes on without them; not so that of the file. */
static int note_damage(struct sn_blocks_search *search, int rc, const struct sn_err *err)
{
	if (rc != -EUCLEAN || sn_db_is_damaged(search->db))
		return rc;
	if (search->damage.code == 0) {
		search->damage = *err;
		sn_err_wrap(&search->damage, "dataset '%s'", search->dataset->name);
	}
	return 0;
}

/* What is opened first stands last. */
static int oldest_last(const void *a, const void *b)
{
	const struct closed *left = a, *right = b;

	return (left->time_min < right->time_min) - (left->time_min > right->time_min);
}

static int newest_last(const void *a, const void *b)
{
	const struct closed *left = a, *right = b;

	return (left->time_max > right->time_max) - (left->time_max < right->time_max);
}

static void reserve_closed(struct sn_blocks_search *search, size_t count)
{
	if (search->closed_count + count <= search->closed_capacity)
		return;
	search->closed_capacity = search->closed_count + count + SN_BLOCK_PIECES_MAX;
	search->closed =
		sn_xrealloc(search->closed, search->closed_capacity, sizeof(*search->closed));
}

static int find_blocks(struct sn_blocks_search *search, struct sn_err *err)
{
	int rc = sn_blocks_list(search->db, search->dataset, search->from, search->to, note_block,
				search, err);

	rc = note_damage(search, rc, err);
	reserve_closed(search, search->block_count);
	for (size_t i = 0; i < search->block_count; i++)
		search->closed[search->closed_count++] = (struct closed){
			i, WHOLE, search->blocks[i].time_min, search->blocks[i].time_max};
	if (search->closed_count > 0)
		qsort(search->closed, search->closed_count, sizeof(*search->closed),
		      search->newest_first ? newest_last : oldest_last);
	return rc;
}

/* Puts a piece where it belongs. */
static void add_closed(struct sn_blocks_search *search, const struct closed *piece)
{
	int (*order)(const void *, const void *) = search->newest_first ? newest_last : oldest_last;
	size_t low = 0, high = search->closed_count;

	reserve_closed(search, 1);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(&search->closed[middle], piece) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&search->closed[low + 1], &search->closed[low],
		(search->closed_count++ - low) * sizeof(*search->closed));
	search->closed[low] = *piece;
}

/* Whether a filter can be looked up in the marks: equal values of these types have one hash. */
static bool is_marked(const struct sn_blocks_search *search, const struct sn_filter *filter)
{
	enum sn_type type = search->dataset->columns[filter->column].type;

	return filter->op == SN_EQ && !filter->or_next && filter->value.type == type &&
	       (type == SN_TYPE_TEXT || type == SN_TYPE_I64 || type == SN_TYPE_BOOL);
}

static int rule_out(struct sn_blocks_search *search, const struct sn_blocks_info *info,
		    struct sn_str marks, size_t piece, bool *out, struct sn_err *err)
{
	const struct sn_filter *filter;
	int place, rc = 0;

	*out = false;
	for (unsigned i = 0; rc == 0 && !*out && i < search->query->filter_count;
	     i += sn_filter_width(filter)) {
		filter = &search->query->filters[i];
		if (marks.n == 0 || !is_marked(search, filter))
			continue;
		rc = sn_blocks_reader_place(&search->reader, info, filter->column, &place, err);
		/* A column that the block does not have has no value that is equal. */
		*out = rc == 0 && (place < 0 ||
				   !sn_marks_may_have(marks, (size_t)place, piece, &filter->value));
	}
	return rc;
}

/* In place of a block its pieces, those that can have rows that are looked for. */
static int add_pieces(struct sn_blocks_search *search, size_t block, struct sn_err *err)
{
	const struct sn_blocks_info *info = &search->blocks[block];
	struct sn_buf marks = {0};
	bool out;
	int rc = sn_blocks_reader_marks(&search->reader, info, &marks, err);

	for (size_t i = 0; rc == 0 && i < sn_block_pieces(info->rows); i++) {
		struct closed piece = {block, i, info->time_min, info->time_max};

		sn_marks_times(sn_buf_str(&marks), i, &piece.time_min, &piece.time_max);
		if (piece.time_min > search->to || piece.time_max < search->from)
			continue;
		rc = rule_out(search, info, sn_buf_str(&marks), i, &out, err);
		if (rc == 0 && !out)
			add_closed(search, &piece);
	}
	sn_buf_finish(&marks);
	return rc;
}

/* Columns --------------------------------------------------------------------- */

/* Those of `wanted` that were not read yet. */
static int read_columns(struct sn_blocks_search *search, struct opened *block, const int *wanted,
			size_t count, struct sn_err *err)
{
	struct sn_block_column *columns[SN_DATASET_COLUMNS_MAX];
	int missing[SN_DATASET_COLUMNS_MAX] = {0};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < count; i++)
		if (block->columns[wanted[i]] == NULL)
			missing[n++] = wanted[i];
	rc = sn_blocks_reader_load(&search->reader, &block->info, block->piece, missing, n, columns,
				   err);
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
	block->damaged = rc != 0;
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

/* The first row that waits, which is one of an open piece; it is whole until the next call. */
static int take_first(struct sn_blocks_search *search, int64_t *number, struct sn_err *err)
{
	struct entry entry = pop(search);
	size_t row = (size_t)(entry.number - entry.block->first);
	int rc;

	search->current = entry.block;
	if (entry.block->damaged)
		return 0;
	rc = read_all(search, entry.block, err);
	if (rc != 0)
		return note_damage(search, rc, err);
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
	struct entry place = {.time_ns = search->after.time_ns, .number = search->after.rowid};

	for (size_t i = 0; i < times->rows; i++) {
		struct entry entry = {.time_ns = times->i[i], .number = block->first + (int64_t)i};

		match[i] = match[i] && !sn_vector_is_null(times, i) &&
			   entry.time_ns >= search->from && entry.time_ns <= search->to &&
			   (!search->resumed || is_before(search, &place, &entry));
	}
}

static bool is_any(const uint8_t *match, size_t rows)
{
	return memchr(match, 1, rows) != NULL;
}

/* Columns that are asked about are read one after the other, as long as rows are left. */
static int match_rows(struct sn_blocks_search *search, struct opened *block, uint8_t *match,
		      size_t rows, struct sn_err *err)
{
	static const int time = SN_COL_TIME;
	const struct sn_query *query = search->query;
	const struct sn_filter *filter;
	int rc = 0;

	memset(match, 1, rows);
	for (unsigned i = 0; rc == 0 && i < query->filter_count; i += sn_filter_width(filter)) {
		filter = &query->filters[i];
		rc = read_columns(search, block, &filter->column, 1, err);
		if (rc == 0)
			sn_filter_vector(filter, vector(block, filter->column), match);
		if (rc == 0 && !is_any(match, rows))
			return 0;
	}
	if (rc == 0)
		rc = read_columns(search, block, &time, 1, err);
	if (rc == 0)
		match_times(search, block, match);
	return rc;
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
						    .number = block->first + (int64_t)i,
						    .block = block});
	}
}

/* Lets the rows of a piece wait. */
static int open_piece(struct sn_blocks_search *search, const struct closed *closed,
		      struct sn_err *err)
{
	static _Thread_local uint8_t match[SN_BLOCK_PIECE_ROWS];
	struct opened *block = sn_new(struct opened);
	size_t rows;
	int rc;

	block->info = search->blocks[closed->block];
	block->piece = closed->piece == WHOLE ? 0 : closed->piece;
	block->first = block->info.first + (int64_t)(block->piece * SN_BLOCK_PIECE_ROWS);
	rows = sn_block_piece_rows(block->info.rows, block->piece);
	rc = match_rows(search, block, match, rows, err);
	if (rc == 0 && is_any(match, rows))
		push_rows(search, block, match);
	if (block->waiting == 0)
		close_block(block);
	return rc;
}

static int open_next(struct sn_blocks_search *search, struct sn_err *err)
{
	struct closed closed = search->closed[--search->closed_count];
	int rc;

	if (closed.piece == WHOLE && sn_block_pieces(search->blocks[closed.block].rows) > 1)
		rc = add_pieces(search, closed.block, err);
	else
		rc = open_piece(search, &closed, err);
	return note_damage(search, rc, err);
}

/* Whether no row of a block that is still closed comes before the first one that waits. */
static bool is_due(const struct sn_blocks_search *search)
{
	const struct closed *next;

	if (search->entry_count == 0)
		return false;
	if (search->closed_count == 0)
		return true;
	next = &search->closed[search->closed_count - 1];
	return search->newest_first ? search->heap[0].time_ns > next->time_max
				    : search->heap[0].time_ns < next->time_min;
}

int sn_blocks_search_open(struct sn_db *db, const struct sn_query *query,
			  const struct sn_cursor *after, struct sn_blocks_search **out,
			  struct sn_err *err)
{
	struct sn_blocks_search *search = sn_new(struct sn_blocks_search);
	int rc;

	search->db = db;
	search->query = query;
	search->dataset = query->dataset;
	search->newest_first = query->newest_first;
	search->resumed = after != NULL;
	if (after != NULL)
		search->after = *after;
	search->reader = (struct sn_blocks_reader){.db = db, .dataset = query->dataset};
	time_range(query, after, &search->from, &search->to);
	rc = find_blocks(search, err);
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

	/* Nothing comes of a row whose columns turn out to be damaged. */
	do {
		let_go(sn_steal(&search->current));
		while (rc == 0 && search->closed_count > 0 && !is_due(search))
			rc = open_next(search, err);
		if (rc != 0 || search->entry_count == 0)
			return rc;
		*row = search->row;
		rc = take_first(search, number, err);
	} while (rc == 0);
	return rc;
}

int sn_blocks_search_damage(const struct sn_blocks_search *search, struct sn_err *err)
{
	if (search->damage.code != 0)
		*err = search->damage;
	return search->damage.code;
}

void sn_blocks_search_close(struct sn_blocks_search *search)
{
	if (search == NULL)
		return;
	let_go(search->current);
	while (search->entry_count > 0)
		let_go(pop(search).block);
	sn_blocks_reader_finish(&search->reader);
	free(search->heap);
	free(search->closed);
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
	if (rc >= 0)
		rc = sn_blocks_search_damage(search, err);
	sn_blocks_search_close(search);
	return rc;
}
