/* SPDX-License-Identifier: Apache-2.0 */
/* The words of `sonde measure` held against what a capability declares. */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/measure/capability.h"
#include "cli/output.h"

static json_t *native, *peer, *plain;

static int set_up(void **state)
{
	(void)state;
	native = json_loads("{\"label\":\"ping\",\"parameters\":["
			    "{\"name\":\"targets\",\"type\":\"targets\",\"required\":true},"
			    "{\"name\":\"count\",\"type\":\"count\",\"required\":false}]}",
			    0, NULL);
	peer = json_loads(
		"{\"label\":\"ping-average-ip4\",\"parameters\":["
		"{\"name\":\"source.ip4\",\"type\":\"address\",\"constraint\":\"192.0.2.1\","
		"\"required\":true},"
		"{\"name\":\"destination.ip4\",\"type\":\"address\",\"constraint\":\"*\","
		"\"required\":true}]}",
		0, NULL);
	plain = json_loads("{\"label\":\"load\",\"parameters\":["
			   "{\"name\":\"log.type\",\"type\":\"string\",\"constraint\":\"*\","
			   "\"required\":true},"
			   "{\"name\":\"log.folder\",\"type\":\"string\",\"constraint\":\"*\","
			   "\"required\":true}]}",
			   0, NULL);
	return native != NULL && peer != NULL && plain != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(native);
	json_decref(peer);
	json_decref(plain);
	return 0;
}

/* The parameters as text, or the error. */
static const char *read_words(const json_t *capability, const char *words)
{
	static char text[1024];
	char copy[256], *argv[8];
	int argc = 0;
	sn_autojson json_t *parameters = NULL;
	struct sn_err err = {0};
	struct sn_buf out = {0};

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok(copy, " "); word != NULL && argc < 8; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (sn_capability_parameters(capability, argc, argv, &parameters, &err) != 0) {
		snprintf(text, sizeof(text), "%s", err.text);
		return text;
	}
	sn_output_json(&out, parameters);
	snprintf(text, sizeof(text), "%s", sn_buf_cstr(&out));
	sn_buf_finish(&out);
	return text;
}

static void bare_words_are_targets(void **state)
{
	(void)state;
	assert_string_equal(read_words(native, "a.example b.example"),
			    "{\"targets\":[\"a.example\",\"b.example\"]}");
	assert_string_equal(read_words(native, "targets=a.example,b.example count=3"),
			    "{\"targets\":[\"a.example\",\"b.example\"],\"count\":\"3\"}");
}

static void bare_word_goes_to_the_one_address_that_is_free(void **state)
{
	(void)state;
	assert_string_equal(read_words(peer, "192.0.2.9"), "{\"destination.ip4\":\"192.0.2.9\"}");
	assert_non_null(strstr(read_words(peer, "192.0.2.9 192.0.2.10"), "destination.ip4"));
}

static void bare_word_is_refused_where_it_could_be_several(void **state)
{
	(void)state;
	assert_non_null(strstr(read_words(plain, "x"), "which parameter is that"));
}

static void mistyped_names_get_a_suggestion(void **state)
{
	(void)state;
	assert_non_null(strstr(read_words(native, "cuont=3"), "did you mean 'count'"));
	assert_non_null(strstr(read_words(native, "whatever=3"), "sonde cap show ping"));
}

static void address_with_a_query_is_no_parameter(void **state)
{
	(void)state;
	assert_string_equal(read_words(native, "http://a.example/?q=1"),
			    "{\"targets\":[\"http://a.example/?q=1\"]}");
}

static void value_may_hold_an_equals_sign_or_nothing(void **state)
{
	(void)state;
	assert_string_equal(read_words(native, "count=a=b"), "{\"count\":\"a=b\"}");
	assert_string_equal(read_words(native, "count="), "{\"count\":\"\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bare_words_are_targets),
		cmocka_unit_test(bare_word_goes_to_the_one_address_that_is_free),
		cmocka_unit_test(bare_word_is_refused_where_it_could_be_several),
		cmocka_unit_test(mistyped_names_get_a_suggestion),
		cmocka_unit_test(address_with_a_query_is_no_parameter),
		cmocka_unit_test(value_may_hold_an_equals_sign_or_nothing),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
