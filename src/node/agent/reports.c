/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the hub what has become of its tasks, one after the other, until it knows.
 *
 * What is to be told lies in the journal of the tasks (node/tasks/journal.h), so that a
 * restart forgets nothing.
 */
#define SN_MODULE "reports"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "node/agent/agent_internal.h"

#define RETRY_MIN_NS   (500 * SN_NS_PER_MS)
#define RETRY_MAX_NS   (30 * SN_NS_PER_S)
#define DENIED_WAIT_NS (60 * SN_NS_PER_S)

/* All batches below this number are stored by the hub. */
static uint64_t acknowledged(const struct sn_agent *agent)
{
	const struct sn_spool_batch *first = sn_spool_next(agent->spool, 0);

	return first != NULL ? first->seq : UINT64_MAX;
}

/* Whether to say the same again could help. */
static bool worth_another_try(const struct sn_http_answer *answer, int error)
{
	return answer->error != 0 || error == -EACCES || error == -EBUSY || error == -EREMOTEIO;
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct sn_agent *agent = ctx;
	struct sn_agent_reports *self = &agent->reports;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err err = {0};
	int error = sn_uplink_judge(agent->uplink, answer, code, &err);

	self->fetch = NULL;
	if (error != 0 && worth_another_try(answer, error)) {
		sn_debug("report waits task=%s reason=\"%s\"", self->id, err.text);
		sn_timer_in(&self->timer, sn_backoff_next(&self->backoff) +
						  (error == -EACCES ? DENIED_WAIT_NS : 0));
		return;
	}
	/* 404, 410: nobody wants to know. */
	if (error != 0 && answer->status != 404 && answer->status != 410)
		sn_warn("report given up task=%s reason=\"%s\"", self->id, err.text);
	sn_backoff_reset(&self->backoff);
	sn_tasks_reported(agent->tasks, self->id, self->state);
	sn_agent_reports_send(agent);
}

static void send_report(struct sn_agent *agent, const struct sn_task_report *report)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct sn_agent_reports *self = &agent->reports;
	struct sn_buf url = {0}, body = {0};
	struct sn_http_fetch_spec spec = {
		.method = "POST", .headers = headers, .on_done = answered, .ctx = agent};
	struct sn_jw jw;

	snprintf(self->id, sizeof(self->id), "%s", report->id);
	self->state = report->state;
	sn_buf_adds(&url, "/api/v1/node/tasks/");
	sn_url_encode(&url, sn_str(report->id));
	sn_jw_init(&jw, &body);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "state", report->state);
	if (report->error != NULL)
		sn_jw_kcstr(&jw, "error", report->error);
	sn_jw_object_end(&jw);
	spec.url = sn_buf_cstr(&url);
	spec.body = body.p;
	spec.body_size = body.n;
	self->fetch = sn_uplink_fetch(agent->uplink, &spec);
	if (self->fetch == NULL)
		sn_timer_in(&self->timer, RETRY_MAX_NS);
	sn_buf_finish(&url);
	sn_buf_finish(&body);
}

void sn_agent_reports_send(struct sn_agent *agent)
{
	struct sn_agent_reports *self = &agent->reports;
	struct sn_task_report report;

	if (self->stopped || self->fetch != NULL || sn_timer_armed(&self->timer) ||
	    agent->tasks == NULL)
		return;
	if (sn_tasks_report(agent->tasks, acknowledged(agent), &report))
		send_report(agent, &report);
}

static void retry(struct sn_timer *timer)
{
	sn_agent_reports_send(sn_container_of(timer, struct sn_agent, reports.timer));
}

void sn_agent_reports_retry_now(struct sn_agent *agent)
{
	/* A hub that said no has been reached before. */
	if (agent->reports.backoff.span_ns != 0 && sn_uplink_revoked(agent->uplink))
		return;
	sn_timer_stop(&agent->reports.timer);
	sn_agent_reports_send(agent);
}

void sn_agent_reports_start(struct sn_agent *agent)
{
	agent->reports.backoff =
		(struct sn_backoff){.min_ns = RETRY_MIN_NS, .max_ns = RETRY_MAX_NS};
	sn_timer_init(&agent->reports.timer, agent->loop, retry);
}

void sn_agent_reports_stop(struct sn_agent *agent)
{
	agent->reports.stopped = true;
	if (agent->reports.fetch != NULL)
		sn_http_fetch_cancel(agent->reports.fetch);
	agent->reports.fetch = NULL;
	sn_timer_stop(&agent->reports.timer);
}
