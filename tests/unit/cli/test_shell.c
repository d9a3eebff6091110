/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of `sonde shell`, without anybody to talk to. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/shell/commands.h"
#include "cli/shell/show.h"
#include "mplane/codec.h"

static struct sn_shell *shell;
static char *said;
static size_t said_size;

static int set_up(void **state)
{
	/* Nobody listens there. */
	const struct sn_peer_client_config config = {.url = "http://127.0.0.1:1/"};

	(void)state;
	shell = sn_shell_create(&config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sn_shell_destroy(shell);
	return 0;
}

static void offer(const char *json)
{
	struct sn_err err = {0};

	shell->capabilities = sn_xrealloc(shell->capabilities, shell->capability_count + 1,
					  sizeof(struct sn_mp_message *));
	shell->capabilities[shell->capability_count] =
		sn_mp_decode(shell->registries, json, strlen(json), 0, NULL, &err);
	assert_non_null(shell->capabilities[shell->capability_count]);
	shell->capability_count++;
}

static void offer_ping(void)
{
	offer("{\"capability\":\"measure\",\"label\":\"ping-average-ip4\",\"token\":\"abcdef01\","
	      "\"registry\":\"http://ict-mplane.eu/registry/core\",\"when\":\"now ... future / "
	      "1s\",\"parameters\":{\"source.ip4\":\"192.0.2.1\",\"destination.ip4\":\"*\"},"
	      "\"results\":[\"delay.twoway.icmp.us.mean\"]}");
}

/* What the line answered; the text of its error if it failed. */
static int run(const char *line)
{
	struct sn_err err = {0};
	FILE *real = stdout;
	int rc;

	free(said);
	stdout = open_memstream(&said, &said_size);
	rc = sn_shell_line(shell, line, &err);
	fclose(stdout);
	stdout = real;
	if (rc >= 0)
		return rc;
	free(said);
	said = sn_xstrdup(err.text);
	return rc;
}

static void mistyped_commands_get_a_suggestion(void **state)
{
	(void)state;
	assert_int_equal(run("lstcap"), -EINVAL);
	assert_non_null(strstr(said, "did you mean 'listcap'"));
	assert_int_equal(run("frobnicate"), -EINVAL);
	assert_non_null(strstr(said, "help lists them"));
}

static void blank_lines_and_remarks_do_nothing(void **state)
{
	(void)state;
	assert_int_equal(run("   "), 0);
	assert_int_equal(run("# set a b"), 0);
	assert_string_equal(said, "");
}

static void every_command_has_a_line_of_help(void **state)
{
	(void)state;
	assert_int_equal(run("help"), 0);
	for (size_t i = 0; i < sn_shell_command_count; i++)
		assert_non_null(strstr(said, sn_shell_commands[i].name));
	assert_int_equal(run("exit"), SN_SHELL_LEAVE);
}

static void values_are_set_shown_and_forgotten(void **state)
{
	(void)state;
	assert_int_equal(run("set destination.ip4 192.0.2.9"), 0);
	assert_int_equal(run("set a = b c"), 0);
	assert_int_equal(run("show"), 0);
	assert_non_null(strstr(said, "destination.ip4 = 192.0.2.9\n"));
	assert_non_null(strstr(said, "a = b c\n"));
	assert_int_equal(run("unset a"), 0);
	assert_int_equal(run("show a"), -ENOENT);
	assert_int_equal(run("unset a"), -ENOENT);
	assert_int_equal(run("set a"), -EINVAL);
}

static void scope_that_cannot_be_read_leaves_the_old_one(void **state)
{
	(void)state;
	assert_int_equal(run("when now + 30s / 1s"), 0);
	assert_true(run("when now + 1.5s") < 0);
	assert_int_equal(run("when"), 0);
	assert_string_equal(said, "when = now + 30s / 1s\n");
}

static void capabilities_are_found_by_label_and_by_the_beginning_of_the_token(void **state)
{
	(void)state;
	offer_ping();
	assert_int_equal(run("listcap"), 0);
	assert_non_null(strstr(said, "ping-average-ip4"));
	assert_int_equal(run("showcap ping-average-ip4"), 0);
	assert_non_null(strstr(said, "delay.twoway.icmp.us.mean"));
	assert_int_equal(run("showcap abcd"), 0);
	assert_int_equal(run("showcap abc"), -ENOENT);
	assert_int_equal(run("showcap"), -EINVAL);
}

static void missing_value_is_named_before_anything_is_sent(void **state)
{
	(void)state;
	offer_ping();
	assert_int_equal(run("runcap ping-average-ip4"), -EINVAL);
	assert_non_null(strstr(said, "destination.ip4"));
	assert_int_equal(run("set destination.ip4 nowhere"), 0);
	assert_true(run("runcap ping-average-ip4") < 0);
	assert_non_null(strstr(said, "nowhere"));
}

static void peer_that_is_not_there_is_said_and_nothing_is_remembered(void **state)
{
	(void)state;
	offer_ping();
	run("set destination.ip4 192.0.2.9");
	assert_true(run("runcap ping-average-ip4") < 0);
	assert_int_equal(run("listmeas"), 0);
	assert_non_null(strstr(said, "no measurements"));
	assert_true(run("getcap") < 0);
}

static void words_are_completed_by_what_may_stand_there(void **state)
{
	char *word;

	(void)state;
	offer_ping();
	word = sn_shell_candidate(shell, SN_WORDS_CAPABILITY, "ping", 0);
	assert_string_equal(word, "ping-average-ip4");
	free(word);
	assert_null(sn_shell_candidate(shell, SN_WORDS_CAPABILITY, "ping", 1));
	word = sn_shell_candidate(shell, SN_WORDS_PARAMETER, "dest", 0);
	assert_string_equal(word, "destination.ip4");
	free(word);
	offer_ping(); /* the same once more */
	assert_null(sn_shell_candidate(shell, SN_WORDS_PARAMETER, "dest", 1));
	assert_null(sn_shell_candidate(shell, SN_WORDS_NONE, "", 0));
}

static void nothing_that_a_peer_says_drives_the_terminal(void **state)
{
	(void)state;
	offer_ping();
	/* The reader refuses such texts; whoever shows them does not count on it. */
	sn_mp_set_text(&shell->capabilities[0]->label, "a\033[2Jb");
	sn_mp_set_text(&shell->capabilities[0]->link, "http://\007");
	assert_int_equal(run("listcap"), 0);
	assert_null(strpbrk(said, "\033\007"));
	assert_int_equal(run("showcap abcdef01"), 0);
	assert_null(strpbrk(said, "\033\007"));
}

static void messages_are_shown_as_json_when_asked(void **state)
{
	(void)state;
	offer_ping();
	assert_int_equal(run("json"), 0);
	assert_int_equal(run("showcap ping-average-ip4"), 0);
	assert_int_equal(said[0], '{');
	assert_non_null(strstr(said, "\"capability\":\"measure\""));
}

static void results_are_shown_as_a_table(void **state)
{
	static const char json[] =
		"{\"result\":\"measure\",\"label\":\"p-0\",\"token\":\"t\","
		"\"registry\":\"http://ict-mplane.eu/registry/core\","
		"\"when\":\"2026-01-01 00:00:00\",\"results\":[\"time\",\"rtt.us\"],"
		"\"resultvalues\":[[\"2026-01-01 00:00:00\",\"412\"],[\"*\",\"\\u001b[2J\"]]}";
	static const char good[] =
		"{\"result\":\"measure\",\"label\":\"p-0\",\"token\":\"t\","
		"\"registry\":\"http://ict-mplane.eu/registry/core\","
		"\"when\":\"2026-01-01 00:00:00\",\"results\":[\"time\",\"rtt.us\"],"
		"\"resultvalues\":[[\"2026-01-01 00:00:00\",\"412\"],[\"*\",\"*\"]]}";
	struct sn_err err = {0};
	sn_automp struct sn_mp_message *message = NULL;
	sn_autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_null(sn_mp_decode(shell->registries, json, strlen(json), 0, NULL, &err));
	message = sn_mp_decode(shell->registries, good, strlen(good), 0, NULL, &err);
	assert_non_null(message);
	sn_show_message(message, out);
	fclose(out);
	assert_non_null(strstr(text, "rtt.us"));
	assert_non_null(strstr(text, "412"));
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(mistyped_commands_get_a_suggestion),
		CASE(blank_lines_and_remarks_do_nothing),
		CASE(every_command_has_a_line_of_help),
		CASE(values_are_set_shown_and_forgotten),
		CASE(scope_that_cannot_be_read_leaves_the_old_one),
		CASE(capabilities_are_found_by_label_and_by_the_beginning_of_the_token),
		CASE(missing_value_is_named_before_anything_is_sent),
		CASE(peer_that_is_not_there_is_said_and_nothing_is_remembered),
		CASE(words_are_completed_by_what_may_stand_there),
		CASE(nothing_that_a_peer_says_drives_the_terminal),
		CASE(messages_are_shown_as_json_when_asked),
		CASE(results_are_shown_as_a_table),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(said);
	return failed;
}
