/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: what is asked for twice, and what lasts over a restart. */
#include "asking.h"

#include "hub/sql.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_key_of_the_same_owner_is_the_same),
		TEST(tokens_of_clients_are_theirs_alone),
		TEST(part_tokens_of_peers_are_unique_and_keyed_by_who_they_are),
		TEST(what_was_stopped_when_it_crashed_is_no_task_any_more),
		TEST(a_restart_changes_nothing),
		cmocka_unit_test_teardown(tasks_of_an_older_hub_go_on, stop),
		TEST(nothing_runs_when_the_database_cannot_keep_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
