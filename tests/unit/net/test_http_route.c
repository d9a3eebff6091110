/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_server_internal.h"

static const struct sn_http_route routes[] = {
	{"GET", "/", NULL, 0, 0, NULL},
	{"GET", "/nodes", NULL, 0, 0, NULL},
	{"POST", "/nodes", NULL, 0, 0, NULL},
	{"GET", "/nodes/me", NULL, 0, 0, NULL},
	{"GET", "/nodes/{id}", NULL, 0, 0, NULL},
	{"PATCH", "/nodes/{id}", NULL, 0, 0, NULL},
	{"POST", "/nodes/{id}/revoke", NULL, 0, 0, NULL},
	{"PUT", "/batches/{stream}/{seq}", NULL, 0, 0, NULL},
	{"GET", "/files/{path*}", NULL, 0, 0, NULL},
	{"GET", "/{rest*}", NULL, 0, 0, NULL},
};

/* "<method> <pattern> name=value..." of what is found, or "404", "405", "400". */
static const char *find(const char *method, const char *uri)
{
	static char text[512];
	struct sn_http_target target;
	struct sn_http_match match;

	if (sn_http_target_parse(uri, &target) != 0)
		return "400";
	sn_http_route_find(routes, SN_COUNT(routes), method, &target, &match);
	if (match.route == NULL) {
		snprintf(text, sizeof(text), "%s", match.path_known ? "405" : "404");
	} else {
		size_t used = (size_t)snprintf(text, sizeof(text), "%s %s", match.route->method,
					       match.route->pattern);

		for (unsigned i = 0; i < match.param_count; i++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %.*s=%s",
						 (int)match.name_sizes[i], match.params[i].name,
						 match.params[i].value);
	}
	sn_http_match_release(&match);
	sn_http_target_release(&target);
	return text;
}

static void the_first_pattern_that_fits_wins(void **state SN_UNUSED)
{
	assert_string_equal(find("GET", "/"), "GET /");
	assert_string_equal(find("GET", "/nodes"), "GET /nodes");
	assert_string_equal(find("POST", "/nodes?x=1"), "POST /nodes");
	assert_string_equal(find("GET", "/nodes/me"), "GET /nodes/me");
	assert_string_equal(find("GET", "/nodes/a"), "GET /nodes/{id} id=a");
	assert_string_equal(find("PATCH", "/nodes/me"), "PATCH /nodes/{id} id=me");
	assert_string_equal(find("PUT", "/batches/s/17"),
			    "PUT /batches/{stream}/{seq} stream=s seq=17");
}

static void head_goes_where_get_goes(void **state SN_UNUSED)
{
	assert_string_equal(find("HEAD", "/nodes/a"), "GET /nodes/{id} id=a");
	assert_string_equal(find("HEAD", "/nodes/a/revoke"), "405");
}

static void a_rest_takes_only_what_nothing_else_takes(void **state SN_UNUSED)
{
	assert_string_equal(find("GET", "/files/a/b.js"), "GET /files/{path*} path=a/b.js");
	assert_string_equal(find("GET", "/files/"), "GET /files/{path*} path=");
	assert_string_equal(find("GET", "/other/x"), "GET /{rest*} rest=other/x");
	/* Not the page for everything else: that path exists, with another method. */
	assert_string_equal(find("GET", "/nodes/a/revoke"), "405");
	assert_string_equal(find("DELETE", "/other"), "405");
	assert_string_equal(find("GET", "/nodes/"), "GET /{rest*} rest=nodes/");
}

static void segments_are_split_before_they_are_decoded(void **state SN_UNUSED)
{
	assert_string_equal(find("GET", "/nodes/a%2Fb"), "GET /nodes/{id} id=a/b");
	assert_string_equal(find("GET", "/nodes/%E2%82%AC"), "GET /nodes/{id} id=\xe2\x82\xac");
	assert_string_equal(find("GET", "/nodes/a+b"), "GET /nodes/{id} id=a+b");
	/* In a rest a decoded slash would look like a directory. */
	assert_string_equal(find("GET", "/files/..%2F..%2Fetc"), "404");
	assert_string_equal(find("GET", "/%6Eodes"), "GET /nodes");
}

static void what_no_handler_should_see_is_refused(void **state SN_UNUSED)
{
	static const char *const bad[] = {
		"",       "*",        "nodes",      "/a/../b",       "/..",  "/.",
		"/a/%2e", "/%2E./",   "/a%00b",     "/a%",           "/a%1", "/a%g1",
		"/%ff",   "/%c0%af",  "/%ed%a0%80", "/%f4%90%80%80", "/a#b", "/a?b=%00",
		"/a?%zz", "/a?b=%ff", "http://",    "/%e2%82",
	};

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		if (strcmp(find("GET", bad[i]), "400") != 0)
			fail_msg("'%s' is '%s'", bad[i], find("GET", bad[i]));
	}
}

static void the_absolute_form_is_understood(void **state SN_UNUSED)
{
	assert_string_equal(find("GET", "http://hub:8443/nodes/a?x"), "GET /nodes/{id} id=a");
	assert_string_equal(find("GET", "HTTPS://hub/nodes"), "GET /nodes");
	assert_string_equal(find("GET", "http://hub"), "400");
}

static void the_query_is_taken_apart(void **state SN_UNUSED)
{
	struct sn_http_target target;

	assert_int_equal(
		sn_http_target_parse("/x?a=1&b&=c&&d=e=f&g=%26+%2B&a=2&c_ip=~10.1", &target), 0);
	assert_int_equal(target.query_count, 7);
	assert_string_equal(target.query[0].name, "a");
	assert_string_equal(target.query[0].value, "1");
	assert_string_equal(target.query[1].name, "b");
	assert_string_equal(target.query[1].value, "");
	assert_string_equal(target.query[2].name, "");
	assert_string_equal(target.query[2].value, "c");
	assert_string_equal(target.query[3].value, "e=f");
	assert_string_equal(target.query[4].value, "& +");
	assert_string_equal(target.query[6].value, "~10.1");
	sn_http_target_release(&target);
}

static char *repeat(const char *start, const char *part, unsigned count)
{
	struct sn_buf out = {0};

	sn_buf_adds(&out, start);
	for (unsigned i = 0; i < count; i++)
		sn_buf_adds(&out, part);
	sn_buf_cstr(&out);
	return out.p;
}

static void assert_limit(const char *start, const char *part, unsigned limit)
{
	struct sn_http_target target;
	char *at = repeat(start, part, limit), *over = repeat(start, part, limit + 1);

	assert_int_equal(sn_http_target_parse(at, &target), 0);
	sn_http_target_release(&target);
	assert_int_equal(sn_http_target_parse(over, &target), -EINVAL);
	free(at);
	free(over);
}

static void segments_and_pairs_are_limited(void **state SN_UNUSED)
{
	assert_limit("", "/s", SN_HTTP_SEGMENTS_MAX);
	assert_limit("/x?", "n=v&", SN_HTTP_QUERY_MAX);
}

static void allow_lists_each_method_once(void **state SN_UNUSED)
{
	struct sn_http_target target;
	struct sn_buf allow = {0};

	assert_int_equal(sn_http_target_parse("/nodes/me", &target), 0);
	sn_http_route_allow(routes, SN_COUNT(routes), &target, &allow);
	assert_string_equal(sn_buf_cstr(&allow), "GET, HEAD, PATCH");
	sn_http_target_release(&target);
	sn_buf_finish(&allow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_pattern_that_fits_wins),
		cmocka_unit_test(head_goes_where_get_goes),
		cmocka_unit_test(a_rest_takes_only_what_nothing_else_takes),
		cmocka_unit_test(segments_are_split_before_they_are_decoded),
		cmocka_unit_test(what_no_handler_should_see_is_refused),
		cmocka_unit_test(the_absolute_form_is_understood),
		cmocka_unit_test(the_query_is_taken_apart),
		cmocka_unit_test(segments_and_pairs_are_limited),
		cmocka_unit_test(allow_lists_each_method_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
