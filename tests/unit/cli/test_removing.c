/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs that take something away say of it, to people and to programs. */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/verbs.h"
#include "unit/cli/canned.h"
#include "unit/cli/command.h"

static const struct canned answers[] = {
	{"DELETE /api/v1/users/bob ", 204, "", ""},
	{"DELETE /api/v1/users/carol ", 204, "", ""},
	{"DELETE /api/v1/users/ghost ", 404, JSON_HEAD, "{\"detail\":\"there is no 'ghost'\"}"},
	{"DELETE /api/v1/tokens/01T ", 204, "", ""},
	{"DELETE /api/v1/invites/01N ", 204, "", ""},
	{"GET /api/v1/invites?limit=1000 ", 200, JSON_HEAD,
	 "{\"items\":[{\"id\":\"01N\",\"name\":null,\"expires\":\"2026-03-01T12:00:00Z\"}],"
	 "\"next\":null}"},
	{"DELETE /api/v1/quarantine/17 ", 204, "", ""},
	{"DELETE /api/v1/imports/01J ", 204, "", ""},
	{"GET /api/v1/math?limit=1000 ", 200, JSON_HEAD,
	 "{\"items\":[{\"id\":\"01M\",\"stream\":\"lab\"}],\"next\":null}"},
	{"DELETE /api/v1/math/01M ", 204, "", ""},
	{"GET /api/v1/store/days?limit=1000 ", 200, JSON_HEAD,
	 "{\"items\":[{\"day\":\"2026-03-01\"}],\"next\":null}"},
	{"DELETE /api/v1/store/days/2026-03-01 ", 204, "", ""},
	{"GET /api/v1/capabilities/ping ", 200, JSON_HEAD,
	 "{\"items\":[{\"label\":\"ping\",\"parameters\":[{\"name\":\"count\","
	 "\"type\":\"count\"}]}],\"next\":null}"},
	{NULL, 0, NULL, NULL},
};

static char dir[] = "/tmp/sonde-test-removing-XXXXXX";

static int set_up(void **state)
{
	sn_autofree char *token = mkdtemp(dir) != NULL ? sn_fs_join(dir, "token") : NULL;

	(void)state;
	if (token == NULL ||
	    sn_fs_write_atomic(token, CANNED_TOKEN, strlen(CANNED_TOKEN), 0600, NULL) != 0 ||
	    canned_start(answers) != 0)
		return -1;
	setenv("SONDE_URL", canned_url, 1);
	setenv("SONDE_TOKEN_FILE", token, 1);
	setenv("XDG_CONFIG_HOME", dir, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	canned_stop();
	sn_fs_remove_tree(dir, NULL);
	return 0;
}

static void assert_says(const char *words, int code, const char *text)
{
	int got = run(words);

	if (got != code || strcmp(said, text) != 0)
		fail_msg("sonde %s: %d, not %d: %s", words, got, code, said);
}

static void each_thing_that_was_removed_is_an_object(void **state)
{
	(void)state;
	assert_says("user rm bob carol --json", SN_EXIT_OK,
		    "{\"name\":\"bob\",\"removed\":true}\n"
		    "{\"name\":\"carol\",\"removed\":true}\n");
	assert_says("user token rm 01T --json", SN_EXIT_OK, "{\"id\":\"01T\",\"removed\":true}\n");
	assert_says("node withdraw 01N --json", SN_EXIT_OK,
		    "{\"id\":\"01N\",\"withdrawn\":true}\n");
	assert_says("quarantine rm 17 -j", SN_EXIT_OK, "{\"id\":\"17\",\"removed\":true}\n");
	assert_says("imports cancel 01J --json", SN_EXIT_OK,
		    "{\"id\":\"01J\",\"cancelled\":true}\n");
	assert_says("math rm lab --json", SN_EXIT_OK, "{\"stream\":\"lab\",\"removed\":true}\n");
	assert_says("math rm 01M --json", SN_EXIT_OK, "{\"stream\":\"lab\",\"removed\":true}\n");
	assert_says("store drop 2026-03-01 --json", SN_EXIT_OK,
		    "{\"day\":\"2026-03-01\",\"dropped\":true}\n");
}

static void people_get_a_line_for_each(void **state)
{
	(void)state;
	assert_says("user rm bob carol", SN_EXIT_OK, "removed 'bob'\nremoved 'carol'\n");
	assert_says("quarantine rm 17", SN_EXIT_OK, "removed 17\n");
	assert_says("store drop 2026-03-01", SN_EXIT_OK, "2026-03-01 is dropped\n");
}

static void open_invitations_are_listed(void **state)
{
	(void)state;
	assert_says("node invites --json", SN_EXIT_OK,
		    "{\"id\":\"01N\",\"name\":null,\"expires\":\"2026-03-01T12:00:00Z\"}\n");
	assert_int_equal(run("node invites"), SN_EXIT_OK);
	assert_non_null(strstr(said, "01N"));
}

static void what_was_removed_before_a_refusal_is_told_all_the_same(void **state)
{
	(void)state;
	assert_int_equal(run("user rm bob ghost carol --json"), SN_EXIT_FAILED);
	assert_non_null(strstr(said, "{\"name\":\"bob\",\"removed\":true}\n"));
	assert_non_null(strstr(said, "there is no 'ghost'"));
	assert_null(strstr(said, "carol"));
}

static void a_word_that_can_mean_nothing_is_a_usage_error(void **state)
{
	static const struct {
		const char *words, *says;
	} cases[] = {
		{"user rm ../nodes", "'../nodes'"},
		{"user set no/body --role admin", "'no/body'"},
		{"user token rm a?b", "'a?b'"},
		{"node withdraw a/b", "'a/b'"},
		{"quarantine rm many", "'many'"},
		{"quarantine retry 0", "'0'"},
		{"quarantine show -- -1", "'-1'"},
		{"imports cancel lower", "'lower'"},
		{"measure ping cuont=3", "did you mean 'count'"},
		{"measure ping 192.0.2.1", "which parameter"},
		{"node list --hub nowhere", "'nowhere'"},
		{"hub --hub ftp://x", "'ftp://x'"},
		{"shell --hub nowhere -c help", "'nowhere'"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		int code = run(cases[i].words);

		if (code != SN_EXIT_USAGE || strstr(said, cases[i].says) == NULL)
			fail_msg("sonde %s: %d, %s", cases[i].words, code, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_thing_that_was_removed_is_an_object),
		cmocka_unit_test(people_get_a_line_for_each),
		cmocka_unit_test(open_invitations_are_listed),
		cmocka_unit_test(what_was_removed_before_a_refusal_is_told_all_the_same),
		cmocka_unit_test(a_word_that_can_mean_nothing_is_a_usage_error),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
