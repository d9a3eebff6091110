/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "hub/web.h"

static struct world world;
static char web[64];

static void put(const char *name, const char *content)
{
	sn_autofree char *path = sn_fs_join(web, name);

	assert_int_equal(sn_fs_write_atomic(path, content, strlen(content), 0644, NULL), 0);
}

static int start(void **state)
{
	static char setting[96];
	char assets[96];

	(void)state;
	snprintf(web, sizeof(web), "/tmp/sonde-web-test-XXXXXX");
	assert_non_null(mkdtemp(web));
	snprintf(assets, sizeof(assets), "%s/assets", web);
	assert_int_equal(mkdir(assets, 0755), 0);
	put("index.html", "<!doctype html><title>UI</title>");
	put("assets/index-BxW3k2Qz.js", "export {};");
	put("assets/index-BxW3k2Qz.js.gz", "compressed");
	put(".secret", "no");
	snprintf(setting, sizeof(setting), "web_dir=%s", web);
	world_start(&world, (const char *const[]){setting, NULL});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	sn_fs_remove_tree(web, NULL);
	return 0;
}

static struct reply get(const char *target, const char *headers)
{
	return plain(&world, AS_NOBODY, "GET", target, headers, NULL);
}

static void first_page_is_checked_each_time_and_hashed_files_are_kept(void **state)
{
	struct reply reply = get("/", "");

	(void)state;
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "<!doctype html><title>UI</title>");
	assert_string_equal(reply_header(&reply, "Cache-Control"), "no-cache");
	assert_non_null(strstr(reply_header(&reply, "Content-Type"), "text/html"));
	assert_non_null(
		strstr(reply_header(&reply, "Content-Security-Policy"), "default-src 'self'"));
	assert_null(strstr(reply_header(&reply, "Content-Security-Policy"), "unsafe"));
	assert_string_equal(reply_header(&reply, "X-Content-Type-Options"), "nosniff");
	assert_string_equal(reply_header(&reply, "Referrer-Policy"), "no-referrer");
	reply_release(&reply);
	reply = get("/assets/index-BxW3k2Qz.js", "");
	assert_non_null(strstr(reply_header(&reply, "Cache-Control"), "immutable"));
	assert_non_null(strstr(reply_header(&reply, "Content-Type"), "text/javascript"));
	reply_release(&reply);
}

static void compressed_twin_goes_to_those_who_take_it(void **state)
{
	struct reply reply = get("/assets/index-BxW3k2Qz.js", "Accept-Encoding: br, gzip\r\n");

	(void)state;
	assert_string_equal(reply_header(&reply, "Content-Encoding"), "gzip");
	assert_string_equal(reply_header(&reply, "Vary"), "Accept-Encoding");
	assert_string_equal(reply.body, "compressed");
	reply_release(&reply);
	reply = get("/assets/index-BxW3k2Qz.js", "");
	assert_null(reply_header(&reply, "Content-Encoding"));
	assert_string_equal(reply.body, "export {};");
	reply_release(&reply);
}

static void known_content_is_not_sent_again(void **state)
{
	struct reply first = get("/", ""), second;
	sn_autofree char *header =
		sn_xasprintf("If-None-Match: %s\r\n", reply_header(&first, "ETag"));

	(void)state;
	second = get("/", header);
	assert_int_equal(second.status, 304);
	assert_string_equal(second.body, "");
	reply_release(&first);
	reply_release(&second);
}

static void changed_ui_is_served_without_a_restart(void **state)
{
	struct reply reply;

	(void)state;
	put("index.html", "<!doctype html><title>new</title>");
	reply = get("/", "");
	assert_non_null(strstr(reply.body, "new"));
	reply_release(&reply);
}

static void pages_of_the_ui_are_its_first_page(void **state)
{
	struct reply reply = get("/nodes/alpha", "Accept: text/html\r\n");

	(void)state;
	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply.body, "<title>"));
	reply_release(&reply);
	reply = get("/nodes/alpha", "");
	assert_int_equal(reply.status, 404);
	reply_release(&reply);
	reply = get("/api/v1/nonsense", "Accept: text/html\r\n");
	assert_int_equal(reply.status, 404);
	reply_release(&reply);
}

static void nothing_outside_of_the_directory_is_served(void **state)
{
	static const char *const targets[] = {
		"/../../../../etc/passwd",
		"/assets/../../../etc/passwd",
		"/%2e%2e/%2e%2e/etc/passwd",
		"/..%2f..%2fetc/passwd",
		"//etc/passwd",
		"/.secret",
		"/link/passwd",
		"/assets",
		"/assets/",
		"/index.html%00.js",
	};
	sn_autofree char *link = sn_fs_join(web, "link");

	(void)state;
	assert_int_equal(symlink("/etc", link), 0);
	put("index.html", "<!doctype html><title>again</title>"); /* read it all again */
	for (size_t i = 0; i < SN_COUNT(targets); i++) {
		struct reply reply = get(targets[i], "");

		if (reply.status == 200 || strstr(reply.body, "root:") != NULL)
			fail_msg("%s: %u", targets[i], reply.status);
		reply_release(&reply);
	}
}

static void without_a_ui_there_is_a_page_that_says_how_to_get_it(void **state)
{
	struct world bare;
	struct test_node node;
	struct reply reply;

	(void)state;
	world_start(&bare, NULL);
	node_join(&bare, &node, "alpha");
	reply = plain(&bare, AS_NOBODY, "GET", "/", "", NULL);
	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply.body, "npm"));
	assert_null(strstr(reply.body, "alpha")); /* not for somebody unknown */
	reply_release(&reply);
	reply = plain(&bare, AS_LOCAL, "GET", "/", "", NULL);
	assert_non_null(strstr(reply.body, "alpha"));
	reply_release(&reply);
	node_leave(&node);
	world_stop(&bare);
}

static void names_tell_type_and_hash(void **state)
{
	(void)state;
	assert_string_equal(sn_web_type("a/b.css"), "text/css; charset=utf-8");
	assert_string_equal(sn_web_type("a/b"), "application/octet-stream");
	assert_true(sn_web_name_is_hashed("assets/index-BxW3k2Qz.js"));
	assert_true(sn_web_name_is_hashed("assets/a-b-_x3k2Q-z.js"));
	assert_false(sn_web_name_is_hashed("assets/index.js"));
	assert_false(sn_web_name_is_hashed("assets/index-short.js"));
	assert_false(sn_web_name_is_hashed("assets/x.js"));
	assert_false(sn_web_name_is_hashed("index-BxW3k2Qz.js"));
	assert_false(sn_web_name_is_hashed("assets"));
}

static void the_type_of_a_problem_is_a_page_that_anybody_may_read(void **state)
{
	struct reply reply = get("/problems/not-json", "Accept: text/html\r\n");

	(void)state;
	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply_header(&reply, "Content-Type"), "text/html"));
	assert_non_null(strstr(reply.body, "<h1>not-json</h1>"));
	assert_non_null(strstr(reply.body, "<code>Content-Type: application/json</code>"));
	reply_release(&reply);
	reply = get("/problems/not-json", "");
	assert_non_null(strstr(reply_header(&reply, "Content-Type"), "text/plain"));
	assert_non_null(strstr(reply.body, "'Content-Type: application/json'"));
	reply_release(&reply);
	reply = get("/problems", "Accept: text/html\r\n");
	assert_non_null(strstr(reply.body, "<a href=\"/problems/wrong-password\">"));
	reply_release(&reply);
	reply = get("/problems/%3Cscript%3E", "Accept: text/html\r\n");
	assert_int_equal(reply.status, 404);
	assert_null(strstr(reply.body, "script"));
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_page_is_checked_each_time_and_hashed_files_are_kept),
		cmocka_unit_test(compressed_twin_goes_to_those_who_take_it),
		cmocka_unit_test(known_content_is_not_sent_again),
		cmocka_unit_test(changed_ui_is_served_without_a_restart),
		cmocka_unit_test(pages_of_the_ui_are_its_first_page),
		cmocka_unit_test(nothing_outside_of_the_directory_is_served),
		cmocka_unit_test(without_a_ui_there_is_a_page_that_says_how_to_get_it),
		cmocka_unit_test(names_tell_type_and_hash),
		cmocka_unit_test(the_type_of_a_problem_is_a_page_that_anybody_may_read),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
