/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>

#include "base/util.h"
#include "image.h"
#include "meter/capture/merge.h"

#define FILES 5

static struct image image;
static struct sn_err err;
static struct sn_capture_merge *merge;

/* A file of records at first, first + step, ... seconds; the packet's first byte is its number. */
static struct sn_capture_file *make_file(uint32_t first, uint32_t step, uint32_t count, size_t cut)
{
	struct sn_capture_file *file = NULL;

	sn_buf_clear(&image.bytes);
	add_classic_header(&image, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < count; i++)
		add_record(&image, first + i * step, 0, 900, 900, 900);
	if (sn_capture_file_open_fd(bytes_to_file(image.bytes.p, image.bytes.n - cut), "x.pcap",
				    &file, &err) != 0)
		fail_msg("%s", err.text);
	return file;
}

static int stop(void **state SN_UNUSED)
{
	sn_capture_merge_destroy(merge);
	merge = NULL;
	return 0;
}

static void create(struct sn_capture_file *const *files, size_t count)
{
	assert_int_equal(sn_capture_merge_create(files, count, 10, &merge, &err), 0);
}

static void expect_pattern(const struct sn_packet *packet)
{
	for (uint32_t i = 0; i < packet->captured; i++)
		if (packet->data[i] != (uint8_t)i)
			fail();
}

static void packets_of_all_files_come_in_order_of_time(void **state SN_UNUSED)
{
	struct sn_capture_file *files[FILES];
	struct sn_packet packets[100];
	uint32_t seen[FILES] = {0}, total = 0;
	int64_t before_ns = 0;
	int count;

	/* 5 * 2000 * 900 bytes: windows and batches are refilled many times. */
	for (uint32_t i = 0; i < FILES; i++)
		files[i] = make_file(1000 + i, FILES, 2000, 0);
	create(files, FILES);
	assert_int_equal(sn_capture_merge_size(merge), FILES * image.bytes.n);
	while ((count = sn_capture_merge_read(merge, packets, 100, &err)) > 0)
		for (int i = 0; i < count; i++, total++) {
			assert_true(packets[i].time_ns == (1000 + total) * SN_NS_PER_S);
			assert_true(packets[i].time_ns > before_ns);
			assert_int_equal(packets[i].source, 10 + total % FILES);
			expect_pattern(&packets[i]);
			before_ns = packets[i].time_ns;
			seen[total % FILES]++;
		}
	assert_int_equal(count, 0);
	assert_int_equal(total, FILES * 2000);
	for (size_t i = 0; i < FILES; i++)
		assert_int_equal(seen[i], 2000);
	assert_int_equal(sn_capture_merge_offset(merge), FILES * image.bytes.n);
}

static void at_the_same_time_the_first_file_comes_first(void **state SN_UNUSED)
{
	struct sn_capture_file *files[3] = {make_file(7, 0, 70, 0), make_file(7, 0, 70, 0),
					    make_file(7, 0, 70, 0)};
	struct sn_packet packets[10];
	uint32_t total = 0;
	int count;

	create(files, 3);
	while ((count = sn_capture_merge_read(merge, packets, 10, &err)) > 0)
		for (int i = 0; i < count; i++, total++)
			assert_int_equal(packets[i].source, 10 + total / 70);
	assert_int_equal(total, 210);
}

static void a_file_that_goes_back_keeps_its_order(void **state SN_UNUSED)
{
	struct sn_capture_file *files[2] = {make_file(100, UINT32_MAX, 50, 0),
					    make_file(75, 1, 10, 0)};
	struct sn_packet packets[100];
	int64_t expected = 100;
	int count;

	create(files, 2);
	while ((count = sn_capture_merge_read(merge, packets, 100, &err)) > 0)
		for (int i = 0; i < count; i++)
			if (packets[i].source == 10)
				assert_true(packets[i].time_ns == expected-- * SN_NS_PER_S);
	assert_int_equal(expected, 50);
}

static void a_damaged_file_is_left_out_from_there(void **state SN_UNUSED)
{
	struct sn_capture_file *files[3] = {make_file(1, 1, 200, 0), make_file(1, 1, 100, 1),
					    make_file(1, 1, 200, 0)};
	struct sn_packet packets[64];
	int count, errors = 0;
	uint32_t total = 0;

	create(files, 3);
	while ((count = sn_capture_merge_read(merge, packets, 64, &err)) != 0) {
		if (count < 0) {
			errors++;
			assert_int_equal(count, -ENODATA);
			assert_non_null(strstr(err.text, "packet 100 of 'x.pcap'"));
		} else {
			total += (uint32_t)count;
		}
	}
	assert_int_equal(errors, 1);
	assert_int_equal(total, 200 + 99 + 200);
}

static void nothing_at_all_ends_at_once(void **state SN_UNUSED)
{
	struct sn_capture_file *files[1] = {make_file(1, 1, 0, 0)};
	struct sn_packet packet;

	create(files, 1);
	assert_int_equal(sn_capture_merge_read(merge, &packet, 1, &err), 0);
	assert_int_equal(sn_capture_merge_read(merge, &packet, 1, &err), 0);
	stop(NULL);
	create(NULL, 0);
	assert_int_equal(sn_capture_merge_read(merge, &packet, 1, &err), 0);
}

static void the_limit_of_files_holds(void **state SN_UNUSED)
{
	static struct sn_capture_file *files[SN_CAPTURE_MERGE_MAX + 1]; /* closing NULL is fine */

	create(files, SN_CAPTURE_MERGE_MAX);
	stop(NULL);
	assert_int_equal(sn_capture_merge_create(files, SN_CAPTURE_MERGE_MAX + 1, 0, &merge, &err),
			 -E2BIG);
	assert_non_null(strstr(err.text, "1024"));
}

static int finish(void **state SN_UNUSED)
{
	sn_buf_finish(&image.bytes);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_of_all_files_come_in_order_of_time),
		TEST(at_the_same_time_the_first_file_comes_first),
		TEST(a_file_that_goes_back_keeps_its_order),
		TEST(a_damaged_file_is_left_out_from_there),
		TEST(nothing_at_all_ends_at_once),
		TEST(the_limit_of_files_holds),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
