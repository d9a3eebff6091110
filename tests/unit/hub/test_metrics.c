/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/metrics.h"

static void openmetrics_has_its_eof_and_names_counters_without_total(void **state)
{
	struct sn_buf text = {0};
	struct sn_metrics metrics;

	(void)state;
	sn_metrics_init(&metrics, &text, true);
	sn_metrics_family(&metrics, "x_seconds", SN_METRIC_COUNTER, "seconds", "Help.");
	sn_metrics_sample(&metrics, 1.5, NULL);
	sn_metrics_family(&metrics, "y", SN_METRIC_GAUGE, "", "Help.");
	sn_metrics_sample(&metrics, 3, SN_LABELS("a", "b", "c", "d"));
	sn_metrics_end(&metrics);
	assert_string_equal(sn_buf_cstr(&text), "# HELP x_seconds Help.\n"
						"# TYPE x_seconds counter\n"
						"# UNIT x_seconds seconds\n"
						"x_seconds_total 1.5\n"
						"# HELP y Help.\n"
						"# TYPE y gauge\n"
						"y{a=\"b\",c=\"d\"} 3\n"
						"# EOF\n");
	sn_buf_finish(&text);
}

static void older_format_names_counters_with_total(void **state)
{
	struct sn_buf text = {0};
	struct sn_metrics metrics;

	(void)state;
	sn_metrics_init(&metrics, &text, false);
	sn_metrics_family(&metrics, "x_seconds", SN_METRIC_COUNTER, "seconds", "Help.");
	sn_metrics_sample(&metrics, 1.5, NULL);
	sn_metrics_end(&metrics);
	assert_string_equal(sn_buf_cstr(&text), "# HELP x_seconds_total Help.\n"
						"# TYPE x_seconds_total counter\n"
						"x_seconds_total 1.5\n");
	sn_buf_finish(&text);
}

static void labels_are_escaped(void **state)
{
	struct sn_buf text = {0};
	struct sn_metrics metrics;

	(void)state;
	sn_metrics_init(&metrics, &text, true);
	sn_metrics_family(&metrics, "y", SN_METRIC_GAUGE, "", "Help.");
	sn_buf_clear(&text);
	sn_metrics_sample(&metrics, -0.25, SN_LABELS("a", "x\"y\\z\nw"));
	assert_string_equal(sn_buf_cstr(&text), "y{a=\"x\\\"y\\\\z\\nw\"} -0.25\n");
	sn_buf_finish(&text);
}

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
		cmocka_unit_test(openmetrics_has_its_eof_and_names_counters_without_total),
		cmocka_unit_test(older_format_names_counters_with_total),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(hub_tells_both_formats_as_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
