/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same random rows in the blocks of a file and in a real server, and the same random questions
 * to both: rows, their order and their bits must be the same.
 */
#include "lib/test.h"

#include <errno.h>
#include <math.h>

#include "lib/clickhouse.h"
#include "unit/store/world.h"

#include "base/clock.h"
#include "base/rand.h"
#include "store/blocks_query.h"
#include "store/clickhouse.h"

#define DAY        20513 /* of DAY_1 */
#define BLOCKS     12
#define ROWS_MAX   6000
#define QUESTIONS  150
#define BLOCK_BASE ((uint64_t)0x89abcdef << 32)

static const char *const migrations[] = {sn_blocks_schema};
static struct clickhouse server;

/* Rows of one dataset at both places. */
struct world_of_two {
	struct sn_dataset dataset;
	char name[64];
	char dir[32];
	struct sn_db *db;
	struct sn_clickhouse *ch;
	struct sn_columns *rows;
	uint64_t block_of[ROWS_MAX + 1]; /* by number */
	int64_t number_max;
	struct sn_err err;
	struct sn_prng prng;
};

static uint64_t below(struct world_of_two *both, uint64_t limit)
{
	return sn_prng_u64(&both->prng) % limit;
}

/* Values that are easily mistaken for each other ----------------------------------- */

static const int64_t integers[] = {
	0,
	1,
	-1,
	2,
	3,
	INT64_MIN,
	INT64_MIN + 1,
	INT64_MAX,
	INT64_MAX - 1,
	(1LL << 53),
	(1LL << 53) + 1,
	-((1LL << 53) + 1),
	1LL << 32,
	1772366400000000001,
};
static const double doubles[] = {
	0.0,
	-0.0,
	1,
	-1,
	0.5,
	2.5,
	3,
	0.1,
	0.30000000000000004,
	0x1p-1074,
	-0x1p-1074,
	0x1p-1022,
	1e300,
	-1e300,
	0x1p53,
	0x1p53 + 2,
	0x1p63,
	-0x1p63,
	0x1.8p63,
	0x1.fffffffffffffp1023,
	0x1.fffffffffffffp62,
	1772366400000000000.0,
};
static const char *const texts[] = {
	"",
	"a",
	"b",
	"A",
	"aa",
	"it's",
	"'",
	"\\",
	"\\'",
	"\\\\N",
	"\\N",
	"\"",
	"\t",
	"two\nlines\r",
	"%",
	"_",
	"a%b",
	"a_b",
	"NULL",
	"null",
	"-",
	"\x7f",
	"\xc3\xa9",
	"\xe2\x82\xac",
	"\xf0\x9d\x84\x9e",
	"e\xcc\x81",
	" a ",
	"0",
	"1.0",
	"toDate(0)",
	"') OR 1=1 --",
	"`",
	"/*",
};

static struct sn_str random_text(struct world_of_two *both)
{
	static char text[SN_TEXT_MAX];
	uint64_t kind = below(both, 40);

	if (kind > 1)
		return sn_str(texts[below(both, SN_COUNT(texts))]);
	memset(text, kind == 0 ? 'x' : '\'', sizeof(text));
	return (struct sn_str){text, sizeof(text) - below(both, 3)};
}

static struct sn_value random_value(struct world_of_two *both, enum sn_type type)
{
	struct sn_value value = {.type = type};

	if (type == SN_TYPE_TEXT)
		value.s = random_text(both);
	else if (type == SN_TYPE_F64)
		value.f = doubles[below(both, SN_COUNT(doubles))];
	else if (type == SN_TYPE_BOOL)
		value.b = below(both, 2) != 0;
	else if (type == SN_TYPE_I64)
		value.i = integers[below(both, SN_COUNT(integers))];
	else
		value.i = DAY_1 + (int64_t)below(both, 20);
	return value;
}

/* Both places ------------------------------------------------------------------------ */

/* Within the day, many at the same time, some at its ends. */
static int64_t random_time(struct world_of_two *both)
{
	switch (below(both, 4)) {
	case 0:
		return DAY_1 + (int64_t)below(both, 5);
	case 1:
		return DAY_1 + DAY_NS - 1 - (int64_t)below(both, 3);
	case 2:
		return DAY_1 + (int64_t)below(both, 10) * SN_NS_PER_S;
	default:
		return DAY_1 + (int64_t)below(both, (uint64_t)DAY_NS);
	}
}

static void add_random_row(struct world_of_two *both)
{
	static const char *const nodes[] = {"n1", "n2", "n11"};

	sn_columns_add_row(both->rows);
	sn_columns_set_time(both->rows, SN_COL_TIME, random_time(both));
	for (size_t i = SN_COL_TIME + 1; i < both->dataset.column_count; i++) {
		struct sn_value value = random_value(both, both->dataset.columns[i].type);

		if (i == SN_COL_NODE)
			value.s = sn_str(nodes[below(both, SN_COUNT(nodes))]);
		if (below(both, 6) > 0)
			sn_columns_set(both->rows, (int)i, value);
	}
}

static void put(struct world_of_two *both, uint64_t id, size_t rows)
{
	struct sn_clickhouse_block block = {.day = DAY, .id = id};

	sn_columns_clear(both->rows);
	for (size_t i = 0; i < rows; i++)
		add_random_row(both);
	if (sn_db_begin(both->db, &both->err) != 0 ||
	    sn_blocks_put(both->db, both->rows, 0, rows, &block.first, &both->err) != 0 ||
	    sn_db_commit(both->db, &both->err) != 0 ||
	    sn_clickhouse_insert(both->ch, both->rows, &block, &both->err) != 0)
		fail_msg("%s", both->err.text);
	for (size_t i = 0; i < rows; i++)
		both->block_of[block.first + (int64_t)i] = id;
	both->number_max = block.first + (int64_t)rows - 1;
}

static struct world_of_two *world_of(const struct sn_dataset *dataset)
{
	struct world_of_two *both = sn_new(struct world_of_two);
	struct sn_clickhouse_options options = {.url = server.url_with_user};
	sn_autofree char *path = NULL;
	uint64_t seed = sn_mono_ns();

	print_message("# seed %llu\n", (unsigned long long)seed);
	sn_prng_seed(&both->prng, seed);
	both->dataset = *dataset;
	strcpy(both->dir, "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(both->dir));
	path = sn_fs_join(both->dir, "day.db");
	both->rows = sn_columns_create(&both->dataset);
	if (sn_db_open(path, migrations, 1, &both->db, &both->err) != 0 ||
	    sn_clickhouse_open(&options, &both->ch, &both->err) != 0)
		fail_msg("%s", both->err.text);
	for (uint64_t i = 0; i < BLOCKS; i++)
		put(both, BLOCK_BASE + i,
		    1 + below(both, i == 0 ? ROWS_MAX / 4 : ROWS_MAX / 2 / BLOCKS));
	return both;
}

static void destroy(struct world_of_two *both)
{
	sn_db_close(both->db);
	sn_clickhouse_close(both->ch);
	sn_columns_destroy(both->rows);
	sn_fs_remove_tree(both->dir, NULL);
	free(both);
}

/* Answers ----------------------------------------------------------------------------- */

/* Rows of an answer: numbers in their order, and a copy of the rows. */
struct answer {
	struct world_of_two *both;
	const struct sn_clickhouse_scan *scan;
	struct sn_columns *rows;
	int64_t numbers[ROWS_MAX];
	size_t count;
	size_t stop_after; /* 0: never */
};

static struct answer *answer_create(struct world_of_two *both,
				    const struct sn_clickhouse_scan *scan)
{
	struct answer *answer = sn_new(struct answer);

	answer->both = both;
	answer->scan = scan;
	answer->rows = sn_columns_create(&both->dataset);
	return answer;
}

static void answer_destroy(struct answer *answer)
{
	sn_columns_destroy(answer->rows);
	free(answer);
}

static void keep_row(struct answer *answer, const struct sn_value *row, int64_t number)
{
	assert_true(answer->count < ROWS_MAX);
	sn_columns_add_row(answer->rows);
	for (size_t i = 0; i < answer->both->dataset.column_count; i++)
		if (row[i].type != SN_TYPE_NULL)
			sn_columns_set(answer->rows, (int)i, row[i]);
	answer->numbers[answer->count++] = number;
}

/* What the file cannot leave out by itself. */
static bool is_left_out(const struct sn_clickhouse_scan *scan, uint64_t block, int64_t number)
{
	for (size_t i = 0; i < scan->without_count; i++)
		if (scan->without[i] == block)
			return true;
	if (scan->only_block != 0 && scan->only_block != block)
		return true;
	return scan->hide_to != 0 && block >= scan->hide_from && block <= scan->hide_to &&
	       number >= scan->hide_number;
}

static int take_local(const struct sn_value *row, int64_t number, void *ctx)
{
	struct answer *answer = ctx;

	if (answer->scan != NULL &&
	    is_left_out(answer->scan, answer->both->block_of[number], number))
		return 0;
	keep_row(answer, row, number);
	return answer->scan != NULL && answer->scan->limit == answer->count;
}

static int take_remote(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct answer *answer = ctx;
	struct sn_value row[SN_DATASET_COLUMNS_MAX];

	for (size_t i = 0; i < sn_columns_rows(rows); i++) {
		sn_columns_row(rows, i, row);
		keep_row(answer, row, numbers[i]);
	}
	return 0;
}

static void assert_same_value(struct sn_value a, struct sn_value b)
{
	assert_int_equal(a.type, b.type);
	if (a.type == SN_TYPE_TEXT)
		assert_true(sn_str_eq(a.s, b.s));
	else if (a.type == SN_TYPE_BOOL)
		assert_int_equal(a.b, b.b);
	else if (a.type == SN_TYPE_F64) /* -0 is not 0 */
		assert_memory_equal(&a.f, &b.f, sizeof(a.f));
	else if (a.type != SN_TYPE_NULL)
		assert_true(a.i == b.i);
}

static void assert_same_rows(const struct answer *a, const struct answer *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_int_equal(a->numbers[i], b->numbers[i]);
	for (size_t column = 0; column < a->both->dataset.column_count; column++) {
		struct sn_vector left = sn_columns_vector(a->rows, (int)column);
		struct sn_vector right = sn_columns_vector(b->rows, (int)column);

		for (size_t i = 0; i < a->count; i++)
			assert_same_value(sn_vector_value(&left, i), sn_vector_value(&right, i));
	}
}

static size_t assert_same_answers(struct world_of_two *both, const struct sn_clickhouse_scan *scan)
{
	struct answer *local = answer_create(both, scan), *remote = answer_create(both, scan);
	struct sn_cursor after = {.time_ns = scan->after_ns, .rowid = scan->after_number};
	size_t count;

	if (sn_blocks_query(both->db, scan->query, scan->resumed ? &after : NULL, take_local, local,
			    &both->err) != 0 ||
	    sn_clickhouse_scan(both->ch, scan, take_remote, remote, &both->err) != 0)
		fail_msg("%s", both->err.text);
	assert_same_rows(local, remote);
	count = local->count;
	answer_destroy(local);
	answer_destroy(remote);
	return count;
}

/* Questions ------------------------------------------------------------------------------ */

static void random_filter(struct world_of_two *both, int column, struct sn_filter *filter)
{
	enum sn_type type;

	filter->column = column;
	filter->op = (enum sn_query_op)below(both, SN_CONTAINS);
	type = both->dataset.columns[filter->column].type;
	filter->value = random_value(both, type);
	if (type == SN_TYPE_TEXT && below(both, 3) == 0)
		filter->op = SN_CONTAINS;
	/* Numbers of one kind may be compared with those of the other. */
	if (type == SN_TYPE_F64 && below(both, 2) == 0)
		filter->value = random_value(both, SN_TYPE_I64);
	else if (type == SN_TYPE_I64 && below(both, 2) == 0)
		filter->value = random_value(both, SN_TYPE_F64);
	if (below(both, 8) == 0)
		*filter = (struct sn_filter){.column = filter->column,
					     .op = below(both, 2) == 0 ? SN_EQ : SN_NE};
}

/* One, or two of a column that are one. */
static void add_random_filter(struct world_of_two *both, struct sn_query *query)
{
	struct sn_filter *filter = &query->filters[query->filter_count++];

	random_filter(both, (int)below(both, both->dataset.column_count), filter);
	if (below(both, 3) == 0) {
		filter->or_next = true;
		random_filter(both, filter->column, &query->filters[query->filter_count++]);
	}
}

static void random_question(struct world_of_two *both, struct sn_query *query,
			    struct sn_clickhouse_scan *scan, uint64_t *without)
{
	*query = (struct sn_query){.dataset = &both->dataset, .newest_first = below(both, 2) != 0};
	*scan = (struct sn_clickhouse_scan){.query = query, .without = without};
	if (below(both, 2) == 0)
		query->since_ns = random_time(both);
	if (below(both, 2) == 0)
		query->until_ns = random_time(both) + 1;
	while (below(both, 3) != 0 && query->filter_count < 4)
		add_random_filter(both, query);
	if (below(both, 2) == 0)
		scan->limit = 1 + below(both, 100);
	if (below(both, 2) == 0)
		scan->near_ns = random_time(both);
	scan->resumed = below(both, 3) == 0;
	scan->after_ns = random_time(both);
	scan->after_number = 1 + (int64_t)below(both, (uint64_t)both->number_max);
	if (below(both, 4) == 0)
		while (scan->without_count < 3)
			without[scan->without_count++] = BLOCK_BASE + below(both, BLOCKS);
	if (below(both, 6) == 0)
		scan->only_block = BLOCK_BASE + below(both, BLOCKS);
	if (below(both, 4) == 0) {
		scan->hide_from = BLOCK_BASE;
		scan->hide_to = BLOCK_BASE + below(both, BLOCKS);
		scan->hide_number = (int64_t)below(both, (uint64_t)both->number_max);
	}
}

static void ask_random_questions(struct world_of_two *both)
{
	size_t rows = 0;

	for (int i = 0; i < QUESTIONS; i++) {
		struct sn_clickhouse_scan scan;
		struct sn_query query;
		uint64_t without[3];

		random_question(both, &query, &scan, without);
		rows += assert_same_answers(both, &scan);
	}
	assert_true(rows > 0);
}

static void ask_each_value_of_each_column(struct world_of_two *both)
{
	struct sn_query query = {.dataset = &both->dataset, .filter_count = 1};
	struct sn_clickhouse_scan scan = {.query = &query};

	for (int op = SN_EQ; op < SN_CONTAINS; op++)
		for (size_t i = 0; i < SN_COUNT(integers) + SN_COUNT(doubles); i++) {
			struct sn_value value = {.type = SN_TYPE_I64};
			bool is_integer = i < SN_COUNT(integers);

			if (is_integer)
				value.i = integers[i];
			else
				value = (struct sn_value){.type = SN_TYPE_F64,
							  .f = doubles[i - SN_COUNT(integers)]};
			query.filters[0] = (struct sn_filter){is_integer ? DELAY : COUNT,
							      (enum sn_query_op)op, value};
			assert_same_answers(both, &scan);
		}
}

static int ignore_numbers(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void assert_same_newest(struct world_of_two *both, int64_t since_ns)
{
	struct answer *local = answer_create(both, NULL), *remote = answer_create(both, NULL);
	struct sn_series_set *series = sn_series_set_create();

	if (sn_blocks_latest(both->db, &both->dataset, since_ns, series, take_local, local,
			     &both->err) != 0 ||
	    sn_clickhouse_latest(both->ch, &both->dataset, since_ns, NULL, 0, take_remote, remote,
				 &both->err) != 0)
		fail_msg("%s", both->err.text);
	sn_series_set_destroy(series);
	qsort(local->numbers, local->count, sizeof(*local->numbers), ignore_numbers);
	qsort(remote->numbers, remote->count, sizeof(*remote->numbers), ignore_numbers);
	assert_int_equal(local->count, remote->count);
	assert_memory_equal(local->numbers, remote->numbers,
			    local->count * sizeof(*local->numbers));
	answer_destroy(local);
	answer_destroy(remote);
}

/* Tests --------------------------------------------------------------------------------- */

#define NEEDS_SERVER()                                                                             \
	do {                                                                                       \
		if (server.pid == 0)                                                               \
			skip();                                                                    \
	} while (0)

static void both_places_give_the_same_answers(void **state)
{
	const struct sn_dataset *const datasets[] = {&sample, &sn_dataset_ping,
						     &sn_dataset_tstat_udp_complete};

	(void)state;
	NEEDS_SERVER();
	for (size_t i = 0; i < SN_COUNT(datasets); i++) {
		struct world_of_two *both = world_of(datasets[i]);

		ask_random_questions(both);
		for (int k = 0; k < 5; k++)
			assert_same_newest(both, k == 0 ? 0 : random_time(both));
		destroy(both);
	}
}

static void numbers_of_two_kinds_are_compared_exactly(void **state)
{
	struct sn_dataset dataset = sample;
	struct world_of_two *both;

	(void)state;
	NEEDS_SERVER();
	dataset.name = "of_two_kinds";
	both = world_of(&dataset);
	ask_each_value_of_each_column(both);
	destroy(both);
}

static int start_server(void **state)
{
	(void)state;
	return !clickhouse_is_installed() || clickhouse_create(&server) ? 0 : -1;
}

static int stop_server(void **state)
{
	(void)state;
	clickhouse_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_places_give_the_same_answers),
		cmocka_unit_test(numbers_of_two_kinds_are_compared_exactly),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
