/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <string.h>

#include "base/metrics.h"

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

static void process_is_told_under_the_usual_names(void **state)
{
	struct sn_buf text = {0};
	struct sn_metrics metrics;

	(void)state;
	sn_metrics_init(&metrics, &text, false);
	sn_metrics_process(&metrics);
	assert_non_null(strstr(sn_buf_cstr(&text), "\nprocess_resident_memory_bytes "));
	assert_non_null(strstr(sn_buf_cstr(&text), "\nprocess_cpu_seconds_total "));
	sn_buf_finish(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openmetrics_has_its_eof_and_names_counters_without_total),
		cmocka_unit_test(older_format_names_counters_with_total),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(process_is_told_under_the_usual_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
