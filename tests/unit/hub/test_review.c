/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements that run and are asked about again, and what nodes are never to probe. */
#include "plane.h"

#include <errno.h>

#include "base/log.h"
#include "hub/sql.h"

static struct plane plane;
static struct sn_err err;

/* The one that is asked: what it answers, and what it was asked. */
static struct {
	const char *refused[4]; /* names of measurements, or of nodes */
	int fails;              /* how often it cannot answer */
	unsigned asked;
	char order[256];
} reviewer;

static int start(void **state)
{
	(void)state;
	memset(&reviewer, 0, sizeof(reviewer));
	plane_start(&plane);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	plane_stop(&plane);
	return 0;
}

static bool is_refused(const char *name)
{
	for (size_t i = 0; i < SN_COUNT(reviewer.refused); i++) {
		if (reviewer.refused[i] != NULL && strcmp(reviewer.refused[i], name) == 0)
			return true;
	}
	return false;
}

static int answer(const struct sn_measure *measure, struct sn_measure_part **parts,
		  struct sn_err *why, void *ctx)
{
	int count = 0;

	assert_ptr_equal(ctx, &reviewer);
	if (reviewer.fails > 0) {
		reviewer.fails--;
		return sn_err_set(why, -EIO, "cannot say");
	}
	reviewer.asked++;
	strcat(reviewer.order, measure->name);
	for (size_t i = 0; i < measure->part_count; i++) {
		struct sn_measure_part *part = measure->parts[i];
		const char *node = sn_measure_provider_name(plane.measures, part->provider);

		if (!sn_measure_state_is_final(part->state) &&
		    (is_refused(measure->name) || is_refused(node)))
			parts[count++] = part;
	}
	if (count > 0)
		sn_err_set(why, -EACCES, "line 7 says no");
	return count;
}

static void review(void)
{
	reviewer.asked = 0;
	reviewer.order[0] = '\0';
	sn_measures_review(plane.measures, answer, &reviewer, plane.now_ns);
}

static struct sn_measure *ask_for(const char *name, const char *const *identities)
{
	sn_autojson json_t *parameters = json_pack("{s:[s]}", "targets", "192.0.2.99");
	struct sn_measure_request request = {
		.owner = "user:alice",
		.identities = identities,
		.capability = "ping",
		.parameters = parameters,
		.when = "now ... future / 10s",
		.name = name,
	};
	struct sn_measure *measure;

	if (sn_measures_add(plane.measures, &request, plane.now_ns, &measure, &err) < 0)
		fail_msg("%s", err.text);
	plane.now_ns += SN_NS_PER_MS; /* each has an age of its own */
	return measure;
}

static struct sn_measure *ask(const char *name)
{
	return ask_for(name, NULL);
}

static void assert_part(const struct sn_measure *measure, const struct sn_node *node,
			enum sn_measure_state state, const char *error)
{
	const struct sn_measure_part *part = sn_measure_part_of(measure, plane_provider(node));

	assert_non_null(part);
	assert_int_equal(part->state, state);
	assert_string_equal(part->error, error);
}

/* Review --------------------------------------------------------------------------------- */

static void what_may_go_on_no_more_is_stopped_with_the_reason(void **state)
{
	struct sn_node *rome = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	const struct sn_node *oslo = plane_node(&plane, "oslo", PING_REPORT("192.0.2.2"));
	struct sn_measure *good = ask("A"), *bad = ask("B");
	char id[SN_ULID_SIZE], before[SN_TASKS_ETAG_SIZE], after[SN_TASKS_ETAG_SIZE];

	(void)state;
	strcpy(id, bad->id);
	sn_measures_etag(plane.measures, rome->id, before);
	reviewer.refused[0] = "B";
	plane.changes = 0;
	review();
	assert_false(sn_measures_is_reviewing(plane.measures));
	assert_int_equal(plane.changes, 3); /* both parts, and the whole */
	assert_int_equal(good->state, SN_MEASURE_WAITING);
	assert_int_equal(bad->state, SN_MEASURE_STOPPED);
	assert_part(bad, rome, SN_MEASURE_STOPPED, "line 7 says no");
	assert_part(bad, oslo, SN_MEASURE_STOPPED, "line 7 says no");
	assert_int_equal(sn_measures_live_count(plane.measures), 1);
	sn_measures_etag(plane.measures, rome->id, after);
	assert_string_not_equal(before, after);
	/* Nobody joins what is stopped, also after a restart. */
	plane_node(&plane, "bonn", PING_REPORT("192.0.2.3"));
	plane_wait(&plane, SN_NS_PER_S);
	assert_int_equal(bad->part_count, 2);
	assert_int_equal(good->part_count, 3);
	plane_restart(&plane);
	bad = sn_measures_find(plane.measures, id);
	assert_int_equal(bad->state, SN_MEASURE_STOPPED);
	assert_int_equal(bad->part_count, 2);
	assert_part(bad, sn_fleet_find(plane.fleet, "oslo"), SN_MEASURE_STOPPED, "line 7 says no");
}

static void only_the_parts_that_are_named_are_stopped(void **state)
{
	struct sn_node *rome = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	struct sn_node *oslo = plane_node(&plane, "oslo", PING_REPORT("192.0.2.2"));
	struct sn_measure *measure = ask("A");

	(void)state;
	reviewer.refused[0] = "oslo";
	review();
	assert_part(measure, rome, SN_MEASURE_WAITING, "");
	assert_part(measure, oslo, SN_MEASURE_STOPPED, "line 7 says no");
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
	reviewer.refused[0] = "rome";
	review();
	assert_part(measure, rome, SN_MEASURE_STOPPED, "line 7 says no");
	assert_int_equal(measure->state, SN_MEASURE_STOPPED);
}

static void newest_are_asked_about_first_and_ended_ones_not_at_all(void **state)
{
	struct sn_measure *ended;

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	ask("A");
	ended = ask("B");
	ask("C");
	assert_int_equal(sn_measures_stop(plane.measures, ended, plane.now_ns, &err), 0);
	review();
	assert_string_equal(reviewer.order, "CA");
}

static void one_that_nobody_takes_part_in_waits_for_who_comes(void **state)
{
	struct sn_measure *measure = ask("A");

	(void)state;
	reviewer.refused[0] = "A";
	review();
	assert_int_equal(reviewer.asked, 0);
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
}

static void what_cannot_be_said_is_asked_again_with_the_next_tick(void **state)
{
	struct sn_node *rome = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	struct sn_measure *measure = ask("A");

	(void)state;
	sn_log_set_level(0);
	reviewer.refused[0] = "A";
	reviewer.fails = 2;
	review();
	assert_true(sn_measures_is_reviewing(plane.measures));
	assert_part(measure, rome, SN_MEASURE_WAITING, "");
	plane_wait(&plane, SN_NS_PER_S);
	assert_true(sn_measures_is_reviewing(plane.measures));
	plane_wait(&plane, SN_NS_PER_S);
	assert_false(sn_measures_is_reviewing(plane.measures));
	assert_part(measure, rome, SN_MEASURE_STOPPED, "line 7 says no");
}

static void what_cannot_be_stored_is_not_stopped_yet(void **state)
{
	struct sn_node *rome = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	struct sn_measure *measure = ask("A");
	unsigned changes = plane.changes;

	(void)state;
	sn_log_set_level(0);
	reviewer.refused[0] = "A";
	assert_int_equal(sn_db_exec(plane.db, "PRAGMA query_only = ON", &err), 0);
	review();
	assert_true(sn_measures_is_reviewing(plane.measures));
	assert_part(measure, rome, SN_MEASURE_WAITING, "");
	assert_int_equal(measure->state, SN_MEASURE_WAITING);
	assert_int_equal(plane.changes, changes);
	assert_int_equal(sn_db_exec(plane.db, "PRAGMA query_only = OFF", &err), 0);
	plane_wait(&plane, SN_NS_PER_S);
	assert_part(measure, rome, SN_MEASURE_STOPPED, "line 7 says no");
	assert_int_equal(measure->state, SN_MEASURE_STOPPED);
}

static void thousands_are_stopped_with_a_few_commits(void **state)
{
	uint64_t began_ns;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		plane_node(&plane, name, PING_REPORT("192.0.2.1"));
	}
	assert_int_equal(sn_db_exec(plane.db, "PRAGMA synchronous = OFF", &err), 0);
	for (unsigned i = 0; i < 100; i++)
		ask("A");
	reviewer.refused[0] = "A";
	began_ns = test_cpu_ns();
	review();
	for (unsigned i = 0; i < 100 && sn_measures_is_reviewing(plane.measures); i++) {
		reviewer.order[0] = '\0';
		plane_wait(&plane, SN_NS_PER_S);
	}
	assert_int_equal(sn_measures_live_count(plane.measures), 0);
	assert_true(test_cpu_ns() - began_ns < 2 * (uint64_t)SN_NS_PER_S);
	assert_int_equal(sn_sql_i64(plane.db, 0,
				    "SELECT count(*) FROM parts WHERE state = 'stopped' AND error "
				    "= 'line 7 says no'",
				    ""),
			 2000);
}

/* Who asked -------------------------------------------------------------------------------- */

static void all_names_of_who_asked_outlive_a_restart(void **state)
{
	static const char *const names[] = {"user:alice", "account:operator", "dns:pc.example",
					    NULL};
	char with[SN_ULID_SIZE], without[SN_ULID_SIZE];

	(void)state;
	plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	strcpy(with, ask_for("A", names)->id);
	strcpy(without, ask("B")->id);
	for (int round = 0; round < 2; round++) {
		const struct sn_measure *a = sn_measures_find(plane.measures, with);
		const struct sn_measure *b = sn_measures_find(plane.measures, without);

		for (size_t i = 0; i < SN_COUNT(names) - 1; i++)
			assert_string_equal(a->identities[i], names[i]);
		assert_null(a->identities[3]);
		assert_string_equal(b->identities[0], "user:alice");
		assert_null(b->identities[1]);
		plane_restart(&plane);
	}
	/* As they came before the names were stored. */
	assert_true(sn_db_run(plane.db, &err, "UPDATE measurements SET identities = '[]'", "") > 0);
	plane_restart(&plane);
	assert_string_equal(sn_measures_find(plane.measures, with)->identities[0], "user:alice");
	assert_null(sn_measures_find(plane.measures, with)->identities[1]);
}

/* What is never probed ---------------------------------------------------------------------- */

static json_t *networks(const char *first)
{
	return json_pack("[s, s]", first, "2001:db8::/32");
}

static void networks_count_in_the_etag_of_every_node(void **state)
{
	struct sn_node *rome = plane_node(&plane, "rome", PING_REPORT("192.0.2.1"));
	char busy[3][SN_TASKS_ETAG_SIZE], idle[3][SN_TASKS_ETAG_SIZE];
	sn_autojson json_t *shown = NULL;

	(void)state;
	ask("A");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			sn_measures_set_never(plane.measures,
					      networks(i == 0 ? "192.0.2.0/24" : "192.0.2.0/25")),
			i < 2);
		sn_measures_etag(plane.measures, rome->id, busy[i]);
		sn_measures_etag(plane.measures, "somebody", idle[i]);
	}
	assert_string_not_equal(busy[0], busy[1]);
	assert_string_not_equal(idle[0], idle[1]);
	assert_string_equal(busy[1], busy[2]);
	assert_string_equal(idle[1], idle[2]);
	shown = sn_measures_never(plane.measures);
	assert_string_equal(json_string_value(json_array_get(shown, 0)), "192.0.2.0/25");
	assert_int_equal(json_array_size(shown), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_may_go_on_no_more_is_stopped_with_the_reason),
		TEST(only_the_parts_that_are_named_are_stopped),
		TEST(newest_are_asked_about_first_and_ended_ones_not_at_all),
		TEST(one_that_nobody_takes_part_in_waits_for_who_comes),
		TEST(what_cannot_be_said_is_asked_again_with_the_next_tick),
		TEST(what_cannot_be_stored_is_not_stopped_yet),
		TEST(thousands_are_stopped_with_a_few_commits),
		TEST(all_names_of_who_asked_outlive_a_restart),
		TEST(networks_count_in_the_etag_of_every_node),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
