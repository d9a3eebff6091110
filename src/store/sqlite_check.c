/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the numbers of a node's rows are complete and unique, from the rows
 * themselves.  Each stream counts from 0 on its own; a set of bits per stream holds
 * which numbers were seen, so that rows may come in any order and from many tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/remote.h"

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

/* One span of rows on its way through the blocks. */
struct span {
	int64_t first, end; /* numbers of rows */
	struct numbers *numbers;
};

/* One dataset of one day. */
struct table {
	struct check *check;
	struct sn_store *store;
	int32_t day;
	struct sn_db *db;
	const struct sn_dataset *dataset;
	struct span *spans; /* by number */
	size_t span_count, at;
	int rc;
	struct sn_err *err;
};

static int load_spans(struct table *table)
{
	size_t capacity = 0;
	sqlite3_stmt *statement = sn_db_query(
		table->db, table->err,
		"SELECT p.first, p.rows, s.stream FROM _span AS p JOIN _source AS s"
		" ON s.id = p.source WHERE p.dataset = ? AND p.version = ? AND s.node = ?"
		" ORDER BY p.first",
		"tit", table->dataset->name, (int64_t)table->dataset->version, table->check->node);
	int rc = statement != NULL ? 1 : table->err->code;

	while (rc == 1 && (rc = sn_db_next(table->db, statement, table->err)) == 1) {
		int64_t first = sqlite3_column_int64(statement, 0);

		if (table->span_count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 64;
			table->spans = sn_xrealloc(table->spans, capacity, sizeof(*table->spans));
		}
		table->spans[table->span_count++] =
			(struct span){first, first + sqlite3_column_int64(statement, 1),
				      numbers_of(table->check->streams, sn_db_text(statement, 2))};
	}
	sn_db_done(statement);
	return rc;
}

static int add_rows(struct table *table, const struct sn_blocks_info *block,
		    const struct sn_vector *seq)
{
	for (size_t i = 0; i < seq->rows; i++) {
		int64_t number = block->first + (int64_t)i;

		while (table->at < table->span_count && table->spans[table->at].end <= number)
			table->at++;
		if (table->at == table->span_count || table->spans[table->at].first > number)
			continue;
		table->check->rows++;
		if (!sn_vector_is_null(seq, i) && add_number(table->spans[table->at].numbers,
							     (uint64_t)seq->i[i], table->err) != 0)
			return table->err->code;
	}
	return 0;
}

static int read_block(const struct sn_blocks_info *block, void *ctx)
{
	static const int seq = SN_COL_SEQ;
	struct table *table = ctx;
	struct sn_block_column *column;

	table->rc = sn_blocks_read(table->db, block, table->dataset, &seq, 1, &column, table->err);
	if (table->rc == 0) {
		table->rc = add_rows(table, block, sn_block_vector(column));
		sn_block_column_destroy(column);
	}
	return table->rc;
}

/* Those that have moved. ------------------------------------------------------- */

/* The span that the row is in; rows come by time, and so in no order of numbers. */
static struct span *find_span(struct table *table, int64_t number)
{
	size_t low = 0, high = table->span_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->spans[middle].end <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->span_count && table->spans[low].first <= number ? &table->spans[low]
									    : NULL;
}

static int add_remote_rows(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct table *table = ctx;
	struct sn_vector seq = sn_columns_vector(rows, SN_COL_SEQ);

	for (size_t i = 0; i < seq.rows; i++) {
		struct span *span = find_span(table, numbers[i]);

		if (span == NULL)
			continue;
		table->check->rows++;
		if (!sn_vector_is_null(&seq, i))
			table->rc = add_number(span->numbers, (uint64_t)seq.i[i], table->err);
		if (table->rc != 0)
			return 1;
	}
	return 0;
}

static int read_remote(struct table *table)
{
	struct sn_query query = {
		.dataset = table->dataset,
		.since_ns = INT64_MIN,
		.filters = {{.column = SN_COL_NODE,
			     .op = SN_EQ,
			     .value = {.type = SN_TYPE_TEXT, .s = sn_str(table->check->node)}}},
		.filter_count = 1,
	};
	struct sn_clickhouse_scan scan = {.query = &query};
	struct sn_remote_part part;
	int rc = sn_remote_look(table->store, table->day, table->db, table->dataset, &part,
				table->err);

	if (rc != 0 || !part.wanted || table->span_count == 0)
		return rc;
	scan.hide_from = part.hide_from;
	scan.hide_to = part.hide_to;
	scan.hide_number = part.hide_number;
	sn_remote_narrow(&query, table->day);
	rc = sn_clickhouse_scan(table->store->remote->client, &scan, add_remote_rows, table,
				table->err);
	if (table->rc != 0)
		return table->rc;
	return rc < 0 ? sn_remote_failed(table->day, table->err) : 0;
}

static int read_table(struct check *check, struct sn_store *store, int32_t day, struct sn_db *db,
		      const char *name, unsigned version, struct sn_err *err)
{
	/* The common columns are all that is needed; they are found by their names. */
	static const struct sn_column common[] = {SN_COMMON_COLUMNS};
	struct sn_dataset dataset = {
		.name = name, .version = version, .columns = common, .column_count = SN_COL_COMMON};
	struct table table = {.check = check,
			      .store = store,
			      .day = day,
			      .db = db,
			      .dataset = &dataset,
			      .err = err};
	int rc = load_spans(&table);

	if (rc == 0)
		rc = sn_blocks_list(db, &dataset, INT64_MIN, INT64_MAX, read_block, &table, err);
	if (rc == 0)
		rc = table.rc;
	if (rc == 0)
		rc = read_remote(&table);
	free(table.spans);
	return rc;
}

static int read_tables(struct check *check, struct sn_store *store, const struct sn_day *day,
		       struct sn_err *err)
{
	struct sn_db *db = day->reader;

	/* Also datasets that only an older or newer release knows: their rows count. */
	sqlite3_stmt *tables = sn_db_query(db, err, "SELECT dataset, version FROM _dataset", "");
	int rc = tables != NULL ? 1 : err->code;

	while (rc == 1) {
		rc = sn_db_next(db, tables, err);
		if (rc == 1 && read_table(check, store, day->number, db, sn_db_text(tables, 0),
					  (unsigned)sqlite3_column_int(tables, 1), err) != 0)
			rc = err->code;
	}
	sn_db_done(tables);
	return rc;
}

static int read_day(struct sn_store *store, struct check *check, struct sn_day *day,
		    struct sn_err *err)
{
	int rc = sn_day_open_reader(store, day, err);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	rc = sn_db_exec(day->reader, "BEGIN", err);
	if (rc != 0)
		return rc;
	rc = read_tables(check, store, day, err);
	sn_db_rollback(day->reader);
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
