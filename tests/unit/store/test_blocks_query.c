/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>

#include "unit/store/world.h"

#include "base/clock.h"
#include "base/rand.h"
#include "store/blocks_query.h"

static const char *const migrations[] = {sn_blocks_schema};

#define COLUMNS  SN_COUNT(sample_columns)
#define ROWS_MAX 4000

/* A file, and beside it the rows that it is to hold, in the order of arrival. */
struct file {
	char dir[32];
	struct sn_db *db;
	struct sn_columns *columns;
	struct sn_batch *rows; /* row i has number i + 1 */
	struct sn_err err;
	struct sn_prng prng;
};

static int create(void **state)
{
	struct file *file = sn_new(struct file);
	sn_autofree char *path = NULL;
	uint64_t seed = sn_mono_ns();

	strcpy(file->dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(file->dir) == NULL)
		return -1;
	path = sn_fs_join(file->dir, "day.db");
	file->columns = sn_columns_create(&sample);
	file->rows = sn_batch_create(&sample);
	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&file->prng, seed);
	*state = file;
	return sn_db_open(path, migrations, 1, &file->db, &file->err);
}

static int destroy(void **state)
{
	struct file *file = *state;

	sn_db_close(file->db);
	sn_columns_destroy(file->columns);
	sn_batch_destroy(file->rows);
	sn_fs_remove_tree(file->dir, NULL);
	free(file);
	return 0;
}

static uint64_t below(struct file *file, uint64_t limit)
{
	return sn_prng_u64(&file->prng) % limit;
}

/* Rows ---------------------------------------------------------------------------- */

static struct sn_value random_value(struct file *file, int column, int64_t time_ns)
{
	static const char *const texts[] = {"a", "b", "", "example.org", "example.net"};
	static const char *const nodes[] = {"n1", "n2", "n11"};
	struct sn_value value = {.type = sample_columns[column].type};

	if (column > SN_COL_TIME && below(file, 8) == 0)
		value.type = SN_TYPE_NULL;
	else if (column == SN_COL_TIME)
		value.i = time_ns;
	else if (column == SN_COL_NODE)
		value.s = sn_str(nodes[below(file, SN_COUNT(nodes))]);
	else if (value.type == SN_TYPE_TEXT)
		value.s = sn_str(texts[below(file, SN_COUNT(texts))]);
	else if (value.type == SN_TYPE_F64)
		value.f = (double)below(file, 20) / 4;
	else if (value.type == SN_TYPE_BOOL)
		value.b = below(file, 2) != 0;
	else if (value.type == SN_TYPE_I64)
		value.i = (int64_t)below(file, 6);
	else
		value.i = DAY_1 + (int64_t)below(file, 10);
	return value;
}

/* A block of rows about `time_ns`, give or take `spread`. */
static void put(struct file *file, size_t rows, int64_t time_ns, int64_t spread)
{
	sn_columns_clear(file->columns);
	for (size_t i = 0; i < rows; i++) {
		int64_t at = time_ns + (int64_t)below(file, (uint64_t)spread + 1);
		size_t row = sn_batch_add_row(file->rows);

		sn_columns_add_row(file->columns);
		for (int column = 0; column < (int)COLUMNS; column++) {
			struct sn_value value = random_value(file, column, at);

			sn_batch_set(file->rows, row, column, value);
			if (value.type != SN_TYPE_NULL)
				sn_columns_set(file->columns, column, value);
		}
	}
	if (sn_db_begin(file->db, &file->err) != 0 ||
	    sn_blocks_put(file->db, file->columns, 0, rows, NULL, &file->err) != 0 ||
	    sn_db_commit(file->db, &file->err) != 0)
		fail_msg("%s", file->err.text);
}

static void put_many(struct file *file)
{
	int64_t time_ns = DAY_1;

	while (sn_batch_rows(file->rows) < ROWS_MAX / 2) {
		put(file, 1 + below(file, below(file, 10) == 0 ? 300 : 30), time_ns,
		    (int64_t)below(file, 200));
		time_ns += (int64_t)below(file, 30);
	}
}

/* What is expected ------------------------------------------------------------------ */

static double number_of(struct sn_value value)
{
	return value.type == SN_TYPE_F64 ? value.f : (double)value.i;
}

static int text_order(struct sn_str a, struct sn_str b)
{
	sn_autofree char *left = sn_xstrndup(a.n > 0 ? a.p : "", a.n);
	sn_autofree char *right = sn_xstrndup(b.n > 0 ? b.p : "", b.n);

	return strcmp(left, right);
}

/* In the plainest words: small numbers only, so that doubles hold them. */
static bool is_wanted(const struct sn_value *row, const struct sn_filter *filter)
{
	struct sn_value value = row[filter->column], other = filter->value;
	int order;

	if (other.type == SN_TYPE_NULL)
		return (value.type == SN_TYPE_NULL) == (filter->op == SN_EQ);
	if (value.type == SN_TYPE_NULL)
		return false;
	if (filter->op == SN_CONTAINS) {
		sn_autofree char *text = sn_xstrndup(value.s.n > 0 ? value.s.p : "", value.s.n);
		sn_autofree char *part = sn_xstrndup(other.s.n > 0 ? other.s.p : "", other.s.n);

		return strstr(text, part) != NULL;
	}
	if (value.type == SN_TYPE_TEXT)
		order = text_order(value.s, other.s);
	else if (value.type == SN_TYPE_BOOL)
		order = value.b - other.b;
	else if (value.type == SN_TYPE_TIME)
		order = (value.i > other.i) - (value.i < other.i);
	else
		order = (number_of(value) > number_of(other)) -
			(number_of(value) < number_of(other));
	return (filter->op == SN_EQ && order == 0) || (filter->op == SN_NE && order != 0) ||
	       (filter->op == SN_LT && order < 0) || (filter->op == SN_LE && order <= 0) ||
	       (filter->op == SN_GT && order > 0) || (filter->op == SN_GE && order >= 0);
}

static bool is_all_wanted(const struct sn_value *row, const struct sn_query *query)
{
	for (unsigned i = 0; i < query->filter_count; i++) {
		const struct sn_filter *filter = &query->filters[i];
		bool wanted = is_wanted(row, filter);

		if (filter->or_next)
			wanted = is_wanted(row, &query->filters[++i]) || wanted;
		if (!wanted)
			return false;
	}
	return true;
}

struct expected {
	struct file *file;
	int64_t numbers[ROWS_MAX];
	size_t count, seen;
	size_t stop_after; /* 0: never */
};

static bool comes_before(struct file *file, int64_t a, int64_t b, bool newest_first)
{
	int64_t left = sn_batch_get(file->rows, (size_t)a - 1, SN_COL_TIME)->i;
	int64_t right = sn_batch_get(file->rows, (size_t)b - 1, SN_COL_TIME)->i;

	if (left != right)
		return newest_first ? left > right : left < right;
	return newest_first ? a > b : a < b;
}

static void expect(struct file *file, const struct sn_query *query, const struct sn_cursor *after,
		   struct expected *expected)
{
	*expected = (struct expected){.file = file};
	for (size_t i = 0; i < sn_batch_rows(file->rows); i++) {
		const struct sn_value *row = sn_batch_row(file->rows, i);
		int64_t number = (int64_t)i + 1, time_ns = row[SN_COL_TIME].i;
		bool wanted = time_ns >= query->since_ns &&
			      (query->until_ns == 0 || time_ns < query->until_ns);
		size_t at = expected->count;

		wanted = wanted && is_all_wanted(row, query);
		if (after != NULL && !comes_before(file, after->rowid, number, query->newest_first))
			wanted = false;
		if (!wanted)
			continue;
		for (; at > 0 &&
		       comes_before(file, number, expected->numbers[at - 1], query->newest_first);
		     at--)
			expected->numbers[at] = expected->numbers[at - 1];
		expected->numbers[at] = number;
		expected->count++;
	}
}

static void assert_row(struct file *file, const struct sn_value *row, int64_t number)
{
	for (int column = 0; column < (int)COLUMNS; column++) {
		const struct sn_value *expected =
			sn_batch_get(file->rows, (size_t)number - 1, column);

		assert_int_equal(row[column].type, expected->type);
		if (expected->type == SN_TYPE_TEXT)
			assert_true(sn_str_eq(row[column].s, expected->s));
		else if (expected->type == SN_TYPE_F64)
			assert_true(row[column].f == expected->f);
		else if (expected->type == SN_TYPE_BOOL)
			assert_int_equal(row[column].b, expected->b);
		else if (expected->type != SN_TYPE_NULL)
			assert_int_equal(row[column].i, expected->i);
	}
}

static int check_row(const struct sn_value *row, int64_t number, void *ctx)
{
	struct expected *expected = ctx;

	assert_true(expected->seen < expected->count);
	assert_int_equal(number, expected->numbers[expected->seen++]);
	assert_row(expected->file, row, number);
	return expected->seen == expected->stop_after;
}

static void assert_query(struct file *file, const struct sn_query *query,
			 const struct sn_cursor *after, size_t stop_after)
{
	static struct expected expected;

	expect(file, query, after, &expected);
	expected.stop_after = stop_after;
	if (sn_blocks_query(file->db, query, after, check_row, &expected, &file->err) != 0)
		fail_msg("%s", file->err.text);
	assert_int_equal(expected.seen,
			 stop_after > 0 ? SN_MIN(stop_after, expected.count) : expected.count);
}

/* Tests --------------------------------------------------------------------------------- */

static void rows_come_in_the_order_of_time_and_those_of_one_time_as_they_arrived(void **state)
{
	struct file *file = *state;
	struct sn_query query = {.dataset = &sample};

	put(file, 10, DAY_1 + 100, 10);
	put(file, 10, DAY_1, 300);
	put(file, 10, DAY_1 + 105, 0);
	put(file, 10, DAY_1 + 105, 0);
	assert_query(file, &query, NULL, 0);
	query.newest_first = true;
	assert_query(file, &query, NULL, 0);
}

static void random_filter(struct file *file, int column, struct sn_filter *filter)
{
	*filter = (struct sn_filter){.column = column,
				     .op = (enum sn_query_op)below(file, SN_CONTAINS + 1)};
	do {
		filter->value =
			random_value(file, filter->column, DAY_1 + (int64_t)below(file, 400));
	} while (filter->op == SN_CONTAINS && filter->value.type == SN_TYPE_NULL);
	if (filter->op == SN_CONTAINS && filter->value.type != SN_TYPE_TEXT)
		filter->op = SN_NE;
	if (filter->value.type == SN_TYPE_NULL)
		filter->op = below(file, 2) == 0 ? SN_EQ : SN_NE;
	/* Numbers of one kind may be compared with those of the other. */
	if (filter->value.type == SN_TYPE_F64 && below(file, 2) == 0)
		filter->value =
			(struct sn_value){.type = SN_TYPE_I64, .i = (int64_t)below(file, 5)};
	else if (filter->value.type == SN_TYPE_I64 && below(file, 2) == 0)
		filter->value =
			(struct sn_value){.type = SN_TYPE_F64, .f = (double)below(file, 12) / 2};
}

/* One, or two of a column that are one. */
static void add_random_filter(struct file *file, struct sn_query *query)
{
	struct sn_filter *filter = &query->filters[query->filter_count++];

	random_filter(file, (int)below(file, COLUMNS), filter);
	if (below(file, 3) == 0) {
		filter->or_next = true;
		random_filter(file, filter->column, &query->filters[query->filter_count++]);
	}
}

static void assert_random_queries(struct file *file, int count)
{
	for (int i = 0; i < count; i++) {
		struct sn_query query = {.dataset = &sample, .newest_first = below(file, 2) != 0};
		struct sn_cursor after = {.rowid = 1 +
						   (int64_t)below(file, sn_batch_rows(file->rows))};

		after.time_ns = sn_batch_get(file->rows, (size_t)after.rowid - 1, SN_COL_TIME)->i;
		if (below(file, 2) == 0)
			query.since_ns = DAY_1 + (int64_t)below(file, 2000);
		if (below(file, 2) == 0)
			query.until_ns = query.since_ns + 1 + (int64_t)below(file, 2000);
		for (query.filter_count = 0; below(file, 3) != 0 && query.filter_count < 4;)
			add_random_filter(file, &query);
		assert_query(file, &query, below(file, 2) == 0 ? &after : NULL,
			     below(file, 3) == 0 ? 1 + below(file, 50) : 0);
	}
}

static void random_questions_have_the_answers_of_a_plain_list(void **state)
{
	struct file *file = *state;

	put_many(file);
	assert_random_queries(file, 150);
	assert_int_equal(sn_blocks_tidy(file->db, &sample, false, 1000, NULL, NULL), 0);
	assert_random_queries(file, 50);
	assert_int_equal(sn_blocks_tidy(file->db, &sample, true, 1000, NULL, NULL), 0);
	assert_random_queries(file, 50);
}

static void large_integers_are_not_compared_as_the_nearest_double(void **state)
{
	static const struct {
		int64_t i;
		double f;
		int order;
	} cases[] = {{(1LL << 53) + 1, 0x1p53, 1},
		     {1LL << 53, 0x1p53, 0},
		     {INT64_MAX, 0x1p63, -1},
		     {INT64_MIN, -0x1p63, 0},
		     {INT64_MIN, -0x1.8p63, 1},
		     {3, 3.5, -1},
		     {-3, -3.5, 1},
		     {-3, -2.5, -1},
		     {0, -0.0, 0},
		     {-((1LL << 53) + 1), -0x1p53, -1}};
	struct file *file = *state;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_query query = {.dataset = &sample, .filter_count = 1};
		struct expected seen = {.file = file};

		sn_columns_clear(file->columns);
		sn_columns_add_row(file->columns);
		sn_columns_set_time(file->columns, SN_COL_TIME, DAY_1 + (int64_t)i);
		sn_columns_set_i64(file->columns, COUNT, cases[i].i);
		sn_columns_set_f64(file->columns, DELAY, cases[i].f);
		assert_int_equal(sn_db_begin(file->db, NULL), 0);
		assert_int_equal(sn_blocks_put(file->db, file->columns, 0, 1, NULL, NULL), 0);
		assert_int_equal(sn_db_commit(file->db, NULL), 0);
		sn_batch_add_row(file->rows);
		sn_batch_set_time(file->rows, SN_COL_TIME, DAY_1 + (int64_t)i);
		sn_batch_set_i64(file->rows, COUNT, cases[i].i);
		sn_batch_set_f64(file->rows, DELAY, cases[i].f);
		query.since_ns = DAY_1 + (int64_t)i;
		seen.numbers[0] = (int64_t)i + 1;
		seen.count = 1;
		for (int flip = 0; flip < 2; flip++) {
			int order = flip ? -cases[i].order : cases[i].order;

			query.filters[0] = (struct sn_filter){
				.column = flip ? DELAY : COUNT,
				.op = order < 0   ? SN_LT
				      : order > 0 ? SN_GT
						  : SN_EQ,
				.value = {.type = flip ? SN_TYPE_I64 : SN_TYPE_F64}};
			if (flip)
				query.filters[0].value.i = cases[i].i;
			else
				query.filters[0].value.f = cases[i].f;
			seen.seen = 0;
			assert_int_equal(
				sn_blocks_query(file->db, &query, NULL, check_row, &seen, NULL), 0);
			assert_int_equal(seen.seen, 1);
		}
	}
}

static int count_row(const struct sn_value *row, int64_t number, void *ctx)
{
	struct expected *expected = ctx;

	assert_row(expected->file, row, number);
	expected->seen++;
	return 0;
}

static int ask_latest(struct file *file, int64_t since_ns, struct expected *expected,
		      sn_blocks_row_fn *fn)
{
	struct sn_series_set *series = sn_series_set_create();
	int rc = sn_blocks_latest(file->db, &sample, since_ns, series, fn, expected, &file->err);

	sn_series_set_destroy(series);
	return rc;
}

static void damaged_block_is_told_and_the_others_are_read(void **state)
{
	/* Nothing of it, what is asked for first, the time, what is noted of it. */
	static const char *const damages[] = {
		"UPDATE _column SET data = zeroblob(length(data)) WHERE id / 256 = 2 AND id % 256 "
		"> 4",
		"UPDATE _column SET data = zeroblob(length(data)) WHERE id / 256 = 2 AND id % 256 "
		"= 4",
		"DELETE FROM _column WHERE id / 256 = 2 AND id % 256 = 0",
		"UPDATE _block SET time_max = time_max + 1 WHERE id = 2",
	};
	struct file *file = *state;
	static struct expected expected;
	struct sn_query query = {.dataset = &sample, .newest_first = true};
	int64_t blamed[SN_DB_BLAMED_MAX] = {2};
	int rc;

	put(file, 100, DAY_1, 50);
	put(file, 100, DAY_1 + 20, 50);
	put(file, 100, DAY_1 + 40, 50);
	for (size_t i = 0; i < SN_COUNT(damages); i++) {
		assert_int_equal(sn_db_exec(file->db, "SAVEPOINT before", NULL), 0);
		assert_int_equal(sn_db_exec(file->db, damages[i], NULL), 0);
		expected = (struct expected){.file = file};
		query.newest_first = i % 2 == 0;
		assert_int_equal(
			sn_blocks_query(file->db, &query, NULL, count_row, &expected, &file->err),
			-EUCLEAN);
		assert_int_equal(expected.seen, 200);
		assert_non_null(strstr(file->err.text, "dataset 'sample': block 2"));
		assert_int_equal(sn_db_take_blamed(file->db, blamed), 1);
		assert_int_equal(blamed[0], 2);
		assert_int_equal(sn_db_take_blamed(file->db, blamed), 0);
		expected = (struct expected){.file = file};
		rc = ask_latest(file, 0, &expected, count_row);
		assert_true(expected.seen > 0);
		/* Columns that are damaged are not read where no newest row is. */
		assert_true(rc == -EUCLEAN || (i == 0 && rc == 0));
		assert_int_equal(sn_db_take_blamed(file->db, blamed), rc != 0);
		assert_int_equal(sn_db_exec(file->db, "ROLLBACK TO before; RELEASE before", NULL),
				 0);
	}
	assert_int_equal(sn_db_exec(file->db, damages[0], NULL), 0);
	assert_int_equal(sn_blocks_set_aside(file->db, blamed, 1, "a reason", NULL), 0);
	expected = (struct expected){.file = file};
	assert_int_equal(sn_blocks_query(file->db, &query, NULL, count_row, &expected, &file->err),
			 0);
	assert_int_equal(expected.seen, 200);
}

/* Pieces --------------------------------------------------------------------------------------- */

struct found {
	struct file *file;
	const struct sn_query *query;
	int64_t time_ns, number;
	size_t count;
};

static int note_found(const struct sn_value *row, int64_t number, void *ctx)
{
	struct found *found = ctx;
	int64_t sign = found->query->newest_first ? -1 : 1;

	assert_row(found->file, row, number);
	for (unsigned i = 0; i < found->query->filter_count; i++)
		assert_true(is_wanted(row, &found->query->filters[i]));
	if (found->count++ > 0)
		assert_true(sign * row[SN_COL_TIME].i > sign * found->time_ns ||
			    (row[SN_COL_TIME].i == found->time_ns &&
			     sign * number > sign * found->number));
	found->time_ns = row[SN_COL_TIME].i;
	found->number = number;
	return 0;
}

static size_t count_wanted(struct file *file, const struct sn_query *query)
{
	size_t count = 0;

	for (size_t i = 0; i < sn_batch_rows(file->rows); i++) {
		const struct sn_value *row = sn_batch_row(file->rows, i);
		bool wanted = row[SN_COL_TIME].i >= query->since_ns &&
			      (query->until_ns == 0 || row[SN_COL_TIME].i < query->until_ns);

		wanted = wanted && is_all_wanted(row, query);
		count += wanted;
	}
	return count;
}

/* Runs of a node's rows, as batches bring them. */
static void put_runs(struct file *file, size_t rows, int64_t time_ns)
{
	char text[16];

	sn_columns_clear(file->columns);
	for (size_t i = 0; i < rows; i++) {
		size_t row = sn_batch_add_row(file->rows);
		int64_t at = time_ns + (int64_t)(i / 3) + (int64_t)below(file, 500);
		struct sn_value count = random_value(file, COUNT, at);

		sn_columns_add_row(file->columns);
		sn_columns_set_time(file->columns, SN_COL_TIME, at);
		sn_batch_set_time(file->rows, SN_COL_TIME, at);
		snprintf(text, sizeof(text), "node%zu", i / 97 % 70);
		sn_columns_set_text(file->columns, SN_COL_NODE, sn_str(text));
		sn_batch_set_text(file->rows, SN_COL_NODE, sn_str(text));
		snprintf(text, sizeof(text), "%zu", i % 1201);
		sn_columns_set_text(file->columns, TARGET, sn_str(text));
		sn_batch_set_text(file->rows, TARGET, sn_str(text));
		sn_batch_set(file->rows, row, COUNT, count);
		sn_columns_set(file->columns, COUNT, count);
	}
	assert_int_equal(sn_db_begin(file->db, NULL), 0);
	assert_int_equal(sn_blocks_put(file->db, file->columns, 0, rows, NULL, NULL), 0);
	assert_int_equal(sn_db_commit(file->db, NULL), 0);
}

/* Whose marks tell which of them need not be read. */
static void rows_of_pieces_are_found_by_time_node_and_key(void **state)
{
	struct file *file = *state;
	struct sn_query query = {.dataset = &sample};

	put_runs(file, 3 * SN_BLOCK_PIECE_ROWS - 100, DAY_1);
	put_runs(file, 10, DAY_1 + 2500);
	put_runs(file, 2 * SN_BLOCK_PIECE_ROWS, DAY_1 + 4000);
	for (unsigned run = 0; run < 60; run++) {
		static const int columns[] = {SN_COL_NODE, TARGET, COUNT};
		const struct sn_value *like =
			sn_batch_row(file->rows, below(file, sn_batch_rows(file->rows)));
		struct found found = {.file = file, .query = &query};

		query.newest_first = run % 2 == 0;
		query.filter_count = 0;
		for (unsigned k = 0; k < run % 3; k++) {
			int column = columns[(run / 3 + k) % 3];

			query.filters[query.filter_count++] =
				(struct sn_filter){column, SN_EQ, like[column]};
		}
		query.since_ns = run % 4 == 1 ? like[SN_COL_TIME].i : 0;
		query.until_ns = run % 5 == 1 ? like[SN_COL_TIME].i + 50 : 0;
		if (sn_blocks_query(file->db, &query, NULL, note_found, &found, &file->err) != 0)
			fail_msg("%s", file->err.text);
		assert_int_equal(found.count, count_wanted(file, &query));
		assert_true(found.count > 0 || query.since_ns > 0 || query.until_ns > 0);
	}
}

static void marks_that_are_damaged_say_nothing(void **state)
{
	struct file *file = *state;
	struct sn_query query = {.dataset = &sample, .filter_count = 1};
	struct found found = {.file = file, .query = &query};

	put_runs(file, 3 * SN_BLOCK_PIECE_ROWS, DAY_1);
	query.filters[0] = (struct sn_filter){
		SN_COL_NODE, SN_EQ, {.type = SN_TYPE_TEXT, .s = SN_STR("node7")}};
	assert_int_equal(
		sn_db_exec(file->db, "UPDATE _mark SET data = zeroblob(length(data))", NULL), 0);
	assert_int_equal(sn_blocks_query(file->db, &query, NULL, note_found, &found, NULL), 0);
	assert_int_equal(found.count, count_wanted(file, &query));
}

/* Newest rows ----------------------------------------------------------------------------- */

static bool same_text(const struct sn_value *a, const struct sn_value *b)
{
	return a->type == b->type && (a->type == SN_TYPE_NULL || sn_str_eq(a->s, b->s));
}

static void expect_latest(struct file *file, int64_t since_ns, struct expected *expected)
{
	struct sn_query query = {.dataset = &sample, .since_ns = since_ns, .newest_first = true};
	static struct expected all;

	expect(file, &query, NULL, &all);
	*expected = (struct expected){.file = file};
	for (size_t i = 0; i < all.count; i++) {
		const struct sn_value *row = sn_batch_row(file->rows, (size_t)all.numbers[i] - 1);
		bool is_new = row[SN_COL_NODE].type != SN_TYPE_NULL;

		for (size_t k = 0; k < expected->count; k++) {
			const struct sn_value *other =
				sn_batch_row(file->rows, (size_t)expected->numbers[k] - 1);

			if (same_text(&row[SN_COL_NODE], &other[SN_COL_NODE]) &&
			    same_text(&row[TARGET], &other[TARGET]))
				is_new = false;
		}
		if (is_new)
			expected->numbers[expected->count++] = all.numbers[i];
	}
}

static void assert_latest(struct file *file, int64_t since_ns)
{
	static struct expected expected;

	expect_latest(file, since_ns, &expected);
	if (ask_latest(file, since_ns, &expected, check_row) != 0)
		fail_msg("%s", file->err.text);
	assert_int_equal(expected.seen, expected.count);
}

static void newest_row_of_each_series_is_found_once(void **state)
{
	struct file *file = *state;

	assert_latest(file, 0);
	put_many(file);
	assert_latest(file, 0);
	assert_latest(file, DAY_1 + 500);
	assert_latest(file, DAY_1 + DAY_NS);
	assert_int_equal(sn_blocks_tidy(file->db, &sample, true, 1000, NULL, NULL), 0);
	assert_latest(file, 0);
	for (int i = 0; i < 20; i++)
		assert_latest(file, DAY_1 + (int64_t)below(file, 2000));
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(rows_come_in_the_order_of_time_and_those_of_one_time_as_they_arrived),
		WITH_FILE(random_questions_have_the_answers_of_a_plain_list),
		WITH_FILE(large_integers_are_not_compared_as_the_nearest_double),
		WITH_FILE(damaged_block_is_told_and_the_others_are_read),
		WITH_FILE(rows_of_pieces_are_found_by_time_node_and_key),
		WITH_FILE(marks_that_are_damaged_say_nothing),
		WITH_FILE(newest_row_of_each_series_is_found_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
