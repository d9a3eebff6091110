/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "heartbeat"
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/rand.h"
#include "node/agent/agent_internal.h"

#define INTERVAL_DEFAULT_NS (10 * SN_NS_PER_S)
#define INTERVAL_MIN_NS     (100 * SN_NS_PER_MS)
#define INTERVAL_MAX_NS     (3600 * SN_NS_PER_S)
#define PROBLEMS_MAX        32 /* as many, and as long, as a hub takes */
#define PROBLEM_BYTES_MAX   500

/* The report ------------------------------------------------------------------------------ */

struct problem_list {
	struct sn_jw *jw;
	unsigned count;
};

static void add_problem(const char *text, void *ctx)
{
	struct problem_list *list = ctx;
	struct sn_str str = sn_str(text);

	if (list->count++ >= PROBLEMS_MAX)
		return;
	str.n = SN_MIN(str.n, (size_t)PROBLEM_BYTES_MAX);
	/* A character cut in two would grow to a replacement of three bytes. */
	while (str.n > 0 && str.n < strlen(text) && ((unsigned char)text[str.n] & 0xc0) == 0x80)
		str.n--;
	sn_jw_str(list->jw, str);
}

static void write_problems(struct sn_agent *agent, struct sn_jw *jw)
{
	struct problem_list list = {.jw = jw};
	const struct sn_spool_stats *spool = sn_spool_stats(agent->spool);

	sn_jw_key(jw, "problems");
	sn_jw_array(jw);
	if (spool->full)
		add_problem("the spool is full: new results are dropped (give the node disk space "
			    "or a larger spool_limit)",
			    &list);
	if (spool->set_aside)
		add_problem("the spool was unreadable and was set aside as spool.broken", &list);
	if (sn_upload_problem(agent->upload) != NULL)
		add_problem(sn_upload_problem(agent->upload), &list);
	if (agent->renewal.problem[0] != '\0')
		add_problem(agent->renewal.problem, &list);
	if (agent->task_fetch.problem[0] != '\0')
		add_problem(agent->task_fetch.problem, &list);
	sn_tasks_problems(agent->tasks, add_problem, &list);
	sn_jw_array_end(jw);
}

static void write_methods(struct sn_agent *agent, struct sn_jw *jw)
{
	sn_jw_key(jw, "methods");
	sn_jw_array(jw);
	for (size_t i = 0; i < sn_method_count; i++) {
		if (sn_tasks_can_run(agent->tasks, sn_methods[i]))
			sn_jw_cstr(jw, sn_methods[i]->name);
	}
	sn_jw_array_end(jw);
}

static void write_spool(struct sn_agent *agent, struct sn_jw *jw)
{
	const struct sn_spool_stats *spool = sn_spool_stats(agent->spool);

	sn_jw_key(jw, "spool");
	sn_jw_object(jw);
	sn_jw_ku64(jw, "batches", spool->batches);
	sn_jw_ku64(jw, "bytes", spool->bytes);
	sn_jw_ku64(jw, "dropped_rows", spool->dropped_rows);
	sn_jw_ku64(jw, "quarantined_batches", sn_upload_quarantined(agent->upload));
	sn_jw_object_end(jw);
}

/* What only people know. */
static void write_place(const struct sn_node_config *config, struct sn_jw *jw)
{
	if (config->country != NULL)
		sn_jw_kcstr(jw, "country", config->country);
	if (config->asn != NULL)
		sn_jw_kcstr(jw, "asn", config->asn);
	if (config->system != NULL)
		sn_jw_kcstr(jw, "system", config->system);
}

static void write_report(struct sn_agent *agent, struct sn_buf *out)
{
	double uptime_s = (double)(sn_loop_now(agent->loop) - agent->started_ns) / 1e9;
	struct sn_jw jw;

	sn_jw_init(&jw, out);
	sn_jw_object(&jw);
	sn_jw_kcstr(&jw, "version", SONDE_VERSION);
	sn_jw_kcstr(&jw, "boot_id", agent->heartbeat.boot_id);
	sn_jw_kcstr(&jw, "stream", sn_spool_stream(agent->spool));
	sn_jw_kdouble(&jw, "uptime_seconds", uptime_s);
	sn_jw_kcstr(&jw, "tasks_etag", sn_tasks_etag(agent->tasks));
	write_place(agent->config, &jw);
	sn_jw_key(&jw, "interfaces");
	sn_health_write_interfaces(&jw);
	write_methods(agent, &jw);
	write_spool(agent, &jw);
	write_problems(agent, &jw);
	sn_jw_object_end(&jw);
}

/* Its answer -------------------------------------------------------------------------------- */

static void beat(struct sn_pace *pace, uint64_t missed, void *ctx);

/* A grid of this node's own: nodes that start together do not beat together. */
static void start_pace(struct sn_agent *agent, uint64_t interval_ns)
{
	struct sn_agent_heartbeat *heartbeat = &agent->heartbeat;

	sn_pace_stop(&heartbeat->pace);
	heartbeat->interval_ns = interval_ns;
	sn_pace_start(&heartbeat->pace, agent->loop,
		      sn_loop_now(agent->loop) + 1 + sn_random_below(interval_ns), interval_ns,
		      beat, agent);
}

static void take_interval(struct sn_agent *agent, const json_t *answer)
{
	double seconds;
	uint64_t interval_ns;

	if (agent->config->heartbeat_interval_ns != 0 ||
	    sn_json_get_double(answer, "interval_seconds", &seconds, NULL) != 0)
		return;
	seconds = fmin(fmax(seconds, INTERVAL_MIN_NS / 1e9), INTERVAL_MAX_NS / 1e9);
	interval_ns = (uint64_t)(seconds * 1e9);
	if (interval_ns != agent->heartbeat.interval_ns)
		start_pace(agent, interval_ns);
}

static void take_answer(struct sn_agent *agent, struct sn_str body)
{
	sn_autojson json_t *json = sn_json_parse(body.p, body.n, NULL);
	const char *etag;

	if (json == NULL)
		return;
	take_interval(agent, json);
	/* The event that told of it may have been missed. */
	if (sn_json_get_str(json, "tasks_etag", &etag, NULL) == 0 &&
	    strcmp(etag, sn_tasks_etag(agent->tasks)) != 0)
		sn_agent_tasks_fetch(agent);
}

static void note_reached(struct sn_agent *agent, const char *failure)
{
	struct sn_agent_heartbeat *heartbeat = &agent->heartbeat;

	if (failure == NULL && heartbeat->told_offline)
		sn_notice("the hub is back url=%s", sn_uplink_url(agent->uplink));
	if (failure != NULL && !heartbeat->told_offline) {
		sn_warn("no hub; measuring on reason=\"%s\"", failure);
		sn_notify("STATUS=no hub; measuring on");
	} else if (failure == NULL) {
		sn_notify("STATUS=connected");
	}
	heartbeat->told_offline = failure != NULL;
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct sn_agent *agent = ctx;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err err = {0};

	agent->heartbeat.fetch = NULL;
	if (sn_uplink_judge(agent->uplink, answer, code, &err) != 0) {
		note_reached(agent, err.text);
		return;
	}
	note_reached(agent, NULL);
	take_answer(agent, answer->body);
	sn_upload_retry_now(agent->upload);
}

static void send_report(struct sn_agent *agent)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct sn_buf body = {0};
	struct sn_http_fetch_spec spec = {
		.method = "POST",
		.url = "/api/v1/node/heartbeat",
		.headers = headers,
		.timeout_ns = SN_MAX(agent->heartbeat.interval_ns, (uint64_t)5 * SN_NS_PER_S),
		.on_done = answered,
		.ctx = agent,
	};

	write_report(agent, &body);
	spec.body = body.p;
	spec.body_size = body.n;
	agent->heartbeat.fetch = sn_uplink_fetch(agent->uplink, &spec);
	sn_buf_finish(&body);
}

static void beat(struct sn_pace *pace SN_UNUSED, uint64_t missed SN_UNUSED, void *ctx)
{
	struct sn_agent *agent = ctx;

	/* The next one will do: what counts is that one gets through. */
	if (agent->heartbeat.fetch == NULL)
		send_report(agent);
}

void sn_agent_heartbeat_start(struct sn_agent *agent)
{
	int64_t wanted_ns = agent->config->heartbeat_interval_ns;

	sn_health_boot_id(agent->heartbeat.boot_id);
	start_pace(agent, wanted_ns > 0 ? SN_MAX((uint64_t)wanted_ns, (uint64_t)INTERVAL_MIN_NS)
					: (uint64_t)INTERVAL_DEFAULT_NS);
	send_report(agent);
}

void sn_agent_heartbeat_stop(struct sn_agent *agent)
{
	sn_pace_stop(&agent->heartbeat.pace);
	if (agent->heartbeat.fetch != NULL)
		sn_http_fetch_cancel(agent->heartbeat.fetch);
	agent->heartbeat.fetch = NULL;
}
