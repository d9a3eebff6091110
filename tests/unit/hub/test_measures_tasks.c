/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: what a node is given to do. */
#include "asking.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_has_method_parameters_and_a_time_without_now),
		TEST(each_node_measures_from_its_own_address),
		TEST(etag_changes_with_the_work_and_only_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
