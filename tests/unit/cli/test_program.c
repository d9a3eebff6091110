/* SPDX-License-Identifier: Apache-2.0 */
/* The program as a whole: its verbs, what a wrong command line gets, the completion. */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/doctor/findings.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "unit/cli/command.h"

static void wrong_command_lines_are_usage_errors_that_name_the_thing(void **state)
{
	static const struct {
		const char *words, *says;
	} cases[] = {
		{"nod list", "'node'"},
		{"node lst", "list"},
		{"node show", "argument"},
		{"results --sicne -15m", "--since"},
		{"results --since yesterday", "'yesterday'"},
		{"results --since now --until -1h", "--until"},
		{"results --limit 0", "--limit"},
		{"results --limit 1000001", "1000000"},
		{"results --json --csv", "exclude"},
		{"results --follow --until now", "--until"},
		{"flows extra", "argument"},
		{"measure", "argument"},
		{"measure ping x --json --csv", "exclude"},
		{"measure ping x --when now --every 1s", "--when"},
		{"measure ping x --follow --detach", "--follow"},
		{"cap show", "argument"},
		{"node invite x --latitude 91 --longitude 0", "-90 to 90"},
		{"node invite x --latitude north --longitude 0", "'north'"},
		{"node invite x --latitude 1", "go together"},
		{"node invite x --expires 1s", "--expires"},
		{"up --listen nowhere", "'nowhere'"},
		{"up --log-level loud", "'loud'"},
		{"up --no-defaults not_a_host", "targets"},
		{"completion fish", "bash"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		int code = run(cases[i].words);

		if (code != SN_EXIT_USAGE || strstr(said, cases[i].says) == NULL)
			print_error("sonde %s: %d, %s", cases[i].words, code, said);
		assert_int_equal(code, SN_EXIT_USAGE);
		assert_non_null(strstr(said, cases[i].says));
	}
}

static void every_verb_has_help_with_an_example(void **state)
{
	const struct sn_program *program = sn_cli_program_table();

	(void)state;
	for (size_t i = 0; i < program->verb_count; i++) {
		const struct sn_verb *verb = &program->verbs[i];
		sn_autofree char *words = sn_xasprintf("%s --help", verb->path);

		/* Handed to another program, or for the completion only. */
		if (strcmp(verb->path, "ping") == 0 || verb->help == NULL)
			continue;
		assert_int_equal(run(words), SN_EXIT_OK);
		assert_non_null(strstr(said, verb->path));
	}
}

static void verbs_of_a_noun_stand_together(void **state)
{
	const struct sn_program *program = sn_cli_program_table();

	(void)state;
	for (size_t i = 0; i < program->verb_count; i++) {
		size_t noun = strcspn(program->verbs[i].path, " ");
		bool left = false;

		for (size_t k = i + 1; k < program->verb_count; k++) {
			const char *path = program->verbs[k].path;
			bool same = strncmp(path, program->verbs[i].path, noun) == 0 &&
				    (path[noun] == ' ' || path[noun] == '\0');

			assert_false(same && left);
			assert_string_not_equal(path, program->verbs[i].path);
			left |= !same;
		}
	}
}

/* Verbs whose output has a form of its own, or that say nothing. */
static bool has_its_own_form(const char *path)
{
	static const char *const paths[] = {"ping",    "user password", "policy import", "ca crl",
					    "ca cert", "completion",    "complete"};

	for (size_t i = 0; i < SN_COUNT(paths); i++)
		if (strcmp(paths[i], path) == 0)
			return true;
	return false;
}

static bool has_json(const struct sn_verb *verb)
{
	for (size_t i = 0; i < verb->option_count; i++)
		if (strcmp(verb->options[i].name, "json") == 0)
			return true;
	return false;
}

static void every_verb_that_says_something_can_say_it_to_programs(void **state)
{
	const struct sn_program *program = sn_cli_program_table();

	(void)state;
	for (size_t i = 0; i < program->verb_count; i++)
		if (!has_json(&program->verbs[i]) && !has_its_own_form(program->verbs[i].path))
			fail_msg("'%s' has no --json", program->verbs[i].path);
}

static void what_is_good_is_an_object_too(void **state)
{
	char dir[] = "/tmp/sonde-test-program-XXXXXX";
	sn_autofree char *policy = NULL;
	sn_autofree char *words = NULL;
	sn_autojson json_t *json = NULL;
	static const char text[] = "roles:\n  all: authenticated\nrules: []\n";

	(void)state;
	assert_non_null(mkdtemp(dir));
	words = sn_xasprintf("store check --store %s --json", dir);
	assert_int_equal(run(words), SN_EXIT_OK);
	assert_string_equal(said, "{\"sound\":true}\n");
	free(words);
	policy = sn_fs_join(dir, "policy.yaml");
	assert_int_equal(sn_fs_write_atomic(policy, text, sizeof(text) - 1, 0600, NULL), 0);
	words = sn_xasprintf("policy check %s --json", policy);
	assert_int_equal(run(words), SN_EXIT_OK);
	json = sn_json_parse(said, strlen(said), NULL);
	assert_string_equal(sn_output_text(json, "file"), policy);
	assert_int_equal(json_integer_value(json_object_get(json, "rules")), 0);
	assert_true(json_is_array(json_object_get(json, "warnings")));
	sn_fs_remove_tree(dir, NULL);
}

static void a_hub_that_is_not_there_has_its_own_exit_code(void **state)
{
	(void)state;
	assert_int_equal(run("node list"), SN_EXIT_FAILED); /* the empty token file */
	assert_non_null(strstr(said, "/dev/null"));
}

static void completion_is_a_script_that_bash_takes(void **state)
{
	char path[] = "/tmp/sonde-test-completion-XXXXXX";
	sn_autofree char *command = NULL;
	int fd;

	(void)state;
	if (system("bash -c true 2>/dev/null") != 0) {
		print_message("skipped: there is no bash\n");
		skip();
	}
	assert_int_equal(run("completion bash"), SN_EXIT_OK);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, said, strlen(said)), strlen(said));
	close(fd);
	command = sn_xasprintf("bash -n %s", path);
	assert_int_equal(system(command), 0);
	free(command);
	/* The function is called as bash would, behind "sonde node ". */
	command =
		sn_xasprintf("bash -c '. %s; COMP_WORDS=(sonde node \"\"); COMP_CWORD=2; _sonde; "
			     "[[ \" ${COMPREPLY[*]} \" == *\" list \"* && \" ${COMPREPLY[*]} \" == "
			     "*\" revoke \"* ]]'",
			     path);
	assert_int_equal(system(command), 0);
	unlink(path);
}

static void what_is_known_without_a_hub_is_completed_without_one(void **state)
{
	(void)state;
	assert_int_equal(run("complete dataset"), SN_EXIT_OK);
	assert_non_null(strstr(said, "ping\n"));
	assert_int_equal(run("complete demo-link"), SN_EXIT_OK);
	assert_non_null(strstr(said, "access-1\n"));
	/* And what needs one says nothing at all. */
	assert_int_not_equal(run("complete node"), SN_EXIT_OK);
	assert_string_equal(said, "");
}

static void only_plain_words_are_topics(void **state)
{
	char dir[] = "/tmp/sonde-test-help-XXXXXX";
	sn_autofree char *bin = NULL;
	sn_autofree char *page = NULL;
	char *found;

	(void)state;
	assert_non_null(mkdtemp(dir));
	bin = sn_fs_join(dir, "bin");
	page = sn_fs_join(dir, "share/man/man8/sonde-hub.8");
	assert_int_equal(sn_fs_mkdirs(bin, 0700, NULL), 0);
	*strrchr(page, '/') = '\0';
	assert_int_equal(sn_fs_mkdirs(page, 0700, NULL), 0);
	page[strlen(page)] = '/';
	assert_int_equal(sn_fs_write_atomic(page, "x", 1, 0600, NULL), 0);

	for (size_t i = 0; i < 2; i++) {
		found = sn_help_page(bin, i == 0 ? "hub" : "sonde-hub");
		assert_non_null(found);
		assert_non_null(strstr(found, "man8/sonde-hub.8"));
		free(found);
	}
	assert_null(sn_help_page(bin, "nothing"));
	assert_null(sn_help_page(bin, "../man8/sonde-hub"));
	assert_null(sn_help_page(bin, ""));
	sn_fs_remove_tree(dir, NULL);
}

static void numbers_are_printed_in_their_shortest_form(void **state)
{
	json_t *value =
		json_pack("{s:f, s:i, s:[b,n], s:s}", "d", 0.1, "i", -5, "l", 1, "t", "a\"\n");
	struct sn_buf text = {0};

	(void)state;
	sn_output_json(&text, value);
	assert_string_equal(sn_buf_cstr(&text),
			    "{\"d\":0.1,\"i\":-5,\"l\":[true,null],\"t\":\"a\\\"\\n\"}");
	sn_buf_finish(&text);
	json_decref(value);
}

static void the_doctor_gives_advice_with_everything_that_is_not_well(void **state)
{
	struct sn_findings findings = {0};

	(void)state;
	sn_doctor_local(&findings, "/nowhere/at/all");
	assert_true(findings.count >= 10);
	for (size_t i = 0; i < findings.count; i++) {
		assert_non_null(findings.items[i].found);
		assert_non_null(findings.items[i].means);
		assert_true((findings.items[i].to_do == NULL) ==
			    (findings.items[i].verdict == SN_OK));
	}
	sn_findings_finish(&findings);
	assert_int_equal(findings.count, 0);
}

/* A certificate of `kind` that was issued and ends so many days from now. */
static void certified(struct sn_doctor_peers *peers, const char *kind, const char *identity,
		      const char *state, int issued, int ends)
{
	sn_autojson json_t *item =
		json_pack("{s:s, s:s, s:s}", "kind", kind, "identity", identity, "state", state);
	char text[SN_TIME_TEXT_MAX];
	const int64_t day_ns = 86400 * SN_NS_PER_S;

	sn_format_time(1000 * day_ns + issued * day_ns, text, sizeof(text));
	json_object_set_new(item, "issued", json_string(text));
	sn_format_time(1000 * day_ns + ends * day_ns, text, sizeof(text));
	json_object_set_new(item, "expires", json_string(text));
	sn_doctor_peers_add(peers, item);
}

static void assert_finding(const struct sn_findings *findings, const char *subject,
			   enum sn_verdict verdict)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct sn_finding *finding = &findings->items[i];

		if (finding->subject != NULL && strcmp(finding->subject, subject) == 0) {
			assert_int_equal(finding->verdict, verdict);
			return;
		}
	}
	fail_msg("nothing about '%s'", subject);
}

static void the_doctor_warns_of_certificates_of_peers_that_end_soon(void **state)
{
	struct sn_doctor_peers *peers = sn_doctor_peers_create();
	struct sn_findings findings = {0};

	(void)state;
	certified(peers, "component", "long", "valid", -100, 265);
	certified(peers, "component", "soon", "valid", -350, 15);
	certified(peers, "client", "short", "valid", -6, 1);
	certified(peers, "client", "young", "valid", -1, 6);
	certified(peers, "supervisor", "renewed", "valid", -350, 15);
	certified(peers, "supervisor", "renewed", "valid", -1, 364);
	certified(peers, "component", "over", "expired", -400, -10);
	certified(peers, "component", "gone", "expired", -800, -400);
	certified(peers, "component", "shut-out", "revoked", -350, 15);
	certified(peers, "node", "node:x", "valid", -6, 1); /* renews itself */
	sn_doctor_peers_report(peers, 1000 * 86400 * SN_NS_PER_S, &findings);
	assert_finding(&findings, "soon", SN_WARN);
	assert_finding(&findings, "short", SN_WARN);
	assert_finding(&findings, "over", SN_BAD);
	assert_int_equal(findings.count, 4);
	assert_int_equal(findings.items[3].verdict, SN_OK);
	assert_non_null(strstr(findings.items[3].found, "3 mPlane peers"));
	sn_findings_finish(&findings);
	sn_doctor_peers_destroy(peers);
}

/* A hub that nobody runs, so that nothing is asked of one that somebody does. */
static int know_no_hub(void **state)
{
	(void)state;
	setenv("SONDE_URL", "http://127.0.0.1:1", 1);
	setenv("SONDE_TOKEN_FILE", "/dev/null", 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_command_lines_are_usage_errors_that_name_the_thing),
		cmocka_unit_test(every_verb_has_help_with_an_example),
		cmocka_unit_test(verbs_of_a_noun_stand_together),
		cmocka_unit_test(every_verb_that_says_something_can_say_it_to_programs),
		cmocka_unit_test(what_is_good_is_an_object_too),
		cmocka_unit_test(a_hub_that_is_not_there_has_its_own_exit_code),
		cmocka_unit_test(completion_is_a_script_that_bash_takes),
		cmocka_unit_test(what_is_known_without_a_hub_is_completed_without_one),
		cmocka_unit_test(only_plain_words_are_topics),
		cmocka_unit_test(numbers_are_printed_in_their_shortest_form),
		cmocka_unit_test(the_doctor_gives_advice_with_everything_that_is_not_well),
		cmocka_unit_test(the_doctor_warns_of_certificates_of_peers_that_end_soon),
	};

	return cmocka_run_group_tests(tests, know_no_hub, NULL);
}
