/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "meter"
#include "meter/control/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/control/request.h"

struct lease {
	const struct sn_lease_options *options;
	struct sn_loop *loop;
	struct sn_timer renewal, end;
	char *body;
	uint64_t held; /* number of the lease in force; 0: none */
	bool taken;    /* the first answer was good */
	struct sn_err err;
};

static void release(const struct lease *lease)
{
	char target[64];
	struct sn_control_request request = {
		.socket_path = lease->options->socket_path, .method = "DELETE", .target = target};
	struct sn_control_answer answer;
	struct sn_err err;

	snprintf(target, sizeof(target), "/v1/leases/%" PRIu64, lease->held);
	if (sn_control_ask(&request, &answer, &err) != 0)
		sn_warn("a switch goes back only when its time is over reason=\"%s\"", err.text);
	sn_control_answer_finish(&answer);
}

/* What the meter says against it. */
static int refusal(const struct sn_control_answer *answer, struct sn_err *err)
{
	sn_autojson json_t *problem = sn_json_parse(answer->body.p, answer->body.n, NULL);
	const char *detail = NULL;

	if (problem != NULL)
		sn_json_get_str(problem, "detail", &detail, NULL);
	return sn_err_set(err, -EINVAL, "%s",
			  detail != NULL ? detail : "the meter refuses the change");
}

static int read_lease(const struct sn_control_answer *answer, uint64_t *number, struct sn_err *err)
{
	sn_autojson json_t *json = NULL;
	int64_t value = 0;

	if (answer->status == 200)
		json = sn_json_parse(answer->body.p, answer->body.n, NULL);
	if (json == NULL || sn_json_get_i64(json, "lease", &value, NULL) != 0)
		return refusal(answer, err);
	*number = (uint64_t)value;
	return 0;
}

static int ask_meter(const struct lease *lease, uint64_t *number, struct sn_err *err)
{
	struct sn_control_request request = {.socket_path = lease->options->socket_path,
					     .method = "PATCH",
					     .target = "/v1/settings",
					     .body = lease->body};
	struct sn_control_answer answer;
	int result = sn_control_ask(&request, &answer, err);

	if (result == 0)
		result = read_lease(&answer, number, err);
	sn_control_answer_finish(&answer);
	return result;
}

/* The new lease is there before the old one ends: nothing goes back in between. */
static void take_lease(struct lease *lease, uint64_t number)
{
	if (lease->held != 0)
		release(lease);
	lease->held = number;
	lease->taken = true;
}

static void ask(struct sn_timer *timer)
{
	struct lease *lease = sn_container_of(timer, struct lease, renewal);
	uint64_t number = 0;
	int result;

	sn_timer_in(timer, lease->options->renew_ns > 0 ? (uint64_t)lease->options->renew_ns
							: (uint64_t)SN_LEASE_RENEW_NS);
	result = ask_meter(lease, &number, &lease->err);
	if (result == 0)
		take_lease(lease, number);
	else if (!lease->taken)
		sn_loop_stop(lease->loop, result);
	else
		SN_LOG_LIMITED(SN_LOG_WARNING, "a switch is not renewed reason=\"%s\"",
			       lease->err.text);
}

static void end(struct sn_timer *timer)
{
	sn_loop_stop(sn_container_of(timer, struct lease, end)->loop, 0);
}

static char *make_body(const struct sn_lease_options *options)
{
	char text[SN_DURATION_TEXT_MAX];
	int64_t lease_ns = options->lease_ns > 0 ? options->lease_ns : SN_LEASE_NS;
	json_t *json = json_pack("{s:O, s:s}", "changes", options->changes, "for",
				 sn_format_duration(lease_ns, text, sizeof(text)));
	char *body = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return body;
}

int sn_lease_run(const struct sn_lease_options *options, struct sn_err *err)
{
	struct lease lease = {.options = options, .loop = sn_loop_create(NULL)};
	int result;

	lease.body = make_body(options);
	sn_loop_handle_signals(lease.loop);
	sn_timer_init(&lease.renewal, lease.loop, ask);
	sn_timer_init(&lease.end, lease.loop, end);
	sn_timer_in(&lease.renewal, 0);
	if (options->duration_ns > 0)
		sn_timer_in(&lease.end, (uint64_t)options->duration_ns);
	result = sn_loop_run(lease.loop);
	if (result == 0 && lease.held != 0)
		release(&lease);
	else if (result != 0 && err != NULL)
		*err = lease.err;
	sn_timer_stop(&lease.renewal);
	sn_timer_stop(&lease.end);
	sn_loop_destroy(lease.loop);
	free(lease.body);
	return result;
}
