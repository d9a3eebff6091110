/* SPDX-License-Identifier: Apache-2.0 */
/* Every digit is the one that printf(3) writes, and every line what its fields are one by one. */
#include "lib/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "meter/log/number.h"
#include "meter/log/record.h"

#define ROUNDS 500000

static uint64_t state_of_random = 88172645463325252ULL;

/* xorshift64 (Marsaglia, 2003): the same numbers in every run. */
static uint64_t next_random(void)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random;
}

static void check(double value, unsigned decimals)
{
	char ours[SN_NUMBER_MAX + 1], theirs[SN_NUMBER_MAX + 1];

	*sn_put_fixed(ours, value, decimals) = '\0';
	snprintf(theirs, sizeof(theirs), "%.*f", (int)decimals, value);
	if (strcmp(ours, theirs) != 0)
		fail_msg("%a with %u decimals: '%s' instead of '%s'", value, decimals, ours,
			 theirs);
}

/* Microseconds of Unix time between 1990 and 2080, divided as Tstat divides them. */
static void times_have_the_digits_of_printf(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		double us = 631152000e6 + (double)(next_random() % 2840140800000000ULL);

		check(us / 1000.0, 6);
		check(us / 1e6, 6);
	}
}

static void differences_and_averages_have_the_digits_of_printf(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 2; i++) {
		double us = (double)(next_random() % (1ULL << (next_random() % 45)));
		double count = (double)(next_random() % 1000 + 1);

		check(us / 1000.0, 6);
		check(us / (count + 0.0001) / 1000.0, 6);
		check(sqrt(us) / 1000.0, 3);
	}
}

static void any_double_has_the_digits_of_printf(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 10; i++) {
		uint64_t bits = next_random();
		double value;

		memcpy(&value, &bits, sizeof(value));
		if (isfinite(value))
			check(value, 1 + (unsigned)(bits % SN_NUMBER_DECIMALS));
	}
}

static void halves_are_rounded_to_even(void **state)
{
	static const double values[] = {0.5,
					1.5,
					2.5,
					0.0000005,
					0.0000015,
					0.25,
					0.75,
					0.125,
					0.375,
					0.0,
					-0.0,
					-1.5,
					DBL_MIN,
					DBL_MAX,
					-DBL_MAX,
					1e13,
					1.8446744073709552e13,
					9.9999995,
					0.9999995,
					0.9999999999999999,
					1e15,
					4503599627370496.5};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(values); i++)
		for (unsigned decimals = 1; decimals <= SN_NUMBER_DECIMALS; decimals++)
			check(values[i], decimals);
	for (int i = 1; i < 4096; i++)
		check(ldexp(i, -7), 6);
}

/* All of the hundreds of which longer numbers are made. */
static void four_digits_are_those_of_printf(void **state)
{
	char ours[SN_NUMBER_MAX + 1], theirs[SN_NUMBER_MAX + 1];

	(void)state;
	for (unsigned value = 0; value < 10000; value++) {
		uint64_t both = value * 10000ULL + (9999 - value);

		*sn_put_u64(ours, both) = '\0';
		snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)both);
		assert_string_equal(ours, theirs);
	}
}

static void integers_and_short_numbers_are_those_of_printf(void **state)
{
	static const int64_t integers[] = {0,     9,  10,     99,        100,
					   12345, -1, -32768, INT64_MAX, INT64_MIN};
	static const double doubles[] = {0, -0.0, 24.2122, 416036, 1e-7, 51.285714, 1e20, 70837.8};
	char ours[SN_NUMBER_MAX + 1], theirs[SN_NUMBER_MAX + 1];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(integers); i++) {
		*sn_put_i64(ours, integers[i]) = '\0';
		snprintf(theirs, sizeof(theirs), "%lld", (long long)integers[i]);
		assert_string_equal(ours, theirs);
	}
	*sn_put_u64(ours, UINT64_MAX) = '\0';
	assert_string_equal(ours, "18446744073709551615");
	for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
		for (uint64_t value = power * 10 - 2; value != power * 10 + 2; value++) {
			*sn_put_u64(ours, value) = '\0';
			snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)value);
			assert_string_equal(ours, theirs);
		}
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t value = next_random() >> next_random() % 64;

		*sn_put_u64(ours, value) = '\0';
		snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)value);
		assert_string_equal(ours, theirs);
		*sn_put_nine(ours, (uint32_t)(value % 1000000000)) = '\0';
		snprintf(theirs, sizeof(theirs), "%09u", (uint32_t)(value % 1000000000));
		assert_string_equal(ours, theirs);
	}
	for (size_t i = 0; i < SN_COUNT(doubles); i++) {
		*sn_put_general(ours, doubles[i]) = '\0';
		snprintf(theirs, sizeof(theirs), "%g", doubles[i]);
		assert_string_equal(ours, theirs);
	}
}

/* Lines -------------------------------------------------------------------- */

#define LINE_MAX 65536

static struct sn_record record;
static char text_room[SN_RECORD_FIELDS_MAX][40];

/* Mostly what text is made of, now and then what must not be in a line. */
static struct sn_str any_text(char *room)
{
	static const char odd[] = " \t\n\r\177\0\x1f\x80\xff_";
	size_t n = next_random() % 40;

	for (size_t i = 0; i < n; i++)
		room[i] = next_random() % 16 == 0 ? odd[next_random() % (sizeof(odd) - 1)]
						  : (char)(' ' + next_random() % 95);
	return (struct sn_str){room, n};
}

static void any_fields(const struct sn_tstat_table *table)
{
	sn_record_begin(&record, table);
	for (size_t i = 0; i < table->count; i++) {
		uint64_t random = next_random();

		if (table->columns[i].type == SN_TSTAT_TYPE_TEXT)
			sn_record_s(&record, any_text(text_room[i]));
		else if (table->columns[i].type == SN_TSTAT_TYPE_INTEGER ||
			 table->columns[i].type == SN_TSTAT_TYPE_FLAG)
			sn_record_i(&record,
				    random % 3 != 0 ? 0 : (int64_t)(random >> random % 64));
		else
			sn_record_f(&record, random % 4 == 0    ? 0
					     : random % 64 == 1 ? -0.0
					     : random % 64 == 2 ? NAN
								: (double)(random >> 30) / 1e3);
	}
}

static char *naive_text(char *p, struct sn_str text, char separator)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		*p++ = text.p[i] == separator || (c < ' ' && c != '\t') || c == 0x7f ? '_'
										     : text.p[i];
	}
	if (text.n == 0)
		*p++ = '-';
	return p;
}

static size_t naive_line(uint8_t level, char *out)
{
	const struct sn_tstat_table *table = record.table;
	char *p = out;

	for (size_t i = 0; i < table->count; i++) {
		const union sn_field *field = &record.fields[i];
		enum sn_tstat_type type = table->columns[i].type;

		if (!sn_tstat_in_level(&table->columns[i], level))
			continue;
		if (type == SN_TSTAT_TYPE_INTEGER || type == SN_TSTAT_TYPE_FLAG)
			p += sprintf(p, "%lld", (long long)field->i);
		else if (type == SN_TSTAT_TYPE_TEXT)
			p = naive_text(p, field->s, table->separator);
		else if (isnan(field->f))
			p += sprintf(p, "0.0");
		else
			p += sprintf(p,
				     type == SN_TSTAT_TYPE_GENERAL ? "%g"
				     : type == SN_TSTAT_TYPE_MILLI ? "%.3f"
								   : "%f",
				     field->f);
		*p++ = table->separator;
	}
	if (p > out)
		p[-1] = '\n';
	return (size_t)(p - out);
}

static void every_line_is_what_its_fields_are(void **state)
{
	static char expected[LINE_MAX];
	struct sn_buf line = {0};

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned log = i % (SN_TSTAT_LOGS + 1);
		const struct sn_tstat_table *table =
			log < SN_TSTAT_LOGS ? &sn_tstat_tables[log] : &sn_tstat_http_responses;
		uint8_t level = (uint8_t)(next_random() % 4 == 0 ? next_random() : 31);
		size_t n;

		if (table->count == 0)
			continue;
		any_fields(table);
		sn_buf_clear(&line);
		sn_record_write(&record, level, &line);
		n = naive_line(level, expected);
		if (line.n != n || memcmp(line.p, expected, n) != 0)
			fail_msg("%s: '%.*s' is not '%.*s'", table->name, (int)line.n, line.p,
				 (int)n, expected);
	}
	sn_buf_finish(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_the_digits_of_printf),
		cmocka_unit_test(differences_and_averages_have_the_digits_of_printf),
		cmocka_unit_test(any_double_has_the_digits_of_printf),
		cmocka_unit_test(halves_are_rounded_to_even),
		cmocka_unit_test(four_digits_are_those_of_printf),
		cmocka_unit_test(integers_and_short_numbers_are_those_of_printf),
		cmocka_unit_test(every_line_is_what_its_fields_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
