/* SPDX-License-Identifier: Apache-2.0 */
#include "plane.h"

#include "hub/sql.h"
#include "mplane/codec.h"

#define HOUR_NS (3600 * SN_NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

static struct plane plane;
static struct sn_err err;

static int start(void **state)
{
	(void)state;
	plane_start(&plane);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	plane_stop(&plane);
	return 0;
}

/* Asking ------------------------------------------------------------------------------ */

static const char *member(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static int try_for(const char *owner, const char *text, struct sn_measure **measure)
{
	sn_autojson json_t *json = json_loads(text, 0, NULL);
	struct sn_measure_request request = {
		.owner = owner,
		.capability = member(json, "capability"),
		.parameters = json_object_get(json, "parameters"),
		.when = member(json, "when"),
		.selection = json,
		.name = member(json, "name"),
		.repository = member(json, "repository"),
		.client_token = member(json, "client_token"),
		.client_label = member(json, "client_label"),
		.key = member(json, "key"),
	};

	if (json == NULL)
		fail_msg("the test asks for no JSON: %s", text);
	err = (struct sn_err){0};
	return sn_measures_add(plane.measures, &request, plane.now_ns, measure, &err);
}

static struct sn_measure *ask(const char *text)
{
	struct sn_measure *measure;

	if (try_for("user:alice", text, &measure) < 0)
		fail_msg("%s: %s", text, err.text);
	return measure;
}

static void refused(const char *text, int code, const char *says)
{
	struct sn_measure *measure;
	size_t before = sn_measures_count(plane.measures);
	int result = try_for("user:alice", text, &measure);

	if (result != code || strstr(err.text, says) == NULL)
		fail_msg("%s: %d '%s'", text, result, err.text);
	assert_null(measure);
	assert_int_equal(sn_measures_count(plane.measures), before);
}

#define PING_OF(target) "\"capability\":\"ping\",\"parameters\":{\"targets\":[\"" target "\"]}"
#define PING            PING_OF("192.0.2.99")

static const struct sn_measure_part *part_of(const struct sn_measure *measure,
					     const struct sn_node *node)
{
	return sn_measure_part_of(measure, plane_provider(node));
}

static void report(const struct sn_measure *measure, const struct sn_node *node,
		   enum sn_measure_state state, const char *error)
{
	struct sn_measure_part *part = sn_measure_part_of(measure, plane_provider(node));

	assert_non_null(part);
	if (sn_measures_part_state(plane.measures, part, state, error, plane.now_ns, &err) != 0)
		fail_msg("%s", err.text);
}

/* The tasks of a node; a new reference. */
static json_t *tasks(const struct sn_node *node)
{
	return sn_measures_tasks_for(plane.measures, node->id);
}

static size_t task_count(const struct sn_node *node)
{
	sn_autojson json_t *items = tasks(node);

	return json_array_size(items);
}

/* What becomes of it ------------------------------------------------------------------------ */

static void a_task_has_method_parameters_and_a_time_without_now(void **state)
{
	struct sn_node *node = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	sn_autojson json_t *items = NULL;
	json_t *task, *parameters;

	(void)state;
	ask("{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"192.0.2.99\",\"host.example\"]"
	    ","
	    "\"count\":3,\"interval\":\"200ms\"},\"when\":\"now ... future / 10s\"}");
	items = tasks(node);
	assert_int_equal(json_array_size(items), 1);
	task = json_array_get(items, 0);
	parameters = json_object_get(task, "parameters");
	assert_string_equal(member(task, "method"), "ping");
	assert_string_equal(member(task, "when"), "2027-01-15 08:00:00.000000 ... future / 10s");
	assert_string_equal(member(parameters, "period"), "10s");
	assert_string_equal(member(parameters, "interval"), "200ms");
	assert_int_equal(json_array_size(json_object_get(parameters, "targets")), 2);
	assert_int_equal(json_integer_value(json_object_get(parameters, "count")), 3);
}

static void each_node_measures_from_its_own_address(void **state)
{
	static const char *const names[] = {"a", "b"}, *const addresses[] = {"192.0.2.1",
									     "192.0.2.2"};
	struct sn_node *nodes[] = {plane_node(&plane, "a", PING_REPORT("192.0.2.1")),
				   plane_node(&plane, "b", PING_REPORT("192.0.2.2"))};
	const struct sn_measure *measure =
		ask("{\"capability\":\"ping-average-ip4\",\"parameters\":{\"destination.ip4\":"
		    "\"192.0.2.99\"},\"when\":\"now + 10s / 1s\"}");

	(void)state, (void)names;
	assert_int_equal(measure->part_count, 2);
	assert_null(sn_mp_value(measure->specification, "source.ip4"));
	for (int restarted = 0; restarted < 2; restarted++) {
		for (int i = 0; i < 2; i++) {
			sn_autojson json_t *items = tasks(nodes[i]);
			json_t *parameters =
				json_object_get(json_array_get(items, 0), "parameters");

			assert_string_equal(member(parameters, "source"), addresses[i]);
			assert_int_equal(json_integer_value(json_object_get(parameters, "count")),
					 10);
		}
		plane_restart(&plane);
		nodes[0] = sn_fleet_find(plane.fleet, "a");
		nodes[1] = sn_fleet_find(plane.fleet, "b");
	}
}

static void etag_changes_with_the_work_and_only_then(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	char before[SN_TASKS_ETAG_SIZE], now[SN_TASKS_ETAG_SIZE];
	struct sn_measure *measure;

	(void)state;
	sn_measures_etag(plane.measures, a->id, before);
	assert_int_equal(strlen(before), SN_TASKS_ETAG_SIZE - 1);
	measure = ask("{" PING ",\"nodes\":[\"b\"]}");
	sn_measures_etag(plane.measures, a->id, now);
	assert_string_equal(before, now);
	sn_measures_etag(plane.measures, b->id, now);
	assert_string_not_equal(before, now);
	/* That it runs is no other work; that it has ended is. */
	report(measure, b, SN_MEASURE_RUNNING, NULL);
	sn_measures_etag(plane.measures, b->id, before);
	assert_string_equal(before, now);
	plane_restart(&plane);
	b = sn_fleet_find(plane.fleet, "b");
	sn_measures_etag(plane.measures, b->id, now);
	assert_string_equal(before, now);
	report(sn_measures_at(plane.measures, 0), b, SN_MEASURE_DONE, NULL);
	sn_measures_etag(plane.measures, b->id, now);
	assert_string_not_equal(before, now);
}

/* Choosing ------------------------------------------------------------------------------- */

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

/* Once ----------------------------------------------------------------------------------------- */

static void same_key_of_the_same_owner_is_the_same(void **state)
{
	struct sn_measure *first, *second;

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	assert_int_equal(try_for("user:a", "{" PING ",\"key\":\"k\"}", &first), 0);
	assert_int_equal(try_for("user:a", "{" PING ",\"key\":\"k\"}", &second), 1);
	assert_ptr_equal(first, second);
	assert_int_equal(try_for("user:b", "{" PING ",\"key\":\"k\"}", &second), 0);
	assert_ptr_not_equal(first, second);
	plane_restart(&plane);
	assert_int_equal(try_for("user:a", "{" PING ",\"key\":\"k\"}", &second), 1);
	assert_int_equal(sn_measures_count(plane.measures), 2);
}

static void tokens_of_clients_are_theirs_alone(void **state)
{
	static const char text[] = "{" PING ",\"client_token\":\"t\",\"client_label\":\"ping-0\"}";
	struct sn_measure *a, *b, *again;

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	assert_int_equal(try_for("org.x", text, &a), 0);
	assert_int_equal(try_for("org.y", text, &b), 0);
	assert_int_equal(try_for("org.x", text, &again), 1);
	assert_ptr_equal(a, again);
	assert_ptr_equal(sn_measures_by_client(plane.measures, "org.x", "t"), a);
	assert_ptr_equal(sn_measures_by_client(plane.measures, "org.y", "t"), b);
	assert_null(sn_measures_by_client(plane.measures, "org.z", "t"));
	plane_restart(&plane);
	a = sn_measures_by_client(plane.measures, "org.x", "t");
	assert_non_null(a);
	assert_string_equal(a->client_label, "ping-0");
}

static void part_tokens_of_peers_are_unique_and_keyed_by_who_they_are(void **state)
{
	static const char text[] = "{\"capability\":\"x\",\"parameters\":{\"destination.ip4\":"
				   "\"192.0.2.9\"},\"when\":\"now + 10s / 1s\"}";
	struct sn_measure *measure;
	struct sn_mp_message *specification;
	char token[SN_MP_HASH_SIZE];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			sn_offers_register(plane.offers, i == 0 ? "peer:a" : "peer:b",
					   plane_capability(&plane, "x", "same",
							    i == 0 ? "192.0.2.1" : "192.0.2.2"),
					   NULL),
			0);
	measure = ask(text);
	assert_int_equal(measure->part_count, 2);
	assert_null(measure->native);
	assert_string_not_equal(measure->parts[0]->token, measure->parts[1]->token);
	memcpy(token, measure->parts[0]->token, sizeof(token));
	assert_ptr_equal(sn_measures_by_part_token(plane.measures, "peer:a", token),
			 measure->parts[0]);
	assert_null(sn_measures_by_part_token(plane.measures, "peer:b", token));
	specification = sn_measures_part_specification(plane.measures, measure->parts[0]);
	assert_string_equal(specification->token, token);
	assert_string_equal(sn_mp_value(specification, "source.ip4"), "192.0.2.1");
	sn_mp_message_destroy(specification);
	plane_restart(&plane);
	assert_non_null(sn_measures_by_part_token(plane.measures, "peer:a", token));
}

/* Restarts ----------------------------------------------------------------------------------------
 */

static void what_was_stopped_when_it_crashed_is_no_task_any_more(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	const struct sn_measure *measure = ask("{" PING ",\"when\":\"now ... future / 10s\"}");
	sn_autojson json_t *work = NULL;

	(void)state;
	report(measure, a, SN_MEASURE_RUNNING, NULL);
	/* As it is between the two commits of a stop. */
	assert_int_equal(
		sn_db_run(plane.db, NULL, "UPDATE measurements SET stopped = ?", "i", plane.now_ns),
		1);
	plane_restart(&plane);
	a = sn_fleet_find(plane.fleet, "a");
	measure = sn_measures_at(plane.measures, 0);
	assert_int_equal(measure->state, SN_MEASURE_STOPPED);
	assert_int_equal(measure->parts[0]->state, SN_MEASURE_STOPPED);
	assert_int_equal(measure->parts[0]->ended_ns, plane.now_ns);
	work = tasks(a);
	assert_int_equal(json_array_size(work), 0);
}

static void a_restart_changes_nothing(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	sn_autojson json_t *before = NULL, *after = NULL, *work = NULL, *later = NULL;
	const struct sn_measure *measure = ask(
		"{" PING ",\"when\":\"repeat now + 30d / 1h { now + 30s / 1s }\",\"name\":\"n\","
		"\"repository\":\"store\",\"tags\":[]}");

	(void)state;
	report(measure, a, SN_MEASURE_RUNNING, NULL);
	sn_measures_count_rows(plane.measures, measure->id, plane_provider(a), 17);
	plane_wait(&plane, 5 * SN_NS_PER_S);
	report(measure, b, SN_MEASURE_FAILED, "no such interface");
	before = sn_measure_json(plane.measures, measure, true);
	work = tasks(a);
	plane_restart(&plane);
	a = sn_fleet_find(plane.fleet, "a");
	assert_int_equal(sn_measures_count(plane.measures), 1);
	after = sn_measure_json(plane.measures, sn_measures_at(plane.measures, 0), true);
	later = tasks(a);
	if (!json_equal(before, after))
		fail_msg("%s\n%s", json_dumps(before, JSON_INDENT(1)),
			 json_dumps(after, JSON_INDENT(1)));
	assert_true(json_equal(work, later));
	assert_int_equal(json_integer_value(json_object_get(after, "results")), 17);
	assert_string_equal(member(after, "state"), "running");
}

static void tasks_of_an_older_hub_go_on(void **state)
{
	static const char old[] =
		"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT, created INTEGER NOT "
		"NULL,"
		" last_login INTEGER) WITHOUT ROWID; INSERT INTO users VALUES ('root', NULL, 1, "
		"NULL);"
		"CREATE TABLE api_tokens (id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
		" user TEXT NOT NULL, label TEXT NOT NULL, created INTEGER NOT NULL, expires "
		"INTEGER)"
		" WITHOUT ROWID;"
		"CREATE TABLE nodes (id TEXT PRIMARY KEY, name TEXT NOT NULL, enrolled INTEGER NOT"
		" NULL, last_seen INTEGER, revoked INTEGER, certificate_expires INTEGER, latitude "
		"REAL,"
		" longitude REAL, place TEXT, tags TEXT NOT NULL DEFAULT '[]', version TEXT,"
		" report TEXT) WITHOUT ROWID;"
		"CREATE TABLE certificates (serial TEXT PRIMARY KEY, uri TEXT NOT NULL, fingerprint"
		" TEXT NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL, revoked "
		"INTEGER)"
		" WITHOUT ROWID;"
		"CREATE TABLE audit (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT"
		" NULL, action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT);"
		"CREATE TABLE tasks (id TEXT PRIMARY KEY, name TEXT NOT NULL, method TEXT NOT NULL,"
		" parameters TEXT NOT NULL, nodes TEXT NOT NULL, created INTEGER NOT NULL,"
		" idempotency_key TEXT UNIQUE) WITHOUT ROWID;"
		"INSERT INTO nodes (id, name, enrolled) VALUES ('N1', 'rome', 1), ('N2', 'oslo', "
		"1);"
		"INSERT INTO nodes (id, name, enrolled, revoked) VALUES ('N3', 'gone', 1, 2);"
		"INSERT INTO tasks VALUES"
		" ('T1', 'all', 'ping', '{\"targets\":[\"192.0.2.1\"],\"period\":\"1m30s\"}', "
		"'[\"*\"]',"
		" 1790000000123456789, 'k'),"
		" ('T2', 'one', 'flow', '{\"interface\":\"eth0\"}', '[\"N2\",\"N3\"]',"
		" 1790000000000000000, NULL),"
		" ('T3', 'quick', 'ping', '{\"targets\":[\"192.0.2.1\"],\"period\":\"500ms\"}',"
		" '[\"N1\"]', 1790000000000000000, NULL),"
		" ('T4', 'unknown', 'pong', '{}', '[\"*\"]', 1790000000000000000, NULL);"
		"PRAGMA user_version = 1;";
	sqlite3 *db;
	const struct sn_measure *measure;
	sn_autojson json_t *items = NULL, *json = NULL;

	(void)state;
	plane_prepare(&plane);
	assert_int_equal(sqlite3_open(plane.path, &db), SQLITE_OK);
	if (sqlite3_exec(db, old, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
	plane_open(&plane);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sn_measures_count(plane.measures), 3);
		measure = sn_measures_find(plane.measures, "T1");
		assert_int_equal(measure->part_count, 2);
		assert_true(measure->follows);
		assert_string_equal(measure->owner, "user:root");
		assert_int_equal(sn_measures_find(plane.measures, "T2")->part_count, 1);
		plane_restart(&plane);
	}
	json = sn_measure_json(plane.measures, sn_measures_find(plane.measures, "T1"), false);
	assert_string_equal(member(json, "when"), "2026-09-21 14:13:20.123456 ... future / 1m30s");
	assert_null(json_object_get(json_object_get(json, "parameters"), "period"));
	items = sn_measures_tasks_for(plane.measures, "N1");
	assert_int_equal(json_array_size(items), 2);
	assert_string_equal(
		member(json_object_get(json_array_get(items, 0), "parameters"), "period"), "1m30s");
	assert_string_equal(
		member(json_object_get(json_array_get(items, 1), "parameters"), "period"), "1s");
	assert_int_equal(sn_sql_i64(plane.db, -1,
				    "SELECT count(*) FROM sqlite_master WHERE name = 'tasks'", ""),
			 0);
}

/* States
 * --------------------------------------------------------------------------------------------- */

static void the_whole_follows_its_parts(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	struct sn_measure *measure = ask("{" PING "}");

	(void)state;
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
	report(measure, a, SN_MEASURE_RUNNING, NULL);
	assert_int_equal(measure->state, SN_MEASURE_RUNNING);
	report(measure, a, SN_MEASURE_FAILED, "oops");
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
	report(measure, b, SN_MEASURE_DONE, NULL);
	assert_int_equal(measure->state, SN_MEASURE_DONE);
	assert_string_equal(part_of(measure, a)->error, "oops");
	assert_int_equal(task_count(a) + task_count(b), 0);
	/* Repeating a report changes nothing, nor does a late one. */
	report(measure, a, SN_MEASURE_FAILED, "again");
	report(measure, b, SN_MEASURE_RUNNING, NULL);
	assert_string_equal(part_of(measure, a)->error, "oops");
	assert_int_equal(part_of(measure, b)->state, SN_MEASURE_DONE);
	measure = ask("{" PING "}");
	report(measure, a, SN_MEASURE_FAILED, "x");
	report(measure, b, SN_MEASURE_FAILED, "y");
	assert_int_equal(measure->state, SN_MEASURE_FAILED);
	assert_int_equal(sn_measures_live_count(plane.measures), 0);
}

static void reports_of_one_turn_are_one_transaction(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	struct sn_measure *measure = ask("{" PING "}");
	const struct sn_part_change changes[] = {
		{sn_measure_part_of(measure, plane_provider(a)), SN_MEASURE_RUNNING, NULL},
		{sn_measure_part_of(measure, plane_provider(a)), SN_MEASURE_DONE, NULL},
		{sn_measure_part_of(measure, plane_provider(b)), SN_MEASURE_FAILED, "x"},
		{sn_measure_part_of(measure, plane_provider(b)), SN_MEASURE_RUNNING, NULL},
	};

	(void)state;
	assert_int_equal(sn_measures_part_states(plane.measures, changes, SN_COUNT(changes),
						 plane.now_ns, &err),
			 0);
	for (int i = 0; i < 2; i++) {
		measure = sn_measures_at(plane.measures, 0);
		a = sn_fleet_find(plane.fleet, "a");
		b = sn_fleet_find(plane.fleet, "b");
		assert_int_equal(part_of(measure, a)->state, SN_MEASURE_DONE);
		assert_int_equal(part_of(measure, b)->state, SN_MEASURE_FAILED);
		assert_int_equal(measure->state, SN_MEASURE_DONE);
		plane_restart(&plane);
	}
}

static void rows_are_counted_and_prove_that_it_runs(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_measure *measure = ask("{" PING ",\"when\":\"now ... future / 1s\"}");

	(void)state;
	sn_measures_count_rows(plane.measures, measure->id, plane_provider(a), 5);
	sn_measures_count_rows(plane.measures, measure->id, plane_provider(a), 6);
	sn_measures_count_rows(plane.measures, measure->id, "node:other", 100);
	sn_measures_count_rows(plane.measures, "no-such", plane_provider(a), 100);
	plane.counts = 0;
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(plane.counts, 1);
	assert_int_equal(part_of(measure, a)->state, SN_MEASURE_RUNNING);
	assert_int_equal(measure->state, SN_MEASURE_RUNNING);
	assert_int_equal(part_of(measure, a)->results, 11);
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(plane.counts, 1);
	plane_restart(&plane);
	a = sn_fleet_find(plane.fleet, "a");
	measure = sn_measures_at(plane.measures, 0);
	assert_int_equal(part_of(measure, a)->results, 11);
	assert_int_equal(measure->state, SN_MEASURE_RUNNING);
}

static void stopping_ends_what_has_not_ended(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	struct sn_measure *measure = ask("{" PING "}");

	(void)state;
	report(measure, a, SN_MEASURE_DONE, NULL);
	assert_int_equal(sn_measures_stop(plane.measures, measure, plane.now_ns, &err), 0);
	assert_int_equal(sn_measures_stop(plane.measures, measure, plane.now_ns, &err), -EALREADY);
	for (int i = 0; i < 2; i++) {
		measure = sn_measures_at(plane.measures, 0);
		a = sn_fleet_find(plane.fleet, "a");
		b = sn_fleet_find(plane.fleet, "b");
		assert_int_equal(measure->state, SN_MEASURE_STOPPED);
		assert_int_equal(part_of(measure, a)->state, SN_MEASURE_DONE);
		assert_int_equal(part_of(measure, b)->state, SN_MEASURE_STOPPED);
		assert_int_equal(task_count(b), 0);
		assert_int_equal(sn_measures_live_count(plane.measures), 0);
		plane_restart(&plane);
	}
}

static void who_is_shut_out_has_nothing_more_to_do(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_node *b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	struct sn_measure *both = ask("{" PING "}"), *own = ask("{" PING ",\"nodes\":[\"a\"]}");

	(void)state;
	assert_int_equal(
		sn_measures_leave(plane.measures, plane_provider(a), "revoked", plane.now_ns, &err),
		0);
	assert_int_equal(own->state, SN_MEASURE_STOPPED);
	assert_int_equal(both->state, SN_MEASURE_WAITING);
	assert_string_equal(part_of(both, a)->error, "revoked");
	assert_int_equal(task_count(a), 0);
	assert_int_equal(task_count(b), 1);
}

/* Time
 * ------------------------------------------------------------------------------------------------
 */

static void new_nodes_join_what_goes_on(void **state)
{
	struct sn_node *a = plane_node(&plane, "a", PING_REPORT("192.0.2.1")), *b;
	struct sn_measure *standing = ask("{" PING ",\"when\":\"now ... future / 1s\"}");
	struct sn_measure *repeated = ask("{" PING ",\"when\":\"repeat now + 1d / 1h { now }\"}");
	struct sn_measure *once = ask("{" PING ",\"when\":\"now + 1h / 1s\"}");
	struct sn_measure *named =
		ask("{" PING ",\"when\":\"now ... future / 1s\",\"nodes\":[\"a\"]}");
	struct sn_measure *tagged;
	char stopped[SN_ULID_SIZE], ends[SN_ULID_SIZE];

	(void)state;
	json_array_append_new(a->tags, json_string("core"));
	sn_offers_set_node(plane.offers, a);
	tagged = ask("{" PING ",\"when\":\"now ... future / 1s\",\"tags\":[\"core\"]}");
	b = plane_node(&plane, "b", PING_REPORT("192.0.2.2"));
	assert_int_equal(task_count(b), 0);
	plane_wait(&plane, SN_NS_PER_S);
	assert_non_null(part_of(standing, b));
	assert_non_null(part_of(repeated, b));
	assert_null(part_of(once, b));
	assert_null(part_of(named, b));
	assert_null(part_of(tagged, b));
	assert_int_equal(task_count(b), 2);
	json_array_append_new(b->tags, json_string("core"));
	sn_offers_set_node(plane.offers, b);
	plane_wait(&plane, SN_NS_PER_S);
	assert_non_null(part_of(tagged, b));
	/* What was stopped takes nobody in, and what was joined stays over a restart. */
	assert_int_equal(sn_measures_stop(plane.measures, standing, plane.now_ns, &err), 0);
	memcpy(stopped, standing->id, sizeof(stopped));
	memcpy(ends, repeated->id, sizeof(ends));
	plane_restart(&plane);
	plane_node(&plane, "c", PING_REPORT("192.0.2.3"));
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(sn_measures_find(plane.measures, stopped)->part_count, 2);
	assert_int_equal(sn_measures_find(plane.measures, ends)->part_count, 3);
	/* After its end nobody joins either. */
	plane_wait(&plane, DAY_NS + SN_NS_PER_S);
	plane_node(&plane, "d", PING_REPORT("192.0.2.4"));
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(sn_measures_find(plane.measures, ends)->part_count, 3);
}

static void a_standing_one_can_wait_for_the_first_node(void **state)
{
	struct sn_measure *measure = ask("{" PING ",\"when\":\"now ... future / 1s\"}");
	struct sn_node *a;

	(void)state;
	assert_int_equal(measure->part_count, 0);
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
	a = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	plane_wait(&plane, SN_NS_PER_S);
	assert_non_null(part_of(measure, a));
	refused("{" PING ",\"when\":\"now ... future / 1s\",\"tags\":[\"x\"]}", -ENOENT, "ping");
	refused("{" PING ",\"when\":\"now\",\"tags\":[\"x\"]}", -ENOENT, "ping");
}

static void a_node_that_never_reports_is_given_up(void **state)
{
	struct sn_node *here = plane_node(&plane, "here", PING_REPORT("192.0.2.1"));
	struct sn_node *away = plane_node(&plane, "away", PING_REPORT("192.0.2.2"));
	struct sn_node *busy = plane_node(&plane, "busy", PING_REPORT("192.0.2.3"));
	struct sn_measure *measure = ask("{" PING ",\"when\":\"now + 1h / 10s\"}");

	(void)state;
	away->state = SN_NODE_OFFLINE;
	report(measure, busy, SN_MEASURE_RUNNING, NULL);
	plane_wait(&plane, HOUR_NS + 300 * SN_NS_PER_S);
	assert_int_equal(part_of(measure, here)->state, SN_MEASURE_WAITING);
	for (int i = 0; i < 4; i++)
		plane_wait(&plane, 601 * SN_NS_PER_S);
	assert_int_equal(part_of(measure, here)->state, SN_MEASURE_FAILED);
	assert_non_null(strstr(part_of(measure, here)->error, "did not report"));
	assert_int_equal(part_of(measure, away)->state, SN_MEASURE_WAITING);
	assert_int_equal(part_of(measure, busy)->state, SN_MEASURE_RUNNING);
	assert_int_equal(task_count(away), 1);
	/* It may come back and still hold results; after a day nobody waits any more. */
	report(measure, away, SN_MEASURE_DONE, NULL);
	plane_wait(&plane, DAY_NS);
	assert_int_equal(part_of(measure, busy)->state, SN_MEASURE_FAILED);
	assert_int_equal(measure->state, SN_MEASURE_DONE);
}

static void who_comes_back_has_time_to_report(void **state)
{
	struct sn_node *node = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_measure *measure = ask("{" PING ",\"when\":\"now + 1h / 10s\"}");

	(void)state;
	node->state = SN_NODE_OFFLINE;
	for (int i = 0; i < 12; i++)
		plane_wait(&plane, 601 * SN_NS_PER_S);
	assert_int_equal(part_of(measure, node)->state, SN_MEASURE_WAITING);
	node->state = SN_NODE_ONLINE;
	plane_wait(&plane, 601 * SN_NS_PER_S);
	assert_int_equal(part_of(measure, node)->state, SN_MEASURE_WAITING);
	report(measure, node, SN_MEASURE_DONE, NULL);
	assert_int_equal(measure->state, SN_MEASURE_DONE);
}

static void what_nobody_ever_took_part_in_fails_at_its_end(void **state)
{
	struct sn_measure *measure = ask("{" PING ",\"when\":\"repeat now + 1h / 10m { now }\"}");

	(void)state;
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
	plane_wait(&plane, HOUR_NS + SN_NS_PER_S);
	assert_int_equal(measure->state, SN_MEASURE_FAILED);
	plane_restart(&plane);
	assert_int_equal(sn_measures_at(plane.measures, 0)->state, SN_MEASURE_FAILED);
}

static void ended_ones_are_dropped_in_time(void **state)
{
	struct sn_node *node = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	struct sn_measure *measure = ask("{" PING ",\"key\":\"k\",\"client_token\":\"t\"}");
	char id[SN_ULID_SIZE];

	(void)state;
	memcpy(id, measure->id, sizeof(id));
	report(measure, node, SN_MEASURE_DONE, NULL);
	ask("{" PING ",\"when\":\"now ... future / 1s\"}");
	plane_wait(&plane, SN_MEASURE_KEEP_NS - HOUR_NS);
	assert_non_null(sn_measures_find(plane.measures, id));
	plane_restart(&plane);
	plane_wait(&plane, 2 * HOUR_NS);
	assert_null(sn_measures_find(plane.measures, id));
	assert_null(sn_measures_by_client(plane.measures, "user:alice", "t"));
	assert_int_equal(sn_measures_count(plane.measures), 1);
	assert_int_equal(sn_sql_i64(plane.db, -1, "SELECT count(*) FROM parts", ""), 1);
	plane_restart(&plane);
	assert_int_equal(sn_measures_count(plane.measures), 1);
}

/* Permission, limits, preview
 * ------------------------------------------------------------------------- */

static int verdict;
static size_t parts_asked;
static bool had_id;

static int judge(const struct sn_measure *measure, struct sn_err *reason, void *ctx)
{
	(void)ctx;
	parts_asked = measure->part_count;
	had_id = measure->id[0] != '\0';
	return verdict == 0 ? 0 : sn_err_set(reason, verdict, "rule 7");
}

static bool nobody_joins(const struct sn_measure *measure, const char *provider, void *ctx)
{
	(void)measure, (void)provider, (void)ctx;
	return false;
}

static void with_judge(int code)
{
	verdict = code;
	plane.config.permit = judge;
	plane_restart(&plane);
}

static void what_is_not_permitted_is_not_stored(void **state)
{
	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	with_judge(-EACCES);
	refused("{" PING "}", -EACCES, "rule 7");
	assert_int_equal(parts_asked, 1);
	assert_true(had_id);
	with_judge(-EDQUOT);
	refused("{" PING "}", -EDQUOT, "rule 7");
	assert_int_equal(sn_sql_i64(plane.db, -1, "SELECT count(*) FROM measurements", ""), 0);
	with_judge(0);
	ask("{" PING "}");
}

static void who_may_not_join_does_not(void **state)
{
	struct sn_measure *measure;

	(void)state;
	plane.config.may_join = nobody_joins;
	plane_restart(&plane);
	measure = ask("{" PING ",\"when\":\"now ... future / 1s\"}");
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(measure->part_count, 0);
}

static json_t *preview_of(const char *when)
{
	sn_autojson json_t *parameters =
		json_pack("{s:[s,s]}", "targets", "192.0.2.9", "x.example");
	struct sn_measure_request request = {.owner = "user:alice",
					     .capability = "ping",
					     .parameters = parameters,
					     .when = when};

	err = (struct sn_err){0};
	return sn_measures_preview(plane.measures, &request, plane.now_ns, &err);
}

static void a_preview_says_what_would_be_and_stores_nothing(void **state)
{
	static const struct {
		const char *when;
		int64_t runs; /* -1: no end */
	} cases[] = {
		{"now", 1},
		{"now + 1m", 1},
		{"now + 1m / 10s", 7},
		{"now ... future / 1s", -1},
		{"repeat now + 1h / 10m { now }", 7},
		{"repeat now + 1h / 10m { now + 4s / 2s }", 21},
	};

	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	with_judge(0);
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		sn_autojson json_t *json = preview_of(cases[i].when);
		const json_t *runs = json_object_get(json, "runs");

		if (json == NULL)
			fail_msg("%s: %s", cases[i].when, err.text);
		if (cases[i].runs < 0 ? !json_is_null(runs)
				      : json_integer_value(runs) != cases[i].runs)
			fail_msg("%s: %lld runs", cases[i].when, json_integer_value(runs));
		assert_int_equal(json_array_size(json_object_get(json, "providers")), 1);
		assert_int_equal(json_array_size(json_object_get(json, "targets")), 2);
		assert_true(json_is_true(json_object_get(json, "allowed")));
		assert_false(had_id);
	}
	with_judge(-EACCES);
	{
		sn_autojson json_t *json = preview_of("now");

		assert_false(json_is_true(json_object_get(json, "allowed")));
		assert_string_equal(member(json, "reason"), "rule 7");
	}
	assert_null(preview_of("never"));
	assert_int_equal(err.code, -EINVAL);
	/* Out of range is the asker's mistake, too. */
	assert_null(preview_of("now + 10s / 0s"));
	assert_int_equal(err.code, -EINVAL);
	assert_null(preview_of("2026-02-29"));
	assert_int_equal(err.code, -EINVAL);
	assert_int_equal(sn_measures_count(plane.measures), 0);
}

static void a_node_has_so_many_tasks_and_no_more(void **state)
{
	struct sn_node *node = plane_node(&plane, "a", PING_REPORT("192.0.2.1"));

	(void)state;
	for (int i = 0; i < SN_MEASURE_NODE_TASKS; i++)
		ask("{" PING "}");
	refused("{" PING "}", -E2BIG, "'a'");
	report(sn_measures_at(plane.measures, 3), node, SN_MEASURE_DONE, NULL);
	ask("{" PING "}");
	assert_int_equal(task_count(node), SN_MEASURE_NODE_TASKS);
}

static void ten_thousand_are_live_and_no_more(void **state)
{
	static const char standing[] = "{" PING ",\"when\":\"now ... future / 1s\"}";

	(void)state;
	/* What is kept over a crash is not what this is about. */
	assert_int_equal(sn_db_exec(plane.db, "PRAGMA synchronous = OFF", &err), 0);
	for (int i = 0; i < SN_MEASURES_LIVE_MAX; i++)
		ask(standing);
	refused(standing, -E2BIG, "10000");
	assert_int_equal(sn_measures_stop(plane.measures, sn_measures_at(plane.measures, 77),
					  plane.now_ns, &err),
			 0);
	ask(standing);
	plane_restart(&plane);
	assert_int_equal(sn_measures_live_count(plane.measures), SN_MEASURES_LIVE_MAX);
	refused(standing, -E2BIG, "10000");
}

static void lists_of_a_selection_have_a_limit(void **state)
{
	struct sn_buf text = {0};

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	sn_buf_adds(&text, "{" PING ",\"nodes\":[\"rome\"");
	for (int i = 1; i < 10000; i++)
		sn_buf_adds(&text, ",\"rome\"");
	sn_buf_adds(&text, "]}");
	assert_int_equal(ask(sn_buf_cstr(&text))->part_count, 1);
	text.n -= 2;
	sn_buf_adds(&text, ",\"rome\"]}");
	refused(sn_buf_cstr(&text), -EINVAL, "nodes");
	sn_buf_finish(&text);
}

static void who_could_not_join_is_asked_again(void **state)
{
	struct sn_measure *measure = ask("{" PING ",\"when\":\"now ... future / 1s\"}");

	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	assert_int_equal(sn_db_exec(plane.db, "ALTER TABLE parts RENAME TO elsewhere", &err), 0);
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(measure->part_count, 0);
	assert_int_equal(sn_db_exec(plane.db, "ALTER TABLE elsewhere RENAME TO parts", &err), 0);
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(measure->part_count, 1);
}

static void nothing_runs_when_the_database_cannot_keep_it(void **state)
{
	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	assert_int_equal(sn_db_exec(plane.db, "DROP TABLE parts", &err), 0);
	{
		struct sn_measure *measure;

		assert_true(try_for("user:alice", "{" PING "}", &measure) < 0);
		assert_null(measure);
	}
	assert_int_equal(sn_measures_count(plane.measures), 0);
	assert_int_equal(sn_sql_i64(plane.db, -1, "SELECT count(*) FROM measurements", ""), 0);
	assert_int_equal(task_count(sn_fleet_find(plane.fleet, "a")), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_has_method_parameters_and_a_time_without_now),
		TEST(each_node_measures_from_its_own_address),
		TEST(etag_changes_with_the_work_and_only_then),
		TEST(selections_narrow_each_other),
		TEST(what_is_wrong_is_named),
		TEST(names_and_keys_have_limits),
		TEST(who_is_away_takes_part_if_it_can_still_be_in_time),
		TEST(a_node_that_has_just_joined_can_be_named),
		TEST(one_token_is_one_provider),
		TEST(same_key_of_the_same_owner_is_the_same),
		TEST(tokens_of_clients_are_theirs_alone),
		TEST(part_tokens_of_peers_are_unique_and_keyed_by_who_they_are),
		TEST(what_was_stopped_when_it_crashed_is_no_task_any_more),
		TEST(a_restart_changes_nothing),
		cmocka_unit_test_teardown(tasks_of_an_older_hub_go_on, stop),
		TEST(the_whole_follows_its_parts),
		TEST(reports_of_one_turn_are_one_transaction),
		TEST(rows_are_counted_and_prove_that_it_runs),
		TEST(stopping_ends_what_has_not_ended),
		TEST(who_is_shut_out_has_nothing_more_to_do),
		TEST(new_nodes_join_what_goes_on),
		TEST(a_standing_one_can_wait_for_the_first_node),
		TEST(a_node_that_never_reports_is_given_up),
		TEST(who_comes_back_has_time_to_report),
		TEST(what_nobody_ever_took_part_in_fails_at_its_end),
		TEST(ended_ones_are_dropped_in_time),
		TEST(what_is_not_permitted_is_not_stored),
		TEST(who_may_not_join_does_not),
		TEST(a_preview_says_what_would_be_and_stores_nothing),
		TEST(a_node_has_so_many_tasks_and_no_more),
		TEST(ten_thousand_are_live_and_no_more),
		TEST(lists_of_a_selection_have_a_limit),
		TEST(who_could_not_join_is_asked_again),
		TEST(nothing_runs_when_the_database_cannot_keep_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
