/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>

#include "unit/store/world.h"

static int append(struct world *world, const struct sn_batch_id *id)
{
	return sn_store_append(world->store, id, world->batch, &world->err);
}

static void committed_batch_is_there_after_reopening(void **state)
{
	struct world *world = *state;

	add_row(world->batch, DAY_1, "a", 0);
	add_row(world->batch, DAY_1 + 1, "b", 1);
	store_batch(world);
	assert_stored(world, 2);
	world_reopen(world);
	assert_stored(world, 2);
}

static void uncommitted_batch_is_neither_seen_nor_kept(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);

	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &id), 0);
	assert_stored(world, 0);
	world_reopen(world);
	assert_stored(world, 0);
}

static void repeated_batch_is_recognised_and_stored_once(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);

	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &id), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(append(world, &id), 1);
	world_reopen(world);
	assert_int_equal(append(world, &id), 1);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, 1);
}

static void repeated_batch_of_the_open_group_is_not_yet_stored(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);

	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &id), 0);
	assert_int_equal(append(world, &id), 2);
	id.digest[5] ^= 1;
	assert_int_equal(append(world, &id), -EEXIST);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, 1);
}

static void same_number_with_other_content_is_refused(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);

	add_row(world->batch, DAY_1, "a", 0);
	store_batch(world);
	add_row(world->batch, DAY_1, "a", 0);
	id.digest[31] ^= 1;
	assert_int_equal(append(world, &id), -EEXIST);
	assert_string_equal(world->err.text,
			    "batch 0 of node '" NODE "' is stored already with other content");
	/* The group is unharmed. */
	id = batch_id(1);
	assert_int_equal(append(world, &id), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(check_node(world, NODE).rows, 2);
}

static void numbers_of_other_nodes_and_streams_do_not_collide(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(7);

	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &id), 0);
	id.stream = "fedcba9876543210fedcba9876543210";
	id.digest[0] ^= 1;
	assert_int_equal(append(world, &id), 0);
	id.node = "01JNZ8W9E4T3Q7V5B2M6K1R0XM";
	assert_int_equal(append(world, &id), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(check_node(world, NODE).rows, 2);
	assert_int_equal(check_node(world, id.node).rows, 1);
}

static void group_may_span_days(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id;

	for (uint64_t i = 0; i < 10; i++) {
		id = batch_id(i);
		sn_batch_clear(world->batch);
		add_row(world->batch, DAY_1 + (int64_t)i * DAY_NS, "a", (int64_t)i);
		assert_int_equal(append(world, &id), 0);
	}
	assert_stored(world, 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, 10);
}

static void days_of_a_group_up_to_the_limit_are_taken_and_one_more_refused(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id;

	for (uint64_t i = 0; i <= 64; i++) {
		id = batch_id(i);
		sn_batch_clear(world->batch);
		add_row(world->batch, DAY_1 + (int64_t)i * DAY_NS, "a", (int64_t)i);
		assert_int_equal(append(world, &id), i < 64 ? 0 : -EAGAIN);
	}
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(append(world, &id), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, 65);
}

static void batches_that_make_no_sense_are_refused(void **state)
{
	struct world *world = *state;
	struct sn_batch_id good = batch_id(0), id = good;
	char long_name[130];

	assert_int_equal(append(world, &id), -EINVAL);
	assert_string_equal(world->err.text, "a batch without rows");

	add_row(world->batch, DAY_1, "a", 0);
	add_row(world->batch, DAY_1 + DAY_NS, "a", 1);
	assert_int_equal(append(world, &id), -EINVAL);
	assert_string_equal(world->err.text, "a batch with rows of two days");

	sn_batch_clear(world->batch);
	sn_batch_add_row(world->batch);
	assert_int_equal(append(world, &id), -EINVAL);
	assert_string_equal(world->err.text, "a row without 'time'");

	sn_batch_clear(world->batch);
	add_row(world->batch, DAY_1, "a", 0);
	sn_batch_set_text(world->batch, SN_COL_NODE, SN_STR("stranger"));
	assert_int_equal(append(world, &id), -EINVAL);
	assert_string_equal(world->err.text, "a row of another node in a batch of '" NODE "'");

	sn_batch_clear(world->batch);
	add_row(world->batch, DAY_1, "a", 0);
	id.seq = UINT64_MAX;
	assert_int_equal(append(world, &id), -EINVAL);
	id = good;
	id.stream = "not/hex";
	assert_int_equal(append(world, &id), -EINVAL);
	id.stream = "";
	assert_int_equal(append(world, &id), -EINVAL);
	id = good;
	id.node = "";
	assert_int_equal(append(world, &id), -EINVAL);

	memset(long_name, 'n', sizeof(long_name));
	long_name[129] = '\0';
	id.node = long_name;
	assert_int_equal(append(world, &id), -EINVAL);
	long_name[128] = '\0';
	assert_int_equal(append(world, &id), 0);
	assert_int_equal(append(world, &good), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, 1);
}

static void column_that_is_declared_later_is_added_to_old_files(void **state)
{
	struct world *world = *state;
	struct sn_dataset before = sample;
	struct sn_batch *old;
	struct sn_batch_id id = batch_id(0);
	struct sn_store_check check;

	before.column_count = UP; /* the file knows nothing of the last columns */
	old = sn_batch_create(&before);
	add_row(old, DAY_1, "a", 0);
	assert_int_equal(sn_store_append(world->store, &id, old, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	sn_batch_destroy(old);
	world_reopen(world);

	world->next_batch = 1;
	add_row(world->batch, DAY_1, "a", 1);
	sn_batch_set_i64(world->batch, COUNT, 5);
	store_batch(world);
	check = check_node(world, NODE);
	assert_int_equal(check.rows, 2);
	assert_int_equal(check.missing, 0);
}

static void new_meaning_of_a_dataset_has_a_table_of_its_own(void **state)
{
	struct world *world = *state;
	struct sn_dataset next = sample;
	struct sn_batch *batch;
	struct sn_batch_id id = batch_id(1);

	next.version = 2;
	add_row(world->batch, DAY_1, "a", 0);
	store_batch(world);
	batch = sn_batch_create(&next);
	add_row(batch, DAY_1, "a", 1);
	assert_int_equal(sn_store_append(world->store, &id, batch, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	sn_batch_destroy(batch);
	assert_stored(world, 2);
}

static void batch_that_somebody_else_stores_meanwhile_is_stored_once(void **state)
{
	struct world *world = *state;
	struct sn_batch_id first = batch_id(0), second = batch_id(1);
	struct sn_store *other;

	assert_int_equal(sn_store_open(world->dir, &other, NULL), 0);
	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &first), 0);
	assert_int_equal(sn_store_append(other, &first, world->batch, NULL), 0);
	sn_batch_clear(world->batch);
	add_row(world->batch, DAY_1, "a", 1);
	assert_int_equal(append(world, &second), 0);
	assert_int_equal(sn_store_commit(other, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, &world->err), -EAGAIN);
	assert_string_equal(world->err.text, "batch 0 of node '" NODE "' was stored by another "
					     "process meanwhile (send again)");
	sn_store_close(other);
	assert_stored(world, 1);
	/* The sender tries again. */
	assert_int_equal(append(world, &second), 0);
	sn_batch_clear(world->batch);
	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &first), 1);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_stored(world, 2);
}

/* Importers put while a group is open. */
static void open_group_locks_nobody_out(void **state)
{
	struct world *world = *state;
	struct sn_batch_id id = batch_id(0);
	struct sn_store *other;

	assert_int_equal(sn_store_open(world->dir, &other, NULL), 0);
	add_row(world->batch, DAY_1, "a", 0);
	assert_int_equal(append(world, &id), 0);
	sn_batch_clear(world->batch);
	add_row(world->batch, DAY_1, "a", 1);
	id = batch_id(1);
	assert_int_equal(sn_store_append(other, &id, world->batch, NULL), 0);
	assert_int_equal(sn_store_commit(other, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	sn_store_close(other);
	assert_stored(world, 2);
}

static void empty_group_commits(void **state)
{
	struct world *world = *state;

	assert_int_equal(sn_store_commit(world->store, NULL), 0);
	assert_int_equal(sn_store_commit(world->store, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(committed_batch_is_there_after_reopening),
		WITH_WORLD(uncommitted_batch_is_neither_seen_nor_kept),
		WITH_WORLD(repeated_batch_is_recognised_and_stored_once),
		WITH_WORLD(repeated_batch_of_the_open_group_is_not_yet_stored),
		WITH_WORLD(same_number_with_other_content_is_refused),
		WITH_WORLD(numbers_of_other_nodes_and_streams_do_not_collide),
		WITH_WORLD(group_may_span_days),
		WITH_WORLD(days_of_a_group_up_to_the_limit_are_taken_and_one_more_refused),
		WITH_WORLD(batches_that_make_no_sense_are_refused),
		WITH_WORLD(column_that_is_declared_later_is_added_to_old_files),
		WITH_WORLD(new_meaning_of_a_dataset_has_a_table_of_its_own),
		WITH_WORLD(batch_that_somebody_else_stores_meanwhile_is_stored_once),
		WITH_WORLD(open_group_locks_nobody_out),
		WITH_WORLD(empty_group_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
