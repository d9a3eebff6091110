/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/method.h"
#include "hub/api/openapi.h"
#include "hub/api/schema.h"
#include "hub/guard.h"

static struct world world;
static json_t *description;
static char measurement[64], upload[64];

/* An upload that has begun, and an import that has ended. */
static void make_files(void)
{
	struct sn_err err = {0};
	struct reply reply =
		expect(&world, AS_LOCAL, 201, "POST", "/api/v1/uploads",
		       "{\"name\":\"a.csv\",\"bytes\":4,\"sha256\":"
		       "\"88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589\"}");

	snprintf(upload, sizeof(upload), "/api/v1/uploads/%s",
		 json_string_value(json_object_get(reply.json, "id")));
	reply_release(&reply);
	assert_int_equal(sn_db_run(world.hub->control, &err,
				   "INSERT INTO imports (id, name, form, asked_form, asked_dataset,"
				   " strict, upload, path, state, owner, created) VALUES ('I', 'a',"
				   " 'csv', 'auto', '', 0, '', '', 'failed', 'admin', 1)",
				   ""),
			 1);
}

static void make_dump(void)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 202, "POST", "/api/v1/dumps", "{\"day\":\"2026-03-01\"}");

	test_until(!sn_dumps_busy(world.hub->dumps), world_wait(&world, 10 * SN_NS_PER_MS));
	reply_release(&reply);
}

static int start(void **state)
{
	static const char *const settings[] = {"dump_datasets=ping", "dump_formats=csv", NULL};
	struct test_node node;
	struct reply reply;
	char backup[128];

	(void)state;
	world_start(&world, settings);
	/* Something of everything, so that the answers are not empty. */
	node_join(&world, &node, "alpha");
	node_ask(&world, &node, "POST", "/api/v1/node/heartbeat", NULL,
		 "{\"version\":\"1\",\"boot_id\":\"b\",\"stream\":\"" STREAM_ID
		 "\",\"uptime_seconds\":1.5,\"interfaces\":[{\"name\":\"eth0\",\"addresses\":[\"::"
		 "1\"],"
		 "\"up\":true}],\"methods\":[\"ping\"],\"spool\":{\"batches\":0},\"problems\":[]}");
	assert_int_equal(node.status, 200);
	node_put(&world, &node, 1, "ping/1", 1,
		 "{\"time\":\"2026-03-01T12:00:00Z\",\"task\":\"t\",\"seq\":1}\n", NULL);
	assert_int_equal(node.status, 200);
	node_put(&world, &node, 2, "none/1", 1, "{}\n", NULL);
	assert_int_equal(node.status, 202);
	node_leave(&node);
	make_files();
	make_dump();
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/invites", "{\"name\":\"x\"}");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/tokens", "{\"label\":\"x\"}");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/measurements",
		       "{\"capability\":\"ping\",\"parameters\":{\"targets\":[\"127.0.0.1\"]}}");
	snprintf(measurement, sizeof(measurement), "/api/v1/measurements/%s",
		 json_string_value(json_object_get(reply.json, "id")));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/math",
		       "{\"url\":\"http://127.0.0.1:9\",\"stream\":\"lab\"}");
	reply_release(&reply);
	snprintf(backup, sizeof(backup), "{\"directory\":\"%s-backup\"}", world.dir);
	reply = expect(&world, AS_LOCAL, 201, "POST", "/api/v1/store/backup", backup);
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 200, "GET", "/api/v1/openapi.json", NULL);
	description = json_incref(reply.json);
	reply_release(&reply);
	return 0;
}

static int stop(void **state)
{
	sn_autofree char *backup = sn_xasprintf("%s-backup", world.dir);

	(void)state;
	json_decref(description);
	world_stop(&world);
	sn_fs_remove_tree(backup, NULL);
	return 0;
}

static json_t *operation(const struct sn_http_route *route)
{
	char path[160], method[16];
	size_t n = 0;

	for (const char *p = route->pattern; *p != '\0'; p++) {
		if (*p != '*')
			path[n++] = *p;
	}
	path[n] = '\0';
	snprintf(method, sizeof(method), "%s", route->method);
	for (char *p = method; *p != '\0'; p++)
		*p |= 0x20;
	return json_object_get(json_object_get(json_object_get(description, "paths"), path),
			       method);
}

/* The same with a slash at the end. */
static bool is_twin(const struct sn_http_route *route)
{
	size_t n = strlen(route->pattern);

	return n > 1 && route->pattern[n - 1] == '/';
}

static void every_route_is_described_once(void **state)
{
	json_t *ids = json_object(), *item;
	size_t operations = 0, routes = 0;
	const char *path;

	(void)state;
	for (size_t i = 0; i < world.hub->route_count; i++) {
		const struct sn_http_route *route = &world.hub->routes[i];
		json_t *described;
		const char *id;

		if (is_twin(route))
			continue;
		described = operation(route);
		id = json_string_value(json_object_get(described, "operationId"));
		routes++;
		if (described == NULL || id == NULL)
			fail_msg("%s %s is not described", route->method, route->pattern);
		if (json_object_get(ids, id) != NULL)
			fail_msg("%s is there twice", id);
		json_object_set_new(ids, id, json_true());
		assert_true(json_string_length(json_object_get(described, "summary")) > 0);
		assert_non_null(
			json_object_get(json_object_get(described, "responses"), "default"));
	}
	json_object_foreach (json_object_get(description, "paths"), path, item)
		operations += json_object_size(item);
	assert_int_equal(operations, routes);
	json_decref(ids);
}

static unsigned references;

static void check_references(json_t *value)
{
	const char *name, *to = json_string_value(json_object_get(value, "$ref"));
	static const char prefix[] = "#/components/schemas/";
	json_t *schemas = json_object_get(json_object_get(description, "components"), "schemas");
	json_t *item;
	size_t i;

	if (to != NULL) {
		references++;
		assert_memory_equal(to, prefix, strlen(prefix));
		if (json_object_get(schemas, to + strlen(prefix)) == NULL)
			fail_msg("%s leads nowhere", to);
	}
	json_object_foreach (value, name, item)
		check_references(item);
	json_array_foreach (value, i, item)
		check_references(item);
}

static void every_reference_resolves(void **state)
{
	(void)state;
	references = 0;
	check_references(description);
	assert_true(references > 50);
}

static void required_members_are_members(void **state)
{
	json_t *schemas = json_object_get(json_object_get(description, "components"), "schemas");
	json_t *schema, *member;
	const char *name;
	size_t i;

	(void)state;
	json_object_foreach (schemas, name, schema) {
		json_array_foreach (json_object_get(schema, "required"), i, member) {
			if (json_object_get(json_object_get(schema, "properties"),
					    json_string_value(member)) == NULL)
				fail_msg("%s: %s", name, json_string_value(member));
		}
	}
}

static void names_in_paths_are_parameters(void **state)
{
	const char *path, *method;
	json_t *item, *described, *param;
	size_t i;

	(void)state;
	json_object_foreach (json_object_get(description, "paths"), path, item) {
		json_object_foreach (item, method, described) {
			unsigned in_path = 0, braces = 0;

			json_array_foreach (json_object_get(described, "parameters"), i, param) {
				sn_autofree char *brace = sn_xasprintf(
					"{%s}", json_string_value(json_object_get(param, "name")));

				if (strcmp(json_string_value(json_object_get(param, "in")),
					   "path") != 0)
					continue;
				in_path++;
				assert_non_null(strstr(path, brace));
			}
			for (const char *p = path; *p != '\0'; p++)
				braces += *p == '{';
			assert_int_equal(in_path, braces);
		}
	}
}

static void every_dataset_and_method_is_a_schema(void **state)
{
	json_t *schemas = json_object_get(json_object_get(description, "components"), "schemas");
	char name[96];

	(void)state;
	for (size_t i = 0; i < sn_catalog_count; i++) {
		snprintf(name, sizeof(name), "Row_%s", sn_catalog[i]->name);
		assert_int_equal(json_object_size(json_object_get(json_object_get(schemas, name),
								  "properties")),
				 sn_catalog[i]->column_count);
	}
	for (size_t i = 0; i < sn_method_count; i++) {
		snprintf(name, sizeof(name), "Parameters_%s", sn_methods[i]->name);
		assert_int_equal(json_object_size(json_object_get(json_object_get(schemas, name),
								  "properties")),
				 sn_methods[i]->param_count);
	}
}

/* A path of the API with names that are there. */
static bool fill_in(const char *pattern, char *out, size_t size)
{
	static const struct {
		const char *pattern, *path;
	} known[] = {
		{"/api/v1/nodes/{id}", "/api/v1/nodes/alpha"},
		{"/api/v1/datasets/{name}", "/api/v1/datasets/ping"},
		{"/api/v1/datasets/{name}/series", "/api/v1/datasets/ping/series"},
		{"/api/v1/check/{node}", "/api/v1/check/alpha"},
		{"/api/v1/capabilities/{label}", "/api/v1/capabilities/ping"},
		{"/api/v1/measurements/{id}", measurement},
		{"/api/v1/quarantine/{id}", "/api/v1/quarantine/1"},
		{"/api/v1/uploads/{id}", upload},
		{"/api/v1/imports/{id}", "/api/v1/imports/I"},
		{"/api/v1/math/{id}", "/api/v1/math/1"},
	};

	snprintf(out, size, "%s", pattern);
	for (size_t i = 0; i < SN_COUNT(known); i++) {
		if (strcmp(known[i].pattern, pattern) == 0)
			snprintf(out, size, "%s", known[i].path);
	}
	return strchr(out, '{') == NULL;
}

static void check_answer(const struct sn_http_route *route, const struct sn_api_doc *doc,
			 const char *path)
{
	struct reply reply = expect(&world, AS_LOCAL, 200, "GET", path, NULL);
	struct sn_err err = {0};
	json_t *item;
	size_t i;

	if (doc->kind == SN_ANSWER_OBJECT) {
		if (sn_api_check(doc->answer, reply.json, &err) != 0)
			fail_msg("%s: %s in %s", route->pattern, err.text, reply.body);
		reply_release(&reply);
		return;
	}
	json_array_foreach (json_object_get(reply.json, "items"), i, item) {
		if (sn_api_check(doc->answer, item, &err) != 0)
			fail_msg("%s: %s in %s", route->pattern, err.text, reply.body);
	}
	if (i == 0)
		fail_msg("%s: nothing to look at", route->pattern);
	reply_release(&reply);
}

static void answers_are_as_described(void **state)
{
	unsigned checked = 0;

	(void)state;
	for (size_t i = 0; i < world.hub->route_count; i++) {
		const struct sn_http_route *route = &world.hub->routes[i];
		const struct sn_api_doc *doc = route->doc;
		char path[160];

		if (strcmp(route->method, "GET") != 0 || doc->answer == NULL ||
		    (route->access & SN_ACCESS_PERSON) == 0 ||
		    !fill_in(route->pattern, path, sizeof(path)))
			continue;
		check_answer(route, doc, path);
		checked++;
	}
	assert_true(checked >= 14);
}

static void unknown_members_of_a_body_get_a_suggestion(void **state)
{
	struct reply reply =
		expect(&world, AS_LOCAL, 422, "POST", "/api/v1/invites", "{\"expires_inn\":5}");

	(void)state;
	assert_non_null(strstr(reply.body, "expires_inn"));
	assert_non_null(strstr(reply.body, "'expires_in'"));
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 400, "POST", "/api/v1/invites", "{\"name\":");
	assert_string_equal(code_of(&reply), "bad-json");
	reply_release(&reply);
	reply = expect(&world, AS_LOCAL, 422, "POST", "/api/v1/invites", "[]");
	reply_release(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_described_once),
		cmocka_unit_test(every_reference_resolves),
		cmocka_unit_test(required_members_are_members),
		cmocka_unit_test(names_in_paths_are_parameters),
		cmocka_unit_test(every_dataset_and_method_is_a_schema),
		cmocka_unit_test(answers_are_as_described),
		cmocka_unit_test(unknown_members_of_a_body_get_a_suggestion),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
