/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "net/http_server_internal.h"

static void parts_are_understood(void **state)
{
	static const struct {
		const char *header;
		uint64_t size;
		enum sn_http_range kind;
		uint64_t offset, length;
	} cases[] = {
		{NULL, 10, SN_HTTP_RANGE_ALL, 0, 10},
		{"bytes=0-", 10, SN_HTTP_RANGE_PART, 0, 10},
		{"bytes=3-", 10, SN_HTTP_RANGE_PART, 3, 7},
		{"Bytes=3-5", 10, SN_HTTP_RANGE_PART, 3, 3},
		{"bytes=3-99", 10, SN_HTTP_RANGE_PART, 3, 7},
		{"bytes=9-9", 10, SN_HTTP_RANGE_PART, 9, 1},
		{"bytes=-3", 10, SN_HTTP_RANGE_PART, 7, 3},
		{"bytes=-30", 10, SN_HTTP_RANGE_PART, 0, 10},
		{"bytes=10-", 10, SN_HTTP_RANGE_NONE, 0, 10},
		{"bytes=0-", 0, SN_HTTP_RANGE_NONE, 0, 0},
		{"bytes=-0", 10, SN_HTTP_RANGE_NONE, 0, 10},
		/* What is not understood is as if it were not there: RFC 9110, section 14.2. */
		{"bytes=5-3", 10, SN_HTTP_RANGE_ALL, 0, 10},
		{"bytes=1-2,4-5", 10, SN_HTTP_RANGE_ALL, 0, 10},
		{"lines=1-2", 10, SN_HTTP_RANGE_ALL, 0, 10},
		{"bytes=x-", 10, SN_HTTP_RANGE_ALL, 0, 10},
		{"bytes=", 10, SN_HTTP_RANGE_ALL, 0, 10},
		{"bytes=99999999999999999999-", 10, SN_HTTP_RANGE_ALL, 0, 10},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		uint64_t offset, length;

		assert_int_equal(
			sn_http_range_read(cases[i].header, cases[i].size, &offset, &length),
			cases[i].kind);
		assert_int_equal(offset, cases[i].offset);
		assert_int_equal(length, cases[i].length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
