/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rand.h"

static void commas_go_between_members_only(void **state)
{
	struct sn_buf buf = {0};
	struct sn_jw jw;

	(void)state;
	sn_jw_init(&jw, &buf);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "a", "x");
	sn_jw_kcstr(&jw, "none", NULL);
	sn_jw_key(&jw, "list");
	sn_jw_array(&jw);
	sn_jw_i64(&jw, -1);
	sn_jw_object(&jw);
	sn_jw_object_end(&jw);
	sn_jw_array(&jw);
	sn_jw_array_end(&jw);
	sn_jw_bool(&jw, true);
	sn_jw_array_end(&jw);
	sn_jw_ku64(&jw, "big", UINT64_MAX);
	sn_jw_kbool(&jw, "no", false);
	sn_jw_kdouble(&jw, "d", 0.5);
	sn_jw_ktime(&jw, "t", 0);
	sn_jw_object_end(&jw);
	assert_string_equal(sn_buf_cstr(&buf),
			    "{\"a\":\"x\",\"none\":null,\"list\":[-1,{},[],true],"
			    "\"big\":18446744073709551615,\"no\":false,\"d\":0.5,"
			    "\"t\":\"1970-01-01T00:00:00.000000000Z\"}");
	sn_buf_finish(&buf);
}

static const char *write_double(struct sn_buf *buf, double value)
{
	struct sn_jw jw;

	sn_buf_clear(buf);
	sn_jw_init(&jw, buf);
	sn_jw_double(&jw, value);
	return sn_buf_cstr(buf);
}

static void doubles_are_written_short(void **state)
{
	struct sn_buf buf = {0};

	(void)state;
	assert_string_equal(write_double(&buf, 0.1), "0.1");
	assert_string_equal(write_double(&buf, 12), "12");
	assert_string_equal(write_double(&buf, -3), "-3");
	assert_string_equal(write_double(&buf, -0.0), "-0.0");
	assert_string_equal(write_double(&buf, 1.0 / 3), "0.3333333333333333");
	assert_string_equal(write_double(&buf, 0.1 + 0.2), "0.30000000000000004");
	assert_string_equal(write_double(&buf, 1e300), "1e+300");
	assert_string_equal(write_double(&buf, NAN), "null");
	assert_string_equal(write_double(&buf, -INFINITY), "null");
	sn_buf_finish(&buf);
}

static void doubles_come_back_exactly(void **state)
{
	static const double values[] = {DBL_MAX,
					DBL_MIN,
					DBL_EPSILON,
					5e-324,
					9007199254740991.0,
					9007199254740992.0,
					9007199254740994.0,
					1e15,
					123456.789,
					-1.7976931348623155e308};
	struct sn_buf buf = {0};
	struct sn_prng prng;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(values); i++)
		assert_true(strtod(write_double(&buf, values[i]), NULL) == values[i]);
	sn_prng_seed(&prng, 3);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = sn_prng_u64(&prng);
		double value;

		memcpy(&value, &bits, sizeof(value));
		if (isfinite(value))
			assert_true(strtod(write_double(&buf, value), NULL) == value);
	}
	sn_buf_finish(&buf);
}

static void texts_are_escaped_and_repaired(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"a\"b\\c", "a\\\"b\\\\c"},
		{"\b\f\n\r\t\x01\x7f", "\\b\\f\\n\\r\\t\\u0001\\u007f"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\xff", "\xef\xbf\xbd"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe0\x9f\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2x\"", "\xef\xbf\xbdx\\\""},
	};
	struct sn_buf buf = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_buf_clear(&buf);
		sn_json_escape(&buf, sn_str(cases[i].in));
		assert_string_equal(sn_buf_cstr(&buf), cases[i].out);
	}
	sn_buf_finish(&buf);
}

static void every_byte_pair_becomes_a_text_that_a_parser_takes(void **state)
{
	struct sn_buf buf = {0};

	(void)state;
	for (unsigned pair = 0; pair < 65536; pair += 7) {
		char bytes[] = {(char)(pair >> 8), (char)pair};
		struct sn_jw jw;

		sn_buf_clear(&buf);
		sn_jw_init(&jw, &buf);
		sn_jw_array(&jw);
		sn_jw_str(&jw, (struct sn_str){bytes, 2});
		sn_jw_array_end(&jw);
		/* Jansson takes no NUL in texts unless told to. */
		json_t *json = json_loadb(buf.p, buf.n, JSON_ALLOW_NUL, NULL);
		assert_non_null(json);
		json_decref(json);
	}
	sn_buf_finish(&buf);
}

static void parse_names_line_and_column(void **state)
{
	static const char text[] = "{\"a\": 1,\n \"b\" 2}";
	struct sn_err err = {0};

	(void)state;
	assert_null(sn_json_parse(text, sizeof(text) - 1, &err));
	assert_int_equal(err.code, -EINVAL);
	assert_non_null(strstr(err.text, "line 2, column 6"));
}

static void parse_refuses_what_is_not_exactly_one_document(void **state)
{
	static const char *const bad[] = {
		"",        "{\"a\":1,\"a\":2}",      "{} {}",       "{\"a\":\"\xff\"}",
		"[1e999]", "[18446744073709551616]", "{\"a\":NaN}", "1"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_null(sn_json_parse(bad[i], strlen(bad[i]), NULL));
	assert_null(sn_json_parse(NULL, 0, NULL));
}

static void members_are_typed(void **state)
{
	static const char text[] = "{\"s\":\"x\",\"i\":-5,\"d\":1.5,\"b\":true,\"n\":null}";
	sn_autojson json_t *json = sn_json_parse(text, sizeof(text) - 1, NULL);
	struct sn_err err = {0};
	const char *s;
	int64_t i;
	double d;
	bool b = false;

	(void)state;
	assert_int_equal(sn_json_get_str(json, "s", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(sn_json_get_i64(json, "i", &i, &err), 0);
	assert_int_equal(i, -5);
	assert_int_equal(sn_json_get_double(json, "d", &d, &err), 0);
	assert_true(d == 1.5);
	assert_int_equal(sn_json_get_double(json, "i", &d, &err), 0);
	assert_true(d == -5);
	assert_int_equal(sn_json_get_bool(json, "b", &b, &err), 0);
	assert_true(b);
	assert_int_equal(sn_json_get_i64(json, "d", &i, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'d'"));
	assert_int_equal(sn_json_get_str(json, "n", &s, &err), -EINVAL);
	assert_int_equal(sn_json_get_bool(json, "x", &b, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'x'"));
	assert_int_equal(sn_json_get_bool(NULL, "x", &b, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_go_between_members_only),
		cmocka_unit_test(doubles_are_written_short),
		cmocka_unit_test(doubles_come_back_exactly),
		cmocka_unit_test(texts_are_escaped_and_repaired),
		cmocka_unit_test(every_byte_pair_becomes_a_text_that_a_parser_takes),
		cmocka_unit_test(parse_names_line_and_column),
		cmocka_unit_test(parse_refuses_what_is_not_exactly_one_document),
		cmocka_unit_test(members_are_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
