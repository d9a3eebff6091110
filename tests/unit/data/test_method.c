/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/method.h"

#include "base/json.h"
#include "base/str.h"
#include "base/util.h"

static const struct sn_param sample_params[] = {
	{.name = "hosts", .type = SN_PARAM_TARGETS, .argument = "HOST", .help = "whom to ask"},
	{.name = "fast", .type = SN_PARAM_FLAG, .help = "hurry"},
	{.name = "limit",
	 .type = SN_PARAM_COUNT,
	 .min = 10,
	 .argument = "N",
	 .help = "at least 10"},
};
static const struct sn_method sample = {
	.name = "sample",
	.program = "sonde-probe",
	.params = sample_params,
	.param_count = SN_COUNT(sample_params),
};

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (json == NULL)
		fail_msg("bad test: %s", text);
	return json;
}

static int check(const struct sn_method *method, const char *text, struct sn_err *err)
{
	sn_autojson json_t *parameters = parse(text);

	return sn_method_check(method, parameters, err);
}

static void accepted(const struct sn_method *method, const char *text)
{
	struct sn_err err = {0};

	if (check(method, text, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void refused(const struct sn_method *method, const char *text, const char *reason)
{
	struct sn_err err = {0};

	assert_true(check(method, text, &err) < 0);
	assert_string_equal(err.text, reason);
}

static void good_parameters_are_taken_as_text_number_or_truth_value(void **state)
{
	(void)state;
	accepted(&sn_method_ping, "{\"targets\":[\"192.0.2.1\"]}");
	accepted(&sn_method_ping,
		 "{\"targets\":[\"localhost\",\"2001:db8::1\",\"fe80::1%eth0.5\",\"a-b.example.\"],"
		 "\"count\":5,\"interval\":\"200ms\",\"timeout\":\"1.5s\",\"size\":\"1kB\","
		 "\"ttl\":\"64\",\"family\":4,\"interface\":\"lo\",\"period\":\"10s\"}");
	accepted(&sn_method_ping, "{\"targets\":\"localhost\",\"family\":\"6\",\"size\":0}");
	accepted(&sample, "{\"fast\":true,\"limit\":10}");
	accepted(&sample, "{\"fast\":\"no\",\"limit\":\"18446744073709551615\"}");
	accepted(&sample, "{}");
}

static void mistakes_are_named_with_reason_and_remedy(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"[]", "the parameters are not an object"},
		{"{}", "parameter 'targets' is missing (host names or addresses to ask)"},
		{"{\"targets\":[\"::1\"],\"cuont\":1}",
		 "unknown parameter 'cuont' (did you mean 'count'?)"},
		{"{\"targets\":[\"::1\"],\"zzzzzzzz\":1}",
		 "method 'ping' has no parameter 'zzzzzzzz'"},
		{"{\"targets\":[\"::1\"],\"\\u001b[2J\":1}", "method 'ping' has no parameter '?'"},
		{"{\"targets\":[\"::1\"],\"count\":0}",
		 "parameter 'count' is outside of 1 to 65535"},
		{"{\"targets\":[\"::1\"],\"count\":65536}",
		 "parameter 'count' is outside of 1 to 65535"},
		{"{\"targets\":[\"::1\"],\"count\":\"99999999999999999999\"}",
		 "parameter 'count' is outside of 1 to 65535"},
		{"{\"targets\":[\"::1\"],\"count\":-1}", "parameter 'count' begins with '-'"},
		{"{\"targets\":[\"::1\"],\"count\":1.5}",
		 "parameter 'count' is a fraction without a unit"},
		{"{\"targets\":[\"::1\"],\"count\":\"five\"}",
		 "parameter 'count' is not a whole number"},
		{"{\"targets\":[\"::1\"],\"count\":true}",
		 "parameter 'count' is a truth value where none is meant"},
		{"{\"targets\":[\"::1\"],\"count\":null}",
		 "parameter 'count' is neither a text nor a number"},
		{"{\"targets\":[\"::1\"],\"count\":[1]}",
		 "parameter 'count' is neither a text nor a number"},
		{"{\"targets\":[\"::1\"],\"interval\":200}",
		 "parameter 'interval' is not a time (write it with its unit, like \"200ms\" or "
		 "\"10s\")"},
		{"{\"targets\":[\"::1\"],\"interval\":\"10us\"}",
		 "parameter 'interval' is outside of 1ms to 1h"},
		{"{\"targets\":[\"::1\"],\"size\":65001}",
		 "parameter 'size' is outside of 0 to 65000"},
		{"{\"targets\":[\"::1\"],\"size\":\"big\"}",
		 "parameter 'size' is not a size (write it like 64 or 10kB)"},
		{"{\"targets\":[\"::1\"],\"family\":5}", "parameter 'family' is none of 4|6"},
		{"{\"targets\":[\"::1\"],\"interface\":\"\"}", "parameter 'interface' is empty"},
		{"{\"targets\":[\"::1\"],\"interface\":\"-I\"}",
		 "parameter 'interface' begins with '-'"},
		{"{\"targets\":[\"::1\"],\"interface\":\"a\\nb\"}",
		 "parameter 'interface' has a control character"},
		{"{\"targets\":[]}", "parameter 'targets' is empty"},
		{"{\"targets\":5}", "parameter 'targets' is not a list of targets"},
		{"{\"targets\":[\"::1\",5]}", "parameter 'targets': number 2 is not a text"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		refused(&sn_method_ping, cases[i].text, cases[i].reason);
	refused(&sample, "{\"limit\":9}", "parameter 'limit' is less than 10");
	refused(&sample, "{\"fast\":\"maybe\"}", "parameter 'fast' is not true or false");
}

static void targets_that_are_no_host_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"-x",
		"--json",
		"a b",
		"a;b",
		"$(id)",
		"a_b",
		"-a.example",
		"a-.example",
		"a..b",
		".a",
		"a..",
		"10.1.300.4",
		"1.2",
		"256.1.1.1",
		"::g",
		"fe80::1%",
		"fe80::1%a/b",
		"fe80::1%sixteen_chars_xx",
		"\xc3\xa9.example",
		"1.2.3.4/24",
		"host:80",
		"[::1]",
	};
	char text[128], label[65];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		snprintf(text, sizeof(text), "{\"targets\":[\"%s\"]}", bad[i]);
		refused(&sn_method_ping, text,
			"parameter 'targets': number 1 is neither an address nor a host name");
	}
	memset(label, 'a', sizeof(label));
	snprintf(text, sizeof(text), "{\"targets\":[\"%.63s\"]}", label);
	accepted(&sn_method_ping, text);
	snprintf(text, sizeof(text), "{\"targets\":[\"%.64s\"]}", label);
	assert_int_equal(check(&sn_method_ping, text, NULL), -EINVAL);
}

static json_t *many_targets(size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string("127.0.0.1"));
	return json_pack("{s:o}", "targets", list);
}

static void targets_up_to_the_limit_are_taken_and_one_more_refused(void **state)
{
	sn_autojson json_t *most = many_targets(SN_METHOD_TARGETS_MAX);
	sn_autojson json_t *more = many_targets(SN_METHOD_TARGETS_MAX + 1);
	struct sn_err err = {0};
	char **argv;
	size_t argc = 0;

	(void)state;
	assert_int_equal(sn_method_check(&sn_method_ping, most, &err), 0);
	argv = sn_method_argv(&sn_method_ping, most, "probe");
	while (argv[argc] != NULL)
		argc++;
	assert_int_equal(argc, SN_METHOD_TARGETS_MAX + 3);
	sn_method_argv_free(argv);
	assert_int_equal(sn_method_check(&sn_method_ping, more, &err), -E2BIG);
	assert_string_equal(err.text, "parameter 'targets' has 10001 targets, at most 10000");
}

static void value_at_the_limit_is_taken_and_one_more_refused(void **state)
{
	char value[4098];

	(void)state;
	memset(value, 'f', sizeof(value));
	value[4096] = '\0';
	sn_autojson json_t *fits = json_pack("{s:s,s:s}", "interface", "lo", "filter", value);
	assert_int_equal(sn_method_check(&sn_method_flow, fits, NULL), 0);
	value[4096] = 'f';
	value[4097] = '\0';
	sn_autojson json_t *longer = json_pack("{s:s,s:s}", "interface", "lo", "filter", value);
	assert_int_equal(sn_method_check(&sn_method_flow, longer, NULL), -EINVAL);
}

static int fits(const char *text, struct sn_err *err)
{
	sn_autojson json_t *parameters = parse(text);

	assert_int_equal(sn_method_check(&sn_method_ping, parameters, err), 0);
	return sn_method_fits(&sn_method_ping, parameters, err);
}

static void what_does_not_fit_together_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"{\"targets\":\"a\",\"period\":\"800ms\"}",
		 "parameter 'count': cannot send 5 requests 200ms apart every 800ms: they do not "
		 "fit"},
		{"{\"targets\":[\"a\"],\"count\":\"3\",\"interval\":\"5s\",\"period\":\"10s\"}",
		 "3 requests 5s apart every 10s"},
		{"{\"targets\":[\"a\",\"b\"],\"count\":50001,\"interval\":\"1ms\",\"period\":"
		 "\"1s\"}",
		 "do not fit"},
		{"{\"targets\":[\"a\"],\"count\":2,\"interval\":\"1h\",\"period\":\"1h\"}", "fit"},
	};
	struct sn_err err = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		assert_int_equal(fits(cases[i].text, &err), -EINVAL);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
	assert_int_equal(fits("{\"targets\":\"a\",\"period\":\"801ms\"}", &err), 0);
	assert_int_equal(fits("{\"targets\":\"a\",\"count\":1,\"period\":\"100ms\"}", &err), 0);
	assert_int_equal(fits("{\"targets\":\"a\",\"count\":65535,\"interval\":\"1h\"}", &err), 0);
	assert_int_equal(sn_method_fits(&sample, NULL, &err), 0);
}

static void ping_of_many(size_t targets, int count, const char *period, int expected)
{
	sn_autojson json_t *list = json_array();
	sn_autojson json_t *parameters = NULL;
	struct sn_err err = {0};

	for (size_t i = 0; i < targets; i++)
		json_array_append_new(list, json_string("192.0.2.1"));
	parameters = json_pack("{s:O,s:i,s:s}", "targets", list, "count", count, "interval", "1ms");
	if (period != NULL)
		json_object_set_new(parameters, "period", json_string(period));
	assert_int_equal(sn_method_check(&sn_method_ping, parameters, &err), 0);
	assert_int_equal(sn_method_fits(&sn_method_ping, parameters, &err), expected);
	if (expected != 0)
		assert_non_null(strstr(err.text, "the limit is"));
}

static void more_requests_than_a_node_can_send_or_keep_are_refused(void **state)
{
	(void)state;
	ping_of_many(10000, 10, "1s", 0);
	ping_of_many(10000, 11, "1s", -EINVAL);
	ping_of_many(10000, 6400, NULL, 0);
	ping_of_many(10000, 6401, NULL, -EINVAL);
}

static void command_line_is(const struct sn_method *method, const char *parameters,
			    const char *expected)
{
	sn_autojson json_t *json = parse(parameters);
	char line[512] = "";
	char **argv;

	assert_int_equal(sn_method_check(method, json, NULL), 0);
	argv = sn_method_argv(method, json, "/usr/bin/program");
	for (char **item = argv; *item != NULL; item++) {
		if (item != argv)
			strcat(line, "|");
		strcat(line, *item);
	}
	assert_string_equal(line, expected);
	sn_method_argv_free(argv);
}

static void command_line_has_options_in_declared_order_and_targets_last(void **state)
{
	(void)state;
	command_line_is(&sn_method_ping,
			"{\"period\":\"10s\",\"count\":3,\"targets\":[\"::1\",\"localhost\"]}",
			"/usr/bin/program|ping|--json|--count|3|--period|10s|::1|localhost");
	command_line_is(&sn_method_flow, "{\"interface\":\"eth0\",\"filter\":\"tcp port 80\"}",
			"/usr/bin/program|--json|--interface|eth0|--filter|tcp port 80");
	command_line_is(&sample, "{\"fast\":true,\"hosts\":\"a\"}",
			"/usr/bin/program|--json|--fast|a");
	command_line_is(&sample, "{\"fast\":false}", "/usr/bin/program|--json");
	sn_method_argv_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_parameters_are_taken_as_text_number_or_truth_value),
		cmocka_unit_test(mistakes_are_named_with_reason_and_remedy),
		cmocka_unit_test(targets_that_are_no_host_are_refused),
		cmocka_unit_test(targets_up_to_the_limit_are_taken_and_one_more_refused),
		cmocka_unit_test(value_at_the_limit_is_taken_and_one_more_refused),
		cmocka_unit_test(what_does_not_fit_together_is_refused_with_the_reason),
		cmocka_unit_test(more_requests_than_a_node_can_send_or_keep_are_refused),
		cmocka_unit_test(command_line_has_options_in_declared_order_and_targets_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
