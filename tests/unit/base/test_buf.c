/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static void a_zeroed_buffer_is_empty_and_valid(void **state)
{
	struct sn_buf buf = {0};

	(void)state;
	assert_int_equal(sn_buf_str(&buf).n, 0);
	sn_buf_add(&buf, NULL, 0);
	sn_buf_drop(&buf, 3);
	assert_string_equal(sn_buf_cstr(&buf), "");
	sn_buf_finish(&buf);
	sn_buf_finish(&buf);
}

static void adding_keeps_everything_in_order(void **state)
{
	struct sn_buf buf = {0};
	char expected[8192] = "";

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char number[8];

		snprintf(number, sizeof(number), "%d,", i);
		strcat(expected, number);
		sn_buf_addf(&buf, "%d", i);
		sn_buf_addc(&buf, ',');
	}
	sn_buf_adds(&buf, "end");
	strcat(expected, "end");
	assert_string_equal(sn_buf_cstr(&buf), expected);
	assert_int_equal(buf.n, strlen(expected));
	sn_buf_finish(&buf);
}

static void formatting_grows_to_any_length(void **state)
{
	struct sn_buf buf = {0};

	(void)state;
	sn_buf_addf(&buf, "%s", "");
	assert_int_equal(buf.n, 0);
	sn_buf_addf(&buf, "%0200d", 7);
	assert_int_equal(buf.n, 200);
	assert_int_equal(buf.p[199], '7');
	sn_buf_finish(&buf);
}

static void decimals_equal_printf(void **state)
{
	struct sn_buf buf = {0};
	char expected[32];

	(void)state;
	for (unsigned shift = 0; shift < 64; shift++) {
		for (int delta = -1; delta <= 1; delta++) {
			uint64_t value = (1ULL << shift) + (uint64_t)delta;

			sn_buf_clear(&buf);
			sn_buf_add_u64(&buf, value);
			snprintf(expected, sizeof(expected), "%" PRIu64, value);
			assert_string_equal(sn_buf_cstr(&buf), expected);
			sn_buf_clear(&buf);
			sn_buf_add_i64(&buf, (int64_t)value);
			snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)value);
			assert_string_equal(sn_buf_cstr(&buf), expected);
		}
	}
	for (uint64_t value = 1; value < UINT64_MAX / 10; value *= 10) {
		sn_buf_clear(&buf);
		sn_buf_add_u64(&buf, value * 10);
		snprintf(expected, sizeof(expected), "%" PRIu64, value * 10);
		assert_string_equal(sn_buf_cstr(&buf), expected);
	}
	sn_buf_finish(&buf);
}

static void drop_takes_from_the_front(void **state)
{
	struct sn_buf buf = {0};

	(void)state;
	sn_buf_adds(&buf, "abcdef");
	sn_buf_drop(&buf, 2);
	assert_true(sn_str_eqc(sn_buf_str(&buf), "cdef"));
	sn_buf_drop(&buf, 100);
	assert_int_equal(buf.n, 0);
	sn_buf_finish(&buf);
}

static void reader_gives_both_byte_orders(void **state)
{
	static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
	struct sn_rd rd;

	(void)state;
	sn_rd_init(&rd, data, sizeof(data));
	assert_int_equal(sn_rd_u16be(&rd), 0x0102);
	assert_int_equal(sn_rd_u32be(&rd), 0x03040506);
	assert_true(sn_rd_u64be(&rd) == 0x0708090a0b0c0d0e);
	assert_true(sn_rd_ok(&rd));
	assert_int_equal(sn_rd_left(&rd), 0);
	sn_rd_init(&rd, data, sizeof(data));
	assert_int_equal(sn_rd_u16le(&rd), 0x0201);
	assert_int_equal(sn_rd_u32le(&rd), 0x06050403);
	assert_true(sn_rd_u64le(&rd) == 0x0e0d0c0b0a090807);
}

static void reader_latches_failure(void **state)
{
	static const uint8_t data[] = {1, 2, 3};
	uint8_t copy[4] = {9, 9, 9, 9};
	struct sn_rd rd;

	(void)state;
	sn_rd_init(&rd, data, sizeof(data));
	assert_int_equal(sn_rd_u32be(&rd), 0);
	assert_false(sn_rd_ok(&rd));
	/* There are three bytes left, but nobody knows any more what they mean. */
	assert_int_equal(sn_rd_u8(&rd), 0);
	assert_int_equal(sn_rd_left(&rd), 0);
	assert_null(sn_rd_bytes(&rd, 0));
	sn_rd_copy(&rd, copy, sizeof(copy));
	assert_int_equal(copy[0] | copy[3], 0);
}

static void reader_refuses_sizes_that_would_wrap(void **state)
{
	static const uint8_t data[] = {1, 2, 3};
	struct sn_rd rd;

	(void)state;
	sn_rd_init(&rd, data, sizeof(data));
	sn_rd_skip(&rd, 1);
	sn_rd_skip(&rd, SIZE_MAX);
	assert_false(sn_rd_ok(&rd));
	sn_rd_init(&rd, data, sizeof(data));
	sn_rd_skip(&rd, 3);
	assert_true(sn_rd_ok(&rd));
	sn_rd_skip(&rd, 1);
	assert_false(sn_rd_ok(&rd));
}

static void reader_of_nothing_is_well_but_empty(void **state)
{
	struct sn_rd rd;

	(void)state;
	sn_rd_init(&rd, NULL, 0);
	assert_true(sn_rd_ok(&rd));
	assert_non_null(sn_rd_bytes(&rd, 0));
	assert_int_equal(sn_rd_u8(&rd), 0);
	assert_false(sn_rd_ok(&rd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_buffer_is_empty_and_valid),
		cmocka_unit_test(adding_keeps_everything_in_order),
		cmocka_unit_test(formatting_grows_to_any_length),
		cmocka_unit_test(decimals_equal_printf),
		cmocka_unit_test(drop_takes_from_the_front),
		cmocka_unit_test(reader_gives_both_byte_orders),
		cmocka_unit_test(reader_latches_failure),
		cmocka_unit_test(reader_refuses_sizes_that_would_wrap),
		cmocka_unit_test(reader_of_nothing_is_well_but_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
