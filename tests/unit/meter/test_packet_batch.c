/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <string.h>

#include "meter/capture/file.h"
#include "meter/packet_batch.h"

static struct sn_packet_batch *batch;
static struct sn_windows *pool;

static void nobody_waits(void *ctx SN_UNUSED)
{
	fail_msg("no window is free");
}

static int setup(void **state SN_UNUSED)
{
	batch = sn_packet_batch_create();
	pool = sn_windows_create(SN_PACKET_BATCH_WINDOWS + 1, nobody_waits, NULL);
	sn_packet_batch_begin(batch);
	return 0;
}

static int teardown(void **state SN_UNUSED)
{
	sn_packet_batch_release(batch);
	sn_packet_batch_destroy(batch);
	sn_windows_destroy(pool);
	return 0;
}

static unsigned held(const struct sn_window *window)
{
	return atomic_load(&window->references);
}

static struct sn_packet packet_in(const struct sn_window *window)
{
	return (struct sn_packet){
		.data = window->bytes, .captured = 10, .length = 10, .window = window->slot};
}

static void bytes_in_no_window_are_copied(void **state SN_UNUSED)
{
	uint8_t bytes[] = "first";
	struct sn_packet packet = {.data = bytes, .captured = 5, .length = 1500};

	assert_true(sn_packet_batch_put(batch, pool, &packet));
	memcpy(bytes, "later", 5);
	assert_true(sn_packet_batch_put(batch, pool, &packet));
	assert_int_equal(batch->count, 2);
	assert_memory_equal(batch->packets[0].data, "first", 5);
	assert_memory_equal(batch->packets[1].data, "later", 5);
	assert_int_equal(batch->packets[0].length, 1500);
}

static void copies_that_do_not_fit_have_to_wait_for_the_next_batch(void **state SN_UNUSED)
{
	static uint8_t bytes[SN_CAPTURE_PACKET_MAX + 1];
	struct sn_packet packet = {.data = bytes, .captured = sizeof(bytes)};

	/* What is longer than any packet is cut. */
	assert_true(sn_packet_batch_put(batch, pool, &packet));
	assert_int_equal(batch->packets[0].captured, SN_CAPTURE_PACKET_MAX);
	assert_true(sn_packet_batch_put(batch, pool, &packet));
	packet.captured = 1;
	assert_false(sn_packet_batch_put(batch, pool, &packet));
	assert_int_equal(batch->count, 2);
	sn_packet_batch_begin(batch);
	assert_int_equal(batch->count, 0);
	assert_true(sn_packet_batch_put(batch, pool, &packet));
}

static void a_window_is_held_once_until_its_packets_are_done(void **state SN_UNUSED)
{
	struct sn_window *window = sn_windows_take(pool);
	struct sn_packet packet = packet_in(window);

	for (unsigned i = 0; i < 3; i++)
		assert_true(sn_packet_batch_put(batch, pool, &packet));
	assert_int_equal(held(window), 2);
	assert_ptr_equal(batch->packets[2].data, window->bytes);
	sn_packet_batch_release(batch);
	assert_int_equal(held(window), 1);
	sn_packet_batch_release(batch);
	assert_int_equal(held(window), 1);
	sn_window_release(window);
}

static void only_packets_in_the_last_window_are_near(void **state SN_UNUSED)
{
	struct sn_window *first = sn_windows_take(pool), *second = sn_windows_take(pool);
	struct sn_packet packets[] = {packet_in(first), packet_in(second), {.captured = 0}};

	assert_false(sn_packet_batch_put_near(batch, &packets[0]));
	assert_true(sn_packet_batch_put(batch, pool, &packets[0]));
	assert_true(sn_packet_batch_put_near(batch, &packets[0]));
	assert_false(sn_packet_batch_put_near(batch, &packets[1]));
	assert_false(sn_packet_batch_put_near(batch, &packets[2]));
	assert_true(sn_packet_batch_put(batch, pool, &packets[1]));
	assert_false(sn_packet_batch_put_near(batch, &packets[0]));
	assert_int_equal(batch->count, 3);
	sn_packet_batch_release(batch);
	sn_packet_batch_begin(batch);
	assert_false(sn_packet_batch_put_near(batch, &packets[1]));
	sn_window_release(first);
	sn_window_release(second);
}

static void more_windows_than_a_batch_holds_are_refused(void **state SN_UNUSED)
{
	struct sn_window *windows[SN_PACKET_BATCH_WINDOWS + 1];
	struct sn_packet packet;

	for (unsigned i = 0; i <= SN_PACKET_BATCH_WINDOWS; i++) {
		windows[i] = sn_windows_take(pool);
		packet = packet_in(windows[i]);
		assert_int_equal(sn_packet_batch_put(batch, pool, &packet),
				 i < SN_PACKET_BATCH_WINDOWS);
	}
	packet = packet_in(windows[0]);
	assert_true(sn_packet_batch_put(batch, pool, &packet));
	assert_int_equal(batch->count, SN_PACKET_BATCH_WINDOWS + 1);
	sn_packet_batch_release(batch);
	for (unsigned i = 0; i <= SN_PACKET_BATCH_WINDOWS; i++) {
		assert_int_equal(held(windows[i]), 1);
		sn_window_release(windows[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_in_no_window_are_copied),
		TEST(copies_that_do_not_fit_have_to_wait_for_the_next_batch),
		TEST(a_window_is_held_once_until_its_packets_are_done),
		TEST(only_packets_in_the_last_window_are_near),
		TEST(more_windows_than_a_batch_holds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
