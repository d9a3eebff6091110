/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "supervisor"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/supervisor/internal.h"

#define INTERVALS       3 /* between polls that a lease outlives */
#define INTERVAL_MAX_NS (86400 * SN_NS_PER_S)
#define TICKS_DEADLINES 5 /* between two looks for parts whose time is over */

/* Peers ---------------------------------------------------------------------------- */

struct sn_sup_peer *sn_sup_peer_find(const struct sn_supervisor *sup, const char *identity)
{
	return sn_map_get(sup->peers, identity);
}

struct sn_sup_peer *sn_sup_peer_of(const struct sn_supervisor *sup, const char *provider)
{
	return strncmp(provider, "peer:", 5) == 0 ? sn_sup_peer_find(sup, provider + 5) : NULL;
}

struct sn_sup_peer *sn_sup_peer_get(struct sn_supervisor *sup, const char *identity)
{
	struct sn_sup_peer *peer = sn_sup_peer_find(sup, identity);

	if (peer != NULL)
		return peer;
	if (sn_map_count(sup->peers) >= SN_SUPERVISOR_PEERS_MAX ||
	    strlen(identity) + strlen("peer:") >= SN_PROVIDER_MAX)
		return NULL;
	peer = sn_new(struct sn_sup_peer);
	peer->sup = sup;
	peer->identity = sn_xstrdup(identity);
	peer->provider = sn_xasprintf("peer:%s", identity);
	peer->by_token = sn_map_create(NULL);
	sn_list_init(&peer->jobs);
	sn_list_append(&sup->peer_list, &peer->link);
	sn_map_set(sup->peers, identity, peer);
	return peer;
}

void sn_sup_peer_destroy(struct sn_sup_peer *peer)
{
	sn_list_for_each (link, &peer->jobs)
		sn_sup_job_destroy(sn_list_entry(link, struct sn_sup_job, link));
	sn_map_remove(peer->sup->peers, peer->identity);
	sn_list_remove(&peer->link);
	sn_map_destroy(peer->by_token);
	free(peer->callback);
	free(peer->provider);
	free(peer->identity);
	free(peer);
}

int sn_sup_write_flags(const struct sn_sup_peer *peer)
{
	return SN_MP_WRITE_SAFE | (peer->natives ? SN_MP_NATIVES : 0) |
	       (peer->bare ? SN_MP_BARE_ARRAY : 0);
}

/* Leases ----------------------------------------------------------------------------- */

void sn_sup_peer_seen(struct sn_sup_peer *peer, bool polled)
{
	uint64_t now_ns = sn_loop_now(peer->sup->loop), since = now_ns - peer->seen_ns;

	/* Half of what was before: one late poll must not stretch the lease for long. */
	if (polled && peer->seen_ns != 0)
		peer->interval_ns = SN_MIN(SN_MAX(since, peer->interval_ns / 2), INTERVAL_MAX_NS);
	peer->seen_ns = now_ns;
}

static uint64_t lease_of(const struct sn_sup_peer *peer)
{
	const struct sn_hub_config *config = peer->sup->hub->config;
	uint64_t interval = peer->interval_ns;

	if (peer->callback != NULL)
		interval = SN_MAX(interval, (uint64_t)config->mplane_poll);
	return SN_MAX((uint64_t)config->mplane_lease, INTERVALS * interval);
}

void sn_sup_peer_lost(struct sn_sup_peer *peer)
{
	peer->registered = false;
	peer->interval_ns = 0;
	peer->seen_ns = 0;
	sn_offers_withdraw_all(peer->sup->hub->offers, peer->provider);
}

/* A hub on the path that is this one or stands above it; NULL: none. */
static const char *looping(const struct sn_supervisor *sup, const char *path, unsigned *hubs,
			   char hub[SN_ULID_SIZE])
{
	struct sn_str rest = sn_str(path), part;
	const char *found = NULL;

	*hubs = 0;
	while (sn_str_split(&rest, ' ', &part)) {
		char id[SN_ULID_SIZE];

		*hubs += part.n > 0;
		snprintf(id, sizeof(id), "%.*s", (int)SN_MIN(part.n, sizeof(id) - 1), part.p);
		if (found == NULL &&
		    (strcmp(id, sup->hub->id) == 0 || sn_map_get(sup->above, id) != NULL)) {
			memcpy(hub, id, sizeof(id));
			found = hub;
		}
	}
	return found;
}

static int check_path(const struct sn_supervisor *sup, const struct sn_mp_message *capability,
		      struct sn_err *err)
{
	const char *path = sn_mp_meta(capability, SN_PATH_META);
	char id[SN_ULID_SIZE];
	const char *loop;
	unsigned hubs;

	if (path == NULL)
		return 0;
	loop = looping(sup, path, &hubs, id);
	if (loop != NULL)
		return sn_err_set(err, -ELOOP, SN_LOOP_REASON " %s", loop);
	if (hubs > SN_PATH_DEPTH_MAX)
		return sn_err_set(err, -ELOOP, "it came through %u hubs; %d are the most", hubs,
				  SN_PATH_DEPTH_MAX);
	return 0;
}

int sn_sup_peer_offers(struct sn_sup_peer *peer, struct sn_mp_message *capability,
		       struct sn_err *err)
{
	if (sn_mp_is_callback(capability)) {
		sn_mp_set_text(&peer->callback,
			       capability->token != NULL ? capability->token : "callback");
		sn_mp_message_destroy(capability);
		return 0;
	}
	if (check_path(peer->sup, capability, err) != 0) {
		sn_mp_message_destroy(capability);
		return err->code;
	}
	return sn_offers_register(peer->sup->hub->offers, peer->provider, capability, err);
}

void sn_sup_peer_restarted(struct sn_sup_peer *peer)
{
	sn_list_for_each (link, &peer->jobs) {
		struct sn_sup_job *job = sn_list_entry(link, struct sn_sup_job, link);

		job->handed_ns = 0;
		if (job->interrupt)
			continue;
		job->state = SN_SUP_QUEUED;
		job->forbidden = false;
		/* Its capability may be another one now. */
		sn_mp_message_destroy(sn_steal(&job->specification));
	}
}

/* What they have to do ------------------------------------------------------------------ */

struct sn_sup_job *sn_sup_job_find(const struct sn_sup_peer *peer, const char *token)
{
	return sn_map_get(peer->by_token, token);
}

void sn_sup_job_destroy(struct sn_sup_job *job)
{
	sn_timer_stop(&job->timer);
	sn_map_remove(job->peer->by_token, job->token);
	sn_list_remove(&job->link);
	job->peer->job_count--;
	sn_mp_message_destroy(job->specification);
	free(job->kept_back);
	free(job);
}

struct sn_measure_part *sn_sup_job_part(const struct sn_sup_job *job)
{
	return sn_measures_by_part_token(job->peer->sup->hub->measures, job->peer->provider,
					 job->token);
}

void sn_sup_part_state(struct sn_supervisor *sup, struct sn_measure_part *part,
		       enum sn_measure_state state, const char *error)
{
	struct sn_err err = {0};

	if (sn_measures_part_state(sup->hub->measures, part, state, error, sn_hub_now(sup->hub),
				   &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot keep the state of a measurement: %s",
			       err.text);
}

static struct sn_sup_job *job_create(struct sn_sup_peer *peer, const struct sn_measure_part *part)
{
	struct sn_sup_job *job = sn_new(struct sn_sup_job);

	job->peer = peer;
	job->serial = peer->sup->serial++;
	snprintf(job->token, sizeof(job->token), "%s", part->token);
	snprintf(job->measure, sizeof(job->measure), "%s", part->measure->id);
	sn_list_append(&peer->jobs, &job->link);
	sn_map_set(peer->by_token, job->token, job);
	peer->job_count++;
	return job;
}

/* A part that has ended: what was given away is taken back, the rest is forgotten. */
static void job_over(struct sn_sup_job *job, enum sn_measure_state state)
{
	if (state != SN_MEASURE_STOPPED || job->state == SN_SUP_QUEUED) {
		sn_sup_job_destroy(job);
		return;
	}
	if (job->interrupt)
		return;
	job->interrupt = true;
	job->handed_ns = 0;
	if (job->peer->called != NULL)
		sn_sup_called_look(job);
}

void sn_sup_job_sync(struct sn_supervisor *sup, const struct sn_measure_part *part)
{
	struct sn_sup_peer *peer;
	struct sn_sup_job *job;

	if (strncmp(part->provider, "peer:", 5) != 0 || part->token[0] == '\0')
		return;
	peer = sn_sup_peer_get(sup, part->provider + 5);
	if (peer == NULL)
		return;
	job = sn_sup_job_find(peer, part->token);
	if (sn_measure_state_is_final(part->state)) {
		if (job != NULL)
			job_over(job, part->state);
		return;
	}
	if (job != NULL)
		return;
	if (peer->job_count >= SN_SUPERVISOR_QUEUE_MAX) {
		SN_LOG_LIMITED(SN_LOG_WARNING, "too much to do for a peer, the rest waits peer=%s",
			       peer->identity);
		peer->crowded = true;
		return;
	}
	job = job_create(peer, part);
	if (peer->called != NULL)
		sn_sup_called_look(job);
}

/* Was it asked for "now"?  It starts when the peer takes it, seconds later. */
static bool starts_when_taken(const struct sn_measure *measure)
{
	const struct sn_mp_message *specification = measure->specification;

	return !specification->when.repeated && measure->starts_ns == measure->created_ns &&
	       strcmp(specification->verb, SN_MP_VERB_QUERY) != 0;
}

static struct sn_mp_when scope_for_peer(const struct sn_measure *measure)
{
	struct sn_mp_when when = measure->specification->when;
	int64_t length_ns = measure->ends_ns - measure->starts_ns;

	if (!starts_when_taken(measure))
		return when;
	when.span.start = SN_MP_NOW;
	if (measure->ends_ns != SN_MP_FUTURE) {
		when.span.end = SN_MP_UNSET;
		when.span.duration_ns = length_ns > 0 ? length_ns : -1;
	}
	return when;
}

/* A specification is made of the capability it is for: single values are filled in. */
static struct sn_mp_message *specify(const struct sn_measure *measure,
				     const struct sn_mp_message *capability)
{
	struct sn_mp_message *made = sn_mp_message_as(capability, SN_MP_SPECIFICATION);

	for (size_t i = 0; i < measure->specification->param_count; i++) {
		const struct sn_mp_param *param = &measure->specification->params[i];

		/* What the capability leaves no choice about stays as it says. */
		if (param->value != NULL && sn_mp_value(made, param->name) == NULL)
			(void)sn_mp_set_value(made, param->name, param->value, NULL);
	}
	made->when = scope_for_peer(measure);
	return made;
}

static bool suits(const struct sn_measure *measure, const struct sn_mp_message *made,
		  const struct sn_mp_message *capability)
{
	for (size_t i = 0; i < capability->param_count; i++) {
		const struct sn_mp_param *param = &capability->params[i];
		const char *wanted = sn_mp_value(measure->specification, param->name);
		const char *value = sn_mp_value(made, param->name);

		if (wanted != NULL && (value == NULL || strcmp(wanted, value) != 0))
			return false;
		/* No value is one that anything will do for. */
		if (!sn_mp_constraint_met(&param->constraint, value != NULL ? value : "*"))
			return false;
	}
	return true;
}

static struct sn_mp_message *specify_for(const struct sn_supervisor *sup,
					 const struct sn_measure *measure, const char *provider)
{
	const char *label = measure->specification->label;
	const struct sn_hub_offer *offer = NULL;

	while ((offer = sn_offers_next_of(sup->hub->offers, provider, label, offer)) != NULL) {
		struct sn_mp_message *made;

		if (strcmp(offer->schema, measure->schema) != 0)
			continue;
		made = specify(measure, offer->capability);
		if (suits(measure, made, offer->capability))
			return made;
		sn_mp_message_destroy(made);
	}
	return NULL;
}

/* The specification for its peer, if that may have it; NULL and the reason. */
static struct sn_mp_message *make_for(const struct sn_sup_job *job,
				      const struct sn_measure *measure, struct sn_err *why)
{
	const struct sn_sup_peer *peer = job->peer;
	struct sn_mp_message *made = specify_for(peer->sup, measure, peer->provider);

	if (made == NULL) {
		sn_err_set(why, -ENOENT, "it does not offer '%.80s' as it was asked for any more",
			   measure->specification->label);
		return NULL;
	}
	if (sn_authority_may_hand_out(peer->sup->hub->authority, measure, peer->provider, made,
				      why) == 0)
		return made;
	SN_LOG_LIMITED(SN_LOG_WARNING, "not handed to '%s': %s", peer->identity, why->text);
	sn_mp_message_destroy(made);
	return NULL;
}

static void keep_back(struct sn_sup_job *job, const struct sn_err *why)
{
	free(job->kept_back);
	job->kept_back = why->code != 0 ? sn_xstrdup(why->text) : NULL;
	job->forbidden = why->code == -EACCES;
}

const struct sn_mp_message *sn_sup_job_specification(struct sn_sup_job *job)
{
	struct sn_supervisor *sup = job->peer->sup;
	const struct sn_measure *measure = sn_measures_find(sup->hub->measures, job->measure);
	struct sn_mp_message *made;
	struct sn_err why = {0};
	char label[SN_MP_TEXT_MAX];

	if (job->specification != NULL || measure == NULL || job->forbidden)
		return job->specification;
	made = make_for(job, measure, &why);
	keep_back(job, &why);
	if (made == NULL)
		return NULL;
	snprintf(label, sizeof(label), "%.4000s-%" PRIu64, measure->specification->label,
		 job->serial);
	sn_mp_set_text(&made->label, label);
	sn_mp_set_text(&made->token, job->token);
	/* Present and empty: peers want it, and results come where they always do. */
	sn_mp_set_text(&made->link, NULL);
	made->has_link = true;
	job->specification = made;
	return made;
}

bool sn_sup_job_is_due(const struct sn_sup_job *job, uint64_t now_ns)
{
	if (job->interrupt ? job->interrupted : job->state == SN_SUP_TAKEN)
		return false;
	return job->handed_ns == 0 || now_ns - job->handed_ns >= SN_HAND_OUT_AGAIN_NS;
}

/* From time to time ------------------------------------------------------------------------ */

static void fail_part(struct sn_supervisor *sup, struct sn_measure_part *part, const char *what,
		      const char *why)
{
	sn_autofree char *text =
		sn_xasprintf("%s%s%s", what, why != NULL ? ": " : "", why != NULL ? why : "");

	sn_sup_part_state(sup, part, SN_MEASURE_FAILED, text);
}

/* What came for it says whether it is done or failed. */
static void end_part(const struct sn_sup_job *job, struct sn_measure_part *part)
{
	struct sn_supervisor *sup = job->peer->sup;

	if (part->results > 0)
		sn_sup_part_state(sup, part, SN_MEASURE_DONE, NULL);
	else if (part->started_ns == 0 && job->kept_back != NULL)
		fail_part(sup, part, "it was not given to the peer before its time was over",
			  job->kept_back);
	else if (part->started_ns == 0)
		fail_part(sup, part, "the peer has not taken it before its time was over", NULL);
	else
		fail_part(sup, part, "no result came before its time was over", NULL);
}

/* When nothing more is to be expected of a part. */
static int64_t deadline_of(const struct sn_sup_job *job, const struct sn_measure_part *part)
{
	const struct sn_supervisor *sup = job->peer->sup;
	const struct sn_measure *measure = part->measure;
	int64_t grace_ns = sup->hub->config->mplane_grace, end_ns = measure->ends_ns, late_ns;

	if (part->ended_ns != 0)
		return part->ended_ns + grace_ns;
	if (end_ns == SN_MP_FUTURE)
		return INT64_MAX;
	if (job->handed_ns != 0 && starts_when_taken(measure)) {
		late_ns = sn_hub_now(sup->hub) - measure->starts_ns -
			  (int64_t)(sn_loop_now(sup->loop) - job->handed_ns);
		end_ns += SN_MAX(late_ns, 0);
	}
	return end_ns + grace_ns;
}

bool sn_sup_job_is_late(const struct sn_sup_job *job)
{
	const struct sn_measure_part *part = sn_sup_job_part(job);
	int64_t now_ns = sn_hub_now(job->peer->sup->hub);

	if (part == NULL)
		return true;
	if (starts_when_taken(part->measure) ||
	    strcmp(part->measure->specification->verb, SN_MP_VERB_QUERY) == 0)
		return deadline_of(job, part) <= now_ns;
	return part->measure->ends_ns < now_ns;
}

static void check_deadlines(struct sn_sup_peer *peer)
{
	struct sn_supervisor *sup = peer->sup;
	int64_t now_ns = sn_hub_now(sup->hub);

	sn_list_for_each (link, &peer->jobs) {
		struct sn_sup_job *job = sn_list_entry(link, struct sn_sup_job, link);
		struct sn_measure_part *part = sn_sup_job_part(job);

		if (part == NULL) {
			sn_sup_job_destroy(job);
			continue;
		}
		/* What ends a part ends its job, too. */
		if (job->forbidden && !sn_measure_state_is_final(part->state))
			fail_part(sup, part, "it was not given to the peer", job->kept_back);
		else if (deadline_of(job, part) > now_ns)
			continue;
		else if (sn_measure_state_is_final(part->state))
			sn_sup_job_destroy(job); /* the interrupt was never fetched */
		else
			end_part(job, part);
	}
}

/* There is room again for what did not find any. */
static void catch_up(struct sn_sup_peer *peer)
{
	const struct sn_measures *measures = peer->sup->hub->measures;

	peer->crowded = false;
	for (size_t i = 0; i < sn_measures_count(measures) && !peer->crowded; i++) {
		const struct sn_measure *measure = sn_measures_at(measures, i);
		const struct sn_measure_part *part =
			sn_measure_state_is_final(measure->state)
				? NULL
				: sn_measure_part_of(measure, peer->provider);

		if (part != NULL)
			sn_sup_job_sync(peer->sup, part);
	}
}

static void check_lease(struct sn_sup_peer *peer, uint64_t now_ns)
{
	if (peer->called != NULL)
		return;
	if (peer->registered && now_ns - peer->seen_ns > lease_of(peer)) {
		sn_notice("peer says nothing any more, what it offers is withdrawn peer=%s",
			  peer->identity);
		sn_sup_peer_lost(peer);
	}
	if (!peer->registered && sn_list_empty(&peer->jobs))
		sn_sup_peer_destroy(peer);
}

void sn_sup_peers_tick(struct sn_supervisor *sup)
{
	uint64_t now_ns = sn_loop_now(sup->loop);

	sn_list_for_each (link, &sup->peer_list) {
		struct sn_sup_peer *peer = sn_list_entry(link, struct sn_sup_peer, link);

		if (sup->ticks % TICKS_DEADLINES == 0)
			check_deadlines(peer);
		if (peer->crowded && peer->job_count < SN_SUPERVISOR_QUEUE_MAX)
			catch_up(peer);
		check_lease(peer, now_ns);
	}
}
