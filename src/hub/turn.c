/* SPDX-License-Identifier: Apache-2.0 */
/* What a hub does from time to time, on its loop. */
#define SN_MODULE "hub"
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "hub/annotate_files.h"
#include "hub/api/api.h"
#include "hub/control.h"
#include "hub/enforce.h"
#include "hub/enrol.h"
#include "hub/hub_internal.h"
#include "hub/publish.h"

#define TICKS_CHECK  2  /* are the owners of open streams still who they were */
#define TICKS_HOSTS  10 /* has this machine got other addresses */
#define TICKS_SAVE   60 /* write behind, tidy */
#define TICKS_RETAIN 3600

void sn_hub_warn_if(int failed, const struct sn_err *err, const char *what)
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
		sn_hub_warn_if(sn_http_server_set_tls(hub->server, &tls, &err), &err,
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
		sn_hub_warn_if(err.code, &err, "renew the hub's certificate");
		if (err.code == 0)
			sn_info("the hub's certificate was renewed");
	}
	sn_hub_free_hosts(hosts);
}

static void tidy(struct sn_hub *hub)
{
	struct sn_err err = {0};
	int64_t now_ns = sn_hub_now(hub);

	sn_hub_warn_if(sn_fleet_save(hub->fleet, &err), &err, "save the nodes");
	sn_hub_warn_if(sn_people_tidy(hub->people, now_ns, &err), &err, "drop old sessions");
	sn_hub_warn_if(sn_enrol_tidy(hub->control, now_ns, &err), &err, "drop old invites");
	sn_hub_warn_if(sn_control_tidy(hub->control, &err), &err, "tidy the control database");
	sn_hub_warn_if(sn_certificates_tidy(hub->control, now_ns, &err), &err,
		       "drop old certificates");
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

int sn_hub_count_rows(struct sn_hub *hub, struct sn_err *err)
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
	sn_hub_warn_if(sn_hub_count_rows(hub, &uncounted), &uncounted, "count the rows");
	return 0;
}

void sn_hub_retain(struct sn_hub *hub)
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
		sn_hub_warn_if(err.code, &err, "look for old days");
		return;
	}
	for (unsigned i = 0; i < retention.count; i++) {
		if (sn_store_drop_day(hub->store, retention.drop[i], &err) == 0)
			sn_notice("dropped a day of rows day=%s", retention.drop[i]);
		else
			sn_hub_warn_if(err.code, &err, "drop an old day");
	}
	if (retention.count > 0 && hub->readers != NULL)
		sn_readers_renew(hub->readers);
	if (retention.count > 0)
		sn_hub_warn_if(sn_hub_count_rows(hub, &err), &err, "count the rows");
}

void sn_hub_tick(struct sn_timer *timer)
{
	struct sn_hub *hub = sn_container_of(timer, struct sn_hub, tick);

	sn_timer_in(timer, SN_HUB_TICK_NS);
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
		sn_hub_retain(hub);
}
