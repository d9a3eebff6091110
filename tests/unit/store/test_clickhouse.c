/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and blocks of a real server. */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/clickhouse.h"
#include "store/clickhouse.h"
#include "unit/store/world.h"

#define DAY 20513 /* of DAY_1 */

static struct clickhouse server;

static int start_server(void **state)
{
	(void)state;
	if (!clickhouse_is_installed())
		return 0;
	return clickhouse_create(&server) ? 0 : -1;
}

static int stop_server(void **state)
{
	(void)state;
	clickhouse_destroy(&server);
	return 0;
}

struct place {
	struct sn_clickhouse *ch;
	struct sn_columns *rows;
	struct sn_dataset dataset; /* a table of the test's own */
	char name[32];
	struct sn_err err;
};

static int create(void **state)
{
	static unsigned number;
	struct place *place = sn_new(struct place);
	struct sn_clickhouse_options options = {.url = server.url};

	place->dataset = sample;
	snprintf(place->name, sizeof(place->name), "sample_%u", ++number);
	place->dataset.name = place->name;
	place->rows = sn_columns_create(&place->dataset);
	if (server.pid != 0 && sn_clickhouse_open(&options, &place->ch, &place->err) != 0)
		return -1;
	*state = place;
	return 0;
}

static int destroy(void **state)
{
	struct place *place = *state;

	sn_clickhouse_close(place->ch);
	sn_columns_destroy(place->rows);
	free(place);
	return 0;
}

#define NEEDS_SERVER()                                                                             \
	do {                                                                                       \
		if (server.pid == 0)                                                               \
			skip();                                                                    \
	} while (0)

static void add(struct place *place, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sn_columns_add_row(place->rows);
		sn_columns_set_time(place->rows, SN_COL_TIME, DAY_1 + (int64_t)i);
		sn_columns_set_i64(place->rows, COUNT, (int64_t)i);
		if (i % 2 == 0)
			sn_columns_set_text(place->rows, TARGET, sn_str("it's \\ here"));
	}
}

static int insert(struct place *place, uint64_t id)
{
	struct sn_clickhouse_block block = {.day = DAY, .id = id, .first = 1};

	return sn_clickhouse_insert(place->ch, place->rows, &block, &place->err);
}

static uint64_t has(struct place *place, uint64_t id)
{
	uint64_t rows = 0;

	if (sn_clickhouse_has(place->ch, &place->dataset, DAY, id, &rows, &place->err) != 0)
		fail_msg("%s", place->err.text);
	return rows;
}

static void SN_PRINTF(2, 3) assert_answer(const char *expected, const char *format, ...)
{
	sn_autofree char *answer = NULL;
	char sql[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	answer = clickhouse_ask(&server, sql);
	assert_non_null(answer);
	assert_string_equal(answer, expected);
}

static void server_says_its_version(void **state)
{
	struct place *place = *state;
	const char *version;

	NEEDS_SERVER();
	assert_int_equal(sn_clickhouse_version(place->ch, &version, &place->err), 0);
	assert_true(atoi(version) >= 18);
}

static void block_is_there_with_all_its_rows_under_its_id(void **state)
{
	struct place *place = *state;

	NEEDS_SERVER();
	assert_int_equal(has(place, 7), 0);
	add(place, 1000);
	if (insert(place, UINT64_MAX) != 0)
		fail_msg("%s", place->err.text);
	assert_int_equal(has(place, UINT64_MAX), 1000);
	assert_int_equal(has(place, 7), 0);
	assert_answer("1000\t500\t499500\n",
		      "SELECT count(), count(target), sum(count) FROM %s_1 WHERE _day = "
		      "'2026-03-01' AND _number BETWEEN 1 AND 1000",
		      place->name);
}

/* In the order of arrival row i is of second i * 31 % 997, so that many are of the same. */
#define MIXED 5000

static void add_mixed(struct place *place)
{
	char text[32];

	for (int64_t i = 0; i < MIXED; i++) {
		sn_columns_add_row(place->rows);
		sn_columns_set_time(place->rows, SN_COL_TIME, DAY_1 + i * 31 % 997 * SN_NS_PER_S);
		sn_columns_set_i64(place->rows, COUNT, i);
		if (i % 3 != 0)
			sn_columns_set_bool(place->rows, UP, i % 2 == 0);
		if (i % 5 != 0)
			sn_columns_set_f64(place->rows, DELAY, (double)i / 8);
		snprintf(text, sizeof(text), "target %d", (int)i);
		if (i % 7 != 0)
			sn_columns_set_text(place->rows, TARGET, sn_str(text));
	}
}

struct arrived {
	const struct sn_columns *rows; /* as they were sent */
	size_t count;
	bool wrong;
};

static bool is_same(struct sn_value a, struct sn_value b)
{
	if (a.type != b.type)
		return false;
	if (a.type == SN_TYPE_TEXT)
		return sn_str_eq(a.s, b.s);
	if (a.type == SN_TYPE_BOOL)
		return a.b == b.b;
	return a.type == SN_TYPE_NULL || a.i == b.i; /* of a double, its bits */
}

static int compare_rows(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct sn_value sent[SN_DATASET_COLUMNS_MAX], got[SN_DATASET_COLUMNS_MAX];
	struct arrived *arrived = ctx;

	for (size_t i = 0; i < sn_columns_rows(rows); i++, arrived->count++) {
		assert_in_range(numbers[i], 1, MIXED);
		sn_columns_row(arrived->rows, (size_t)numbers[i] - 1, sent);
		sn_columns_row(rows, i, got);
		for (size_t k = 0; k < sn_columns_dataset(rows)->column_count; k++)
			arrived->wrong |= !is_same(sent[k], got[k]);
	}
	return 0;
}

static void rows_in_any_order_of_time_keep_their_numbers_and_values(void **state)
{
	struct place *place = *state;
	struct sn_query query = {.dataset = &place->dataset};
	struct sn_clickhouse_scan scan = {.query = &query};
	struct arrived arrived = {.rows = place->rows};

	NEEDS_SERVER();
	add_mixed(place);
	if (insert(place, 1) != 0 ||
	    sn_clickhouse_scan(place->ch, &scan, compare_rows, &arrived, &place->err) != 0)
		fail_msg("%s", place->err.text);
	assert_int_equal(arrived.count, MIXED);
	assert_false(arrived.wrong);
}

/* Tables that grow -------------------------------------------------------------------- */

static int count_rows(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	uint64_t *count = ctx;

	(void)numbers;
	*count += sn_columns_rows(rows);
	return 0;
}

static uint64_t scan_rows(struct place *place, const struct sn_query *query)
{
	struct sn_clickhouse_scan scan = {.query = query};
	uint64_t count = 0;

	if (sn_clickhouse_scan(place->ch, &scan, count_rows, &count, &place->err) != 0)
		fail_msg("%s", place->err.text);
	return count;
}

/* As many rows as a filter on the last column finds. */
static uint64_t rows_where_last(struct place *place, const struct sn_dataset *dataset,
				struct sn_value value, enum sn_query_op op)
{
	struct sn_query query = {.dataset = dataset, .filter_count = 1};

	query.filters[0] = (struct sn_filter){(int)dataset->column_count - 1, op, value};
	return scan_rows(place, &query);
}

static void columns_that_a_dataset_has_got_since_are_added(void **state)
{
	static const struct sn_column more[] = {
		SN_COMMON_COLUMNS,
		{"target", SN_TYPE_TEXT, "", "a text"},
		{"delay_seconds", SN_TYPE_F64, "s", "a number"},
		{"up", SN_TYPE_BOOL, "", "a truth value"},
		{"count", SN_TYPE_I64, "1", "an integer"},
		{"last_time", SN_TYPE_TIME, "s", "a time"},
		{"retries", SN_TYPE_I64, "1", "new"},
	};
	static const struct sn_value null = {.type = SN_TYPE_NULL};
	static const struct sn_value seven = {.type = SN_TYPE_I64, .i = 7};
	struct place *place = *state;
	struct sn_dataset grown = place->dataset;

	NEEDS_SERVER();
	grown.columns = more;
	grown.column_count = SN_COUNT(more);
	add(place, 10);
	assert_int_equal(insert(place, 1), 0);
	/* Asked for before there is one, it is null in all rows. */
	assert_int_equal(rows_where_last(place, &grown, null, SN_EQ), 10);
	assert_int_equal(rows_where_last(place, &grown, null, SN_NE), 0);
	assert_int_equal(rows_where_last(place, &grown, seven, SN_NE), 0);
	sn_columns_destroy(place->rows);
	place->rows = sn_columns_create(&grown);
	add(place, 5);
	sn_columns_set_i64(place->rows, (int)grown.column_count - 1, 7);
	if (insert(place, 2) != 0)
		fail_msg("%s", place->err.text);
	assert_int_equal(rows_where_last(place, &grown, null, SN_EQ), 14);
	assert_int_equal(rows_where_last(place, &grown, seven, SN_EQ), 1);
	/* Who does not know it yet goes on. */
	sn_columns_destroy(place->rows);
	place->rows = sn_columns_create(&place->dataset);
	add(place, 3);
	assert_int_equal(insert(place, 3), 0);
	assert_int_equal(rows_where_last(place, &grown, null, SN_EQ), 17);
	assert_int_equal(scan_rows(place, &(struct sn_query){.dataset = &place->dataset}), 18);
}

static void table_of_somebody_else_is_left_alone(void **state)
{
	struct place *place = *state;

	NEEDS_SERVER();
	assert_answer("", "CREATE TABLE %s_1 (time String, note String) ENGINE = Memory",
		      place->name);
	add(place, 1);
	assert_int_equal(insert(place, 1), -EINVAL);
	assert_non_null(strstr(place->err.text, "is not Sonde's"));
	assert_non_null(strstr(place->err.text, "'time' is String"));
	assert_answer("0\n", "SELECT count() FROM %s_1", place->name);
}

static void table_that_is_not_there_has_no_rows(void **state)
{
	struct place *place = *state;
	uint64_t count = 0;

	NEEDS_SERVER();
	assert_int_equal(scan_rows(place, &(struct sn_query){.dataset = &place->dataset}), 0);
	assert_int_equal(sn_clickhouse_latest(place->ch, &place->dataset, 0, NULL, 0, count_rows,
					      &count, &place->err),
			 0);
	assert_int_equal(count, 0);
	/* One that somebody has dropped is made again. */
	add(place, 2);
	assert_int_equal(insert(place, 1), 0);
	assert_answer("", "DROP TABLE %s_1", place->name);
	assert_int_equal(insert(place, 1), -EPROTO);
	assert_int_equal(insert(place, 1), 0);
	assert_int_equal(has(place, 1), 2);
	assert_answer("", "DROP TABLE %s_1", place->name);
	assert_int_equal(scan_rows(place, &(struct sn_query){.dataset = &place->dataset}), 0);
	assert_int_equal(has(place, 1), 0);
	assert_int_equal(insert(place, 1), 0);
	assert_int_equal(has(place, 1), 2);
}

static void database_of_the_url_is_made(void **state)
{
	struct place *place = *state;
	sn_autofree char *url = sn_xasprintf("%s/measured", server.url);
	struct sn_clickhouse_options options = {.url = url};

	NEEDS_SERVER();
	sn_clickhouse_close(place->ch);
	assert_int_equal(sn_clickhouse_open(&options, &place->ch, &place->err), 0);
	assert_int_equal(has(place, 1), 0);
	add(place, 2);
	assert_int_equal(insert(place, 1), 0);
	assert_answer("2\n", "SELECT count() FROM measured.%s_1", place->name);
}

/* Blocks that cannot be --------------------------------------------------------------- */

static int insert_at(struct place *place, int64_t time_ns, int32_t day)
{
	struct sn_clickhouse_block block = {.day = day, .id = 1, .first = 1};

	sn_columns_clear(place->rows);
	sn_columns_add_row(place->rows);
	sn_columns_set_time(place->rows, SN_COL_TIME, time_ns);
	return sn_clickhouse_insert(place->ch, place->rows, &block, &place->err);
}

static void block_is_of_one_day_that_a_date_can_hold(void **state)
{
	struct place *place = *state;
	const int32_t last = 49672; /* 2105-12-31 */

	NEEDS_SERVER();
	assert_int_equal(insert_at(place, DAY_1 - 1, DAY), -EINVAL);
	assert_int_equal(insert_at(place, DAY_1 + DAY_NS, DAY), -EINVAL);
	assert_int_equal(insert_at(place, -1, -1), -ERANGE);
	assert_int_equal(insert_at(place, (last + 1) * DAY_NS, last + 1), -ERANGE);
	assert_int_equal(insert_at(place, 0, 0), 0);
	assert_int_equal(insert_at(place, last * DAY_NS, last), 0);
	assert_int_equal(insert_at(place, DAY_1 + DAY_NS - 1, DAY), 0);
	assert_int_equal(scan_rows(place, &(struct sn_query){.dataset = &place->dataset}), 3);
	sn_columns_clear(place->rows);
	assert_int_equal(insert(place, 1), -EINVAL); /* no rows */
	sn_columns_add_row(place->rows);
	assert_int_equal(insert(place, 1), -EINVAL); /* no time */
}

static void block_of_the_largest_size_is_stored(void **state)
{
	struct place *place = *state;

	NEEDS_SERVER();
	add(place, 65536);
	assert_int_equal(insert(place, 1), 0);
	assert_int_equal(has(place, 1), 65536);
	assert_int_equal(scan_rows(place, &(struct sn_query){.dataset = &place->dataset}), 65536);
	add(place, 1);
	assert_int_equal(insert(place, 2), -EINVAL);
}

/* Days ---------------------------------------------------------------------------------- */

struct seen_days {
	struct sn_clickhouse_day list[8];
	size_t count;
};

static int see_day(const struct sn_clickhouse_day *day, void *ctx)
{
	struct seen_days *seen = ctx;

	seen->list[seen->count++] = *day;
	return seen->count == SN_COUNT(seen->list);
}

static struct seen_days days_of(struct place *place)
{
	struct seen_days seen = {.count = 0};

	if (sn_clickhouse_days(place->ch, &place->dataset, see_day, &seen, &place->err) != 0)
		fail_msg("%s", place->err.text);
	return seen;
}

static void day_that_is_dropped_goes_from_all_tables_of_ours(void **state)
{
	struct place *place = *state;
	struct seen_days seen;

	NEEDS_SERVER();
	assert_int_equal(days_of(place).count, 0);
	assert_answer("", "CREATE TABLE foreign_1 (time Int64, _day Date) ENGINE = MergeTree "
			  "PARTITION BY _day ORDER BY time");
	assert_answer("", "INSERT INTO foreign_1 VALUES (1, '2026-03-01')");
	assert_int_equal(insert_at(place, 0, 0), 0);
	assert_int_equal(insert_at(place, DAY_1 + 5, DAY), 0);
	assert_int_equal(insert_at(place, DAY_1 + DAY_NS, DAY + 1), 0);
	add(place, 9);
	assert_int_equal(insert(place, 7), -EINVAL); /* rows of two days */
	seen = days_of(place);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.list[0].day, 0);
	assert_int_equal(seen.list[1].day, DAY);
	assert_int_equal(seen.list[1].rows, 1);
	assert_true(seen.list[1].time_min == DAY_1 + 5 && seen.list[1].time_max == DAY_1 + 5);
	assert_int_equal(seen.list[1].number_max, 1);
	assert_true(seen.list[1].bytes > 0);
	if (sn_clickhouse_drop(place->ch, DAY, &place->err) != 0 ||
	    sn_clickhouse_drop(place->ch, 0, &place->err) != 0 ||
	    sn_clickhouse_drop(place->ch, DAY - 1, &place->err) != 0)
		fail_msg("%s", place->err.text);
	seen = days_of(place);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.list[0].day, DAY + 1);
	assert_answer("1\n", "SELECT count() FROM foreign_1");
}

static void scan_over_many_days_is_in_order(void **state)
{
	struct place *place = *state;
	struct sn_query query = {.dataset = &place->dataset};

	NEEDS_SERVER();
	for (int32_t day = 0; day < 40; day++)
		assert_int_equal(insert_at(place, DAY_1 + day * DAY_NS + 1, DAY + day), 0);
	assert_int_equal(scan_rows(place, &query), 40);
	query.since_ns = DAY_1 + 2 * DAY_NS + 2;
	assert_int_equal(scan_rows(place, &query), 37);
	query.until_ns = DAY_1 + 10 * DAY_NS + 1;
	assert_int_equal(scan_rows(place, &query), 7);
	query.newest_first = true;
	assert_int_equal(scan_rows(place, &query), 7);
	query.since_ns = INT64_MIN;
	assert_int_equal(scan_rows(place, &query), 10);
}

/* Groups of more rows than a block has come in one piece. */
static void day_of_which_each_second_has_a_row_is_read(void **state)
{
	struct place *place = *state;
	struct sn_query query = {.dataset = &place->dataset};
	struct sn_clickhouse_scan scan = {.query = &query, .limit = 100};
	uint64_t count = 0;

	NEEDS_SERVER();
	for (int64_t second = 0; second < 86400; second++) {
		struct sn_clickhouse_block block = {
			.day = DAY, .id = (uint64_t)second + 1, .first = second};

		sn_columns_add_row(place->rows);
		sn_columns_set_time(place->rows, SN_COL_TIME, DAY_1 + second * SN_NS_PER_S);
		if (second != 43200 && second != 86399)
			continue;
		assert_int_equal(sn_clickhouse_insert(place->ch, place->rows, &block, &place->err),
				 0);
		sn_columns_clear(place->rows);
	}
	assert_int_equal(scan_rows(place, &query), 86400);
	query.newest_first = true;
	assert_int_equal(sn_clickhouse_scan(place->ch, &scan, count_rows, &count, &place->err), 0);
	assert_int_equal(count, 100);
}

/* Servers that go -------------------------------------------------------------------------- */

static void block_is_there_wholly_or_not_at_all_when_the_server_is_killed(void **state)
{
	struct place *place = *state;
	unsigned stored = 0;

	NEEDS_SERVER();
	add(place, 20000);
	for (uint64_t id = 1; id <= 12; id++) {
		pid_t killer = fork();
		int rc, status;

		if (killer == 0) {
			usleep((useconds_t)(id * 2500));
			kill(server.pid, SIGKILL);
			_exit(0);
		}
		rc = insert(place, id);
		waitpid(killer, &status, 0);
		assert_true(rc == 0 || rc == -EAGAIN || rc == -ECONNREFUSED || rc == -ECONNRESET ||
			    rc == -EPROTO);
		clickhouse_kill(&server);
		assert_true(clickhouse_start(&server));
		if (rc == 0) {
			assert_int_equal(has(place, id), 20000);
		} else if (has(place, id) != 20000) {
			assert_int_equal(has(place, id), 0);
			assert_int_equal(insert(place, id), 0);
		}
		stored++;
		assert_int_equal(has(place, id), 20000);
	}
	assert_int_equal(scan_rows(place, &(struct sn_query){.dataset = &place->dataset}),
			 stored * 20000);
}

static void server_that_hangs_may_still_store_what_it_has_got(void **state)
{
	struct place *place = *state;
	struct sn_clickhouse_options options = {.url = server.url, .timeout_s = 1};
	const char *version;
	uint64_t rows = 0;
	int before, then;

	NEEDS_SERVER();
	sn_clickhouse_close(place->ch);
	assert_int_equal(sn_clickhouse_open(&options, &place->ch, &place->err), 0);
	add(place, 100);
	clickhouse_pause(&server, true);
	before = insert(place, 1); /* the version is asked first, so nothing was sent */
	clickhouse_pause(&server, false);
	assert_int_equal(before, -ECONNRESET);
	assert_int_equal(sn_clickhouse_define(place->ch, &place->dataset, &place->err), 0);
	assert_int_equal(sn_clickhouse_version(place->ch, &version, &place->err), 0);
	assert_int_equal(has(place, 1), 0);
	clickhouse_pause(&server, true);
	then = insert(place, 1);
	clickhouse_pause(&server, false);
	assert_int_equal(then, -EAGAIN);
	for (int i = 0; i < 600 && rows == 0; i++) {
		usleep(100000);
		rows = has(place, 1);
	}
	assert_int_equal(rows, 100);
}

static void wrong_password_is_not_told(void **state)
{
	struct place *place = *state;
	sn_autofree char *url =
		sn_xasprintf("http://reader:topsecret@127.0.0.1:%u", server.http_port);
	struct sn_clickhouse_options options = {.url = url};
	const char *version;

	NEEDS_SERVER();
	sn_clickhouse_close(place->ch);
	assert_int_equal(sn_clickhouse_open(&options, &place->ch, &place->err), 0);
	assert_int_equal(sn_clickhouse_version(place->ch, &version, &place->err), -EPROTO);
	assert_non_null(strstr(place->err.text, "reader"));
	assert_null(strstr(place->err.text, "topsecret"));
	sn_clickhouse_close(place->ch);
	options.url = server.url_with_user;
	assert_int_equal(sn_clickhouse_open(&options, &place->ch, &place->err), 0);
	assert_int_equal(sn_clickhouse_version(place->ch, &version, &place->err), 0);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(server_says_its_version),
		WITH_PLACE(block_is_there_with_all_its_rows_under_its_id),
		WITH_PLACE(rows_in_any_order_of_time_keep_their_numbers_and_values),
		WITH_PLACE(columns_that_a_dataset_has_got_since_are_added),
		WITH_PLACE(table_of_somebody_else_is_left_alone),
		WITH_PLACE(table_that_is_not_there_has_no_rows),
		WITH_PLACE(database_of_the_url_is_made),
		WITH_PLACE(block_is_of_one_day_that_a_date_can_hold),
		WITH_PLACE(block_of_the_largest_size_is_stored),
		WITH_PLACE(day_that_is_dropped_goes_from_all_tables_of_ours),
		WITH_PLACE(scan_over_many_days_is_in_order),
		WITH_PLACE(day_of_which_each_second_has_a_row_is_read),
		WITH_PLACE(block_is_there_wholly_or_not_at_all_when_the_server_is_killed),
		WITH_PLACE(server_that_hangs_may_still_store_what_it_has_got),
		WITH_PLACE(wrong_password_is_not_told),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
