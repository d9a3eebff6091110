/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asking: measurements of a plane (plane.h), asked for in JSON as people do; how their nodes
 * report.
 *
 * What the files test_measures_*.c share; each has a plane of its own.
 */
#ifndef SONDE_TESTS_ASKING_H
#define SONDE_TESTS_ASKING_H

#include "plane.h"

#define HOUR_NS (3600 * SN_NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

static struct plane plane;
static struct sn_err err;

static inline int start(void **state)
{
	(void)state;
	plane_start(&plane);
	return 0;
}

static inline int stop(void **state)
{
	(void)state;
	plane_stop(&plane);
	return 0;
}

/* Asking ------------------------------------------------------------------------------ */

static inline const char *member(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static inline int try_for(const char *owner, const char *text, struct sn_measure **measure)
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

static inline struct sn_measure *ask(const char *text)
{
	struct sn_measure *measure;

	if (try_for("user:alice", text, &measure) < 0)
		fail_msg("%s: %s", text, err.text);
	return measure;
}

static inline void refused(const char *text, int code, const char *says)
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

static inline const struct sn_measure_part *part_of(const struct sn_measure *measure,
						    const struct sn_node *node)
{
	return sn_measure_part_of(measure, plane_provider(node));
}

static inline void report(const struct sn_measure *measure, const struct sn_node *node,
			  enum sn_measure_state state, const char *error)
{
	struct sn_measure_part *part = sn_measure_part_of(measure, plane_provider(node));

	assert_non_null(part);
	if (sn_measures_part_state(plane.measures, part, state, error, plane.now_ns, &err) != 0)
		fail_msg("%s", err.text);
}

/* The tasks of a node; a new reference. */
static inline json_t *tasks(const struct sn_node *node)
{
	return sn_measures_tasks_for(plane.measures, node->id);
}

static inline size_t task_count(const struct sn_node *node)
{
	sn_autojson json_t *items = tasks(node);

	return json_array_size(items);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

#endif
