/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>

#include "base/rand.h"
#include "meter/flow/fragments.h"
#include "meter/flow/pool.h"
#include "meter/flow/table.h"
#include "packets.h"

static struct sn_flow_key key_number(uint32_t number)
{
	struct sn_decoded packet = {
		.family = 4,
		.protocol = number % 2 == 0 ? SN_PROTO_TCP : SN_PROTO_UDP,
		.src = {number + 1},
		.dst = {0xffffffffU},
		.src_port = 1,
		.dst_port = 2,
	};
	struct sn_flow_key key;

	sn_flow_key_init(&key, &packet);
	return key;
}

static struct sn_flow *find_number(const struct sn_flow_table *table, uint32_t number)
{
	struct sn_flow_key key = key_number(number);

	return sn_flow_table_find(table, &key, sn_flow_table_hash(table, &key));
}

static void add_number(struct sn_flow_table *table, uint32_t number)
{
	struct sn_flow_key key = key_number(number);
	struct sn_flow *flow =
		sn_flow_table_add(table, &key, sn_flow_table_hash(table, &key), false);

	flow->last_ns = number;
}

/* Random adds and removes beside a plain array, over several growths from `size` slots. */
static void expect_agreement(size_t size, uint64_t seed)
{
	enum { NUMBERS = 6000, STEPS = 40000 };
	bool there[NUMBERS] = {false};
	struct sn_flow_table table;
	struct sn_prng prng;
	size_t count = 0;

	sn_prng_seed(&prng, seed);
	sn_flow_table_init(&table, 1000000, false);
	assert_true(size < table.size);
	table.size = size;
	for (int step = 0; step < STEPS; step++) {
		uint32_t number = (uint32_t)(sn_prng_u64(&prng) % NUMBERS);
		struct sn_flow *flow = find_number(&table, number);

		assert_int_equal(flow != NULL, there[number]);
		if (flow != NULL) {
			assert_int_equal(flow->last_ns, number);
			sn_flow_table_remove(&table, flow, sn_flow_table_hash(&table, &flow->key));
			count--;
		} else {
			add_number(&table, number);
			count++;
		}
		there[number] = !there[number];
		assert_int_equal(table.count, count);
	}
	for (uint32_t number = 0; number < NUMBERS; number++)
		assert_int_equal(find_number(&table, number) != NULL, there[number]);
	sn_flow_table_finish(&table);
}

static void the_table_agrees_with_a_plain_array(void **state SN_UNUSED)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		expect_agreement(8, seed);
		expect_agreement(1000, seed);
	}
}

static void both_directions_have_one_key(void **state SN_UNUSED)
{
	struct sn_decoded there = {.family = 6,
				   .protocol = SN_PROTO_TCP,
				   .src = {5, 6},
				   .dst = {5, 7},
				   .src_port = 99,
				   .dst_port = 11};
	struct sn_decoded back = {.family = 6,
				  .protocol = SN_PROTO_TCP,
				  .src = {5, 7},
				  .dst = {5, 6},
				  .src_port = 11,
				  .dst_port = 99};
	struct sn_flow_key a, b;
	bool from_high_there = sn_flow_key_init(&a, &there);
	bool from_high_back = sn_flow_key_init(&b, &back);

	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(from_high_there != from_high_back);
}

static void a_host_talking_to_itself_has_two_ends(void **state SN_UNUSED)
{
	struct sn_decoded there = {.family = 4,
				   .protocol = SN_PROTO_TCP,
				   .src = {9},
				   .dst = {9},
				   .src_port = 50000,
				   .dst_port = 80};
	struct sn_decoded back = {.family = 4,
				  .protocol = SN_PROTO_TCP,
				  .src = {9},
				  .dst = {9},
				  .src_port = 80,
				  .dst_port = 50000};
	struct sn_flow_key a, b;

	assert_true(sn_flow_key_init(&a, &there) != sn_flow_key_init(&b, &back));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void the_hash_depends_on_the_secret_and_every_field(void **state SN_UNUSED)
{
	struct sn_flow_secret secret, other;
	struct sn_flow_key key = key_number(7), changed;
	uint64_t hash;

	sn_flow_secret_init(&secret);
	sn_flow_secret_init(&other);
	hash = sn_flow_key_hash(&key, &secret);

	assert_int_equal(sn_flow_key_hash(&key, &secret), hash);
	assert_int_not_equal(sn_flow_key_hash(&key, &other), hash);
	changed = key;
	changed.low_port++;
	assert_int_not_equal(sn_flow_key_hash(&changed, &secret), hash);
	changed = key;
	changed.protocol++;
	assert_int_not_equal(sn_flow_key_hash(&changed, &secret), hash);
	changed = key;
	changed.high[0]++;
	assert_int_not_equal(sn_flow_key_hash(&changed, &secret), hash);
}

static void the_hash_of_words_depends_on_every_bit_of_them(void **state SN_UNUSED)
{
	uint64_t words[SN_FLOW_WORDS_MAX] = {1, 2, 3, 4, 5}, hash;
	struct sn_flow_secret secret, other;

	sn_flow_secret_init(&secret);
	sn_flow_secret_init(&other);
	hash = sn_flow_words_hash(words, SN_FLOW_WORDS_MAX, &secret);
	assert_int_equal(sn_flow_words_hash(words, SN_FLOW_WORDS_MAX, &secret), hash);
	assert_int_not_equal(sn_flow_words_hash(words, SN_FLOW_WORDS_MAX, &other), hash);
	for (unsigned bit = 0; bit < 64 * SN_FLOW_WORDS_MAX; bit++) {
		words[bit / 64] ^= UINT64_C(1) << bit % 64;
		assert_int_not_equal(sn_flow_words_hash(words, SN_FLOW_WORDS_MAX, &secret), hash);
		words[bit / 64] ^= UINT64_C(1) << bit % 64;
	}
}

static void a_pool_reuses_what_was_given_back_and_zeroes_it(void **state SN_UNUSED)
{
	struct sn_pool pool;
	uint64_t *first, *again;
	size_t memory;

	sn_pool_init(&pool, 64);
	first = sn_pool_take(&pool);
	memset(first, 0xff, 64);
	sn_pool_give(&pool, first);
	memory = sn_pool_memory(&pool);
	again = sn_pool_take(&pool);
	assert_ptr_equal(first, again);
	for (int i = 0; i < 8; i++)
		assert_int_equal(again[i], 0);
	assert_int_equal(sn_pool_memory(&pool), memory);
	for (int i = 0; i < 5000; i++)
		memset(sn_pool_take(&pool), 1, 64);
	assert_in_range(sn_pool_memory(&pool), 5000 * 64, 2 * 5000 * 64);
	sn_pool_finish(&pool);
}

static struct sn_decoded fragment(uint32_t id, uint16_t sport)
{
	return (struct sn_decoded){
		.family = 4,
		.protocol = SN_PROTO_UDP,
		.src = {1},
		.dst = {2},
		.fragment_id = id,
		.src_port = sport,
		.dst_port = 53,
	};
}

static void later_fragments_find_the_ports_of_the_first(void **state SN_UNUSED)
{
	struct sn_fragments *fragments = sn_fragments_create();
	struct sn_decoded first = fragment(10, 4000), later = fragment(10, 0);
	struct sn_decoded stranger = fragment(11, 0);

	sn_fragments_learn(fragments, &first, 1000);
	assert_true(sn_fragments_resolve(fragments, &later, 2000));
	assert_int_equal(later.src_port, 4000);
	assert_int_equal(later.dst_port, 53);
	assert_false(sn_fragments_resolve(fragments, &stranger, 2000));
	sn_fragments_destroy(fragments);
}

static void fragments_are_forgotten_after_their_time(void **state SN_UNUSED)
{
	struct sn_fragments *fragments = sn_fragments_create();
	struct sn_decoded first = fragment(10, 4000), later = fragment(10, 0);

	sn_fragments_learn(fragments, &first, 1000);
	assert_true(sn_fragments_resolve(fragments, &later, 1000 + SN_FRAGMENTS_TIMEOUT_NS));
	assert_false(sn_fragments_resolve(fragments, &later, 1001 + SN_FRAGMENTS_TIMEOUT_NS));
	sn_fragments_destroy(fragments);
}

static void a_flood_of_fragments_pushes_old_ones_out_only(void **state SN_UNUSED)
{
	struct sn_fragments *fragments = sn_fragments_create();
	uint32_t found = 0;

	for (uint32_t id = 0; id < 10 * SN_FRAGMENTS_MAX; id++) {
		struct sn_decoded first = fragment(id, (uint16_t)id), later = fragment(id, 0);

		sn_fragments_learn(fragments, &first, 1000 + id);
		assert_true(sn_fragments_resolve(fragments, &later, 1000 + id));
		assert_int_equal(later.src_port, (uint16_t)id);
	}
	for (uint32_t id = 0; id < 10 * SN_FRAGMENTS_MAX; id++) {
		struct sn_decoded later = fragment(id, 0);

		found += sn_fragments_resolve(fragments, &later, 1000 + 10 * SN_FRAGMENTS_MAX);
	}
	assert_in_range(found, SN_FRAGMENTS_MAX / 2, SN_FRAGMENTS_MAX);
	sn_fragments_destroy(fragments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_agrees_with_a_plain_array),
		cmocka_unit_test(both_directions_have_one_key),
		cmocka_unit_test(a_host_talking_to_itself_has_two_ends),
		cmocka_unit_test(the_hash_depends_on_the_secret_and_every_field),
		cmocka_unit_test(the_hash_of_words_depends_on_every_bit_of_them),
		cmocka_unit_test(a_pool_reuses_what_was_given_back_and_zeroes_it),
		cmocka_unit_test(later_fragments_find_the_ports_of_the_first),
		cmocka_unit_test(fragments_are_forgotten_after_their_time),
		cmocka_unit_test(a_flood_of_fragments_pushes_old_ones_out_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
