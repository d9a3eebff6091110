/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "exchange/zip.h"

#include "base/util.h"

static void add(struct sn_zip *zip, const char *name, const char *data, size_t size)
{
	assert_int_equal(sn_zip_begin(zip, name), 0);
	/* In pieces, as it comes. */
	for (size_t i = 0; i < size; i += 1000)
		assert_int_equal(sn_zip_write(zip, (struct sn_str){data + i,
								   SN_MIN(size - i, (size_t)1000)}),
				 0);
	assert_int_equal(sn_zip_end(zip), 0);
}

static uint32_t number(const struct sn_buf *zip, size_t at, unsigned bytes)
{
	uint32_t value = 0;

	assert_true(at + bytes <= zip->n);
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)(uint8_t)zip->p[at + i] << 8 * i;
	return value;
}

/* Follows the directory at the end, as readers do, to the data of member `index`. */
static void check_member(const struct sn_buf *zip, unsigned index, const char *name,
			 const char *data, size_t size)
{
	size_t at = number(zip, zip->n - 6, 4), local;
	z_stream z = {0};
	char *got = malloc(size + 1);

	for (unsigned i = 0; i < index; i++)
		at += 46 + number(zip, at + 28, 2);
	assert_int_equal(number(zip, at, 4), 0x02014b50);
	assert_int_equal(number(zip, at + 24, 4), size);
	assert_int_equal(number(zip, at + 16, 4), crc32(0, (const Bytef *)data, (uInt)size));
	assert_memory_equal(zip->p + at + 46, name, strlen(name));
	local = number(zip, at + 42, 4);
	assert_int_equal(number(zip, local, 4), 0x04034b50);
	z.next_in = (Bytef *)zip->p + local + 30 + number(zip, local + 26, 2);
	z.avail_in = number(zip, at + 20, 4);
	z.next_out = (Bytef *)got;
	z.avail_out = (uInt)size + 1;
	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, size);
	assert_memory_equal(got, data, size);
	assert_int_equal(number(zip, (size_t)((char *)z.next_in - zip->p), 4), 0x08074b50);
	inflateEnd(&z);
	free(got);
}

static void what_was_put_in_comes_out(void **state SN_UNUSED)
{
	struct sn_buf out = {0};
	struct sn_zip *zip = sn_zip_create(&out);
	char noise[50000];
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
	add(zip, "doc.kml", "<kml/>", 6);
	add(zip, "empty", "", 0);
	add(zip, "noise.bin", noise, sizeof(noise));
	assert_int_equal(sn_zip_finish(zip), 0);
	sn_zip_destroy(zip);
	assert_int_equal(number(&out, out.n - 22, 4), 0x06054b50);
	assert_int_equal(number(&out, out.n - 12, 2), 3);
	check_member(&out, 0, "doc.kml", "<kml/>", 6);
	check_member(&out, 1, "empty", "", 0);
	check_member(&out, 2, "noise.bin", noise, sizeof(noise));
	sn_buf_finish(&out);
}

static void what_is_ready_may_be_taken_at_any_time(void **state SN_UNUSED)
{
	struct sn_buf whole = {0}, piece = {0}, pieces = {0};
	char text[30000];

	memset(text, 'x', sizeof(text));
	for (int turn = 0; turn < 2; turn++) {
		struct sn_buf *out = turn == 0 ? &whole : &piece;
		struct sn_zip *zip = sn_zip_create(out);

		for (int i = 0; i < 3; i++) {
			add(zip, "a", text, sizeof(text));
			if (turn == 1) {
				sn_buf_add(&pieces, piece.p, piece.n);
				sn_buf_clear(&piece);
			}
		}
		assert_int_equal(sn_zip_finish(zip), 0);
		sn_zip_destroy(zip);
	}
	sn_buf_add(&pieces, piece.p, piece.n);
	assert_int_equal(pieces.n, whole.n);
	assert_memory_equal(pieces.p, whole.p, whole.n);
	sn_buf_finish(&whole);
	sn_buf_finish(&piece);
	sn_buf_finish(&pieces);
}

static void one_that_is_given_up_leaves_nothing(void **state SN_UNUSED)
{
	struct sn_buf out = {0};
	struct sn_zip *zip = sn_zip_create(&out);

	assert_int_equal(sn_zip_begin(zip, "a"), 0);
	assert_int_equal(sn_zip_write(zip, SN_STR("half")), 0);
	sn_zip_destroy(zip);
	sn_buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_in_comes_out),
		cmocka_unit_test(what_is_ready_may_be_taken_at_any_time),
		cmocka_unit_test(one_that_is_given_up_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
