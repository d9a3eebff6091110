/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

static struct sn_str s(const char *text)
{
	return sn_str(text);
}

static void split_gives_every_part_and_then_ends(void **state)
{
	struct sn_str rest = s("a,,b,"), part;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		static const char *const parts[] = {"a", "", "b", ""};

		assert_true(sn_str_split(&rest, ',', &part));
		assert_true(sn_str_eqc(part, parts[i]));
	}
	assert_false(sn_str_split(&rest, ',', &part));
}

static void split_of_an_empty_text_is_one_empty_part(void **state)
{
	struct sn_str rest = s(""), part;

	(void)state;
	assert_true(sn_str_split(&rest, ',', &part));
	assert_int_equal(part.n, 0);
	assert_false(sn_str_split(&rest, ',', &part));
}

static void trim_takes_blanks_off_both_ends_only(void **state)
{
	(void)state;
	assert_true(sn_str_eqc(sn_str_trim(s(" \ta b\r\n")), "a b"));
	assert_true(sn_str_eqc(sn_str_trim(s(" \t ")), ""));
}

static void prefix_and_equality_respect_the_length(void **state)
{
	(void)state;
	assert_true(sn_str_has_prefix(s("abc"), "ab"));
	assert_false(sn_str_has_prefix(s("a"), "ab"));
	assert_true(sn_str_eq((struct sn_str){"abX", 2}, (struct sn_str){"abY", 2}));
	assert_false(sn_str_eqc((struct sn_str){"abc", 2}, "abc"));
	assert_true(sn_str_eq(sn_str(NULL), SN_STR("")));
}

static void integers_stop_at_their_type(void **state)
{
	uint64_t u = 7;
	int64_t i = 7;

	(void)state;
	assert_int_equal(sn_parse_u64(s("18446744073709551615"), 0, UINT64_MAX, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(sn_parse_u64(s("18446744073709551616"), 0, UINT64_MAX, &u), -ERANGE);
	assert_int_equal(sn_parse_i64(s("-9223372036854775808"), INT64_MIN, INT64_MAX, &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(sn_parse_i64(s("-9223372036854775809"), INT64_MIN, INT64_MAX, &i),
			 -ERANGE);
	assert_int_equal(sn_parse_i64(s("9223372036854775808"), INT64_MIN, INT64_MAX, &i), -ERANGE);
}

static void integers_stop_at_the_given_range(void **state)
{
	uint64_t u = 7;

	(void)state;
	assert_int_equal(sn_parse_u64(s("10"), 1, 10, &u), 0);
	assert_int_equal(sn_parse_u64(s("11"), 1, 10, &u), -ERANGE);
	assert_int_equal(sn_parse_u64(s("0"), 1, 10, &u), -ERANGE);
	assert_int_equal(u, 10);
}

static void integers_refuse_anything_around_the_digits(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "1x", "0x10", "-", "--1", "1.0"};
	int64_t i;

	(void)state;
	for (size_t k = 0; k < SN_COUNT(bad); k++)
		assert_int_equal(sn_parse_i64(s(bad[k]), INT64_MIN, INT64_MAX, &i), -EINVAL);
	assert_int_equal(sn_parse_i64((struct sn_str){"12", 1}, 0, 9, &i), 0);
	assert_int_equal(i, 1);
}

static void numbers_are_finite_decimals(void **state)
{
	static const char *const bad[] = {"",   "nan", "inf", "0x1", ".5",
					  "5.", "1e",  "1e+", "+1",  " 1"};
	double d = 0;

	(void)state;
	assert_int_equal(sn_parse_double(s("-1.5e-3"), -1, 1, &d), 0);
	assert_true(d == -1.5e-3);
	assert_int_equal(sn_parse_double(s("1e999"), -1e308, 1e308, &d), -ERANGE);
	assert_int_equal(sn_parse_double(s("2"), 0, 1, &d), -ERANGE);
	for (size_t k = 0; k < SN_COUNT(bad); k++)
		assert_int_equal(sn_parse_double(s(bad[k]), -1e9, 1e9, &d), -EINVAL);
}

static void numbers_have_a_longest_text(void **state)
{
	char text[66];
	double d;

	(void)state;
	memset(text, '1', sizeof(text));
	assert_int_equal(sn_parse_double((struct sn_str){text, 63}, 0, 1e300, &d), 0);
	assert_int_equal(sn_parse_double((struct sn_str){text, 64}, 0, 1e300, &d), -EINVAL);
}

static void booleans_are_words(void **state)
{
	bool b = false;

	(void)state;
	assert_int_equal(sn_parse_bool(s("on"), &b), 0);
	assert_true(b);
	assert_int_equal(sn_parse_bool(s("no"), &b), 0);
	assert_false(b);
	assert_int_equal(sn_parse_bool(s("1"), &b), -EINVAL);
	assert_int_equal(sn_parse_bool(s("True"), &b), -EINVAL);
}

static void durations_are_read_in_both_notations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{"0", 0},
		{"0s", 0},
		{"250ms", 250 * SN_NS_PER_MS},
		{"10s", 10 * SN_NS_PER_S},
		{"1h30m", 5400 * SN_NS_PER_S},
		{"1.5s", 1500 * SN_NS_PER_MS},
		{"1w2d3h4m5s6ms7us8ns", 788645006007008},
		{"106751d23h47m16.854775807s", INT64_MAX},
		{"PT5M", 300 * SN_NS_PER_S},
		{"PT0.25S", 250 * SN_NS_PER_MS},
		{"P1DT2H", 26 * 3600 * SN_NS_PER_S},
		{"P2W", 14 * 86400 * SN_NS_PER_S},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(good); i++) {
		int64_t ns = -1;

		assert_int_equal(sn_parse_duration(s(good[i].text), &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void durations_refuse_what_has_no_one_meaning(void **state)
{
	static const char *const bad[] = {"",      "10",  "-1s",  "1m1h",  "1s1s",     "1 s",
					  "s",     "1y",  "1.s",  "P",     "PT",       "P1Y",
					  "P1M",   "P1H", "PT1D", "P1DT",  "PT1.5M1S", "pt5m",
					  "PT5Mx", "1hT", "5M",   "PT5M5M"};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_int_equal(sn_parse_duration(s(bad[i]), &ns), -EINVAL);
	assert_int_equal(sn_parse_duration(s("106751d23h47m16.854775808s"), &ns), -ERANGE);
	assert_int_equal(sn_parse_duration(s("99999999999999999999s"), &ns), -ERANGE);
	assert_int_equal(sn_parse_duration(s("P99999999W"), &ns), -ERANGE);
}

static void durations_are_written_short(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{1, "1ns"},
		{1500, "1.5us"},
		{250 * SN_NS_PER_MS, "250ms"},
		{1500 * SN_NS_PER_MS, "1.5s"},
		{60 * SN_NS_PER_S, "1m"},
		{5400 * SN_NS_PER_S, "1h30m"},
		{10 * 86400 * SN_NS_PER_S + 1, "10d1ns"},
		{-5 * SN_NS_PER_S, "-5s"},
		{INT64_MAX, "106751d23h47m16.854775807s"},
		{INT64_MIN, "-106751d23h47m16.854775808s"},
	};
	char text[SN_DURATION_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		assert_string_equal(sn_format_duration(cases[i].ns, text, sizeof(text)),
				    cases[i].text);
}

static void sizes_know_decimal_and_binary_prefixes(void **state)
{
	uint64_t n = 0;

	(void)state;
	assert_int_equal(sn_parse_size(s("64"), &n), 0);
	assert_int_equal(n, 64);
	assert_int_equal(sn_parse_size(s("1.5kB"), &n), 0);
	assert_int_equal(n, 1500);
	assert_int_equal(sn_parse_size(s("2GiB"), &n), 0);
	assert_true(n == 2ULL << 30);
	assert_int_equal(sn_parse_size(s("16777215TiB"), &n), 0);
	assert_int_equal(sn_parse_size(s("16777216TiB"), &n), -ERANGE);
	assert_int_equal(sn_parse_size(s("1.5"), &n), -EINVAL);
	assert_int_equal(sn_parse_size(s("10KB"), &n), -EINVAL);
	assert_int_equal(sn_parse_size(s("-1"), &n), -EINVAL);
	assert_int_equal(sn_parse_size(s("10 MB"), &n), -EINVAL);
}

static void rates_and_ratios(void **state)
{
	uint64_t bps = 0;
	double ratio = 0;

	(void)state;
	assert_int_equal(sn_parse_rate(s("20Mbit"), &bps), 0);
	assert_int_equal(bps, 20000000);
	assert_int_equal(sn_parse_rate(s("9600"), &bps), 0);
	assert_int_equal(bps, 9600);
	assert_int_equal(sn_parse_rate(s("20MB"), &bps), -EINVAL);
	assert_int_equal(sn_parse_ratio(s("1%"), &ratio), 0);
	assert_true(ratio == 0.01);
	assert_int_equal(sn_parse_ratio(s("0.25"), &ratio), 0);
	assert_true(ratio == 0.25);
	assert_int_equal(sn_parse_ratio(s("1.01"), &ratio), -ERANGE);
	assert_int_equal(sn_parse_ratio(s("101%"), &ratio), -ERANGE);
	assert_int_equal(sn_parse_ratio(s("%"), &ratio), -EINVAL);
}

static void times_are_read_with_offset_and_fraction(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1985-04-12T23:20:50.52Z", 482196050520000000},
		{"1996-12-19T16:39:57-08:00", 851042397000000000},
		{"1990-12-31T23:59:60Z", 662688000000000000},
		{"1990-12-31T15:59:60-08:00", 662688000000000000},
		{"2000-02-29t12:00:00z", 951825600000000000},
		{"1969-12-31T23:59:59.999999999Z", -1},
		{"2026-03-01T12:00:00.1234567899999Z", 1772366400123456789},
		{"2262-04-11T23:47:16.854775807Z", INT64_MAX},
		{"1677-09-21T00:12:43.145224192Z", INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(good); i++) {
		int64_t ns = 1;

		assert_int_equal(sn_parse_time(s(good[i].text), 0, &ns), 0);
		assert_true(ns == good[i].ns);
	}
}

static void times_outside_the_calendar_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"2026-03-01",
		"2026-03-01T12:00:00",
		"2026-02-29T12:00:00Z",
		"2026-13-01T12:00:00Z",
		"2026-00-01T12:00:00Z",
		"2026-03-00T12:00:00Z",
		"1900-02-29T12:00:00Z",
		"2026-03-01T24:00:00Z",
		"2026-03-01T12:60:00Z",
		"2026-03-01T12:00:60Z",
		"2026-03-01T12:00:61Z",
		"2026-03-01T12:00:00.Z",
		"2026-03-01T12:00:00+2400",
		"2026-03-01T12:00:00+24:00",
		"2026-03-01T12:00:00Z ",
		"26-03-01T12:00:00Z",
		"yesterday",
		"-",
		"-15",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_int_equal(sn_parse_time(s(bad[i]), 0, &ns), -EINVAL);
	assert_int_equal(sn_parse_time(s("2262-04-11T23:47:16.854775808Z"), 0, &ns), -ERANGE);
	assert_int_equal(sn_parse_time(s("0000-01-01T00:00:00Z"), 0, &ns), -ERANGE);
	assert_int_equal(sn_parse_time(s("-1s"), INT64_MIN, &ns), -ERANGE);
}

static void times_may_be_relative_to_now(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_int_equal(sn_parse_time(s("now"), 1000, &ns), 0);
	assert_int_equal(ns, 1000);
	assert_int_equal(sn_parse_time(s("-15m"), 1000 * SN_NS_PER_S, &ns), 0);
	assert_int_equal(ns, 100 * SN_NS_PER_S);
}

static void a_day_alone_is_its_beginning(void **state)
{
	static const char *const bad[] = {"2026-02-29",  "2026-3-1",    "20260301",
					  "2026-03-01 ", "2026-03-01T", "0000-01-01"};
	int64_t ns = 0;

	(void)state;
	assert_int_equal(sn_parse_when(s("2026-03-01"), 0, &ns), 0);
	assert_int_equal(ns, 1772323200 * SN_NS_PER_S);
	assert_int_equal(sn_parse_when(s("1969-12-31"), 0, &ns), 0);
	assert_int_equal(ns, -86400 * SN_NS_PER_S);
	assert_int_equal(sn_parse_when(s("2026-03-01T12:00:00Z"), 0, &ns), 0);
	assert_int_equal(ns, 1772366400 * SN_NS_PER_S);
	assert_int_equal(sn_parse_when(s("-1s"), 5 * SN_NS_PER_S, &ns), 0);
	assert_int_equal(ns, 4 * SN_NS_PER_S);
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_true(sn_parse_when(s(bad[i]), 0, &ns) < 0);
	assert_int_equal(ns, 4 * SN_NS_PER_S);
}

static void times_are_written_with_nanoseconds(void **state)
{
	char text[SN_TIME_TEXT_MAX];

	(void)state;
	assert_string_equal(sn_format_time(1772366400123456789, text, sizeof(text)),
			    "2026-03-01T12:00:00.123456789Z");
	assert_string_equal(sn_format_time(-1, text, sizeof(text)),
			    "1969-12-31T23:59:59.999999999Z");
	assert_string_equal(sn_format_time(INT64_MIN, text, sizeof(text)),
			    "1677-09-21T00:12:43.145224192Z");
	assert_string_equal(sn_format_time(0, text, 5), "1970");
}

static void every_day_of_four_centuries_comes_back(void **state)
{
	char text[SN_TIME_TEXT_MAX];
	const int64_t day_ns = 86400 * SN_NS_PER_S;

	(void)state;
	for (int64_t day = -90000; day < 60000; day++) {
		int64_t ns = 0;

		sn_format_time(day * day_ns, text, sizeof(text));
		assert_int_equal(sn_parse_time(s(text), 0, &ns), 0);
		assert_true(ns == day * day_ns);
	}
}

static void bytes_are_rounded_to_one_decimal(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1000, "1.0 kB"},
		{12345678, "12.3 MB"},
		{999949, "999.9 kB"},
		{999950, "1.0 MB"},
		{UINT64_MAX, "18.4 EB"},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		assert_string_equal(sn_format_bytes(cases[i].bytes, text, sizeof(text)),
				    cases[i].text);
}

static void hex_goes_both_ways_and_refuses_other_sizes(void **state)
{
	static const unsigned char data[] = {0x00, 0xab, 0xff};
	char text[7];
	unsigned char back[3];

	(void)state;
	assert_string_equal(sn_hex(data, 3, text), "00abff");
	assert_int_equal(sn_unhex(s("00ABff"), back, 3), 0);
	assert_memory_equal(back, data, 3);
	assert_int_equal(sn_unhex(s("00abf"), back, 3), -EINVAL);
	assert_int_equal(sn_unhex(s("00abff00"), back, 3), -EINVAL);
	assert_int_equal(sn_unhex(s("00abfg"), back, 3), -EINVAL);
}

static void suggestion_is_the_nearest_word_or_none(void **state)
{
	static const char *const words[] = {"interval", "target", "payload", "count"};

	(void)state;
	assert_string_equal(sn_suggest("intreval", words, 4), "interval");
	assert_string_equal(sn_suggest("taget", words, 4), "target");
	assert_null(sn_suggest("wavelength", words, 4));
	assert_null(sn_suggest("", words, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_gives_every_part_and_then_ends),
		cmocka_unit_test(split_of_an_empty_text_is_one_empty_part),
		cmocka_unit_test(trim_takes_blanks_off_both_ends_only),
		cmocka_unit_test(prefix_and_equality_respect_the_length),
		cmocka_unit_test(integers_stop_at_their_type),
		cmocka_unit_test(integers_stop_at_the_given_range),
		cmocka_unit_test(integers_refuse_anything_around_the_digits),
		cmocka_unit_test(numbers_are_finite_decimals),
		cmocka_unit_test(numbers_have_a_longest_text),
		cmocka_unit_test(booleans_are_words),
		cmocka_unit_test(durations_are_read_in_both_notations),
		cmocka_unit_test(durations_refuse_what_has_no_one_meaning),
		cmocka_unit_test(durations_are_written_short),
		cmocka_unit_test(sizes_know_decimal_and_binary_prefixes),
		cmocka_unit_test(rates_and_ratios),
		cmocka_unit_test(times_are_read_with_offset_and_fraction),
		cmocka_unit_test(times_outside_the_calendar_are_refused),
		cmocka_unit_test(times_may_be_relative_to_now),
		cmocka_unit_test(a_day_alone_is_its_beginning),
		cmocka_unit_test(times_are_written_with_nanoseconds),
		cmocka_unit_test(every_day_of_four_centuries_comes_back),
		cmocka_unit_test(bytes_are_rounded_to_one_decimal),
		cmocka_unit_test(hex_goes_both_ways_and_refuses_other_sizes),
		cmocka_unit_test(suggestion_is_the_nearest_word_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
