/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Every sample belongs to the family declared before it, and no family comes twice. */
static void check_exposition(char *text)
{
	char family[128] = "", *line, *rest = text;
	json_t *families = json_object();
	unsigned samples = 0;

	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		char name[128], type[32];

		if (sscanf(line, "# TYPE %127s %31s", name, type) == 2) {
			assert_null(json_object_get(families, name));
			json_object_set_new(families, name, json_true());
			snprintf(family, sizeof(family), "%s", name);
		} else if (line[0] != '#') {
			assert_memory_equal(line, family, strlen(family));
			assert_non_null(strrchr(line, ' '));
			samples++;
		}
	}
	assert_true(samples > 15);
	json_decref(families);
}

static void hub_tells_both_formats_as_asked(void **state)
{
	struct world world;
	struct test_node node;
	struct reply reply;

	(void)state;
	world_start(&world, NULL);
	node_join(&world, &node, "alpha");
	node_put(&world, &node, 0, "ping/1", 1,
		 "{\"time\":\"2026-03-01T12:00:00Z\",\"seq\":0,\"target\":\"t\"}\n", NULL);
	reply = plain(&world, AS_NOBODY, "GET", "/metrics",
		      "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n",
		      NULL);
	assert_int_equal(reply.status, 200);
	assert_non_null(strstr(reply_header(&reply, "Content-Type"),
			       "application/openmetrics-text; version=1.0.0"));
	assert_string_equal(reply.body + strlen(reply.body) - 6, "# EOF\n");
	assert_non_null(strstr(reply.body, "sonde_ingest_batches_total{result=\"stored\"} 1\n"));
	assert_non_null(strstr(reply.body, "sonde_nodes{state=\"online\"} 1\n"));
	assert_non_null(strstr(reply.body, "name=\"alpha\"} 1\n"));
	check_exposition(reply.body);
	reply_release(&reply);
	reply = plain(&world, AS_NOBODY, "GET", "/metrics", "", NULL);
	assert_non_null(strstr(reply_header(&reply, "Content-Type"), "text/plain"));
	assert_null(strstr(reply.body, "# EOF"));
	check_exposition(reply.body);
	reply_release(&reply);
	node_leave(&node);
	world_stop(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hub_tells_both_formats_as_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
