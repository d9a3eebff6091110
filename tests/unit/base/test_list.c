/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

struct item {
	int number;
	struct sn_list link;
};

static void append_keeps_the_order(void **state)
{
	struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
	struct sn_list head;
	int expected = 0;

	(void)state;
	sn_list_init(&head);
	assert_true(sn_list_empty(&head));
	for (int i = 0; i < 3; i++)
		sn_list_append(&head, &items[i].link);
	sn_list_for_each (node, &head)
		assert_int_equal(sn_list_entry(node, struct item, link)->number, expected++);
	assert_int_equal(expected, 3);
}

static void removing_twice_is_harmless(void **state)
{
	struct item a = {0}, b = {0};
	struct sn_list head;

	(void)state;
	sn_list_init(&head);
	sn_list_append(&head, &a.link);
	sn_list_append(&head, &b.link);
	sn_list_remove(&a.link);
	sn_list_remove(&a.link);
	assert_ptr_equal(head.next, &b.link);
	assert_ptr_equal(head.prev, &b.link);
}

static void a_walk_may_free_the_current_element(void **state)
{
	struct sn_list head;

	(void)state;
	sn_list_init(&head);
	for (int i = 0; i < 3; i++)
		sn_list_append(&head, &sn_new(struct item)->link);
	sn_list_for_each (node, &head) {
		sn_list_remove(node);
		free(sn_list_entry(node, struct item, link));
	}
	assert_true(sn_list_empty(&head));
}

static void walks_may_be_nested(void **state)
{
	struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
	struct sn_list head;
	int sum = 0;

	(void)state;
	sn_list_init(&head);
	for (int i = 0; i < 3; i++)
		sn_list_append(&head, &items[i].link);
	sn_list_for_each (outer, &head)
		sn_list_for_each (inner, &head)
			sum += sn_list_entry(outer, struct item, link)->number *
			       sn_list_entry(inner, struct item, link)->number;
	assert_int_equal(sum, 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_keeps_the_order),
		cmocka_unit_test(removing_twice_is_harmless),
		cmocka_unit_test(a_walk_may_free_the_current_element),
		cmocka_unit_test(walks_may_be_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
