/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: who measures, and what a request may not say. */
#include "asking.h"

static size_t chosen(const char *selection)
{
	sn_autofree char *text = sn_xasprintf("{" PING "%s}", selection);
	struct sn_measure *measure;
	int result = try_for("user:alice", text, &measure);

	return result == -ENOENT ? 0 : result == 0 ? measure->part_count : SIZE_MAX;
}

static void selections_narrow_each_other(void **state)
{
	static const char report_of[] =
		"{\"methods\":[\"ping\"],\"country\":\"%s\",\"asn\":\"%s\",\"interfaces\":"
		"[{\"name\":\"e\",\"addresses\":[\"%s\"]}]}";
	static const struct {
		const char *name, *country, *asn, *address, *tag;
	} nodes[] = {
		{"rome", "IT", "AS64500", "192.0.2.1", "core"},
		{"oslo", "NO", "64501", "192.0.2.130", "edge"},
		{"bergen", "no", "AS64501", "2001:db8::1", "core"},
	};
	static const struct {
		const char *selection;
		size_t count;
	} cases[] = {
		{"", 3},
		{",\"nodes\":[\"*\"]", 3},
		{",\"nodes\":[\"rome\",\"oslo\",\"rome\"]", 2},
		{",\"tags\":[\"core\"]", 2},
		{",\"tags\":[\"core\",\"edge\"]", 3},
		{",\"tags\":[\"nobody\"]", 0},
		{",\"tags\":[]", 3},
		{",\"countries\":[\"NO\"]", 2},
		{",\"countries\":[\"NO\"],\"tags\":[\"core\"]", 1},
		{",\"networks\":[\"AS64501\"]", 2},
		{",\"networks\":[\"as64500\",\"2001:db8::/32\"]", 2},
		{",\"networks\":[\"192.0.2.0/25\"]", 1},
		{",\"networks\":[\"192.0.2.0/24\"],\"nodes\":[\"rome\",\"bergen\"]", 1},
		{",\"networks\":[\"AS6450\"]", 0},
		{",\"nodes\":[\"*\"],\"countries\":[\"IT\"],\"networks\":[\"AS64501\"]", 0},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(nodes); i++) {
		char text[256];
		struct sn_node *node;

		snprintf(text, sizeof(text), report_of, nodes[i].country, nodes[i].asn,
			 nodes[i].address);
		node = plane_node(&plane, nodes[i].name, text);
		json_array_append_new(node->tags, json_string(nodes[i].tag));
		sn_offers_set_node(plane.offers, node);
	}
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		size_t count = chosen(cases[i].selection);

		if (count != cases[i].count)
			fail_msg("%s: %zu and not %zu (%s)", cases[i].selection, count,
				 cases[i].count, err.text);
	}
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} cases[] = {
		{"{\"capability\":\"pimg\"}", -ENOENT, "'ping'"},
		{"{\"capability\":\"flow\",\"parameters\":{\"interface\":\"eth0\"}}", -ENOENT,
		 "flow"},
		{"{\"capability\":\"ping-average-ip6\"}", -ENOENT, "ping-average-ip6"},
		{"{\"capability\":\"ping\"}", -EINVAL, "'targets'"},
		{"{\"capability\":\"ping\",\"parameters\":[]}", -EINVAL, "parameters"},
		{"{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"x\"],\"cuont\":5}}",
		 -EINVAL, "'count'"},
		{"{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"x\"],\"count\":0}}",
		 -EINVAL, "'count'"},
		{"{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"x\"],\"period\":\"2s\"}}",
		 -EINVAL, "when"},
		{"{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"-x\"]}}", -EINVAL,
		 "targets"},
		{"{\"capability\":\"ping-average-ip4\",\"parameters\":{}}", -EINVAL,
		 "'destination.ip4' is missing"},
		{"{\"capability\":\"ping-average-ip4\",\"parameters\":{\"destinaton.ip4\":\"192.0."
		 "2.9\"}}",
		 -EINVAL, "'destination.ip4'"},
		{"{\"capability\":\"ping-average-ip4\",\"parameters\":{\"destination.ip4\":\"x\"}}",
		 -EINVAL, "destination.ip4"},
		{"{\"capability\":\"ping-average-ip4\",\"parameters\":{\"destination.ip4\":{}}}",
		 -EINVAL, "destination.ip4"},
		{"{\"capability\":\"ping-average-ip4\",\"parameters\":{\"destination.ip4\":"
		 "\"192.0.2.9\",\"source.ip4\":\"192.0.2.55\"}}",
		 -EINVAL, "source.ip4"},
		{"{" PING ",\"when\":\"tomorrow\"}", -EINVAL, "when"},
		{"{" PING ",\"when\":\"2020-01-01 00:00:00 + 1h / 10s\"}", -EINVAL, "when"},
		{"{" PING ",\"when\":\"now + 1.5h\"}", -EINVAL, "when"},
		{"{" PING ",\"when\":\"now + 1h / 99ms\"}", -EINVAL, "/ 100ms"},
		{"{" PING ",\"nodes\":[]}", -EINVAL, "nodes"},
		{"{" PING ",\"nodes\":[\"nobody\"]}", -EINVAL, "nobody"},
		{"{" PING ",\"nodes\":\"rome\"}", -EINVAL, "nodes"},
		{"{" PING ",\"nodes\":[5]}", -EINVAL, "nodes"},
		{"{" PING ",\"tags\":[\"\"]}", -EINVAL, "tags"},
		{"{" PING ",\"countries\":[\"NOR\"]}", -EINVAL, "countries"},
		{"{" PING ",\"networks\":[\"ASX\"]}", -EINVAL, "networks"},
		{"{" PING ",\"networks\":[\"*\"]}", -EINVAL, "networks"},
		{"{" PING ",\"name\":\"\"}", -EINVAL, "name"},
	};

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		refused(cases[i].text, cases[i].code, cases[i].says);
}

static void names_and_keys_have_limits(void **state)
{
	char name[SN_MEASURE_NAME_MAX + 1], text[SN_MEASURE_NAME_MAX + 300];

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	memset(name, 'n', sizeof(name));
	name[SN_MEASURE_NAME_MAX] = '\0';
	snprintf(text, sizeof(text), "{" PING ",\"name\":\"%s\"}", name);
	refused(text, -EINVAL, "name");
	snprintf(text, sizeof(text), "{" PING ",\"name\":\"%s\"}", name + 1);
	ask(text);
	memset(name, 'k', sizeof(name));
	name[SN_MEASURE_KEY_MAX] = '\0';
	snprintf(text, sizeof(text), "{" PING ",\"key\":\"%s\"}", name);
	ask(text);
	snprintf(text, sizeof(text), "{" PING ",\"key\":\"%sk\"}", name);
	refused(text, -EINVAL, "Idempotency-Key");
}

static void who_is_away_takes_part_if_it_can_still_be_in_time(void **state)
{
	struct sn_node *here = plane_node(&plane, "here", PING_REPORT("192.0.2.1"));
	struct sn_node *away = plane_node(&plane, "away", PING_REPORT("192.0.2.2"));
	struct sn_measure *measure;

	(void)state;
	away->state = SN_NODE_OFFLINE;
	sn_offers_set_node(plane.offers, away);
	measure = ask("{" PING "}");
	assert_int_equal(measure->part_count, 1);
	assert_non_null(part_of(measure, here));
	assert_int_equal(ask("{" PING ",\"when\":\"now + 1h / 10s\"}")->part_count, 2);
	/* Who is named is meant. */
	assert_int_equal(ask("{" PING ",\"nodes\":[\"away\"]}")->part_count, 1);
	here->state = SN_NODE_OFFLINE;
	sn_offers_set_node(plane.offers, here);
	refused("{" PING "}", -ENOENT, "offline");
}

static void a_node_that_has_just_joined_can_be_named(void **state)
{
	struct sn_node *fresh = plane_node(&plane, "fresh", NULL);

	(void)state;
	assert_int_equal(ask("{" PING ",\"nodes\":[\"fresh\"]}")->part_count, 1);
	assert_int_equal(task_count(fresh), 1);
	refused("{" PING "}", -ENOENT, "ping");
	refused("{\"capability\":\"ping-average-ip4\",\"parameters\":{\"destination.ip4\":"
		"\"192.0.2.9\"},\"nodes\":[\"fresh\"]}",
		-ENOENT, "ping-average-ip4");
}

static void one_token_is_one_provider(void **state)
{
	const struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	const struct sn_measure *measure;
	char text[256];

	(void)state;
	plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	snprintf(text, sizeof(text),
		 "{\"capability\":\"%s\",\"parameters\":{\"targets\":\"192.0.2.9\"},"
		 "\"when\":\"now ... future / 1s\"}",
		 sn_offers_of(plane.offers, plane_provider(a), "ping")->token);
	measure = ask(text);
	assert_int_equal(measure->part_count, 1);
	assert_non_null(part_of(measure, a));
	assert_false(measure->follows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(selections_narrow_each_other),
		TEST(what_is_wrong_is_named),
		TEST(names_and_keys_have_limits),
		TEST(who_is_away_takes_part_if_it_can_still_be_in_time),
		TEST(a_node_that_has_just_joined_can_be_named),
		TEST(one_token_is_one_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
