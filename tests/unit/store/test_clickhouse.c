/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and blocks of a real server. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static void assert_answer(const char *expected, const char *format, ...)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(server_says_its_version, create, destroy),
		cmocka_unit_test_setup_teardown(block_is_there_with_all_its_rows_under_its_id,
						create, destroy),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
