/* SPDX-License-Identifier: Apache-2.0 */
/* The work of a plain component, with a program of its own: host, gate, sources. */
#include "lib/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/component/host.h"
#include "node/component/place.h"

#define MS   SN_NS_PER_MS
#define WAIT (60 * SN_NS_PER_S) /* for a result; no receipts before */

static char dir[64];
static struct sn_loop *loop;
static struct sn_mp_registries *registries;
static struct sn_runner *runner;
static struct sn_gate *gate;
static struct sn_host *host;
static struct sn_component *component;

static char *at(const char *name)
{
	static char path[2][160];
	static unsigned next;
	char *out = path[next++ % 2];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static void install(const char *script)
{
	sn_autofree char *text = sn_xasprintf("#!/bin/sh\n%s\n", script);

	assert_int_equal(sn_fs_write_atomic(at("sonde-probe"), text, strlen(text), 0755, NULL), 0);
}

#define ROW                                                                                        \
	"echo \"{\\\"time\\\":\\\"$(date -u +%FT%T.%NZ)\\\",\\\"target\\\":\\\"127.0.0.1\\\","     \
	"\\\"sent_packets\\\":1,\\\"received_packets\\\":1,\\\"rtt_min_seconds\\\":0.001,"         \
	"\\\"rtt_mean_seconds\\\":0.002,\\\"rtt_max_seconds\\\":0.003}\"\n"
#define FOREVER "trap 'exit 0' TERM\nwhile :; do sleep 0.02; done"

static void create(bool native)
{
	struct sn_host_config config = {.loop = loop,
					.registries = registries,
					.runner = runner,
					.gate = gate,
					.native = native};
	struct sn_mp_place place = {.system_id = "p7", .ip4 = "127.0.0.1", .software = "test"};
	struct sn_component_config component_config = {.loop = loop, .registries = registries};

	host = sn_host_create(&config);
	sn_host_place(host, &place);
	component_config.host = sn_host_ops(host);
	component = sn_component_create(&component_config);
}

static void destroy(void)
{
	sn_component_destroy(component);
	sn_host_destroy(host);
	component = NULL;
	host = NULL;
}

static int begin(void **state)
{
	struct sn_gate_config everybody = {.everybody = true};
	struct sn_runner_config config = {.program_dir = dir, .stop_ns = 300 * MS};

	(void)state;
	strcpy(dir, "/tmp/sonde-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	install(ROW);
	loop = config.loop = sn_loop_create(NULL);
	registries = sn_mp_registries_create();
	sn_mp_offer_load(registries);
	runner = sn_runner_create(&config);
	assert_int_equal(sn_gate_create(&everybody, &gate, NULL), 0);
	create(false);
	return 0;
}

static int end(void **state)
{
	(void)state;
	destroy();
	sn_gate_destroy(gate);
	sn_runner_destroy(runner);
	sn_mp_registries_destroy(registries);
	sn_loop_destroy(loop);
	return sn_fs_remove_tree(dir, NULL);
}

/* Asking ----------------------------------------------------------------------------- */

static struct sn_mp_message *answer;

static void take_answer(const struct sn_mp_message *message, void *ctx)
{
	(void)ctx;
	sn_mp_message_destroy(answer);
	answer = sn_mp_message_copy(message);
}

static size_t offered(const char *identity, const struct sn_mp_message *const **list)
{
	const struct sn_component_host *ops = sn_host_ops(host);

	return ops->capabilities(identity, list, ops->ctx);
}

static const struct sn_mp_message *capability(const char *label)
{
	const struct sn_mp_message *const *list;
	size_t count = offered("someone", &list);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i]->label, label) == 0)
			return list[i];
	}
	fail_msg("%s is not offered", label);
	return NULL;
}

static void set_value(struct sn_mp_message *message, const char *name, const char *value)
{
	struct sn_err err = {0};

	if (sn_mp_set_value(message, name, value, &err) != 0)
		fail_msg("%s", err.text);
}

/* Without values. */
static struct sn_mp_message *bare(const char *label, const char *when)
{
	struct sn_mp_message *message = sn_mp_message_as(capability(label), SN_MP_SPECIFICATION);
	struct sn_err err = {0};

	if (sn_mp_when_parse(sn_str(when), &message->when, &err) != 0)
		fail_msg("%s", err.text);
	sn_mp_set_text(&message->token, "t");
	sn_mp_set_text(&message->label, label);
	return message;
}

static struct sn_mp_message *specification(const char *label, const char *when, const char *target)
{
	struct sn_mp_message *message = bare(label, when);

	set_value(message, "destination.ip4", target);
	return message;
}

static bool is_answered(void)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (answer == NULL && sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 10 * MS);
	return answer != NULL;
}

static void turn_for(uint64_t ns)
{
	uint64_t end_ns = sn_mono_ns() + ns;

	while (sn_mono_ns() < end_ns)
		sn_loop_turn(loop, 10 * MS);
}

static void say(struct sn_mp_message *message, uint64_t wait_ns)
{
	sn_mp_message_destroy(answer);
	answer = NULL;
	sn_component_take(component, "someone", message, wait_ns, take_answer, NULL);
	sn_mp_message_destroy(message);
}

static void ask(const char *label, const char *when)
{
	say(specification(label, when, "127.0.0.1"), WAIT);
	assert_true(is_answered());
}

static void interrupt(void)
{
	struct sn_mp_message *message = specification("ping-detail-ip4", "now", "127.0.0.1");
	struct sn_mp_message *stop = sn_mp_message_as(message, SN_MP_INTERRUPT);

	sn_mp_set_text(&stop->token, "t");
	sn_mp_message_destroy(message);
	say(stop, WAIT);
	assert_true(is_answered());
}

static void redeem(enum sn_mp_kind kind)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	do {
		struct sn_mp_message *message =
			sn_mp_message_create(SN_MP_REDEMPTION, SN_MP_VERB_MEASURE);

		sn_mp_set_text(&message->token, "t");
		say(message, WAIT);
		assert_true(is_answered());
		turn_for(20 * MS);
	} while (answer->kind == SN_MP_RECEIPT && sn_mono_ns() < end_ns);
	if (answer->kind != kind)
		fail_msg("it is a %s: %s", sn_mp_kind_name(answer->kind), answer->text);
}

static void assert_exception(const char *says)
{
	assert_int_equal(answer->kind, SN_MP_EXCEPTION);
	if (strstr(answer->text, says) == NULL)
		fail_msg("'%s' is not in: %s", says, answer->text);
}

/* Tests -------------------------------------------------------------------------------- */

static void what_can_be_run_here_is_offered(void **state)
{
	const struct sn_mp_message *const *list;

	(void)state;
	/* sonde-probe is there and sonde-meter is not; no IPv6 address. */
	assert_int_equal(offered("x", &list), 2);
	assert_string_equal(list[0]->registry, SN_MP_REGISTRY_CORE);
	assert_non_null(list[0]->token);
	assert_string_not_equal(list[0]->token, list[1]->token);
	destroy();
	create(true);
	assert_int_equal(offered("x", &list), 3);
	destroy();
	assert_int_equal(unlink(at("sonde-probe")), 0);
	create(true);
	assert_int_equal(offered("x", &list), 0);
}

static void another_place_offers_something_else(void **state)
{
	struct sn_mp_place place = {.system_id = "p7", .ip4 = "127.0.0.1", .software = "test"};

	(void)state;
	assert_false(sn_host_place(host, &place));
	place.ip6 = "::1";
	assert_true(sn_host_place(host, &place));
	assert_int_equal(sn_host_offers(host), 4);
	place.ip4 = NULL;
	assert_true(sn_host_place(host, &place));
	assert_int_equal(sn_host_offers(host), 2);
}

static void a_run_becomes_a_result_in_the_views_units(void **state)
{
	(void)state;
	ask("ping-average-ip4", "now");
	assert_int_equal(answer->kind, SN_MP_RESULT);
	assert_int_equal(answer->row_count, 1);
	assert_string_equal(sn_mp_cell(answer, 0, 0), "1000");
	assert_string_equal(sn_mp_cell(answer, 0, 3), "1");
	assert_string_equal(answer->token, "t");
}

static void rows_speak_for_a_process_that_is_not_content(void **state)
{
	(void)state;
	install(ROW "exit 1");
	ask("ping-average-ip4", "now");
	assert_int_equal(answer->kind, SN_MP_RESULT);
}

static void a_process_that_fails_is_an_exception_with_its_reason(void **state)
{
	(void)state;
	install("echo 'sonde-probe: no socket' >&2; exit 1");
	ask("ping-average-ip4", "now");
	assert_exception("sonde-probe ended: exit status 1: no socket");
}

static void a_program_that_is_gone_is_an_exception(void **state)
{
	(void)state;
	assert_int_equal(unlink(at("sonde-probe")), 0);
	ask("ping-average-ip4", "now");
	assert_exception("cannot start");
}

static void a_standing_run_that_dies_is_an_exception_after_what_it_gave(void **state)
{
	(void)state;
	install(ROW "kill -9 $$");
	ask("ping-detail-ip4", "now + 60s / 1s");
	redeem(SN_MP_ENVELOPE);
	assert_int_equal(answer->content_count, 2);
	assert_int_equal(answer->contents[0]->kind, SN_MP_RESULT);
	assert_int_equal(answer->contents[1]->kind, SN_MP_EXCEPTION);
}

static void the_end_of_the_scope_ends_the_process(void **state)
{
	uint64_t begin_ns = sn_mono_ns();

	(void)state;
	install(ROW FOREVER);
	ask("ping-detail-ip4", "now + 2s / 1s");
	assert_int_equal(answer->kind, SN_MP_RESULT);
	assert_int_equal(answer->row_count, 1);
	assert_true(sn_mono_ns() - begin_ns >= 1900 * MS);
}

static void an_interrupt_gives_what_there_is(void **state)
{
	(void)state;
	install(ROW ROW FOREVER);
	say(specification("ping-detail-ip4", "now ... future / 1s", "127.0.0.1"), 10 * MS);
	assert_true(is_answered());
	assert_int_equal(answer->kind, SN_MP_RECEIPT);
	turn_for(100 * MS);
	interrupt();
	redeem(SN_MP_RESULT);
	assert_int_equal(answer->row_count, 2);
}

static void an_interrupt_before_the_first_row_gives_an_empty_result(void **state)
{
	(void)state;
	install(FOREVER);
	say(specification("ping-detail-ip4", "now ... future / 1s", "127.0.0.1"), 10 * MS);
	assert_true(is_answered());
	interrupt();
	redeem(SN_MP_RESULT);
	assert_int_equal(answer->row_count, 0);
}

static void a_component_that_ends_leaves_no_process(void **state)
{
	(void)state;
	install("cd \"${0%/*}\"\necho $$ > new\nmv new pid\n" FOREVER);
	say(specification("ping-detail-ip4", "now ... future / 1s", "127.0.0.1"), 10 * MS);
	assert_true(is_answered());
	test_until(sn_fs_exists(at("pid")), turn_for(10 * MS));
	destroy();
	{
		struct sn_buf pid = {0};

		assert_int_equal(sn_fs_read(at("pid"), 20, &pid, NULL), 0);
		assert_int_equal(kill((pid_t)atoi(sn_buf_cstr(&pid)), 0), -1);
		sn_buf_finish(&pid);
	}
}

static void what_is_never_probed_is_refused(void **state)
{
	(void)state;
	say(specification("ping-average-ip4", "now", "224.0.0.1"), WAIT);
	assert_true(is_answered());
	assert_exception("never probed");
}

static void what_does_not_fit_into_its_period_is_refused(void **state)
{
	struct sn_mp_message *message;

	(void)state;
	destroy();
	create(true);
	message = bare("ping", "now ... future / 1s");
	set_value(message, "targets", "127.0.0.1");
	set_value(message, "count", "6");
	say(message, WAIT);
	assert_true(is_answered());
	assert_exception("6 requests 200ms apart every 1s");
}

/* A policy of that file takes the place of the one that lets everybody. */
static void spare(const char *networks)
{
	sn_autofree char *text = sn_xasprintf("roles: {some: someone}\nrules:\n  - {allow: "
					      "[discover, measure, stop], roles: some, "
					      "capabilities: \"*\"}\nnever_probe: [%s]\n",
					      networks);

	assert_int_equal(sn_fs_write_atomic(at("policy"), text, strlen(text), 0600, NULL), 0);
}

static void spare_from_the_start(const char *networks)
{
	struct sn_gate_config config = {.file = at("policy")};
	struct sn_err err = {0};

	spare(networks);
	destroy();
	sn_gate_destroy(gate);
	gate = NULL;
	if (sn_gate_create(&config, &gate, &err) != 0)
		fail_msg("%s", err.text);
	create(false);
}

/* Writes what it is given behind what is in the file. */
#define NETWORKS "tr '\\n' ' ' <$3 >>\"$0.out\"; echo \"$2\" >>\"$0.out\"\n"

static void assert_networks(const char *lines)
{
	struct sn_buf out = {0};

	assert_int_equal(sn_fs_read(at("sonde-probe.out"), 10000, &out, NULL), 0);
	assert_string_equal(sn_buf_cstr(&out), lines);
	sn_buf_finish(&out);
}

#define BUILT_IN "0.0.0.0/8 224.0.0.0/4 240.0.0.0/4 :: ff00::/8 "

static void processes_are_given_what_is_never_probed(void **state)
{
	(void)state;
	install(NETWORKS ROW);
	spare_from_the_start("192.0.2.0/24");
	ask("ping-average-ip4", "now");
	assert_int_equal(answer->kind, SN_MP_RESULT);
	assert_networks(BUILT_IN "192.0.2.0/24 --never-probe\n");
}

static void a_standing_run_goes_on_under_a_changed_policy(void **state)
{
	(void)state;
	install(NETWORKS ROW FOREVER);
	spare_from_the_start("");
	say(specification("ping-detail-ip4", "now ... future / 1s", "127.0.0.1"), 10 * MS);
	assert_true(is_answered());
	turn_for(150 * MS);
	assert_int_equal(sn_host_look(host, NULL), 0);
	turn_for(150 * MS);
	assert_networks(BUILT_IN "--never-probe\n");
	spare("192.0.2.0/24");
	assert_int_equal(sn_host_look(host, NULL), 0);
	turn_for(200 * MS);
	assert_networks(BUILT_IN "--never-probe\n" BUILT_IN "192.0.2.0/24 --never-probe\n");
	interrupt();
	redeem(SN_MP_RESULT);
	assert_int_equal(answer->row_count, 2); /* of both processes */
}

static void a_single_run_begins_anew_under_a_changed_policy(void **state)
{
	(void)state;
	install("trap 'exit 1' TERM\n" NETWORKS ROW
		"grep -q 192 \"$0.out\" || while :; do sleep 0.02; done");
	spare_from_the_start("");
	say(specification("ping-detail-ip4", "now", "127.0.0.1"), 10 * MS);
	assert_true(is_answered());
	assert_int_equal(answer->kind, SN_MP_RECEIPT);
	turn_for(150 * MS);
	spare("192.0.2.0/24");
	assert_int_equal(sn_host_look(host, NULL), 0);
	redeem(SN_MP_RESULT);
	assert_int_equal(answer->row_count, 1);
}

static void what_is_to_end_is_not_begun_anew(void **state)
{
	(void)state;
	install(NETWORKS ROW FOREVER);
	spare_from_the_start("");
	say(specification("ping-detail-ip4", "now ... future / 1s", "127.0.0.1"), 10 * MS);
	assert_true(is_answered());
	turn_for(150 * MS);
	spare("192.0.2.0/24");
	assert_int_equal(sn_host_look(host, NULL), 0);
	interrupt();
	redeem(SN_MP_RESULT);
	assert_int_equal(answer->row_count, 1);
	assert_networks(BUILT_IN "--never-probe\n");
}

/* The gate ------------------------------------------------------------------------------ */

static bool may(struct sn_gate *of, const char *identity, const char *label)
{
	struct sn_policy_ask wish = {.action = SN_MAY_DISCOVER, .label = label};
	struct sn_policy_verdict verdict;

	return sn_gate_allows(of, identity, &wish, &verdict);
}

static void without_anything_nobody_may(void **state)
{
	struct sn_gate_config config = {0};
	struct sn_gate *closed;

	(void)state;
	assert_int_equal(sn_gate_create(&config, &closed, NULL), 0);
	assert_false(may(closed, "org.example.Clients.c", "ping-average-ip4"));
	assert_false(may(closed, "", "ping-average-ip4"));
	sn_gate_destroy(closed);
}

static void who_is_named_may_and_nobody_else(void **state)
{
	static const char *const names[] = {"org.example.Clients.c", "user:al: \"x\" #y"};
	struct sn_gate_config config = {
		.allowed = names, .allowed_count = 2, .supervisor = "dns:sup.example"};
	struct sn_gate *named;

	(void)state;
	assert_int_equal(sn_gate_create(&config, &named, NULL), 0);
	assert_true(may(named, names[0], "ping"));
	assert_true(may(named, names[1], "ping"));
	assert_true(may(named, "dns:sup.example", "ping"));
	assert_false(may(named, "org.example.Clients.c2", "ping"));
	assert_false(may(named, "component:everybody", "ping"));
	sn_gate_destroy(named);
}

static void write_policy(const char *labels)
{
	sn_autofree char *text = sn_xasprintf("roles:\n  some: org.example.Clients.c\nrules:\n"
					      "  - allow: [discover]\n    roles: some\n"
					      "    capabilities: %s\n",
					      labels);

	assert_int_equal(sn_fs_write_atomic(at("policy"), text, strlen(text), 0600, NULL), 0);
}

static void a_changed_policy_is_read_and_a_broken_one_is_not_used(void **state)
{
	struct sn_gate_config config = {.file = at("policy"), .supervisor = "dns:sup.example"};
	struct sn_gate *read;
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_gate_create(&config, &read, &err), -ENOENT);
	write_policy("[a]");
	assert_int_equal(sn_gate_create(&config, &read, &err), 0);
	assert_true(may(read, "org.example.Clients.c", "a"));
	assert_false(may(read, "org.example.Clients.c", "b"));
	/* The policy is all there is. */
	assert_false(may(read, "dns:sup.example", "a"));
	write_policy("[a, b]");
	assert_true(may(read, "org.example.Clients.c", "b"));
	write_policy("{");
	assert_true(may(read, "org.example.Clients.c", "b"));
	assert_int_equal(unlink(at("policy")), 0);
	assert_true(may(read, "org.example.Clients.c", "b"));
	sn_gate_destroy(read);
	write_policy("{");
	assert_int_equal(sn_gate_create(&config, &read, &err), -EINVAL);
	assert_non_null(strstr(err.text, "policy"));
}

static void sources_are_one_of_each_family(void **state)
{
	struct sn_sources sources = {0};
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_sources_set(&sources, "192.0.2.1", &err), 0);
	assert_int_equal(sn_sources_set(&sources, "2001:DB8::1", &err), 0);
	assert_string_equal(sources.ip4, "192.0.2.1");
	assert_string_equal(sources.ip6, "2001:db8::1");
	assert_int_equal(sn_sources_set(&sources, "192.0.2.1:80", &err), -EINVAL);
	assert_int_equal(sn_sources_set(&sources, "host.example", &err), -EINVAL);
	sn_sources_find(&sources);
	assert_string_not_equal(sources.ip4, "127.0.0.1");
	assert_string_not_equal(sources.ip6, "::1");
}

static int end_answers(void **state)
{
	sn_mp_message_destroy(answer);
	answer = NULL;
	return end(state);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end_answers)
	const struct CMUnitTest tests[] = {
		T(what_can_be_run_here_is_offered),
		T(another_place_offers_something_else),
		T(a_run_becomes_a_result_in_the_views_units),
		T(rows_speak_for_a_process_that_is_not_content),
		T(a_process_that_fails_is_an_exception_with_its_reason),
		T(a_program_that_is_gone_is_an_exception),
		T(a_standing_run_that_dies_is_an_exception_after_what_it_gave),
		T(the_end_of_the_scope_ends_the_process),
		T(an_interrupt_gives_what_there_is),
		T(an_interrupt_before_the_first_row_gives_an_empty_result),
		T(a_component_that_ends_leaves_no_process),
		T(what_is_never_probed_is_refused),
		T(what_does_not_fit_into_its_period_is_refused),
		T(processes_are_given_what_is_never_probed),
		T(a_standing_run_goes_on_under_a_changed_policy),
		T(a_single_run_begins_anew_under_a_changed_policy),
		T(what_is_to_end_is_not_begun_anew),
		T(without_anything_nobody_may),
		T(who_is_named_may_and_nobody_else),
		T(a_changed_policy_is_read_and_a_broken_one_is_not_used),
		T(sources_are_one_of_each_family),
	};

	sn_log_set_level(SN_LOG_ERROR - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
