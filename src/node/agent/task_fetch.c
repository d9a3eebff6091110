/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches the tasks when there is reason to think that they have changed. */
#define SN_MODULE "tasks"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "node/agent/agent_internal.h"

#define RETRY_MIN_NS (1 * SN_NS_PER_S)
#define RETRY_MAX_NS (30 * SN_NS_PER_S)

static void send_request(struct sn_agent *agent);

static void retry(struct sn_timer *timer)
{
	struct sn_agent *agent = sn_container_of(timer, struct sn_agent, task_fetch.timer);

	if (agent->task_fetch.fetch == NULL)
		send_request(agent);
}

/* Without an answer the next heartbeat or event stream asks again; a bad answer gets a timer. */
static void failed(struct sn_agent *agent, const char *reason)
{
	struct sn_agent_task_fetch *self = &agent->task_fetch;

	SN_LOG_LIMITED(SN_LOG_WARNING, "%s", reason);
	snprintf(self->problem, sizeof(self->problem), "%s", reason);
	if (self->backoff.min_ns == 0) {
		self->backoff = (struct sn_backoff){.min_ns = RETRY_MIN_NS, .max_ns = RETRY_MAX_NS};
		sn_timer_init(&self->timer, agent->loop, retry);
	}
	sn_timer_in(&self->timer, sn_backoff_next(&self->backoff));
}

static void take(struct sn_agent *agent, const struct sn_http_answer *answer)
{
	struct sn_agent_task_fetch *self = &agent->task_fetch;
	struct sn_err err = {0};

	if (answer->status != 304 &&
	    sn_tasks_apply(agent->tasks, answer->body.p, answer->body.n, &err) != 0) {
		failed(agent, err.text);
		return;
	}
	self->problem[0] = '\0';
	sn_backoff_reset(&self->backoff);
	sn_timer_stop(&self->timer);
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct sn_agent *agent = ctx;
	struct sn_agent_task_fetch *self = &agent->task_fetch;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err err = {0};

	self->fetch = NULL;
	if (sn_uplink_judge(agent->uplink, answer, code, &err) == 0)
		take(agent, answer);
	else if (answer->error == 0)
		failed(agent, err.text);
	else
		sn_debug("no tasks fetched reason=\"%s\"", err.text);
	if (self->again)
		sn_agent_tasks_fetch(agent);
}

static void send_request(struct sn_agent *agent)
{
	char condition[SN_TASKS_ETAG_MAX + 32];
	const char *headers[] = {condition, NULL};
	const char *etag = sn_tasks_etag(agent->tasks);
	struct sn_http_fetch_spec spec = {
		.method = "GET",
		.url = "/api/v1/node/tasks",
		.headers = etag[0] != '\0' ? headers : NULL,
		.on_done = answered,
		.ctx = agent,
	};

	snprintf(condition, sizeof(condition), "If-None-Match: \"%s\"", etag);
	agent->task_fetch.again = false;
	agent->task_fetch.fetch = sn_uplink_fetch(agent->uplink, &spec);
}

void sn_agent_tasks_fetch(struct sn_agent *agent)
{
	if (agent->task_fetch.fetch != NULL) {
		/* What is under way may have been answered before the change. */
		agent->task_fetch.again = true;
		return;
	}
	send_request(agent);
}

void sn_agent_tasks_fetch_stop(struct sn_agent *agent)
{
	if (agent->task_fetch.fetch != NULL)
		sn_http_fetch_cancel(agent->task_fetch.fetch);
	agent->task_fetch.fetch = NULL;
	sn_timer_stop(&agent->task_fetch.timer);
}
