/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/fs.h"
#include "base/util.h"

struct options {
	bool json;
	const char *file;
	struct sn_opt_texts tags;
	uint64_t count, size, rate;
	int64_t interval_ns;
	double share, ratio;
};

#define OPT(n, l, t, m, ...)                                                                       \
	{                                                                                          \
		.name = n, .letter = l, .type = t, .offset = offsetof(struct options, m),          \
		.help = "help of " n, __VA_ARGS__                                                  \
	}
static const struct sn_opt opts[] = {
	OPT("count", 'c', SN_OPT_U64, count, .argument = "N", .min = 1, .max = 10,
	    .group = "What to send"),
	OPT("interval", 'i', SN_OPT_DURATION, interval_ns, .argument = "TIME", .min = SN_NS_PER_MS,
	    .max = 60 * SN_NS_PER_S),
	OPT("size", 0, SN_OPT_SIZE, size, .argument = "BYTES"),
	OPT("rate", 0, SN_OPT_RATE, rate, .argument = "RATE"),
	OPT("share", 0, SN_OPT_DOUBLE, share, .argument = "X"),
	OPT("ratio", 0, SN_OPT_RATIO, ratio, .argument = "X"),
	OPT("json", 0, SN_OPT_FLAG, json, .group = "What to print"),
	OPT("file", 'o', SN_OPT_TEXT, file, .argument = "FILE"),
	OPT("tag", 0, SN_OPT_TEXTS, tags, .argument = "TAG"),
};

static struct options got;
static int got_argc;
static char got_argv[8][40];
static const char *got_path;

static int record(const struct sn_verb *verb, void *options, int argc, char **argv)
{
	got = *(struct options *)options;
	got_argc = argc;
	got_path = verb->path;
	for (int i = 0; i < argc && i < 8; i++)
		snprintf(got_argv[i], sizeof(got_argv[i]), "%s", argv[i]);
	return 42;
}

static const struct sn_verb verbs[] = {
	{"ping", "HOST...", "ask hosts", "sonde ping -c 3 192.0.2.1\nsonde ping --json a b", opts,
	 SN_COUNT(opts), sizeof(struct options), 1, -1, record, NULL, false},
	{"node list", "", "list nodes", NULL, opts, SN_COUNT(opts), sizeof(struct options), 0, 0,
	 record, NULL, true},
	{"node show", "NODE", "show one", NULL, opts, SN_COUNT(opts), sizeof(struct options), 1, 1,
	 record, "node", false},
	{"complete", "KIND", NULL, NULL, NULL, 0, 0, 1, 1, record, NULL, false},
};
static const struct sn_program program = {"sonde", "measures networks", verbs, SN_COUNT(verbs)};

static const struct sn_verb plain_verbs[] = {
	{"", "", "run the agent", NULL, opts, SN_COUNT(opts), sizeof(struct options), 0, 0, record,
	 NULL, false},
	{"join", "URL TOKEN", "join a hub", NULL, opts, SN_COUNT(opts), sizeof(struct options), 2,
	 2, record, NULL, false},
};
static const struct sn_program plain = {"agent", "an agent", plain_verbs, SN_COUNT(plain_verbs)};

static struct sn_buf said; /* what came on standard output and error */

/* Runs a command line of words between blanks. */
static int call_program(const struct sn_program *which, const char *line)
{
	char words[400], *argv[32], *rest = NULL, path[] = "/tmp/sonde-test-XXXXXX";
	int argc = 0, code, fd = mkstemp(path), out = dup(1), err = dup(2);

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok_r(words, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	argv[argc] = NULL;
	got = (struct options){0};
	got_argc = -1;
	fflush(stdout);
	dup2(fd, 1);
	dup2(fd, 2);
	code = sn_cli_main(which, argc, argv);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	close(fd);
	sn_buf_clear(&said);
	sn_fs_read(path, 100000, &said, NULL);
	unlink(path);
	sn_buf_cstr(&said);
	return code;
}

static int call(const char *line)
{
	return call_program(&program, line);
}

static void assert_said(const char *text)
{
	if (strstr(sn_buf_cstr(&said), text) == NULL)
		fail_msg("'%s' is not in: %s", text, sn_buf_cstr(&said));
}

static void options_of_every_type_reach_the_verb(void **state)
{
	(void)state;
	assert_int_equal(call("sonde ping -c 3 a --interval=250ms --size 10kB --rate 20Mbit "
			      "--share 2.5 --ratio 1% --json -o f --tag x --tag y b -- -c"),
			 42);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.interval_ns, 250 * SN_NS_PER_MS);
	assert_int_equal(got.size, 10000);
	assert_int_equal(got.rate, 20000000);
	assert_true(got.share == 2.5);
	assert_true(got.ratio == 0.01);
	assert_true(got.json);
	assert_int_equal(got.tags.count, 2);
	assert_string_equal(got.tags.items[1], "y");
	assert_int_equal(got_argc, 3);
	assert_string_equal(got_argv[0], "a");
	assert_string_equal(got_argv[1], "b");
	assert_string_equal(got_argv[2], "-c");
}

static void the_longest_path_is_the_verb(void **state)
{
	(void)state;
	assert_int_equal(call("sonde node show n1"), 42);
	assert_string_equal(got_path, "node show");
	assert_string_equal(got_argv[0], "n1");
	assert_int_equal(call_program(&plain, "agent --json"), 42);
	assert_string_equal(got_path, "");
	assert_int_equal(call_program(&plain, "agent join u t"), 42);
	assert_string_equal(got_path, "join");
	assert_int_equal(call_program(&plain, "agent"), 42);
}

static void wrong_usage_is_explained(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"sonde", "Usage: sonde COMMAND"},
		{"sonde pin h", "unknown command 'pin' (did you mean 'ping'?)"},
		{"sonde node lst", "unknown command 'node lst' (did you mean 'node list'?)"},
		{"sonde xyzzy", "unknown command 'xyzzy' (see 'sonde --help')"},
		{"sonde node", "'node' needs one of these verbs"},
		{"sonde ping", "an argument is missing (usage: sonde ping HOST...)"},
		{"sonde node list x", "unexpected argument 'x'"},
		{"sonde ping --cuont 3 h", "unknown option '--cuont' (did you mean '--count'?)"},
		{"sonde ping --zzzzzz h", "unknown option '--zzzzzz' (see 'sonde ping --help')"},
		{"sonde ping -z h", "unknown option '-z'"},
		{"sonde ping h -c", "option '--count' needs a value: a whole number"},
		{"sonde ping h --count", "option '--count' needs a value"},
		{"sonde ping h --json=1", "option '--json' takes no value"},
		{"sonde ping -c x h", "option '--count': 'x' is not a whole number"},
		{"sonde ping -c 0 h", "'0' is out of range (allowed: 1 to 10)"},
		{"sonde ping -c 11 h", "'11' is out of range (allowed: 1 to 10)"},
		{"sonde ping -i 2m h", "'2m' is out of range (allowed: 1ms to 1m)"},
		{"sonde ping -i 5 h", "a time like 250ms"},
		{"sonde ping --size big h", "a size like"},
		{"sonde ping --ratio 2 h", "option '--ratio'"},
		{"sonde --json ping h", "before the command"},
		{"sonde help nod", "did you mean 'node'"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		if (call(cases[i].line) != SN_EXIT_USAGE)
			fail_msg("accepted: %s", cases[i].line);
		assert_said(cases[i].says);
		assert_int_equal(got_argc, -1);
	}
	assert_int_equal(call_program(&plain, "agent jion u t"), SN_EXIT_USAGE);
	assert_said("did you mean 'join'");
	assert_int_equal(call_program(&plain, "agent --verison"), SN_EXIT_USAGE);
	assert_said("did you mean '--version'");
}

static void an_option_given_too_often_is_refused(void **state)
{
	static char words[][8] = {"sonde", "ping", "h", "--tag=x"};
	static char *argv[140] = {words[0], words[1], words[2]};
	int argc = 3;

	(void)state;
	for (int i = 0; i < 64; i++)
		argv[argc++] = words[3];
	assert_int_equal(sn_cli_main(&program, argc, argv), 42);
	assert_int_equal(got.tags.count, 64);
	argv[argc++] = words[3];
	assert_int_equal(sn_cli_main(&program, argc, argv), SN_EXIT_USAGE);
}

static void help_shows_groups_and_examples_and_fits_a_screen(void **state)
{
	unsigned lines = 0;

	(void)state;
	assert_int_equal(call("sonde ping --help"), SN_EXIT_OK);
	assert_said("Usage: sonde ping [OPTIONS] HOST...");
	assert_said("What to send:\n  -c, --count N");
	assert_said("What to print:\n");
	assert_said("Examples:\n  sonde ping -c 3 192.0.2.1\n  sonde ping --json a b\n");
	for (size_t i = 0; i < said.n; i++)
		lines += said.p[i] == '\n';
	assert_in_range(lines, 10, 24);
	assert_int_equal(call("sonde help ping"), SN_EXIT_OK);
	assert_said("Usage: sonde ping [OPTIONS] HOST...");
	assert_int_equal(call("sonde node --help"), SN_EXIT_OK);
	assert_said("node list");
	assert_int_equal(call("sonde --help"), SN_EXIT_OK);
	assert_said("ping HOST...");
	assert_said("node show NODE");
	assert_null(strstr(sn_buf_cstr(&said), "complete"));
	assert_int_equal(call_program(&plain, "agent --help"), SN_EXIT_OK);
	assert_said("Usage: agent [OPTIONS]");
	assert_said("join URL TOKEN");
}

static void help_of_a_program_with_a_single_command_lists_it(void **state)
{
	static const struct sn_program single = {"probe", "measures", &verbs[0], 1};

	(void)state;
	assert_int_equal(call_program(&single, "probe --help"), SN_EXIT_OK);
	assert_said("ping HOST...");
}

static void the_version_is_printed(void **state)
{
	(void)state;
	assert_int_equal(call("sonde --version"), SN_EXIT_OK);
	assert_string_equal(sn_buf_cstr(&said), "sonde " SONDE_VERSION "\n");
}

static void exit_codes_tell_denied_unreachable_and_meaningless_apart(void **state)
{
	(void)state;
	assert_int_equal(sn_cli_exit_code(0), SN_EXIT_OK);
	assert_int_equal(sn_cli_exit_code(-EACCES), SN_EXIT_DENIED);
	assert_int_equal(sn_cli_exit_code(-ECONNREFUSED), SN_EXIT_UNREACHABLE);
	assert_int_equal(sn_cli_exit_code(-EDOM), SN_EXIT_USAGE);
	assert_int_equal(sn_cli_exit_code(-EIO), SN_EXIT_FAILED);
}

/* Asks bash what it would offer for a command line; the answer, words between blanks. */
static void complete(const char *line, char *out, size_t size)
{
	char path[] = "/tmp/sonde-test-XXXXXX", command[600];
	FILE *file = fdopen(mkstemp(path), "w");
	FILE *bash;

	sn_cli_print_bash_completion(&program, file);
	fputs("sonde() { [ \"$*\" = 'complete node' ] && echo n1 n2; }\n", file);
	fclose(file);
	snprintf(command, sizeof(command),
		 "bash --norc -c '. %s; COMP_WORDS=(%s \"\"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); "
		 "_sonde; echo \"${COMPREPLY[*]}\"'",
		 path, line);
	bash = popen(command, "r");
	assert_non_null(bash);
	out[0] = '\0';
	(void)!fgets(out, (int)size, bash);
	assert_int_equal(pclose(bash), 0);
	unlink(path);
}

static void bash_completes_verbs_options_and_names(void **state)
{
	char words[400];

	(void)state;
	if (access("/bin/bash", X_OK) != 0) {
		print_message("skipped: there is no bash here\n");
		skip();
	}
	complete("sonde", words, sizeof(words));
	assert_string_equal(words, "ping node --help --version\n");
	complete("sonde node", words, sizeof(words));
	assert_string_equal(words, "list show --help\n");
	complete("sonde node show", words, sizeof(words));
	assert_non_null(strstr(words, "--count"));
	assert_non_null(strstr(words, "n1 n2"));
	complete("sonde ping", words, sizeof(words));
	assert_non_null(strstr(words, "--interval"));
	assert_null(strstr(words, "n1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_of_every_type_reach_the_verb),
		cmocka_unit_test(the_longest_path_is_the_verb),
		cmocka_unit_test(wrong_usage_is_explained),
		cmocka_unit_test(an_option_given_too_often_is_refused),
		cmocka_unit_test(help_shows_groups_and_examples_and_fits_a_screen),
		cmocka_unit_test(help_of_a_program_with_a_single_command_lists_it),
		cmocka_unit_test(the_version_is_printed),
		cmocka_unit_test(exit_codes_tell_denied_unreachable_and_meaningless_apart),
		cmocka_unit_test(bash_completes_verbs_options_and_names),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	sn_buf_finish(&said);
	return failed;
}
