/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/control/globals.h"
#include "meter/control/settings.h"

/* What was applied last, and how often. */
struct applied {
	struct sn_settings_values values;
	unsigned times;
	int refuse;
};

static int apply(const struct sn_settings_values *values, void *ctx, struct sn_err *err)
{
	struct applied *applied = ctx;

	if (applied->refuse != 0)
		return sn_err_set(err, applied->refuse, "no");
	applied->values = *values;
	applied->times++;
	return 0;
}

struct fixture {
	struct applied applied;
	struct sn_settings *settings;
};

static int setup(void **state)
{
	struct fixture *fixture = sn_new(struct fixture);

	sn_settings_values_default(&fixture->applied.values);
	fixture->settings = sn_settings_create(&fixture->applied.values, apply, &fixture->applied);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	sn_settings_destroy(fixture->settings);
	free(fixture);
	return 0;
}

static uint64_t change(struct fixture *fixture, const char *json, int64_t for_s, int64_t now_s)
{
	struct sn_err err = {0};
	sn_autojson json_t *changes = sn_json_parse(json, strlen(json), &err);
	uint64_t lease;
	int result = sn_settings_change(fixture->settings, changes, for_s * SN_NS_PER_S,
					now_s * SN_NS_PER_S, &lease, &err);

	if (result != 0)
		fail_msg("%s", err.text);
	return lease;
}

static void assert_refused(struct fixture *fixture, const char *json, const char *reason)
{
	struct sn_err err = {0};
	sn_autojson json_t *changes = sn_json_parse(json, strlen(json), &err);
	uint64_t lease;

	assert_non_null(changes);
	assert_true(sn_settings_change(fixture->settings, changes, 0, 0, &lease, &err) < 0);
	assert_non_null(strstr(err.text, reason));
	assert_int_equal(fixture->applied.times, 0);
}

static void tstat_starts_with_level_15_and_without_http(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fixture->applied.values.logs.tcp_level, 15);
	assert_true(fixture->applied.values.logs.on[SN_TSTAT_TCP_COMPLETE]);
	assert_false(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
}

static void a_change_for_good_holds(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(change(fixture, "{\"log_http_complete\": true}", 0, 100), 0);
	assert_true(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
	assert_true(sn_settings_expire(fixture->settings, INT64_MAX - 1) == INT64_MAX);
	assert_true(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
}

static void a_change_for_a_time_goes_back_by_itself(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, "{\"tcplog_end_to_end\": 0, \"httplog_full_url\": 2}", 300, 1000);
	assert_int_equal(fixture->applied.values.logs.tcp_level, 14);
	assert_int_equal(fixture->applied.values.logs.http_urls, 2);
	assert_true(sn_settings_expire(fixture->settings, 1299 * SN_NS_PER_S) ==
		    1300 * SN_NS_PER_S);
	assert_int_equal(fixture->applied.values.logs.tcp_level, 14);
	sn_settings_expire(fixture->settings, 1300 * SN_NS_PER_S);
	assert_int_equal(fixture->applied.values.logs.tcp_level, 15);
	assert_int_equal(fixture->applied.values.logs.http_urls, 0);
}

static void of_two_leases_the_switch_stays_on_until_the_last_ends(void **state)
{
	struct fixture *fixture = *state;
	uint64_t first = change(fixture, "{\"log_http_complete\": true}", 60, 0);
	uint64_t second = change(fixture, "{\"log_http_complete\": true}", 600, 0);

	assert_int_not_equal(first, second);
	sn_settings_expire(fixture->settings, 61 * SN_NS_PER_S);
	assert_true(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
	assert_int_equal(sn_settings_release(fixture->settings, second, NULL), 0);
	assert_false(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
	assert_int_equal(sn_settings_release(fixture->settings, second, NULL), -ENOENT);
}

static void who_wants_it_off_does_not_take_it_from_who_wants_it_on(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, "{\"log_http_complete\": true}", 60, 0);
	change(fixture, "{\"log_http_complete\": false}", 60, 0);
	assert_true(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
}

static void a_change_for_good_under_a_lease_shows_when_it_ends(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, "{\"filter\": \"udp\"}", 60, 0);
	change(fixture, "{\"filter\": \"tcp\"}", 0, 0);
	assert_string_equal(fixture->applied.values.filter, "udp");
	sn_settings_expire(fixture->settings, 60 * SN_NS_PER_S);
	assert_string_equal(fixture->applied.values.filter, "tcp");
}

static void nonsense_is_refused_with_its_name_and_changes_nothing(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(fixture, "{\"log_htp_complete\": true}", "log_http_complete");
	assert_refused(fixture, "{\"log_http_complete\": 2}", "0 to 1");
	assert_refused(fixture, "{\"httplog_full_url\": 3}", "0 to 2");
	assert_refused(fixture, "{\"log_http_complete\": \"yes\"}", "true or false");
	assert_refused(fixture, "{\"filter\": 1}", "takes a text");
	assert_refused(fixture, "{\"filter\": null}", "neither");
	assert_refused(fixture, "{}", "nothing to change");
	assert_refused(fixture, "[]", "nothing to change");
	assert_refused(fixture, "{\"log_tcp_complete\": false, \"x\": 1}", "'x'");
}

static void a_text_beyond_its_limit_is_refused(void **state)
{
	struct fixture *fixture = *state;
	sn_autojson json_t *changes = json_object();
	char text[SN_SETTINGS_FILTER_MAX + 1];
	struct sn_err err = {0};
	uint64_t lease;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	json_object_set_new(changes, "filter", json_string(text));
	assert_int_equal(sn_settings_change(fixture->settings, changes, 0, 0, &lease, &err),
			 -E2BIG);
}

static void what_cannot_be_brought_about_is_not_kept(void **state)
{
	struct fixture *fixture = *state;
	sn_autojson json_t *changes = json_pack("{s:b}", "log_http_complete", 1);
	struct sn_settings_values values;
	struct sn_err err = {0};
	uint64_t lease;

	fixture->applied.refuse = -ENOSPC;
	assert_int_equal(
		sn_settings_change(fixture->settings, changes, SN_NS_PER_S, 0, &lease, &err),
		-ENOSPC);
	sn_settings_values(fixture->settings, &values);
	assert_false(values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
	assert_true(sn_settings_expire(fixture->settings, 0) == INT64_MAX);
}

static void going_back_is_tried_again_until_it_works(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, "{\"log_http_complete\": true}", 1, 0);
	fixture->applied.refuse = -ENOSPC;
	assert_true(sn_settings_expire(fixture->settings, 2 * SN_NS_PER_S) == 3 * SN_NS_PER_S);
	assert_true(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
	fixture->applied.refuse = 0;
	assert_true(sn_settings_expire(fixture->settings, 3 * SN_NS_PER_S) == INT64_MAX);
	assert_false(fixture->applied.values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
}

static void the_leases_have_a_limit(void **state)
{
	struct fixture *fixture = *state;
	sn_autojson json_t *changes = json_pack("{s:b}", "log_http_complete", 1);
	struct sn_err err = {0};
	uint64_t lease;

	for (unsigned i = 0; i < SN_SETTINGS_LEASES_MAX; i++)
		change(fixture, "{\"log_http_complete\": true}", 60, 0);
	assert_int_equal(sn_settings_change(fixture->settings, changes, 1, 0, &lease, &err),
			 -ENOSPC);
}

static void a_description_tells_values_and_leases(void **state)
{
	struct fixture *fixture = *state;
	uint64_t number = change(fixture, "{\"httplog_full_url\": 1}", 60, 0);
	sn_autojson json_t *json = sn_settings_describe(fixture->settings, 3600 * SN_NS_PER_S);
	const json_t *lease = json_array_get(json_object_get(json, "leases"), 0);

	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "values"),
							    "httplog_full_url")),
			 1);
	assert_int_equal(json_integer_value(json_object_get(lease, "lease")), number);
	assert_string_equal(json_string_value(json_object_get(lease, "until")),
			    "1970-01-01T01:01:00.000000000Z");
}

/* runtime.conf ------------------------------------------------------------ */

static int runtime_conf(const char *text, struct sn_settings_values *values, struct sn_buf *ignored,
			struct sn_err *err)
{
	*err = (struct sn_err){0};
	return sn_runtime_conf_parse(sn_str(text), "runtime.conf", values, ignored, err);
}

static void runtime_conf_of_tstat_is_understood(void **state SN_UNUSED)
{
	struct sn_settings_values values;
	struct sn_buf ignored = {0};
	struct sn_err err;

	sn_settings_values_default(&values);
	assert_int_equal(runtime_conf("# a comment\r\n"
				      "[log]\n"
				      "histo_engine = 0          # 0 or 1\n"
				      "log_tcp_complete=1\n"
				      "log_http_complete = 1\n"
				      "log_udp_complete = 0\n"
				      "\n"
				      "[options]\n"
				      "tcplog_options = 0\n"
				      "httplog_full_url = 2\n"
				      "[dump]\n"
				      "udp_dns = 1\n"
				      "udp_maxpackets = 30\n"
				      "snap_len = 100\n"
				      "ip_complete = 0\n",
				      &values, &ignored, &err),
			 0);
	assert_false(values.histograms);
	assert_true(values.logs.on[SN_TSTAT_HTTP_COMPLETE]);
	assert_false(values.logs.on[SN_TSTAT_UDP_COMPLETE]);
	assert_true(values.logs.on[SN_TSTAT_MM_COMPLETE]); /* not given: as Tstat starts */
	assert_int_equal(values.logs.tcp_level, 7);
	assert_int_equal(values.logs.http_urls, 2);
	assert_string_equal(sn_buf_cstr(&ignored), "udp_dns");
	sn_buf_finish(&ignored);
}

static void a_runtime_conf_that_is_wrong_is_refused_with_its_line(void **state SN_UNUSED)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"[log]\nlog_tcp_complet = 1\n",
		 "line 2: nothing is called 'log_tcp_complet' (did"},
		{"[log]\nlog_tcp_complete = 2\n", "line 2: 'log_tcp_complete' cannot be 2"},
		{"[log]\nlog_tcp_complete = yes\n", "cannot be 'yes'"},
		{"[log]\nlog_tcp_complete\n", "line 2: neither"},
		{"[log]\nlog_tcp_complete =\n", "line 2: neither"},
		{"[log\n", "line 1: not a section"},
		{"log_tcp_complete = 1\n", "in no section"},
		{"[log]\ntcplog_options = 1\n", "does not belong into section [log]"},
		{"[log]\nfilter = 1\n", "does not belong"},
		{"[dump]\nall = 1\n", "nothing in [dump]"},
		{"[dump]\nudp_dns = x\n", "not a number"},
	};
	struct sn_settings_values values, before;
	struct sn_err err;

	sn_settings_values_default(&values);
	before = values;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		assert_int_equal(runtime_conf(cases[i].text, &values, NULL, &err), -EINVAL);
		if (strstr(err.text, cases[i].reason) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].reason);
	}
	assert_memory_equal(&values, &before, sizeof(values));
}

static void a_runtime_conf_without_end_is_refused(void **state SN_UNUSED)
{
	struct sn_settings_values values;
	struct sn_buf text = {0};
	struct sn_err err = {0};

	sn_settings_values_default(&values);
	while (text.n < 300 * 1024)
		sn_buf_adds(&text, "# nothing\n");
	assert_int_equal(sn_runtime_conf_parse(sn_buf_str(&text), "x", &values, NULL, &err),
			 -E2BIG);
	sn_buf_finish(&text);
}

/* globals.conf ------------------------------------------------------------- */

static void globals_conf_of_tstat_is_understood(void **state SN_UNUSED)
{
	struct sn_globals globals;
	struct sn_buf ignored = {0};
	struct sn_err err = {0};

	sn_globals_default(&globals);
	assert_int_equal(sn_globals_parse(SN_STR("[globals]\n"
						 "tcp_idle_time = 12.5\n"
						 "max_udp_pairs = 1000\n"
						 "hash_table_size = 2000003\n"
						 "crypto_ipv6_mask_1 = 0x12345678\n"),
					  "globals.conf", &globals, &ignored, &err),
			 0);
	assert_int_equal(globals.tcp_idle_ns, 12500 * SN_NS_PER_MS);
	assert_int_equal(globals.max_udp_flows, 1000);
	assert_int_equal(globals.crypto_ipv6_masks[1], 0x12345678);
	assert_int_equal(globals.udp_idle_ns, 200 * SN_NS_PER_S);
	assert_string_equal(sn_buf_cstr(&ignored), "hash_table_size");
	sn_buf_finish(&ignored);
}

static void a_globals_conf_that_is_wrong_is_refused_with_its_line(void **state SN_UNUSED)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"[globals]\ntcp_idle_tim = 1\n", "did you mean 'tcp_idle_time'"},
		{"tcp_idle_time = 1\n", "not in section"},
		{"[globals]\ntcp_idle_time = 0.5\n", "cannot be 0.5"},
		{"[globals]\ntcp_idle_time = -1\n", "not a number"},
		{"[globals]\ndirs = 1e300\n", "not a number"},
		{"[globals]\ncrypto_ipv6_mask_0 = zz\n", "not a number"},
	};
	struct sn_globals globals;
	struct sn_err err;

	sn_globals_default(&globals);
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		err = (struct sn_err){0};
		assert_true(sn_globals_parse(sn_str(cases[i].text), "g", &globals, NULL, &err) < 0);
		if (strstr(err.text, cases[i].reason) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].reason);
	}
	assert_int_equal(globals.tcp_idle_ns, 300 * SN_NS_PER_S);
}

#define WITH(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(tstat_starts_with_level_15_and_without_http),
		WITH(a_change_for_good_holds),
		WITH(a_change_for_a_time_goes_back_by_itself),
		WITH(of_two_leases_the_switch_stays_on_until_the_last_ends),
		WITH(who_wants_it_off_does_not_take_it_from_who_wants_it_on),
		WITH(a_change_for_good_under_a_lease_shows_when_it_ends),
		WITH(nonsense_is_refused_with_its_name_and_changes_nothing),
		WITH(a_text_beyond_its_limit_is_refused),
		WITH(what_cannot_be_brought_about_is_not_kept),
		WITH(going_back_is_tried_again_until_it_works),
		WITH(the_leases_have_a_limit),
		WITH(a_description_tells_values_and_leases),
		cmocka_unit_test(runtime_conf_of_tstat_is_understood),
		cmocka_unit_test(a_runtime_conf_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(a_runtime_conf_without_end_is_refused),
		cmocka_unit_test(globals_conf_of_tstat_is_understood),
		cmocka_unit_test(a_globals_conf_that_is_wrong_is_refused_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
