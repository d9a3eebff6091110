/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mplane/policy.h"

#define DAY (86400 * SN_NS_PER_S)

static struct sn_policy *parse(const char *yaml)
{
	struct sn_policy *policy;
	struct sn_err err = {0};

	if (sn_policy_parse(sn_str(yaml), &policy, &err) != 0)
		fail_msg("%s", err.text);
	return policy;
}

static void assert_refused(const char *yaml, const char *reason)
{
	struct sn_policy *policy;
	struct sn_err err = {0};

	if (sn_policy_parse(sn_str(yaml), &policy, &err) == 0)
		fail_msg("taken: %s", yaml);
	if (strstr(err.text, reason) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, reason);
}

static struct sn_policy_verdict decide(const struct sn_policy *policy, enum sn_policy_action action,
				       const char *who, const char *label, const char *const *nodes,
				       const char *const *targets)
{
	const char *identities[] = {who, NULL};
	struct sn_policy_ask ask = {
		.action = action,
		.identities = identities,
		.label = label,
		.nodes = nodes,
		.targets = targets,
	};
	struct sn_policy_verdict verdict;

	while (nodes != NULL && nodes[ask.node_count] != NULL)
		ask.node_count++;
	sn_policy_decide(policy, &ask, &verdict);
	return verdict;
}

static bool may(const struct sn_policy *policy, const char *who, const char *label,
		const char *target)
{
	const char *targets[] = {target, NULL};

	return decide(policy, SN_MAY_MEASURE, who, label, NULL, targets).allowed;
}

/* Rules ----------------------------------------------------------------------------- */

static const char rules[] =
	"roles:\n"                                          /* 1 */
	"  lab: [user:alice, org.mplane.SSB.Clients.C-1]\n" /* 2 */
	"  all-nodes: node:*\n"                             /* 3 */
	"  others: [ \" user:bob \", 'dns:*.lab.example.net', org.mplane.SSB.Clients.* ]\n"
	"rules:\n"                         /* 5 */
	"  - allow: [discover, measure]\n" /* 6 */
	"    roles: lab\n"
	"    capabilities: [ping, trace]\n"
	"    nodes: [rome, \"tag:edge\", country:IT, network:AS64500, \"network:192.0.2.0/24\"]\n"
	"    targets: [198.51.100.0/24, \"2001:db8::/32\", www.example.org]\n"
	"    shortest_period: 1s\n"
	"    longest: 30d\n"
	"  - allow: [discover, measure, read]\n" /* 13 */
	"    roles: [others, lab]\n"
	"    capabilities: \"*\"\n"
	"    targets: [192.0.2.7, names]\n"
	"  - allow: [register, deliver]\n" /* 17 */
	"    roles: all-nodes\n"
	"    capabilities: ping\n";

static void what_no_rule_allows_is_forbidden(void **state)
{
	struct sn_policy *policy = parse(""), *some = parse(rules);
	struct sn_policy_verdict verdict;

	(void)state;
	for (unsigned i = 0; i < SN_POLICY_ACTIONS; i++) {
		verdict =
			decide(policy, (enum sn_policy_action)i, "user:alice", "ping", NULL, NULL);
		assert_false(verdict.allowed);
		assert_int_equal(verdict.line, 0);
		assert_string_not_equal(verdict.reason, "");
	}
	assert_false(decide(some, SN_MAY_ADMIN, "user:alice", NULL, NULL, NULL).allowed);
	assert_false(decide(some, SN_MAY_REGISTER, "user:alice", "ping", NULL, NULL).allowed);
	assert_false(decide(some, SN_MAY_DISCOVER, "user:carol", "ping", NULL, NULL).allowed);
	sn_policy_destroy(policy);
	sn_policy_destroy(some);
}

static void first_rule_that_fits_decides_and_says_its_line(void **state)
{
	struct sn_policy *policy = parse(rules);
	const char *rome[] = {"rome,01J", NULL}, *oslo[] = {"oslo,01K", NULL};
	const char *target[] = {"198.51.100.9", NULL}, *single[] = {"192.0.2.7", NULL};
	struct sn_policy_verdict verdict;

	(void)state;
	verdict = decide(policy, SN_MAY_MEASURE, "user:alice", "ping", rome, target);
	assert_true(verdict.allowed);
	assert_int_equal(verdict.line, 6);
	verdict = decide(policy, SN_MAY_MEASURE, "user:alice", "ping", rome, single);
	assert_true(verdict.allowed);
	assert_int_equal(verdict.line, 13);
	verdict = decide(policy, SN_MAY_MEASURE, "user:alice", "ping", oslo, target);
	assert_false(verdict.allowed);
	assert_int_equal(verdict.line, 0);
	assert_true(verdict.nearest == 6 || verdict.nearest == 13);
	sn_policy_destroy(policy);
}

static void refusal_names_the_nearest_rule_and_what_is_missing(void **state)
{
	struct sn_policy *policy = parse(rules);
	const char *nodes[] = {"rome", "oslo", NULL}, *targets[] = {"198.51.100.1", NULL};
	struct sn_policy_verdict verdict;

	(void)state;
	verdict = decide(policy, SN_MAY_MEASURE, "user:bob", "ping", nodes, targets);
	assert_int_equal(verdict.nearest, 13);
	assert_non_null(strstr(verdict.reason, "line 13"));
	assert_non_null(strstr(verdict.reason, "198.51.100.1"));
	verdict = decide(policy, SN_MAY_REGISTER, "node:x", "other", NULL, NULL);
	assert_int_equal(verdict.nearest, 17);
	assert_non_null(strstr(verdict.reason, "capability"));
	verdict = decide(policy, SN_MAY_STOP, "user:bob", "ping", NULL, NULL);
	assert_non_null(strstr(verdict.reason, "others"));
	verdict = decide(policy, SN_MAY_STOP, "user:nobody", "ping", NULL, NULL);
	assert_non_null(strstr(verdict.reason, "no role"));
	sn_policy_destroy(policy);
}

static void labels_are_compared_whole(void **state)
{
	struct sn_policy *policy =
		parse("roles: {a: user:a}\nrules:\n  - {allow: measure, roles: a, "
		      "capabilities: [ping, tstat-log]}\n");

	(void)state;
	assert_true(may(policy, "user:a", "ping", "h"));
	assert_true(may(policy, "user:a", "ping.all", "h"));
	assert_true(may(policy, "user:a", "tstat-log.all", "h"));
	assert_false(may(policy, "user:a", "ping-average-ip4", "h"));
	assert_false(may(policy, "user:a", "pin", "h"));
	assert_false(may(policy, "user:a", "Ping", "h"));
	assert_false(may(policy, "user:a", "xping", "h"));
	assert_false(may(policy, "user:a", "ping.all.all", "h"));
	assert_false(may(policy, "user:a", ".all", "h"));
	assert_false(may(policy, "user:a", "", "h"));
	assert_false(may(policy, "user:a", "*", "h"));
	assert_false(may(policy, "user:a", NULL, "h"));
	sn_policy_destroy(policy);
}

static void identities_are_compared_whole_but_for_the_patterns(void **state)
{
	static const struct {
		const char *who;
		bool allowed;
	} cases[] = {
		{"user:alice", true},
		{"user:bob", true}, /* trimmed */
		{"user:alicex", false},
		{"user:alic", false},
		{"User:alice", false},
		{"alice", false},
		{"", false},
		{"*", false},
		{"node:*", false},
		{"org.mplane.SSB.Clients.*", false},
		{"org.mplane.SSB.Clients.C-1", true},
		{"org.mplane.SSB.Clients.C-2", true},
		{"org.mplane.SSB.Clients.C-2.D", false},
		{"org.mplane.SSB.Clients.", false},
		{"org.mplane.SSB.Clients", false},
		{"org.mplane.SSB.Components.C-1", false},
		{"x.org.mplane.SSB.Clients.C-1", false},
		{"dns:probe7.lab.example.net", true},
		{"dns:PROBE7.LAB.example.NET", true},
		{"dns:a.b.lab.example.net", false},
		{"dns:lab.example.net", false},
		{"dns:probe7.lab.example.net.evil.example", false},
		{"dns:evillab.example.net", false},
	};
	struct sn_policy *policy = parse(rules);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		if (may(policy, cases[i].who, "x", "192.0.2.7") != cases[i].allowed)
			fail_msg("'%s'", cases[i].who);
	}
	assert_true(decide(policy, SN_MAY_REGISTER, "node:01J", "ping", NULL, NULL).allowed);
	assert_true(decide(policy, SN_MAY_REGISTER, "node:01J.x", "ping", NULL, NULL).allowed);
	assert_false(decide(policy, SN_MAY_REGISTER, "user:01J", "ping", NULL, NULL).allowed);
	sn_policy_destroy(policy);
}

static void any_of_the_names_of_who_asks_counts(void **state)
{
	struct sn_policy *policy = parse(rules);
	const char *names[] = {"user:zoe", "dns:a.lab.example.net", NULL};
	struct sn_buf roles = {0};

	(void)state;
	assert_true(sn_policy_has_role(policy, names, "others"));
	assert_false(sn_policy_has_role(policy, names, "lab"));
	sn_policy_roles_of(policy, names, &roles);
	assert_string_equal(sn_buf_cstr(&roles), "others");
	sn_buf_finish(&roles);
	sn_policy_destroy(policy);
}

static void every_chosen_node_must_be_allowed(void **state)
{
	struct sn_policy *policy = parse(rules);
	const char *targets[] = {"198.51.100.1", NULL};
	static const struct {
		const char *nodes[3];
		bool allowed;
	} cases[] = {
		{{"rome"}, true},
		{{"oslo,01K,tag:edge"}, true},
		{{"oslo,country:IT"}, true},
		{{"oslo,network:AS64500"}, true},
		{{"oslo,network:192.0.2.77"}, true},
		{{"oslo,network:192.0.3.77"}, false},
		{{"oslo,network:AS645000"}, false},
		{{"romeo"}, false},
		{{"edge"}, false},
		{{"rome", "oslo"}, false},
		{{"rome", "oslo,tag:edge"}, true},
		{{NULL}, false}, /* everywhere */
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_policy_verdict verdict = decide(policy, SN_MAY_MEASURE, "user:alice",
							  "ping", cases[i].nodes, targets);

		if (verdict.allowed != cases[i].allowed)
			fail_msg("case %zu: %s", i, verdict.reason);
	}
	sn_policy_destroy(policy);
}

static void names_of_a_node_cannot_be_smuggled_in(void **state)
{
	struct sn_buf names = {0};

	(void)state;
	sn_policy_add_name(&names, "", "rome");
	sn_policy_add_name(&names, "tag:", "a,tag:edge");
	sn_policy_add_name(&names, "", "tag:edge");
	sn_policy_add_name(&names, "", "network:192.0.2.1");
	sn_policy_add_name(&names, "tag:", "");
	sn_policy_add_name(&names, "country:", NULL);
	sn_policy_add_name(&names, "tag:", "lab");
	assert_string_equal(sn_buf_cstr(&names), "rome,tag:lab");
	sn_buf_finish(&names);
}

static void every_target_must_be_inside(void **state)
{
	static const struct {
		const char *target;
		bool allowed;
	} cases[] = {
		{"198.51.100.0", true},
		{"198.51.100.255", true},
		{"198.51.101.0", false},
		{"198.51.100.0/24", true},
		{"198.51.100.128/25", true},
		{"198.51.100.0/23", false},
		{"0.0.0.0/0", false},
		{"2001:db8::1", true},
		{"2001:DB8:0::1", true},
		{"[2001:db8::1]:80", true},
		{"2001:db9::1", false},
		{"::ffff:198.51.100.7", true},
		{"::ffff:198.51.101.7", false},
		{"198.51.100.7:443", true},
		{"http://198.51.100.7/x?y", true},
		{"https://user@[2001:db8::1]:8443/", true},
		{"https://198.51.100.7@203.0.113.1/", false},
		{"3325256711", true}, /* 198.51.100.7 */
		{"0xc6.0x33.100.7", true},
		{"www.example.org", true},
		{"WWW.example.ORG.", true},
		{"https://www.example.org/x", true},
		{"www.example.org.evil.example", false},
		{"xwww.example.org", false},
		{"example.org", false},
	};
	const char *rome[] = {"rome", NULL};
	struct sn_policy *policy = parse(rules);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		const char *targets[] = {cases[i].target, NULL};
		struct sn_policy_ask ask = {
			.action = SN_MAY_MEASURE,
			.identities = (const char *[]){"org.mplane.SSB.Clients.C-1", NULL},
			.label = "ping",
			.nodes = rome,
			.node_count = 1,
			.targets = targets,
		};
		struct sn_policy_verdict verdict;

		sn_policy_decide(policy, &ask, &verdict);
		if ((verdict.line == 6) != cases[i].allowed)
			fail_msg("'%s': %s", cases[i].target, verdict.reason);
	}
	sn_policy_destroy(policy);
}

static void names_need_the_word_or_the_name_itself(void **state)
{
	struct sn_policy *policy = parse(
		"roles: {a: user:a, b: user:b, c: user:c}\n"
		"rules:\n"
		"  - {allow: measure, roles: a, capabilities: \"*\", targets: 192.0.2.0/24}\n"
		"  - {allow: measure, roles: b, capabilities: \"*\", targets: [names, none]}\n"
		"  - {allow: measure, roles: c, capabilities: \"*\"}\n");

	(void)state;
	assert_false(may(policy, "user:a", "x", "www.example.org"));
	assert_true(may(policy, "user:b", "x", "www.example.org"));
	assert_false(may(policy, "user:b", "x", "192.0.2.1"));
	assert_true(may(policy, "user:c", "x", "www.example.org"));
	assert_true(may(policy, "user:c", "x", "192.0.2.1"));
	assert_false(decide(policy, SN_MAY_MEASURE, "user:a", "x", NULL, NULL).allowed);
	assert_true(decide(policy, SN_MAY_MEASURE, "user:b", "x", NULL, NULL).allowed);
	assert_true(decide(policy, SN_MAY_MEASURE, "user:c", "x", NULL, NULL).allowed);
	sn_policy_destroy(policy);
}

static void any_ipv6_is_no_ipv4(void **state)
{
	struct sn_policy *policy =
		parse("roles: {a: user:a}\nrules:\n  - {allow: measure, roles: a, "
		      "capabilities: \"*\", targets: \"::/0\"}\n");

	(void)state;
	assert_true(may(policy, "user:a", "x", "2001:db8::1"));
	assert_false(may(policy, "user:a", "x", "192.0.2.1"));
	assert_false(may(policy, "user:a", "x", "::ffff:192.0.2.1"));
	sn_policy_destroy(policy);
}

static void period_and_length_have_limits(void **state)
{
	static const struct {
		int64_t period_ns, length_ns;
		bool allowed;
	} cases[] = {
		{0, 0, true},
		{SN_NS_PER_S, 30 * DAY, true},
		{SN_NS_PER_S - 1, 1, false},
		{SN_NS_PER_S, 30 * DAY + 1, false},
		{SN_NS_PER_S, INT64_MAX, false},
	};
	struct sn_policy *policy = parse(rules);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_policy_ask ask = {
			.action = SN_MAY_MEASURE,
			.identities = (const char *[]){"user:alice", NULL},
			.label = "trace",
			.nodes = (const char *[]){"rome"},
			.node_count = 1,
			.targets = (const char *[]){"198.51.100.1", NULL},
			.period_ns = cases[i].period_ns,
			.length_ns = cases[i].length_ns,
		};
		struct sn_policy_verdict verdict;

		sn_policy_decide(policy, &ask, &verdict);
		if (verdict.allowed != cases[i].allowed)
			fail_msg("case %zu: %s", i, verdict.reason);
	}
	sn_policy_destroy(policy);
}

/* Never probed ---------------------------------------------------------------------- */

static void never_probe_stands_above_all_rules(void **state)
{
	static const struct {
		const char *target;
		int line; /* -1: may be probed */
	} cases[] = {
		{"198.51.100.1", 4},
		{"198.51.100.0/25", 4},
		{"198.51.0.0/16", 4}, /* a part of it */
		{"0.0.0.0/0", 0},
		{"198.51.101.1", -1},
		{"::ffff:198.51.100.1", 4},
		{"64:ff9b::198.51.100.1", 4},
		{"2002:c633:6401::1", 4}, /* 6to4 of 198.51.100.1 */
		{"2002:c633:6501::1", -1},
		{"0306.063.0144.1", 4},
		{"198.51.25601", 4},
		{"3325256705", 4},
		{"198.51.100.1:80", 4},
		{"http://x@198.51.100.1:80/", 4},
		{"http:198.51.100.1/", 4},
		{"http:///198.51.100.1", 4},
		{"//198.51.100.1", 4},
		{"198.51.100.1/x", 4},
		{"2001:db8:7::", 5},
		{"2001:db8:7::%eth0", 5},
		{"[2001:db8:7::]:1", 5},
		{"2001:db8:8::", -1},
		{"224.0.0.1", 0},
		{"239.255.255.255", 0},
		{"255.255.255.255", 0},
		{"240.0.0.1", 0},
		{"0.0.0.0", 0},
		{"0", 0},
		{"::", 0},
		{"ff02::1", 0},
		{"ff02::1%eth0", 0},
		{"127.0.0.1", -1},
		{"::1", -1},
		{"www.example.org", -1},
	};
	struct sn_policy *policy =
		parse("roles: {a: user:a}\nrules:\n  - {allow: measure, roles: a, capabilities: "
		      "\"*\"}\nnever_probe: [198.51.100.0/24,\n  \"2001:db8:7::/48\"]\n");

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		unsigned line = 99;
		bool spared = sn_policy_spares(policy, cases[i].target, &line);

		if (spared != (cases[i].line >= 0) || (spared && line != (unsigned)cases[i].line))
			fail_msg("'%s': %d, line %u", cases[i].target, spared, line);
		if (may(policy, "user:a", "x", cases[i].target) == spared)
			fail_msg("'%s' is measured", cases[i].target);
	}
	assert_string_equal(sn_policy_never_at(policy, 0), sn_policy_never[0]);
	assert_string_equal(sn_policy_never_at(policy, 5), "198.51.100.0/24");
	assert_null(sn_policy_never_at(policy, 7));
	sn_policy_destroy(policy);
}

static void what_may_be_an_address_to_others_is_no_name(void **state)
{
	static const char *const unclear[] = {
		"203.0.113.0-203.0.113.20",
		"203.0.113.0..203.0.113.20",
		"203.0.113.1-20",
		"203.0.113.*",
		"203.0.113.009",
		"203%2e0.113.9",
		"http://203.0.113.9\\@a.example/",
		"http://a.example\\@203.0.113.9/",
		"a.example,203.0.113.9",
		"...",
	};
	static const char *const clear[] = {
		"a.example",
		"A-1.example.:80",
		"_dns.a.example",
		"b\303\274cher.example",
		"x1",
		"http://u:p@a.example:80/1.2?3#4",
		"00:11:22:aa:bb:cc",
		"fe80::1%eth0",
		"",
	};
	struct sn_policy *policy =
		parse("roles: {a: user:a}\nrules:\n  - {allow: measure, roles: a, "
		      "capabilities: \"*\"}\nnever_probe: 203.0.113.9/32\n");

	(void)state;
	for (size_t i = 0; i < SN_COUNT(unclear); i++) {
		if (may(policy, "user:a", "x", unclear[i]))
			fail_msg("'%s' is measured", unclear[i]);
	}
	for (size_t i = 0; i < SN_COUNT(clear); i++) {
		if (!may(policy, "user:a", "x", clear[i]))
			fail_msg("'%s' is not measured", clear[i]);
	}
	sn_policy_destroy(policy);
}

static void note_target(const char *target, void *ctx)
{
	strncat(ctx, target, 200);
	strncat(ctx, "|", 2);
}

static void targets_are_found_in_lists(void **state)
{
	char found[1000] = "";

	(void)state;
	sn_policy_targets_in(" 192.0.2.1, b.example;[\"2001:db8::1\",\t'http://c.example/?a=(1)'] ",
			     note_target, found);
	assert_string_equal(found, "192.0.2.1|b.example|[|2001:db8::1|http://c.example/?a=|1|]|");
	assert_true(sn_policy_target_is_plain("192.0.2.1"));
	assert_true(sn_policy_target_is_plain("[2001:db8::1]:80"));
	assert_true(sn_policy_target_is_plain("192.0.2.0/24"));
	assert_true(sn_policy_target_is_plain("x://a.example"));
	assert_false(sn_policy_target_is_plain("12"));
	assert_false(sn_policy_target_is_plain("1.5"));
	assert_false(sn_policy_target_is_plain("10:00:00"));
	assert_false(sn_policy_target_is_plain("a.example"));
}

static void targets_have_one_key_however_they_are_written(void **state)
{
	static const char *const same[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"[2001:DB8::0:1]:80", "2001:db8::1"},
		{"0xc0000201", "192.0.2.1"},
		{" WWW.Example.org. ", "www.example.org"},
		{"http://www.example.org:80/x", "www.example.org"},
		{"192.0.2.0/24", "192.0.2.0/24"},
	};
	char key[SN_POLICY_TARGET_MAX];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(same); i++) {
		sn_policy_target_key(same[i][0], key);
		assert_string_equal(key, same[i][1]);
	}
	assert_true(sn_policy_target_is_loopback("127.1.2.3"));
	assert_true(sn_policy_target_is_loopback("[::1]:80"));
	assert_true(sn_policy_target_is_loopback("localhost"));
	assert_false(sn_policy_target_is_loopback("0.0.0.0/0"));
	assert_false(sn_policy_target_is_loopback("128.0.0.1"));
}

static void target_rate_is_per_second(void **state)
{
	static const struct {
		const char *yaml;
		double rate;
	} cases[] = {
		{"", SN_POLICY_RATE},       {"target_rate: 10/s", 10}, {"target_rate: 30/min", 0.5},
		{"target_rate: 7200/h", 2}, {"target_rate: none", 0},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_policy *policy = parse(cases[i].yaml);

		assert_true(sn_policy_target_rate(policy) == cases[i].rate);
		sn_policy_destroy(policy);
	}
}

/* Reading --------------------------------------------------------------------------- */

static void errors_name_line_key_and_the_nearest_name(void **state)
{
	static const struct {
		const char *yaml, *reason;
	} cases[] = {
		{"rolls: {}", "line 1: unknown key 'rolls' (did you mean 'roles'?)"},
		{"roles: {}\nroles: {}", "line 2: 'roles' is given twice"},
		{"roles: [a]", "line 1: 'roles' must be lines"},
		{"roles:\n  a: user:a\n  a: user:b", "line 3: 'a' is given twice"},
		{"roles:\n  a b: user:a", "line 2: the name of a role"},
		{"roles:\n  a: [[x]]", "line 2: 'a': an entry is not a text"},
		{"roles:\n  a: {x: y}", "line 2: 'a' must be a text or a list"},
		{"roles:\n  a: \"*\"", "line 2: '*' has '*' where it means nothing"},
		{"roles:\n  a: \"org.*.x\"", "has '*' where"},
		{"roles:\n  a: \"user:a*\"", "has '*' where"},
		{"roles:\n  a: \"dns:*\"", "has '*' where"},
		{"roles:\n  a: \"a\\0b\"", "control characters"},
		{"roles:\n  a: ''", "is empty"},
		{"roles:\n  a: *", "a star stands in quotes"},
		{"roles:\n  a: &x user:a\n  b: *x", "aliases are not used"},
		{"rules: {}", "line 1: 'rules' must be a list"},
		{"rules:\n  - x", "line 2: must be a list of 'key: value' lines"},
		{"rules:\n  - allow: masure", "unknown action 'masure' (did you mean 'measure'?)"},
		{"rules:\n\n  - roles: a", "line 3: 'allow' is missing"},
		{"rules:\n  - allow: admin", "line 2: 'roles' is missing"},
		{"roles: {admins: user:a}\nrules:\n  - {allow: admin, roles: admin}",
		 "line 3: unknown role 'admin' (did you mean 'admins'?)"},
		{"roles: {a: user:a}\nrules:\n  - {allow: measure, roles: a}",
		 "line 3: 'capabilities' is missing"},
		{"rules:\n  - {capabilities: ping*}", "labels are compared whole"},
		{"rules:\n  - {nodes: \"*\"}", "names no node"},
		{"rules:\n  - {nodes: \"a,b\"}", "names no node"},
		{"rules:\n  - {nodes: \"network:x\"}", "is neither a network"},
		{"rules:\n  - {targets: 192.0.2.1/24}", "bits set behind its length"},
		{"rules:\n  - {targets: 192.0.2.0/33}", "is no address, network"},
		{"rules:\n  - {targets: \"*.example.org\"}", "is no address, network"},
		{"rules:\n  - {targets: 192.0.2}", "is no address, network"},
		{"rules:\n  - {shortest_period: fast}", "is no time"},
		{"rules:\n  - {longest: [1s]}", "'longest' must be one text"},
		{"rules:\n  - {allow: admin, deny: x}", "unknown key 'deny'"},
		{"never_probe: [localhost]", "is no address or network"},
		{"never_probe: 10.0.0.1/8", "bits set behind its length"},
		{"never_probe:", "is empty"},
		{"target_rate: 100", "is no rate"},
		{"target_rate: 0/s", "is no rate"},
		{"target_rate: -1/s", "is no rate"},
		{"target_rate: nan/s", "is no rate"},
		{"--- {}\n--- {}", "a second document"},
		{"[]", "must be a list of 'key: value'"},
		{"roles: {a: user:a", "line"},
		{"? [x]\n: y", "a key must be a plain word"},
		{"roles:\n  ? [x]\n  : y", "the name of a role"},
		{"\xff\xfe", "byte"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		assert_refused(cases[i].yaml, cases[i].reason);
}

static char *repeated(const char *head, const char *item, size_t count, const char *tail)
{
	struct sn_buf text = {0};

	sn_buf_adds(&text, head);
	for (size_t i = 0; i < count; i++)
		sn_buf_addf(&text, "%s%zu", item, i);
	sn_buf_adds(&text, tail);
	sn_buf_cstr(&text);
	return text.p;
}

static void limits_hold_at_the_limit_and_refuse_one_more(void **state)
{
	static const char head[] = "roles:\n  a: [user:x", item[] = ", user:u";
	sn_autofree char *good = repeated(head, item, SN_POLICY_LIST_MAX - 1, "]");
	sn_autofree char *bad = repeated(head, item, SN_POLICY_LIST_MAX, "]");
	struct sn_buf text = {0};

	(void)state;
	sn_policy_destroy(parse(good));
	assert_refused(bad, "more than 10000 entries");

	for (unsigned extra = 0; extra < 2; extra++) {
		sn_buf_clear(&text);
		sn_buf_adds(&text, "roles:\n");
		for (unsigned i = 0; i < SN_POLICY_ROLES_MAX + extra; i++)
			sn_buf_addf(&text, "  r%u: user:a\n", i);
		if (extra == 0)
			sn_policy_destroy(parse(sn_buf_cstr(&text)));
		else
			assert_refused(sn_buf_cstr(&text), "one role too many");

		sn_buf_clear(&text);
		sn_buf_adds(&text, "roles: {a: user:a}\nrules:\n");
		for (unsigned i = 0; i < SN_POLICY_RULES_MAX + extra; i++)
			sn_buf_adds(&text, "- {allow: admin, roles: a}\n");
		if (extra == 0)
			sn_policy_destroy(parse(sn_buf_cstr(&text)));
		else
			assert_refused(sn_buf_cstr(&text), "more than 4096 rules");

		sn_buf_clear(&text);
		sn_buf_addf(&text, "roles: {a: \"%0*d\"}\n", SN_POLICY_TEXT_MAX - 1 + (int)extra,
			    1);
		if (extra == 0)
			sn_policy_destroy(parse(sn_buf_cstr(&text)));
		else
			assert_refused(sn_buf_cstr(&text), "is too long");

		sn_buf_clear(&text);
		sn_buf_adds(&text, "#");
		while (text.n < SN_POLICY_BYTES_MAX + extra)
			sn_buf_addc(&text, 'x');
		if (extra == 0)
			sn_policy_destroy(parse(sn_buf_cstr(&text)));
		else
			assert_refused(sn_buf_cstr(&text), "at most 1048576 bytes");
	}
	sn_buf_finish(&text);
}

static void empty_lists_are_narrower_than_none(void **state)
{
	struct sn_policy *policy =
		parse("roles: {a: user:a}\nrules:\n"
		      "  - {allow: measure, roles: a, capabilities: \"*\", targets: []}\n"
		      "  - {allow: measure, roles: a, capabilities: \"*\", nodes: []}\n");
	const char *rome[] = {"rome", NULL}, *targets[] = {"192.0.2.1", NULL};

	(void)state;
	assert_false(decide(policy, SN_MAY_MEASURE, "user:a", "x", rome, targets).allowed);
	sn_policy_destroy(policy);
}

static void many_rules_are_decided_quickly(void **state)
{
	struct sn_buf text = {0};
	struct sn_policy *policy;

	(void)state;
	sn_buf_adds(&text, "roles:\n");
	for (unsigned i = 0; i < 1000; i++)
		sn_buf_addf(&text, "  r%u: [user:u%u, user:v%u]\n", i, i, i);
	sn_buf_adds(&text, "rules:\n");
	for (unsigned i = 0; i < 1000; i++)
		sn_buf_addf(&text, "  - {allow: measure, roles: r%u, capabilities: c%u}\n", i, i);
	policy = parse(sn_buf_cstr(&text));
	for (unsigned i = 0; i < 2000; i++) {
		assert_true(may(policy, "user:v999", "c999", "192.0.2.1"));
		assert_false(may(policy, "user:v999", "c998", "192.0.2.1"));
	}
	sn_policy_destroy(policy);
	sn_buf_finish(&text);
}

static void warnings_name_what_is_odd(void **state)
{
	static const char yaml[] =
		"roles:\n"
		"  lonely: []\n"
		"  idle: user:x\n"
		"  lab: user:a\n"
		"rules:\n"
		"  - {allow: [measure, read], roles: lab, capabilities: \"*\"}\n"
		"  - {allow: measure, roles: lab, capabilities: ping}\n"
		"  - {allow: read, roles: lonely, capabilities: x, longest: 1s}\n"
		"target_rate: none\n";
	static const char *const expected[] = {
		"line 2: nobody has the role 'lonely'",
		"line 3: no rule names the role 'idle'",
		"line 7: never reached, the rule in line 6 allows all of it",
		"line 8: 'targets', 'shortest_period' and 'longest'",
		"no rule allows 'admin'",
		"target_rate is 'none'",
	};
	struct sn_policy *policy = parse(yaml);
	struct sn_buf out = {0};

	(void)state;
	sn_policy_warnings(policy, &out);
	for (size_t i = 0; i < SN_COUNT(expected); i++) {
		if (strstr(sn_buf_cstr(&out), expected[i]) == NULL)
			fail_msg("'%s' is not in\n%s", expected[i], sn_buf_cstr(&out));
	}
	sn_policy_destroy(policy);
	policy = parse("");
	sn_buf_clear(&out);
	sn_policy_warnings(policy, &out);
	assert_non_null(strstr(sn_buf_cstr(&out), "everything is forbidden"));
	sn_buf_finish(&out);
	sn_policy_destroy(policy);
}

static void the_built_in_policy_goes_by_the_role_of_the_account(void **state)
{
	static const struct {
		const char *who;
		enum sn_policy_action action;
		bool allowed;
	} cases[] = {
		{"account:admin", SN_MAY_ADMIN, true},
		{"account:admin", SN_MAY_MEASURE, true},
		{"account:admin", SN_MAY_READ_ALL, true},
		{"account:admin", SN_MAY_STOP_ALL, true},
		{"account:operator", SN_MAY_ADMIN, false},
		{"account:operator", SN_MAY_MEASURE, true},
		{"account:operator", SN_MAY_STOP, true},
		{"account:operator", SN_MAY_STOP_ALL, false},
		{"account:viewer", SN_MAY_DISCOVER, true},
		{"account:viewer", SN_MAY_READ_ALL, true},
		{"account:viewer", SN_MAY_MEASURE, false},
		{"account:viewer", SN_MAY_STOP, false},
		{"node:01J", SN_MAY_REGISTER, true},
		{"node:01J", SN_MAY_MEASURE, false},
		{"org.mplane.SSB.Components.C-1", SN_MAY_REGISTER, false},
		{"Identity.Unauthenticated.Default", SN_MAY_DISCOVER, false},
	};
	struct sn_policy *policy = parse(sn_policy_default_text);
	struct sn_buf out = {0};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		if (decide(policy, cases[i].action, cases[i].who, "ping", NULL, NULL).allowed !=
		    cases[i].allowed)
			fail_msg("%s %s", cases[i].who, sn_policy_action_name(cases[i].action));
	}
	sn_policy_warnings(policy, &out);
	assert_string_equal(sn_buf_cstr(&out), "");
	assert_true(sn_policy_target_rate(policy) == SN_POLICY_RATE);
	sn_buf_finish(&out);
	sn_policy_destroy(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_rule_allows_is_forbidden),
		cmocka_unit_test(first_rule_that_fits_decides_and_says_its_line),
		cmocka_unit_test(refusal_names_the_nearest_rule_and_what_is_missing),
		cmocka_unit_test(labels_are_compared_whole),
		cmocka_unit_test(identities_are_compared_whole_but_for_the_patterns),
		cmocka_unit_test(any_of_the_names_of_who_asks_counts),
		cmocka_unit_test(every_chosen_node_must_be_allowed),
		cmocka_unit_test(names_of_a_node_cannot_be_smuggled_in),
		cmocka_unit_test(every_target_must_be_inside),
		cmocka_unit_test(names_need_the_word_or_the_name_itself),
		cmocka_unit_test(any_ipv6_is_no_ipv4),
		cmocka_unit_test(period_and_length_have_limits),
		cmocka_unit_test(never_probe_stands_above_all_rules),
		cmocka_unit_test(what_may_be_an_address_to_others_is_no_name),
		cmocka_unit_test(targets_are_found_in_lists),
		cmocka_unit_test(targets_have_one_key_however_they_are_written),
		cmocka_unit_test(target_rate_is_per_second),
		cmocka_unit_test(errors_name_line_key_and_the_nearest_name),
		cmocka_unit_test(limits_hold_at_the_limit_and_refuse_one_more),
		cmocka_unit_test(empty_lists_are_narrower_than_none),
		cmocka_unit_test(many_rules_are_decided_quickly),
		cmocka_unit_test(warnings_name_what_is_odd),
		cmocka_unit_test(the_built_in_policy_goes_by_the_role_of_the_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
