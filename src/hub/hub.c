/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "hub"
#include "hub/hub.h"

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

#define TICK_NS          SN_NS_PER_S
#define TICKS_CHECK      2  /* are the owners of open streams still who they were */
#define TICKS_HOSTS      10 /* has this machine got other addresses */
#define TICKS_SAVE       60 /* write behind, tidy */
#define TICKS_RETAIN     3600
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

/* What is done from time to time ------------------------------------------------- */

static void warn_if(int failed, const struct sn_err *err, const char *what)
{
	if (failed != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot %s: %s", what, err->text);
}

static bool owner_is_good(const void *owner, void *ctx)
{
	struct sn_hub *hub = ctx;

	return sn_guard_still(hub, owner, sn_hub_now(hub));
}

static bool peer_is_refused(const struct sn_pki_info *peer, void *ctx)
{
	struct sn_hub *hub = ctx;

	return !sn_trust_accepts(hub->trust, peer, sn_hub_now(hub), NULL);
}

/* Foreign CAs, their peers and revocation lists are configured in files that may change. */
static void refresh_trust(struct sn_hub *hub)
{
	int news = sn_trust_refresh(hub->trust, sn_hub_now(hub));
	struct sn_http_tls tls;
	struct sn_err err = {0};

	if (news & SN_TRUST_PROBLEMS)
		sn_publish_problem(NULL, hub);
	if (news & SN_TRUST_CAS) {
		sn_identity_set_foreign(hub->identity, sn_trust_foreign_pem(hub->trust));
		tls = sn_identity_tls(hub->identity);
		warn_if(sn_http_server_set_tls(hub->server, &tls, &err), &err,
			"use the foreign CAs");
	}
	if (news & SN_TRUST_CHANGED)
		sn_http_server_close_peers(hub->server, peer_is_refused, hub);
}

static void renew_if_due(struct sn_hub *hub, bool look_at_hosts)
{
	struct sn_err err = {0};
	struct sn_http_tls tls;
	char **hosts;

	if (!look_at_hosts && !sn_identity_server_is_due(hub->identity, NULL, sn_hub_now(hub)))
		return;
	hosts = sn_hub_hosts(hub);
	if (sn_identity_server_is_due(hub->identity, (const char *const *)hosts, sn_hub_now(hub))) {
		if (sn_identity_make_server(hub->identity, (const char *const *)hosts,
					    sn_hub_now(hub), hub->config->hub_certificate_life,
					    &err) == 0) {
			tls = sn_identity_tls(hub->identity);
			(void)sn_http_server_set_tls(hub->server, &tls, &err);
		}
		warn_if(err.code, &err, "renew the hub's certificate");
		if (err.code == 0)
			sn_info("the hub's certificate was renewed");
	}
	sn_hub_free_hosts(hosts);
}

static void tidy(struct sn_hub *hub)
{
	struct sn_err err = {0};
	int64_t now_ns = sn_hub_now(hub);

	warn_if(sn_fleet_save(hub->fleet, &err), &err, "save the nodes");
	warn_if(sn_people_tidy(hub->people, now_ns, &err), &err, "drop old sessions");
	warn_if(sn_enrol_tidy(hub->control, now_ns, &err), &err, "drop old invites");
	warn_if(sn_control_tidy(hub->control, &err), &err, "tidy the control database");
	warn_if(sn_certificates_tidy(hub->control, now_ns, &err), &err, "drop old certificates");
	sn_uploads_tidy(hub->uploads, now_ns);
}

struct retention {
	struct sn_hub *hub;
	char oldest[11]; /* first day that is kept */
	char drop[64][11];
	unsigned count;
};

static int note_day(const struct sn_store_day *day, void *ctx)
{
	struct retention *retention = ctx;

	if (strcmp(day->day, retention->oldest) < 0 && retention->count < SN_COUNT(retention->drop))
		memcpy(retention->drop[retention->count++], day->day, sizeof(day->day));
	return 0;
}

static int count_day(const struct sn_store_day *day, void *ctx)
{
	*(uint64_t *)ctx += day->rows;
	return 0;
}

/* Such that rows_before plus the rows stored since is what there is. */
static int count_rows(struct sn_hub *hub, struct sn_err *err)
{
	uint64_t total = 0;

	if (sn_store_days(hub->store, count_day, &total, err) != 0)
		return err->code;
	hub->rows_before = total - (hub->ingest != NULL ? sn_ingest_stats(hub->ingest)->rows : 0);
	return 0;
}

int sn_hub_drop_day(struct sn_hub *hub, const char *day, struct sn_err *err)
{
	struct sn_err uncounted = {0};

	if (sn_store_drop_day(hub->store, day, err) != 0)
		return err->code;
	sn_readers_renew(hub->readers);
	warn_if(count_rows(hub, &uncounted), &uncounted, "count the rows");
	return 0;
}

static void drop_old_days(struct sn_hub *hub)
{
	struct retention retention = {.hub = hub};
	struct sn_err err = {0};
	char time[SN_TIME_TEXT_MAX];
	int64_t days = (int64_t)hub->config->retention_days;

	if (days == 0)
		return;
	sn_format_time(sn_hub_now(hub) - days * 86400 * SN_NS_PER_S, time, sizeof(time));
	snprintf(retention.oldest, sizeof(retention.oldest), "%.10s", time);
	if (sn_store_days(hub->store, note_day, &retention, &err) != 0) {
		warn_if(err.code, &err, "look for old days");
		return;
	}
	for (unsigned i = 0; i < retention.count; i++) {
		if (sn_store_drop_day(hub->store, retention.drop[i], &err) == 0)
			sn_notice("dropped a day of rows day=%s", retention.drop[i]);
		else
			warn_if(err.code, &err, "drop an old day");
	}
	if (retention.count > 0 && hub->readers != NULL)
		sn_readers_renew(hub->readers);
	if (retention.count > 0)
		warn_if(count_rows(hub, &err), &err, "count the rows");
}

static void tick(struct sn_timer *timer)
{
	struct sn_hub *hub = sn_container_of(timer, struct sn_hub, tick);

	sn_timer_in(timer, TICK_NS);
	hub->ticks++;
	sn_fleet_tick(hub->fleet, sn_hub_now(hub));
	sn_measures_tick(hub->measures, sn_hub_now(hub));
	sn_enforce_tick(hub);
	sn_math_tick(hub->math);
	if (hub->ticks % TICKS_CHECK == 0)
		sn_events_close_unless(hub->events, owner_is_good, hub);
	if (hub->ticks % TICKS_CHECK == 0)
		sn_streams_check(hub->streams);
	sn_moving_tick(hub);
	refresh_trust(hub);
	renew_if_due(hub, hub->ticks % TICKS_HOSTS == 0);
	if (hub->ticks % TICKS_HOSTS == 0)
		sn_annotate_look(hub);
	if (hub->ticks % TICKS_SAVE == 0)
		tidy(hub);
	if (hub->ticks % TICKS_RETAIN == 0)
		drop_old_days(hub);
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
	drop_old_days(hub);
	warn_if(count_rows(hub, &damage), &damage, "count the rows");
	/* Those in ClickHouse are read by a thread. */
	if (sn_store_latest(hub->store, &sn_dataset_ping, hub->started_ns - LATEST_AGE_NS,
			    note_latest, hub, &damage) != -EREMOTE)
		warn_if(damage.code, &damage, "read the newest rows");
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

static int open_measures(struct sn_hub *hub, struct sn_err *err)
{
	struct sn_measures_config config = {
		.db = hub->control,
		.fleet = hub->fleet,
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
		sn_authority_note_measure(hub->authority, sn_measures_at(hub->measures, i));
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

/* Listening -------------------------------------------------------------------------- */

static int listen_at(struct sn_hub *hub, const struct sn_addr *addr, int fd, bool tls,
		     struct sn_err *err)
{
	struct sn_http_tls identity = sn_identity_tls(hub->identity);
	struct sn_listener *listener = &hub->listeners[hub->listener_count];

	if (hub->listener_count >= SN_LISTENERS_MAX)
		return sn_err_set(err, -E2BIG, "cannot listen at more than %d addresses",
				  SN_LISTENERS_MAX);
	if (sn_http_server_listen(hub->server, addr, fd, tls ? &identity : NULL, &listener->addr,
				  err) != 0)
		return err->code;
	listener->tls = tls;
	hub->listener_count++;
	return 0;
}

/* A machine without IPv6 takes the wildcard of IPv4 for that of IPv6. */
static int listen_at_addr(struct sn_hub *hub, const struct sn_addr *addr, bool tls,
			  struct sn_err *err)
{
	int failed = listen_at(hub, addr, -1, tls, err);
	struct sn_addr ipv4;

	if ((failed != -EAFNOSUPPORT && failed != -EADDRNOTAVAIL) ||
	    addr->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr))
		return failed;
	sn_addr_parse(SN_STR("0.0.0.0"), sn_addr_port(addr), &ipv4);
	return listen_at(hub, &ipv4, -1, tls, err);
}

static int listen_at_text(struct sn_hub *hub, const char *key, const char *text, bool tls,
			  struct sn_err *err)
{
	struct sn_addr addr;

	if (sn_addr_parse(sn_str(text), tls ? 8443 : 8080, &addr) != 0)
		return sn_err_set(err, -EINVAL, "key '%s': '%s' is not an address with port", key,
				  text);
	if (listen_at_addr(hub, &addr, tls, err) != 0)
		return err->code == -EADDRINUSE
			       ? sn_err_set(err, err->code,
					    "cannot listen at '%s': the port is in use (stop the "
					    "other program, or set '%s')",
					    text, key)
			       : err->code;
	return 0;
}

static int listen_at_fd(struct sn_hub *hub, int fd, struct sn_err *err)
{
	struct sn_addr addr = {0};

	addr.length = sizeof(addr.in6);
	if (getsockname(fd, &addr.sa, &addr.length) != 0)
		return sn_err_sys(err, -errno, "cannot use inherited descriptor %d", fd);
	return listen_at(hub, &addr, fd, true, err);
}

/* Sockets that a service manager opened for us take the place of `listen`. */
static int listen_tls(struct sn_hub *hub, struct sn_err *err)
{
	const struct sn_hub_config *config = hub->config;
	int handed_over = sn_notify_listen_fds();
	uint64_t fd = 0;

	for (int i = 0; i < handed_over; i++) {
		if (listen_at_fd(hub, 3 + i, err) != 0)
			return err->code;
	}
	for (unsigned i = 0; i < config->listen_fd_tls.count; i++) {
		(void)sn_parse_u64(sn_str(config->listen_fd_tls.items[i]), 3, INT32_MAX, &fd);
		if (listen_at_fd(hub, (int)fd, err) != 0)
			return err->code;
	}
	for (unsigned i = 0; handed_over <= 0 && i < config->listen.count; i++) {
		if (listen_at_text(hub, "listen", config->listen.items[i], true, err) != 0)
			return err->code;
	}
	return 0;
}

/* A certificate is needed to listen, and where we listen is needed for the certificate. */
static int make_certificate(struct sn_hub *hub, struct sn_err *err)
{
	char **hosts = sn_hub_hosts(hub);
	int failed;

	sn_identity_set_subject(hub->identity, hub->config->mplane_identity);
	failed = sn_identity_make_server(hub->identity, (const char *const *)hosts, hub->started_ns,
					 hub->config->hub_certificate_life, err);

	sn_hub_free_hosts(hosts);
	return failed;
}

static int listen_everywhere(struct sn_hub *hub, struct sn_err *err)
{
	const char *local = hub->config->local;
	struct sn_http_tls tls;

	if (make_certificate(hub, err) != 0 || listen_tls(hub, err) != 0)
		return err->code;
	if (local[0] != '\0' && strcmp(local, "none") != 0 &&
	    listen_at_text(hub, "local", local, false, err) != 0)
		return err->code;
	if (hub->listener_count == 0)
		return sn_err_set(err, -EINVAL,
				  "cannot listen anywhere: neither 'listen' nor 'local' is set");
	if (make_certificate(hub, err) != 0)
		return err->code;
	tls = sn_identity_tls(hub->identity);
	return sn_http_server_set_tls(hub->server, &tls, err);
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
	    listen_everywhere(made, err) != 0 || sn_math_open(made, &made->math, err) != 0 ||
	    sn_hub_announce(made, err) != 0) {
		sn_hub_destroy(made);
		return err->code;
	}
	sn_timer_init(&made->tick, loop, tick);
	sn_timer_in(&made->tick, TICK_NS);
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
	free(hub->store_dir);
	free(hub);
}
