/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "store"
#include "hub/store_jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/sql.h"

struct finding {
	char *what, *reason, *next;
};

struct sn_store_job {
	struct sn_list link;
	struct sn_store_jobs *jobs;
	char id[SN_STORE_JOB_ID_SIZE];
	const char *kind;
	sn_store_job_fn *run;
	void (*release)(void *ctx);
	void *ctx;
	struct sn_backup_watch watch;
	int64_t started_ns;
	/* Under the lock. */
	int64_t ended_ns; /* 0: it runs */
	struct sn_err err;
	struct finding *findings;
	size_t count, more; /* more: not kept */
};

struct sn_store_jobs {
	uv_mutex_t lock;
	struct sn_list list; /* the oldest first */
	size_t count;
	uv_thread_t thread;
	bool joinable; /* `thread` was started, and not waited for yet */
	struct sn_store_job *current;
};

struct sn_store_jobs *sn_store_jobs_create(void)
{
	struct sn_store_jobs *jobs = sn_new(struct sn_store_jobs);

	uv_mutex_init(&jobs->lock);
	sn_list_init(&jobs->list);
	return jobs;
}

static void job_destroy(struct sn_store_job *job)
{
	for (size_t i = 0; i < job->count; i++) {
		free(job->findings[i].what);
		free(job->findings[i].reason);
		free(job->findings[i].next);
	}
	free(job->findings);
	sn_list_remove(&job->link);
	free(job);
}

static void join(struct sn_store_jobs *jobs)
{
	if (jobs->joinable)
		uv_thread_join(&jobs->thread);
	jobs->joinable = false;
}

void sn_store_jobs_destroy(struct sn_store_jobs *jobs)
{
	if (jobs == NULL)
		return;
	uv_mutex_lock(&jobs->lock);
	if (jobs->current != NULL)
		atomic_store(&jobs->current->watch.stop, true);
	uv_mutex_unlock(&jobs->lock);
	join(jobs);
	sn_list_for_each (link, &jobs->list)
		job_destroy(sn_list_entry(link, struct sn_store_job, link));
	uv_mutex_destroy(&jobs->lock);
	free(jobs);
}

/* On the thread --------------------------------------------------------------------- */

struct sn_backup_watch *sn_store_job_watch(struct sn_store_job *job)
{
	return &job->watch;
}

void sn_store_job_note(struct sn_store_job *job, const char *what, const char *reason,
		       const char *next)
{
	uv_mutex_lock(&job->jobs->lock);
	if (job->count == SN_STORE_FINDINGS_MAX) {
		job->more++;
	} else {
		job->findings = sn_xrealloc(job->findings, job->count + 1, sizeof(*job->findings));
		job->findings[job->count++] =
			(struct finding){sn_xstrdup(what), sn_xstrdup(reason), sn_xstrdup(next)};
	}
	uv_mutex_unlock(&job->jobs->lock);
}

static void run(void *arg)
{
	struct sn_store_job *job = arg;
	struct sn_err err = {0};
	int failed = job->run(job, job->ctx, &err);

	if (failed != 0 && err.code == 0)
		sn_err_set(&err, failed, "it failed (%d)", -failed);
	if (job->release != NULL)
		job->release(job->ctx);
	if (failed != 0)
		sn_warn("a job on the store failed kind=%s id=%s: %s", job->kind, job->id,
			err.text);
	uv_mutex_lock(&job->jobs->lock);
	job->err = err;
	job->ended_ns = sn_wall_ns();
	job->jobs->current = NULL;
	uv_mutex_unlock(&job->jobs->lock);
}

/* On the loop ----------------------------------------------------------------------- */

static void forget_oldest(struct sn_store_jobs *jobs)
{
	if (jobs->count < SN_STORE_JOBS_MAX)
		return;
	job_destroy(sn_list_entry(jobs->list.next, struct sn_store_job, link));
	jobs->count--;
}

int sn_store_jobs_start(struct sn_store_jobs *jobs, const char *kind, sn_store_job_fn *fn,
			void (*release)(void *ctx), void *ctx, char id[SN_STORE_JOB_ID_SIZE],
			struct sn_err *err)
{
	struct sn_store_job *job;
	bool busy;

	uv_mutex_lock(&jobs->lock);
	busy = jobs->current != NULL;
	uv_mutex_unlock(&jobs->lock);
	if (busy)
		return sn_err_set(err, -EBUSY,
				  "another job works on the store (wait until it has ended)");
	join(jobs);
	job = sn_new(struct sn_store_job);
	job->jobs = jobs;
	job->kind = kind;
	job->run = fn;
	job->release = release;
	job->ctx = ctx;
	job->started_ns = sn_wall_ns();
	sn_ulid(job->started_ns, id);
	memcpy(job->id, id, sizeof(job->id));
	uv_mutex_lock(&jobs->lock);
	forget_oldest(jobs);
	sn_list_append(&jobs->list, &job->link);
	jobs->count++;
	jobs->current = job;
	jobs->joinable = uv_thread_create(&jobs->thread, run, job) == 0;
	if (!jobs->joinable) {
		jobs->current = NULL;
		jobs->count--;
		job_destroy(job);
	}
	uv_mutex_unlock(&jobs->lock);
	return jobs->joinable ? 0 : sn_err_set(err, -EAGAIN, "cannot start a thread");
}

static const char *state_of(const struct sn_store_job *job)
{
	if (job->ended_ns == 0)
		return "running";
	return job->err.code == 0 ? "done" : "failed";
}

static json_t *findings_json(const struct sn_store_job *job)
{
	json_t *array = json_array();

	for (size_t i = 0; i < job->count; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:s, s:s}", "what", job->findings[i].what, "reason",
					 job->findings[i].reason, "next", job->findings[i].next));
	if (job->more > 0) {
		sn_autofree char *text = sn_xasprintf("%zu more findings", job->more);

		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s}", "what", "store", "reason", text,
						"next", "see to these first, then check again"));
	}
	return array;
}

static json_t *job_json(const struct sn_store_job *job)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o}", "id", job->id, "kind",
			 job->kind, "state", state_of(job), "reason",
			 job->err.code != 0 ? json_string(job->err.text) : json_null(), "done",
			 (json_int_t)atomic_load(&job->watch.done), "total",
			 (json_int_t)atomic_load(&job->watch.total), "started",
			 sn_json_time(job->started_ns), "ended",
			 job->ended_ns != 0 ? sn_json_time(job->ended_ns) : json_null(), "findings",
			 findings_json(job));
}

json_t *sn_store_jobs_json(struct sn_store_jobs *jobs)
{
	json_t *items = json_array();

	uv_mutex_lock(&jobs->lock);
	sn_list_for_each (link, &jobs->list)
		json_array_insert_new(items, 0,
				      job_json(sn_list_entry(link, struct sn_store_job, link)));
	uv_mutex_unlock(&jobs->lock);
	return items;
}

json_t *sn_store_jobs_find(struct sn_store_jobs *jobs, const char *id)
{
	json_t *found = NULL;

	uv_mutex_lock(&jobs->lock);
	sn_list_for_each (link, &jobs->list) {
		const struct sn_store_job *job = sn_list_entry(link, struct sn_store_job, link);

		if (strcmp(job->id, id) == 0)
			found = job_json(job);
	}
	uv_mutex_unlock(&jobs->lock);
	return found;
}
