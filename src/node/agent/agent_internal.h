/* SPDX-License-Identifier: Apache-2.0 */
/* agent_internal: the agent's parts, as they see each other. */
#ifndef SONDE_NODE_AGENT_AGENT_INTERNAL_H
#define SONDE_NODE_AGENT_AGENT_INTERNAL_H

#include "base/pace.h"
#include "node/agent/agent.h"
#include "node/agent/uplink.h"
#include "node/backoff.h"
#include "node/health/health.h"
#include "node/join/identity.h"
#include "node/spool/spool.h"
#include "node/tasks/tasks.h"
#include "node/upload/upload.h"

#define SN_AGENT_PROBLEM_MAX (SN_ERR_TEXT_MAX + 80)

struct sn_agent_heartbeat {
	struct sn_pace pace;
	struct sn_http_fetch *fetch; /* NULL: none under way */
	uint64_t interval_ns;
	bool told_offline; /* in the log */
	char boot_id[SN_BOOT_ID_MAX];
};

struct sn_agent_stream {
	struct sn_http_fetch *fetch; /* NULL while it waits to connect */
	struct sn_sse_reader *reader;
	struct sn_timer timer;
	struct sn_backoff backoff;
	bool open; /* bytes came */
};

struct sn_agent_task_fetch {
	struct sn_http_fetch *fetch;
	bool again; /* something has changed since the request went out */
	struct sn_timer timer;
	struct sn_backoff backoff;
	char problem[SN_AGENT_PROBLEM_MAX];
};

struct sn_agent_reports {
	struct sn_http_fetch *fetch; /* NULL: none under way */
	char id[SN_TASK_ID_MAX];     /* what it tells */
	const char *state;
	struct sn_timer timer;
	struct sn_backoff backoff;
	bool stopped;
};

struct sn_agent_renewal {
	struct sn_http_fetch *fetch;
	struct sn_timer timer;
	struct sn_backoff backoff;
	struct sn_buf key_pem; /* for the certificate that was asked for */
	char problem[SN_AGENT_PROBLEM_MAX];
};

struct sn_agent {
	struct sn_loop *loop;
	const struct sn_node_config *config;
	struct sn_node_identity identity;
	int lock_fd;
	uint64_t started_ns;

	struct sn_spool *spool;
	struct sn_uplink *uplink;
	struct sn_upload *upload;
	struct sn_tasks *tasks;
	struct sn_timer spool_timer;
	struct sn_pace health_pace;
	struct sn_batch *health_rows;
	uint64_t health_reports;

	struct sn_agent_heartbeat heartbeat;
	struct sn_agent_stream stream;
	struct sn_agent_task_fetch task_fetch;
	struct sn_agent_reports reports;
	struct sn_agent_renewal renewal;
};

/* heartbeat.c */
void sn_agent_heartbeat_start(struct sn_agent *agent);
void sn_agent_heartbeat_stop(struct sn_agent *agent);
/* stream.c */
void sn_agent_stream_start(struct sn_agent *agent);
void sn_agent_stream_stop(struct sn_agent *agent);
/* task_fetch.c */
void sn_agent_tasks_fetch(struct sn_agent *agent);
void sn_agent_tasks_fetch_stop(struct sn_agent *agent);
/* reports.c */
void sn_agent_reports_start(struct sn_agent *agent);
void sn_agent_reports_stop(struct sn_agent *agent);
/* There may be something to tell. */
void sn_agent_reports_send(struct sn_agent *agent);
/* The hub can be reached: no need to wait any longer. */
void sn_agent_reports_retry_now(struct sn_agent *agent);
/* renewal.c */
void sn_agent_renewal_start(struct sn_agent *agent);
void sn_agent_renewal_stop(struct sn_agent *agent);

#endif
