/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "parent"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/secret.h"
#include "hub/supervisor/internal.h"
#include "peer/component_uplink.h"

/*
 * To its parent the hub is a component: what it offers are groups, each under its label and
 * with a parameter source.device.  Our own nodes and groups that a supervisor below has
 * registered differ in their schema here but look the same above; such groups are the
 * members of one federated capability.  A specification becomes a measurement for each member.
 */

#define CHANGE_NS   SN_NS_PER_S /* offers that change together are registered together */
#define MEMBERS_MAX 16          /* of one federated capability */

struct member {
	struct sn_mp_message *message;      /* as a federated capability by itself */
	const struct sn_hub_offer **offers; /* until the next change */
	size_t count;
	char *label, schema[SN_MP_HASH_SIZE];
	bool native, device_below;
};

struct federated {
	struct sn_mp_message *message; /* NULL while members are gathered */
	struct member members[MEMBERS_MAX];
	size_t count;
};

struct sn_parent {
	struct sn_supervisor *sup;
	struct sn_component *component;
	struct sn_component_uplink *uplink;
	struct sn_component_host host;
	struct sn_asker asker;
	char *owner; /* "peer:<identity of the parent>" */
	struct sn_timer timer;
	bool stale; /* offers have changed */
	struct federated *list;
	const struct sn_mp_message **messages; /* of `list` */
	size_t count;
	struct sn_list jobs;
};

/* What is offered ------------------------------------------------------------------------- */

static void federated_finish(struct federated *federated)
{
	for (size_t i = 0; i < federated->count; i++) {
		sn_mp_message_destroy(federated->members[i].message);
		free(federated->members[i].offers);
		free(federated->members[i].label);
	}
	sn_mp_message_destroy(federated->message);
}

static void forget_offers(struct sn_parent *parent)
{
	for (size_t i = 0; i < parent->count; i++)
		federated_finish(&parent->list[i]);
	free(parent->list);
	free(parent->messages);
	parent->list = NULL;
	parent->messages = NULL;
	parent->count = 0;
}

static bool is_chosen(const struct sn_parent *parent, const char *label)
{
	const struct sn_conf_texts *labels = &parent->sup->hub->config->parent_capabilities;

	for (unsigned i = 0; i < labels->count; i++) {
		if (strcmp(labels->items[i], "*") == 0 || strcmp(labels->items[i], label) == 0)
			return true;
	}
	return false;
}

/* What came from above must not go there again. */
static bool came_from_above(const struct sn_parent *parent, const struct sn_hub_offer *offer)
{
	struct sn_str rest = sn_str(sn_mp_meta(offer->capability, SN_PATH_META)), part;

	while (sn_str_split(&rest, ' ', &part)) {
		char id[SN_ULID_SIZE];

		snprintf(id, sizeof(id), "%.*s", (int)SN_MIN(part.n, sizeof(id) - 1), part.p);
		if (sn_map_get(parent->sup->above, id) != NULL)
			return true;
	}
	return false;
}

static bool may_have(const struct sn_parent *parent, const struct sn_hub_offer *offer)
{
	const char *label = offer->capability->label;

	return is_chosen(parent, label) && !came_from_above(parent, offer) &&
	       strcmp(offer->provider, parent->owner) != 0 &&
	       sn_sup_may(parent->sup, &parent->asker, SN_MAY_DISCOVER, label, offer, NULL, NULL) &&
	       sn_sup_may(parent->sup, &parent->asker, SN_MAY_MEASURE, label, offer, NULL, NULL);
}

struct gathering { /* offers of one label and schema */
	const struct sn_hub_offer **offers;
	size_t count, room;
};

static void gathering_release(void *value)
{
	struct gathering *gathering = value;

	free(gathering->offers);
	free(gathering);
}

static struct sn_map *gather(const struct sn_parent *parent)
{
	struct sn_offers *offers = parent->sup->hub->offers;
	struct sn_map *groups = sn_map_create(gathering_release);

	for (size_t i = 0; i < sn_offers_count(offers); i++) {
		const struct sn_hub_offer *offer = sn_offers_at(offers, i);
		sn_autofree char *key = NULL;
		struct gathering *group;

		if (!may_have(parent, offer))
			continue;
		key = sn_xasprintf("%s\n%s", offer->capability->label, offer->schema);
		group = sn_map_get(groups, key);
		if (group == NULL) {
			group = sn_new(struct gathering);
			sn_map_set(groups, key, group);
		}
		if (group->count == group->room) {
			group->room = group->room > 0 ? 2 * group->room : 4;
			group->offers =
				sn_xrealloc(group->offers, group->room, sizeof(*group->offers));
		}
		group->offers[group->count++] = offer;
	}
	return groups;
}

static void add_member(struct sn_parent *parent, struct sn_map *by_key, struct gathering *group)
{
	const struct sn_hub_offer *first = group->offers[0];
	struct sn_mp_message *message =
		sn_sup_group_message(parent->sup, group->offers, group->count);
	char schema[SN_MP_HASH_SIZE];
	sn_autofree char *key = NULL;
	struct federated *federated;
	struct member *member;

	sn_mp_schema_hash(message, schema);
	key = sn_xasprintf("%s\n%s", first->capability->label, schema);
	federated = sn_map_get(by_key, key);
	if (federated == NULL) {
		federated = sn_new(struct federated);
		sn_map_set(by_key, key, federated);
	}
	if (federated->count == MEMBERS_MAX) {
		sn_mp_message_destroy(message);
		return;
	}
	member = &federated->members[federated->count++];
	member->message = message;
	member->offers = sn_steal(&group->offers);
	member->count = group->count;
	member->label = sn_xstrdup(first->capability->label);
	memcpy(member->schema, first->schema, sizeof(member->schema));
	member->native = first->native != NULL;
	member->device_below = sn_mp_param(first->capability, SN_DEVICE) != NULL;
}

/* The members look alike from above: they are put together like offers of one group. */
static struct sn_mp_message *join_members(const struct sn_parent *parent,
					  const struct federated *federated)
{
	struct sn_hub_offer offers[MEMBERS_MAX] = {0};
	const struct sn_hub_offer *list[MEMBERS_MAX];

	for (size_t i = 0; i < federated->count; i++) {
		offers[i].capability = federated->members[i].message;
		list[i] = &offers[i];
	}
	return sn_sup_group_message(parent->sup, list, federated->count);
}

/* Its path with us at the end; false when it is too long to go on. */
static bool sign_path(const struct sn_parent *parent, struct sn_mp_message *message)
{
	const char *before = sn_mp_meta(message, SN_PATH_META);
	sn_autofree char *path = sn_xasprintf("%s%s%s", before != NULL ? before : "",
					      before != NULL ? " " : "", parent->sup->hub->id);
	struct sn_str rest = sn_str(path), hub;
	unsigned hubs = 0;

	while (sn_str_split(&rest, ' ', &hub))
		hubs += hub.n > 0;
	(void)sn_mp_add_meta(message, SN_PATH_META, path, NULL);
	return hubs <= SN_PATH_DEPTH_MAX;
}

static bool complete(const struct sn_parent *parent, struct federated *federated)
{
	char token[SN_MP_HASH_SIZE];

	federated->message = join_members(parent, federated);
	if (!sign_path(parent, federated->message))
		return false;
	(void)sn_mp_add_meta(federated->message, "System_ID", parent->sup->hub->id, NULL);
	sn_mp_token_of_capability(federated->message, parent->sup->hub->id, token);
	sn_mp_set_text(&federated->message->token, token);
	return true;
}

static void take_over(struct sn_parent *parent, struct sn_map *by_key)
{
	size_t cursor = 0, count = sn_map_count(by_key);
	const char *key;
	void *value;

	parent->list = sn_new_n(struct federated, count + 1);
	parent->messages = sn_new_n(const struct sn_mp_message *, count + 1);
	while (sn_map_next(by_key, &cursor, &key, &value)) {
		struct federated *federated = value;

		if (!complete(parent, federated)) {
			federated_finish(federated);
			continue;
		}
		parent->list[parent->count] = *federated;
		parent->messages[parent->count++] = federated->message;
	}
}

static void make_offers(struct sn_parent *parent)
{
	struct sn_map *groups, *by_key;
	size_t cursor = 0;
	const char *key;
	void *group;

	if (!parent->stale)
		return;
	parent->stale = false;
	forget_offers(parent);
	groups = gather(parent);
	by_key = sn_map_create(free);
	while (sn_map_next(groups, &cursor, &key, &group))
		add_member(parent, by_key, group);
	take_over(parent, by_key);
	sn_map_destroy(by_key);
	sn_map_destroy(groups);
}

static size_t host_capabilities(const char *identity, const struct sn_mp_message *const **list,
				void *ctx)
{
	struct sn_parent *parent = ctx;

	(void)identity;
	make_offers(parent);
	*list = parent->messages;
	return parent->count;
}

static void tell_changes(struct sn_timer *timer)
{
	struct sn_parent *parent = sn_container_of(timer, struct sn_parent, timer);

	sn_component_uplink_changed(parent->uplink);
}

void sn_sup_parent_offers(struct sn_supervisor *sup)
{
	struct sn_parent *parent = sup->parent;

	if (parent == NULL)
		return;
	parent->stale = true;
	if (!sn_timer_armed(&parent->timer))
		sn_timer_in(&parent->timer, CHANGE_NS);
}

/* What is asked of us -------------------------------------------------------------------------- */

struct branch { /* the measurement of one member */
	struct parent_job *job;
	char measure[SN_ULID_SIZE];
	struct sn_sup_answer *answer;
	bool over;
};

struct parent_job {
	struct sn_list link;
	struct sn_parent *parent;
	struct sn_job *job;
	struct branch branches[MEMBERS_MAX];
	size_t count;
	struct sn_mp_message *result; /* what has come so far */
	struct sn_buf failures;
	struct sn_timer settle;
};

static void job_destroy(struct parent_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		if (job->branches[i].answer != NULL)
			sn_sup_answer_cancel(job->branches[i].answer);
	}
	sn_timer_stop(&job->settle);
	sn_mp_message_destroy(job->result);
	sn_buf_finish(&job->failures);
	sn_list_remove(&job->link);
	free(job);
}

static void end_job(struct parent_job *job)
{
	struct sn_job *theirs = job->job;
	sn_autofree char *failure =
		job->failures.n > 0 ? sn_xstrdup(sn_buf_cstr(&job->failures)) : NULL;
	bool some = job->result != NULL && (job->result->row_count > 0 || failure == NULL);

	if (some && failure != NULL)
		(void)sn_mp_add_meta(job->result, "sonde.failed", failure, NULL);
	if (some)
		sn_job_result(theirs, sn_steal(&job->result));
	job_destroy(job);
	sn_job_end(theirs, some ? NULL : failure);
}

static void note_failure(struct parent_job *job, const char *text)
{
	if (job->failures.n < SN_MP_TEXT_MAX / 2)
		sn_buf_addf(&job->failures, "%s%s", job->failures.n > 0 ? "; " : "", text);
}

/* The same columns in all of them: they were asked for by one specification. */
static void add_rows(struct sn_mp_message *to, const struct sn_mp_message *from)
{
	struct sn_mp_span *span = &to->when.span;
	const struct sn_mp_span *its = &from->when.span;

	for (size_t i = 0; i < from->row_count; i++)
		(void)sn_mp_add_row(to, (const char *const *)&from->cells[i * from->column_count],
				    NULL);
	if (from->row_count == 0)
		return;
	span->start = SN_MIN(span->start, its->start);
	span->end = SN_MAX(span->end, its->end);
}

static void note_message(struct parent_job *job, const struct sn_mp_message *message)
{
	if (message->kind == SN_MP_ENVELOPE) {
		for (size_t i = 0; i < message->content_count; i++)
			note_message(job, message->contents[i]);
	} else if (message->kind == SN_MP_EXCEPTION) {
		note_failure(job, message->text != NULL ? message->text : "failed");
	} else if (message->kind == SN_MP_RESULT && job->result == NULL) {
		job->result = sn_mp_message_copy(message);
	} else if (message->kind == SN_MP_RESULT) {
		add_rows(job->result, message);
	}
}

static bool all_over(const struct parent_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		if (!job->branches[i].over)
			return false;
	}
	return true;
}

/* One without end has sent everything as it came. */
static bool is_endless(const struct parent_job *job)
{
	return sn_mp_when_ends(&sn_job_specification(job->job)->when, 0) == SN_MP_FUTURE;
}

static void branch_made(const struct sn_mp_message *message, const struct sn_err *err, void *ctx)
{
	struct branch *branch = ctx;
	struct parent_job *job = branch->job;

	branch->answer = NULL;
	branch->over = true;
	if (message == NULL)
		note_failure(job, err->text);
	else if (!is_endless(job) || message->kind == SN_MP_EXCEPTION)
		note_message(job, message);
	if (all_over(job))
		end_job(job);
}

static void collect(struct branch *branch, const struct sn_measure *measure)
{
	struct parent_job *job = branch->job;

	if (branch->answer != NULL || branch->over)
		return;
	branch->answer = sn_sup_answer_make(job->parent->sup, measure,
					    sn_mp_message_copy(sn_job_specification(job->job)),
					    branch_made, branch);
	if (branch->answer == NULL) /* too many at once */
		sn_timer_in(&job->settle, SN_NS_PER_S);
}

/* True while something of it is on its way. */
static bool look_at(struct branch *branch)
{
	struct sn_supervisor *sup = branch->job->parent->sup;
	const struct sn_measure *measure = sn_measures_find(sup->hub->measures, branch->measure);

	if (branch->over)
		return false;
	if (measure == NULL) {
		branch->over = true;
		note_failure(branch->job, "the measurement was dropped");
		return false;
	}
	if (sn_sup_is_settling(sup, measure))
		return true;
	if (sn_measure_state_is_final(measure->state))
		collect(branch, measure);
	return false;
}

static void look(struct parent_job *job)
{
	bool settling = false;

	for (size_t i = 0; i < job->count; i++)
		settling = look_at(&job->branches[i]) || settling;
	if (settling)
		sn_timer_in(&job->settle, SN_NS_PER_S);
	if (all_over(job))
		end_job(job);
}

static void settled(struct sn_timer *timer)
{
	look(sn_container_of(timer, struct parent_job, settle));
}

void sn_sup_parent_changed(struct sn_supervisor *sup, const struct sn_measure *measure)
{
	if (sup->parent == NULL || !sn_measure_state_is_final(measure->state))
		return;
	sn_list_for_each (link, &sup->parent->jobs) {
		struct parent_job *job = sn_list_entry(link, struct parent_job, link);

		for (size_t i = 0; i < job->count; i++) {
			/* Not at once: this may be inside of the call that made it. */
			if (strcmp(job->branches[i].measure, measure->id) == 0)
				sn_timer_in(&job->settle, 0);
		}
	}
}

static struct federated *find_federated(struct sn_parent *parent, const char *token)
{
	for (size_t i = 0; i < parent->count; i++) {
		if (strcmp(parent->list[i].message->token, token) == 0)
			return &parent->list[i];
	}
	return NULL;
}

/*
 * After a restart, ours or the parent's, the same is asked again: the measurement that was made
 * for it goes on.
 */
static void key_of(const struct sn_job *job, const struct member *member, char key[65])
{
	sn_autofree char *text = sn_xasprintf("%s\n%s\n%s", sn_job_specification(job)->token,
					      member->label, member->schema);
	uint8_t hash[SN_SECRET_HASH_SIZE];

	sn_secret_hash(sn_str(text), hash);
	sn_hex(hash, sizeof(hash), key);
}

/* A job starts now, whatever its scope says: some time went by since that was resolved. */
static struct sn_mp_message *starting_now(const struct sn_mp_message *specification)
{
	struct sn_mp_message *copy = sn_mp_message_copy(specification);
	struct sn_mp_span *span = &copy->when.span;
	int64_t length_ns;

	if (strcmp(copy->verb, SN_MP_VERB_QUERY) == 0 || span->start == SN_MP_NOW)
		return copy;
	length_ns = sn_mp_when_ends(&copy->when, span->start) - span->start;
	if (span->end != SN_MP_FUTURE) {
		span->end = SN_MP_UNSET;
		span->duration_ns = length_ns > 0 ? length_ns : -1;
	}
	span->start = SN_MP_NOW;
	return copy;
}

static int start_member(struct parent_job *job, const struct member *member, struct sn_err *err)
{
	struct sn_parent *parent = job->parent;
	sn_automp struct sn_mp_message *specification =
		starting_now(sn_job_specification(job->job));
	struct sn_sup_offered wanted = {
		.message = member->message,
		.label = member->label,
		.schema = member->schema,
		.native = member->native,
		.device_below = member->device_below,
	};
	struct branch *branch = &job->branches[job->count];
	struct sn_measure *measure;
	char key[65];
	int result;

	key_of(job->job, member, key);
	result = sn_sup_measure(parent->sup, &parent->asker, parent->owner, specification, &wanted,
				key, &measure, err);
	if (result < 0)
		return result;
	branch->job = job;
	memcpy(branch->measure, measure->id, sizeof(branch->measure));
	job->count++;
	return 0;
}

static int host_start(struct sn_job *theirs, struct sn_err *err, void *ctx)
{
	struct sn_parent *parent = ctx;
	struct federated *federated;
	struct parent_job *job;

	make_offers(parent);
	federated = find_federated(parent, sn_job_capability(theirs)->token);
	if (federated == NULL)
		return sn_err_set(err, -ENOENT, "this is not offered any more");
	job = sn_new(struct parent_job);
	job->parent = parent;
	job->job = theirs;
	sn_timer_init(&job->settle, parent->sup->loop, settled);
	sn_list_append(&parent->jobs, &job->link);
	/* A device that is named is in one of them: the others say that they have none. */
	for (size_t i = 0; i < federated->count; i++)
		(void)start_member(job, &federated->members[i], err);
	if (job->count == 0) {
		job_destroy(job);
		return err->code;
	}
	sn_job_set_data(theirs, job);
	sn_timer_in(&job->settle, 0);
	return 0;
}

static void host_stop(struct sn_job *theirs, void *ctx)
{
	struct sn_parent *parent = ctx;
	struct parent_job *job = sn_job_data(theirs);
	struct sn_measures *measures = parent->sup->hub->measures;
	int64_t now_ns = sn_hub_now(parent->sup->hub);

	if (parent->sup->closing) { /* the measurements go on: they are asked for again */
		job_destroy(job);
		return;
	}
	/* Its time is over; those below us have a grace of their own, and then it ends. */
	if (sn_mp_when_ends(&sn_job_specification(theirs)->when, now_ns) <= now_ns)
		return;
	for (size_t i = 0; i < job->count; i++) {
		struct sn_measure *measure = sn_measures_find(measures, job->branches[i].measure);
		struct sn_err err = {0};

		if (measure != NULL && !sn_measure_state_is_final(measure->state) &&
		    sn_measures_stop(measures, measure, now_ns, &err) != 0)
			sn_warn("cannot stop what the parent has asked for: %s", err.text);
	}
	sn_timer_in(&job->settle, 0);
}

void sn_sup_parent_rows(struct sn_supervisor *sup, const struct sn_measure *measure,
			const char *provider, const struct sn_mp_message *result)
{
	if (sup->parent == NULL || strcmp(measure->owner, sup->parent->owner) != 0 ||
	    result->kind != SN_MP_RESULT)
		return;
	sn_list_for_each (link, &sup->parent->jobs) {
		struct parent_job *job = sn_list_entry(link, struct parent_job, link);

		for (size_t i = 0; i < job->count && is_endless(job); i++) {
			if (strcmp(job->branches[i].measure, measure->id) == 0)
				sn_job_result(
					job->job,
					sn_sup_answer_of(sn_job_specification(job->job), result,
							 sn_sup_provider_name(sup, provider)));
		}
	}
}

/* Life --------------------------------------------------------------------------------------------
 */

/* Hubs above us: their ids are in what they say of loops. */
static void learn_above(struct sn_parent *parent, const char *text)
{
	struct sn_supervisor *sup = parent->sup;

	for (const char *at = text; (at = strstr(at, SN_LOOP_REASON " ")) != NULL;) {
		char id[SN_ULID_SIZE];

		at += strlen(SN_LOOP_REASON " ");
		snprintf(id, sizeof(id), "%.*s",
			 (int)strspn(at, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), at);
		if (strlen(id) != SN_ULID_SIZE - 1 || sn_map_get(sup->above, id) != NULL ||
		    sn_map_count(sup->above) >= SN_PATH_DEPTH_MAX * SN_PATH_DEPTH_MAX)
			continue;
		sn_notice("what came through a hub above is not offered to it again hub=%s", id);
		sn_map_set(sup->above, id, sup);
		sn_sup_parent_offers(sup);
	}
}

static void state_changed(enum sn_uplink_state state, const char *text, void *ctx)
{
	if (state == SN_UPLINK_REFUSED)
		sn_warn("parent refuses: %s", text);
	else
		sn_notice("parent: %s", text);
	learn_above(ctx, text);
}

/* "dns:host" of its URL, unless it was given. */
static void name_parent(struct sn_parent *parent)
{
	const struct sn_hub_config *config = parent->sup->hub->config;
	const char *host = strstr(config->parent_url, "://") + 3;
	struct sn_asker *asker = &parent->asker;

	if (config->parent_identity[0] != '\0')
		snprintf(asker->text[0], sizeof(asker->text[0]), "%.290s", config->parent_identity);
	else if (host[0] == '[')
		snprintf(asker->text[0], sizeof(asker->text[0]), "dns:%.*s",
			 (int)SN_MIN(strcspn(host + 1, "]"), (size_t)250), host + 1);
	else
		snprintf(asker->text[0], sizeof(asker->text[0]), "dns:%.*s",
			 (int)SN_MIN(strcspn(host, ":/"), (size_t)250), host);
	asker->list[0] = asker->text[0];
	asker->count = 1;
	parent->owner = sn_xasprintf("peer:%s", asker->text[0]);
}

static const char *or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void open_uplink(struct sn_parent *parent)
{
	const struct sn_hub_config *config = parent->sup->hub->config;
	struct sn_component_config component = {
		.loop = parent->sup->loop,
		.registries = parent->sup->hub->registries,
		.host = &parent->host,
	};
	struct sn_component_uplink_config uplink = {
		.loop = parent->sup->loop,
		.host = &parent->host,
		.registries = parent->sup->hub->registries,
		.url = config->parent_url,
		.identity = parent->asker.list[0],
		.ca_file = or_null(config->parent_ca),
		.cert_file = or_null(config->parent_certificate),
		.key_file = or_null(config->parent_key),
		.write_flags = SN_MP_WRITE_SAFE,
		.on_state = state_changed,
		.ctx = parent,
	};

	parent->component = sn_component_create(&component);
	uplink.component = parent->component;
	parent->uplink = sn_component_uplink_create(&uplink);
}

void sn_sup_parent_open(struct sn_supervisor *sup)
{
	struct sn_parent *parent;

	if (sup->hub->config->parent_url[0] == '\0')
		return;
	parent = sup->parent = sn_new(struct sn_parent);
	parent->sup = sup;
	parent->stale = true;
	parent->host = (struct sn_component_host){
		.capabilities = host_capabilities,
		.start = host_start,
		.stop = host_stop,
		.ctx = parent,
	};
	sn_list_init(&parent->jobs);
	sn_timer_init(&parent->timer, sup->loop, tell_changes);
	name_parent(parent);
	open_uplink(parent);
}

void sn_sup_parent_close(struct sn_supervisor *sup)
{
	struct sn_parent *parent = sup->parent;

	if (parent == NULL)
		return;
	sn_timer_stop(&parent->timer);
	sn_component_uplink_destroy(parent->uplink);
	sn_component_destroy(parent->component);
	forget_offers(parent);
	free(parent->owner);
	free(parent);
	sup->parent = NULL;
}
