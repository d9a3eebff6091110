/* SPDX-License-Identifier: Apache-2.0 */
/* A new certificate, with a new key, at two thirds of the life of the present one. */
#define SN_MODULE "identity"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "net/pki.h"
#include "node/agent/agent_internal.h"

#define RETRY_MIN_NS (2 * SN_NS_PER_S)
#define RETRY_MAX_NS (300 * SN_NS_PER_S)
/* The wall clock may be set at any time, so that a long wait is cut into pieces. */
#define LOOK_MAX_NS (60 * SN_NS_PER_S)

static int64_t wall_s(const struct sn_agent *agent)
{
	return sn_loop_wall_now(agent->loop) / SN_NS_PER_S;
}

static void forget_key(struct sn_agent *agent)
{
	struct sn_buf *key = &agent->renewal.key_pem;

	if (key->n > 0)
		memset(key->p, 0, key->n);
	sn_buf_clear(key);
}

static void look_later(struct sn_agent *agent)
{
	int64_t left_s = sn_node_identity_renew_at(&agent->identity) - wall_s(agent);
	uint64_t wait_ns = left_s <= 0 ? 0 : (uint64_t)left_s * SN_NS_PER_S;

	sn_timer_in(&agent->renewal.timer, SN_MIN(wait_ns, (uint64_t)LOOK_MAX_NS));
}

static void failed(struct sn_agent *agent, const char *reason)
{
	struct sn_agent_renewal *renewal = &agent->renewal;
	bool expired = wall_s(agent) >= agent->identity.not_after_unix_s;

	if (expired)
		snprintf(renewal->problem, sizeof(renewal->problem),
			 "the certificate has expired and was not renewed (join again): %s",
			 reason);
	else
		snprintf(renewal->problem, sizeof(renewal->problem),
			 "the certificate could not be renewed: %s", reason);
	SN_LOG_LIMITED(expired ? SN_LOG_ERROR : SN_LOG_WARNING, "%s", renewal->problem);
	forget_key(agent);
	sn_timer_in(&renewal->timer, sn_backoff_next(&renewal->backoff));
}

static int store(struct sn_agent *agent, struct sn_str body, struct sn_err *err)
{
	const char *dir = agent->config->state, *certificate, *ca;
	sn_autojson json_t *json = sn_json_parse(body.p, body.n, err);
	struct sn_node_identity fresh;
	int error = json == NULL ? -EBADMSG
				 : sn_json_get_str(json, "certificate_pem", &certificate, err);

	if (error == 0)
		error = sn_json_get_str(json, "ca_pem", &ca, err);
	if (error != 0)
		return sn_err_wrap(err, "the answer is no good");
	error = sn_node_identity_write_pem(dir, agent->identity.node, certificate,
					   sn_buf_cstr(&agent->renewal.key_pem), err);
	if (error == 0)
		error = sn_node_identity_write_ca(dir, ca, err);
	if (error == 0)
		error = sn_node_identity_load(dir, &fresh, err);
	if (error != 0)
		return error;
	sn_node_identity_finish(&agent->identity);
	agent->identity = fresh;
	return 0;
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct sn_agent *agent = ctx;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err err = {0};
	int error = sn_uplink_judge(agent->uplink, answer, code, &err);

	agent->renewal.fetch = NULL;
	if (error == 0)
		error = store(agent, answer->body, &err);
	if (error != 0) {
		failed(agent, err.text);
		return;
	}
	forget_key(agent);
	agent->renewal.problem[0] = '\0';
	sn_backoff_reset(&agent->renewal.backoff);
	sn_info("certificate renewed node=%s", agent->identity.node);
	/* The stream would live on with the old one, past its end. */
	sn_uplink_renewed(agent->uplink);
	sn_agent_stream_stop(agent);
	sn_agent_stream_start(agent);
	look_later(agent);
}

static void ask(struct sn_agent *agent)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct sn_buf csr = {0}, body = {0};
	struct sn_err err = {0};
	struct sn_jw jw;
	struct sn_http_fetch_spec spec = {
		.method = "POST",
		.url = "/api/v1/node/renew",
		.headers = headers,
		.on_done = answered,
		.ctx = agent,
	};

	forget_key(agent);
	if (sn_pki_key_generate(&agent->renewal.key_pem, &err) != 0 ||
	    sn_pki_csr_create(sn_buf_cstr(&agent->renewal.key_pem), agent->identity.name, &csr,
			      &err) != 0) {
		sn_buf_finish(&csr);
		failed(agent, err.text);
		return;
	}
	sn_jw_init(&jw, &body);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "csr_pem", sn_buf_cstr(&csr));
	sn_jw_object_end(&jw);
	spec.body = body.p;
	spec.body_size = body.n;
	agent->renewal.fetch = sn_uplink_fetch(agent->uplink, &spec);
	sn_buf_finish(&csr);
	sn_buf_finish(&body);
	if (agent->renewal.fetch == NULL)
		failed(agent, "the URL of the hub cannot be used");
}

static void look(struct sn_timer *timer)
{
	struct sn_agent *agent = sn_container_of(timer, struct sn_agent, renewal.timer);

	if (wall_s(agent) < sn_node_identity_renew_at(&agent->identity))
		look_later(agent);
	else
		ask(agent);
}

void sn_agent_renewal_start(struct sn_agent *agent)
{
	agent->renewal.backoff =
		(struct sn_backoff){.min_ns = RETRY_MIN_NS, .max_ns = RETRY_MAX_NS};
	sn_timer_init(&agent->renewal.timer, agent->loop, look);
	look_later(agent);
}

void sn_agent_renewal_stop(struct sn_agent *agent)
{
	if (agent->renewal.fetch != NULL)
		sn_http_fetch_cancel(agent->renewal.fetch);
	agent->renewal.fetch = NULL;
	sn_timer_stop(&agent->renewal.timer);
	forget_key(agent);
	sn_buf_finish(&agent->renewal.key_pem);
}
