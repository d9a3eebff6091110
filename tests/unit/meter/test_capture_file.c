/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"

static struct image image;
static struct sn_err err;

static int start(void **state SN_UNUSED)
{
	sn_buf_clear(&image.bytes);
	image.big_endian = false;
	err.code = 0;
	err.text[0] = '\0';
	return 0;
}

static int image_to_file(void)
{
	return bytes_to_file(image.bytes.p, image.bytes.n);
}

static int image_to_pipe(void)
{
	return bytes_to_pipe(image.bytes.p, image.bytes.n);
}

static struct sn_capture_file *open_image(void)
{
	struct sn_capture_file *file = NULL;

	assert_int_equal(sn_capture_file_open_fd(image_to_file(), "test.pcap", &file, &err), 0);
	return file;
}

static int read_one(struct sn_capture_file *file, struct sn_packet *packet)
{
	return sn_capture_file_read(file, packet, 1, &err);
}

static void expect_bytes(const struct sn_packet *packet, uint32_t count)
{
	assert_int_equal(packet->captured, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(packet->data[i], (uint8_t)i);
}

static void all_variants_of_the_classic_format_are_read(void **state SN_UNUSED)
{
	for (int variant = 0; variant < 4; variant++) {
		bool nanoseconds = (variant & 1) != 0;
		struct sn_packet packet;

		sn_buf_clear(&image.bytes);
		image.big_endian = (variant & 2) != 0;
		add_classic_header(&image, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 1);
		add_record(&image, 1700000000, 999999, 60, 1500, 60);
		add_record(&image, 1700000001, 0, 0, 0, 0);

		struct sn_capture_file *file = open_image();

		assert_int_equal(sn_capture_file_link(file), DLT_EN10MB);
		assert_int_equal(sn_capture_file_snaplen(file), 65535);
		assert_int_equal(read_one(file, &packet), 1);
		assert_true(packet.time_ns ==
			    1700000000 * SN_NS_PER_S + 999999 * (nanoseconds ? 1 : 1000));
		assert_int_equal(packet.length, 1500);
		expect_bytes(&packet, 60);
		assert_int_equal(read_one(file, &packet), 1);
		assert_int_equal(packet.captured, 0);
		assert_int_equal(read_one(file, &packet), 0);
		assert_int_equal(read_one(file, &packet), 0);
		assert_int_equal(sn_capture_file_packets(file), 2);
		assert_int_equal(sn_capture_file_offset(file), image.bytes.n);
		assert_int_equal(sn_capture_file_size(file), image.bytes.n);
		sn_capture_file_close(file);
	}
}

static void many_packets_come_in_order_across_windows(void **state SN_UNUSED)
{
	enum { COUNT = 1000 };
	struct sn_packet packets[7];
	uint32_t seen = 0;
	int count;

	add_classic_header(&image, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < COUNT; i++)
		add_record(&image, i, 0, 1500 + i, 1500 + i, 1500 + i);

	struct sn_capture_file *file = open_image();

	while ((count = sn_capture_file_read(file, packets, 7, &err)) > 0)
		for (int i = 0; i < count; i++, seen++) {
			assert_true(packets[i].time_ns == seen * SN_NS_PER_S);
			expect_bytes(&packets[i], 1500 + seen);
		}
	assert_int_equal(count, 0);
	assert_int_equal(seen, COUNT);
	sn_capture_file_close(file);
}

static void raw_ip_of_files_is_raw_ip_of_this_system(void **state SN_UNUSED)
{
	add_classic_header(&image, 0xa1b2c3d4, 101);

	struct sn_capture_file *file = open_image();

	assert_int_equal(sn_capture_file_link(file), DLT_RAW);
	sn_capture_file_close(file);
}

static void length_below_the_captured_bytes_is_raised(void **state SN_UNUSED)
{
	struct sn_packet packet;

	add_classic_header(&image, 0xa1b2c3d4, 1);
	add_record(&image, 1, 0, 60, 20, 60);

	struct sn_capture_file *file = open_image();

	assert_int_equal(read_one(file, &packet), 1);
	assert_int_equal(packet.length, 60);
	sn_capture_file_close(file);
}

/* Wherever it is cut: whole packets first, then an error that names packet and offset. */
static void a_truncated_file_gives_what_is_whole_then_an_error(void **state SN_UNUSED)
{
	size_t whole;

	add_classic_header(&image, 0xa1b2c3d4, 1);
	add_record(&image, 1, 0, 40, 40, 40);
	whole = image.bytes.n;
	add_record(&image, 2, 0, 40, 40, 40);
	for (size_t end = image.bytes.n - 1; end > whole; end--) {
		struct sn_packet packets[4];

		image.bytes.n = end;

		struct sn_capture_file *file = open_image();

		assert_int_equal(sn_capture_file_read(file, packets, 4, &err), 1);
		assert_int_equal(sn_capture_file_read(file, packets, 4, &err), -ENODATA);
		assert_non_null(strstr(err.text, "packet 2 of 'test.pcap' at offset 80"));
		assert_non_null(strstr(err.text, "truncated"));
		sn_capture_file_close(file);
	}
}

static void an_impossible_length_is_damage(void **state SN_UNUSED)
{
	struct sn_packet packet;

	add_classic_header(&image, 0xa1b2c3d4, 1);
	add_record(&image, 1, 0, 40, 40, 40);
	add_record(&image, 2, 0, SN_CAPTURE_PACKET_MAX + 1, 40, 40);

	struct sn_capture_file *file = open_image();

	assert_int_equal(read_one(file, &packet), 1);
	assert_int_equal(read_one(file, &packet), -EBADMSG);
	assert_non_null(strstr(err.text, "packet 2 of 'test.pcap' at offset 80"));
	assert_non_null(strstr(err.text, "262145"));
	sn_capture_file_close(file);
}

static void the_largest_packet_is_read(void **state SN_UNUSED)
{
	struct sn_packet packet;

	add_classic_header(&image, 0xa1b2c3d4, 1);
	add_record(&image, 1, 0, SN_CAPTURE_PACKET_MAX, SN_CAPTURE_PACKET_MAX,
		   SN_CAPTURE_PACKET_MAX);

	struct sn_capture_file *file = open_image();

	assert_int_equal(read_one(file, &packet), 1);
	expect_bytes(&packet, SN_CAPTURE_PACKET_MAX);
	assert_int_equal(read_one(file, &packet), 0);
	sn_capture_file_close(file);
}

static void a_time_with_too_many_microseconds_is_damage(void **state SN_UNUSED)
{
	struct sn_packet packet;

	add_classic_header(&image, 0xa1b2c3d4, 1);
	add_record(&image, 1, 1000000, 40, 40, 40);

	struct sn_capture_file *file = open_image();

	assert_int_equal(read_one(file, &packet), -EBADMSG);
	sn_capture_file_close(file);
}

static int open_error(void)
{
	struct sn_capture_file *file;

	return sn_capture_file_open_fd(image_to_file(), "test.pcap", &file, &err);
}

static void what_is_no_capture_is_refused(void **state SN_UNUSED)
{
	assert_int_equal(open_error(), -ENODATA);
	assert_non_null(strstr(err.text, "'test.pcap': the file is empty"));
	sn_buf_adds(&image.bytes, "time,node,task\n1,2,3\n");
	assert_int_equal(open_error(), -EBADMSG);
	assert_non_null(strstr(err.text, "'test.pcap': not a capture file"));
	sn_buf_clear(&image.bytes);
	add32(&image, 0xa1b2c3d4);
	add16(&image, 2);
	assert_int_equal(open_error(), -EBADMSG);
	assert_non_null(strstr(err.text, "the file header is truncated"));
}

static void a_missing_file_is_named(void **state SN_UNUSED)
{
	struct sn_capture_file *file;

	assert_int_equal(sn_capture_file_open("/nonexistent/x.pcap", &file, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/nonexistent/x.pcap'"));
}

static void a_directory_is_an_error_and_no_crash(void **state SN_UNUSED)
{
	struct sn_capture_file *file;

	assert_int_equal(sn_capture_file_open("/tmp", &file, &err), -EISDIR);
}

static void a_pipe_is_as_good_as_a_file(void **state SN_UNUSED)
{
	struct sn_capture_file *file;
	struct sn_packet packets[8];

	add_classic_header(&image, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < 8; i++)
		add_record(&image, i, 0, 100, 100, 100);
	assert_int_equal(sn_capture_file_open_fd(image_to_pipe(), "pipe", &file, &err), 0);
	assert_int_equal(sn_capture_file_read(file, packets, 8, &err), 8);
	assert_int_equal(sn_capture_file_read(file, packets, 8, &err), 0);
	assert_int_equal(sn_capture_file_size(file), 0);
	sn_capture_file_close(file);
}

static int finish(void **state SN_UNUSED)
{
	sn_buf_finish(&image.bytes);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_variants_of_the_classic_format_are_read),
		TEST(many_packets_come_in_order_across_windows),
		TEST(raw_ip_of_files_is_raw_ip_of_this_system),
		TEST(length_below_the_captured_bytes_is_raised),
		TEST(a_truncated_file_gives_what_is_whole_then_an_error),
		TEST(an_impossible_length_is_damage),
		TEST(the_largest_packet_is_read),
		TEST(a_time_with_too_many_microseconds_is_damage),
		TEST(what_is_no_capture_is_refused),
		TEST(a_missing_file_is_named),
		TEST(a_directory_is_an_error_and_no_crash),
		TEST(a_pipe_is_as_good_as_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
