/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "agent"
#include "node/agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/agent/agent_internal.h"
#include "node/health/footprint.h"

#define HEALTH_FIRST_NS    (300 * SN_NS_PER_MS) /* when the tasks have had time to start */
#define HEALTH_INTERVAL_NS (10 * SN_NS_PER_S)
#define TRIM_EVERY         360 /* reports of health: an hour */

/* Rows, from wherever, into the spool -------------------------------------------------------- */

static void spool_due(struct sn_timer *timer)
{
	struct sn_agent *agent = sn_container_of(timer, struct sn_agent, spool_timer);
	uint64_t next_ns = sn_spool_flush(agent->spool, sn_loop_now(agent->loop));

	if (next_ns != UINT64_MAX)
		sn_timer_at(timer, next_ns);
	sn_upload_kick(agent->upload);
}

static void take_rows(const struct sn_batch *rows, void *ctx)
{
	struct sn_agent *agent = ctx;
	uint64_t now_ns = sn_loop_now(agent->loop);

	if (sn_spool_add(agent->spool, rows, now_ns) != 0) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "row without a time dropped dataset=%s",
			       sn_batch_dataset(rows)->name);
		return;
	}
	if (!sn_timer_armed(&agent->spool_timer))
		sn_timer_at(&agent->spool_timer, now_ns + SN_SPOOL_LINGER_NS);
	sn_upload_kick(agent->upload);
}

/* What has been measured to its end is not to wait for company. */
static void settle_rows(void *ctx)
{
	struct sn_agent *agent = ctx;

	sn_spool_flush_all(agent->spool);
	sn_upload_kick(agent->upload);
}

static void report_health(struct sn_pace *pace SN_UNUSED, uint64_t missed SN_UNUSED, void *ctx)
{
	struct sn_agent *agent = ctx;
	struct sn_health health = {
		.time_unix_ns = sn_loop_wall_now(agent->loop),
		.uptime_ns = sn_loop_now(agent->loop) - agent->started_ns,
		.spool = sn_spool_stats(agent->spool),
		.tasks_running = sn_tasks_running(agent->tasks),
		.task_restarts = sn_tasks_restarts(agent->tasks),
		.missed_iterations = sn_tasks_missed(agent->tasks),
		.state_dir = agent->config->state,
	};

	sn_batch_clear(agent->health_rows);
	sn_health_add_row(agent->health_rows, &health);
	take_rows(agent->health_rows, agent);
	/* Twice at the start, which may not be quite over the first time. */
	if (agent->health_reports++ % TRIM_EVERY < 2)
		sn_footprint_trim();
}

/* Start and end ----------------------------------------------------------------------------------
 */

static void create_uplink(struct sn_agent *agent)
{
	const struct sn_conf_texts *urls = &agent->config->hub_urls;
	const char *joined = agent->identity.hub_url;
	struct sn_uplink_config config = {
		.loop = agent->loop,
		.urls = urls->count > 0 ? (const char *const *)urls->items : &joined,
		.url_count = urls->count > 0 ? urls->count : 1,
		.ca_file = agent->identity.ca_file,
		.identity_file = agent->identity.identity_file,
	};

	agent->uplink = sn_uplink_create(&config);
}

static void has_news(void *ctx)
{
	sn_agent_reports_send(ctx);
}

static void create_tasks(struct sn_agent *agent)
{
	sn_autofree char *own_dir = sn_fs_self_dir();
	struct sn_tasks_config config = {
		.loop = agent->loop,
		.program_dir = agent->config->programs != NULL ? agent->config->programs : own_dir,
		.state_dir = agent->config->state,
		.priv_socket = agent->config->priv_socket,
		.on_rows = take_rows,
		.settle = settle_rows,
		.on_news = has_news,
		.ctx = agent,
		.spool = agent->spool,
	};
	struct sn_err err = {0};
	int error;

	agent->tasks = sn_tasks_create(&config);
	error = sn_tasks_load(agent->tasks, &err);
	if (error != 0 && error != -ENOENT)
		sn_warn("%s", err.text);
}

static int prepare(struct sn_agent *agent, struct sn_err *err)
{
	sn_autofree char *lock = sn_fs_join(agent->config->state, "lock");
	sn_autofree char *spool = sn_fs_join(agent->config->state, "spool");
	int error = sn_node_identity_load(agent->config->state, &agent->identity, err);

	if (error != 0)
		return error;
	agent->lock_fd = sn_fs_lock(lock, err);
	if (agent->lock_fd < 0)
		return agent->lock_fd;
	return sn_spool_open(spool, agent->config->spool_limit_bytes, &agent->spool, err);
}

int sn_agent_create(struct sn_loop *loop, const struct sn_node_config *config,
		    struct sn_agent **out, struct sn_err *err)
{
	struct sn_agent *agent = sn_new(struct sn_agent);
	int error;

	*out = NULL;
	agent->loop = loop;
	agent->config = config;
	agent->lock_fd = -1;
	agent->started_ns = sn_loop_now(loop);
	error = prepare(agent, err);
	if (error != 0) {
		sn_agent_destroy(agent);
		return error;
	}

	sn_timer_init(&agent->spool_timer, loop, spool_due);
	agent->health_rows = sn_batch_create(&sn_dataset_health);
	create_uplink(agent);
	agent->upload = sn_upload_create(loop, agent->spool, agent->uplink);
	sn_upload_on_progress(agent->upload, has_news, agent);
	sn_agent_reports_start(agent);
	create_tasks(agent);
	sn_agent_heartbeat_start(agent);
	sn_agent_stream_start(agent);
	sn_agent_renewal_start(agent);
	sn_pace_start(&agent->health_pace, loop, agent->started_ns + HEALTH_FIRST_NS,
		      HEALTH_INTERVAL_NS, report_health, agent);
	sn_upload_kick(agent->upload);
	sn_notice("node is up node=%s name=\"%s\" hub=%s stream=%s", agent->identity.node,
		  agent->identity.name, sn_uplink_url(agent->uplink),
		  sn_spool_stream(agent->spool));
	*out = agent;
	return 0;
}

void sn_agent_stop(struct sn_agent *agent, void (*on_stopped)(void *ctx), void *ctx)
{
	sn_agent_tasks_fetch_stop(agent);
	sn_agent_stream_stop(agent);
	sn_agent_renewal_stop(agent);
	sn_agent_reports_stop(agent);
	sn_agent_heartbeat_stop(agent);
	sn_pace_stop(&agent->health_pace);
	sn_tasks_stop(agent->tasks, on_stopped, ctx);
}

void sn_agent_destroy(struct sn_agent *agent)
{
	if (agent == NULL)
		return;
	if (agent->uplink != NULL) {
		sn_agent_tasks_fetch_stop(agent);
		sn_agent_stream_stop(agent);
		sn_agent_renewal_stop(agent);
		sn_agent_reports_stop(agent);
		sn_agent_heartbeat_stop(agent);
	}
	sn_pace_stop(&agent->health_pace);
	sn_tasks_destroy(agent->tasks);
	sn_timer_stop(&agent->spool_timer);
	sn_upload_destroy(agent->upload);
	sn_uplink_destroy(agent->uplink);
	sn_spool_close(agent->spool);
	if (agent->health_rows != NULL)
		sn_batch_destroy(agent->health_rows);
	sn_node_identity_finish(&agent->identity);
	if (agent->lock_fd >= 0)
		close(agent->lock_fd);
	free(agent);
}
