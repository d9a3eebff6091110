/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "mplane/policy.h"

static struct sn_policy *policy_of(struct sn_buf *yaml)
{
	struct sn_policy *policy;
	struct sn_err err = {0};

	if (sn_policy_parse(sn_buf_str(yaml), &policy, &err) != 0)
		fail_msg("%s:\n%s", err.text, sn_buf_cstr(yaml));
	return policy;
}

static bool may(const struct sn_policy *policy, enum sn_policy_action action, const char *who,
		const char *label, const char *node)
{
	const char *nodes[] = {node};
	struct sn_policy_ask ask = {
		.action = action,
		.identities = (const char *[]){who, NULL},
		.label = label,
		.nodes = nodes,
		.node_count = node != NULL ? 1 : 0,
	};
	struct sn_policy_verdict verdict;

	sn_policy_decide(policy, &ask, &verdict);
	return verdict.allowed;
}

static const char ini[] = "[TLS]\n"
			  "cert = x.crt\n"
			  "; a comment\n"
			  "[Roles]\n"
			  "org.mplane.SSB.Clients.Client-1 = guest, admin\n"
			  "org.mplane.SSB.Clients.Client-2: guest\n"
			  "org.mplane.SSB.Components.Component-1 = guest,admin\n"
			  "[Authorizations]\n"
			  "ping = guest,admin\n"
			  "tstat-log_tcp_complete = guest, admin\r\n"
			  "secret = admin\n"
			  "empty =\n"
			  "[module_x]\n"
			  "module = mplane.x\n";

static void ini_becomes_rules_with_whole_labels(void **state)
{
	static const char *const one = "org.mplane.SSB.Clients.Client-1",
				 *const two = "org.mplane.SSB.Clients.Client-2",
				 *const component = "org.mplane.SSB.Components.Component-1";
	struct sn_buf yaml = {0};
	struct sn_err err = {0};
	struct sn_policy *policy;

	(void)state;
	assert_int_equal(sn_policy_import_ini(sn_str(ini), &yaml, &err), 0);
	policy = policy_of(&yaml);
	assert_true(may(policy, SN_MAY_MEASURE, two, "ping", "a"));
	assert_false(may(policy, SN_MAY_MEASURE, two, "ping-average-ip4", "a"));
	assert_true(may(policy, SN_MAY_READ, two, "tstat-log_tcp_complete", NULL));
	assert_false(may(policy, SN_MAY_MEASURE, two, "secret", "a"));
	assert_true(may(policy, SN_MAY_MEASURE, one, "secret", "a"));
	assert_false(may(policy, SN_MAY_MEASURE, one, "empty", "a"));
	assert_false(may(policy, SN_MAY_READ_ALL, one, "ping", "a"));
	assert_true(may(policy, SN_MAY_REGISTER, component, "anything", NULL));
	assert_false(may(policy, SN_MAY_REGISTER, one, "anything", NULL));
	assert_true(may(policy, SN_MAY_ADMIN, "account:admin", NULL, NULL));
	assert_non_null(strstr(sn_buf_cstr(&yaml), "every label with \"ping\" inside matched"));
	assert_non_null(strstr(sn_buf_cstr(&yaml), "behind a comma and a blank"));
	sn_policy_destroy(policy);
	sn_buf_finish(&yaml);
}

static void lists_keep_the_component_that_a_label_is_for(void **state)
{
	static const char users[] = "# who is what\n"
				    "org.mplane.SSB.Clients.Client-1: guest, admin\n";
	static const char caps[] = "ping4, org.mplane.SSB.Components.Probe-1: guest\n"
				   "trace: admin\n";
	static const char *const who = "org.mplane.SSB.Clients.Client-1";
	struct sn_buf yaml = {0};
	struct sn_err err = {0};
	struct sn_policy *policy;

	(void)state;
	assert_int_equal(sn_policy_import_lists(sn_str(users), sn_str(caps), &yaml, &err), 0);
	policy = policy_of(&yaml);
	assert_true(may(policy, SN_MAY_MEASURE, who, "ping4",
			"peer:x,org.mplane.SSB.Components.Probe-1"));
	assert_false(
		may(policy, SN_MAY_MEASURE, who, "ping4", "org.mplane.SSB.Components.Probe-2"));
	assert_false(may(policy, SN_MAY_MEASURE, who, "ping4", NULL));
	assert_true(may(policy, SN_MAY_MEASURE, who, "trace", "anything"));
	sn_policy_destroy(policy);
	sn_buf_clear(&yaml);
	assert_int_equal(sn_policy_import_lists(sn_str(users), sn_str(""), &yaml, &err), 0);
	sn_policy_destroy(policy_of(&yaml));
	sn_buf_finish(&yaml);
}

static void what_cannot_be_taken_over_is_named_and_nothing_is_written(void **state)
{
	static const struct {
		const char *ini, *reason;
	} cases[] = {
		{"[Roles]\nno separator", "line 2: a line without '='"},
		{"[Roles]\n = guest", "line 2: identity ''"},
		{"[Roles]\norg.mplane.* = guest", "identity 'org.mplane.*'"},
		{"[Roles]\na = gu est", "role 'gu est'"},
		{"[Authorizations]\n\n* = guest", "line 3: label '*'"},
		{"[Roles]\na = imported-admin", "given twice"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_buf yaml = {0};
		struct sn_err err = {0};

		assert_int_equal(sn_policy_import_ini(sn_str(cases[i].ini), &yaml, &err), -EINVAL);
		if (strstr(err.text, cases[i].reason) == NULL)
			fail_msg("'%s' does not say '%s'", err.text, cases[i].reason);
		assert_int_equal(yaml.n, 0);
	}
}

static void a_file_without_our_sections_lets_nobody_in(void **state)
{
	struct sn_buf yaml = {0};
	struct sn_err err = {0};
	struct sn_policy *policy;

	(void)state;
	assert_int_equal(sn_policy_import_ini(SN_STR("[TLS]\ncert = x"), &yaml, &err), 0);
	policy = policy_of(&yaml);
	assert_false(may(policy, SN_MAY_DISCOVER, "org.mplane.SSB.Clients.C", "ping", NULL));
	sn_policy_destroy(policy);
	sn_buf_finish(&yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ini_becomes_rules_with_whole_labels),
		cmocka_unit_test(lists_keep_the_component_that_a_label_is_for),
		cmocka_unit_test(what_cannot_be_taken_over_is_named_and_nothing_is_written),
		cmocka_unit_test(a_file_without_our_sections_lets_nobody_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
