/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to the whole store: checks and backups, as jobs. */
#include "hub/hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/store_jobs.h"
#include "store/store.h"

static void reply_started(struct sn_hub *hub, struct sn_http_request *request, const char *id,
			  const char *action, const char *detail)
{
	sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), action, id, detail);
	sn_http_reply_json(request, 201, sn_store_jobs_find(hub->store_jobs, id));
}

static void refuse_start(struct sn_http_request *request, const struct sn_err *err)
{
	static const struct sn_api_refusal refusals[] = {
		{-EBUSY, 409, "job-running", "A job works on the store already"},
	};

	sn_api_refuse(request, err, refusals, SN_COUNT(refusals));
}

/* Checking ---------------------------------------------------------------------------- */

struct check {
	char *path;
	bool deep, repair;
};

static void check_release(void *ctx)
{
	struct check *check = ctx;

	free(check->path);
	free(check);
}

static int note_finding(const struct sn_store_finding *finding, void *ctx)
{
	struct sn_backup_watch *watch = sn_store_job_watch(ctx);

	atomic_store(&watch->done, finding->done);
	atomic_store(&watch->total, finding->total);
	if (finding->what != NULL)
		sn_store_job_note(ctx, finding->what, finding->reason, finding->next);
	return atomic_load(&watch->stop) ? -ECANCELED : 0;
}

/* What was taken back is told like a finding. */
static int repair(struct sn_store_job *job, struct sn_store *store, struct sn_err *err)
{
	struct sn_store_salvage sum = {0};
	char text[SN_ERR_TEXT_MAX];
	int rc = sn_store_salvage(store, NULL, &sum, err);

	if (rc != 0)
		return rc;
	snprintf(text, sizeof(text),
		 "%llu rows in %llu batches were taken back from %u files; %llu rows are lost",
		 (unsigned long long)sum.rows, (unsigned long long)sum.batches, sum.files,
		 (unsigned long long)sum.lost_rows);
	sn_store_job_note(job, "repair", text, "what is lost may be at a replica or in a backup");
	return 0;
}

static int run_check(struct sn_store_job *job, void *ctx, struct sn_err *err)
{
	const struct check *check = ctx;
	struct sn_store *store;
	int rc = sn_store_open(check->path, &store, err);

	if (rc != 0)
		return rc;
	if (check->repair)
		rc = repair(job, store, err);
	if (rc == 0)
		rc = sn_store_check(store, check->deep, note_finding, job, err);
	sn_store_close(store);
	return rc;
}

static const char *check_action(const json_t *body)
{
	return json_is_true(json_object_get(body, "repair")) ? "store.repair" : "store.check";
}

static void post_check(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	char id[SN_STORE_JOB_ID_SIZE];
	struct sn_err err = {0};
	struct check *check;

	if (body == NULL)
		return;
	if (hub->follower != NULL && json_is_true(json_object_get(body, "repair"))) {
		sn_http_problem(request, 409, "replica", "This hub is a replica",
				"it fetches what is damaged here again: drop the day ('sonde store "
				"drop')");
		return;
	}
	check = sn_new(struct check);
	check->path = sn_xstrdup(hub->store_dir);
	check->deep = json_is_true(json_object_get(body, "deep"));
	check->repair = json_is_true(json_object_get(body, "repair"));
	if (sn_store_jobs_start(hub->store_jobs, "check", run_check, check_release, check, id,
				&err) != 0) {
		check_release(check);
		refuse_start(request, &err);
		return;
	}
	reply_started(hub, request, id, check_action(body), NULL);
}

/* Backups ------------------------------------------------------------------------------- */

struct backup {
	struct sn_backup_options options;
	char *state, *directory, *policy;
};

static void backup_release(void *ctx)
{
	struct backup *backup = ctx;

	free(backup->state);
	free(backup->directory);
	free(backup->policy);
	free(backup);
}

static int run_backup(struct sn_store_job *job, void *ctx, struct sn_err *err)
{
	const struct backup *backup = ctx;
	struct sn_backup_sum sum;
	char bytes[32], copied[32], text[160];
	int rc = sn_backup_make(&backup->options, sn_store_job_watch(job), &sum, err);

	if (rc != 0)
		return rc;
	snprintf(text, sizeof(text), "%llu files, %s; %llu of them copied now, %s",
		 (unsigned long long)sum.files, sn_format_bytes(sum.bytes, bytes, sizeof(bytes)),
		 (unsigned long long)sum.copied,
		 sn_format_bytes(sum.copied_bytes, copied, sizeof(copied)));
	sn_store_job_note(job, backup->directory, text,
			  "keep it where only you can read it: it has the hub's keys");
	return 0;
}

static struct backup *backup_create(const struct sn_hub *hub, const char *directory, bool full)
{
	struct backup *backup = sn_new(struct backup);

	backup->state = sn_xstrdup(hub->config->state);
	backup->directory = sn_xstrdup(directory);
	if (hub->config->policy[0] != '\0')
		backup->policy = sn_xstrdup(hub->config->policy);
	backup->options = (struct sn_backup_options){
		.state = backup->state,
		.directory = backup->directory,
		.policy = backup->policy,
		.full = full,
	};
	return backup;
}

static void post_backup(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *directory = json_string_value(json_object_get(body, "directory"));
	const json_t *incremental = json_object_get(body, "incremental");
	char id[SN_STORE_JOB_ID_SIZE];
	struct sn_err err = {0};
	struct backup *backup;

	if (body == NULL)
		return;
	if (directory[0] != '/') {
		sn_api_bad(request,
			   "directory: not an absolute path (it is one of the hub's machine)");
		return;
	}
	backup = backup_create(hub, directory, json_is_false(incremental));
	if (sn_store_jobs_start(hub->store_jobs, "backup", run_backup, backup_release, backup, id,
				&err) != 0) {
		backup_release(backup);
		refuse_start(request, &err);
		return;
	}
	reply_started(hub, request, id, "store.backup", directory);
}

/* Looking --------------------------------------------------------------------------------- */

static void get_jobs(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;

	sn_api_reply_list(request, sn_store_jobs_json(hub->store_jobs), "id");
}

static void get_job(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	json_t *job = sn_store_jobs_find(hub->store_jobs, sn_http_param(request, "id"));

	if (job == NULL)
		sn_api_not_found(request, "no job has this id (they are forgotten when the hub "
					  "ends)");
	else
		sn_http_reply_json(request, 200, job);
}

/* Declarations ------------------------------------------------------------------------------ */

static const struct sn_api_field finding_fields[] = {
	{"what", SN_API_TEXT, true, false, "what it is about"},
	{"reason", SN_API_TEXT, true, false, "what was found"},
	{"next", SN_API_TEXT, true, false, "what to do"},
};
static const struct sn_api_schema finding_schema = {"StoreFinding", "What a job has found.",
						    finding_fields, SN_COUNT(finding_fields)};
static const struct sn_api_field job_fields[] = {
	{"id", SN_API_TEXT, true, false, "of the job"},
	{"kind", SN_API_TEXT, true, false, "check or backup"},
	{"state", SN_API_TEXT, true, false, "running, done or failed"},
	{"reason", SN_API_TEXT, true, true, "why it failed"},
	{"done", SN_API_INTEGER, true, false, "how much of `total`"},
	{"total", SN_API_INTEGER, true, false, "bytes to look at, 0 until it is known"},
	{"started", SN_API_TIME, true, false, "when"},
	{"ended", SN_API_TIME, true, true, "when"},
	{"findings", SN_API_ARRAY, true, false, "what a person should see", &finding_schema},
};
static const struct sn_api_schema job_schema = {"StoreJob", "Something done to the whole store.",
						job_fields, SN_COUNT(job_fields)};

static const struct sn_api_field check_fields[] = {
	{"deep", SN_API_BOOL, false, false, "read every column, too"},
	{"repair", SN_API_BOOL, false, false,
	 "first take back what is whole of files that were set aside"},
};
static const struct sn_api_schema check_body = {"StoreCheck", "How to check.", check_fields,
						SN_COUNT(check_fields)};
static const struct sn_api_field backup_fields[] = {
	{"directory", SN_API_TEXT, true, false, "absolute, on the hub's machine"},
	{"incremental", SN_API_BOOL, false, false,
	 "false: copy files that have not changed, too; default true"},
};
static const struct sn_api_schema backup_body = {"StoreBackup", "Where to.", backup_fields,
						 SN_COUNT(backup_fields)};

static const struct sn_api_doc check_doc = {
	.id = "checkStore",
	.tag = "store",
	.summary = "look for damage, as a job",
	.body = &check_body,
	.status = 201,
	.answer = &job_schema,
};
static const struct sn_api_doc backup_doc = {
	.id = "backUpStore",
	.tag = "store",
	.summary = "copy the hub's whole state into a directory, as a job",
	.body = &backup_body,
	.status = 201,
	.answer = &job_schema,
};
static const struct sn_api_doc jobs_doc = {
	.id = "listStoreJobs",
	.tag = "store",
	.summary = "jobs since the hub's start, newest first",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &job_schema,
};
static const struct sn_api_doc job_doc = {
	.id = "getStoreJob",
	.tag = "store",
	.summary = "how far a job is",
	.answer = &job_schema,
};

static const struct sn_http_route routes[] = {
	{"POST", "/api/v1/store/check", post_check, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &check_doc},
	{"POST", "/api/v1/store/backup", post_backup, SN_API_BODY_MAX, SN_ACCESS_ADMIN,
	 &backup_doc},
	{"GET", "/api/v1/store/jobs", get_jobs, 0, SN_ACCESS_ADMIN, &jobs_doc},
	{"GET", "/api/v1/store/jobs/{id}", get_job, 0, SN_ACCESS_ADMIN, &job_doc},
};
const struct sn_api_routes sn_api_store_jobs = {routes, SN_COUNT(routes)};
