/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that puts blocks of a store together. */
#include "lib/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "hub/upkeep.h"
#include "unit/store/world.h"

static int count_batch(const struct sn_store_day *day, void *ctx)
{
	*(uint64_t *)ctx += day->batches;
	return 0;
}

/* What is right at the end of `TEST_PATIENCE_NS` at the latest. */
static struct sn_upkeep_status wait_for(struct sn_upkeep *upkeep, uint64_t merges, bool failing)
{
	uint64_t end = sn_mono_ns() + TEST_PATIENCE_NS;
	struct sn_upkeep_status status;

	do {
		usleep(1000);
		sn_upkeep_status(upkeep, &status);
	} while ((status.merges < merges || status.failing != failing) && sn_mono_ns() < end);
	return status;
}

static void blocks_are_put_together_while_others_write(void **state)
{
	struct world *world = *state;
	struct sn_upkeep_status status;
	struct sn_upkeep *upkeep;
	uint64_t batches = 0;

	assert_int_equal(sn_upkeep_start(world->dir, 1, true, &upkeep, NULL), 0);
	for (int64_t i = 0; i < 40; i++) {
		add_row(world->batch, DAY_1 + i, "a", i);
		store_batch(world);
	}
	status = wait_for(upkeep, 1, false);
	assert_true(status.merges >= 1);
	assert_true(status.runs >= 1);
	assert_true(status.last_ns > DAY_1);
	sn_upkeep_stop(upkeep);
	assert_stored(world, 40);
	assert_int_equal(sn_store_days(world->store, count_batch, &batches, NULL), 0);
	assert_int_equal(batches, 40);
}

static void stop_does_not_wait_for_the_pause(void **state)
{
	struct world *world = *state;
	uint64_t start = sn_mono_ns();
	struct sn_upkeep *upkeep;

	assert_int_equal(sn_upkeep_start(world->dir, 600000, true, &upkeep, NULL), 0);
	sn_upkeep_stop(upkeep);
	sn_upkeep_stop(NULL);
	assert_true(sn_mono_ns() - start < TEST_PATIENCE_NS);
}

static void trouble_is_told_and_passes(void **state)
{
	struct world *world = *state;
	sn_autofree char *path = file_path(world, "2026-03-01.db");
	struct sn_upkeep_status status;
	struct sn_upkeep *upkeep;

	/* A directory where a file should be. */
	assert_int_equal(sn_fs_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(sn_upkeep_start(world->dir, 1, true, &upkeep, NULL), 0);
	status = wait_for(upkeep, 0, true);
	assert_true(status.failing);
	assert_non_null(strstr(status.reason, "2026-03-01.db"));
	assert_int_equal(rmdir(path), 0);
	assert_false(wait_for(upkeep, 0, false).failing);
	sn_upkeep_stop(upkeep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(blocks_are_put_together_while_others_write),
		WITH_WORLD(stop_does_not_wait_for_the_pause),
		WITH_WORLD(trouble_is_told_and_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
