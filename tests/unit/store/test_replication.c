/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "store/blocks.h"
#include "store/follow.h"
#include "store/sqlite.h"
#include "unit/store/world.h"

#define ROWS_MAX 4000

/* Two hubs' stores: what is in one is to be in the other. */
struct pair {
	struct world primary, replica;
	struct sn_feed *feed;
	struct sn_err err;
};

static int start(void **state)
{
	struct pair *pair = sn_new(struct pair);
	struct world *worlds[] = {&pair->primary, &pair->replica};

	for (size_t i = 0; i < SN_COUNT(worlds); i++) {
		strcpy(worlds[i]->dir, "/tmp/sonde-test-XXXXXX");
		if (mkdtemp(worlds[i]->dir) == NULL)
			return -1;
		worlds[i]->batch = sn_batch_create(&sample);
		world_open(worlds[i]);
	}
	assert_int_equal(sn_feed_open(pair->primary.dir, &pair->feed, &pair->err), 0);
	*state = pair;
	return 0;
}

static int stop(void **state)
{
	struct pair *pair = *state;
	struct world *worlds[] = {&pair->primary, &pair->replica};

	sn_feed_close(pair->feed);
	for (size_t i = 0; i < SN_COUNT(worlds); i++) {
		sn_store_close(worlds[i]->store);
		sn_batch_destroy(worlds[i]->batch);
		sn_fs_remove_tree(worlds[i]->dir, NULL);
	}
	free(pair);
	return 0;
}

/* A batch of so many rows in random order of time, some without a value. */
static void fill(struct sn_batch *batch, int64_t day_ns, size_t rows, struct sn_prng *prng)
{
	sn_batch_clear(batch);
	for (size_t i = 0; i < rows; i++) {
		sn_batch_add_row(batch);
		sn_batch_set_time(batch, SN_COL_TIME,
				  day_ns + (int64_t)(sn_prng_u64(prng) % (uint64_t)DAY_NS));
		if (sn_prng_u64(prng) % 4 != 0)
			sn_batch_set_text(batch, TARGET, SN_STR("target"));
		sn_batch_set_f64(batch, DELAY, (double)(sn_prng_u64(prng) % 1000) / 1000);
		sn_batch_set_i64(batch, COUNT, (int64_t)sn_prng_u64(prng));
	}
}

static struct sn_batch_id id_of(uint64_t seq)
{
	struct sn_batch_id id = {.node = NODE, .stream = STREAM, .seq = seq};

	memset(id.digest, (int)(seq % 251), sizeof(id.digest));
	return id;
}

static int append(struct world *world, uint64_t seq)
{
	struct sn_batch_id id = id_of(seq);
	int rc = sn_store_append(world->store, &id, world->batch, &world->err);

	if (rc == 0)
		assert_int_equal(sn_store_commit(world->store, &world->err), 0);
	return rc;
}

struct listed {
	struct sn_feed_item items[16];
	size_t count;
};

static int note_item(const struct sn_feed_item *item, void *ctx)
{
	struct listed *listed = ctx;

	assert_true(listed->count < SN_COUNT(listed->items));
	listed->items[listed->count++] = *item;
	return 0;
}

/* One answer taken over; 1 when there was something to take. */
static int pull(struct pair *pair, const struct sn_feed_item *item)
{
	struct sn_follow_sum sum;
	struct sn_buf body = {0};
	int64_t from;

	assert_int_equal(sn_follow_position(pair->replica.store, &item->place, &from, &pair->err),
			 0);
	if (from >= item->next)
		return 0;
	if (sn_feed_rows(pair->feed, &item->place, from, &body, &pair->err) != 0)
		fail_msg("%s", pair->err.text);
	if (sn_follow_put(pair->replica.store, &item->place, from, sn_buf_str(&body), &sum,
			  &pair->err) != 0)
		fail_msg("%s", pair->err.text);
	assert_true(sum.next > from);
	sn_buf_finish(&body);
	return 1;
}

static void pull_all(struct pair *pair)
{
	struct listed listed = {.count = 0};

	assert_int_equal(sn_feed_list(pair->feed, note_item, &listed, &pair->err), 0);
	for (size_t i = 0; i < listed.count; i++)
		while (pull(pair, &listed.items[i]))
			;
}

struct dump {
	struct sn_buf text;
	size_t rows;
};

static int dump_row(const struct sn_value *row, void *ctx)
{
	struct dump *dump = ctx;

	for (size_t i = 0; i < sample.column_count; i++)
		sn_buf_addf(&dump->text, "%d:%lld:%.*s;", row[i].type,
			    row[i].type == SN_TYPE_TEXT ? 0LL : (long long)row[i].i,
			    row[i].type == SN_TYPE_TEXT ? (int)row[i].s.n : 0,
			    row[i].type == SN_TYPE_TEXT ? row[i].s.p : "");
	sn_buf_addc(&dump->text, '\n');
	dump->rows++;
	return 0;
}

static struct dump dump_store(struct world *world)
{
	struct sn_query query = {.dataset = &sample, .limit = SN_QUERY_LIMIT_MAX};
	struct dump dump = {.rows = 0};

	if (sn_store_query(world->store, &query, dump_row, &dump, NULL, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return dump;
}

static void assert_same(struct pair *pair, size_t rows)
{
	struct dump there = dump_store(&pair->primary), here = dump_store(&pair->replica);

	assert_int_equal(there.rows, rows);
	assert_int_equal(here.rows, rows);
	assert_int_equal(here.text.n, there.text.n);
	assert_memory_equal(here.text.p, there.text.p, there.text.n);
	sn_buf_finish(&there.text);
	sn_buf_finish(&here.text);
}

static void rows_are_the_same_in_the_same_order(void **state)
{
	struct pair *pair = *state;
	struct sn_prng prng;
	size_t rows = 0;

	sn_prng_seed(&prng, 7);
	for (uint64_t seq = 0; seq < 60; seq++) {
		size_t more = 1 + sn_prng_u64(&prng) % 90;

		fill(pair->primary.batch, DAY_1 + (int64_t)(seq % 3) * DAY_NS, more, &prng);
		assert_int_equal(append(&pair->primary, seq), 0);
		rows += more;
		if (sn_prng_u64(&prng) % 4 == 0)
			pull_all(pair);
		if (sn_prng_u64(&prng) % 5 == 0)
			assert_int_equal(sn_store_tidy(pair->primary.store, NULL, NULL, NULL), 0);
		if (sn_prng_u64(&prng) % 5 == 0)
			world_reopen(&pair->replica);
	}
	pull_all(pair);
	assert_same(pair, rows);
	assert_int_equal(sn_store_tidy(pair->replica.store, NULL, NULL, NULL), 0);
	assert_same(pair, rows);
}

static void a_batch_that_comes_again_is_known_at_the_replica(void **state)
{
	struct pair *pair = *state;
	struct sn_prng prng;

	sn_prng_seed(&prng, 8);
	for (uint64_t seq = 0; seq < 5; seq++) {
		fill(pair->primary.batch, DAY_1, 10, &prng);
		assert_int_equal(append(&pair->primary, seq), 0);
	}
	pull_all(pair);
	fill(pair->replica.batch, DAY_1, 10, &prng);
	assert_int_equal(append(&pair->replica, 4), 1);
	assert_int_equal(append(&pair->replica, 5), 0);
}

static int count_row(const struct sn_replication_rows *rows, void *ctx)
{
	*(size_t *)ctx += rows->rows;
	return 0;
}

static int count_batch(const struct sn_replication_batch *batch, void *ctx)
{
	(void)batch;
	(void)ctx;
	return 0;
}

static int count_gap(const struct sn_replication_gap *gap, void *ctx)
{
	(void)gap;
	(void)ctx;
	return 0;
}

static void an_answer_ends_where_a_batch_ends(void **state)
{
	struct pair *pair = *state;
	struct listed listed = {.count = 0};
	size_t rows = 0;
	struct sn_replication_reader reader = {count_row, count_batch, count_gap, &rows};
	struct sn_replication_end end;
	struct sn_prng prng;
	struct sn_buf body = {0};

	sn_prng_seed(&prng, 9);
	for (uint64_t seq = 0; seq < 10; seq++) {
		fill(pair->primary.batch, DAY_1, 7001, &prng);
		assert_int_equal(append(&pair->primary, seq), 0);
	}
	assert_int_equal(sn_store_tidy(pair->primary.store, NULL, NULL, NULL), 0);
	assert_int_equal(sn_feed_list(pair->feed, note_item, &listed, &pair->err), 0);
	assert_int_equal(listed.count, 1);
	assert_int_equal(sn_feed_rows(pair->feed, &listed.items[0].place, 1, &body, &pair->err), 0);
	assert_int_equal(sn_replication_read(sn_buf_str(&body), 1, &reader, &end, &pair->err), 0);
	assert_int_equal((end.next - 1) % 7001, 0);
	assert_int_equal(end.head, 70011);
	assert_int_equal(rows, end.next - 1);
	sn_buf_finish(&body);
	pull_all(pair);
	assert_same(pair, 70010);
}

static void what_is_not_whole_is_refused_and_leaves_nothing(void **state)
{
	struct pair *pair = *state;
	struct listed listed = {.count = 0};
	const struct sn_feed_place *place = &listed.items[0].place;
	struct sn_follow_sum sum;
	struct sn_buf body = {0};
	struct sn_prng prng;
	struct dump dump;
	int rc;

	sn_prng_seed(&prng, 10);
	for (uint64_t seq = 0; seq < 3; seq++) {
		fill(pair->primary.batch, DAY_1, 20, &prng);
		assert_int_equal(append(&pair->primary, seq), 0);
	}
	assert_int_equal(sn_feed_list(pair->feed, note_item, &listed, &pair->err), 0);
	assert_int_equal(sn_feed_rows(pair->feed, place, 1, &body, &pair->err), 0);
	for (size_t i = 0; i < body.n; i += 1 + i / 50) {
		rc = sn_follow_put(pair->replica.store, place, 1, (struct sn_str){body.p, i}, &sum,
				   &pair->err);
		assert_int_equal(rc, -EBADMSG);
		body.p[i] ^= 0x20;
		rc = sn_follow_put(pair->replica.store, place, 1, sn_buf_str(&body), &sum,
				   &pair->err);
		if (rc != -EBADMSG && rc != -EPROTONOSUPPORT)
			fail_msg("byte %zu: %d", i, rc);
		body.p[i] ^= 0x20;
	}
	assert_int_equal(
		sn_follow_put(pair->replica.store, place, 5, sn_buf_str(&body), &sum, &pair->err),
		-EBADMSG);
	dump = dump_store(&pair->replica);
	assert_int_equal(dump.rows, 0);
	sn_buf_finish(&dump.text);
	assert_int_equal(
		sn_follow_put(pair->replica.store, place, 1, sn_buf_str(&body), &sum, &pair->err),
		0);
	/* The same body again is not taken twice. */
	assert_int_equal(
		sn_follow_put(pair->replica.store, place, 1, sn_buf_str(&body), &sum, &pair->err),
		-ESTALE);
	sn_buf_finish(&body);
	assert_same(pair, 60);
}

static void frames_with_numbers_that_cannot_be_are_refused(void **state)
{
	const struct {
		struct sn_replication_gap gap;
		struct sn_replication_end end;
	} bad[] = {
		{{5, 5}, {9, 9}}, {{1, 6}, {9, 9}},         {{5, 8}, {7, 9}},
		{{5, 8}, {9, 8}}, {{5, INT64_MAX}, {9, 9}},
	};
	size_t rows = 0;
	struct sn_replication_reader reader = {count_row, count_batch, count_gap, &rows};
	struct sn_replication_writer writer;
	struct sn_replication_end end;
	struct sn_err err = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		struct sn_buf body = {0};

		sn_replication_begin(&writer, &body);
		sn_replication_gap(&writer, &bad[i].gap);
		sn_replication_end(&writer, &bad[i].end);
		assert_int_equal(sn_replication_read(sn_buf_str(&body), 5, &reader, &end, &err),
				 -EBADMSG);
		sn_buf_finish(&body);
	}
}

static void another_file_of_the_day_is_another_place(void **state)
{
	struct pair *pair = *state;
	struct listed before = {.count = 0}, after = {.count = 0};
	struct sn_prng prng;
	struct sn_buf body = {0};

	sn_prng_seed(&prng, 11);
	fill(pair->primary.batch, DAY_1, 20, &prng);
	assert_int_equal(append(&pair->primary, 0), 0);
	pull_all(pair);
	assert_int_equal(sn_feed_list(pair->feed, note_item, &before, &pair->err), 0);
	assert_int_equal(sn_store_drop_day(pair->primary.store, "2026-03-01", &pair->err), 0);
	fill(pair->primary.batch, DAY_1, 5, &prng);
	assert_int_equal(append(&pair->primary, 1), 0);
	assert_int_equal(sn_feed_list(pair->feed, note_item, &after, &pair->err), 0);
	assert_int_not_equal(before.items[0].place.epoch, after.items[0].place.epoch);
	assert_int_equal(sn_feed_rows(pair->feed, &before.items[0].place, 1, &body, &pair->err),
			 -ESTALE);
	sn_buf_finish(&body);
	pull_all(pair);
	assert_int_equal(sn_store_drop_day(pair->replica.store, "2026-03-01", &pair->err), 0);
	pull_all(pair);
	assert_same(pair, 5);
}

/* As the mover leaves it: the rows are accounted for, their blocks are not here any more. */
static void move_all(struct world *world, int64_t rows)
{
	struct sn_day *day = sn_day_get(world->store, sn_day_of(DAY_1));

	assert_int_equal(sn_day_open_writer(world->store, day, &world->err), 0);
	assert_int_equal(sn_db_run(day->writer, &world->err,
				   "INSERT INTO _moved VALUES('sample', 1, 1, ?, 1, 0, 0)", "i",
				   rows),
			 1);
	assert_int_equal(
		sn_db_exec(day->writer, "DELETE FROM _column; DELETE FROM _block", &world->err), 0);
}

static void rows_that_have_left_are_told_and_not_waited_for(void **state)
{
	struct pair *pair = *state;
	struct listed listed = {.count = 0};
	struct sn_follow_sum sum;
	struct sn_buf body = {0};
	struct sn_prng prng;
	struct dump dump;

	sn_prng_seed(&prng, 12);
	fill(pair->primary.batch, DAY_1, 20, &prng);
	assert_int_equal(append(&pair->primary, 0), 0);
	move_all(&pair->primary, 20);
	fill(pair->primary.batch, DAY_1, 5, &prng);
	assert_int_equal(append(&pair->primary, 1), 0);
	assert_int_equal(sn_feed_list(pair->feed, note_item, &listed, &pair->err), 0);
	assert_int_equal(listed.items[0].next, 26);
	assert_int_equal(sn_feed_rows(pair->feed, &listed.items[0].place, 1, &body, &pair->err), 0);
	if (sn_follow_put(pair->replica.store, &listed.items[0].place, 1, sn_buf_str(&body), &sum,
			  &pair->err) != 0)
		fail_msg("%s", pair->err.text);
	sn_buf_finish(&body);
	assert_int_equal(sum.missing, 20);
	assert_int_equal(sum.rows, 5);
	assert_int_equal(sum.next, 26);
	dump = dump_store(&pair->replica);
	assert_int_equal(dump.rows, 5);
	sn_buf_finish(&dump.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_the_same_in_the_same_order, start, stop),
		cmocka_unit_test_setup_teardown(a_batch_that_comes_again_is_known_at_the_replica,
						start, stop),
		cmocka_unit_test_setup_teardown(an_answer_ends_where_a_batch_ends, start, stop),
		cmocka_unit_test_setup_teardown(what_is_not_whole_is_refused_and_leaves_nothing,
						start, stop),
		cmocka_unit_test_setup_teardown(another_file_of_the_day_is_another_place, start,
						stop),
		cmocka_unit_test_setup_teardown(rows_that_have_left_are_told_and_not_waited_for,
						start, stop),
		cmocka_unit_test(frames_with_numbers_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
