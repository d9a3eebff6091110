/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>

#include "unit/store/world.h"

#include "base/rand.h"

#define OTHER_NODE "01JNZ8W9E4T3Q7V5B2M6K1R0XM"

/* Sequence numbers of the rows that a query found, in its order. */
struct found {
	int64_t seqs[4096];
	size_t count, stop_after;
	struct sn_value last[SN_COUNT(sample_columns)];
	char texts[2][64]; /* node and target of the last row */
};

static int collect(const struct sn_value *row, void *ctx)
{
	struct found *found = ctx;

	assert_true(found->count < SN_COUNT(found->seqs));
	found->seqs[found->count++] = row[SN_COL_SEQ].i;
	memcpy(found->last, row, sizeof(found->last));
	snprintf(found->texts[0], 64, "%.*s", (int)row[SN_COL_NODE].s.n, row[SN_COL_NODE].s.p);
	if (row[TARGET].type == SN_TYPE_TEXT)
		snprintf(found->texts[1], 64, "%.*s", (int)row[TARGET].s.n, row[TARGET].s.p);
	return found->stop_after > 0 && found->count == found->stop_after;
}

static struct sn_query all(void)
{
	return (struct sn_query){.dataset = &sample, .limit = 1000, .newest_first = true};
}

static void filter(struct sn_query *query, int column, enum sn_query_op op, struct sn_value value)
{
	query->filters[query->filter_count++] =
		(struct sn_filter){.column = column, .op = op, .value = value};
}

#define TEXT(text)   ((struct sn_value){.type = SN_TYPE_TEXT, .s = SN_STR(text)})
#define I64(number)  ((struct sn_value){.type = SN_TYPE_I64, .i = (number)})
#define F64(number)  ((struct sn_value){.type = SN_TYPE_F64, .f = (number)})
#define TIME(number) ((struct sn_value){.type = SN_TYPE_TIME, .i = (number)})
#define BOOL(value)  ((struct sn_value){.type = SN_TYPE_BOOL, .b = (value)})
#define NOTHING      ((struct sn_value){.type = SN_TYPE_NULL})

static void run(struct world *world, const struct sn_query *query, struct found *found)
{
	*found = (struct found){.stop_after = found->stop_after};
	if (sn_store_query(world->store, query, collect, found, NULL, &world->err) != 0)
		fail_msg("%s", world->err.text);
}

static void finds(struct world *world, const struct sn_query *query, size_t count,
		  const int64_t *seqs)
{
	struct found found = {0};

	run(world, query, &found);
	assert_int_equal(found.count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(found.seqs[i], seqs[i]);
}
#define FINDS(world, query, ...)                                                                   \
	finds(world, query, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                    \
	      (int64_t[]){__VA_ARGS__})

/* Rows 0..5 over three days, in an order of arrival that is not that of time. */
static void store_sample(struct world *world)
{
	add_row(world->batch, DAY_1 + 50, "alpha", 1);
	sn_batch_set_i64(world->batch, COUNT, 10);
	sn_batch_set_f64(world->batch, DELAY, 0.5);
	add_row(world->batch, DAY_1 + 40, "beta", 0);
	sn_batch_set_i64(world->batch, COUNT, -3);
	sn_batch_set_bool(world->batch, UP, true);
	store_batch(world);
	add_row(world->batch, DAY_1 + 3 * DAY_NS, "alpha", 4);
	add_row(world->batch, DAY_1 + 4 * DAY_NS - 1, NULL, 5);
	sn_batch_set_bool(world->batch, UP, false);
	store_batch(world);
	add_row(world->batch, DAY_1 + DAY_NS + 7, "alphabet", 2);
	sn_batch_set_time(world->batch, LAST_TIME, 99);
	add_row(world->batch, DAY_1 + DAY_NS + 7, "gamma", 3);
	store_batch_of(world, OTHER_NODE);
}

static void rows_come_newest_or_oldest_first(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();

	store_sample(world);
	FINDS(world, &query, 5, 4, 3, 2, 1, 0);
	query.newest_first = false;
	FINDS(world, &query, 0, 1, 2, 3, 4, 5);
}

static void all_values_come_back(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();
	struct found found = {0};

	add_row(world->batch, DAY_1 + 1234567890123, "t\xc3\xa9xt \"'%", INT64_MAX);
	sn_batch_set_text(world->batch, SN_COL_TASK, SN_STR("task"));
	sn_batch_set_f64(world->batch, DELAY, 0.1 + 0.2);
	sn_batch_set_bool(world->batch, UP, true);
	sn_batch_set_i64(world->batch, COUNT, INT64_MIN);
	sn_batch_set_time(world->batch, LAST_TIME, 1772366400123456789);
	store_batch(world);
	run(world, &query, &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.last[SN_COL_TIME].i, DAY_1 + 1234567890123);
	assert_int_equal(found.last[SN_COL_TIME].type, SN_TYPE_TIME);
	assert_string_equal(found.texts[0], NODE);
	assert_string_equal(found.texts[1], "t\xc3\xa9xt \"'%");
	assert_true(found.last[SN_COL_SEQ].i == INT64_MAX);
	assert_true(found.last[DELAY].f == 0.1 + 0.2);
	assert_int_equal(found.last[UP].type, SN_TYPE_BOOL);
	assert_true(found.last[UP].b);
	assert_true(found.last[COUNT].i == INT64_MIN);
	assert_int_equal(found.last[LAST_TIME].i, 1772366400123456789);

	add_row(world->batch, DAY_1 + 2 * DAY_NS, "", 0);
	sn_batch_set_f64(world->batch, DELAY, 3);
	store_batch(world);
	run(world, &query, &found);
	run(world, &(struct sn_query){.dataset = &sample, .limit = 1, .newest_first = true},
	    &found);
	assert_int_equal(found.last[TARGET].type, SN_TYPE_TEXT);
	assert_int_equal(found.last[TARGET].s.n, 0);
	assert_int_equal(found.last[DELAY].type, SN_TYPE_F64);
	assert_true(found.last[DELAY].f == 3);
	assert_int_equal(found.last[UP].type, SN_TYPE_NULL);
	assert_int_equal(found.last[SN_COL_TASK].type, SN_TYPE_NULL);
}

static void range_has_its_start_and_not_its_end(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();

	store_sample(world);
	query.since_ns = DAY_1 + 50;
	query.until_ns = DAY_1 + 3 * DAY_NS;
	FINDS(world, &query, 3, 2, 1);
	query.until_ns++;
	query.since_ns++;
	FINDS(world, &query, 4, 3, 2);
	query.newest_first = false;
	FINDS(world, &query, 2, 3, 4);
	query.since_ns = query.until_ns;
	query.until_ns = query.since_ns;
	finds(world, &query, 0, NULL);
}

static void filters_compare_as_their_type_does(void **state)
{
	struct world *world = *state;
	const struct {
		struct sn_filter filter;
		const char *seqs;
	} cases[] = {
		{{TARGET, SN_EQ, TEXT("alpha")}, "41"},
		{{TARGET, SN_NE, TEXT("alpha")}, "320"},
		{{TARGET, SN_CONTAINS, TEXT("alpha")}, "421"},
		{{TARGET, SN_CONTAINS, TEXT("a")}, "43210"},
		{{TARGET, SN_CONTAINS, TEXT("%")}, ""},
		{{TARGET, SN_LT, TEXT("alphabet")}, "41"},
		{{TARGET, SN_GE, TEXT("beta")}, "30"},
		{{TARGET, SN_EQ, NOTHING}, "5"},
		{{TARGET, SN_NE, NOTHING}, "43210"},
		{{COUNT, SN_EQ, I64(10)}, "1"},
		{{COUNT, SN_LT, I64(10)}, "0"},
		{{COUNT, SN_LE, F64(10)}, "10"},
		{{COUNT, SN_GT, I64(-4)}, "10"},
		{{DELAY, SN_GE, F64(0.5)}, "1"},
		{{DELAY, SN_GT, F64(0.5)}, ""},
		{{UP, SN_EQ, BOOL(true)}, "0"},
		{{UP, SN_EQ, BOOL(false)}, "5"},
		{{LAST_TIME, SN_EQ, TIME(99)}, "2"},
		{{SN_COL_SEQ, SN_GE, I64(4)}, "54"},
		{{SN_COL_TIME, SN_EQ, TIME(DAY_1 + 50)}, "1"},
		{{SN_COL_TIME, SN_NE, TIME(DAY_1 + 50)}, "54320"},
		{{SN_COL_NODE, SN_EQ, TEXT(OTHER_NODE)}, "32"},
		{{SN_COL_NODE, SN_EQ, TEXT("nobody")}, ""},
		{{SN_COL_NODE, SN_NE, TEXT(OTHER_NODE)}, "5410"},
		{{SN_COL_NODE, SN_CONTAINS, TEXT("XM")}, "32"},
		{{SN_COL_NODE, SN_EQ, NOTHING}, ""},
		{{SN_COL_TASK, SN_EQ, NOTHING}, "543210"},
	};

	store_sample(world);
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_query query = all();
		struct found found = {0};
		char text[8] = "";

		query.filters[0] = cases[i].filter;
		query.filter_count = 1;
		run(world, &query, &found);
		for (size_t k = 0; k < found.count; k++)
			text[k] = (char)('0' + found.seqs[k]);
		if (strcmp(text, cases[i].seqs) != 0)
			fail_msg("case %zu found %s, not %s", i, text, cases[i].seqs);
	}
}

static void filters_are_all_to_be_met(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();

	store_sample(world);
	filter(&query, SN_COL_NODE, SN_EQ, TEXT(NODE));
	filter(&query, TARGET, SN_EQ, TEXT("alpha"));
	FINDS(world, &query, 4, 1);
	filter(&query, SN_COL_TIME, SN_LT, TIME(DAY_1 + DAY_NS));
	FINDS(world, &query, 1);
	filter(&query, SN_COL_NODE, SN_EQ, TEXT(OTHER_NODE));
	finds(world, &query, 0, NULL);
}

/* Follows the cursors with pages of `limit` rows. */
static void page_through(struct world *world, struct sn_query query, uint32_t limit,
			 struct found *found)
{
	char *cursor = NULL, *next;
	int pages = 0;

	*found = (struct found){0};
	query.limit = limit;
	do {
		size_t before = found->count;

		query.cursor = cursor;
		if (sn_store_query(world->store, &query, collect, found, &next, &world->err) != 0)
			fail_msg("%s", world->err.text);
		assert_true(next == NULL || found->count == before + limit);
		free(cursor);
		cursor = next;
		assert_true(++pages < 5000);
	} while (cursor != NULL);
}

/* Many rows of the same time too: 600 rows at 200 times over two days. */
static void store_many(struct world *world)
{
	for (int i = 0; i < 600; i++) {
		int64_t time = DAY_1 + (i / 300) * DAY_NS + (i % 100) * 5 * SN_NS_PER_S;

		add_row(world->batch, time, i % 3 == 0 ? "a" : "b", i);
		if (i % 20 == 19)
			store_batch_of(world, i % 40 == 19 ? NODE : OTHER_NODE);
	}
}

static void pages_together_are_the_whole_whatever_their_size(void **state)
{
	struct world *world = *state;
	struct found whole = {0}, paged;

	store_many(world);
	for (int variant = 0; variant < 8; variant++) {
		static const uint32_t limits[] = {1, 2, 7, 300, 599};
		struct sn_query query = all();

		query.newest_first = (variant & 1) != 0;
		if ((variant & 2) != 0)
			filter(&query, SN_COL_NODE, SN_EQ, TEXT(OTHER_NODE));
		if ((variant & 4) != 0)
			filter(&query, TARGET, SN_EQ, TEXT("b"));
		run(world, &query, &whole);
		assert_true(whole.count >= 100);
		for (size_t i = 0; i < SN_COUNT(limits); i++) {
			page_through(world, query, limits[i], &paged);
			assert_int_equal(paged.count, whole.count);
			assert_memory_equal(paged.seqs, whole.seqs, whole.count * sizeof(int64_t));
		}
	}
}

static void pages_neither_repeat_nor_miss_rows_while_more_arrive(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();
	struct found first = {0}, second = {0};
	char *cursor, *next;

	for (int i = 0; i < 20; i++)
		add_row(world->batch, DAY_1 + i, "a", i);
	store_batch(world);
	query.limit = 10;
	assert_int_equal(sn_store_query(world->store, &query, collect, &first, &cursor, NULL), 0);
	/* Newer, older and equal to the place of the cursor. */
	add_row(world->batch, DAY_1 + 100, "a", 100);
	add_row(world->batch, DAY_1 + 10, "a", 101);
	add_row(world->batch, DAY_1 + 3, "a", 102);
	store_batch(world);
	query.cursor = cursor;
	query.limit = 100;
	assert_int_equal(sn_store_query(world->store, &query, collect, &second, &next, NULL), 0);
	assert_null(next);
	assert_int_equal(second.count, 11);
	assert_int_equal(second.seqs[0], 9);
	assert_int_equal(second.seqs[6], 102);
	assert_int_equal(second.seqs[10], 0);
	free(cursor);
}

static void caller_may_stop_and_go_on_with_the_cursor(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();
	struct found found = {.stop_after = 2};
	char *cursor;

	store_sample(world);
	assert_int_equal(sn_store_query(world->store, &query, collect, &found, &cursor, NULL), 0);
	assert_int_equal(found.count, 2);
	assert_non_null(cursor);
	query.cursor = cursor;
	FINDS(world, &query, 3, 2, 1, 0);
	free(cursor);
}

static int query_rc(struct world *world, const struct sn_query *query)
{
	struct found found = {0};

	return sn_store_query(world->store, query, collect, &found, NULL, &world->err);
}

static void queries_that_make_no_sense_are_refused(void **state)
{
	const struct {
		struct sn_filter filter;
		const char *reason;
	} cases[] = {
		{{-1, SN_EQ, I64(1)}, "a filter on column -1, which dataset 'sample' has not"},
		{{99, SN_EQ, I64(1)}, "a filter on column 99, which dataset 'sample' has not"},
		{{COUNT, SN_EQ, TEXT("1")},
		 "'count' (integer) is compared with a value of type text"},
		{{TARGET, SN_EQ, I64(1)},
		 "'target' (text) is compared with a value of type integer"},
		{{COUNT, SN_LT, NOTHING}, "'count' is compared with nothing"},
		{{COUNT, SN_CONTAINS, I64(1)}, "'count' is no text to search in"},
		{{COUNT, (enum sn_query_op)77, I64(1)}, "an unknown comparison with 'count'"},
	};
	struct world *world = *state;
	struct sn_query query;

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		query = all();
		query.filters[0] = cases[i].filter;
		query.filter_count = 1;
		assert_int_equal(query_rc(world, &query), -EINVAL);
		assert_string_equal(world->err.text, cases[i].reason);
	}
	query = all();
	filter(&query, COUNT, SN_EQ, I64(1));
	query.filters[0].or_next = true;
	assert_int_equal(query_rc(world, &query), -EINVAL);
	filter(&query, DELAY, SN_EQ, F64(1));
	assert_int_equal(query_rc(world, &query), -EINVAL);
	query.filters[1] = query.filters[0];
	assert_int_equal(query_rc(world, &query), -EINVAL);
	query.filters[1].or_next = false;
	assert_int_equal(query_rc(world, &query), 0);
	query = all();
	query.limit = 0;
	assert_int_equal(query_rc(world, &query), -EINVAL);
	query.limit = SN_QUERY_LIMIT_MAX + 1;
	assert_int_equal(query_rc(world, &query), -EINVAL);
	query.limit = SN_QUERY_LIMIT_MAX;
	assert_int_equal(query_rc(world, &query), 0);
	for (int i = 0; i < SN_QUERY_FILTERS_MAX; i++)
		filter(&query, COUNT, SN_GT, I64(i));
	assert_int_equal(query_rc(world, &query), 0);
	query.filter_count++;
	assert_int_equal(query_rc(world, &query), -EINVAL);
}

static void cursor_of_another_query_is_refused(void **state)
{
	struct world *world = *state;
	struct sn_query query = all();
	struct found found = {0};
	char *cursor;

	store_sample(world);
	query.limit = 2;
	assert_int_equal(sn_store_query(world->store, &query, collect, &found, &cursor, NULL), 0);
	query.cursor = cursor;
	query.newest_first = false;
	assert_int_equal(query_rc(world, &query), -EINVAL);
	assert_string_equal(world->err.text, "the cursor belongs to another query");
	query.newest_first = true;
	filter(&query, COUNT, SN_GT, I64(0));
	assert_int_equal(query_rc(world, &query), -EINVAL);
	query.filter_count = 0;
	query.since_ns = 1; /* a range that moves on is the same query */
	assert_int_equal(query_rc(world, &query), 0);
	query.cursor = "nonsense";
	assert_int_equal(query_rc(world, &query), -EINVAL);
	assert_string_equal(world->err.text, "the cursor is not one that was given out");
	free(cursor);
}

static void rows_of_files_without_a_column_have_no_value_in_it(void **state)
{
	struct world *world = *state;
	struct sn_dataset before = sample;
	struct sn_batch *old;
	struct sn_batch_id id = batch_id(100);
	struct sn_query query = all();
	struct found found = {0};

	before.column_count = UP;
	old = sn_batch_create(&before);
	add_row(old, DAY_1, "a", 7);
	assert_int_equal(sn_store_append(world->store, &id, old, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	sn_batch_destroy(old);
	run(world, &query, &found);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.last[COUNT].type, SN_TYPE_NULL);
	filter(&query, COUNT, SN_EQ, NOTHING);
	FINDS(world, &query, 7);
	query.filters[0].op = SN_NE;
	finds(world, &query, 0, NULL);
	query.filters[0] = (struct sn_filter){COUNT, SN_GE, I64(0)};
	finds(world, &query, 0, NULL);
}

static void latest_is_the_newest_row_of_each_node_and_key(void **state)
{
	struct world *world = *state;
	struct found found = {0};

	store_sample(world);
	assert_int_equal(sn_store_latest(world->store, &sample, 0, collect, &found, NULL), 0);
	/* Keys: nothing and alpha of one node, alphabet and gamma of the other, beta. */
	assert_int_equal(found.count, 5);
	assert_int_equal(found.seqs[0], 5);
	assert_int_equal(found.seqs[1], 4);
	assert_int_equal(found.seqs[2] + found.seqs[3], 5);
	assert_int_equal(found.seqs[4], 0);
	assert_string_equal(found.texts[1], "beta");
	found = (struct found){0};
	assert_int_equal(
		sn_store_latest(world->store, &sample, DAY_1 + 2 * DAY_NS, collect, &found, NULL),
		0);
	assert_int_equal(found.count, 2);
	found = (struct found){.stop_after = 1};
	assert_int_equal(sn_store_latest(world->store, &sample, 0, collect, &found, NULL), 0);
	assert_int_equal(found.count, 1);
}

static void latest_finds_the_newest_whatever_the_order_of_arrival(void **state)
{
	struct world *world = *state;
	struct found found = {0};
	int64_t newest[4] = {-1, -1, -1, -1}, times[4] = {0};
	struct sn_prng prng;

	sn_prng_seed(&prng, 3);
	for (int i = 0; i < 400; i++) {
		static const char *const targets[] = {"a", "b"};
		int64_t time = DAY_1 + (int64_t)(sn_prng_u64(&prng) % (uint64_t)(2 * DAY_NS));
		int series = (int)(sn_prng_u64(&prng) % 4);

		add_row(world->batch, time, targets[series % 2], i);
		store_batch_of(world, series / 2 == 0 ? NODE : OTHER_NODE);
		if (time > times[series]) {
			times[series] = time;
			newest[series] = i;
		}
	}
	assert_int_equal(sn_store_latest(world->store, &sample, 0, collect, &found, NULL), 0);
	assert_int_equal(found.count, 4);
	for (int series = 0; series < 4; series++) {
		bool seen = false;

		for (int i = 0; i < 4; i++)
			seen |= found.seqs[i] == newest[series];
		assert_true(seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(rows_come_newest_or_oldest_first),
		WITH_WORLD(all_values_come_back),
		WITH_WORLD(range_has_its_start_and_not_its_end),
		WITH_WORLD(filters_compare_as_their_type_does),
		WITH_WORLD(filters_are_all_to_be_met),
		WITH_WORLD(pages_together_are_the_whole_whatever_their_size),
		WITH_WORLD(pages_neither_repeat_nor_miss_rows_while_more_arrive),
		WITH_WORLD(caller_may_stop_and_go_on_with_the_cursor),
		WITH_WORLD(queries_that_make_no_sense_are_refused),
		WITH_WORLD(cursor_of_another_query_is_refused),
		WITH_WORLD(rows_of_files_without_a_column_have_no_value_in_it),
		WITH_WORLD(latest_is_the_newest_row_of_each_node_and_key),
		WITH_WORLD(latest_finds_the_newest_whatever_the_order_of_arrival),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
