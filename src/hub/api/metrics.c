/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"
#include "base/fs.h"
#include "hub/api/api.h"

#define OPENMETRICS "application/openmetrics-text"

static void hub_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	sn_metrics_family(metrics, "sonde_build_info", SN_METRIC_GAUGE, "",
			  "Always 1; the version is a label.");
	sn_metrics_sample(metrics, 1, SN_LABELS("version", SONDE_VERSION, "hub", hub->id));
	sn_metrics_family(metrics, "sonde_hub_start_time_seconds", SN_METRIC_GAUGE, "seconds",
			  "Unix time at which the hub started.");
	sn_metrics_sample(metrics, (double)hub->started_ns / 1e9, NULL);
	sn_metrics_family(metrics, "sonde_http_requests", SN_METRIC_COUNTER, "",
			  "Requests of which the headers were read.");
	sn_metrics_sample(metrics, (double)hub->requests, NULL);
	sn_metrics_family(metrics, "sonde_http_connections", SN_METRIC_GAUGE, "",
			  "Connections that are open.");
	sn_metrics_sample(metrics, sn_http_server_connections(hub->server), NULL);
	sn_metrics_family(metrics, "sonde_event_subscribers", SN_METRIC_GAUGE, "",
			  "Event streams to people and programs.");
	sn_metrics_sample(metrics, sn_events_subscribers(hub->events), NULL);
	sn_metrics_family(metrics, "sonde_measurements", SN_METRIC_GAUGE, "",
			  "Measurements that have not ended.");
	sn_metrics_sample(metrics, (double)sn_measures_live_count(hub->measures), NULL);
	sn_metrics_family(metrics, "sonde_offers", SN_METRIC_GAUGE, "",
			  "Capabilities that nodes and peers offer.");
	sn_metrics_sample(metrics, (double)sn_offers_count(hub->offers), NULL);
	sn_metrics_family(metrics, "sonde_disk_free_bytes", SN_METRIC_GAUGE, "bytes",
			  "Free space where the store lives.");
	sn_metrics_sample(metrics, (double)sn_fs_free_bytes(hub->store_dir), NULL);
}

static void ingest_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	static const char *const results[SN_INGEST_RESULTS] = {
		[SN_INGEST_STORED] = "stored",     [SN_INGEST_DUPLICATE] = "duplicate",
		[SN_INGEST_CONFLICT] = "conflict", [SN_INGEST_BAD] = "bad",
		[SN_INGEST_REFUSED] = "refused",   [SN_INGEST_QUARANTINED] = "quarantined",
	};
	const struct sn_ingest_stats *stats = sn_ingest_stats(hub->ingest);

	sn_metrics_family(metrics, "sonde_ingest_batches", SN_METRIC_COUNTER, "",
			  "Batches that nodes have sent, by what became of them.");
	for (size_t i = 0; i < SN_INGEST_RESULTS; i++)
		sn_metrics_sample(metrics, (double)stats->batches[i],
				  SN_LABELS("result", results[i]));
	sn_metrics_family(metrics, "sonde_ingest_rows", SN_METRIC_COUNTER, "",
			  "Rows stored since the start.");
	sn_metrics_sample(metrics, (double)stats->rows, NULL);
	sn_metrics_family(metrics, "sonde_store_commits", SN_METRIC_COUNTER, "",
			  "Commits of the store.");
	sn_metrics_sample(metrics, (double)stats->commits, NULL);
	sn_metrics_family(metrics, "sonde_store_commit_seconds", SN_METRIC_COUNTER, "seconds",
			  "Time spent in commits.");
	sn_metrics_sample(metrics, stats->commit_seconds, NULL);
	sn_metrics_family(metrics, "sonde_store_failing", SN_METRIC_GAUGE, "",
			  "1 while the last commit has failed.");
	sn_metrics_sample(metrics, stats->failing, NULL);
}

static void quarantine_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	struct sn_quarantine_stats stats = sn_quarantine_stats(hub->quarantine);

	sn_metrics_family(metrics, "sonde_quarantine_items", SN_METRIC_GAUGE, "",
			  "What was sent and could not be taken.");
	sn_metrics_sample(metrics, (double)stats.items, NULL);
	sn_metrics_family(metrics, "sonde_quarantine_size_bytes", SN_METRIC_GAUGE, "bytes",
			  "Content of what lies in quarantine.");
	sn_metrics_sample(metrics, (double)stats.bytes, NULL);
	sn_metrics_family(metrics, "sonde_quarantine_added", SN_METRIC_COUNTER, "",
			  "Put into quarantine since the start.");
	sn_metrics_sample(metrics, (double)stats.added, NULL);
	sn_metrics_family(metrics, "sonde_quarantine_dropped", SN_METRIC_COUNTER, "",
			  "Given up for want of room since the start.");
	sn_metrics_sample(metrics, (double)stats.dropped, NULL);
}

static void upkeep_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	struct sn_upkeep_status status;

	sn_upkeep_status(hub->upkeep, &status);
	sn_metrics_family(metrics, "sonde_store_merges", SN_METRIC_COUNTER, "",
			  "Times that small blocks of the store were put together.");
	sn_metrics_sample(metrics, (double)status.merges, NULL);
	sn_metrics_family(metrics, "sonde_store_upkeep_failing", SN_METRIC_GAUGE, "",
			  "1 while blocks of the store cannot be put together.");
	sn_metrics_sample(metrics, status.failing, NULL);
}

static void replica_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	struct sn_follower_status status;
	double lag_s;

	if (hub->follower == NULL)
		return;
	sn_follower_status(hub->follower, &status);
	lag_s = (double)(sn_hub_now(hub) - SN_MAX(status.current_ns, hub->started_ns)) / 1e9;
	sn_metrics_family(metrics, "sonde_replica_up", SN_METRIC_GAUGE, "",
			  "1 while the primary that this hub follows answers.");
	sn_metrics_sample(metrics, status.state != SN_FOLLOWER_UNREACHABLE, NULL);
	sn_metrics_family(metrics, "sonde_replica_lag_seconds", SN_METRIC_GAUGE, "seconds",
			  "Time since all of the primary's rows were here.");
	sn_metrics_sample(metrics, lag_s, NULL);
	sn_metrics_family(metrics, "sonde_replica_rows", SN_METRIC_COUNTER, "",
			  "Rows fetched from the primary since the start.");
	sn_metrics_sample(metrics, (double)status.rows, NULL);
	sn_metrics_family(metrics, "sonde_replica_missing_rows", SN_METRIC_GAUGE, "",
			  "Rows that the primary had no more when they were asked for.");
	sn_metrics_sample(metrics, (double)status.missing, NULL);
}

static void clickhouse_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	struct sn_mover_status status;

	if (sn_moving_mover(hub) == NULL)
		return;
	sn_mover_status(sn_moving_mover(hub), &status);
	sn_metrics_family(metrics, "sonde_clickhouse_up", SN_METRIC_GAUGE, "",
			  "1 while the ClickHouse that rows move to answers.");
	sn_metrics_sample(metrics, status.state != SN_MOVER_UNREACHABLE, NULL);
	sn_metrics_family(metrics, "sonde_clickhouse_moved_rows", SN_METRIC_GAUGE, "",
			  "Rows that are in ClickHouse.");
	sn_metrics_sample(metrics, (double)status.moved_rows, NULL);
	sn_metrics_family(metrics, "sonde_clickhouse_waiting_rows", SN_METRIC_GAUGE, "",
			  "Rows in the store's files that are to move there.");
	sn_metrics_sample(metrics, (double)status.waiting_rows, NULL);
	sn_metrics_family(metrics, "sonde_clickhouse_inserts", SN_METRIC_COUNTER, "",
			  "Blocks that were inserted.");
	sn_metrics_sample(metrics, (double)status.inserts, NULL);
	sn_metrics_family(metrics, "sonde_clickhouse_insert_seconds", SN_METRIC_COUNTER, "seconds",
			  "Time spent in inserts.");
	sn_metrics_sample(metrics, status.insert_seconds, NULL);
	sn_metrics_family(metrics, "sonde_clickhouse_failures", SN_METRIC_COUNTER, "",
			  "Times that moving rows did not succeed.");
	sn_metrics_sample(metrics, (double)status.failures, NULL);
}

static void node_metrics(struct sn_metrics *metrics, const struct sn_hub *hub)
{
	static const enum sn_node_state states[] = {SN_NODE_ONLINE, SN_NODE_OFFLINE,
						    SN_NODE_REVOKED};

	sn_metrics_family(metrics, "sonde_nodes", SN_METRIC_GAUGE, "", "Nodes by state.");
	for (size_t i = 0; i < SN_COUNT(states); i++)
		sn_metrics_sample(metrics, (double)sn_fleet_count_state(hub->fleet, states[i]),
				  SN_LABELS("state", sn_node_state_name(states[i])));
	sn_metrics_family(metrics, "sonde_node_up", SN_METRIC_GAUGE, "",
			  "1 while the node is online.");
	for (size_t i = 0; i < sn_fleet_count(hub->fleet); i++) {
		const struct sn_node *node = sn_fleet_at(hub->fleet, i);

		if (node->state != SN_NODE_REVOKED)
			sn_metrics_sample(metrics, node->state == SN_NODE_ONLINE,
					  SN_LABELS("node", node->id, "name", node->name));
	}
	sn_metrics_family(metrics, "sonde_node_last_seen_timestamp_seconds", SN_METRIC_GAUGE,
			  "seconds", "Unix time of the node's last request.");
	for (size_t i = 0; i < sn_fleet_count(hub->fleet); i++) {
		const struct sn_node *node = sn_fleet_at(hub->fleet, i);

		if (node->state != SN_NODE_REVOKED)
			sn_metrics_sample(metrics, (double)node->last_seen_ns / 1e9,
					  SN_LABELS("node", node->id, "name", node->name));
	}
}

static void get_metrics(struct sn_http_request *request, void *ctx)
{
	const struct sn_hub *hub = ctx;
	bool open_metrics = sn_api_accepts(request, OPENMETRICS);
	struct sn_buf text = {0};
	struct sn_metrics metrics;

	sn_metrics_init(&metrics, &text, open_metrics);
	hub_metrics(&metrics, hub);
	ingest_metrics(&metrics, hub);
	quarantine_metrics(&metrics, hub);
	upkeep_metrics(&metrics, hub);
	replica_metrics(&metrics, hub);
	clickhouse_metrics(&metrics, hub);
	node_metrics(&metrics, hub);
	sn_metrics_process(&metrics);
	sn_metrics_end(&metrics);
	sn_http_reply(request, 200,
		      open_metrics ? OPENMETRICS "; version=1.0.0; charset=utf-8"
				   : "text/plain; version=0.0.4; charset=utf-8",
		      text.p, text.n);
	sn_buf_finish(&text);
}

static const struct sn_api_doc doc = {
	.id = "getMetrics",
	.tag = "hub",
	.summary = "numbers about the hub and its nodes, as OpenMetrics text",
	.kind = SN_ANSWER_TEXT,
	.content_type = OPENMETRICS,
};
static const struct sn_http_route routes[] = {
	{"GET", "/metrics", get_metrics, 0, SN_ACCESS_LOOPBACK | SN_ACCESS_USER, &doc},
};
const struct sn_api_routes sn_api_metrics = {routes, SN_COUNT(routes)};
