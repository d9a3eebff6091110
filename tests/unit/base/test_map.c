/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/map_internal.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/util.h"

/* Key 00..0f, input 00..n-1: appendix A of the paper and the reference implementation. */
static void siphash_gives_the_published_values(void **state)
{
	static const struct {
		size_t size;
		const char *hash;
	} vectors[] = {
		{0, "310e0edd47db6f72"}, {1, "fd67dc93c539f874"},  {2, "5a4fa9d909806c0d"},
		{3, "2d7efbd796666785"}, {4, "b7877127e09427cf"},  {5, "8da699cd64557618"},
		{6, "cee3fe586e46c9cb"}, {7, "37d1018bf50002ab"},  {8, "6224939a79f5f593"},
		{9, "b0e4a90bdf82009e"}, {15, "e545be4961ca29a1"}, {63, "724506eb4c328a95"},
	};
	uint8_t key[SN_SIPHASH_KEY_SIZE], data[64];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	memcpy(key, data, sizeof(key));
	for (size_t i = 0; i < SN_COUNT(vectors); i++) {
		uint64_t hash = sn_siphash24(key, data, vectors[i].size);
		uint8_t bytes[8];
		char text[17];

		for (size_t k = 0; k < 8; k++)
			bytes[k] = (uint8_t)(hash >> 8 * k);
		assert_string_equal(sn_hex(bytes, 8, text), vectors[i].hash);
	}
}

static void the_process_hash_is_stable_within_the_process(void **state)
{
	(void)state;
	assert_true(sn_hash("abc", 3) == sn_hash("abc", 3));
	assert_true(sn_hash("abc", 3) != sn_hash("abd", 3));
}

static unsigned released;

static void count_release(void *value)
{
	(void)value;
	released++;
}

static void values_are_released_once(void **state)
{
	struct sn_map *map = sn_map_create(count_release);
	int a, b;

	(void)state;
	released = 0;
	sn_map_set(map, "x", &a);
	sn_map_set(map, "x", &a);
	assert_int_equal(released, 0);
	sn_map_set(map, "x", &b);
	assert_int_equal(released, 1);
	assert_true(sn_map_remove(map, "x"));
	assert_false(sn_map_remove(map, "x"));
	assert_int_equal(released, 2);
	sn_map_set(map, "y", &a);
	sn_map_destroy(map);
	assert_int_equal(released, 3);
	sn_map_destroy(NULL);
}

static void keys_are_copied(void **state)
{
	struct sn_map *map = sn_map_create(NULL);
	char key[] = "key";
	int value;

	(void)state;
	sn_map_set(map, key, &value);
	key[0] = 'X';
	assert_ptr_equal(sn_map_get(map, "key"), &value);
	assert_null(sn_map_get(map, "Xey"));
	sn_map_destroy(map);
}

/* Many random changes against a plain array: this walks through every shape of probe run. */
static void behaves_like_an_array_under_random_changes(void **state)
{
	enum { KEYS = 400, STEPS = 40000 };
	static int values[KEYS];
	bool present[KEYS] = {false};
	struct sn_map *map = sn_map_create(NULL);
	struct sn_prng prng;
	size_t count = 0;

	(void)state;
	sn_prng_seed(&prng, 42);
	for (int step = 0; step < STEPS; step++) {
		size_t i = sn_prng_u64(&prng) % KEYS;
		char key[16];

		snprintf(key, sizeof(key), "key-%zu", i);
		assert_ptr_equal(sn_map_get(map, key), present[i] ? &values[i] : NULL);
		if (sn_prng_u64(&prng) % 2 == 0) {
			sn_map_set(map, key, &values[i]);
			count += !present[i];
			present[i] = true;
		} else {
			assert_int_equal(sn_map_remove(map, key), present[i]);
			count -= present[i];
			present[i] = false;
		}
		assert_int_equal(sn_map_count(map), count);
	}
	sn_map_destroy(map);
}

static void a_walk_meets_every_entry_once(void **state)
{
	enum { KEYS = 100 };
	struct sn_map *map = sn_map_create(NULL);
	static unsigned seen[KEYS];
	size_t cursor = 0, steps = 0;
	const char *key;
	void *value;

	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%zu", i);
		sn_map_set(map, name, &seen[i]);
	}
	while (sn_map_next(map, &cursor, &key, &value)) {
		++*(unsigned *)value;
		steps++;
	}
	assert_int_equal(steps, KEYS);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(seen[i], 1);
	sn_map_destroy(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_published_values),
		cmocka_unit_test(the_process_hash_is_stable_within_the_process),
		cmocka_unit_test(values_are_released_once),
		cmocka_unit_test(keys_are_copied),
		cmocka_unit_test(behaves_like_an_array_under_random_changes),
		cmocka_unit_test(a_walk_meets_every_entry_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
