/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_hub.h"
#include "node/agent/agent.h"
#include "node/backoff.h"
#include "node/join/identity.h"
#include "node/spool/spool.h"

#define PING(id, target)                                                                           \
	"{\"id\":\"" id "\",\"name\":\"n-" id "\",\"method\":\"ping\",\"parameters\":{"            \
	"\"targets\":[\"" target "\"],\"period\":\"1s\"}}"
#define SET(etag, list) "{\"etag\":\"" etag "\",\"tasks\":[" list "]}"

/* A row each 50 ms. */
#define PROBE                                                                                      \
	"#!/bin/sh\nwhile :; do echo \"{\\\"time\\\":\\\"$(date -u +%FT%TZ)\\\","                  \
	"\\\"target\\\":\\\"$*\\\"}\"; sleep 0.05; done\n"

static struct sn_loop *loop;
static struct fake_hub hub;
static char dir[64], programs[80], state_dir[80];
static struct sn_node_config config;
static struct sn_agent *agent;

static void write_identity(int64_t life_s)
{
	struct sn_buf pem = {0}, ca = {0};
	struct sn_err err = {0};

	hub_identity(&hub, "n1", life_s, &pem);
	assert_int_equal(sn_fs_read(hub.ca_file, 65536, &ca, NULL), 0);
	assert_int_equal(sn_fs_mkdirs(state_dir, 0700, NULL), 0);
	assert_int_equal(sn_node_identity_write_pem(state_dir, "n1", sn_buf_cstr(&pem), "", &err),
			 0);
	assert_int_equal(sn_node_identity_write_ca(state_dir, sn_buf_cstr(&ca), &err), 0);
	assert_int_equal(sn_node_identity_write_node(state_dir, "n1", "attic", hub.url, &err), 0);
	sn_buf_finish(&pem);
	sn_buf_finish(&ca);
}

static void start_agent(void)
{
	struct sn_err err = {0};

	if (sn_agent_create(loop, &config, &agent, &err) != 0)
		fail_msg("%s", err.text);
}

static void stop_agent(void)
{
	sn_agent_destroy(agent);
	agent = NULL;
}

static int begin(void **state)
{
	struct sn_err err = {0};
	char probe[100];

	(void)state;
	loop = sn_loop_create(NULL);
	hub_init(&hub, loop);
	hub.interval_s = 0.2;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(programs, sizeof(programs), "%s/bin", dir);
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	snprintf(probe, sizeof(probe), "%s/sonde-probe", programs);
	assert_int_equal(sn_fs_mkdirs(programs, 0755, NULL), 0);
	assert_int_equal(sn_fs_write_atomic(probe, PROBE, strlen(PROBE), 0755, NULL), 0);
	assert_int_equal(sn_conf_defaults(&sn_node_schema, &config, &err), 0);
	sn_conf_set(&sn_node_schema, &config, "state", sn_str(state_dir), NULL);
	sn_conf_set(&sn_node_schema, &config, "programs", sn_str(programs), NULL);
	write_identity(3600);
	return 0;
}

static int end(void **state)
{
	(void)state;
	stop_agent();
	hub_finish(&hub);
	sn_loop_destroy(loop);
	sn_conf_release(&sn_node_schema, &config);
	return sn_fs_remove_tree(dir, NULL);
}

static unsigned wanted;
static bool heartbeats_came(void)
{
	return hub.heartbeats >= wanted;
}

static bool batches_came(void)
{
	return hub.stored >= wanted;
}

static bool fetches_came(void)
{
	return hub.task_fetches >= wanted;
}

static bool is_stream_open(void)
{
	return hub.sse != NULL;
}

static bool is_renewed(void)
{
	return hub.renewals > 0 && hub.sse != NULL;
}

static bool wait_for(bool (*done)(void), unsigned count)
{
	wanted = count;
	return turn_until(loop, done);
}

static bool reports(const char *text)
{
	return strstr(hub.heartbeat, text) != NULL;
}

static bool reports_revoked(void)
{
	return reports("identity-revoked");
}

static void it_reports_itself_at_once_and_then_on_a_grid(void **state)
{
	json_t *json;

	(void)state;
	start_agent();
	assert_true(wait_for(heartbeats_came, 3));
	json = sn_json_parse(hub.heartbeat, strlen(hub.heartbeat), NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "version")), SONDE_VERSION);
	assert_int_equal(json_string_length(json_object_get(json, "stream")), 32);
	assert_int_equal(json_string_length(json_object_get(json, "boot_id")), 36);
	assert_true(json_is_array(json_object_get(json, "interfaces")));
	assert_true(json_is_number(json_object_get(json, "uptime_seconds")));
	assert_true(
		json_is_integer(json_object_get(json_object_get(json, "spool"), "dropped_rows")));
	assert_int_equal(json_array_size(json_object_get(json, "problems")), 0);
	/* sonde-probe is there, sonde-meter is not. */
	assert_int_equal(json_array_size(json_object_get(json, "methods")), 1);
	json_decref(json);
}

static void the_interval_in_the_configuration_wins(void **state)
{
	(void)state;
	hub.interval_s = 0.1;
	config.heartbeat_interval_ns = 3600 * SN_NS_PER_S;
	start_agent();
	assert_true(wait_for(heartbeats_came, 1));
	turn_for(loop, 400 * SN_NS_PER_MS);
	assert_int_equal(hub.heartbeats, 1);
}

static void tasks_are_run_and_their_rows_reach_the_hub(void **state)
{
	(void)state;
	hub.tasks = SET("e1", PING("t1", "192.0.2.1"));
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(wait_for(batches_came, 2));
	assert_true(hub_check_rows(&hub) >= 2);
	assert_true(wait_for(heartbeats_came, hub.heartbeats + 2));
	assert_true(reports("\"tasks_etag\":\"e1\""));
}

static void health_is_among_the_rows(void **state)
{
	(void)state;
	start_agent();
	assert_true(wait_for(batches_came, 1));
	assert_string_equal(hub.batches[0].dataset, "health/1");
}

static void an_event_brings_new_tasks_at_once(void **state)
{
	unsigned before;

	(void)state;
	hub.interval_s = 3600;
	hub.tasks = SET("e1", "");
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(turn_until(loop, is_stream_open));
	assert_true(wait_for(fetches_came, 1));
	turn_for(loop, 100 * SN_NS_PER_MS);
	before = hub.task_fetches;
	hub.tasks = SET("e2", PING("t1", "192.0.2.1"));
	hub.tasks_etag = "e2";
	hub_event(&hub, "other", "{}");
	turn_for(loop, 50 * SN_NS_PER_MS);
	assert_int_equal(hub.task_fetches, before);
	hub_event(&hub, "tasks", "{\"etag\":\"e2\"}");
	assert_true(wait_for(fetches_came, before + 1));
	assert_true(wait_for(batches_came, 2));
}

static void a_missed_event_is_made_up_for_by_the_heartbeat(void **state)
{
	(void)state;
	hub.tasks = SET("e1", "");
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(wait_for(fetches_came, 1));
	hub.tasks = SET("e2", PING("t1", "192.0.2.1"));
	hub.tasks_etag = "e2";
	assert_true(wait_for(batches_came, 2));
}

static void without_the_hub_it_measures_on_and_brings_everything_later(void **state)
{
	unsigned before;

	(void)state;
	hub.tasks = SET("e1", PING("t1", "192.0.2.1"));
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(wait_for(batches_came, 1));
	hub_down(&hub);
	before = hub.stored;
	turn_for(loop, 1000 * SN_NS_PER_MS);
	hub_up(&hub);
	assert_true(wait_for(batches_came, before + 2));
	assert_true(turn_until(loop, is_stream_open));
	assert_int_equal(hub.conflicts, 0);
	assert_true(hub_check_rows(&hub) >= 10);
}

static void a_restart_without_the_hub_measures_what_was_known(void **state)
{
	char stream[40];

	(void)state;
	hub.tasks = SET("e1", PING("t1", "192.0.2.1"));
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(wait_for(batches_came, 1));
	strcpy(stream, hub.stream);
	hub_down(&hub);
	stop_agent();
	start_agent();
	turn_for(loop, 400 * SN_NS_PER_MS);
	stop_agent();
	hub_up(&hub);
	start_agent();
	assert_true(wait_for(batches_came, hub.stored + 2));
	assert_string_equal(hub.stream, stream);
	assert_true(hub_check_rows(&hub) >= 8);
}

static void the_certificate_is_renewed_and_used(void **state)
{
	struct sn_node_identity identity;
	char serial[SN_PKI_SERIAL_SIZE];

	(void)state;
	write_identity(2);
	start_agent();
	assert_true(wait_for(heartbeats_came, 1));
	strcpy(serial, hub.peer_serial);
	assert_true(turn_until(loop, is_renewed));
	assert_true(wait_for(heartbeats_came, hub.heartbeats + 2));
	assert_string_not_equal(hub.peer_serial, serial);
	assert_int_equal(sn_node_identity_load(state_dir, &identity, NULL), 0);
	assert_int_equal(identity.not_after_unix_s - identity.not_before_unix_s, 3600);
	sn_node_identity_finish(&identity);
}

static void a_hub_with_two_urls_is_found_at_the_second(void **state)
{
	char urls[128];

	(void)state;
	snprintf(urls, sizeof(urls), "https://127.0.0.1:1,%s", hub.url);
	assert_int_equal(sn_conf_set(&sn_node_schema, &config, "hub_urls", sn_str(urls), NULL), 0);
	config.heartbeat_interval_ns = 200 * SN_NS_PER_MS;
	start_agent();
	assert_true(wait_for(heartbeats_came, 2));
	assert_true(wait_for(batches_came, 1));
}

static void a_revoked_node_says_so_wherever_it_still_can(void **state)
{
	(void)state;
	hub.put_status = 403;
	hub.code = "identity-revoked";
	start_agent();
	assert_true(turn_until(loop, reports_revoked));
}

static void a_bad_task_document_is_a_problem_and_not_the_end(void **state)
{
	(void)state;
	hub.tasks = "{\"etag\":\"e1\",\"tasks\":3}";
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(wait_for(fetches_came, 1));
	assert_true(wait_for(heartbeats_came, hub.heartbeats + 2));
	assert_true(reports("cannot use the tasks from the hub: 'tasks' is not a list"));
	hub.tasks = SET("e1", PING("t1", "192.0.2.1"));
	assert_true(wait_for(batches_came, 2));
	assert_true(wait_for(heartbeats_came, hub.heartbeats + 2));
	assert_true(reports("\"problems\":[]"));
}

static void two_agents_do_not_share_a_state(void **state)
{
	struct sn_agent *second;
	struct sn_err err = {0};

	(void)state;
	start_agent();
	assert_int_equal(sn_agent_create(loop, &config, &second, &err), -EAGAIN);
	assert_null(second);
	assert_non_null(strstr(err.text, "held by process"));
}

/* Reports of tasks ------------------------------------------------------------------ */

#define ONCE(id)                                                                                   \
	"{\"id\":\"" id "\",\"name\":\"n-" id "\",\"method\":\"ping\",\"parameters\":{"            \
	"\"targets\":[\"192.0.2.1\"]},\"when\":\"2026-03-01 12:00:00\"}"
#define ONE_ROW                                                                                    \
	"#!/bin/sh\necho \"{\\\"time\\\":\\\"$(date -u +%FT%TZ)\\\",\\\"target\\\":\\\"a\\\"}\"\n"

static void install_probe(const char *script)
{
	char probe[100];

	snprintf(probe, sizeof(probe), "%s/sonde-probe", programs);
	assert_int_equal(sn_fs_write_atomic(probe, script, strlen(script), 0755, NULL), 0);
}

static bool is_done(void)
{
	return strstr(hub.report_log, "t1 done\n") != NULL;
}

static bool has_failed(void)
{
	return strstr(hub.report_log, "t1 failed: ") != NULL;
}

static bool reports_came(void)
{
	return hub.reports >= wanted;
}

static unsigned ping_batches(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < HUB_BATCHES_MAX; i++)
		count += hub.batches[i].stored && strcmp(hub.batches[i].dataset, "ping/1") == 0;
	return count;
}

static void order_once(void)
{
	install_probe(ONE_ROW);
	hub.tasks = SET("e1", ONCE("t1"));
	hub.tasks_etag = "e1";
}

static void a_single_run_is_reported_when_the_hub_has_its_rows(void **state)
{
	(void)state;
	hub.interval_s = 3600;
	hub.tasks = SET("e0", "");
	hub.tasks_etag = "e0";
	start_agent();
	assert_true(turn_until(loop, is_stream_open));
	assert_true(wait_for(batches_came, 1));
	turn_for(loop, 600 * SN_NS_PER_MS);
	order_once();
	hub_event(&hub, "tasks", "{\"etag\":\"e1\"}");
	assert_true(turn_until(loop, is_done));
	assert_int_equal(ping_batches(), 1);
	assert_true(hub.stored_at_report == hub.stored);
	turn_for(loop, 100 * SN_NS_PER_MS);
	assert_true(hub.reports <= 2);
}

/* The quickest of several: one alone may have had to wait for the processor. */
static void no_linger_and_no_poll_stand_in_the_way_of_a_report(void **state)
{
	static const char *const orders[][3] = {
		{"e1", SET("e1", ONCE("t1")), "{\"etag\":\"e1\"}"},
		{"e2", SET("e2", ONCE("t2")), "{\"etag\":\"e2\"}"},
		{"e3", SET("e3", ONCE("t3")), "{\"etag\":\"e3\"}"},
		{"e4", SET("e4", ONCE("t4")), "{\"etag\":\"e4\"}"},
	};
	uint64_t ordered_ns, quickest_ns = UINT64_MAX;

	(void)state;
	hub.interval_s = 3600;
	hub.tasks = SET("e0", "");
	hub.tasks_etag = "e0";
	install_probe(ONE_ROW);
	start_agent();
	assert_true(turn_until(loop, is_stream_open));
	for (unsigned i = 0; i < SN_COUNT(orders); i++) {
		hub.tasks_etag = orders[i][0];
		hub.tasks = orders[i][1];
		ordered_ns = sn_mono_ns();
		hub_event(&hub, "tasks", orders[i][2]);
		while (ping_batches() <= i || hub.report_ns < ordered_ns) {
			assert_true(sn_mono_ns() - ordered_ns < TEST_PATIENCE_NS);
			sn_loop_turn(loop, 10 * SN_NS_PER_MS);
		}
		quickest_ns = SN_MIN(quickest_ns, hub.report_ns - ordered_ns);
	}
	assert_true(quickest_ns < SN_SPOOL_LINGER_NS * 9 / 10);
}

static json_int_t spool_says(const char *member)
{
	json_t *json = sn_json_parse(hub.heartbeat, strlen(hub.heartbeat), NULL);
	json_int_t value =
		json_integer_value(json_object_get(json_object_get(json, "spool"), member));

	json_decref(json);
	return value;
}

static bool lags(void)
{
	return spool_says("batches") >= 3;
}

static bool caught_up(void)
{
	return spool_says("batches") == 0 && hub.stored >= 3;
}

static void a_hub_that_cannot_keep_up_makes_the_node_lag_and_lose_nothing(void **state)
{
	unsigned refused;

	(void)state;
	hub.tasks = SET("e1", PING("t1", "198.51.100.1"));
	hub.tasks_etag = "e1";
	hub.put_status = 503;
	hub.code = "busy";
	hub.retry_after = "2";
	start_agent();
	assert_true(turn_until(loop, lags));
	/* It was told when to come again: it does not make matters worse. */
	refused = hub.puts;
	assert_in_range(refused, 1, 3);
	assert_true(reports("busy"));
	assert_int_equal(hub.stored, 0);
	hub.put_status = 0;
	assert_true(turn_until(loop, caught_up));
	assert_int_equal(spool_says("dropped_rows"), 0);
	assert_true(hub_check_rows(&hub) > 0); /* from 0 on, each once */
	assert_int_equal(hub.duplicates, 0);
}

static void nothing_is_reported_while_rows_wait(void **state)
{
	(void)state;
	hub.put_status = 503;
	order_once();
	start_agent();
	turn_for(loop, 400 * SN_NS_PER_MS);
	assert_false(is_done());
	hub.put_status = 0;
	assert_true(turn_until(loop, is_done));
	assert_int_equal(ping_batches(), 1);
}

static void a_report_outlives_hub_and_node(void **state)
{
	(void)state;
	hub.report_status = 503;
	order_once();
	start_agent();
	assert_true(wait_for(reports_came, 1));
	turn_for(loop, 300 * SN_NS_PER_MS);
	stop_agent();
	hub_down(&hub);
	start_agent();
	turn_for(loop, 100 * SN_NS_PER_MS);
	hub.report_status = 0;
	hub_up(&hub);
	assert_true(turn_until(loop, is_done));
	turn_for(loop, 200 * SN_NS_PER_MS);
	assert_int_equal(ping_batches(), 1);
	assert_null(strstr(strstr(hub.report_log, "t1 done\n") + 1, "t1 done\n"));
}

static void what_nobody_wants_to_know_is_told_once(void **state)
{
	unsigned told;

	(void)state;
	hub.report_status = 404;
	order_once();
	start_agent();
	assert_true(wait_for(reports_came, 1));
	turn_for(loop, 700 * SN_NS_PER_MS);
	told = hub.reports;
	assert_in_range(told, 1, 2);
	stop_agent();
	start_agent();
	turn_for(loop, 400 * SN_NS_PER_MS);
	assert_int_equal(hub.reports, told);
	assert_int_equal(ping_batches(), 1);
}

static void a_run_that_fails_is_reported_with_the_reason(void **state)
{
	(void)state;
	order_once();
	install_probe("#!/bin/sh\nexit 3\n");
	start_agent();
	assert_true(turn_until(loop, has_failed));
	assert_non_null(strstr(hub.report_log, "t1 failed: sonde-probe ended: exit status 3\n"));
}

static void the_place_is_told_as_it_was_configured(void **state)
{
	struct sn_err err = {0};

	(void)state;
	sn_conf_set(&sn_node_schema, &config, "country", SN_STR("no"), NULL);
	sn_conf_set(&sn_node_schema, &config, "asn", SN_STR("64500"), NULL);
	sn_conf_set(&sn_node_schema, &config, "system", SN_STR("a small box"), NULL);
	assert_int_equal(sn_node_config_check(&config, &err), 0);
	start_agent();
	assert_true(wait_for(heartbeats_came, 1));
	assert_true(reports("\"country\":\"NO\",\"asn\":\"AS64500\",\"system\":\"a small box\""));
}

static void a_place_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *key, *value;
	} cases[] = {{"country", "Norway"},
		     {"country", "N1"},
		     {"country", ""},
		     {"asn", "AS"},
		     {"asn", "4294967296"},
		     {"asn", "0"},
		     {"asn", "AS64500 and more"}};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_node_config own = {0};
		struct sn_err err = {0};

		assert_int_equal(sn_conf_defaults(&sn_node_schema, &own, &err), 0);
		sn_conf_set(&sn_node_schema, &own, cases[i].key, sn_str(cases[i].value), NULL);
		assert_int_equal(sn_node_config_check(&own, &err), -EINVAL);
		assert_non_null(strstr(err.text, cases[i].key));
		sn_conf_release(&sn_node_schema, &own);
	}
}

static unsigned ends;

static void ended(void *ctx)
{
	(void)ctx;
	ends++;
}

static bool is_ended(void)
{
	return ends > 0;
}

static void told_to_end_it_spools_what_is_under_way(void **state)
{
	struct sn_spool *spool;
	sn_autofree char *path = sn_xasprintf("%s/spool", state_dir);

	(void)state;
	hub.tasks = SET("e1", PING("t1", "192.0.2.1"));
	hub.tasks_etag = "e1";
	start_agent();
	assert_true(wait_for(batches_came, 1));
	hub_down(&hub);
	turn_for(loop, 200 * SN_NS_PER_MS);
	ends = 0;
	sn_agent_stop(agent, ended, NULL);
	assert_true(turn_until(loop, is_ended));
	stop_agent();
	assert_int_equal(sn_spool_open(path, 1 << 20, &spool, NULL), 0);
	assert_true(sn_spool_stats(spool)->batches > 0);
	sn_spool_close(spool);
}

static void waits_grow_at_random_up_to_a_limit(void **state)
{
	struct sn_backoff backoff = {.min_ns = 1000, .max_ns = 5000};
	static const uint64_t spans[] = {1000, 2000, 4000, 5000, 5000};

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < SN_COUNT(spans); i++)
			assert_in_range(sn_backoff_next(&backoff), spans[i] / 2, spans[i]);
		sn_backoff_reset(&backoff);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(it_reports_itself_at_once_and_then_on_a_grid),
		T(the_interval_in_the_configuration_wins),
		T(tasks_are_run_and_their_rows_reach_the_hub),
		T(health_is_among_the_rows),
		T(an_event_brings_new_tasks_at_once),
		T(a_missed_event_is_made_up_for_by_the_heartbeat),
		T(without_the_hub_it_measures_on_and_brings_everything_later),
		T(a_restart_without_the_hub_measures_what_was_known),
		T(the_certificate_is_renewed_and_used),
		T(a_hub_with_two_urls_is_found_at_the_second),
		T(a_revoked_node_says_so_wherever_it_still_can),
		T(a_bad_task_document_is_a_problem_and_not_the_end),
		T(two_agents_do_not_share_a_state),
		T(told_to_end_it_spools_what_is_under_way),
		T(a_single_run_is_reported_when_the_hub_has_its_rows),
		T(no_linger_and_no_poll_stand_in_the_way_of_a_report),
		T(nothing_is_reported_while_rows_wait),
		T(a_hub_that_cannot_keep_up_makes_the_node_lag_and_lose_nothing),
		T(a_report_outlives_hub_and_node),
		T(what_nobody_wants_to_know_is_told_once),
		T(a_run_that_fails_is_reported_with_the_reason),
		T(the_place_is_told_as_it_was_configured),
		T(a_place_that_cannot_be_is_refused),
		cmocka_unit_test(waits_grow_at_random_up_to_a_limit),
	};

	sn_log_set_level(SN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
