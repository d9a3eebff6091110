/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, and batches of a small dataset for it. */
#ifndef SONDE_TESTS_UNIT_STORE_WORLD_H
#define SONDE_TESTS_UNIT_STORE_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/store.h"

#define DAY_NS (86400 * SN_NS_PER_S)
#define DAY_1  (20513 * DAY_NS) /* 2026-03-01 */
#define NODE   "01JNZ8W9E4T3Q7V5B2M6K1R0XN"
#define STREAM "0123456789abcdef0123456789abcdef"

static const struct sn_column sample_columns[] = {
	SN_COMMON_COLUMNS,
	{"target", SN_TYPE_TEXT, "", "a text"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"count", SN_TYPE_I64, "1", "an integer"},
	{"last_time", SN_TYPE_TIME, "s", "a time"},
};
enum { TARGET = SN_COL_COMMON, DELAY, UP, COUNT, LAST_TIME };

static const struct sn_dataset sample = {
	.name = "sample",
	.version = 1,
	.columns = sample_columns,
	.column_count = SN_COUNT(sample_columns),
	.key = "target",
};

struct world {
	char dir[32];
	struct sn_store *store;
	struct sn_batch *batch;
	struct sn_err err;
	uint64_t next_batch;
};

static inline void world_open(struct world *world)
{
	if (sn_store_open(world->dir, &world->store, &world->err) != 0)
		fail_msg("%s", world->err.text);
}

static inline void world_reopen(struct world *world)
{
	sn_store_close(world->store);
	world_open(world);
}

static inline int world_create(void **state)
{
	struct world *world = sn_new(struct world);

	strcpy(world->dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->batch = sn_batch_create(&sample);
	world_open(world);
	*state = world;
	return 0;
}

static inline int world_destroy(void **state)
{
	struct world *world = *state;

	sn_store_close(world->store);
	sn_batch_destroy(world->batch);
	sn_fs_remove_tree(world->dir, NULL);
	free(world);
	return 0;
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

static inline struct sn_batch_id batch_id(uint64_t seq)
{
	struct sn_batch_id id = {.node = NODE, .stream = STREAM, .seq = seq};

	memset(id.digest, (int)(seq % 251), sizeof(id.digest));
	return id;
}

static inline void add_row(struct sn_batch *batch, int64_t time_ns, const char *target, int64_t seq)
{
	sn_batch_add_row(batch);
	sn_batch_set_time(batch, SN_COL_TIME, time_ns);
	sn_batch_set_i64(batch, SN_COL_SEQ, seq);
	if (target != NULL)
		sn_batch_set_text(batch, TARGET, sn_str(target));
}

/* Stores what is in the world's batch as the next batch of `node`, and empties it. */
static inline void store_batch_of(struct world *world, const char *node)
{
	struct sn_batch_id id = batch_id(world->next_batch++);

	id.node = node;
	if (sn_store_append(world->store, &id, world->batch, &world->err) != 0 ||
	    sn_store_commit(world->store, &world->err) != 0)
		fail_msg("%s", world->err.text);
	sn_batch_clear(world->batch);
}

static inline void store_batch(struct world *world)
{
	store_batch_of(world, NODE);
}

static inline struct sn_store_check check_node(struct world *world, const char *node)
{
	struct sn_store_check check;

	if (sn_store_check_node(world->store, node, &check, &world->err) != 0)
		fail_msg("%s", world->err.text);
	return check;
}

static inline void assert_stored(struct world *world, uint64_t rows)
{
	struct sn_store_check check = check_node(world, NODE);

	assert_int_equal(check.rows, rows);
	assert_int_equal(check.duplicates, 0);
	assert_int_equal(check.missing, 0);
}

static inline char *file_path(struct world *world, const char *name)
{
	return sn_fs_join(world->dir, name);
}

#endif
