/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/util.h"
#include "image.h"
#include "lib/squeeze.h"

#define PACKETS 3000

static struct image image;
static struct sn_buf squeezed;
static struct sn_err err;
static bool expect_damage; /* a check sum comes after the bytes that it is for */

static void squeeze_packets(squeeze_fn *squeeze, size_t from, size_t size)
{
	squeeze((struct sn_str){(const char *)image.bytes.p + from, size}, &squeezed);
}

static int start(void **state SN_UNUSED)
{
	sn_buf_clear(&image.bytes);
	sn_buf_clear(&squeezed);
	expect_damage = false;
	add_classic_header(&image, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < PACKETS; i++)
		add_record(&image, i, 0, 200 + i % 1000, 200 + i % 1000, 200 + i % 1000);
	return 0;
}

/* All packets until the end or an error; what that was. */
static int read_all(int fd, uint32_t *seen, uint64_t *offset)
{
	struct sn_capture_file *file = NULL;
	struct sn_packet packets[64];
	int count = sn_capture_file_open_fd(fd, "test.pcap", &file, &err);

	*seen = 0;
	if (count < 0)
		return count;
	while ((count = sn_capture_file_read(file, packets, 64, &err)) > 0)
		for (int i = 0; i < count; i++, ++*seen) {
			if (expect_damage)
				continue;
			assert_true(packets[i].time_ns == *seen * SN_NS_PER_S);
			assert_int_equal(packets[i].captured, 200 + *seen % 1000);
			for (uint32_t k = 0; k < packets[i].captured; k++)
				if (packets[i].data[k] != (uint8_t)k)
					fail();
		}
	*offset = sn_capture_file_offset(file);
	sn_capture_file_close(file);
	return count;
}

static int squeezed_to_file(void)
{
	return bytes_to_file(squeezed.p, squeezed.n);
}

static void every_method_gives_the_packets_back(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		squeeze_packets(squeeze_methods[i].squeeze, 0, image.bytes.n);
		assert_true(squeezed.n < image.bytes.n / 2);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), 0);
		assert_int_equal(seen, PACKETS);
		assert_int_equal(offset, squeezed.n);
	}
}

static void a_pipe_is_as_good_as_a_file(void **state SN_UNUSED)
{
	image.bytes.n = 24 + 16 + 200;
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		squeeze_packets(squeeze_methods[i].squeeze, 0, image.bytes.n);
		assert_int_equal(read_all(bytes_to_pipe(squeezed.p, squeezed.n), &seen, &offset),
				 0);
		assert_int_equal(seen, 1);
	}
}

/* gzip -c a >> c; gzip -c b >> c: members of any size, split anywhere. */
static void members_that_follow_each_other_are_one_stream(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		for (size_t at = 0, size; at < image.bytes.n; at += size) {
			size = SN_MIN(image.bytes.n - at, (size_t)123457);
			squeeze_packets(squeeze_methods[i].squeeze, at, size);
		}
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), 0);
		assert_int_equal(seen, PACKETS);
	}
}

static void zeros_behind_gzip_are_padding(void **state SN_UNUSED)
{
	uint64_t offset;
	uint32_t seen;

	squeeze_packets(squeeze_gzip, 0, image.bytes.n);
	for (int i = 0; i < 100000; i++)
		sn_buf_addc(&squeezed, 0);
	assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), 0);
	assert_int_equal(seen, PACKETS);
	sn_buf_adds(&squeezed, "something else");
	assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -EBADMSG);
	assert_int_equal(seen, PACKETS);
}

static void a_file_cut_short_gives_what_is_there_then_an_error(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		squeeze_packets(squeeze_methods[i].squeeze, 0, image.bytes.n);
		squeezed.n = squeezed.n * 9 / 10;
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -ENODATA);
		assert_true(seen > 0 && seen < PACKETS);
		assert_non_null(strstr(err.text, "'test.pcap'"));
		assert_non_null(strstr(err.text, squeeze_methods[i].name));
		assert_non_null(strstr(err.text, "end too early"));
	}
}

static void a_wrong_check_sum_is_named_with_its_place(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		squeeze_packets(squeeze_methods[i].squeeze, 0, image.bytes.n);
		squeezed.p[squeezed.n - 3] ^= 1;
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -EBADMSG);
		assert_true(seen >
			    PACKETS * 9 / 10); /* zstd checks before the last block is given */
		assert_non_null(strstr(err.text, "of 'test.pcap' at offset"));
		assert_non_null(strstr(err.text, "data are damaged near byte"));
		assert_non_null(strstr(err.text, squeeze_methods[i].name));
	}
}

static void damage_in_the_middle_ends_the_packets(void **state SN_UNUSED)
{
	expect_damage = true;
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		squeeze_packets(squeeze_methods[i].squeeze, 0, image.bytes.n);
		memset(squeezed.p + squeezed.n / 2, 0xa5, 64);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -EBADMSG);
		assert_true(seen < PACKETS);
		assert_non_null(strstr(err.text, "'test.pcap'"));
	}
}

/* A frame whose header asks for a window of 1 GiB. */
static void too_large_a_window_is_refused(void **state SN_UNUSED)
{
	static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00};
	uint64_t offset;
	uint32_t seen;

	assert_int_equal(read_all(bytes_to_file(frame, sizeof(frame)), &seen, &offset), -EFBIG);
	assert_non_null(strstr(err.text, "128 MiB"));
}

static void what_is_no_capture_inside_is_refused(void **state SN_UNUSED)
{
	uint64_t offset;
	uint32_t seen;

	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		sn_buf_clear(&squeezed);
		squeeze_methods[i].squeeze(SN_STR("time,node,task\n"), &squeezed);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -EBADMSG);
		assert_non_null(strstr(err.text, "not a capture file"));
		sn_buf_clear(&squeezed);
		squeeze_methods[i].squeeze((struct sn_str){"", 0}, &squeezed);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -ENODATA);
		assert_non_null(strstr(err.text, "empty"));
	}
}

static void a_compressed_pcapng_is_read(void **state SN_UNUSED)
{
	sn_buf_clear(&image.bytes);
	add_section(&image);
	add_interface(&image, 1, 0, 9);
	for (uint32_t i = 0; i < 100; i++)
		add_enhanced(&image, 0, i * (uint64_t)SN_NS_PER_S, 200 + i);
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		squeeze_packets(squeeze_methods[i].squeeze, 0, image.bytes.n);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), 0);
		assert_int_equal(seen, 100);
	}
}

static int finish(void **state SN_UNUSED)
{
	sn_buf_finish(&image.bytes);
	sn_buf_finish(&squeezed);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_method_gives_the_packets_back),
		TEST(a_pipe_is_as_good_as_a_file),
		TEST(members_that_follow_each_other_are_one_stream),
		TEST(zeros_behind_gzip_are_padding),
		TEST(a_file_cut_short_gives_what_is_there_then_an_error),
		TEST(a_wrong_check_sum_is_named_with_its_place),
		TEST(damage_in_the_middle_ends_the_packets),
		TEST(too_large_a_window_is_refused),
		TEST(what_is_no_capture_inside_is_refused),
		TEST(a_compressed_pcapng_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
