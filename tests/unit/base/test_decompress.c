/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/decompress.h"
#include "base/util.h"
#include "lib/squeeze.h"

#define TEXT_SIZE 300000
#define BOMB_SIZE (64 * 1024 * 1024)

static struct sn_buf text, squeezed, out;

static int start(void **state SN_UNUSED)
{
	sn_buf_clear(&text);
	sn_buf_clear(&squeezed);
	sn_buf_clear(&out);
	for (unsigned i = 0; text.n < TEXT_SIZE; i++)
		sn_buf_addf(&text, "line %u of the file\n", i * i);
	return 0;
}

static int finish(void **state SN_UNUSED)
{
	sn_buf_finish(&text);
	sn_buf_finish(&squeezed);
	sn_buf_finish(&out);
	return 0;
}

/* A descriptor behind the magic bytes, as whoever looked at them leaves it. */
static struct sn_decompress *open_squeezed(int *fd)
{
	char *path = write_file(sn_buf_str(&squeezed));
	uint8_t begin[SN_DECOMPRESS_MAGIC_MAX];
	ssize_t n;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*fd >= 0);
	unlink(path);
	free(path);
	n = read(*fd, begin, sizeof(begin));
	assert_true(n >= 0);
	return sn_decompress_create(*fd, begin, (size_t)n);
}

/* Everything, in pieces of `step` bytes; what the last read said. */
static ssize_t read_all(struct sn_decompress *stream, size_t step)
{
	char piece[4096];
	ssize_t n;

	while ((n = sn_decompress_read(stream, piece, step)) > 0)
		sn_buf_add(&out, piece, (size_t)n);
	return n;
}

static void every_method_gives_the_bytes_back_in_any_pieces(void **state SN_UNUSED)
{
	static const size_t steps[] = {1, 7, 4096};

	for (size_t i = 0; i < SN_COUNT(squeeze_methods) * SN_COUNT(steps); i++) {
		struct sn_decompress *stream;
		int fd;

		sn_buf_clear(&squeezed);
		sn_buf_clear(&out);
		squeeze_methods[i % SN_COUNT(squeeze_methods)].squeeze(sn_buf_str(&text),
								       &squeezed);
		stream = open_squeezed(&fd);
		assert_non_null(stream);
		assert_int_equal(read_all(stream, steps[i / SN_COUNT(squeeze_methods)]), 0);
		assert_int_equal(out.n, text.n);
		assert_memory_equal(out.p, text.p, text.n);
		assert_int_equal(sn_decompress_offset(stream), squeezed.n);
		sn_decompress_destroy(stream);
		close(fd);
	}
}

static void what_is_not_compressed_is_said_to_be_so(void **state SN_UNUSED)
{
	static const char *const plain[] = {"", "#", "time,node\n", "\x1f", "(\xb5/", "\xfd\x37zX"};

	for (size_t i = 0; i < SN_COUNT(plain); i++)
		assert_null(sn_decompress_create(-1, (const uint8_t *)plain[i], strlen(plain[i])));
}

static void the_end_that_is_missing_is_told_after_what_there_is(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		struct sn_decompress *stream;
		int fd;

		sn_buf_clear(&squeezed);
		sn_buf_clear(&out);
		squeeze_methods[i].squeeze(sn_buf_str(&text), &squeezed);
		squeezed.n -= 5;
		stream = open_squeezed(&fd);
		assert_int_equal(read_all(stream, sizeof(char[4096])), -ENODATA);
		assert_memory_equal(out.p, text.p, out.n);
		assert_non_null(strstr(sn_decompress_reason(stream), "too early"));
		/* It stays so. */
		assert_int_equal(read_all(stream, 1), -ENODATA);
		sn_decompress_destroy(stream);
		close(fd);
	}
}

/* However much comes out, only what was asked for is made. */
static void a_bomb_goes_off_in_small_pieces(void **state SN_UNUSED)
{
	struct sn_buf zeros = {0};

	sn_buf_reserve(&zeros, BOMB_SIZE);
	memset(zeros.p, 0, BOMB_SIZE);
	zeros.n = BOMB_SIZE;
	for (size_t i = 0; i < SN_COUNT(squeeze_methods); i++) {
		struct sn_decompress *stream;
		size_t sum = 0;
		char piece[4096];
		ssize_t n;
		int fd;

		sn_buf_clear(&squeezed);
		squeeze_methods[i].squeeze(sn_buf_str(&zeros), &squeezed);
		assert_true(squeezed.n < BOMB_SIZE / 500);
		stream = open_squeezed(&fd);
		while ((n = sn_decompress_read(stream, piece, sizeof(piece))) > 0) {
			assert_true((size_t)n <= sizeof(piece));
			sum += (size_t)n;
		}
		assert_int_equal(n, 0);
		assert_int_equal(sum, BOMB_SIZE);
		sn_decompress_destroy(stream);
		close(fd);
	}
	sn_buf_finish(&zeros);
}

static void an_error_of_the_descriptor_is_passed_on(void **state SN_UNUSED)
{
	static const uint8_t gzip[] = {0x1f, 0x8b, 8, 0, 0, 0};
	struct sn_decompress *stream = sn_decompress_create(-1, gzip, sizeof(gzip));

	assert_non_null(stream);
	assert_int_equal(read_all(stream, 100), -EBADF);
	sn_decompress_destroy(stream);
	sn_decompress_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_method_gives_the_bytes_back_in_any_pieces),
		TEST(what_is_not_compressed_is_said_to_be_so),
		TEST(the_end_that_is_missing_is_told_after_what_there_is),
		TEST(a_bomb_goes_off_in_small_pieces),
		TEST(an_error_of_the_descriptor_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
