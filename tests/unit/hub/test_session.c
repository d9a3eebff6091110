/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "hub/password.h"
#include "hub/throttle.h"

static struct world world;

static int start(void **state)
{
	(void)state;
	world_start(&world, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

/* Path and query of a fresh link; static buffer. */
static const char *make_link(void)
{
	static char target[256];
	struct reply reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/login-links", "{}");
	const char *url = json_string_value(json_object_get(reply.json, "url"));

	snprintf(target, sizeof(target), "%s", strstr(url, "/login?"));
	reply_release(&reply);
	return target;
}

/* "Cookie: sonde_session_...=...\r\n" of an answer; malloc'ed. */
static char *cookie_of(const struct reply *reply)
{
	const char *cookie = reply_header(reply, "Set-Cookie");

	assert_non_null(cookie);
	return sn_xasprintf("Cookie: %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
}

static char *log_in(void)
{
	struct reply reply = plain(&world, AS_NOBODY, "GET", make_link(), "", NULL);
	char *cookie;

	assert_int_equal(reply.status, 303);
	cookie = cookie_of(&reply);
	reply_release(&reply);
	return cookie;
}

static unsigned status_of(const char *method, const char *path, const char *headers,
			  const char *body)
{
	struct reply reply = plain(&world, AS_NOBODY, method, path, headers, body);
	unsigned status = reply.status;

	reply_release(&reply);
	return status;
}

static void link_logs_in_once(void **state)
{
	sn_autofree char *link = sn_xstrdup(make_link());
	struct reply first = plain(&world, AS_NOBODY, "GET", link, "", NULL);
	struct reply second = plain(&world, AS_NOBODY, "GET", link, "", NULL);
	const char *set;

	(void)state;
	assert_int_equal(first.status, 303);
	assert_string_equal(reply_header(&first, "Location"), "/");
	set = reply_header(&first, "Set-Cookie");
	assert_non_null(strstr(set, "HttpOnly"));
	assert_non_null(strstr(set, "SameSite=Strict"));
	assert_null(strstr(set, "Secure")); /* plain HTTP on loopback */
	assert_int_equal(second.status, 403);
	assert_non_null(strstr(second.body, "has been used"));
	assert_null(reply_header(&second, "Set-Cookie"));
	reply_release(&first);
	reply_release(&second);
}

static void looking_at_a_link_does_not_use_it(void **state)
{
	sn_autofree char *link = sn_xstrdup(make_link());

	(void)state;
	assert_int_equal(status_of("HEAD", link, "", NULL), 200);
	assert_int_equal(status_of("GET", link, "", NULL), 303);
}

static void old_and_wrong_links_say_so(void **state)
{
	char token[SN_SECRET_SIZE], path[128];
	struct sn_err err = {0};
	struct reply reply;

	(void)state;
	assert_int_equal(sn_people_make_link(world.hub->people, "admin",
					     sn_hub_now(world.hub) - 2 * SN_NS_PER_S, SN_NS_PER_S,
					     token, &err),
			 0);
	snprintf(path, sizeof(path), "/login?token=%s", token);
	reply = plain(&world, AS_NOBODY, "GET", path, "", NULL);
	assert_int_equal(reply.status, 403);
	assert_non_null(strstr(reply.body, "expired"));
	reply_release(&reply);
	assert_int_equal(status_of("GET", "/login?token=zz", "", NULL), 403);
	assert_int_equal(status_of("GET", "/login", "", NULL), 403);
}

static void session_reads_with_its_cookie_and_writes_with_the_header(void **state)
{
	sn_autofree char *cookie = log_in();
	sn_autofree char *both = sn_xasprintf("%sSonde-Request: 1\r\n", cookie);
	struct reply reply;

	(void)state;
	assert_int_equal(status_of("GET", "/api/v1/nodes", cookie, NULL), 200);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/invites", cookie, "{}");
	assert_int_equal(reply.status, 403);
	assert_string_equal(code_of(&reply), "request-header-missing");
	reply_release(&reply);
	assert_int_equal(status_of("POST", "/api/v1/invites", both, "{}"), 201);
}

static void session_ends_when_it_is_deleted(void **state)
{
	sn_autofree char *cookie = log_in();
	sn_autofree char *both = sn_xasprintf("%sSonde-Request: 1\r\n", cookie);

	(void)state;
	assert_int_equal(status_of("DELETE", "/api/v1/session", both, NULL), 204);
	assert_int_equal(status_of("GET", "/api/v1/nodes", cookie, NULL), 401);
}

static void session_expires(void **state)
{
	char secret[SN_SECRET_SIZE], header[128];
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_people_start_session(world.hub->people, "admin",
						 sn_hub_now(world.hub) - 2 * SN_NS_PER_S,
						 SN_NS_PER_S, secret, &err),
			 0);
	snprintf(header, sizeof(header), "Cookie: %s=%s\r\n", world.hub->session_cookie, secret);
	assert_int_equal(status_of("GET", "/api/v1/nodes", header, NULL), 401);
}

static void cookie_of_another_hub_of_this_machine_is_not_ours(void **state)
{
	char secret[SN_SECRET_SIZE], header[128];
	struct sn_err err = {0};

	(void)state;
	assert_non_null(strstr(world.hub->id, strrchr(world.hub->session_cookie, '_') + 1));
	assert_int_equal(strlen(world.hub->session_cookie), SN_COOKIE_SIZE - 2);
	assert_int_equal(sn_people_start_session(world.hub->people, "admin", sn_hub_now(world.hub),
						 3600 * SN_NS_PER_S, secret, &err),
			 0);
	snprintf(header, sizeof(header), "Cookie: sonde_session_00000000=%s\r\n", secret);
	assert_int_equal(status_of("GET", "/api/v1/nodes", header, NULL), 401);
}

static void oldest_of_too_many_sessions_ends(void **state)
{
	char first[SN_SECRET_SIZE], other[SN_SECRET_SIZE], header[128];
	struct sn_err err = {0};

	(void)state;
	for (int i = 0; i <= SN_SESSIONS_PER_USER; i++)
		assert_int_equal(sn_people_start_session(
					 world.hub->people, "admin", sn_hub_now(world.hub) + i,
					 3600 * SN_NS_PER_S, i == 0 ? first : other, &err),
				 0);
	snprintf(header, sizeof(header), "Cookie: %s=%s\r\n", world.hub->session_cookie, first);
	assert_int_equal(status_of("GET", "/api/v1/nodes", header, NULL), 401);
	snprintf(header, sizeof(header), "Cookie: %s=%s\r\n", world.hub->session_cookie, other);
	assert_int_equal(status_of("GET", "/api/v1/nodes", header, NULL), 200);
}

static void password_logs_in_and_its_change_needs_the_old_one(void **state)
{
	sn_autofree char *cookie = log_in(), *other = log_in();
	sn_autofree char *both = sn_xasprintf("%sSonde-Request: 1\r\n", cookie);
	struct reply reply;

	(void)state;
	assert_int_equal(
		status_of("PUT", "/api/v1/session/password", both, "{\"password\":\"short\"}"),
		422);
	assert_int_equal(status_of("PUT", "/api/v1/session/password", both,
				   "{\"password\":\"first password\"}"),
			 204);
	/* Who else was logged in as this user has to log in again. */
	assert_int_equal(status_of("GET", "/api/v1/session", other, NULL), 401);
	assert_int_equal(status_of("GET", "/api/v1/session", cookie, NULL), 200);
	assert_int_equal(status_of("PUT", "/api/v1/session/password", both,
				   "{\"password\":\"second password\",\"old\":\"wrong one\"}"),
			 403);
	assert_int_equal(status_of("PUT", "/api/v1/session/password", both,
				   "{\"password\":\"second password\",\"old\":\"first password\"}"),
			 204);
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/session", "",
		      "{\"user\":\"admin\",\"password\":\"second password\"}");
	assert_int_equal(reply.status, 200);
	assert_non_null(reply_header(&reply, "Set-Cookie"));
	reply_release(&reply);
}

static void sixth_wrong_password_in_a_minute_is_not_even_tried(void **state)
{
	struct reply reply;

	(void)state;
	reply = expect(&world, AS_LOCAL, 204, "PUT", "/api/v1/session/password",
		       "{\"password\":\"right password\"}");
	reply_release(&reply);
	for (int i = 0; i < 5; i++) {
		reply = plain(&world, AS_NOBODY, "POST", "/api/v1/session", "",
			      i % 2 == 0 ? "{\"user\":\"admin\",\"password\":\"wrong\"}"
					 : "{\"user\":\"nobody\",\"password\":\"wrong\"}");
		assert_int_equal(reply.status, 401);
		assert_string_equal(code_of(&reply), "wrong-password");
		reply_release(&reply);
	}
	reply = plain(&world, AS_NOBODY, "POST", "/api/v1/session", "",
		      "{\"user\":\"admin\",\"password\":\"right password\"}");
	assert_int_equal(reply.status, 429);
	assert_non_null(reply_header(&reply, "Retry-After"));
	reply_release(&reply);
}

static void form_of_a_foreign_page_cannot_log_in(void **state)
{
	(void)state;
	assert_int_equal(status_of("POST", "/api/v1/session", "Content-Type: text/plain\r\n",
				   "{\"user\":\"admin\",\"password\":\"x\"}"),
			 415);
}

static void passwords_are_yescrypt(void **state)
{
	char hash[SN_PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(sn_password_hash("correct horse", hash), 0);
	assert_memory_equal(hash, "$y$", 3);
	assert_true(sn_password_matches("correct horse", hash));
	assert_false(sn_password_matches("correct horsf", hash));
	assert_false(sn_password_matches("correct horse", NULL));
	assert_false(sn_password_matches("correct horse", "*0"));
	assert_false(sn_password_matches("correct horse", ""));
}

static void secrets_are_in_the_database_as_hashes_only(void **state)
{
	sn_autofree char *link = sn_xstrdup(make_link());
	sn_autofree char *cookie = log_in();
	struct reply made =
		expect(&world, AS_LOCAL, 201, "POST", "/api/v1/tokens", "{\"label\":\"x\"}");
	const char *secrets[] = {strchr(link, '=') + 1, strchr(cookie, '=') + 1,
				 json_string_value(json_object_get(made.json, "token"))};
	static const char *const files[] = {"control.sqlite", "control.sqlite-wal"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(files); i++) {
		sn_autofree char *path = sn_fs_join(world.dir, files[i]);
		struct sn_buf content = {0};

		if (sn_fs_read(path, 64 << 20, &content, NULL) == 0) {
			for (size_t j = 0; j < SN_COUNT(secrets); j++)
				assert_null(memmem(content.p, content.n, secrets[j], 64));
		}
		sn_buf_finish(&content);
	}
	reply_release(&made);
}

static void api_token_works_until_it_is_removed(void **state)
{
	struct reply made = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/tokens",
				   "{\"label\":\"script\",\"expires_in\":\"1h\"}"),
		     listed;
	sn_autofree char *header =
		sn_xasprintf("Authorization: Bearer %s\r\n",
			     json_string_value(json_object_get(made.json, "token")));
	sn_autofree char *path = sn_xasprintf("/api/v1/tokens/%s",
					      json_string_value(json_object_get(made.json, "id")));

	(void)state;
	assert_int_equal(status_of("GET", "/api/v1/nodes", header, NULL), 200);
	/* No cookie, no forgery: the header is not needed. */
	assert_int_equal(status_of("POST", "/api/v1/invites", header, "{}"), 201);
	listed = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/tokens", NULL);
	assert_non_null(strstr(listed.body, "script"));
	assert_null(strstr(listed.body, strstr(header, "Bearer ") + 7));
	assert_int_equal(status_of("DELETE", path, header, NULL), 204);
	assert_int_equal(status_of("GET", "/api/v1/nodes", header, NULL), 401);
	reply_release(&made);
	reply_release(&listed);
}

static void removed_user_is_out_at_once(void **state)
{
	struct reply made =
		expect(&world, AS_LOCAL, 201, "POST", "/api/v1/users", "{\"name\":\"eve\"}");
	struct reply link =
		expect(&world, AS_LOCAL, 201, "POST", "/api/v1/login-links", "{\"user\":\"eve\"}");
	const char *url = json_string_value(json_object_get(link.json, "url"));
	struct reply in = plain(&world, AS_NOBODY, "GET", strstr(url, "/login"), "", NULL), out;
	sn_autofree char *cookie = cookie_of(&in);

	(void)state;
	assert_int_equal(status_of("GET", "/api/v1/nodes", cookie, NULL), 200);
	out = expect(&world, AS_LOCAL, 204, "DELETE", "/api/v1/users/eve", NULL);
	assert_int_equal(status_of("GET", "/api/v1/nodes", cookie, NULL), 401);
	reply_release(&made);
	reply_release(&link);
	reply_release(&in);
	reply_release(&out);
	/* The last one cannot go. */
	out = expect(&world, AS_LOCAL, 409, "DELETE", "/api/v1/users/admin", NULL);
	reply_release(&out);
}

static void throttle_counts_per_key_and_forgets_with_time(void **state)
{
	struct sn_throttle *throttle = sn_throttle_create(60 * SN_NS_PER_S);
	char key[32];

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		sn_throttle_fail(throttle, "a", i);
	assert_true(sn_throttle_count(throttle, "a", 100) >= 20);
	assert_int_equal(sn_throttle_count(throttle, "b", 100), 0);
	assert_int_equal(sn_throttle_count(throttle, "a", 61 * SN_NS_PER_S), 0);
	/* More keys than there is room for: the newest ones are known. */
	for (unsigned i = 0; i < 2 * SN_THROTTLE_KEYS; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		sn_throttle_fail(throttle, key, 1000 + i);
	}
	assert_int_equal(sn_throttle_count(throttle, key, 5000), 1);
	assert_int_equal(sn_throttle_count(throttle, "k0", 5000), 0);
	sn_throttle_forget(throttle, key);
	assert_int_equal(sn_throttle_count(throttle, key, 5000), 0);
	sn_throttle_destroy(throttle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_logs_in_once),
		cmocka_unit_test(looking_at_a_link_does_not_use_it),
		cmocka_unit_test(old_and_wrong_links_say_so),
		cmocka_unit_test(session_reads_with_its_cookie_and_writes_with_the_header),
		cmocka_unit_test(session_ends_when_it_is_deleted),
		cmocka_unit_test(session_expires),
		cmocka_unit_test(cookie_of_another_hub_of_this_machine_is_not_ours),
		cmocka_unit_test(oldest_of_too_many_sessions_ends),
		cmocka_unit_test(form_of_a_foreign_page_cannot_log_in),
		cmocka_unit_test(passwords_are_yescrypt),
		cmocka_unit_test(secrets_are_in_the_database_as_hashes_only),
		cmocka_unit_test(api_token_works_until_it_is_removed),
		cmocka_unit_test(removed_user_is_out_at_once),
		cmocka_unit_test(throttle_counts_per_key_and_forgets_with_time),
		cmocka_unit_test_setup_teardown(password_logs_in_and_its_change_needs_the_old_one,
						NULL, NULL),
		cmocka_unit_test(sixth_wrong_password_in_a_minute_is_not_even_tried),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
