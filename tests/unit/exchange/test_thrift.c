/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "exchange/thrift.h"

#include "base/util.h"

static void expect(struct sn_buf *out, const char *bytes, size_t size)
{
	assert_int_equal(out->n, size);
	assert_memory_equal(out->p, bytes, size);
	sn_buf_finish(out);
}
#define EXPECT(out, bytes) expect((out), (bytes), sizeof(bytes) - 1)

static void varints_carry_seven_bits_a_byte(void **state)
{
	struct sn_buf out = {0};

	(void)state;
	sn_thrift_varint(&out, 0);
	sn_thrift_varint(&out, 127);
	sn_thrift_varint(&out, 128);
	sn_thrift_varint(&out, UINT64_MAX);
	EXPECT(&out, "\x00\x7f\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void integers_are_zigzag(void **state)
{
	struct sn_buf out = {0};
	struct sn_thrift thrift;

	(void)state;
	sn_thrift_init(&thrift, &out);
	sn_thrift_open(&thrift);
	sn_thrift_i32(&thrift, 1, -1);
	sn_thrift_i32(&thrift, 2, 1);
	sn_thrift_i64(&thrift, 3, INT64_MIN);
	sn_thrift_i64(&thrift, 4, INT64_MAX);
	sn_thrift_close(&thrift);
	EXPECT(&out, "\x15\x01"
		     "\x15\x02"
		     "\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		     "\x16\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		     "\x00");
}

static void ids_are_told_as_steps_up_to_fifteen(void **state)
{
	struct sn_buf out = {0};
	struct sn_thrift thrift;

	(void)state;
	sn_thrift_init(&thrift, &out);
	sn_thrift_open(&thrift);
	sn_thrift_bool(&thrift, 15, true);
	sn_thrift_bool(&thrift, 31, false);
	sn_thrift_close(&thrift);
	EXPECT(&out, "\xf1"
		     "\x02\x3e"
		     "\x00");
}

static void a_struct_inside_counts_its_own_ids(void **state)
{
	struct sn_buf out = {0};
	struct sn_thrift thrift;

	(void)state;
	sn_thrift_init(&thrift, &out);
	sn_thrift_open(&thrift);
	sn_thrift_struct(&thrift, 5);
	sn_thrift_binary(&thrift, 1, SN_STR("ab"));
	sn_thrift_close(&thrift);
	sn_thrift_i32(&thrift, 6, 0);
	sn_thrift_close(&thrift);
	assert_int_equal(thrift.depth, 0);
	EXPECT(&out, "\x5c"
		     "\x18\x02"
		     "ab"
		     "\x00"
		     "\x15\x00"
		     "\x00");
}

static void long_lists_tell_their_length_apart(void **state)
{
	struct sn_buf out = {0};
	struct sn_thrift thrift;

	(void)state;
	sn_thrift_init(&thrift, &out);
	sn_thrift_open(&thrift);
	sn_thrift_list(&thrift, 1, SN_THRIFT_I32, 14);
	for (int i = 0; i < 14; i++)
		sn_thrift_add_i32(&thrift, 0);
	sn_thrift_list(&thrift, 2, SN_THRIFT_BINARY, 15);
	for (int i = 0; i < 15; i++)
		sn_thrift_add_binary(&thrift, sn_str(""));
	sn_thrift_close(&thrift);
	EXPECT(&out, "\x19\xe5"
		     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		     "\x19\xf8\x0f"
		     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		     "\x00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varints_carry_seven_bits_a_byte),
		cmocka_unit_test(integers_are_zigzag),
		cmocka_unit_test(ids_are_told_as_steps_up_to_fifteen),
		cmocka_unit_test(a_struct_inside_counts_its_own_ids),
		cmocka_unit_test(long_lists_tell_their_length_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
