/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "meter/capture/file.h"

/* A file is written into memory first; it then goes through a temporary file or a pipe. */
static struct sn_buf image;
static bool big_endian;
static struct sn_err err;

static void add32(uint32_t value)
{
	for (int i = 0; i < 4; i++)
		sn_buf_addc(&image, (char)(value >> (big_endian ? 24 - 8 * i : 8 * i)));
}

static void add16(unsigned value)
{
	for (int i = 0; i < 2; i++)
		sn_buf_addc(&image, (char)(value >> (big_endian ? 8 - 8 * i : 8 * i)));
}

static void add_classic_header(uint32_t magic, uint32_t link)
{
	add32(magic);
	add16(2);
	add16(4);
	add32(0);
	add32(0);
	add32(65535);
	add32(link);
}

static void add_record(uint32_t seconds, uint32_t fraction, uint32_t captured, uint32_t length,
		       uint32_t written)
{
	add32(seconds);
	add32(fraction);
	add32(captured);
	add32(length);
	for (uint32_t i = 0; i < written; i++)
		sn_buf_addc(&image, (char)i);
}

static int start(void **state SN_UNUSED)
{
	sn_buf_clear(&image);
	big_endian = false;
	err.code = 0;
	err.text[0] = '\0';
	return 0;
}

static int image_to_file(void)
{
	char path[] = "/tmp/sonde-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, image.p, image.n), image.n);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* The writer closes at once, so the image must fit into the pipe. */
static int image_to_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], image.p, image.n), image.n);
	close(ends[1]);
	return ends[0];
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

		sn_buf_clear(&image);
		big_endian = (variant & 2) != 0;
		add_classic_header(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 1);
		add_record(1700000000, 999999, 60, 1500, 60);
		add_record(1700000001, 0, 0, 0, 0);

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
		assert_int_equal(sn_capture_file_offset(file), image.n);
		assert_int_equal(sn_capture_file_size(file), image.n);
		sn_capture_file_close(file);
	}
}

static void many_packets_come_in_order_across_windows(void **state SN_UNUSED)
{
	enum { COUNT = 1000 };
	struct sn_packet packets[7];
	uint32_t seen = 0;
	int count;

	add_classic_header(0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < COUNT; i++)
		add_record(i, 0, 1500 + i, 1500 + i, 1500 + i);

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
	add_classic_header(0xa1b2c3d4, 101);

	struct sn_capture_file *file = open_image();

	assert_int_equal(sn_capture_file_link(file), DLT_RAW);
	sn_capture_file_close(file);
}

static void length_below_the_captured_bytes_is_raised(void **state SN_UNUSED)
{
	struct sn_packet packet;

	add_classic_header(0xa1b2c3d4, 1);
	add_record(1, 0, 60, 20, 60);

	struct sn_capture_file *file = open_image();

	assert_int_equal(read_one(file, &packet), 1);
	assert_int_equal(packet.length, 60);
	sn_capture_file_close(file);
}

/* Wherever it is cut: whole packets first, then an error that names packet and offset. */
static void a_truncated_file_gives_what_is_whole_then_an_error(void **state SN_UNUSED)
{
	size_t whole;

	add_classic_header(0xa1b2c3d4, 1);
	add_record(1, 0, 40, 40, 40);
	whole = image.n;
	add_record(2, 0, 40, 40, 40);
	for (size_t end = image.n - 1; end > whole; end--) {
		struct sn_packet packets[4];

		image.n = end;

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

	add_classic_header(0xa1b2c3d4, 1);
	add_record(1, 0, 40, 40, 40);
	add_record(2, 0, SN_CAPTURE_PACKET_MAX + 1, 40, 40);

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

	add_classic_header(0xa1b2c3d4, 1);
	add_record(1, 0, SN_CAPTURE_PACKET_MAX, SN_CAPTURE_PACKET_MAX, SN_CAPTURE_PACKET_MAX);

	struct sn_capture_file *file = open_image();

	assert_int_equal(read_one(file, &packet), 1);
	expect_bytes(&packet, SN_CAPTURE_PACKET_MAX);
	assert_int_equal(read_one(file, &packet), 0);
	sn_capture_file_close(file);
}

static void a_time_with_too_many_microseconds_is_damage(void **state SN_UNUSED)
{
	struct sn_packet packet;

	add_classic_header(0xa1b2c3d4, 1);
	add_record(1, 1000000, 40, 40, 40);

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
	sn_buf_adds(&image, "time,node,task\n1,2,3\n");
	assert_int_equal(open_error(), -EBADMSG);
	assert_non_null(strstr(err.text, "'test.pcap': not a capture file"));
	sn_buf_clear(&image);
	add32(0xa1b2c3d4);
	add16(2);
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

/* Section, one interface with nanoseconds, one packet of `captured` bytes. */
static void add_pcapng(uint32_t captured)
{
	uint32_t padded = (captured + 3) / 4 * 4;

	add32(0x0a0d0d0a);
	add32(28);
	add32(0x1a2b3c4d);
	add16(1);
	add16(0);
	add32(0xffffffff);
	add32(0xffffffff);
	add32(28);

	add32(1);
	add32(32);
	add16(1);
	add16(0);
	add32(0);
	add16(9); /* if_tsresol */
	add16(1);
	add32(big_endian ? 0x09000000 : 9);
	add32(0);
	add32(32);

	uint64_t time_ns = 1700000000123456789;

	add32(6);
	add32(32 + padded);
	add32(0);
	add32((uint32_t)(time_ns >> 32));
	add32((uint32_t)time_ns);
	add32(captured);
	add32(captured);
	for (uint32_t i = 0; i < padded; i++)
		sn_buf_addc(&image, (char)i);
	add32(32 + padded);
}

static void pcapng_is_read_in_both_byte_orders(void **state SN_UNUSED)
{
	for (int variant = 0; variant < 2; variant++) {
		struct sn_packet packet;

		sn_buf_clear(&image);
		big_endian = variant == 1;
		add_pcapng(61);

		struct sn_capture_file *file = open_image();

		assert_int_equal(sn_capture_file_link(file), DLT_EN10MB);
		assert_int_equal(read_one(file, &packet), 1);
		assert_true(packet.time_ns == 1700000000123456789);
		expect_bytes(&packet, 61);
		assert_int_equal(read_one(file, &packet), 0);
		sn_capture_file_close(file);
	}
}

static void a_truncated_pcapng_names_packet_and_offset(void **state SN_UNUSED)
{
	struct sn_packet packet;
	struct sn_capture_file *file;
	char place[64];
	size_t second;

	add_pcapng(60);
	second = image.n;
	sn_buf_add(&image, image.p + 60, 50); /* beginning of another packet block */
	snprintf(place, sizeof(place), "packet 2 of 'pipe' at offset %zu", second);
	assert_int_equal(sn_capture_file_open_fd(image_to_pipe(), "pipe", &file, &err), 0);
	assert_int_equal(read_one(file, &packet), 1);
	assert_int_equal(read_one(file, &packet), -EBADMSG);
	assert_non_null(strstr(err.text, place));
	sn_capture_file_close(file);
}

static void a_pipe_is_as_good_as_a_file(void **state SN_UNUSED)
{
	struct sn_capture_file *file;
	struct sn_packet packets[8];

	add_classic_header(0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < 8; i++)
		add_record(i, 0, 100, 100, 100);
	assert_int_equal(sn_capture_file_open_fd(image_to_pipe(), "pipe", &file, &err), 0);
	assert_int_equal(sn_capture_file_read(file, packets, 8, &err), 8);
	assert_int_equal(sn_capture_file_read(file, packets, 8, &err), 0);
	assert_int_equal(sn_capture_file_size(file), 0);
	sn_capture_file_close(file);
}

static int finish(void **state SN_UNUSED)
{
	sn_buf_finish(&image);
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
		TEST(pcapng_is_read_in_both_byte_orders),
		TEST(a_truncated_pcapng_names_packet_and_offset),
		TEST(a_pipe_is_as_good_as_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
