/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "hub/load.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void sources_add_up_and_go_again(void **state)
{
	static const char *const first[] = {"192.0.2.1", "WWW.example.org", "192.0.2.1"},
				 *const second[] = {"::ffff:192.0.2.1"};
	struct sn_load *load = sn_load_create();

	(void)state;
	sn_load_set(load, "a", first, 3, 2, 3);
	sn_load_set(load, "b", second, 1, 0.5, 1);
	NEAR(sn_load_at(load, "192.0.2.1"), 12.5);
	NEAR(sn_load_at(load, "[192.0.2.1]:80"), 12.5);
	NEAR(sn_load_at(load, "www.example.org."), 6);
	NEAR(sn_load_at(load, "192.0.2.2"), 0);
	assert_int_equal(sn_load_set_factor(load, "a", 1), 0);
	NEAR(sn_load_at(load, "192.0.2.1"), 4.5);
	sn_load_set(load, "a", second, 1, 1, 1);
	NEAR(sn_load_at(load, "www.example.org"), 0);
	NEAR(sn_load_at(load, "192.0.2.1"), 1.5);
	sn_load_remove(load, "a");
	sn_load_remove(load, "a");
	sn_load_remove(load, "b");
	assert_int_equal(sn_load_set_factor(load, "b", 1), -ENOENT);
	assert_true(sn_load_at(load, "192.0.2.1") == 0);
	assert_int_equal(sn_load_targets(load), 0);
	sn_load_destroy(load);
	sn_load_destroy(NULL);
}

static void nothing_is_left_of_many_that_came_and_went(void **state)
{
	struct sn_load *load = sn_load_create();
	char names[100][16], source[16];
	const char *targets[100];
	uint64_t start_ns = test_cpu_ns();

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "192.0.2.%u", i);
		targets[i] = names[i];
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(source, sizeof(source), "m%u", i);
		sn_load_set(load, source, targets, 100, 0.1 + i, 3);
	}
	for (unsigned i = 0; i < 100000; i++)
		assert_true(sn_load_at(load, "192.0.2.7") > 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(source, sizeof(source), "m%u", i);
		sn_load_remove(load, source);
	}
	assert_int_equal(sn_load_targets(load), 0);
	assert_true(test_cpu_ns() - start_ns < 2000000000);
	sn_load_destroy(load);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_add_up_and_go_again),
		cmocka_unit_test(nothing_is_left_of_many_that_came_and_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
