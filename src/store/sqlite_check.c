/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the numbers of a node's rows are complete and unique, from the rows
 * themselves.  Each stream counts from 0 on its own; a set of bits per stream holds
 * which numbers were seen, so that rows may come in any order and from many tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

#include "base/mem.h"

#define BLOCK_NUMBERS 65536
#define BLOCKS_MAX    16384 /* 128 MB of bits, for 10^9 rows without gaps */

struct block {
	uint64_t first; /* its numbers begin at first * BLOCK_NUMBERS */
	uint64_t bits[BLOCK_NUMBERS / 64];
};

struct numbers {
	struct block **blocks; /* ascending */
	size_t block_count, block_capacity;
	struct block *recent;
	uint64_t min, max, distinct, duplicates;
};

static void numbers_destroy(void *value)
{
	struct numbers *numbers = value;

	for (size_t i = 0; i < numbers->block_count; i++)
		free(numbers->blocks[i]);
	free(numbers->blocks);
	free(numbers);
}

/* Index of the first block that does not begin before `first`. */
static size_t lower_bound(const struct numbers *numbers, uint64_t first)
{
	size_t low = 0, high = numbers->block_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (numbers->blocks[middle]->first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct block *insert_block(struct numbers *numbers, size_t at, uint64_t first)
{
	struct block *block = sn_new(struct block);

	if (numbers->block_count == numbers->block_capacity) {
		numbers->block_capacity =
			numbers->block_capacity > 0 ? 2 * numbers->block_capacity : 8;
		numbers->blocks = sn_xrealloc(numbers->blocks, numbers->block_capacity,
					      sizeof(*numbers->blocks));
	}
	memmove(&numbers->blocks[at + 1], &numbers->blocks[at],
		(numbers->block_count - at) * sizeof(*numbers->blocks));
	numbers->blocks[at] = block;
	numbers->block_count++;
	block->first = first;
	return block;
}

/* NULL if the numbers are scattered over more blocks than memory is given for. */
static struct block *block_of(struct numbers *numbers, uint64_t number)
{
	uint64_t first = number / BLOCK_NUMBERS;
	size_t at;

	if (numbers->recent != NULL && numbers->recent->first == first)
		return numbers->recent;
	at = lower_bound(numbers, first);
	if (at < numbers->block_count && numbers->blocks[at]->first == first)
		numbers->recent = numbers->blocks[at];
	else
		numbers->recent =
			numbers->block_count < BLOCKS_MAX ? insert_block(numbers, at, first) : NULL;
	return numbers->recent;
}

static int add_number(struct numbers *numbers, uint64_t number, struct sn_err *err)
{
	struct block *block = block_of(numbers, number);
	uint64_t *word, bit = UINT64_C(1) << (number % 64);

	if (block == NULL)
		return sn_err_set(err, -E2BIG, "the row numbers are too scattered to be checked");
	word = &block->bits[number % BLOCK_NUMBERS / 64];
	if ((*word & bit) != 0) {
		numbers->duplicates++;
		return 0;
	}
	*word |= bit;
	numbers->min = numbers->distinct == 0 ? number : SN_MIN(numbers->min, number);
	numbers->max = numbers->distinct == 0 ? number : SN_MAX(numbers->max, number);
	numbers->distinct++;
	return 0;
}

static struct numbers *numbers_of(struct sn_map *streams, const char *stream)
{
	struct numbers *numbers = sn_map_get(streams, stream);

	if (numbers == NULL) {
		numbers = sn_new(struct numbers);
		sn_map_set(streams, stream, numbers);
	}
	return numbers;
}

/* Files ---------------------------------------------------------------------- */

struct check {
	const char *node;
	struct sn_map *streams; /* to struct numbers */
	uint64_t rows;
};

static int read_table(struct check *check, struct sn_db *db, const char *dataset, int version,
		      struct sn_err *err)
{
	sn_autofree char *sql = sn_xasprintf("SELECT s.stream, t.seq FROM \"%s_%d\" AS t CROSS JOIN"
					     " _source AS s ON s.id = t._source WHERE s.node = ?",
					     dataset, version);
	sqlite3_stmt *statement = sn_db_query(db, err, sql, "t", check->node);
	int rc = statement != NULL ? 1 : err->code;

	while (rc == 1) {
		rc = sn_db_next(db, statement, err);
		if (rc != 1)
			break;
		check->rows++;
		if (sqlite3_column_type(statement, 1) == SQLITE_INTEGER &&
		    add_number(numbers_of(check->streams,
					  (const char *)sqlite3_column_text(statement, 0)),
			       (uint64_t)sqlite3_column_int64(statement, 1), err) != 0)
			rc = err->code;
	}
	sn_db_done(statement);
	return rc;
}

static int read_day(struct sn_store *store, struct check *check, struct sn_day *day,
		    struct sn_err *err)
{
	sqlite3_stmt *tables;
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	/* Also datasets that only an older or newer release knows: their rows count. */
	tables = sn_db_query(day->reader, err, "SELECT dataset, version FROM _dataset", "");
	rc = tables != NULL ? 1 : err->code;
	while (rc == 1) {
		rc = sn_db_next(day->reader, tables, err);
		if (rc == 1 &&
		    read_table(check, day->reader, (const char *)sqlite3_column_text(tables, 0),
			       sqlite3_column_int(tables, 1), err) != 0)
			rc = err->code;
	}
	sn_db_done(tables);
	return rc;
}

static void sum_up(const struct check *check, struct sn_store_check *out)
{
	const char *stream;
	size_t cursor = 0;
	bool first = true;
	void *value;

	*out = (struct sn_store_check){.rows = check->rows};
	while (sn_map_next(check->streams, &cursor, &stream, &value)) {
		const struct numbers *numbers = value;

		out->seq_min = first ? numbers->min : SN_MIN(out->seq_min, numbers->min);
		out->seq_max = first ? numbers->max : SN_MAX(out->seq_max, numbers->max);
		out->duplicates += numbers->duplicates;
		out->missing += numbers->max - numbers->min + 1 - numbers->distinct;
		first = false;
	}
}

int sn_store_check_node(struct sn_store *store, const char *node, struct sn_store_check *out,
			struct sn_err *err)
{
	struct check check = {.node = node};
	sn_autofree int32_t *numbers = NULL;
	struct sn_err local = {0};
	size_t count;
	int rc;

	err = err != NULL ? err : &local;
	rc = sn_day_list(store, &numbers, &count, err);
	if (rc != 0)
		return rc;
	check.streams = sn_map_create(numbers_destroy);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct sn_day *day = sn_day_get(store, numbers[i]);

		rc = sn_day_fault(store, day, read_day(store, &check, day, err), err);
		sn_day_trim(store);
	}
	sum_up(&check, out);
	sn_map_destroy(check.streams);
	return rc;
}
