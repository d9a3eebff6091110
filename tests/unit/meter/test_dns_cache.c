/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "meter/app/names.h"

static struct sn_name_pool *names;
static struct sn_dns_cache *cache;

static void begin(size_t entries)
{
	names = sn_name_pool_create(1 << 20);
	cache = sn_dns_cache_create(names, entries);
}

/* Nothing may be left behind in the pool of names. */
static void end(size_t memory_before)
{
	sn_dns_cache_destroy(cache);
	assert_int_equal(sn_name_pool_memory(names), memory_before);
	sn_name_pool_destroy(names);
}

static void add(uint64_t client, uint64_t address, const char *name, int64_t time_ns)
{
	uint64_t from[2] = {client, 0}, to[2] = {address, 0};
	struct sn_dns_hit facts = {.resolver = {53, 0},
				   .resolver_family = 4,
				   .asked_ns = time_ns - 5,
				   .answered_ns = time_ns};

	sn_dns_cache_add(cache, from, to, sn_str(name), &facts);
}

static void assert_found(uint64_t client, uint64_t address, int64_t now_ns, const char *name)
{
	uint64_t from[2] = {client, 0}, to[2] = {address, 0};
	struct sn_dns_hit *hit = sn_dns_cache_find(cache, from, to, now_ns);

	if (name == NULL) {
		assert_null(hit);
		return;
	}
	assert_non_null(hit);
	assert_string_equal(hit->name->text, name);
	assert_int_equal(hit->resolver[0], 53);
	assert_true(hit->answered_ns <= now_ns && hit->asked_ns == hit->answered_ns - 5);
	sn_dns_hit_give(cache, hit);
}

static void an_answer_is_found_by_client_and_address(void **state SN_UNUSED)
{
	size_t memory;

	begin(100);
	memory = sn_name_pool_memory(names);
	add(1, 2, "a.example", 10);
	assert_found(1, 2, 10, "a.example");
	assert_found(2, 1, 10, NULL);
	assert_found(1, 3, 10, NULL);
	end(memory);
}

static void the_future_is_not_seen(void **state SN_UNUSED)
{
	size_t memory;

	begin(100);
	memory = sn_name_pool_memory(names);
	add(1, 2, "old.example", 10);
	add(1, 2, "new.example", 20);
	assert_found(1, 2, 9, NULL);
	assert_found(1, 2, 19, "old.example");
	assert_found(1, 2, 20, "new.example");
	/* An answer that comes late is not the newest. */
	add(1, 2, "late.example", 15);
	assert_found(1, 2, 30, "new.example");
	end(memory);
}

static void the_oldest_give_way(void **state SN_UNUSED)
{
	enum { ENTRIES = 160, MANY = 4000 };
	char name[32];
	size_t memory, found = 0;

	begin(ENTRIES);
	memory = sn_name_pool_memory(names);
	for (uint64_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%u.example", (unsigned)i);
		add(1, i, name, (int64_t)i + 10);
		assert_found(1, i, (int64_t)i + 10, name);
	}
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t from[2] = {1, 0}, to[2] = {i, 0};
		struct sn_dns_hit *hit = sn_dns_cache_find(cache, from, to, INT64_MAX);

		assert_true(hit == NULL || i > MANY / 2);
		found += hit != NULL;
		sn_dns_hit_give(cache, hit);
	}
	assert_int_equal(found, ENTRIES);
	assert_found(1, 0, INT64_MAX, NULL);
	end(memory);
}

/* One key cannot fill a stripe: the others of it are still there. */
static void a_flood_for_one_key_keeps_to_itself(void **state SN_UNUSED)
{
	uint64_t from[2] = {1, 0}, to[2] = {2, 0};
	struct sn_dns_hit *held;
	size_t memory;

	begin(16 * 4096);
	memory = sn_name_pool_memory(names);
	add(1, 2, "first.example", 10);
	held = sn_dns_cache_find(cache, from, to, 10);
	for (int64_t i = 0; i < 100; i++)
		add(1, 2, "flood.example", 100 + i);
	assert_found(1, 2, 150, NULL); /* only the newest few remain */
	assert_found(1, 2, 199, "flood.example");
	/* What a flow holds stays as it was. */
	assert_string_equal(held->name->text, "first.example");
	sn_dns_hit_give(cache, held);
	end(memory);
}

static void names_without_memory_are_not_kept(void **state SN_UNUSED)
{
	names = sn_name_pool_create(1);
	cache = sn_dns_cache_create(names, 10);
	add(1, 2, "a.example", 10);
	assert_found(1, 2, 10, NULL);
	assert_int_equal(sn_name_pool_refused(names), 1);
	sn_dns_cache_destroy(cache);
	sn_dns_cache_destroy(NULL);
	sn_name_pool_destroy(names);
}

#define SHARED_CLIENT 1000

/* Returns how often it did not find what it had added itself; cmocka knows one thread only. */
static void *work(void *ctx)
{
	uintptr_t client = (uintptr_t)ctx, lost = 0;
	char name[32];

	snprintf(name, sizeof(name), "c%u.example", (unsigned)client);
	for (int64_t i = 1; i < 3000; i++) {
		uint64_t from[2] = {client, 0}, to[2] = {(uint64_t)i % 50, 0};
		struct sn_dns_hit *hit;

		add(SHARED_CLIENT, (uint64_t)i % 5, name, i);
		add(client, (uint64_t)i % 50, name, i);
		hit = sn_dns_cache_find(cache, from, to, i);
		lost += hit == NULL || strcmp(hit->name->text, name) != 0 || hit->answered_ns != i;
		sn_dns_hit_give(cache, hit);
	}
	return (void *)lost;
}

static void workers_share_it(void **state SN_UNUSED)
{
	pthread_t threads[4];
	size_t memory;

	begin(100000);
	memory = sn_name_pool_memory(names);
	for (uintptr_t i = 0; i < SN_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (size_t i = 0; i < SN_COUNT(threads); i++) {
		void *lost = NULL;

		pthread_join(threads[i], &lost);
		assert_null(lost);
	}
	assert_found(SHARED_CLIENT, 0, 0, NULL);
	end(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_found_by_client_and_address),
		cmocka_unit_test(the_future_is_not_seen),
		cmocka_unit_test(the_oldest_give_way),
		cmocka_unit_test(a_flood_for_one_key_keeps_to_itself),
		cmocka_unit_test(names_without_memory_are_not_kept),
		cmocka_unit_test(workers_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
