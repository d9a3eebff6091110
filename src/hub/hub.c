/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "hub"
#include "hub/hub_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "hub/annotate_files.h"
#include "hub/api/api.h"
#include "hub/control.h"
#include "hub/enforce.h"
#include "hub/enrol.h"
#include "hub/progress.h"
#include "hub/publish.h"

#define COOKIE_ID_LENGTH 8 /* characters of the hub's id: 40 random bits */
#define LATEST_AGE_NS    (300 * SN_NS_PER_S)
#define QUESTIONS_MAX    256 /* about rows, waiting and being answered */
#define PASSWORDS_MAX    8

int64_t sn_hub_now(const struct sn_hub *hub)
{
	return sn_loop_wall_now(hub->loop);
}

void sn_hub_audit(struct sn_hub *hub, const char *actor, const char *action, const char *subject,
		  const char *detail)
{
	struct sn_err err = {0};

	if (sn_control_audit(hub->control, sn_hub_now(hub), actor, action, subject, detail, &err) !=
	    0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot write the audit trail: %s", err.text);
}

/* Nodes ----------------------------------------------------------------------- */

static bool peer_is_node(const struct sn_pki_info *peer, void *ctx)
{
	const struct sn_node *node = ctx;

	return strncmp(peer->uri, SN_URI_NODE, strlen(SN_URI_NODE)) == 0 &&
	       strcmp(peer->uri + strlen(SN_URI_NODE), node->id) == 0;
}

static int write_revocation(struct sn_hub *hub, struct sn_node *node, const char *actor,
			    struct sn_err *err)
{
	char uri[SN_PKI_NAME_MAX];
	int64_t now_ns = sn_hub_now(hub);

	snprintf(uri, sizeof(uri), SN_URI_NODE "%s", node->id);
	if (sn_identity_revoke_uri(hub->identity, uri, now_ns, err) != 0 ||
	    sn_control_audit(hub->control, now_ns, actor, "node.revoke", node->id, node->name,
			     err) != 0)
		return err->code;
	return sn_fleet_revoke(hub->fleet, node, now_ns, err);
}

/* What it had still to do, nobody will do. */
static void end_parts(struct sn_hub *hub, const struct sn_node *node)
{
	char provider[SN_ULID_SIZE + 8];
	struct sn_err err = {0};

	snprintf(provider, sizeof(provider), "node:%s", node->id);
	if (sn_measures_leave(hub->measures, provider, "the node was revoked", sn_hub_now(hub),
			      &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot end the measurements of node '%s': %s",
			       node->name, err.text);
}

int sn_hub_revoke_node(struct sn_hub *hub, struct sn_node *node, const char *actor,
		       struct sn_err *err)
{
	unsigned closed;

	if (node->state == SN_NODE_REVOKED)
		return 0;
	if (sn_db_begin(hub->control, err) != 0)
		return err->code;
	if (write_revocation(hub, node, actor, err) != 0) {
		sn_db_rollback(hub->control);
		return err->code;
	}
	if (sn_db_commit(hub->control, err) != 0)
		return err->code;
	sn_offers_set_node(hub->offers, node);
	end_parts(hub, node);
	closed = sn_http_server_close_peers(hub->server, peer_is_node, node);
	sn_notice("node is revoked node=%s name=%s by=%s connections=%u", node->id, node->name,
		  actor, closed);
	return 0;
}

void sn_hub_tell_tasks(struct sn_hub *hub, const struct sn_node *node)
{
	char etag[SN_TASKS_ETAG_SIZE], data[SN_TASKS_ETAG_SIZE + 16];
	int n;

	if (node->stream == NULL)
		return;
	sn_measures_etag(hub->measures, node->id, etag);
	n = snprintf(data, sizeof(data), "{\"etag\":\"%s\"}", etag);
	sn_sse_send(node->stream, "tasks", NULL, (struct sn_str){data, (size_t)n});
}

/* Starting ------------------------------------------------------------------------ */

static int name_hub(struct sn_hub *hub, struct sn_err *err)
{
	int rc = sn_control_hub_id(hub->control, hub->started_ns, hub->id, sizeof(hub->id), err);

	if (rc != 0)
		return rc;
	snprintf(hub->session_cookie, sizeof(hub->session_cookie), "sonde_session_%s",
		 hub->id + strlen(hub->id) - COOKIE_ID_LENGTH);
	return 0;
}

static int open_state(struct sn_hub *hub, struct sn_err *err)
{
	sn_autofree char *lock = sn_fs_join(hub->config->state, "lock");
	sn_autofree char *control = sn_fs_join(hub->config->state, "control.sqlite");

	if (sn_fs_mkdirs(hub->config->state, 0700, err) != 0)
		return sn_err_wrap(err, "cannot use state directory '%s'", hub->config->state);
	hub->lock = sn_fs_lock(lock, err);
	if (hub->lock < 0)
		return sn_err_wrap(err,
				   "cannot use state directory '%s': another hub may be running",
				   hub->config->state);
	if (sn_control_open(control, &hub->control, err) != 0)
		return err->code;
	return name_hub(hub, err);
}

static int note_latest(const struct sn_value *row, void *ctx)
{
	struct sn_hub *hub = ctx;
	const struct sn_value *id = &row[SN_COL_NODE];
	char text[64];
	struct sn_node *node;

	if (id->type != SN_TYPE_TEXT)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)SN_MIN(id->s.n, sizeof(text) - 1), id->s.p);
	node = sn_fleet_by_id(hub->fleet, text);
	if (node != NULL)
		sn_fleet_row(hub->fleet, node, &sn_dataset_ping, row);
	return 0;
}

/* A damaged day is set aside by the store and must not keep the hub from starting. */
static int open_store(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_err damage = {0};

	hub->store_dir = sn_fs_join(hub->config->state, "store");
	sn_moving_options(hub->config, &hub->ending, &hub->store_options);
	if (sn_store_open_with(hub->store_dir, &hub->store_options.loop, &hub->store, err) != 0)
		return sn_err_wrap(err, "cannot use the store");
	hub->readers = sn_readers_create(hub->store_dir, &hub->store_options.threads);
	/* A replica fetches such rows again: from two places they would come twice. */
	if (sn_upkeep_start(hub->store_dir, SN_UPKEEP_PAUSE_MS, hub->config->replica_of[0] == '\0',
			    &hub->upkeep, err) != 0)
		return err->code;
	sn_hub_retain(hub);
	sn_hub_warn_if(sn_hub_count_rows(hub, &damage), &damage, "count the rows");
	/* Those in ClickHouse are read by a thread. */
	if (sn_store_latest(hub->store, &sn_dataset_ping, hub->started_ns - LATEST_AGE_NS,
			    note_latest, hub, &damage) != -EREMOTE)
		sn_hub_warn_if(damage.code, &damage, "read the newest rows");
	return 0;
}

static int open_quarantine(struct sn_hub *hub, struct sn_err *err)
{
	sn_autofree char *path = sn_fs_join(hub->config->state, "quarantine.sqlite");

	return sn_quarantine_open(path, hub->config->quarantine_limit, &hub->quarantine, err);
}

/* Those that follow this hub, and the one that it follows. */
static int open_replicas(struct sn_hub *hub, struct sn_err *err)
{
	const struct sn_hub_config *config = hub->config;
	struct sn_follower_config follow = {
		.url = config->replica_of,
		.id = hub->id,
		.store = hub->store_dir,
		.ca = config->replica_ca,
		.token_file = config->replica_token_file,
		.certificate = config->replica_certificate,
		.key = config->replica_key,
		.interval_ns = config->replica_interval,
		.retention_days = config->retention_days,
		.drop = config->replica_drop,
	};

	hub->store_jobs = sn_store_jobs_create();
	if (sn_replicas_open(config->state, hub->store_dir, config->replica_hold, &hub->replicas,
			     err) != 0)
		return err->code;
	return config->replica_of[0] == '\0' ? 0 : sn_follower_start(&follow, &hub->follower, err);
}

static int open_authority(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_authority_config config = {
		.loop = hub->loop,
		.db = hub->control,
		.people = hub->people,
		.fleet = hub->fleet,
		.file = hub->config->policy,
		.state = hub->config->state,
		.on_problem = sn_publish_problem,
		.on_policy = sn_enforce_policy,
		.ctx = hub,
	};

	return sn_authority_open(&config, &hub->authority, err);
}

static void measure_changed(const struct sn_measure *measure, const struct sn_measure_part *part,
			    void *ctx)
{
	struct sn_hub *hub = ctx;

	sn_progress_changed(measure, part, hub);
	sn_supervisor_measure_changed(hub->supervisor, measure, part);
}

/* In the audit trail they come before what they led to. */
static void flush_decisions(void *ctx)
{
	sn_authority_flush(ctx);
}

static int open_measures(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_measures_config config = {
		.db = hub->control,
		.fleet = hub->fleet,
		.prepare = flush_decisions,
		.permit = sn_authority_permit_measure,
		.may_join = sn_authority_may_join,
		.permit_ctx = hub->authority,
		.on_change = measure_changed,
		.on_count = sn_progress_counted,
		.ctx = hub,
	};

	hub->registries = sn_mp_registries_create();
	sn_mp_offer_load(hub->registries);
	hub->offers = sn_offers_create(hub->registries);
	sn_authority_set_offers(hub->authority, hub->offers);
	for (size_t i = 0; i < sn_fleet_count(hub->fleet); i++)
		sn_offers_set_node(hub->offers, sn_fleet_at(hub->fleet, i));
	config.registries = hub->registries;
	config.offers = hub->offers;
	if (sn_measures_open(&config, hub->started_ns, &hub->measures, err) != 0)
		return err->code;
	for (size_t i = 0; i < sn_measures_count(hub->measures); i++)
		sn_authority_note_measure(hub->authority, sn_measures_at(hub->measures, i), NULL);
	hub->progress = sn_progress_create(hub);
	sn_enforce_open(hub);
	return 0;
}

static void rows_stored(struct sn_node *node, const struct sn_batch *batch, void *ctx)
{
	struct sn_hub *hub = ctx;

	if (node != NULL)
		sn_progress_rows(hub, node, batch);
	if (node != NULL && hub->supervisor != NULL)
		sn_supervisor_rows_stored(hub->supervisor, batch);
	sn_publish_rows(node, batch, hub);
}

static int open_ingest(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_ingest_config config = {
		.loop = hub->loop,
		.dir = hub->store_dir,
		.fleet = hub->fleet,
		.quarantine = hub->quarantine,
		.annotator = hub->annotator,
		.on_stored = rows_stored,
		.ctx = hub,
	};

	hub->room_own = sn_room_create(SN_INGEST_FLIGHT_MAX);
	/* The rest is for nodes and people, whatever peers send. */
	hub->room_peers = sn_room_create(SN_INGEST_FLIGHT_MAX / 2);
	return sn_ingest_create(&config, &hub->ingest, err);
}

static void offers_changed(const char *label, void *ctx)
{
	const struct sn_hub *hub = ctx;

	(void)label;
	sn_supervisor_offers_changed(hub->supervisor);
}

static int open_imports(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_uploads_config config = {
		.db = hub->control,
		.work = hub->work,
		.state = hub->config->state,
		.limit = hub->config->upload_limit,
	};

	if (sn_uploads_open(&config, &hub->uploads, err) != 0)
		return err->code;
	return sn_imports_open(hub, &hub->imports, err);
}

static int open_parts(struct sn_hub *hub, struct sn_err *err)
{
	int64_t now_ns = hub->started_ns;

	if (open_state(hub, err) != 0 ||
	    sn_identity_open(hub->config->state, hub->id, hub->control, now_ns, &hub->identity,
			     err) != 0 ||
	    sn_trust_open(&hub->config->trust, hub->identity, now_ns, &hub->trust, err) != 0 ||
	    sn_people_open(hub->control, now_ns, &hub->people, err) != 0 ||
	    sn_fleet_open(hub->control, now_ns, hub->config->heartbeat_interval, &hub->fleet,
			  err) != 0 ||
	    sn_derived_open(hub->control, &hub->derived, err) != 0 || open_store(hub, err) != 0 ||
	    open_quarantine(hub, err) != 0)
		return err->code;
	sn_identity_set_foreign(hub->identity, sn_trust_foreign_pem(hub->trust));
	hub->crl = sn_crl_create(hub->identity);
	hub->events = sn_events_create(hub->loop);
	sn_publish_init(hub);
	if (open_replicas(hub, err) != 0 || open_authority(hub, err) != 0 ||
	    open_measures(hub, err) != 0 || sn_annotate_open(hub, err) != 0 ||
	    open_ingest(hub, err) != 0)
		return err->code;
	hub->work = sn_work_pool_create(hub->loop, QUESTIONS_MAX);
	if (sn_moving_start(hub, err) != 0)
		return err->code;
	hub->streams = sn_streams_create(hub);
	hub->passwords = sn_work_pool_create(hub->loop, PASSWORDS_MAX);
	hub->retry = sn_retry_create(hub);
	hub->logins = sn_throttle_create(60 * SN_NS_PER_S);
	hub->web = sn_web_open(hub->config->web_dir);
	if (sn_dumps_create(hub, &hub->dumps, err) != 0)
		return err->code;
	sn_offers_on_change(hub->offers, offers_changed, hub);
	if (open_imports(hub, err) != 0)
		return err->code;
	return sn_supervisor_open(hub, &hub->supervisor, err);
}

static int open_server(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_http_config config = {.guard = sn_guard, .ctx = hub};

	sn_api_make_routes(hub);
	config.routes = hub->routes;
	config.route_count = hub->route_count;
	hub->server = sn_http_server_create(hub->loop, &config);
	return hub->server != NULL ? 0 : sn_err_set(err, -ENOMEM, "cannot make the HTTP server");
}

int sn_hub_create(struct sn_loop *loop, const struct sn_hub_config *config, struct sn_hub **hub,
		  struct sn_err *err)
{
	struct sn_hub *made = sn_new(struct sn_hub);

	made->loop = loop;
	made->config = config;
	made->lock = -1;
	made->started_ns = sn_loop_wall_now(loop);
	if (open_parts(made, err) != 0 || open_server(made, err) != 0 ||
	    sn_hub_listen(made, err) != 0 || sn_math_open(made, &made->math, err) != 0 ||
	    sn_hub_announce(made, err) != 0) {
		sn_hub_destroy(made);
		return err->code;
	}
	sn_timer_init(&made->tick, loop, sn_hub_tick);
	sn_timer_in(&made->tick, SN_HUB_TICK_NS);
	*hub = made;
	return 0;
}

void sn_hub_destroy(struct sn_hub *hub)
{
	if (hub == NULL)
		return;
	sn_timer_stop(&hub->tick);
	atomic_store(&hub->ending, true);
	if (hub->people != NULL)
		sn_hub_unannounce(hub);
	/* First the server: its requests refer to everything below, and work for them can end. */
	sn_http_server_destroy(hub->server);
	sn_math_close(hub->math);
	sn_streams_destroy(hub->streams);
	sn_dumps_destroy(hub->dumps);
	sn_retry_stop(hub->retry);
	sn_imports_close(sn_steal(&hub->imports));
	sn_work_pool_destroy(hub->work);
	sn_work_pool_destroy(hub->passwords);
	sn_uploads_close(hub->uploads);
	sn_store_jobs_destroy(hub->store_jobs);
	sn_follower_stop(hub->follower);
	sn_moving_stop(hub);
	sn_replicas_close(hub->replicas);
	sn_readers_destroy(hub->readers);
	sn_upkeep_stop(hub->upkeep);
	sn_ingest_destroy(hub->ingest);
	sn_room_destroy(hub->room_own);
	sn_room_destroy(hub->room_peers);
	sn_retry_destroy(hub->retry);
	sn_annotate_close(hub);
	sn_quarantine_close(hub->quarantine);
	sn_supervisor_close(sn_steal(&hub->supervisor));
	sn_progress_destroy(hub->progress);
	hub->progress = NULL;
	sn_events_destroy(hub->events);
	sn_throttle_destroy(hub->logins);
	sn_web_close(hub->web);
	sn_store_close(hub->store);
	sn_measures_close(hub->measures);
	sn_offers_destroy(hub->offers);
	sn_derived_close(hub->derived);
	sn_mp_registries_destroy(hub->registries);
	sn_authority_close(hub->authority);
	sn_fleet_close(hub->fleet, sn_hub_now(hub));
	sn_people_close(hub->people);
	sn_crl_destroy(hub->crl);
	sn_trust_close(hub->trust);
	sn_identity_close(hub->identity);
	sn_db_close(hub->control);
	if (hub->lock >= 0)
		close(hub->lock);
	free(hub->routes);
	free(hub->handlers);
	free(hub->openapi);
	free(hub->store_dir);
	free(hub);
}
