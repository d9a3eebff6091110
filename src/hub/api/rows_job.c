/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "api"
#include "hub/api/rows_job.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

static void job_destroy(struct sn_rows_job *job)
{
	sn_readers_give(job->hub->readers, &job->reader);
	sn_buf_finish(&job->text);
	free(job->cursor);
	free(job->question);
	free(job->rows);
	free(job);
}

struct sn_rows_job *sn_rows_job_create(struct sn_hub *hub, struct sn_http_request *request,
				       struct sn_rows_query *rows, sn_rows_job_fn *read)
{
	struct sn_rows_job *job = sn_new(struct sn_rows_job);

	job->hub = hub;
	job->request = request;
	job->rows = rows;
	job->read = read;
	return job;
}

static void run(struct sn_work *work)
{
	struct sn_rows_job *job = sn_container_of(work, struct sn_rows_job, work);

	/* A damaged day is set aside at the first look; the second one finds the others. */
	if (job->read(job) == -EUCLEAN) {
		sn_buf_clear(&job->text);
		job->any = false;
		job->err = (struct sn_err){0};
		(void)job->read(job);
	}
}

static void answer(struct sn_rows_job *job)
{
	switch (job->err.code) {
	case 0:
		sn_http_reply(job->request, 200, "application/json", job->text.p, job->text.n);
		break;
	case -EINVAL:
		sn_http_problem(job->request, 400, "bad-cursor", "This cursor leads nowhere",
				"start again without 'cursor'");
		break;
	case -EFBIG:
		sn_http_problem(job->request, 422, "too-many-rows", "Too many rows", "%s",
				job->err.text);
		break;
	default:
		sn_api_trouble(job->request, &job->err);
	}
}

static void done(struct sn_work *work)
{
	struct sn_rows_job *job = sn_container_of(work, struct sn_rows_job, work);

	if (job->request != NULL)
		answer(job);
	job_destroy(job);
}

static void abandoned(struct sn_http_request *request, void *ctx)
{
	struct sn_rows_job *job = ctx;

	(void)request;
	job->request = NULL;
	atomic_store(&job->gone, true);
}

void sn_rows_job_start(struct sn_rows_job *job)
{
	if (sn_readers_take(job->hub->readers, &job->reader, &job->err) != 0) {
		sn_api_trouble(job->request, &job->err);
		job_destroy(job);
	} else if (sn_work_start(job->hub->work, &job->work, run, done) != 0) {
		sn_http_set_header(job->request, "Retry-After", "1");
		sn_http_problem(job->request, 503, "busy", "Too many questions at once",
				"try again in a moment");
		job_destroy(job);
	} else {
		sn_http_on_abandon(job->request, abandoned, job);
	}
}
