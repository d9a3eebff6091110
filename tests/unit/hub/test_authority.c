/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/authority.h"
#include "hub/control.h"
#include "hub/sql.h"

#define NOW_NS 1767225600000000000 /* 2026-01-01 */

static struct {
	char dir[64], file[96];
	struct sn_clock_virtual clock;
	struct sn_loop *loop;
	struct sn_db *db;
	struct sn_people *people;
	struct sn_authority *authority;
	unsigned alarms, all_clears;
} world;

static void on_problem(const char *problem, void *ctx)
{
	(void)ctx;
	world.alarms += problem != NULL;
	world.all_clears += problem == NULL;
}

static void write_policy(const char *text)
{
	/* Another inode each time, as editors do. */
	assert_int_equal(sn_fs_write_atomic(world.file, text, strlen(text), 0600, NULL), 0);
}

static int open_with(const char *file, struct sn_err *err)
{
	struct sn_authority_config config = {
		.loop = world.loop,
		.db = world.db,
		.people = world.people,
		.file = file,
		.state = world.dir,
		.on_problem = on_problem,
	};

	return sn_authority_open(&config, &world.authority, err);
}

static void must_open(const char *file)
{
	struct sn_err err = {0};

	if (open_with(file, &err) != 0)
		fail_msg("%s", err.text);
}

static int start(void **state)
{
	char path[128];
	struct sn_err err = {0};

	(void)state;
	memset(&world, 0, sizeof(world));
	sn_log_set_level_name("error");
	snprintf(world.dir, sizeof(world.dir), "/tmp/sonde-authority-test-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	snprintf(world.file, sizeof(world.file), "%s/policy.yaml", world.dir);
	snprintf(path, sizeof(path), "%s/control.sqlite", world.dir);
	sn_clock_virtual_init(&world.clock, 1, NOW_NS);
	world.loop = sn_loop_create(&world.clock.clock);
	if (sn_control_open(path, &world.db, &err) != 0 ||
	    sn_people_open(world.db, NOW_NS, &world.people, &err) != 0)
		fail_msg("%s", err.text);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	sn_authority_close(world.authority);
	sn_people_close(world.people);
	sn_db_close(world.db);
	sn_loop_destroy(world.loop);
	return sn_fs_remove_tree(world.dir, NULL);
}

static void wait_s(unsigned seconds)
{
	sn_loop_advance(world.loop, seconds * (uint64_t)SN_NS_PER_S);
}

static bool ask(enum sn_policy_action action, const char *who, const char *label)
{
	const char *identities[] = {who, NULL};
	struct sn_policy_ask question = {
		.action = action,
		.identities = identities,
		.label = label,
	};

	return sn_authority_permit(world.authority, &question, NULL, NULL);
}

/* Lines of the audit trail, after what is queued was written. */
static json_t *trail(const char *action)
{
	struct sn_err err = {0};
	json_t *lines;

	wait_s(0);
	sn_loop_advance(world.loop, SN_NS_PER_MS);
	lines = sn_sql_json(world.db, &err,
			    "SELECT id AS \"id\", actor AS \"actor\", subject AS \"subject\","
			    " outcome AS \"outcome\", line AS \"line\", detail AS \"detail\""
			    " FROM audit WHERE action = ? ORDER BY id",
			    "t", action);
	assert_non_null(lines);
	return lines;
}

static size_t lines_of(const char *action)
{
	json_t *lines = trail(action);
	size_t count = json_array_size(lines);

	json_decref(lines);
	return count;
}

static const char one[] = "roles: {a: user:a}\nrules:\n"
			  "  - {allow: [discover, measure], roles: a, capabilities: ping}\n";
static const char two[] = "roles: {a: user:a}\nrules:\n\n\n"
			  "  - {allow: measure, roles: a, capabilities: trace}\n";

/* The file ---------------------------------------------------------------------------- */

static void without_a_file_the_built_in_policy_is_in_force(void **state)
{
	struct sn_asker asker;

	(void)state;
	must_open("");
	assert_string_equal(sn_authority_file(world.authority), "");
	assert_string_equal(sn_authority_text(world.authority), sn_policy_default_text);
	assert_null(sn_authority_problem(world.authority));
	sn_asker_account(&asker, "alice", SN_ROLE_OPERATOR);
	assert_true(
		sn_policy_has_role(sn_authority_policy(world.authority), asker.list, "operator"));
	assert_false(sn_policy_has_role(sn_authority_policy(world.authority), asker.list, "admin"));
	sn_authority_reload(world.authority);
	wait_s(10);
	assert_int_equal(sn_authority_generation(world.authority), 1);
}

static void changed_file_takes_force_when_it_stands_still(void **state)
{
	(void)state;
	write_policy(one);
	must_open(world.file);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	wait_s(3);
	assert_int_equal(sn_authority_generation(world.authority), 1);
	write_policy(two);
	wait_s(1); /* seen */
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	wait_s(1); /* has not changed since */
	assert_false(ask(SN_MAY_MEASURE, "user:a", "ping"));
	assert_true(ask(SN_MAY_MEASURE, "user:a", "trace"));
	assert_int_equal(sn_authority_generation(world.authority), 2);
	assert_true(sn_authority_loaded_ns(world.authority) > NOW_NS);
	assert_int_equal(world.alarms, 0);
	assert_int_equal(lines_of("policy.load"), 1);
}

static void broken_file_keeps_the_last_good_one_and_raises_an_alarm(void **state)
{
	(void)state;
	sn_log_set_level(0);
	write_policy(one);
	must_open(world.file);
	write_policy("rules:\n  - {allow: masure}\n");
	wait_s(2);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	assert_int_equal(sn_authority_generation(world.authority), 1);
	assert_non_null(strstr(sn_authority_problem(world.authority), "line 2"));
	assert_non_null(strstr(sn_authority_problem(world.authority), "policy.yaml"));
	assert_int_equal(world.alarms, 1);
	wait_s(10); /* told once */
	assert_int_equal(world.alarms, 1);
	assert_int_equal(lines_of("policy.broken"), 1);

	assert_int_equal(unlink(world.file), 0); /* another trouble */
	wait_s(2);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	assert_int_equal(world.alarms, 2);
	assert_int_equal(world.all_clears, 0);

	write_policy(two);
	wait_s(2);
	assert_null(sn_authority_problem(world.authority));
	assert_int_equal(world.all_clears, 1);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "trace"));
}

static void last_good_one_outlives_a_restart(void **state)
{
	struct sn_err err = {0};

	(void)state;
	sn_log_set_level(0);
	write_policy(one);
	must_open(world.file);
	sn_authority_close(world.authority);
	world.authority = NULL;
	write_policy("}");
	must_open(world.file);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	assert_non_null(sn_authority_problem(world.authority));
	assert_int_equal(world.alarms, 1);
	write_policy(one);
	wait_s(2);
	assert_null(sn_authority_problem(world.authority));
	assert_int_equal(sn_authority_generation(world.authority), 1); /* the same text */

	sn_authority_close(world.authority);
	world.authority = NULL;
	write_policy("}");
	{
		sn_autofree char *kept = sn_fs_join(world.dir, "policy.last-good.yaml");

		assert_int_equal(unlink(kept), 0);
	}
	assert_int_equal(open_with(world.file, &err), -EINVAL);
	assert_non_null(strstr(err.text, "policy.yaml"));
}

/* The trail --------------------------------------------------------------------------- */

static void what_peers_do_all_day_is_written_once(void **state)
{
	(void)state;
	write_policy(one);
	must_open(world.file);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(ask(SN_MAY_DISCOVER, "user:a", "ping"));
	assert_int_equal(lines_of("policy.discover"), 1);
	write_policy(two);
	wait_s(2);
	write_policy(one);
	wait_s(2);
	assert_true(ask(SN_MAY_DISCOVER, "user:a", "ping")); /* under a policy that is news */
	assert_int_equal(lines_of("policy.discover"), 2);
}

static void every_measurement_that_is_allowed_is_written_at_once(void **state)
{
	sn_autojson json_t *lines = NULL;
	json_t *line;

	(void)state;
	write_policy(one);
	must_open(world.file);
	for (unsigned i = 0; i < 3; i++)
		assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	assert_int_equal(
		sn_sql_i64(world.db, 0, "SELECT count(*) FROM audit WHERE outcome = 'allowed'", ""),
		3);
	lines = trail("policy.measure");
	line = json_array_get(lines, 0);
	assert_string_equal(json_string_value(json_object_get(line, "actor")), "user:a");
	assert_string_equal(json_string_value(json_object_get(line, "subject")), "ping");
	assert_int_equal(json_integer_value(json_object_get(line, "line")), 3);
	assert_non_null(strstr(json_string_value(json_object_get(line, "detail")), "line 3"));
}

static void who_looks_at_what_is_written_every_ten_minutes(void **state)
{
	static const char reading[] =
		"roles: {a: \"user:a\"}\n"
		"rules:\n"
		"  - {allow: [read, read-all], roles: a, capabilities: \"*\"}\n";
	const char *const who[] = {"user:a", NULL};
	struct sn_policy_ask looks = {.action = SN_MAY_READ_ALL, .identities = who};
	sn_autojson json_t *lines = NULL;

	(void)state;
	write_policy(reading);
	must_open(world.file);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(sn_authority_permit(world.authority, &looks, "/rows/ping", NULL));
		assert_true(sn_authority_permit(world.authority, &looks, "/rows/flow", NULL));
	}
	assert_int_equal(lines_of("policy.read-all"), 2);
	wait_s(601);
	assert_true(sn_authority_permit(world.authority, &looks, "/rows/ping", NULL));
	sn_authority_note(world.authority, &looks, "/rows/trace", "by the local token");
	lines = trail("policy.read-all");
	assert_int_equal(json_array_size(lines), 4);
	assert_non_null(strstr(
		json_string_value(json_object_get(json_array_get(lines, 2), "detail")), "4 more"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 3), "detail")),
			    "by the local token");
}

static void refusals_are_written_once_a_minute_with_their_number(void **state)
{
	sn_autojson json_t *lines = NULL;

	(void)state;
	write_policy(one);
	must_open(world.file);
	for (unsigned i = 0; i < 100; i++)
		assert_false(ask(SN_MAY_MEASURE, "user:eve", i % 2 ? "ping" : "trace"));
	assert_false(ask(SN_MAY_READ, "user:eve", "ping")); /* another action */
	assert_false(ask(SN_MAY_MEASURE, "user:mal", "ping"));
	assert_int_equal(lines_of("policy.measure"), 2);
	assert_int_equal(lines_of("policy.read"), 1);
	wait_s(61);
	assert_false(ask(SN_MAY_MEASURE, "user:eve", "ping"));
	lines = trail("policy.measure");
	assert_int_equal(json_array_size(lines), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 2), "outcome")),
			    "refused");
	assert_non_null(
		strstr(json_string_value(json_object_get(json_array_get(lines, 2), "detail")),
		       "99 more refused"));
	assert_true(json_is_null(json_object_get(json_array_get(lines, 2), "line")));
}

static void decisions_of_one_turn_cost_one_transaction(void **state)
{
	char who[32];
	uint64_t start_ns = test_cpu_ns();

	(void)state;
	write_policy(one);
	must_open(world.file);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(who, sizeof(who), "user:u%u", i);
		assert_false(ask(SN_MAY_DISCOVER, who, "ping"));
	}
	assert_int_equal(lines_of("policy.discover"), 10000);
	assert_true(test_cpu_ns() - start_ns < 2 * (uint64_t)SN_NS_PER_S);
}

static void allowed_measurement_is_a_part_of_the_open_transaction(void **state)
{
	struct sn_err err = {0};

	(void)state;
	write_policy(one);
	must_open(world.file);
	assert_int_equal(sn_db_begin(world.db, &err), 0);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	sn_db_rollback(world.db);
	assert_int_equal(lines_of("policy.measure"), 0);
}

static void what_cannot_be_written_is_not_allowed(void **state)
{
	struct sn_err err = {0};

	(void)state;
	write_policy(one);
	must_open(world.file);
	assert_int_equal(sn_db_exec(world.db, "PRAGMA query_only = ON", &err), 0);
	assert_false(ask(SN_MAY_MEASURE, "user:a", "ping"));
	assert_true(ask(SN_MAY_DISCOVER, "user:a", "ping")); /* changes nothing: it waits */
	assert_int_equal(sn_db_exec(world.db, "PRAGMA query_only = OFF", &err), 0);
	assert_true(ask(SN_MAY_MEASURE, "user:a", "ping"));
	wait_s(2);
	assert_int_equal(lines_of("policy.discover"), 1);
}

static void assert_not_possible(const char *sql)
{
	struct sn_err err = {0};

	if (sn_db_exec(world.db, sql, &err) == 0)
		fail_msg("done: %s", sql);
	assert_non_null(strstr(err.text, "only added to"));
}

static void the_trail_is_only_added_to(void **state)
{
	struct sn_err err = {0};

	(void)state;
	must_open("");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sn_control_audit(world.db, NOW_NS, "a", "x.y", "s", NULL, &err),
				 0);
	assert_not_possible("UPDATE audit SET actor = 'b' WHERE id = 1");
	assert_not_possible("UPDATE audit SET detail = 'b'");
	assert_not_possible("DELETE FROM audit WHERE id = 1");
	assert_not_possible("DELETE FROM audit");
	assert_not_possible("INSERT OR REPLACE INTO audit (id, time, actor, action, subject)"
			    " VALUES (1, 1, 'b', 'x', 'y')");
	assert_not_possible("REPLACE INTO audit (id, time, actor, action, subject)"
			    " VALUES (3, 1, 'b', 'x', 'y')");
	assert_not_possible("INSERT INTO audit (id, time, actor, action, subject)"
			    " VALUES (9000000, 1, 'b', 'x', 'y')");
	assert_not_possible("INSERT INTO audit (id, time, actor, action, subject)"
			    " VALUES (-5, 1, 'b', 'x', 'y')");
	assert_int_equal(sn_control_tidy(world.db, &err), 0);
	assert_int_equal(
		sn_sql_i64(world.db, 0, "SELECT count(*) FROM audit WHERE actor = 'a'", ""), 3);
}

static void only_the_oldest_beyond_the_limit_go(void **state)
{
	static const char fill[] =
		"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		" INSERT INTO audit (time, actor, action, subject) SELECT 1, 'a', 'x', i FROM n";
	char sql[256];
	struct sn_err err = {0};

	(void)state;
	assert_true(SN_AUDIT_ROWS_MAX >= 100000);
	snprintf(sql, sizeof(sql), fill, 100);
	assert_int_equal(sn_db_exec(world.db, "PRAGMA synchronous = OFF", &err), 0);
	/* To the limit without the triggers: they are what takes the time. */
	assert_int_equal(sn_db_exec(world.db, "DROP TRIGGER audit_jump", &err), 0);
	assert_int_equal(sn_db_exec(world.db, sql, &err), 0);
	snprintf(sql, sizeof(sql),
		 "INSERT INTO audit (id, time, actor, action, subject)"
		 " VALUES (%d, 1, 'a', 'x', 'y')",
		 SN_AUDIT_ROWS_MAX + 10);
	assert_int_equal(sn_db_exec(world.db, sql, &err), 0);
	assert_int_equal(sn_control_tidy(world.db, &err), 0);
	assert_int_equal(sn_sql_i64(world.db, 0, "SELECT min(id) FROM audit", ""), 11);
	assert_not_possible("DELETE FROM audit WHERE id = 11");
}

/* Who asks ---------------------------------------------------------------------------- */

static void owner_of_old_has_the_role_that_the_account_has_now(void **state)
{
	struct sn_asker asker;

	(void)state;
	must_open("");
	assert_int_equal(sn_people_add(world.people, "bob", SN_ROLE_OPERATOR, NOW_NS, NULL), 0);
	sn_asker_owner(world.authority, &asker, "user:bob");
	assert_int_equal(asker.count, 2);
	assert_string_equal(asker.list[0], "user:bob");
	assert_string_equal(asker.list[1], "account:operator");
	assert_null(asker.list[2]);
	sn_asker_owner(world.authority, &asker, "user:gone");
	assert_int_equal(asker.count, 1);
	sn_asker_owner(world.authority, &asker, "org.mplane.SSB.Clients.C-1");
	assert_string_equal(asker.list[0], "org.mplane.SSB.Clients.C-1");
	assert_int_equal(asker.count, 1);
}

static void lines_outlive_a_transaction_that_is_rolled_back(void **state)
{
	struct sn_err err = {0};

	(void)state;
	write_policy(one);
	must_open(world.file);
	assert_int_equal(sn_db_begin(world.db, &err), 0);
	assert_false(ask(SN_MAY_MEASURE, "user:b", "ping"));
	sn_authority_flush(world.authority);
	sn_db_rollback(world.db);
	assert_int_equal(lines_of("policy.measure"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_file_the_built_in_policy_is_in_force),
		TEST(changed_file_takes_force_when_it_stands_still),
		TEST(broken_file_keeps_the_last_good_one_and_raises_an_alarm),
		TEST(last_good_one_outlives_a_restart),
		TEST(what_peers_do_all_day_is_written_once),
		TEST(every_measurement_that_is_allowed_is_written_at_once),
		TEST(who_looks_at_what_is_written_every_ten_minutes),
		TEST(refusals_are_written_once_a_minute_with_their_number),
		TEST(decisions_of_one_turn_cost_one_transaction),
		TEST(lines_outlive_a_transaction_that_is_rolled_back),
		TEST(allowed_measurement_is_a_part_of_the_open_transaction),
		TEST(what_cannot_be_written_is_not_allowed),
		TEST(the_trail_is_only_added_to),
		TEST(only_the_oldest_beyond_the_limit_go),
		TEST(owner_of_old_has_the_role_that_the_account_has_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
