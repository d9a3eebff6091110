/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: how far they are, and who joins meanwhile. */
#include "asking.h"

#include "hub/sql.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
