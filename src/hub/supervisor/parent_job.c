/* SPDX-License-Identifier: Apache-2.0 */
/* What the parent asks for: a measurement for each member, their results as one. */
#define SN_MODULE "parent"
#include "hub/supervisor/parent_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/secret.h"

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
	struct branch branches[SN_PARENT_MEMBERS_MAX];
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

static struct sn_federated *find_federated(struct sn_parent *parent, const char *token)
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
static void key_of(const struct sn_job *job, const struct sn_parent_member *member, char key[65])
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

static int start_member(struct parent_job *job, const struct sn_parent_member *member,
			struct sn_err *err)
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

int sn_parent_job_start(struct sn_job *theirs, struct sn_err *err, void *ctx)
{
	struct sn_parent *parent = ctx;
	struct sn_federated *federated;
	struct parent_job *job;

	sn_parent_make_offers(parent);
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

void sn_parent_job_stop(struct sn_job *theirs, void *ctx)
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
