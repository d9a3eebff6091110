/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "unit/store/killed_child.h"
#include "unit/store/world.h"

#include "base/clock.h"
#include "base/rand.h"
#include "store/blocks.h"

static const char *const migrations[] = {sn_blocks_schema};

#define COLUMNS SN_COUNT(sample_columns)

/* The dataset of world.h as it is after somebody declared a column more, and moved two. */
static const struct sn_column later_columns[] = {
	SN_COMMON_COLUMNS,
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"target", SN_TYPE_TEXT, "", "a text"},
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"count", SN_TYPE_F64, "1", "no integer any more"},
	{"last_time", SN_TYPE_TIME, "s", "a time"},
	{"new", SN_TYPE_TEXT, "", "declared later"},
};
static const struct sn_dataset later = {
	.name = "sample",
	.version = 1,
	.columns = later_columns,
	.column_count = SN_COUNT(later_columns),
};
static const struct sn_dataset other = {
	.name = "other",
	.version = 1,
	.columns = sample_columns,
	.column_count = SN_COUNT(sample_columns),
};

struct file {
	char dir[32];
	char *path;
	struct sn_db *db;
	struct sn_columns *columns;
	struct sn_err err;
	int64_t seq; /* of the next row; it is also what the row's values are made of */
};

static void open_file(struct file *file)
{
	if (sn_db_open(file->path, migrations, 1, &file->db, &file->err) != 0)
		fail_msg("%s", file->err.text);
}

static int create(void **state)
{
	struct file *file = sn_new(struct file);

	strcpy(file->dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(file->dir) == NULL)
		return -1;
	file->path = sn_fs_join(file->dir, "day.db");
	file->columns = sn_columns_create(&sample);
	open_file(file);
	*state = file;
	return 0;
}

static int destroy(void **state)
{
	struct file *file = *state;

	sn_db_close(file->db);
	sn_columns_destroy(file->columns);
	sn_fs_remove_tree(file->dir, NULL);
	free(file->path);
	free(file);
	return 0;
}

/* Rows -------------------------------------------------------------------------- */

static struct sn_value value_of(int column, int64_t seq)
{
	static const char *const targets[] = {"a", "example.org", ""};
	struct sn_value value = {.type = sample_columns[column].type};

	if (column == SN_COL_TIME || column == LAST_TIME)
		value.i = DAY_1 + seq * SN_NS_PER_S;
	else if (column == SN_COL_SEQ || column == COUNT)
		value.i = seq;
	else if (column == DELAY)
		value.f = (double)seq / 8;
	else if (column == UP)
		value.b = seq % 3 == 0;
	else if (column == TARGET)
		value.s = sn_str(targets[seq % 3]);
	else
		value.type = SN_TYPE_NULL;
	if (column > SN_COL_SEQ && (seq + column) % 7 == 0)
		value.type = SN_TYPE_NULL;
	return value;
}

static void fill(struct sn_columns *columns, int64_t seq, size_t rows)
{
	sn_columns_clear(columns);
	for (; rows-- > 0; seq++) {
		sn_columns_add_row(columns);
		for (int i = 0; i < (int)COLUMNS; i++)
			if (value_of(i, seq).type != SN_TYPE_NULL)
				sn_columns_set(columns, i, value_of(i, seq));
	}
}

/* One block of the next rows. */
static void put(struct file *file, size_t rows)
{
	int64_t first = 0;

	fill(file->columns, file->seq, rows);
	if (sn_db_begin(file->db, &file->err) != 0 ||
	    sn_blocks_put(file->db, file->columns, 0, rows, &first, &file->err) != 0 ||
	    sn_db_commit(file->db, &file->err) != 0)
		fail_msg("%s", file->err.text);
	assert_int_equal(first, file->seq + 1);
	file->seq += (int64_t)rows;
}

static void assert_value(const struct sn_vector *vector, size_t row, struct sn_value expected)
{
	struct sn_value value = sn_vector_value(vector, row);

	assert_int_equal(value.type, expected.type);
	if (value.type == SN_TYPE_TEXT)
		assert_true(sn_str_eq(value.s, expected.s));
	else if (value.type == SN_TYPE_F64)
		assert_true(value.f == expected.f);
	else if (value.type == SN_TYPE_BOOL)
		assert_int_equal(value.b, expected.b);
	else if (value.type != SN_TYPE_NULL)
		assert_int_equal(value.i, expected.i);
}

/* Blocks in the order of the list. */
struct listed {
	struct sn_blocks_info blocks[2048];
	size_t count;
};

static int note_block(const struct sn_blocks_info *block, void *ctx)
{
	struct listed *listed = ctx;

	assert_true(listed->count < SN_COUNT(listed->blocks));
	listed->blocks[listed->count++] = *block;
	return 0;
}

static struct listed *list(struct file *file, int64_t from, int64_t to)
{
	static struct listed listed;

	listed.count = 0;
	if (sn_blocks_list(file->db, &sample, from, to, note_block, &listed, &file->err) != 0)
		fail_msg("%s", file->err.text);
	return &listed;
}

static struct listed *list_all(struct file *file)
{
	return list(file, INT64_MIN, INT64_MAX);
}

/* Rows `seq` .. are in the blocks, each once, in this order and with all values. */
static void assert_rows(struct file *file, int64_t seq, int64_t end)
{
	struct listed *listed = list_all(file);
	struct sn_block_column *columns[COLUMNS];
	int which[COLUMNS];

	for (int i = 0; i < (int)COLUMNS; i++)
		which[i] = i;
	for (size_t i = 0; i < listed->count; i++) {
		const struct sn_blocks_info *block = &listed->blocks[i];

		assert_int_equal(block->first, seq + 1);
		assert_int_equal(block->time_min, DAY_1 + seq * SN_NS_PER_S);
		if (sn_blocks_read(file->db, block, &sample, which, COLUMNS, columns, &file->err) !=
		    0)
			fail_msg("%s", file->err.text);
		for (size_t row = 0; row < block->rows; row++, seq++)
			for (int column = 0; column < (int)COLUMNS; column++)
				assert_value(sn_block_vector(columns[column]), row,
					     value_of(column, seq));
		assert_int_equal(block->time_max, DAY_1 + (seq - 1) * SN_NS_PER_S);
		for (size_t column = 0; column < COLUMNS; column++)
			sn_block_column_destroy(columns[column]);
	}
	assert_int_equal(seq, end);
}

static unsigned tidy(struct file *file, bool all)
{
	unsigned merges;

	if (sn_blocks_tidy(file->db, &sample, all, 100000, &merges, &file->err) != 0)
		fail_msg("%s", file->err.text);
	return merges;
}

/* Putting and reading -------------------------------------------------------------- */

static void rows_come_back_from_packed_and_other_blocks(void **state)
{
	struct file *file = *state;

	put(file, 1);
	put(file, SN_BLOCKS_PACKED_MAX);
	put(file, SN_BLOCKS_PACKED_MAX + 1);
	put(file, 1000);
	assert_rows(file, 0, file->seq);
	assert_true(list_all(file)->blocks[1].packed);
	assert_false(list_all(file)->blocks[2].packed);
	sn_db_close(file->db);
	open_file(file);
	assert_rows(file, 0, file->seq);
}

static void more_rows_than_a_block_takes_become_several(void **state)
{
	struct file *file = *state;

	put(file, SN_BLOCK_ROWS_MAX + 10);
	assert_int_equal(list_all(file)->count, 2);
	assert_int_equal(list_all(file)->blocks[0].rows, SN_BLOCK_ROWS_MAX);
	assert_rows(file, 0, file->seq);
}

static void some_of_the_rows_can_be_put(void **state)
{
	struct file *file = *state;

	fill(file->columns, 0, 10);
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, file->columns, 0, 3, NULL, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, file->columns, 3, 7, NULL, NULL), 0);
	assert_int_equal(sn_db_commit(file->db, NULL), 0);
	assert_rows(file, 0, 10);
}

static void what_was_rolled_back_never_was(void **state)
{
	struct file *file = *state;

	put(file, 5);
	fill(file->columns, 100, 5);
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, file->columns, 0, 5, NULL, NULL), 0);
	sn_db_rollback(file->db);
	put(file, 5);
	assert_rows(file, 0, 10);
}

static void row_without_time_is_refused(void **state)
{
	struct file *file = *state;

	fill(file->columns, 0, 3);
	sn_columns_add_row(file->columns);
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, file->columns, 0, 4, NULL, &file->err), -EINVAL);
	assert_non_null(strstr(file->err.text, "without 'time'"));
	assert_int_equal(sn_blocks_put(file->db, file->columns, 0, 0, NULL, NULL), -EINVAL);
	sn_db_rollback(file->db);
	assert_rows(file, 0, 0);
}

static void list_has_the_blocks_of_a_time_range_and_dataset(void **state)
{
	struct file *file = *state;
	struct sn_columns *columns = sn_columns_create(&other);
	struct listed *listed;

	for (int i = 0; i < 4; i++)
		put(file, 100);
	fill(columns, 0, 50);
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, columns, 0, 50, NULL, NULL), 0);
	assert_int_equal(sn_db_commit(file->db, NULL), 0);
	sn_columns_destroy(columns);
	assert_int_equal(list_all(file)->count, 4);
	listed = list(file, DAY_1 + 199 * SN_NS_PER_S, DAY_1 + 200 * SN_NS_PER_S);
	assert_int_equal(listed->count, 2);
	assert_int_equal(listed->blocks[0].first, 101);
	assert_int_equal(listed->blocks[1].first, 201);
	assert_int_equal(
		list(file, DAY_1 + 199 * SN_NS_PER_S + 1, DAY_1 + 200 * SN_NS_PER_S - 1)->count, 0);
}

static int stop_at_first(const struct sn_blocks_info *block, void *ctx)
{
	(void)block;
	++*(int *)ctx;
	return 1;
}

static void list_ends_when_told(void **state)
{
	struct file *file = *state;
	int seen = 0;

	put(file, 1);
	put(file, 1);
	assert_int_equal(
		sn_blocks_list(file->db, &sample, INT64_MIN, INT64_MAX, stop_at_first, &seen, NULL),
		0);
	assert_int_equal(seen, 1);
}

static void columns_are_found_by_name_and_what_is_not_there_is_null(void **state)
{
	static const int which[] = {4, 5, 7, 9}; /* delay_seconds, target, count, new */
	struct file *file = *state;
	size_t sizes[] = {10, 100};

	put(file, sizes[0]);
	put(file, sizes[1]);
	for (size_t i = 0; i < 2; i++) {
		const struct sn_blocks_info *block = &list_all(file)->blocks[i];
		struct sn_block_column *columns[4];

		assert_int_equal(
			sn_blocks_read(file->db, block, &later, which, 4, columns, &file->err), 0);
		for (size_t row = 0; row < sizes[i]; row++) {
			int64_t seq = block->first - 1 + (int64_t)row;

			assert_value(sn_block_vector(columns[0]), row, value_of(DELAY, seq));
			assert_value(sn_block_vector(columns[1]), row, value_of(TARGET, seq));
			assert_true(sn_vector_is_null(sn_block_vector(columns[2]), row));
			assert_true(sn_vector_is_null(sn_block_vector(columns[3]), row));
		}
		for (size_t column = 0; column < 4; column++)
			sn_block_column_destroy(columns[column]);
	}
}

static int read_target(struct file *file, const struct sn_blocks_info *block)
{
	struct sn_block_column *column;
	int which = TARGET;
	int rc = sn_blocks_read(file->db, block, &sample, &which, 1, &column, &file->err);

	if (rc == 0)
		sn_block_column_destroy(column);
	else
		assert_null(column);
	return rc;
}

static void damage_is_told_with_block_and_column(void **state)
{
	static const char *const damages[] = {
		"UPDATE _column SET data = zeroblob(length(data))",
		"UPDATE _column SET data = substr(data, 1, length(data) / 8)",
		"UPDATE _column SET data = x''",
		"DELETE FROM _column",
	};
	struct file *file = *state;

	for (size_t i = 0; i < 2 * SN_COUNT(damages); i++) {
		struct sn_blocks_info block;

		put(file, i % 2 == 0 ? 10 : 100);
		block = list_all(file)->blocks[0];
		assert_int_equal(sn_db_exec(file->db, damages[i / 2], NULL), 0);
		assert_int_equal(read_target(file, &block), -EUCLEAN);
		assert_non_null(strstr(file->err.text, "block "));
		if (i == 1)
			assert_non_null(strstr(file->err.text, "column 'target'"));
		/* Nor does it go away by being put together with others. */
		assert_int_equal(sn_db_begin(file->db, NULL), 0);
		assert_int_equal(sn_blocks_remove(file->db, block.id, NULL), 0);
		assert_int_equal(sn_db_commit(file->db, NULL), 0);
	}
}

static void numbers_in_the_file_that_cannot_be_are_damage(void **state)
{
	static const char *const damages[] = {
		"UPDATE _block SET rows = 0",
		"UPDATE _block SET rows = 65537",
		"UPDATE _block SET rows = -1",
		"UPDATE _block SET first = 0",
		"UPDATE _block SET first = 2",
		"UPDATE _block SET time_min = time_min + 1",
		"UPDATE _block SET time_max = time_max - 1",
		"UPDATE _block SET packed = 0",
		"UPDATE _block SET sums = x'00'",
		"UPDATE _block SET sums = zeroblob(length(sums))",
	};
	static const char repair[] = "UPDATE _block SET (layout, first, rows, time_min, time_max,"
				     " packed, sums) = (SELECT layout, first, rows, time_min,"
				     " time_max, packed, sums FROM sound)";
	struct file *file = *state;
	struct listed listed = {.count = 0};

	put(file, 10);
	assert_int_equal(sn_db_exec(file->db, "CREATE TABLE sound AS SELECT * FROM _block", NULL),
			 0);
	for (size_t i = 0; i < SN_COUNT(damages); i++) {
		assert_int_equal(sn_db_exec(file->db, damages[i], NULL), 0);
		assert_int_equal(sn_blocks_list(file->db, &sample, INT64_MIN, INT64_MAX, note_block,
						&listed, &file->err),
				 -EUCLEAN);
		assert_int_equal(sn_blocks_tidy(file->db, &sample, false, 1, NULL, &file->err),
				 -EUCLEAN);
		assert_int_equal(sn_db_exec(file->db, repair, NULL), 0);
	}
	assert_rows(file, 0, 10);
	assert_int_equal(sn_db_exec(file->db,
				    "UPDATE _layout SET columns = replace(columns, 'a', 'b')",
				    NULL),
			 0);
	assert_int_equal(read_target(file, &list_all(file)->blocks[0]), -EUCLEAN);
	assert_int_equal(
		sn_db_exec(file->db, "UPDATE _layout SET columns = 'time clock', sum = NULL", NULL),
		0);
	assert_int_equal(read_target(file, &list_all(file)->blocks[0]), -EPROTONOSUPPORT);
	assert_int_equal(sn_db_exec(file->db, "UPDATE _layout SET columns = 'time'", NULL), 0);
	assert_int_equal(read_target(file, &list_all(file)->blocks[0]), -EPROTONOSUPPORT);
}

/* As it would be if the number of a row had changed. */
static void column_in_the_place_of_another_is_damage(void **state)
{
	struct file *file = *state;

	put(file, 100);
	put(file, 100);
	assert_int_equal(sn_db_exec(file->db,
				    "UPDATE _column SET data = (SELECT data FROM _column AS c"
				    " WHERE c.id = _column.id + 256) WHERE id < 512",
				    NULL),
			 0);
	assert_int_equal(read_target(file, &list_all(file)->blocks[0]), -EUCLEAN);
	assert_int_equal(read_target(file, &list_all(file)->blocks[1]), 0);
}

static void removed_block_is_gone_and_its_numbers_stay_used(void **state)
{
	struct file *file = *state;
	struct sn_blocks_info last;

	put(file, 10);
	put(file, 100);
	last = list_all(file)->blocks[1];
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_remove(file->db, last.id, NULL), 0);
	assert_int_equal(sn_blocks_remove(file->db, last.id, NULL), -ESTALE);
	assert_int_equal(sn_db_commit(file->db, NULL), 0);
	assert_int_equal(read_target(file, &last), -ESTALE);
	assert_int_equal(list_all(file)->count, 1);
	put(file, 3); /* asserts the number of its first row */
	assert_true(list_all(file)->blocks[1].id > last.id);
}

static void texts_that_are_too_long_for_one_block_become_several(void **state)
{
	struct file *file = *state;
	static char text[SN_TEXT_MAX];
	size_t rows = 20000, seen = 0;
	struct listed *listed;

	sn_columns_clear(file->columns);
	for (size_t i = 0; i < rows; i++) {
		sn_columns_add_row(file->columns);
		sn_columns_set_time(file->columns, SN_COL_TIME, DAY_1);
		memset(text, 'x', sizeof(text));
		snprintf(text, sizeof(text), "%zu", i);
		text[strlen(text)] = 'x';
		sn_columns_set_text(file->columns, TARGET, (struct sn_str){text, sizeof(text)});
	}
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, file->columns, 0, rows, NULL, &file->err), 0);
	assert_int_equal(sn_db_commit(file->db, NULL), 0);
	listed = list_all(file);
	assert_int_equal(listed->count, 2);
	for (size_t i = 0; i < listed->count; i++)
		seen += listed->blocks[i].rows;
	assert_int_equal(seen, rows);
	/* Put together they are as long again: they stay, and nobody tries it for ever. */
	assert_int_equal(tidy(file, true), 1);
	assert_int_equal(tidy(file, true), 0);
	assert_int_equal(list_all(file)->count, 2);
	assert_int_equal(read_target(file, &list_all(file)->blocks[1]), 0);
}

/* Merging ---------------------------------------------------------------------------- */

static void seven_neighbours_stay_and_eight_become_one(void **state)
{
	struct file *file = *state;

	for (int i = 0; i < 7; i++)
		put(file, 10);
	assert_int_equal(tidy(file, false), 0);
	put(file, 10);
	assert_int_equal(tidy(file, false), 1);
	assert_int_equal(list_all(file)->count, 1);
	assert_int_equal(list_all(file)->blocks[0].rows, 80);
	assert_rows(file, 0, 80);
	/* Nothing of the old ones is left. */
	sqlite3_stmt *statement = sn_db_query(file->db, NULL, "SELECT count(*) FROM _column", "");
	assert_int_equal(sn_db_next(file->db, statement, NULL), 1);
	assert_int_equal(sqlite3_column_int(statement, 0), COLUMNS);
	sn_db_done(statement);
}

static void many_small_blocks_become_few_whatever_their_sizes(void **state)
{
	struct file *file = *state;
	struct sn_prng prng;
	uint64_t seed = sn_mono_ns();

	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < 200; i++) {
		put(file, 1 + sn_prng_u64(&prng) % (sn_prng_u64(&prng) % 16 == 0 ? 2000 : 20));
		if (sn_prng_u64(&prng) % 20 == 0)
			tidy(file, false);
	}
	tidy(file, false);
	assert_true(list_all(file)->count <= 7 * SN_BLOCKS_TIERS);
	assert_rows(file, 0, file->seq);
	tidy(file, true);
	assert_int_equal(list_all(file)->count,
			 (file->seq + SN_BLOCK_ROWS_MAX - 1) / SN_BLOCK_ROWS_MAX);
	assert_rows(file, 0, file->seq);
}

static void small_blocks_before_a_large_one_do_not_stay_for_ever(void **state)
{
	struct file *file = *state;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 5; i++)
			put(file, 1);
		put(file, 100);
		tidy(file, false);
	}
	assert_true(list_all(file)->count < 20);
	assert_rows(file, 0, file->seq);
}

static void row_is_written_again_a_few_times_only(void **state)
{
	struct file *file = *state;
	struct listed *listed;
	uint64_t written = 0;

	for (int i = 0; i < 520; i++) {
		put(file, 8);
		listed = list_all(file);
		int64_t newest = listed->blocks[listed->count - 1].id;

		tidy(file, false);
		listed = list_all(file);
		for (size_t k = 0; k < listed->count; k++)
			if (listed->blocks[k].id > newest)
				written += listed->blocks[k].rows;
	}
	/* 8, 64, 512, 4096: three times. */
	assert_true(written <= 3 * (uint64_t)file->seq);
	assert_rows(file, 0, file->seq);
}

static void large_blocks_become_as_large_as_allowed_and_no_larger(void **state)
{
	struct file *file = *state;

	for (int i = 0; i < 8; i++)
		put(file, 20000);
	tidy(file, false);
	for (size_t i = 0; i < list_all(file)->count; i++)
		assert_true(list_all(file)->blocks[i].rows <= SN_BLOCK_ROWS_MAX);
	assert_int_equal(list_all(file)->blocks[0].rows, 60000);
	assert_rows(file, 0, file->seq);
}

static void blocks_of_other_columns_are_no_neighbours(void **state)
{
	struct file *file = *state;
	struct sn_columns *columns = sn_columns_create(&later);

	for (int i = 0; i < 4; i++)
		put(file, 1);
	for (int i = 0; i < 4; i++) {
		sn_columns_clear(columns);
		sn_columns_add_row(columns);
		sn_columns_set_time(columns, SN_COL_TIME, DAY_1);
		sn_columns_set_text(columns, 9, SN_STR("new"));
		assert_int_equal(sn_db_begin(file->db, NULL), 0);
		assert_int_equal(sn_blocks_put(file->db, columns, 0, 1, NULL, NULL), 0);
		assert_int_equal(sn_db_commit(file->db, NULL), 0);
	}
	assert_int_equal(tidy(file, false), 0);
	/* The second one has all its columns afterwards, also those that `sample` does not know. */
	assert_int_equal(tidy(file, true), 2);
	assert_int_equal(list_all(file)->count, 2);
	{
		struct sn_block_column *column;
		int which = 9;

		assert_int_equal(sn_blocks_read(file->db, &list_all(file)->blocks[1], &later,
						&which, 1, &column, NULL),
				 0);
		assert_true(sn_str_eqc(sn_block_vector(column)->s[3], "new"));
		sn_block_column_destroy(column);
	}
	sn_columns_destroy(columns);
}

static void damaged_block_is_not_merged_and_told(void **state)
{
	struct file *file = *state;

	for (int i = 0; i < 8; i++)
		put(file, 10);
	assert_int_equal(sn_db_exec(file->db,
				    "UPDATE _column SET data = zeroblob(length(data))"
				    " WHERE id = (SELECT max(id) FROM _column)",
				    NULL),
			 0);
	assert_int_equal(sn_blocks_tidy(file->db, &sample, false, 9, NULL, &file->err), -EUCLEAN);
	assert_non_null(strstr(file->err.text, "block 8"));
	assert_int_equal(list_all(file)->count, 8);
	assert_int_equal(read_target(file, &list_all(file)->blocks[6]), 0);
}

static void reader_in_a_transaction_sees_what_was_there_before_a_merge(void **state)
{
	struct file *file = *state, reader = *file;

	for (int i = 0; i < 8; i++)
		put(file, 10);
	assert_int_equal(sn_db_open_reader(file->path, &reader.db, NULL), 0);
	assert_int_equal(sn_db_exec(reader.db, "BEGIN", NULL), 0);
	assert_int_equal(list_all(&reader)->count, 8);
	assert_int_equal(tidy(file, false), 1);
	assert_int_equal(list_all(&reader)->count, 8);
	assert_rows(&reader, 0, 80);
	sn_db_rollback(reader.db);
	assert_rows(&reader, 0, 80);
	assert_int_equal(list_all(&reader)->count, 1);
	sn_db_close(reader.db);
}

/* kill -9 ------------------------------------------------------------------------------ */

#define KILLS 30
#define ROWS  7

/* In a child: puts blocks of ROWS rows and merges until killed; tells how far it came. */
static void put_for_ever(void *ctx, uint64_t from, int pipe_fd)
{
	struct file *file = ctx;
	int64_t seq = (int64_t)from;
	struct sn_db *db;

	if (sn_db_open(file->path, migrations, 1, &db, NULL) != 0)
		_exit(2);
	for (;; seq += ROWS) {
		uint64_t done = (uint64_t)(seq + ROWS);
		int64_t first;

		fill(file->columns, seq, ROWS);
		if (sn_db_begin(db, NULL) != 0 ||
		    sn_blocks_put(db, file->columns, 0, ROWS, &first, NULL) != 0 ||
		    sn_db_commit(db, NULL) != 0 || first != seq + 1)
			_exit(3);
		if (write(pipe_fd, &done, sizeof(done)) != sizeof(done))
			_exit(4);
		if (seq % 2 == 0 && sn_blocks_tidy(db, &sample, false, 1000, NULL, NULL) != 0)
			_exit(5);
	}
}

/* What was committed without having been told is there, too: a block more at most. */
static int64_t count_rows(struct file *file)
{
	struct listed *listed = list_all(file);
	int64_t rows = 0;

	for (size_t i = 0; i < listed->count; i++)
		rows += (int64_t)listed->blocks[i].rows;
	return rows;
}

static void killed_writer_and_merger_lose_nothing_and_store_nothing_twice(void **state)
{
	struct file *file = *state;
	struct sn_prng prng;
	uint64_t seed = sn_mono_ns();

	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&prng, seed);
	for (int i = 0; i < KILLS; i++) {
		int64_t acknowledged, rows;

		sn_db_close(file->db);
		acknowledged = (int64_t)run_and_kill(put_for_ever, file, (uint64_t)file->seq,
						     (useconds_t)(sn_prng_u64(&prng) % 30000));
		open_file(file);
		rows = count_rows(file);
		assert_true(rows == acknowledged || rows == acknowledged + ROWS);
		assert_rows(file, 0, rows);
		file->seq = rows;
	}
	print_message("# %lld rows over %d kills\n", (long long)file->seq, KILLS);
	assert_true(file->seq > 0);
	tidy(file, false);
	assert_rows(file, 0, file->seq);
}

/* Two connections: one puts, the other merges all the time. */
static void writer_and_merger_do_not_disturb_each_other(void **state)
{
	struct file *file = *state;
	int status;
	pid_t pid;

	put(file, 1);
	sn_db_close(file->db);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sn_db *db;

		if (sn_db_open(file->path, migrations, 1, &db, NULL) != 0)
			_exit(2);
		for (int i = 0; i < 150; i++)
			if (sn_blocks_tidy(db, &sample, i % 8 == 0, 3, NULL, NULL) != 0)
				_exit(3);
		sn_db_close(db);
		_exit(0);
	}
	open_file(file);
	for (int i = 0; i < 150; i++)
		put(file, 1 + (size_t)i % 50);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_rows(file, 0, file->seq);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(rows_come_back_from_packed_and_other_blocks),
		WITH_FILE(more_rows_than_a_block_takes_become_several),
		WITH_FILE(some_of_the_rows_can_be_put),
		WITH_FILE(what_was_rolled_back_never_was),
		WITH_FILE(row_without_time_is_refused),
		WITH_FILE(list_has_the_blocks_of_a_time_range_and_dataset),
		WITH_FILE(list_ends_when_told),
		WITH_FILE(columns_are_found_by_name_and_what_is_not_there_is_null),
		WITH_FILE(damage_is_told_with_block_and_column),
		WITH_FILE(numbers_in_the_file_that_cannot_be_are_damage),
		WITH_FILE(column_in_the_place_of_another_is_damage),
		WITH_FILE(removed_block_is_gone_and_its_numbers_stay_used),
		WITH_FILE(texts_that_are_too_long_for_one_block_become_several),
		WITH_FILE(seven_neighbours_stay_and_eight_become_one),
		WITH_FILE(many_small_blocks_become_few_whatever_their_sizes),
		WITH_FILE(small_blocks_before_a_large_one_do_not_stay_for_ever),
		WITH_FILE(row_is_written_again_a_few_times_only),
		WITH_FILE(large_blocks_become_as_large_as_allowed_and_no_larger),
		WITH_FILE(blocks_of_other_columns_are_no_neighbours),
		WITH_FILE(damaged_block_is_not_merged_and_told),
		WITH_FILE(reader_in_a_transaction_sees_what_was_there_before_a_merge),
		WITH_FILE(killed_writer_and_merger_lose_nothing_and_store_nothing_twice),
		WITH_FILE(writer_and_merger_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
