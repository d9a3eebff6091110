/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde policy` as far as it asks no hub, and command lines of `sonde user` that ask none. */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/fs.h"
#include "unit/cli/command.h"

static char dir[64];

static int start(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sonde-cli-policy-XXXXXX");
	assert_non_null(mkdtemp(dir));
	if (chdir(dir) != 0)
		return -1;
	setenv("SONDE_URL", "http://127.0.0.1:1", 1);
	setenv("SONDE_TOKEN_FILE", "token", 1);
	return sn_fs_write_atomic("token", "secret\n", 7, 0600, NULL);
}

static int stop(void **state)
{
	(void)state;
	return chdir("/") == 0 ? sn_fs_remove_tree(dir, NULL) : -1;
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(sn_fs_write_atomic(name, text, strlen(text), 0600, NULL), 0);
}

#define RUN(...) run_words((const char *const[]){__VA_ARGS__, NULL})

static void assert_said(const char *text)
{
	if (strstr(said, text) == NULL)
		fail_msg("'%s' is not in: %s", text, said);
}

static const char good[] = "roles: {boss: user:ada, lab: [user:lena, dns:a.example.net]}\n"
			   "rules:\n"
			   "  - {allow: admin, roles: boss}\n"
			   "  - {allow: measure, roles: lab, capabilities: ping, nodes: rome,\n"
			   "     targets: 198.51.100.0/24, shortest_period: 10s}\n";

static void check_tells_good_from_bad_by_exit_code(void **state)
{
	(void)state;
	write_file("good.yaml", good);
	write_file("bad.yaml", "roles: {}\nrules:\n  - {allow: masure}\n");
	write_file("odd.yaml", "roles: {a: user:a}\n");
	assert_int_equal(RUN("policy", "check", "good.yaml"), SN_EXIT_OK);
	assert_said("good.yaml is good: 2 rules\n");
	assert_int_equal(RUN("policy", "check", "bad.yaml"), SN_EXIT_FAILED);
	assert_said("'bad.yaml': line 3: unknown action 'masure' (did you mean 'measure'?)");
	assert_int_equal(RUN("policy", "check", "odd.yaml"), SN_EXIT_OK);
	assert_said("everything is forbidden");
	assert_said("with warnings");
	assert_int_equal(RUN("policy", "check", "none.yaml"), SN_EXIT_FAILED);
	assert_said("none.yaml");
}

static void explain_asks_a_file_without_a_hub(void **state)
{
	(void)state;
	write_file("good.yaml", good);
	assert_int_equal(RUN("policy", "explain", "user:lena", "ping", "-n", "rome", "-t",
			     "198.51.100.1", "--file", "good.yaml"),
			 SN_EXIT_OK);
	assert_said("allowed: the rule in line 4 allows it\nroles: lab\n");
	assert_int_equal(RUN("policy", "explain", "user:x,dns:a.example.net", "ping", "-n", "rome",
			     "-t", "198.51.100.1", "-t", "198.51.101.1", "--file", "good.yaml"),
			 SN_EXIT_FAILED);
	assert_said("target '198.51.101.1' is not in it");
	assert_int_equal(RUN("policy", "explain", "user:lena", "ping", "-n", "rome", "-t",
			     "198.51.100.1", "-w", "now + 1h / 1s", "--file", "good.yaml"),
			 SN_EXIT_FAILED);
	assert_said("no period below 10s");
	assert_int_equal(RUN("policy", "explain", "user:ada", "-a", "admin", "--file", "good.yaml",
			     "--json"),
			 SN_EXIT_OK);
	assert_said("\"allowed\":true");
	assert_int_equal(RUN("policy", "explain", "user:ada", "-a", "rule", "--file", "good.yaml"),
			 SN_EXIT_USAGE);
	assert_int_equal(RUN("policy", "explain", "user:ada", "ping", "-w", "whenever", "--file",
			     "good.yaml"),
			 SN_EXIT_USAGE);
	assert_int_equal(RUN("policy", "explain", "user:ada", "ping"), SN_EXIT_UNREACHABLE);
}

static void import_prints_a_policy_that_is_good(void **state)
{
	FILE *out;

	(void)state;
	write_file("sdk.conf", "[Roles]\norg.mplane.SSB.Clients.C-1 = guest\n"
			       "[Authorizations]\nping = guest\n");
	write_file("users.conf", "org.mplane.SSB.Clients.C-1: guest\n");
	write_file("caps.conf", "ping, org.mplane.SSB.Components.P-1: guest\n");
	assert_int_equal(RUN("policy", "import", "sdk.conf"), SN_EXIT_OK);
	assert_said("capabilities: \"ping\"");
	assert_int_equal(RUN("policy", "import", "users.conf", "caps.conf"), SN_EXIT_OK);
	assert_said("nodes: \"org.mplane.SSB.Components.P-1\"");
	out = fopen("made.yaml", "w");
	fputs(said, out);
	fclose(out);
	assert_int_equal(RUN("policy", "explain", "org.mplane.SSB.Clients.C-1", "ping", "-n",
			     "org.mplane.SSB.Components.P-1", "--file", "made.yaml"),
			 SN_EXIT_OK);
	write_file("sdk.conf", "[Roles]\nnothing\n");
	assert_int_equal(RUN("policy", "import", "sdk.conf"), SN_EXIT_FAILED);
	assert_said("cannot take over 'sdk.conf': line 2");
}

static void names_lead_nowhere_else(void **state)
{
	(void)state;
	assert_int_equal(RUN("user", "set", "alice"), SN_EXIT_USAGE);
	assert_said("--role");
	/* Refused before a hub is asked: there is none here. */
	assert_int_not_equal(RUN("user", "rm", "../nodes/rome"), SN_EXIT_UNREACHABLE);
	assert_said("there can be no '../nodes/rome'");
	assert_int_not_equal(RUN("user", "token", "rm", "x?y"), SN_EXIT_UNREACHABLE);
	assert_said("there can be no 'x?y'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_tells_good_from_bad_by_exit_code),
		cmocka_unit_test(explain_asks_a_file_without_a_hub),
		cmocka_unit_test(import_prints_a_policy_that_is_good),
		cmocka_unit_test(names_lead_nowhere_else),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
