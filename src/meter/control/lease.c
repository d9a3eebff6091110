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
#include "net/http_client.h"

#define TIMEOUT_NS (5 * SN_NS_PER_S)

struct lease {
	const struct sn_lease_options *options;
	struct sn_loop *loop;
	struct sn_http_client *client;
	struct sn_timer renewal, end;
	char *body;
	uint64_t held;    /* number of the lease in force; 0: none */
	unsigned waiting; /* for so many answers */
	bool asking;      /* one of them is that to ask() */
	bool taken;       /* the first answer was good */
	bool ending;      /* the last answer ends it */
	struct sn_err err;
};

static void send_request(struct lease *lease, const char *method, const char *url, const char *body,
			 sn_http_done_fn *done)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct sn_http_fetch_spec spec = {
		.method = method,
		.url = url,
		.headers = body != NULL ? headers : NULL,
		.body = body,
		.body_size = body != NULL ? strlen(body) : 0,
		.timeout_ns = TIMEOUT_NS,
		.on_done = done,
		.ctx = lease,
	};

	if (sn_http_fetch(lease->client, &spec) != NULL)
		lease->waiting++;
	else
		sn_loop_stop(lease->loop, -EIO);
}

static void answered(struct lease *lease)
{
	if (--lease->waiting == 0 && lease->ending)
		sn_loop_stop(lease->loop, 0);
}

static void released(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	if (answer->error != 0)
		sn_warn("a switch goes back only when its time is over reason=\"%s\"",
			answer->err.text);
	answered(ctx);
}

static void release(struct lease *lease, uint64_t number)
{
	char url[96];

	snprintf(url, sizeof(url), "http://meter/v1/leases/%" PRIu64, number);
	send_request(lease, "DELETE", url, NULL, released);
}

/* What the meter says against it. */
static int refusal(struct lease *lease, const struct sn_http_answer *answer)
{
	sn_autojson json_t *problem = NULL;
	const char *detail = NULL;

	if (answer->error == -ECONNREFUSED)
		return sn_err_set(&lease->err, -ECONNREFUSED,
				  "no meter answers on '%s' (start one with --control)",
				  lease->options->socket_path);
	if (answer->error != 0) {
		lease->err = answer->err;
		return answer->error;
	}
	problem = sn_json_parse(answer->body.p, answer->body.n, NULL);
	if (problem != NULL)
		sn_json_get_str(problem, "detail", &detail, NULL);
	return sn_err_set(&lease->err, -EINVAL, "%s",
			  detail != NULL ? detail : "the meter refuses the change");
}

/* The new lease is there before the old one ends: nothing goes back in between. */
static void take_lease(struct lease *lease, uint64_t number)
{
	if (lease->held != 0)
		release(lease, lease->held);
	lease->held = number;
	lease->taken = true;
}

static void not_taken(struct lease *lease, const struct sn_http_answer *answer)
{
	int code = refusal(lease, answer);

	if (!lease->taken && !lease->ending)
		sn_loop_stop(lease->loop, code);
	else
		SN_LOG_LIMITED(SN_LOG_WARNING, "a switch is not renewed reason=\"%s\"",
			       lease->err.text);
}

static void asked(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		  void *ctx)
{
	struct lease *lease = ctx;
	sn_autojson json_t *json = NULL;
	int64_t number = 0;

	if (answer->error == 0 && answer->status == 200)
		json = sn_json_parse(answer->body.p, answer->body.n, NULL);
	if (json != NULL && sn_json_get_i64(json, "lease", &number, NULL) == 0)
		take_lease(lease, (uint64_t)number);
	else
		not_taken(lease, answer);
	lease->asking = false;
	if (lease->ending && lease->held != 0)
		release(lease, lease->held);
	answered(lease);
}

static void ask(struct sn_timer *timer)
{
	struct lease *lease = sn_container_of(timer, struct lease, renewal);

	sn_timer_in(timer, lease->options->renew_ns > 0 ? (uint64_t)lease->options->renew_ns
							: (uint64_t)SN_LEASE_RENEW_NS);
	lease->asking = true;
	send_request(lease, "PATCH", "http://meter/v1/settings", lease->body, asked);
}

static void end(struct sn_timer *timer)
{
	sn_loop_stop(sn_container_of(timer, struct lease, end)->loop, 0);
}

/* Before the process ends: the loop runs on for the answers that are still to come. */
static void give_back(struct lease *lease)
{
	lease->ending = true;
	sn_timer_stop(&lease->renewal);
	sn_timer_stop(&lease->end);
	/* While a new one is asked for, asked() gives it back. */
	if (!lease->asking && lease->held != 0)
		release(lease, lease->held);
	if (lease->waiting > 0)
		sn_loop_run(lease->loop);
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
	struct sn_http_client_config config = {.unix_socket = options->socket_path,
					       .user_agent = "sonde-meter"};
	int result;

	lease.client = sn_http_client_create(lease.loop, &config);
	lease.body = make_body(options);
	sn_loop_handle_signals(lease.loop);
	sn_timer_init(&lease.renewal, lease.loop, ask);
	sn_timer_init(&lease.end, lease.loop, end);
	sn_timer_in(&lease.renewal, 0);
	if (options->duration_ns > 0)
		sn_timer_in(&lease.end, (uint64_t)options->duration_ns);
	result = sn_loop_run(lease.loop);
	if (result == 0)
		give_back(&lease);
	else if (err != NULL)
		*err = lease.err;
	sn_timer_stop(&lease.renewal);
	sn_timer_stop(&lease.end);
	sn_http_client_destroy(lease.client);
	sn_loop_destroy(lease.loop);
	free(lease.body);
	return result;
}
