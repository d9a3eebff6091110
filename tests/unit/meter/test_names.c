/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "meter/app/names.h"

static void the_same_text_is_one_name(void **state SN_UNUSED)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_name *a = sn_name_take(names, SN_STR("www.example.org"));
	struct sn_name *b = sn_name_take(names, SN_STR("www.example.org"));
	struct sn_name *c = sn_name_take(names, SN_STR("www.example.net"));

	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_string_equal(a->text, "www.example.org");
	assert_true(sn_str_eqc(sn_name_text(c), "www.example.net"));
	sn_name_give(names, a);
	assert_string_equal(b->text, "www.example.org");
	sn_name_give(names, b);
	sn_name_give(names, c);
	sn_name_pool_destroy(names);
}

static void no_text_is_no_name(void **state SN_UNUSED)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);

	assert_null(sn_name_take(names, SN_STR("")));
	assert_int_equal(sn_name_text(NULL).n, 0);
	sn_name_give(names, NULL);
	assert_int_equal(sn_name_pool_refused(names), 0);
	sn_name_pool_destroy(names);
}

static void what_nobody_holds_takes_no_memory(void **state SN_UNUSED)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	size_t empty = sn_name_pool_memory(names);
	struct sn_name *name = sn_name_take(names, SN_STR("abc"));

	assert_true(sn_name_pool_memory(names) > empty);
	sn_name_give(names, name);
	assert_int_equal(sn_name_pool_memory(names), empty);
	sn_name_pool_destroy(names);
}

static void long_texts_are_cut(void **state SN_UNUSED)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	char text[SN_NAME_MAX + 1];
	struct sn_name *whole, *cut;

	memset(text, 'a', sizeof(text));
	whole = sn_name_take(names, (struct sn_str){text, SN_NAME_MAX});
	cut = sn_name_take(names, (struct sn_str){text, SN_NAME_MAX + 1});
	assert_int_equal(whole->length, SN_NAME_MAX);
	assert_ptr_equal(whole, cut);
	sn_name_give(names, whole);
	sn_name_give(names, cut);
	sn_name_pool_destroy(names);
}

static void a_full_pool_refuses_and_counts(void **state SN_UNUSED)
{
	struct sn_name_pool *names = sn_name_pool_create(20000);
	struct sn_name *first = sn_name_take(names, SN_STR("first"));
	struct sn_name *more[1000];
	size_t count = 0;

	for (; count < SN_COUNT(more); count++) {
		char text[32];

		snprintf(text, sizeof(text), "name-%zu", count);
		more[count] = sn_name_take(names, sn_str(text));
		if (more[count] == NULL)
			break;
	}
	assert_in_range(count, 10, SN_COUNT(more) - 1);
	assert_int_equal(sn_name_pool_refused(names), 1);
	assert_true(sn_name_pool_memory(names) <= 20000);
	/* What is there already is still found. */
	assert_ptr_equal(sn_name_take(names, SN_STR("first")), first);
	sn_name_give(names, more[0]);
	assert_non_null(sn_name_take(names, SN_STR("name-x")));
	sn_name_pool_destroy(names); /* with all that are left */
}

static void many_names_are_all_found(void **state SN_UNUSED)
{
	enum { MANY = 20000 };
	static struct sn_name *all[MANY];
	struct sn_name_pool *names = sn_name_pool_create(1 << 24);
	char text[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "host-%d.example", i);
		all[i] = sn_name_take(names, sn_str(text));
		assert_non_null(all[i]);
	}
	for (int i = 0; i < MANY; i++) {
		struct sn_name *again;

		snprintf(text, sizeof(text), "host-%d.example", i);
		again = sn_name_take(names, sn_str(text));
		assert_ptr_equal(again, all[i]);
		assert_int_equal(again->references, 2);
		sn_name_give(names, again);
		sn_name_give(names, again);
	}
	sn_name_pool_destroy(names);
}

static void *take_and_give(void *ctx)
{
	struct sn_name_pool *names = ctx;
	char text[16];

	for (int i = 0; i < 20000; i++) {
		struct sn_name *name;

		snprintf(text, sizeof(text), "n%d", i % 40);
		name = sn_name_take(names, sn_str(text));
		if (name == NULL || strcmp(name->text, text) != 0)
			return names;
		sn_name_give(names, name);
	}
	return NULL;
}

static void workers_share_names(void **state SN_UNUSED)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	size_t empty = sn_name_pool_memory(names);
	pthread_t threads[4];

	for (size_t i = 0; i < SN_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, names), 0);
	for (size_t i = 0; i < SN_COUNT(threads); i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(sn_name_pool_memory(names), empty);
	sn_name_pool_destroy(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_text_is_one_name),
		cmocka_unit_test(no_text_is_no_name),
		cmocka_unit_test(what_nobody_holds_takes_no_memory),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(a_full_pool_refuses_and_counts),
		cmocka_unit_test(many_names_are_all_found),
		cmocka_unit_test(workers_share_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
