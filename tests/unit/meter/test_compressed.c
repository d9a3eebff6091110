/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "base/util.h"
#include "image.h"

#define PACKETS 3000

static struct image image;
static struct sn_buf squeezed;
static struct sn_err err;
static bool expect_damage; /* a check sum comes after the bytes that it is for */

typedef void squeeze_fn(const void *data, size_t size);

static void squeeze_gzip(const void *data, size_t size)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	sn_buf_reserve(&squeezed, deflateBound(&z, size));
	z.next_out = (Bytef *)squeezed.p + squeezed.n;
	z.avail_out = (uInt)(squeezed.cap - squeezed.n);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	squeezed.n = squeezed.cap - z.avail_out;
	deflateEnd(&z);
}

static void squeeze_zstd(const void *data, size_t size)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	sn_buf_reserve(&squeezed, ZSTD_compressBound(size));

	size_t made = ZSTD_compress2(zstd, squeezed.p + squeezed.n, squeezed.cap - squeezed.n, data,
				     size);

	assert_false(ZSTD_isError(made));
	ZSTD_freeCCtx(zstd);
	squeezed.n += made;
}

static void squeeze_xz(const void *data, size_t size)
{
	sn_buf_reserve(&squeezed, lzma_stream_buffer_bound(size));
	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, data, size,
						 (uint8_t *)squeezed.p, &squeezed.n, squeezed.cap),
			 LZMA_OK);
}

static const struct {
	const char *name;
	squeeze_fn *squeeze;
} methods[] = {{"gzip", squeeze_gzip}, {"zstd", squeeze_zstd}, {"xz", squeeze_xz}};

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
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		methods[i].squeeze(image.bytes.p, image.bytes.n);
		assert_true(squeezed.n < image.bytes.n / 2);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), 0);
		assert_int_equal(seen, PACKETS);
		assert_int_equal(offset, squeezed.n);
	}
}

static void a_pipe_is_as_good_as_a_file(void **state SN_UNUSED)
{
	image.bytes.n = 24 + 16 + 200;
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		methods[i].squeeze(image.bytes.p, image.bytes.n);
		assert_int_equal(read_all(bytes_to_pipe(squeezed.p, squeezed.n), &seen, &offset),
				 0);
		assert_int_equal(seen, 1);
	}
}

/* gzip -c a >> c; gzip -c b >> c: members of any size, split anywhere. */
static void members_that_follow_each_other_are_one_stream(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		for (size_t at = 0, size; at < image.bytes.n; at += size) {
			size = SN_MIN(image.bytes.n - at, (size_t)123457);
			methods[i].squeeze(image.bytes.p + at, size);
		}
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), 0);
		assert_int_equal(seen, PACKETS);
	}
}

static void zeros_behind_gzip_are_padding(void **state SN_UNUSED)
{
	uint64_t offset;
	uint32_t seen;

	squeeze_gzip(image.bytes.p, image.bytes.n);
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
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		methods[i].squeeze(image.bytes.p, image.bytes.n);
		squeezed.n = squeezed.n * 9 / 10;
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -ENODATA);
		assert_true(seen > 0 && seen < PACKETS);
		assert_non_null(strstr(err.text, "'test.pcap'"));
		assert_non_null(strstr(err.text, methods[i].name));
		assert_non_null(strstr(err.text, "end too early"));
	}
}

static void a_wrong_check_sum_is_named_with_its_place(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		methods[i].squeeze(image.bytes.p, image.bytes.n);
		squeezed.p[squeezed.n - 3] ^= 1;
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -EBADMSG);
		assert_true(seen >
			    PACKETS * 9 / 10); /* zstd checks before the last block is given */
		assert_non_null(strstr(err.text, "of 'test.pcap' at offset"));
		assert_non_null(strstr(err.text, "data are damaged near byte"));
		assert_non_null(strstr(err.text, methods[i].name));
	}
}

static void damage_in_the_middle_ends_the_packets(void **state SN_UNUSED)
{
	expect_damage = true;
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		methods[i].squeeze(image.bytes.p, image.bytes.n);
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

	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		sn_buf_clear(&squeezed);
		methods[i].squeeze("time,node,task\n", 15);
		assert_int_equal(read_all(squeezed_to_file(), &seen, &offset), -EBADMSG);
		assert_non_null(strstr(err.text, "not a capture file"));
		sn_buf_clear(&squeezed);
		methods[i].squeeze("", 0);
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
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		uint64_t offset;
		uint32_t seen;

		sn_buf_clear(&squeezed);
		methods[i].squeeze(image.bytes.p, image.bytes.n);
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
