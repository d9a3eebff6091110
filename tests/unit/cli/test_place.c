/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/place.h"

static const char *const variables[] = {
	"SONDE_URL",      "SONDE_TOKEN_FILE", "SONDE_CA_FILE",  "SONDE_CERT_FILE",
	"SONDE_KEY_FILE", "XDG_RUNTIME_DIR",  "XDG_STATE_HOME", "XDG_CONFIG_HOME",
};

/* A home of its own, and none of the caller's variables. */
static int set_up(void **state)
{
	char template[] = "/tmp/sonde-test-place-XXXXXX";

	if (mkdtemp(template) == NULL)
		return -1;
	for (size_t i = 0; i < SN_COUNT(variables); i++)
		unsetenv(variables[i]);
	setenv("HOME", template, 1);
	*state = sn_xstrdup(template);
	return 0;
}

static int tear_down(void **state)
{
	sn_fs_remove_tree(*state, NULL);
	free(*state);
	return 0;
}

static char *put(const char *dir, const char *name, const char *text)
{
	char *path = sn_fs_join(dir, name);
	sn_autofree char *parent = sn_xstrndup(path, (size_t)(strrchr(path, '/') - path));

	assert_int_equal(sn_fs_mkdirs(parent, 0700, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	return path;
}

static const char hub_json[] = "{\"url\":\"http://127.0.0.1:8080/\",\"ca_file\":\"/x/ca.pem\","
			       "\"token\":\"secret\",\"pid\":4711,\"state_dir\":\"/x\"}";

static void every_member_is_taken(void **state)
{
	sn_autofree char *path = put(*state, "hub.json", hub_json);
	struct sn_place place;

	assert_int_equal(sn_place_read(path, &place, NULL), 0);
	assert_string_equal(place.url, "http://127.0.0.1:8080");
	assert_string_equal(place.ca_file, "/x/ca.pem");
	assert_string_equal(place.token, "secret");
	assert_string_equal(place.state_dir, "/x");
	assert_int_equal(place.pid, 4711);
	assert_true(place.local);
	sn_place_finish(&place);
	sn_place_finish(&place);
}

static void broken_files_are_refused_by_name(void **state)
{
	static const char *const bad[] = {"",
					  "[]",
					  "{\"url\":\"http://x\"}",
					  "{\"url\":1,\"token\":\"t\"}",
					  "{\"url\":\"ftp://x\",\"token\":\"t\"}",
					  "{\"url\":\"http://x\",\"token\":\"t\"} x"};

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		sn_autofree char *path = put(*state, "hub.json", bad[i]);
		struct sn_place place;
		struct sn_err err = {0};

		assert_true(sn_place_read(path, &place, &err) < 0);
		assert_non_null(strstr(err.text, path));
		assert_null(place.url);
	}
}

static void a_file_at_the_limit_is_read_and_one_above_is_not(void **state)
{
	char *text = sn_xmalloc(SN_PLACE_FILE_MAX + 2);
	struct sn_place place;

	memset(text, ' ', SN_PLACE_FILE_MAX + 1);
	memcpy(text, hub_json, sizeof(hub_json) - 1);
	for (size_t more = 0; more <= 1; more++) {
		text[SN_PLACE_FILE_MAX + more] = '\0';
		sn_autofree char *path = put(*state, "hub.json", text);

		assert_int_equal(sn_place_read(path, &place, NULL), more == 0 ? 0 : -EFBIG);
		text[SN_PLACE_FILE_MAX + more] = ' ';
		if (more == 0)
			sn_place_finish(&place);
	}
	free(text);
}

static void the_runtime_directory_comes_before_the_state_directory(void **state)
{
	sn_autofree char *runtime = sn_fs_join(*state, "run");
	struct sn_place place;

	free(put(*state, ".local/state/sonde/hub.json",
		 "{\"url\":\"http://127.0.0.1:2\",\"token\":\"t\"}"));
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	/* A hub that was started without a session wrote elsewhere; it is found all the same. */
	if (geteuid() != 0 || !sn_fs_exists("/run/sonde/hub.json")) {
		assert_int_equal(sn_place_find(NULL, &place, NULL), 0);
		assert_string_equal(place.url, "http://127.0.0.1:2");
		sn_place_finish(&place);
	}
	free(put(runtime, "sonde/hub.json", "{\"url\":\"http://127.0.0.1:1\",\"token\":\"t\"}"));
	assert_int_equal(sn_place_find(NULL, &place, NULL), 0);
	assert_string_equal(place.url, "http://127.0.0.1:1");
	sn_place_finish(&place);
}

static void without_a_hub_it_is_said_what_to_do(void **state)
{
	struct sn_place place;
	struct sn_err err = {0};

	(void)state;
	if ((geteuid() == 0 && sn_fs_exists("/run/sonde/hub.json")) ||
	    sn_fs_exists("/var/tmp/sonde-demo/hub/hub.json")) {
		print_message("# skipped: a hub runs on this machine\n");
		skip();
	}
	assert_int_equal(sn_place_find(NULL, &place, &err), -ENOENT);
	assert_non_null(strstr(err.text, "sonde up"));
}

static void a_given_url_takes_token_and_ca_from_the_environment(void **state)
{
	sn_autofree char *token = put(*state, "token", "  abc-123\n");
	struct sn_place place;

	setenv("SONDE_TOKEN_FILE", token, 1);
	setenv("SONDE_CA_FILE", "/ca.pem", 1);
	setenv("SONDE_URL", "https://hub.example:8443", 1);
	assert_int_equal(sn_place_find(NULL, &place, NULL), 0);
	assert_string_equal(place.url, "https://hub.example:8443");
	assert_string_equal(place.token, "abc-123");
	assert_string_equal(place.ca_file, "/ca.pem");
	assert_false(place.local);
	sn_place_finish(&place);

	assert_int_equal(sn_place_find("https://other.example/", &place, NULL), 0);
	assert_string_equal(place.url, "https://other.example");
	sn_place_finish(&place);
}

static void a_url_of_the_local_hub_needs_no_token_file(void **state)
{
	struct sn_place place;

	free(put(*state, ".local/state/sonde/hub.json", hub_json));
	setenv("XDG_RUNTIME_DIR", *state, 1);
	free(put(*state, "sonde/hub.json", hub_json));
	assert_int_equal(sn_place_find("http://127.0.0.1:8080", &place, NULL), 0);
	assert_string_equal(place.token, "secret");
	sn_place_finish(&place);
	/* The token of this machine's hub is for it alone. */
	assert_int_equal(sn_place_find("http://192.0.2.1:8080", &place, NULL), 0);
	assert_null(place.token);
	sn_place_finish(&place);
}

static void tokens_that_could_break_a_header_are_refused(void **state)
{
	static const char *const bad[] = {"", "\n", "a b", "a\r\nX: y", "a\x7f"};
	struct sn_place place;

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		sn_autofree char *path = put(*state, "token", bad[i]);

		setenv("SONDE_TOKEN_FILE", path, 1);
		assert_int_equal(sn_place_find("https://hub.example", &place, NULL), -EINVAL);
		assert_null(place.url);
	}
	setenv("SONDE_TOKEN_FILE", "/nowhere/token", 1);
	assert_int_equal(sn_place_find("https://hub.example", &place, NULL), -ENOENT);
}

static void what_is_no_url_is_refused(void **state)
{
	struct sn_place place;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_place_find("hub.example", &place, &err), -EDOM);
	assert_non_null(strstr(err.text, "'hub.example'"));
	assert_non_null(strstr(err.text, "--hub"));
	setenv("SONDE_URL", "file:///etc/passwd", 1);
	assert_int_equal(sn_place_find(NULL, &place, &err), -EDOM);
	assert_non_null(strstr(err.text, "SONDE_URL"));
}

/* Profiles -------------------------------------------------------------------------------- */

static const char two_hubs[] =
	"# hubs\n"
	"lab:\n"
	"  url: https://lab.example:8443/\n"
	"  token_file: lab.token\n"
	"  ca_file: /x/ca.pem\n"
	"field:\n"
	"  url: https://field.example\n"
	"  tokn_file: t\n"
	"flow: {url: 'https://flow.example', cert_file: c.pem, key_file: k.pem}\n"
	"mail:\n"
	"  url: mailto:x\n";

static void put_profiles(const char *home)
{
	free(put(home, ".config/sonde/config.yaml", two_hubs));
	free(put(home, ".config/sonde/lab.token", "secret\n"));
}

static void a_profile_has_all_that_a_hub_needs(void **state)
{
	struct sn_place place;
	struct sn_err err = {0};

	put_profiles(*state);
	setenv("SONDE_TOKEN_FILE", "/of/another/hub", 1);
	assert_int_equal(sn_place_find("lab", &place, &err), 0);
	assert_string_equal(place.url, "https://lab.example:8443");
	assert_string_equal(place.token, "secret");
	assert_string_equal(place.ca_file, "/x/ca.pem");
	assert_null(place.cert_file);
	sn_place_finish(&place);
	setenv("SONDE_URL", "flow", 1);
	assert_int_equal(sn_place_find(NULL, &place, &err), 0);
	assert_string_equal(place.url, "https://flow.example");
	assert_non_null(strstr(place.cert_file, "/.config/sonde/c.pem"));
	assert_null(place.token);
	sn_place_finish(&place);
}

static void assert_refused(const char *hub, int code, const char *says)
{
	struct sn_place place;
	struct sn_err err = {0};

	assert_int_equal(sn_place_find(hub, &place, &err), code);
	if (strstr(err.text, says) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, says);
}

static void what_is_wrong_with_a_profile_is_said_with_its_line(void **state)
{
	put_profiles(*state);
	assert_refused("labb", -EDOM, "has only lab, field, flow, mail");
	assert_refused("field", -EINVAL, "line 8: unknown key 'tokn_file'");
	assert_refused("mail", -EINVAL, "'mailto:x' is no URL");
	assert_refused("url", -EDOM, "has only");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_member_is_taken),
		TEST(broken_files_are_refused_by_name),
		TEST(a_file_at_the_limit_is_read_and_one_above_is_not),
		TEST(the_runtime_directory_comes_before_the_state_directory),
		TEST(without_a_hub_it_is_said_what_to_do),
		TEST(a_given_url_takes_token_and_ca_from_the_environment),
		TEST(a_url_of_the_local_hub_needs_no_token_file),
		TEST(tokens_that_could_break_a_header_are_refused),
		TEST(what_is_no_url_is_refused),
		TEST(a_profile_has_all_that_a_hub_needs),
		TEST(what_is_wrong_with_a_profile_is_said_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
