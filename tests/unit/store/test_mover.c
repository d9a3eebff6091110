/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that move to a real server, and back: asked for at any moment they are the same. */
#include "lib/test.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "lib/clickhouse.h"
#include "unit/store/world.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "store/mover.h"
#include "store/moving.h"
#include "store/remote.h"

#define DAYS 3

static struct clickhouse server;
static struct sn_prng prng;

static int start_server(void **state)
{
	uint64_t seed = sn_mono_ns();

	(void)state;
	print_message("# seed %" PRIu64 "\n", seed);
	sn_prng_seed(&prng, seed);
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

/* A store, a dataset and a database of the test's own. */
struct place {
	struct world world;
	struct sn_dataset dataset;
	char name[32], url[128], database[32];
	struct sn_mover_config config;
	struct sn_mover *mover;
	uint64_t stored;
};

static void tell_server(const char *sql)
{
	char *answer = clickhouse_ask(&server, sql);

	if (answer == NULL)
		fail_msg("refused: %s", sql);
	free(answer);
}

static void open_store(struct place *place)
{
	struct sn_store_options options = {
		.clickhouse = &place->config.clickhouse,
		.retention_days = place->config.retention_days,
	};

	sn_store_close(place->world.store);
	if (sn_store_open_with(place->world.dir, &options, &place->world.store,
			       &place->world.err) != 0)
		fail_msg("%s", place->world.err.text);
}

static int create(void **state)
{
	static unsigned number;
	struct place *place = sn_new(struct place);
	sn_autofree char *sql = NULL;

	*state = place;
	snprintf(place->name, sizeof(place->name), "moving_%u", ++number);
	snprintf(place->database, sizeof(place->database), "place_%u", number);
	place->dataset = sample;
	place->dataset.name = place->name;
	if (sn_catalog_add(&place->dataset) != 0)
		return -1;
	place->world.batch = sn_batch_create(&place->dataset);
	strcpy(place->world.dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(place->world.dir) == NULL)
		return -1;
	if (server.pid == 0)
		return 0;
	sql = sn_xasprintf("CREATE DATABASE %s", place->database);
	tell_server(sql);
	snprintf(place->url, sizeof(place->url), "http://127.0.0.1:%u/%s", server.http_port,
		 place->database);
	place->config = (struct sn_mover_config){
		.dir = place->world.dir,
		.clickhouse = {.url = place->url, .timeout_s = 3},
		.after_ns = 1,
	};
	open_store(place);
	return 0;
}

static int destroy(void **state)
{
	struct place *place = *state;

	sn_mover_stop(place->mover);
	sn_store_close(place->world.store);
	sn_batch_destroy(place->world.batch);
	sn_fs_remove_tree(place->world.dir, NULL);
	/* The catalogue has the dataset for ever, and so must we. */
	return 0;
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, create, destroy)
#define NEEDS_SERVER()                                                                             \
	do {                                                                                       \
		if (server.pid == 0)                                                               \
			skip();                                                                    \
	} while (0)

static void start_mover(struct place *place)
{
	if (sn_mover_start(&place->config, &place->mover, &place->world.err) != 0)
		fail_msg("%s", place->world.err.text);
}

static void stop_mover(struct place *place)
{
	sn_mover_stop(sn_steal(&place->mover));
}

static struct sn_mover_status status_of(struct place *place)
{
	struct sn_mover_status status;

	sn_mover_status(place->mover, &status);
	return status;
}

/* Waits until so many rows are there and none waits. */
static void wait_until_moved(struct place *place)
{
	uint64_t begin = sn_mono_ns();
	struct sn_mover_status status;

	do {
		usleep(20000);
		status = status_of(place);
		if (sn_mono_ns() - begin > TEST_PATIENCE_NS)
			fail_msg("%" PRIu64 " of %" PRIu64 " rows moved, %" PRIu64 " wait: %s",
				 status.moved_rows, place->stored, status.waiting_rows,
				 status.reason);
	} while (status.moved_rows != place->stored || status.waiting_rows != 0);
}

static void wait_for_state(struct place *place, enum sn_mover_state state)
{
	uint64_t begin = sn_mono_ns();

	while (status_of(place).state != state) {
		if (sn_mono_ns() - begin > TEST_PATIENCE_NS)
			fail_msg("never %s, but %s: %s", sn_mover_state_name(state),
				 sn_mover_state_name(status_of(place).state),
				 status_of(place).reason);
		usleep(20000);
	}
}

/* Rows ------------------------------------------------------------------------ */

static void fill_row(struct sn_batch *batch, int day, int64_t seq)
{
	static const char *const targets[] = {"a", "b", "it's \\ here", "\xc3\xa4", ""};
	uint64_t random = sn_prng_u64(&prng);

	/* Many of the same time, and in no order. */
	add_row(batch, DAY_1 + day * DAY_NS + (int64_t)(random % 500) * SN_NS_PER_MS,
		random & 1 ? targets[random / 2 % SN_COUNT(targets)] : NULL, seq);
	if (random & 2)
		sn_batch_set_f64(batch, DELAY, (double)(random >> 40) / 1e6);
	if (random & 4)
		sn_batch_set_bool(batch, UP, (random & 8) != 0);
	if (random & 16)
		sn_batch_set_i64(batch, COUNT, (int64_t)random);
	if (random & 32)
		sn_batch_set_time(batch, LAST_TIME, (int64_t)(random >> 2));
}

static void store_rows(struct place *place, int day, size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		fill_row(place->world.batch, day, (int64_t)place->stored++);
	store_batch(&place->world);
}

static int add_text(const struct sn_value *row, void *ctx)
{
	struct sn_buf *text = ctx;

	for (size_t i = 0; i < sample.column_count; i++) {
		if (row[i].type == SN_TYPE_TEXT)
			sn_buf_addf(text, "'%.*s'", (int)row[i].s.n, row[i].s.p);
		else if (row[i].type == SN_TYPE_F64)
			sn_buf_addf(text, "%a", row[i].f);
		else if (row[i].type == SN_TYPE_BOOL)
			sn_buf_addf(text, "%d", row[i].b);
		else if (row[i].type != SN_TYPE_NULL)
			sn_buf_addf(text, "%" PRId64, row[i].i);
		sn_buf_addc(text, ',');
	}
	sn_buf_addc(text, '\n');
	return 0;
}

/* All that a query finds, page by page; fails the test on an error. */
static char *ask(struct sn_store *store, struct sn_query query)
{
	struct sn_buf text = {0};
	struct sn_err err = {0};
	char *next = NULL, *answer;

	do {
		sn_autofree char *cursor = next;

		query.cursor = cursor;
		if (sn_store_query(store, &query, add_text, &text, &next, &err) != 0)
			fail_msg("%s", err.text);
	} while (next != NULL);
	answer = sn_xstrdup(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	return answer;
}

#define QUESTIONS 8

static struct sn_query question(const struct place *place, unsigned number)
{
	struct sn_query query = {.dataset = &place->dataset, .limit = 100000};
	struct sn_filter target = {
		.column = TARGET, .op = SN_EQ, .value = {.type = SN_TYPE_TEXT, .s = SN_STR("b")}};

	query.newest_first = number % 2 != 0;
	if (number / 2 == 1)
		query.limit = 97;
	if (number / 2 == 2) {
		query.filters[query.filter_count++] = target;
		query.limit = 31;
	}
	if (number / 2 == 3) {
		query.since_ns = DAY_1 + 100 * SN_NS_PER_MS;
		query.until_ns = DAY_1 + DAY_NS + 300 * SN_NS_PER_MS;
		query.filters[query.filter_count++] = (struct sn_filter){
			.column = COUNT, .op = SN_NE, .value = {.type = SN_TYPE_NULL}};
	}
	return query;
}

struct answers {
	char *texts[QUESTIONS], *latest;
	struct sn_store_check check;
};

static void ask_all(struct place *place, struct answers *answers)
{
	struct sn_store *store = place->world.store;
	struct sn_buf text = {0};

	for (unsigned i = 0; i < QUESTIONS; i++)
		answers->texts[i] = ask(store, question(place, i));
	if (sn_store_latest(store, &place->dataset, DAY_1, add_text, &text, &place->world.err) != 0)
		fail_msg("%s", place->world.err.text);
	answers->latest = sn_xstrdup(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	answers->check = check_node(&place->world, NODE);
}

static void assert_same(const struct answers *a, const struct answers *b)
{
	for (unsigned i = 0; i < QUESTIONS; i++)
		if (strcmp(a->texts[i], b->texts[i]) != 0)
			fail_msg("question %u has another answer", i);
	assert_string_equal(a->latest, b->latest);
	assert_memory_equal(&a->check, &b->check, sizeof(a->check));
}

static void forget(struct answers *answers)
{
	for (unsigned i = 0; i < QUESTIONS; i++)
		free(answers->texts[i]);
	free(answers->latest);
}

/* Rows that the server has of the dataset; `what`: "count()" or the like. */
static uint64_t count_there(struct place *place, const char *what)
{
	sn_autofree char *sql =
		sn_xasprintf("SELECT %s FROM %s.%s_1", what, place->database, place->name);
	sn_autofree char *answer = clickhouse_ask(&server, sql);

	return answer != NULL ? strtoull(answer, NULL, 10) : 0;
}

static void assert_each_once_there(struct place *place)
{
	assert_int_equal(count_there(place, "count()"), place->stored);
	assert_int_equal(count_there(place, "uniqExact(seq)"), place->stored);
}

/* Tests ------------------------------------------------------------------------ */

static void what_moves_is_asked_for_as_before(void **state)
{
	struct place *place = *state;
	struct answers before, after;

	NEEDS_SERVER();
	for (int i = 0; i < 12; i++)
		store_rows(place, i % DAYS, 200);
	ask_all(place, &before);
	assert_int_equal(before.check.rows, place->stored);
	start_mover(place);
	wait_until_moved(place);
	ask_all(place, &after);
	assert_same(&before, &after);
	forget(&after);
	/* And by a store that was opened afterwards. */
	open_store(place);
	ask_all(place, &after);
	assert_same(&before, &after);
	forget(&before);
	forget(&after);
	assert_each_once_there(place);
	assert_int_equal(status_of(place).state, SN_MOVER_OK);
	assert_string_equal(status_of(place).url, place->url);
}

static int64_t floor_of_test(void *ctx, int32_t day, const char *dataset, unsigned version)
{
	(void)day;
	(void)dataset;
	(void)version;
	return atomic_load((atomic_llong *)ctx);
}

/* Each day has 400 rows in blocks of 100. */
static void while_a_part_has_moved_both_places_are_asked(void **state)
{
	struct place *place = *state;
	struct answers before, after;
	atomic_llong floor = 1;

	NEEDS_SERVER();
	for (int i = 0; i < 4 * DAYS; i++)
		store_rows(place, i % DAYS, 100);
	ask_all(place, &before);
	place->config.floor = floor_of_test;
	place->config.ctx = &floor;
	start_mover(place);
	for (unsigned blocks = 1; blocks < 4; blocks++) {
		uint64_t begin = sn_mono_ns();

		atomic_store(&floor, (long long)blocks * 100 + 50);
		while (status_of(place).moved_rows != DAYS * blocks * 100) {
			assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
			usleep(20000);
		}
		ask_all(place, &after);
		assert_same(&before, &after);
		forget(&after);
	}
	assert_int_equal(status_of(place).waiting_rows, DAYS * 100);
	stop_mover(place);
	forget(&before);
}

/* Notes the next unit, up to row `end`, and reads it, as the mover does. */
static struct sn_clickhouse_block note_unit(struct place *place, int64_t end,
					    struct sn_columns *rows)
{
	struct sn_clickhouse_block block = {.day = DAY_1 / DAY_NS};
	struct sn_day *day = sn_day_get(place->world.store, block.day);
	struct sn_err *err = &place->world.err;
	struct sn_moving_unit unit;
	uint32_t epoch = 0;

	if (sn_day_open_writer(place->world.store, day, err) != 0 ||
	    sn_moving_begin(day->writer, &place->dataset, end, &unit, err) != 1 ||
	    sn_moving_read(day->writer, &unit, rows, err) != 0 ||
	    sn_blocks_epoch(day->writer, &epoch, err) != 0)
		fail_msg("%s", err->text);
	block.id = sn_blocks_global_id(epoch, unit.block);
	block.first = unit.first;
	return block;
}

static void insert(struct place *place, const struct sn_columns *rows,
		   const struct sn_clickhouse_block *block)
{
	struct sn_clickhouse *client = place->world.store->remote->client;

	if (sn_clickhouse_define(client, &place->dataset, &place->world.err) != 0 ||
	    sn_clickhouse_insert(client, rows, block, &place->world.err) != 0)
		fail_msg("%s", place->world.err.text);
}

/* As when a hub is killed between the insert and the end of it. */
static void what_is_in_both_places_is_seen_once(void **state)
{
	struct place *place = *state;
	struct sn_columns *rows = sn_columns_create(&place->dataset);
	struct answers before, after;
	atomic_llong floor = 101;
	struct sn_clickhouse_block block;
	uint64_t begin = sn_mono_ns();

	NEEDS_SERVER();
	for (int i = 0; i < 4; i++)
		store_rows(place, 0, 100);
	ask_all(place, &before);
	place->config.floor = floor_of_test;
	place->config.ctx = &floor;
	start_mover(place);
	for (; status_of(place).moved_rows != 100; usleep(20000))
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
	stop_mover(place);
	block = note_unit(place, 301, rows);
	insert(place, rows, &block);
	sn_columns_destroy(rows);
	assert_int_equal(count_there(place, "count()"), 300);
	ask_all(place, &after);
	assert_same(&before, &after);
	forget(&after);
	atomic_store(&floor, INT64_MAX);
	start_mover(place);
	wait_until_moved(place);
	assert_each_once_there(place);
	ask_all(place, &after);
	assert_same(&before, &after);
	forget(&before);
	forget(&after);
}

/* What a hub had sent before it was killed may still be under way. */
static void an_insert_that_comes_late_is_not_made_twice(void **state)
{
	struct place *place = *state;
	struct sn_columns *rows = sn_columns_create(&place->dataset);
	struct sn_clickhouse_block block;

	NEEDS_SERVER();
	store_rows(place, 0, 100);
	block = note_unit(place, INT64_MAX, rows);
	start_mover(place);
	usleep(1500000);
	insert(place, rows, &block);
	sn_columns_destroy(rows);
	wait_until_moved(place);
	usleep(500000);
	assert_each_once_there(place);
}

static void a_unit_that_never_arrived_is_sent_again(void **state)
{
	struct place *place = *state;
	struct sn_columns *rows = sn_columns_create(&place->dataset);

	NEEDS_SERVER();
	store_rows(place, 0, 100);
	note_unit(place, INT64_MAX, rows);
	sn_columns_destroy(rows);
	start_mover(place);
	wait_until_moved(place);
	assert_each_once_there(place);
}

struct asking {
	struct place *place;
	const struct answers *want;
	atomic_bool stop;
	atomic_uint rounds, wrong;
};

static void *ask_on(void *ctx)
{
	struct asking *asking = ctx;
	struct sn_store_options options = {.clickhouse = &asking->place->config.clickhouse};
	struct sn_store *store;
	struct sn_err err = {0};

	if (sn_store_open_with(asking->place->world.dir, &options, &store, &err) != 0)
		return NULL;
	while (!atomic_load(&asking->stop)) {
		unsigned i = asking->rounds++ % QUESTIONS;
		sn_autofree char *text = ask(store, question(asking->place, i));

		asking->wrong += strcmp(text, asking->want->texts[i]) != 0;
	}
	sn_store_close(store);
	return NULL;
}

static void while_rows_move_each_is_seen_once(void **state)
{
	struct place *place = *state;
	struct asking asking = {.place = place};
	struct answers want;
	pthread_t threads[2];

	NEEDS_SERVER();
	/* Many units: each day's rows go one second after the other, the first at once. */
	for (int i = 0; i < 24; i++)
		store_rows(place, i % DAYS, 60);
	ask_all(place, &want);
	asking.want = &want;
	place->config.clickhouse.stop = NULL;
	for (size_t i = 0; i < SN_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &asking), 0);
	start_mover(place);
	wait_until_moved(place);
	usleep(200000);
	atomic_store(&asking.stop, true);
	for (size_t i = 0; i < SN_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	print_message("# %u questions\n", asking.rounds);
	assert_int_equal(asking.wrong, 0);
	assert_true(asking.rounds > 0);
	forget(&want);
}

static int count_row(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(uint64_t *)ctx;
	return 0;
}

static void while_clickhouse_is_down_rows_wait_and_what_lacks_is_said(void **state)
{
	struct place *place = *state;
	struct sn_query query = {.dataset = &place->dataset, .limit = 100000};
	uint64_t rows = 0;
	int rc;

	NEEDS_SERVER();
	store_rows(place, 0, 100);
	start_mover(place);
	wait_until_moved(place);
	clickhouse_kill(&server);
	store_rows(place, 0, 50);
	wait_for_state(place, SN_MOVER_UNREACHABLE);
	assert_true(status_of(place).reason[0] != '\0');
	rc = sn_store_query(place->world.store, &query, count_row, &rows, NULL, &place->world.err);
	assert_int_equal(rc, -EREMOTE);
	assert_int_equal(rows, 50);
	assert_non_null(strstr(place->world.err.text, "2026-03-01"));
	/* What has not moved is answered. */
	store_rows(place, 1, 10);
	query.since_ns = DAY_1 + DAY_NS;
	rows = 0;
	assert_int_equal(sn_store_query(place->world.store, &query, count_row, &rows, NULL,
					&place->world.err),
			 0);
	assert_int_equal(rows, 10);
	assert_true(clickhouse_start(&server));
	wait_until_moved(place);
	wait_for_state(place, SN_MOVER_OK);
	assert_each_once_there(place);
}

static void killed_and_held_at_random_moments_each_row_arrives_once(void **state)
{
	struct place *place = *state;
	unsigned kills = 0, holds = 0, restarts = 0;

	NEEDS_SERVER();
	place->config.clickhouse.timeout_s = 1;
	start_mover(place);
	for (int i = 0; i < 12; i++) {
		for (int k = 0; k < 10; k++)
			store_rows(place, k % DAYS, 300);
		usleep((useconds_t)(sn_prng_u64(&prng) % 300000));
		switch (i % 3) {
		case 0:
			clickhouse_kill(&server);
			usleep((useconds_t)(sn_prng_u64(&prng) % 200000));
			assert_true(clickhouse_start(&server));
			kills++;
			break;
		case 1:
			clickhouse_pause(&server, true);
			usleep(1000000 + (useconds_t)(sn_prng_u64(&prng) % 1000000));
			clickhouse_pause(&server, false);
			holds++;
			break;
		default:
			stop_mover(place);
			start_mover(place);
			restarts++;
		}
	}
	wait_until_moved(place);
	print_message("# %u kills, %u holds, %u restarts of the mover, %" PRIu64 " rows\n", kills,
		      holds, restarts, place->stored);
	assert_each_once_there(place);
	assert_stored(&place->world, place->stored);
}

static int count_days(const struct sn_store_day *day, void *ctx)
{
	*(uint64_t *)ctx += day->rows;
	return 0;
}

static uint64_t rows_of_days(struct place *place)
{
	uint64_t rows = 0;

	assert_int_equal(sn_store_days(place->world.store, count_days, &rows, &place->world.err),
			 0);
	return rows;
}

static void a_dropped_day_goes_there_too_and_new_rows_of_it_stay(void **state)
{
	struct place *place = *state;
	struct sn_query query = {.dataset = &place->dataset, .limit = 1000};
	uint64_t begin, rows = 0;

	NEEDS_SERVER();
	store_rows(place, 0, 100);
	store_rows(place, 1, 30);
	start_mover(place);
	wait_until_moved(place);
	assert_int_equal(sn_store_drop_day(place->world.store, "2026-03-01", &place->world.err), 0);
	assert_int_equal(rows_of_days(place), 30);
	assert_int_equal(sn_store_query(place->world.store, &query, count_row, &rows, NULL,
					&place->world.err),
			 0);
	assert_int_equal(rows, 30);
	store_rows(place, 0, 7);
	for (begin = sn_mono_ns(); count_there(place, "count()") != 30; usleep(20000))
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
	usleep(600000);
	assert_int_equal(count_there(place, "count()"), 30);
	assert_int_equal(rows_of_days(place), 37);
	assert_int_equal(check_node(&place->world, NODE).rows, 37);
}

static void rows_whose_file_was_lost_are_found(void **state)
{
	struct place *place = *state;
	sn_autofree char *path = file_path(&place->world, "2026-03-01.db");
	struct answers before, after;
	uint64_t begin;

	NEEDS_SERVER();
	store_rows(place, 0, 100);
	store_rows(place, 1, 30);
	ask_all(place, &before);
	start_mover(place);
	wait_until_moved(place);
	stop_mover(place);
	sn_store_close(sn_steal(&place->world.store));
	assert_int_equal(unlink(path), 0);
	open_store(place);
	start_mover(place);
	for (begin = sn_mono_ns(); rows_of_days(place) != 130; usleep(20000))
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
	ask_all(place, &after);
	/* Who sent them was in the file. */
	after.check = before.check;
	assert_same(&before, &after);
	forget(&before);
	forget(&after);
}

/* Takes rows away behind the mover's back, and looks what it says of it. */
static void lose_there(struct place *place, const char *what, uint64_t left, const char *told)
{
	sn_autofree char *sql =
		sn_xasprintf("ALTER TABLE %s.%s_1 %s", place->database, place->name, what);
	uint64_t begin = sn_mono_ns();

	stop_mover(place);
	tell_server(sql);
	for (; count_there(place, "count()") != left; usleep(20000)) /* a server takes its time */
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
	start_mover(place);
	wait_for_state(place, SN_MOVER_LAGGING);
	if (strstr(status_of(place).reason, told) == NULL)
		fail_msg("'%s' is not in '%s'", told, status_of(place).reason);
}

static void rows_that_clickhouse_lost_are_told(void **state)
{
	struct place *place = *state;

	NEEDS_SERVER();
	for (int day = 0; day < DAYS; day++)
		store_rows(place, day, 100);
	start_mover(place);
	wait_until_moved(place);
	lose_there(place, "DELETE WHERE seq < 10", 290, "lacks 10 rows");
	assert_non_null(strstr(status_of(place).reason, "2026-03-01"));
	/* The last day as a whole, and then all there is. */
	lose_there(place, "DELETE WHERE seq >= 200", 190, "lacks 110 rows");
	assert_non_null(strstr(status_of(place).reason, "2026-03-03"));
	lose_there(place, "DELETE WHERE 1", 0, "lacks 300 rows");
}

static void rows_come_back(void **state)
{
	struct place *place = *state;
	struct answers before, after;
	struct sn_mover_status status;
	uint64_t begin = sn_mono_ns();

	NEEDS_SERVER();
	for (int i = 0; i < 6; i++)
		store_rows(place, i % DAYS, 200);
	ask_all(place, &before);
	start_mover(place);
	wait_until_moved(place);
	assert_int_equal(sn_mover_turn(place->mover, true, &place->world.err), 0);
	do {
		usleep(20000);
		status = status_of(place);
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
	} while (status.moved_rows > 0 || count_there(place, "count()") > 0);
	assert_true(status.back);
	assert_int_equal(status.waiting_rows, place->stored);
	/* It stays so when the mover starts again. */
	stop_mover(place);
	start_mover(place);
	usleep(600000);
	assert_int_equal(status_of(place).moved_rows, 0);
	stop_mover(place);
	open_store(place);
	ask_all(place, &after);
	assert_same(&before, &after);
	forget(&before);
	forget(&after);
}

static void days_before_the_horizon_are_not_shown_and_go(void **state)
{
	struct place *place = *state;
	struct sn_query query = {.dataset = &place->dataset, .limit = 1000};
	uint64_t begin, rows = 0;

	NEEDS_SERVER();
	store_rows(place, 0, 100);
	start_mover(place);
	wait_until_moved(place);
	stop_mover(place);
	/* 2026-03-01 is long ago, or the clock of this machine is wrong. */
	place->config.retention_days = 1;
	open_store(place);
	assert_int_equal(sn_store_query(place->world.store, &query, count_row, &rows, NULL,
					&place->world.err),
			 0);
	assert_int_equal(rows, 0);
	assert_int_equal(sn_store_drop_day(place->world.store, "2026-03-01", &place->world.err), 0);
	start_mover(place);
	for (begin = sn_mono_ns(); count_there(place, "count()") != 0; usleep(20000))
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
}

static void a_file_that_was_emptied_gives_its_room_back(void **state)
{
	struct place *place = *state;
	sn_autofree char *path = file_path(&place->world, "2026-03-01.db");
	uint64_t begin = sn_mono_ns();
	struct stat st;
	char text[65];

	NEEDS_SERVER();
	for (int i = 0; i < 200000; i++) {
		for (size_t k = 0; k < sizeof(text) - 1; k += 16)
			snprintf(text + k, 17, "%016" PRIx64, sn_prng_u64(&prng));
		add_row(place->world.batch, DAY_1 + i, text, (int64_t)place->stored++);
	}
	store_batch(&place->world);
	sn_store_close(sn_steal(&place->world.store));
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 4 << 20);
	start_mover(place);
	wait_until_moved(place);
	while (stat(path, &st) == 0 && st.st_size > 1 << 20) {
		assert_true(sn_mono_ns() - begin < TEST_PATIENCE_NS);
		usleep(20000);
	}
	open_store(place);
	assert_stored(&place->world, place->stored);
}

static void a_day_that_nobody_has_cannot_be_dropped(void **state)
{
	struct place *place = *state;

	NEEDS_SERVER();
	assert_int_equal(sn_store_drop_day(place->world.store, "2026-03-01", &place->world.err),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(what_moves_is_asked_for_as_before),
		WITH_PLACE(while_a_part_has_moved_both_places_are_asked),
		WITH_PLACE(what_is_in_both_places_is_seen_once),
		WITH_PLACE(an_insert_that_comes_late_is_not_made_twice),
		WITH_PLACE(a_unit_that_never_arrived_is_sent_again),
		WITH_PLACE(while_rows_move_each_is_seen_once),
		WITH_PLACE(while_clickhouse_is_down_rows_wait_and_what_lacks_is_said),
		WITH_PLACE(killed_and_held_at_random_moments_each_row_arrives_once),
		WITH_PLACE(a_dropped_day_goes_there_too_and_new_rows_of_it_stay),
		WITH_PLACE(rows_whose_file_was_lost_are_found),
		WITH_PLACE(rows_that_clickhouse_lost_are_told),
		WITH_PLACE(rows_come_back),
		WITH_PLACE(days_before_the_horizon_are_not_shown_and_go),
		WITH_PLACE(a_file_that_was_emptied_gives_its_room_back),
		WITH_PLACE(a_day_that_nobody_has_cannot_be_dropped),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
