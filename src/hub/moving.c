/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "moving"
#include "hub/moving.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "hub/publish.h"
#include "hub/replicas.h"
#include "hub/sql.h"

#define TIMEOUT_S     15 /* of a question, without progress */
#define LATEST_AGE_NS (300 * SN_NS_PER_S)
/* A server that is started again is no news. */
#define PROBLEM_AFTER_NS (10 * SN_NS_PER_S)

struct sn_moving {
	struct sn_mover *mover;
	char problem[SN_ERR_TEXT_MAX + 64]; /* "" */
};

static const char *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

void sn_moving_options(const struct sn_hub_config *config, const atomic_bool *stop,
		       struct sn_moving_options *options)
{
	const char *url = text_or_null(config->clickhouse);

	*options = (struct sn_moving_options){
		.clickhouse = {.url = url,
			       .cluster = text_or_null(config->clickhouse_cluster),
			       .ca = text_or_null(config->clickhouse_ca),
			       .timeout_s = TIMEOUT_S,
			       .stop = stop},
		.threads = {.retention_days = (unsigned)config->retention_days},
	};
	if (url != NULL)
		options->threads.clickhouse = &options->clickhouse;
	options->loop = options->threads;
	options->loop.local = true;
}

int sn_moving_check(const struct sn_hub_config *config, struct sn_err *err)
{
	struct sn_moving_options options;
	struct sn_clickhouse *client;

	sn_moving_options(config, NULL, &options);
	if (options.clickhouse.url == NULL)
		return options.clickhouse.cluster == NULL
			       ? 0
			       : sn_err_set(err, -EINVAL,
					    "key 'clickhouse_cluster': there is no 'clickhouse'");
	if (sn_clickhouse_open(&options.clickhouse, &client, err) != 0)
		return sn_err_wrap(err, "key 'clickhouse'");
	sn_clickhouse_close(client);
	return 0;
}

/* The newest rows ------------------------------------------------------------- */

/* Most of them have moved before the hub ended. */
struct latest {
	struct sn_work work;
	struct sn_hub *hub;
	struct sn_reader reader;
	int64_t since_ns;
	struct sn_batch *rows;
	struct sn_err err;
};

static int keep_row(const struct sn_value *row, void *ctx)
{
	struct sn_batch *rows = ctx;
	size_t at = sn_batch_add_row(rows);

	for (size_t i = 0; i < sn_dataset_ping.column_count; i++)
		sn_batch_set(rows, at, (int)i, row[i]);
	return 0;
}

static void read_latest(struct sn_work *work)
{
	struct latest *latest = sn_container_of(work, struct latest, work);

	(void)sn_store_latest(latest->reader.store, &sn_dataset_ping, latest->since_ns, keep_row,
			      latest->rows, &latest->err);
}

static void take_row(struct sn_hub *hub, const struct sn_value *row)
{
	const struct sn_value *id = &row[SN_COL_NODE];
	struct sn_node *node;
	char text[64];

	if (id->type != SN_TYPE_TEXT)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)SN_MIN(id->s.n, sizeof(text) - 1), id->s.p);
	node = sn_fleet_by_id(hub->fleet, text);
	if (node != NULL)
		sn_fleet_row(hub->fleet, node, &sn_dataset_ping, row);
}

static void latest_destroy(struct latest *latest)
{
	sn_readers_give(latest->hub->readers, &latest->reader);
	sn_batch_destroy(latest->rows);
	free(latest);
}

static void take_latest(struct sn_work *work)
{
	struct latest *latest = sn_container_of(work, struct latest, work);

	if (latest->err.code != 0)
		sn_warn("cannot read the newest rows: %s", latest->err.text);
	for (size_t i = 0; i < sn_batch_rows(latest->rows); i++)
		take_row(latest->hub, sn_batch_row(latest->rows, i));
	latest_destroy(latest);
}

static void ask_for_latest(struct sn_hub *hub)
{
	struct latest *latest = sn_new(struct latest);

	latest->hub = hub;
	latest->since_ns = hub->started_ns - LATEST_AGE_NS;
	latest->rows = sn_batch_create(&sn_dataset_ping);
	if (sn_readers_take(hub->readers, &latest->reader, &latest->err) != 0 ||
	    sn_work_start(hub->work, &latest->work, read_latest, take_latest) != 0)
		latest_destroy(latest);
}

/* A replica gets its rows from this hub's files. */
static int64_t wanted_from(void *ctx, int32_t day, const char *dataset, unsigned version)
{
	return sn_replicas_floor(ctx, day, dataset, version);
}

/* Its life ---------------------------------------------------------------------- */

int sn_moving_start(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_mover_config config = {
		.dir = hub->store_dir,
		.clickhouse = hub->store_options.clickhouse,
		.after_ns = SN_MAX(hub->config->clickhouse_move_after, 1),
		.retention_days = (unsigned)hub->config->retention_days,
		.floor = wanted_from,
		.ctx = hub->replicas,
	};

	if (config.clickhouse.url == NULL)
		return 0;
	config.clickhouse.timeout_s = 0;
	hub->moving = sn_new(struct sn_moving);
	if (sn_mover_start(&config, &hub->moving->mover, err) != 0)
		return sn_err_wrap(err, "cannot move rows to ClickHouse");
	ask_for_latest(hub);
	return 0;
}

void sn_moving_stop(struct sn_hub *hub)
{
	if (hub->moving == NULL)
		return;
	sn_mover_stop(hub->moving->mover);
	free(sn_steal(&hub->moving));
}

/* What is told ------------------------------------------------------------------ */

static void describe(const struct sn_hub *hub, const struct sn_mover_status *status, char *out,
		     size_t size)
{
	out[0] = '\0';
	if (status->state == SN_MOVER_OK || sn_hub_now(hub) - status->since_ns < PROBLEM_AFTER_NS)
		return;
	snprintf(out, size, "moving rows to ClickHouse: %s", status->reason);
}

void sn_moving_tick(struct sn_hub *hub)
{
	char problem[sizeof(hub->moving->problem)];
	struct sn_mover_status status;

	if (hub->moving == NULL)
		return;
	sn_mover_status(hub->moving->mover, &status);
	describe(hub, &status, problem, sizeof(problem));
	if (strcmp(problem, hub->moving->problem) == 0)
		return;
	memcpy(hub->moving->problem, problem, sizeof(problem));
	sn_publish_problem(NULL, hub);
}

const char *sn_moving_problem(const struct sn_hub *hub)
{
	return hub->moving != NULL ? text_or_null(hub->moving->problem) : NULL;
}

json_t *sn_moving_json(const struct sn_hub *hub)
{
	struct sn_mover_status s;
	json_t *json;

	if (hub->moving == NULL)
		return json_null();
	sn_mover_status(hub->moving->mover, &s);
	json = json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "url", s.url, "cluster",
			 sn_json_text(text_or_null(s.cluster)), "version",
			 sn_json_text(text_or_null(s.version)), "state",
			 sn_mover_state_name(s.state), "reason",
			 sn_json_text(text_or_null(s.reason)), "since", sn_json_time(s.since_ns));
	json_object_update_new(
		json, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "direction",
				s.back ? "to_sqlite" : "to_clickhouse", "moved_blocks",
				(json_int_t)s.moved_blocks, "moved_rows", (json_int_t)s.moved_rows,
				"waiting_blocks", (json_int_t)s.waiting_blocks, "waiting_rows",
				(json_int_t)s.waiting_rows, "oldest_waiting",
				s.oldest_waiting_ns != 0 ? sn_json_time(s.oldest_waiting_ns)
							 : json_null()));
	return json;
}

struct sn_mover *sn_moving_mover(const struct sn_hub *hub)
{
	return hub->moving != NULL ? hub->moving->mover : NULL;
}
