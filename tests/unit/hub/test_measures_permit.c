/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: leave, previews and limits. */
#include "asking.h"

#include "hub/control.h"
#include "hub/sql.h"

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

/* A decision that is written down, as the authority does it. */
static int judge_and_write(const struct sn_measure *measure, struct sn_err *reason, void *ctx)
{
	(void)ctx;
	return sn_control_audit(plane.db, plane.now_ns, "user:alice", "judged", measure->id, NULL,
				reason);
}

static bool prepared_outside;

static void prepare(void *ctx)
{
	(void)ctx;
	prepared_outside = sqlite3_get_autocommit(sn_db_handle(plane.db)) != 0;
}

static int64_t decisions(void)
{
	return sn_sql_i64(plane.db, -1, "SELECT count(*) FROM audit WHERE action = 'judged'", "");
}

static void decision_and_measurement_are_stored_together(void **state)
{
	struct sn_err trouble = {0};

	(void)state;
	plane_node(&plane, "a", PING_REPORT("192.0.2.1"));
	plane.config.permit = judge_and_write;
	plane.config.prepare = prepare;
	plane_restart(&plane);
	ask("{" PING "}");
	assert_true(prepared_outside);
	assert_int_equal(decisions(), 1);
	/* It cannot be stored: then nothing was decided either. */
	assert_int_equal(sn_db_exec(plane.db,
				    "CREATE TRIGGER full BEFORE INSERT ON parts BEGIN"
				    " SELECT raise(ABORT, 'no room'); END",
				    &trouble),
			 0);
	refused("{" PING "}", -EEXIST, "no room");
	assert_int_equal(decisions(), 1);
	assert_int_equal(sn_db_exec(plane.db, "DROP TRIGGER full", &trouble), 0);
	ask("{" PING "}");
	assert_int_equal(decisions(), 2);
	assert_int_equal(sn_sql_i64(plane.db, -1, "SELECT count(*) FROM measurements", ""), 2);
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

static void ten_thousand_are_live_half_of_them_of_one_owner_and_no_more(void **state)
{
	static const char standing[] = "{" PING ",\"when\":\"now ... future / 1s\"}";
	struct sn_measure *measure;

	(void)state;
	/* What is kept over a crash is not what this is about. */
	assert_int_equal(sn_db_exec(plane.db, "PRAGMA synchronous = OFF", &err), 0);
	for (int i = 0; i < SN_MEASURES_OWNER_MAX; i++)
		ask(standing);
	refused(standing, -E2BIG, "5000 measurements of 'user:alice'");
	for (int i = 0; i < SN_MEASURES_LIVE_MAX - SN_MEASURES_OWNER_MAX; i++)
		assert_int_equal(try_for("user:bob", standing, &measure), 0);
	assert_int_equal(try_for("user:carol", standing, &measure), -E2BIG);
	assert_non_null(strstr(err.text, "10000"));
	assert_int_equal(sn_measures_stop(plane.measures, sn_measures_at(plane.measures, 77),
					  plane.now_ns, &err),
			 0);
	ask(standing);
	plane_restart(&plane);
	assert_int_equal(sn_measures_live_count(plane.measures), SN_MEASURES_LIVE_MAX);
	refused(standing, -E2BIG, "5000");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_permitted_is_not_stored),
		TEST(decision_and_measurement_are_stored_together),
		TEST(who_may_not_join_does_not),
		TEST(a_preview_says_what_would_be_and_stores_nothing),
		TEST(a_node_has_so_many_tasks_and_no_more),
		TEST(ten_thousand_are_live_half_of_them_of_one_owner_and_no_more),
		TEST(lists_of_a_selection_have_a_limit),
		TEST(who_could_not_join_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
