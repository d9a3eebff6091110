/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdio.h>

#include "hub/room.h"

#define ALL ((uint64_t)64 * 1024 * 1024)

static void nobody_gets_more_than_a_share_of_their_own(void **state)
{
	struct sn_room *room = sn_room_create(ALL);

	(void)state;
	assert_true(sn_room_take(room, "a", SN_ROOM_EACH - 1));
	assert_false(sn_room_take(room, "a", 2));
	assert_true(sn_room_take(room, "a", 1));
	assert_int_equal(sn_room_taken(room, "a"), SN_ROOM_EACH);
	assert_int_equal(sn_room_taken(room, "b"), 0);
	sn_room_give(room, "a", SN_ROOM_EACH);
	assert_int_equal(sn_room_taken(room, "a"), 0);
	assert_true(sn_room_take(room, "a", SN_ROOM_EACH));
	sn_room_destroy(room);
}

static void a_few_that_want_all_leave_something_for_the_next(void **state)
{
	struct sn_room *room = sn_room_create(ALL);
	char name[16];

	(void)state;
	/* Bodies that are announced as large as can be, and never end. */
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		(void)sn_room_take(room, name, SN_ROOM_EACH);
	}
	assert_true(sn_room_taken(room, NULL) <= ALL - SN_ROOM_EACH);
	assert_true(sn_room_take(room, "late", SN_ROOM_EACH / 4));
	assert_true(sn_room_take(room, "later", SN_ROOM_EACH / 4));
	sn_room_destroy(room);
}

static void giving_back_what_was_not_taken_changes_nothing(void **state)
{
	struct sn_room *room = sn_room_create(ALL);

	(void)state;
	sn_room_give(room, "nobody", 5);
	assert_true(sn_room_take(room, "a", 3));
	sn_room_give(room, "a", 5);
	assert_int_equal(sn_room_taken(room, NULL), 0);
	sn_room_destroy(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_more_than_a_share_of_their_own),
		cmocka_unit_test(a_few_that_want_all_leave_something_for_the_next),
		cmocka_unit_test(giving_back_what_was_not_taken_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
