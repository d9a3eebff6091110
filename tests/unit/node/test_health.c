/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

#include "node/health/footprint.h"
#include "node/health/health.h"

static const struct sn_value *value_of(const struct sn_batch *rows, const char *column)
{
	int index = sn_dataset_column(&sn_dataset_health, column);

	if (index < 0)
		fail_msg("no column '%s'", column);
	return sn_batch_get(rows, 0, index);
}

static void each_value_is_in_the_column_of_its_name(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_health);
	struct sn_spool_stats spool = {.batches = 11, .bytes = 12, .dropped_rows = 13};
	struct sn_health health = {
		.time_unix_ns = 1772366400LL * SN_NS_PER_S,
		.uptime_ns = 1500 * SN_NS_PER_MS,
		.spool = &spool,
		.tasks_running = 14,
		.task_restarts = 15,
		.state_dir = "/tmp",
	};

	(void)state;
	sn_health_add_row(rows, &health);
	assert_int_equal(sn_batch_rows(rows), 1);
	assert_int_equal(value_of(rows, "time")->i, health.time_unix_ns);
	assert_int_equal(value_of(rows, "node")->type, SN_TYPE_NULL);
	assert_true(value_of(rows, "uptime_seconds")->f == 1.5);
	assert_int_equal(value_of(rows, "spool_batches")->i, 11);
	assert_int_equal(value_of(rows, "spool_bytes")->i, 12);
	assert_int_equal(value_of(rows, "dropped_rows")->i, 13);
	assert_int_equal(value_of(rows, "tasks_running")->i, 14);
	assert_int_equal(value_of(rows, "task_restarts")->i, 15);
	assert_true(value_of(rows, "resident_bytes")->i > 65536);
	assert_true(value_of(rows, "cpu_seconds")->f >= 0);
	assert_true(value_of(rows, "load_1m")->f >= 0);
	assert_true(value_of(rows, "disk_free_bytes")->i > 0);
	/* Whether this machine's clock is disciplined is not known here, but one implies the other.
	 */
	if (value_of(rows, "clock_synchronised")->type == SN_TYPE_BOOL)
		assert_int_equal(value_of(rows, "clock_error_seconds")->type != SN_TYPE_NULL,
				 value_of(rows, "clock_synchronised")->b);
	sn_batch_destroy(rows);
}

static void a_disk_that_is_not_there_leaves_the_column_empty(void **state)
{
	struct sn_batch *rows = sn_batch_create(&sn_dataset_health);
	struct sn_spool_stats spool = {0};
	struct sn_health health = {.spool = &spool, .state_dir = "/nonexistent/dir"};

	(void)state;
	sn_health_add_row(rows, &health);
	assert_int_equal(value_of(rows, "disk_free_bytes")->type, SN_TYPE_NULL);
	sn_batch_destroy(rows);
}

static void interfaces_are_listed_once_without_loopback(void **state)
{
	struct sn_buf text = {0};
	struct sn_jw jw;
	json_t *json, *item, *other;
	size_t i, j;

	(void)state;
	sn_jw_init(&jw, &text);
	sn_health_write_interfaces(&jw);
	json = sn_json_parse(text.p, text.n, NULL);
	assert_true(json_is_array(json));
	json_array_foreach (json, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));

		assert_non_null(name);
		assert_string_not_equal(name, "lo");
		assert_true(json_is_array(json_object_get(item, "addresses")));
		assert_true(json_is_boolean(json_object_get(item, "up")));
		json_array_foreach (json, j, other) {
			if (i != j)
				assert_string_not_equal(
					name, json_string_value(json_object_get(other, "name")));
		}
	}
	json_decref(json);
	sn_buf_finish(&text);
}

static long resident_pages(void)
{
	long total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_int_equal(fscanf(file, "%ld %ld", &total, &resident), 2);
	fclose(file);
	return resident;
}

static void trimming_gives_memory_back_and_everything_still_works(void **state)
{
	long before = resident_pages(), after;

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	print_message("skipped: the sanitizer's own memory hides the difference\n");
	skip();
#endif
	sn_footprint_trim();
	after = resident_pages();
	assert_true(after < before);
	each_value_is_in_the_column_of_its_name(state);
	interfaces_are_listed_once_without_loopback(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_in_the_column_of_its_name),
		cmocka_unit_test(a_disk_that_is_not_there_leaves_the_column_empty),
		cmocka_unit_test(interfaces_are_listed_once_without_loopback),
		cmocka_unit_test(trimming_gives_memory_back_and_everything_still_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
