/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "exchange/parquet_dictionary.h"
#include "exchange/parquet_rle.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "thrift_read.h"

/* Runs ------------------------------------------------------------------- */

#define VALUES 5000

/* Reads what sn_parquet_rle() wrote, by the format's description. */
static void unpack(const struct sn_buf *in, unsigned width, uint32_t *value, size_t count)
{
	struct sn_rd rd;
	size_t n = 0;

	sn_rd_init(&rd, in->p, in->n);
	while (n < count) {
		uint64_t head = read_varint(&rd);
		uint32_t same = 0;

		assert_true(sn_rd_ok(&rd));
		if ((head & 1) != 0) {
			const uint8_t *bytes = sn_rd_bytes(&rd, (head >> 1) * width);

			assert_non_null(bytes);
			for (size_t i = 0; i < (head >> 1) * 8 && n < count; i++, n++) {
				value[n] = 0;
				for (size_t b = 0; b < width; b++)
					value[n] |= (uint32_t)(bytes[(i * width + b) / 8] >>
								       ((i * width + b) % 8) &
							       1)
						    << b;
			}
			continue;
		}
		for (unsigned done = 0; done < width; done += 8)
			same |= (uint32_t)sn_rd_u8(&rd) << done;
		for (uint64_t i = 0; i < head >> 1; i++) {
			assert_in_range(n, 0, count - 1);
			value[n++] = same;
		}
	}
	assert_true(sn_rd_ok(&rd));
	assert_int_equal(sn_rd_left(&rd), 0);
}

static void round_trip(const uint32_t *value, size_t count, unsigned width)
{
	static uint32_t back[VALUES];
	struct sn_buf out = {0};

	sn_parquet_rle(&out, value, count, width);
	unpack(&out, width, back, count);
	assert_memory_equal(back, value, count * sizeof(*value));
	sn_buf_finish(&out);
}

static void numbers_of_all_widths_come_back(void **state)
{
	static uint32_t value[VALUES];
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 1);
	for (unsigned width = 1; width <= 32; width++) {
		uint32_t same = 0, left = 0;

		for (size_t i = 0; i < VALUES; i++) {
			if (left == 0) {
				left = (uint32_t)(sn_prng_u64(&prng) % 24);
				same = (uint32_t)(sn_prng_u64(&prng) >> (64 - width));
			} else {
				left--;
			}
			value[i] = left > 8 ? same : (uint32_t)(sn_prng_u64(&prng) >> (64 - width));
		}
		for (size_t count = 1; count < 40; count++)
			round_trip(&value[count * 7], count, width);
		round_trip(value, VALUES, width);
	}
}

static void equal_numbers_are_one_run(void **state)
{
	static uint32_t value[1000];
	struct sn_buf out = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(value); i++)
		value[i] = 1;
	sn_parquet_rle(&out, value, SN_COUNT(value), 1);
	assert_int_equal(out.n, 3);
	assert_memory_equal(out.p, "\xd0\x0f\x01", 3);
	sn_buf_finish(&out);
}

/* Encodings.md: the numbers 0 to 7 in three bits each. */
static void bits_are_packed_as_in_the_specification(void **state)
{
	const uint32_t value[] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct sn_buf out = {0};

	(void)state;
	sn_parquet_pack(&out, value, SN_COUNT(value), 3);
	assert_int_equal(out.n, 3);
	assert_memory_equal(out.p, "\x88\xc6\xfa", 3);
	sn_buf_finish(&out);
}

static void widths_hold_their_greatest_number(void **state)
{
	(void)state;
	assert_int_equal(sn_parquet_width(0), 1);
	assert_int_equal(sn_parquet_width(1), 1);
	assert_int_equal(sn_parquet_width(2), 2);
	assert_int_equal(sn_parquet_width(255), 8);
	assert_int_equal(sn_parquet_width(256), 9);
	assert_int_equal(sn_parquet_width(UINT32_MAX), 32);
}

/* Dictionaries ----------------------------------------------------------- */

static void numbers_keep_their_entry(void **state)
{
	struct sn_parquet_dictionary dictionary;

	(void)state;
	sn_parquet_dictionary_init(&dictionary);
	for (int round = 0; round < 3; round++)
		for (uint32_t i = 0; i < 10000; i++)
			assert_int_equal(
				sn_parquet_dictionary_number(&dictionary, (uint64_t)i << 40), i);
	assert_int_equal(dictionary.count, 10000);
	assert_int_equal(dictionary.plain.n, 80000);
	assert_int_equal(sn_parquet_dictionary_bits(&dictionary, 77), (uint64_t)77 << 40);
	sn_parquet_dictionary_finish(&dictionary);
}

static void a_cleared_dictionary_numbers_anew(void **state)
{
	struct sn_parquet_dictionary dictionary;

	(void)state;
	sn_parquet_dictionary_init(&dictionary);
	assert_int_equal(sn_parquet_dictionary_number(&dictionary, 5), 0);
	assert_int_equal(sn_parquet_dictionary_number(&dictionary, 6), 1);
	sn_parquet_dictionary_clear(&dictionary);
	assert_int_equal(sn_parquet_dictionary_number(&dictionary, 6), 0);
	assert_int_equal(sn_parquet_dictionary_number(&dictionary, 5), 1);
	assert_int_equal(dictionary.count, 2);
	sn_parquet_dictionary_finish(&dictionary);
}

static void texts_keep_their_entry(void **state)
{
	struct sn_parquet_dictionary dictionary;
	char text[16];

	(void)state;
	sn_parquet_dictionary_init(&dictionary);
	assert_int_equal(sn_parquet_dictionary_find(&dictionary, SN_STR("0")), SN_PARQUET_REFUSED);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			snprintf(text, sizeof(text), "%u", i);
			assert_int_equal(sn_parquet_dictionary_text(&dictionary, sn_str(text)), i);
		}
	}
	assert_int_equal(sn_parquet_dictionary_text(&dictionary, sn_str("")), 5000);
	assert_int_equal(sn_parquet_dictionary_at(&dictionary, 5000).n, 0);
	assert_true(sn_str_eqc(sn_parquet_dictionary_at(&dictionary, 4711), "4711"));
	assert_int_equal(sn_parquet_dictionary_find(&dictionary, SN_STR("4711")), 4711);
	sn_parquet_dictionary_finish(&dictionary);
}

static void an_entry_too_many_is_refused(void **state)
{
	struct sn_parquet_dictionary dictionary;

	(void)state;
	sn_parquet_dictionary_init(&dictionary);
	for (uint32_t i = 0; i < SN_PARQUET_ENTRIES_MAX; i++)
		assert_int_equal(sn_parquet_dictionary_number(&dictionary, i), i);
	assert_int_equal(sn_parquet_dictionary_number(&dictionary, SN_PARQUET_ENTRIES_MAX),
			 SN_PARQUET_REFUSED);
	assert_int_equal(sn_parquet_dictionary_number(&dictionary, 12), 12);
	sn_parquet_dictionary_finish(&dictionary);
}

static void a_byte_too_many_is_refused(void **state)
{
	sn_autofree char *text = sn_xcalloc(1, SN_PARQUET_DICTIONARY_MAX);
	struct sn_parquet_dictionary dictionary;
	struct sn_str all = {text, SN_PARQUET_DICTIONARY_MAX - 4};

	(void)state;
	sn_parquet_dictionary_init(&dictionary);
	assert_int_equal(sn_parquet_dictionary_text(&dictionary, (struct sn_str){text, all.n + 1}),
			 SN_PARQUET_REFUSED);
	assert_int_equal(sn_parquet_dictionary_text(&dictionary, all), 0);
	assert_int_equal(sn_parquet_dictionary_text(&dictionary, sn_str("")), SN_PARQUET_REFUSED);
	sn_parquet_dictionary_finish(&dictionary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_all_widths_come_back),
		cmocka_unit_test(equal_numbers_are_one_run),
		cmocka_unit_test(bits_are_packed_as_in_the_specification),
		cmocka_unit_test(widths_hold_their_greatest_number),
		cmocka_unit_test(numbers_keep_their_entry),
		cmocka_unit_test(a_cleared_dictionary_numbers_anew),
		cmocka_unit_test(texts_keep_their_entry),
		cmocka_unit_test(an_entry_too_many_is_refused),
		cmocka_unit_test(a_byte_too_many_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
