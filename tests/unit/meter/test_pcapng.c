/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <pcap/dlt.h>
#include <stdio.h>

#include "base/util.h"
#include "image.h"

#define TIME_NS 1700000000123456789

static struct image image;
static struct sn_err err;
static struct sn_capture_file *file;
static struct sn_packet packet;

static int start(void **state SN_UNUSED)
{
	sn_buf_clear(&image.bytes);
	image.big_endian = false;
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	sn_capture_file_close(file);
	file = NULL;
	return 0;
}

static int try_open(void)
{
	sn_capture_file_close(file);
	file = NULL;
	return sn_capture_file_open_fd(bytes_to_file(image.bytes.p, image.bytes.n), "test.pcapng",
				       &file, &err);
}

static void open_image(void)
{
	if (try_open() != 0)
		fail_msg("%s", err.text);
}

static int read_one(void)
{
	return sn_capture_file_read(file, &packet, 1, &err);
}

static void expect_packet(int64_t time_ns, uint32_t captured, int link)
{
	if (read_one() != 1)
		fail_msg("%s", err.text);
	assert_true(packet.time_ns == time_ns);
	assert_int_equal(packet.captured, captured);
	assert_int_equal(packet.link, link);
	for (uint32_t i = 0; i < captured; i++)
		assert_int_equal(packet.data[i], (uint8_t)i);
}

static void both_byte_orders_are_read(void **state SN_UNUSED)
{
	for (int variant = 0; variant < 2; variant++) {
		sn_buf_clear(&image.bytes);
		image.big_endian = variant == 1;
		add_section(&image);
		add_interface(&image, 1, 65535, 9);
		add_enhanced(&image, 0, TIME_NS, 61);
		open_image();
		assert_int_equal(sn_capture_file_link(file), DLT_EN10MB);
		assert_int_equal(sn_capture_file_snaplen(file), 65535);
		expect_packet(TIME_NS, 61, DLT_EN10MB);
		assert_int_equal(read_one(), 0);
		assert_int_equal(sn_capture_file_offset(file), image.bytes.n);
	}
}

static void each_interface_has_its_link_type_and_clock(void **state SN_UNUSED)
{
	static const struct {
		unsigned link;
		uint8_t resolution;
		uint64_t units;
		int64_t time_ns;
		int dlt;
	} cases[] = {
		{1, 6, 1700000000123456, 1700000000123456000, DLT_EN10MB},
		{101, 9, 1700000000123456789, 1700000000123456789, DLT_RAW},
		{113, 3, 1700000000123, 1700000000123000000, DLT_LINUX_SLL},
		{1, 0, 1700000000, 1700000000000000000, DLT_EN10MB},
		{276, 0x80 | 20, 1700000000ULL << 20 | 1 << 19, 1700000000500000000,
		 DLT_LINUX_SLL2},
		{1, 0x80 | 32, 1700000000ULL << 32 | 1U << 30, 1700000000250000000, DLT_EN10MB},
		/* finer than a nanosecond */
		{1, 10, 17000000001234567891U, 1700000000123456789, DLT_EN10MB},
	};

	add_section(&image);
	for (uint32_t i = 0; i < SN_COUNT(cases); i++)
		add_interface(&image, cases[i].link, 0, cases[i].resolution);
	for (uint32_t i = 0; i < SN_COUNT(cases); i++)
		add_enhanced(&image, i, cases[i].units, 20 + i);
	open_image();
	for (uint32_t i = 0; i < SN_COUNT(cases); i++)
		expect_packet(cases[i].time_ns, 20 + i, cases[i].dlt);
	assert_int_equal(read_one(), 0);
}

static void add_offset_interface(int64_t offset_s)
{
	size_t at = begin_block(&image, 1);

	add16(&image, 1);
	add16(&image, 0);
	add32(&image, 0);
	add_option(&image, 14, 8);
	add64(&image, (uint64_t)offset_s);
	end_block(&image, at);
}

static void the_clock_of_an_interface_may_be_offset(void **state SN_UNUSED)
{
	add_section(&image);
	add_offset_interface(1000000000);
	add_offset_interface(-3600);
	add_enhanced(&image, 0, 700000000123456, 10);
	add_enhanced(&image, 1, 1700003600123456, 10);
	add_enhanced(&image, 1, 1, 10); /* before 1970 */
	open_image();
	expect_packet(1700000000123456000, 10, DLT_EN10MB);
	expect_packet(1700000000123456000, 10, DLT_EN10MB);
	assert_int_equal(read_one(), -EBADMSG);
	assert_non_null(strstr(err.text, "packet 3"));
	assert_non_null(strstr(err.text, "time is out of range"));
}

static void a_time_beyond_all_bounds_is_damage(void **state SN_UNUSED)
{
	static const uint8_t resolutions[] = {0, 6, 9, 0x80, 0x80 | 32};

	for (size_t i = 0; i < SN_COUNT(resolutions); i++) {
		sn_buf_clear(&image.bytes);
		add_section(&image);
		add_interface(&image, 1, 0, resolutions[i]);
		add_enhanced(&image, 0, UINT64_MAX, 10);
		open_image();
		/* 2^-32 s is the only one in which that many units are no more than 136 years */
		assert_int_equal(read_one(), i == 4 ? 1 : -EBADMSG);
	}
	sn_buf_clear(&image.bytes);
	add_section(&image);
	add_interface(&image, 1, 0, 20); /* 10^-20 s: a second has more units than 64 bits count */
	assert_int_equal(try_open(), -EBADMSG);
	assert_non_null(strstr(err.text, "too fine"));
}

static void add_simple(uint32_t length, uint32_t written)
{
	size_t at = begin_block(&image, 3);

	add32(&image, length);
	add_pattern(&image, written);
	end_block(&image, at);
}

static void a_simple_packet_has_the_time_of_the_one_before(void **state SN_UNUSED)
{
	add_section(&image);
	add_interface(&image, 1, 96, 9);
	add_enhanced(&image, 0, TIME_NS, 10);
	add_simple(60, 60);
	add_simple(1500, 96); /* cut by the snap length */
	open_image();
	expect_packet(TIME_NS, 10, DLT_EN10MB);
	expect_packet(TIME_NS, 60, DLT_EN10MB);
	expect_packet(TIME_NS, 96, DLT_EN10MB);
	assert_int_equal(packet.length, 1500);
	assert_int_equal(read_one(), 0);
}

static void the_obsolete_packet_block_is_read(void **state SN_UNUSED)
{
	for (int variant = 0; variant < 2; variant++) {
		size_t at;

		sn_buf_clear(&image.bytes);
		image.big_endian = variant == 1;
		add_section(&image);
		add_interface(&image, 1, 0, 6);
		add_interface(&image, 101, 0, 9);
		at = begin_block(&image, 2);
		add16(&image, 1);      /* interface */
		add16(&image, 0xffff); /* drops unknown */
		add32(&image, (uint32_t)((uint64_t)TIME_NS >> 32));
		add32(&image, (uint32_t)TIME_NS);
		add32(&image, 30);
		add32(&image, 40);
		add_pattern(&image, 30);
		end_block(&image, at);
		open_image();
		expect_packet(TIME_NS, 30, DLT_RAW);
		assert_int_equal(packet.length, 40);
	}
}

static void blocks_of_no_use_are_skipped_however_long(void **state SN_UNUSED)
{
	size_t at;

	add_section(&image);
	add_interface(&image, 1, 0, 9);
	for (uint32_t i = 0; i < 3; i++) {
		at = begin_block(&image, 0x0bad); /* custom */
		add_pattern(&image, i * 700001);
		end_block(&image, at);
		add_enhanced(&image, 0, TIME_NS + i, 100);
	}
	open_image();
	for (uint32_t i = 0; i < 3; i++)
		expect_packet(TIME_NS + i, 100, DLT_EN10MB);
	assert_int_equal(read_one(), 0);
}

/* As when files were concatenated: interfaces are counted from 0 again, in another byte order. */
static void a_new_section_begins_anew(void **state SN_UNUSED)
{
	add_section(&image);
	add_interface(&image, 1, 0, 9);
	add_interface(&image, 101, 0, 6);
	add_enhanced(&image, 1, 1700000000000000, 11);
	image.big_endian = true;
	add_section(&image);
	add_interface(&image, 113, 0, 9);
	add_enhanced(&image, 0, TIME_NS, 12);
	add_enhanced(&image, 1, TIME_NS, 13);
	open_image();
	expect_packet(1700000000000000000, 11, DLT_RAW);
	expect_packet(TIME_NS, 12, DLT_LINUX_SLL);
	assert_int_equal(read_one(), -EBADMSG);
	assert_non_null(strstr(err.text, "interface is not described"));
}

static void add_statistics(uint32_t interface, uint64_t ifdrop, uint64_t osdrop)
{
	size_t at = begin_block(&image, 5);

	add32(&image, interface);
	add64(&image, 0);
	add_option(&image, 5, 8);
	add64(&image, ifdrop);
	add_option(&image, 7, 8);
	add64(&image, osdrop);
	add_option(&image, 0, 0);
	end_block(&image, at);
}

static void add_named_interface(const char *name)
{
	size_t at = begin_block(&image, 1);

	add16(&image, 1);
	add16(&image, 0);
	add32(&image, 0);
	add_option(&image, 2, (unsigned)strlen(name));
	sn_buf_adds(&image.bytes, name);
	while (image.bytes.n % 4 != 0)
		sn_buf_addc(&image.bytes, 0);
	end_block(&image, at);
}

static void statistics_tell_what_was_lost(void **state SN_UNUSED)
{
	struct sn_capture_losses losses[4];

	add_section(&image);
	add_named_interface("eth0");
	add_named_interface("eth1");
	add_enhanced(&image, 0, 1, 10);
	add_statistics(0, 3, 7);
	add_enhanced(&image, 0, 2, 10);
	add_statistics(0, 5, 7);
	add_statistics(1, 0, 1);
	add_section(&image);
	add_named_interface("eth0");
	add_enhanced(&image, 0, 3, 10);
	add_statistics(0, 10, 0);
	open_image();
	while (read_one() == 1)
		;
	assert_int_equal(sn_capture_file_losses(file, losses, 4), 2);
	assert_string_equal(losses[0].interface, "eth0");
	assert_int_equal(losses[0].packets, 3);
	assert_int_equal(losses[0].interface_drops, 15);
	assert_int_equal(losses[0].kernel_drops, 7);
	assert_string_equal(losses[1].interface, "eth1");
	assert_int_equal(losses[1].packets, 0);
	assert_int_equal(losses[1].kernel_drops, 1);
}

static void many_packets_come_in_order_across_windows(void **state SN_UNUSED)
{
	enum { COUNT = 1000 };
	struct sn_packet packets[7];
	uint32_t seen = 0;
	int count;

	add_section(&image);
	add_interface(&image, 1, 0, 9);
	for (uint32_t i = 0; i < COUNT; i++)
		add_enhanced(&image, 0, i, 1500 + i);
	open_image();
	while ((count = sn_capture_file_read(file, packets, 7, &err)) > 0)
		for (int i = 0; i < count; i++, seen++) {
			assert_true(packets[i].time_ns == seen);
			assert_int_equal(packets[i].captured, 1500 + seen);
			for (uint32_t k = 0; k < 1500 + seen; k++)
				if (packets[i].data[k] != (uint8_t)k)
					fail();
		}
	assert_int_equal(count, 0);
	assert_int_equal(seen, COUNT);
}

static void the_largest_packet_is_read_and_no_larger(void **state SN_UNUSED)
{
	add_section(&image);
	add_interface(&image, 1, 0, 9);
	add_enhanced(&image, 0, 1, SN_CAPTURE_PACKET_MAX);
	add_enhanced(&image, 0, 2, SN_CAPTURE_PACKET_MAX + 1);
	open_image();
	expect_packet(1, SN_CAPTURE_PACKET_MAX, DLT_EN10MB);
	assert_int_equal(read_one(), -EBADMSG);
	assert_non_null(strstr(err.text, "packet 2 of 'test.pcapng'"));
	assert_non_null(strstr(err.text, "too long"));
}

/* Wherever it is cut: whole packets first, then an error that names packet and offset. */
static void a_truncated_file_gives_what_is_whole_then_an_error(void **state SN_UNUSED)
{
	char place[64];
	size_t whole;

	add_section(&image);
	add_interface(&image, 1, 0, 9);
	add_enhanced(&image, 0, 1, 40);
	whole = image.bytes.n;
	snprintf(place, sizeof(place), "packet 2 of 'test.pcapng' at offset %zu", whole);
	add_enhanced(&image, 0, 2, 40);
	for (size_t end = image.bytes.n - 1; end > whole; end--) {
		image.bytes.n = end;
		open_image();
		expect_packet(1, 40, DLT_EN10MB);
		assert_int_equal(read_one(), -ENODATA);
		assert_non_null(strstr(err.text, place));
		assert_non_null(strstr(err.text, "truncated"));
	}
}

static void lying_lengths_are_damage(void **state SN_UNUSED)
{
	static const uint32_t lengths[] = {0, 8, 11, 13, 63, 16 * 1024 * 1024 + 4, UINT32_MAX};
	size_t at;

	add_section(&image);
	add_interface(&image, 1, 0, 9);
	at = image.bytes.n;
	for (size_t i = 0; i < SN_COUNT(lengths); i++) {
		image.bytes.n = at;
		add_enhanced(&image, 0, 1, 40);
		memcpy(image.bytes.p + at + 4, &lengths[i], 4);
		open_image();
		assert_int_equal(read_one(), -EBADMSG);
	}
	image.bytes.n = at;
	add_enhanced(&image, 0, 1, 40);
	image.bytes.p[image.bytes.n - 4]++; /* the length at the end */
	open_image();
	assert_int_equal(read_one(), -EBADMSG);
	assert_non_null(strstr(err.text, "two lengths"));
	image.bytes.n = at;
	add_enhanced(&image, 0, 1, 40);
	image.bytes.p[at + 20] = 45; /* more captured than the block holds */
	open_image();
	assert_int_equal(read_one(), -EBADMSG);
	assert_non_null(strstr(err.text, "longer than its block"));
}

static void what_is_no_section_is_refused(void **state SN_UNUSED)
{
	add_section(&image);
	assert_int_equal(try_open(), -EBADMSG);
	assert_non_null(strstr(err.text, "no interface"));
	image.bytes.p[8] ^= 1; /* byte order */
	assert_int_equal(try_open(), -EBADMSG);
	assert_non_null(strstr(err.text, "no byte order"));
	image.bytes.p[8] ^= 1;
	image.bytes.p[12] = 2; /* version */
	assert_int_equal(try_open(), -EBADMSG);
	assert_non_null(strstr(err.text, "unknown version"));
}

static void the_limit_of_interfaces_holds(void **state SN_UNUSED)
{
	add_section(&image);
	for (int i = 0; i < 4096; i++)
		add_interface(&image, 1, 0, 6);
	add_enhanced(&image, 4095, 1, 10);
	add_interface(&image, 1, 0, 6);
	open_image();
	expect_packet(1000, 10, DLT_EN10MB);
	assert_int_equal(read_one(), -EBADMSG);
	assert_non_null(strstr(err.text, "too many interfaces"));
}

static int finish(void **state SN_UNUSED)
{
	sn_buf_finish(&image.bytes);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_byte_orders_are_read),
		TEST(each_interface_has_its_link_type_and_clock),
		TEST(the_clock_of_an_interface_may_be_offset),
		TEST(a_time_beyond_all_bounds_is_damage),
		TEST(a_simple_packet_has_the_time_of_the_one_before),
		TEST(the_obsolete_packet_block_is_read),
		TEST(blocks_of_no_use_are_skipped_however_long),
		TEST(a_new_section_begins_anew),
		TEST(statistics_tell_what_was_lost),
		TEST(many_packets_come_in_order_across_windows),
		TEST(the_largest_packet_is_read_and_no_larger),
		TEST(a_truncated_file_gives_what_is_whole_then_an_error),
		TEST(lying_lengths_are_damage),
		TEST(what_is_no_section_is_refused),
		TEST(the_limit_of_interfaces_holds),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
