/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "imports"
#include "hub/imports.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/imports_internal.h"
#include "hub/retry.h"
#include "hub/sql.h"

#define NODE_BYTES_MAX 128
#define COLUMNS                                                                                    \
	"id, name, form, state, bytes, taken AS taken_bytes, rows, bad AS bad_lines, unknown,"     \
	" duplicate AS 'duplicate:bool', reason, owner AS 'by', dataset, node,"                    \
	" strict AS 'strict:bool', sha256, samples AS 'samples:json', created AS 'created:time',"  \
	" started AS 'started:time', ended AS 'ended:time'"

static void start_waiting(struct sn_imports *imports);

/* Jobs ----------------------------------------------------------------------- */

static struct sn_import_job *job_create(struct sn_imports *imports, const char *name,
					const char *path, const char *node)
{
	struct sn_import_job *job = sn_new(struct sn_import_job);

	job->imports = imports;
	job->name = sn_xstrdup(name);
	job->path = sn_xstrdup(path);
	job->node = node != NULL && *node != '\0' ? sn_xstrdup(node) : NULL;
	job->store_dir = sn_xstrdup(imports->hub->store_dir);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->answered, NULL);
	sn_list_append(&imports->jobs, &job->link);
	imports->waiting++;
	return job;
}

static void job_destroy(struct sn_import_job *job)
{
	struct sn_upload *upload = sn_uploads_find(job->imports->hub->uploads, job->upload);

	if (upload != NULL)
		upload->held = false;
	sn_list_remove(&job->link);
	if (job->running)
		job->imports->running--;
	else
		job->imports->waiting--;
	pthread_mutex_destroy(&job->lock);
	pthread_cond_destroy(&job->answered);
	sn_buf_finish(&job->bad);
	sn_buf_finish(&job->head);
	free(job->name);
	free(job->path);
	free(job->node);
	free(job->store_dir);
	free(job);
}

static struct sn_import_job *find_job(const struct sn_imports *imports, const char *id)
{
	sn_list_for_each (link, &imports->jobs) {
		struct sn_import_job *job = sn_list_entry(link, struct sn_import_job, link);

		if (strcmp(job->id, id) == 0)
			return job;
	}
	return NULL;
}

/* What is written down ----------------------------------------------------------- */

static char *samples_of(const struct sn_import_report *report)
{
	struct sn_buf buf = {0};
	struct sn_jw jw;

	sn_jw_init(&jw, &buf);
	sn_jw_array(&jw);
	for (unsigned i = 0; i < report->sample_count; i++) {
		sn_jw_object(&jw);
		sn_jw_ku64(&jw, "line", report->samples[i].line);
		sn_jw_kcstr(&jw, "reason", report->samples[i].reason);
		sn_jw_object_end(&jw);
	}
	sn_jw_array_end(&jw);
	sn_buf_cstr(&buf);
	return buf.p;
}

static void write_state(struct sn_import_job *job, const char *state, const char *reason)
{
	struct sn_hub *hub = job->imports->hub;
	const struct sn_import_report *report = &job->report;
	sn_autofree char *samples = samples_of(report);
	struct sn_err err = {0};

	if (sn_db_run(hub->control, &err,
		      "UPDATE imports SET state = ?, reason = nullif(?, ''), form = ?, dataset ="
		      " coalesce(nullif(?, ''), dataset), sha256 = nullif(?, ''), bytes = ?,"
		      " taken = ?, rows = ?, bad = ?, unknown = ?, duplicate = ?, samples = ?,"
		      " ended = ? WHERE id = ?",
		      "tttttiiiiiitit", state, reason, sn_form_name(report->form),
		      report->dataset != NULL ? report->dataset : "", report->digest,
		      (int64_t)report->bytes, (int64_t)report->taken, (int64_t)report->counts.rows,
		      (int64_t)report->counts.bad, (int64_t)report->counts.unknown,
		      (int64_t)report->duplicate, samples, sn_hub_now(hub), job->id) < 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot keep the state of an import: %s", err.text);
}

static void drop_upload(struct sn_import_job *job)
{
	struct sn_hub *hub = job->imports->hub;
	struct sn_upload *upload = sn_uploads_find(hub->uploads, job->upload);
	struct sn_err err = {0};

	if (upload == NULL)
		return;
	upload->held = false;
	if (sn_uploads_remove(hub->uploads, upload, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot remove an upload: %s", err.text);
}

/* Rows that are too old to stay: whoever brings an archive wants to know before they go. */
static const char *warn_of_retention(const struct sn_import_job *job, char *out, size_t size)
{
	const struct sn_hub *hub = job->imports->hub;
	int64_t days = (int64_t)hub->config->retention_days;

	if (days == 0 || job->report.first_ns >= sn_hub_now(hub) - days * 86400 * SN_NS_PER_S)
		return "";
	snprintf(out, size,
		 "rows older than %" PRId64 " days will be dropped within the hour (raise "
		 "'retention_days' in the hub's configuration, then import with --again)",
		 days);
	return out;
}

/* Its thread has ended. */
static void finish(struct sn_import_job *job)
{
	struct sn_hub *hub = job->imports->hub;
	const struct sn_import_report *report = &job->report;
	char warning[200];

	pthread_join(job->thread, NULL);
	/* The hub ends: the job stays as it is, to be gone on with. */
	if (job->rc == -ECANCELED && !job->cancelled) {
		job_destroy(job);
		return;
	}
	if (job->rc == 0) {
		write_state(job, "done", warn_of_retention(job, warning, sizeof(warning)));
		drop_upload(job);
		if (!report->duplicate)
			hub->rows_before += report->counts.rows;
	} else if (job->cancelled) {
		write_state(job, "cancelled", "");
	} else {
		write_state(job, "failed", job->err.text);
	}
	sn_notice("import has ended name=%s rows=%" PRIu64 " bad=%" PRIu64 " error=%s", job->name,
		  report->counts.rows, report->counts.bad, job->rc == 0 ? "none" : job->err.text);
	job_destroy(job);
}

static void woken(uv_async_t *handle)
{
	struct sn_imports *imports = handle->data;

	if (imports == NULL)
		return;
	sn_list_for_each (link, &imports->jobs) {
		struct sn_import_job *job = sn_list_entry(link, struct sn_import_job, link);

		if (!job->running)
			continue;
		sn_import_answer(job);
		if (atomic_load(&job->ended))
			finish(job);
	}
	if (!imports->closing)
		start_waiting(imports);
}

static int start(struct sn_import_job *job)
{
	struct sn_hub *hub = job->imports->hub;
	struct sn_err err = {0};
	int rc;

	if (sn_db_run(hub->control, &err,
		      "UPDATE imports SET state = 'running', started = coalesce(started, ?)"
		      " WHERE id = ?",
		      "it", sn_hub_now(hub), job->id) < 0) {
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot start an import: %s", err.text);
		return err.code;
	}
	rc = -pthread_create(&job->thread, NULL, sn_import_run, job);
	if (rc != 0)
		return rc;
	job->running = true;
	job->imports->running++;
	job->imports->waiting--;
	return 0;
}

static void start_waiting(struct sn_imports *imports)
{
	sn_list_for_each (link, &imports->jobs) {
		struct sn_import_job *job = sn_list_entry(link, struct sn_import_job, link);

		if (imports->running >= SN_IMPORTS_RUNNING_MAX)
			return;
		if (!job->running && start(job) != 0)
			return;
	}
}

/* Opening -------------------------------------------------------------------------- */

static const char *text_at(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text != NULL ? text : "";
}

static void load_job(struct sn_imports *imports, sqlite3_stmt *row)
{
	struct sn_upload *upload = sn_uploads_find(imports->hub->uploads, text_at(row, 6));
	struct sn_import_job *job =
		job_create(imports, text_at(row, 1), text_at(row, 7), text_at(row, 4));

	snprintf(job->id, sizeof(job->id), "%s", text_at(row, 0));
	snprintf(job->upload, sizeof(job->upload), "%s", text_at(row, 6));
	sn_form_parse(text_at(row, 2), &job->form);
	job->dataset = sn_catalog_find(text_at(row, 3));
	job->strict = sqlite3_column_int(row, 5) != 0;
	if (upload != NULL) {
		upload->held = true;
		memcpy(job->digest, upload->sha256, sizeof(job->digest));
	}
}

static int load(struct sn_imports *imports, struct sn_err *err)
{
	struct sn_db *db = imports->hub->control;
	sqlite3_stmt *row = sn_db_query(db, err,
					"SELECT id, name, asked_form, asked_dataset, node, strict,"
					" upload, path FROM imports WHERE state IN ('waiting',"
					" 'running') ORDER BY created, id",
					"");
	int rc;

	if (row == NULL)
		return err->code;
	while ((rc = sn_db_next(db, row, err)) == 1)
		load_job(imports, row);
	sn_db_done(row);
	return rc;
}

/* The hub ended between the end of an import and the removal of its file. */
static int drop_imported(struct sn_imports *imports, struct sn_err *err)
{
	struct sn_hub *hub = imports->hub;
	sqlite3_stmt *row = sn_db_query(hub->control, err,
					"SELECT DISTINCT uploads.id FROM uploads JOIN imports ON"
					" imports.upload = uploads.id WHERE imports.state = 'done'",
					"");
	struct sn_upload *found[64];
	size_t count = 0;
	int rc;

	if (row == NULL)
		return err->code;
	while ((rc = sn_db_next(hub->control, row, err)) == 1 && count < SN_COUNT(found)) {
		found[count] = sn_uploads_find(hub->uploads, text_at(row, 0));
		count += found[count] != NULL;
	}
	sn_db_done(row);
	for (size_t i = 0; i < count; i++)
		(void)sn_uploads_remove(hub->uploads, found[i], err);
	return SN_MIN(rc, 0);
}

int sn_imports_open(struct sn_hub *hub, struct sn_imports **out, struct sn_err *err)
{
	struct sn_imports *imports = sn_new(struct sn_imports);

	imports->hub = hub;
	sn_list_init(&imports->jobs);
	imports->wake = sn_new(uv_async_t);
	uv_async_init(sn_loop_uv(hub->loop), imports->wake, woken);
	imports->wake->data = imports;
	*out = imports;
	if (load(imports, err) != 0 || drop_imported(imports, err) != 0)
		return err->code;
	sn_retry_handle(hub->retry, "import:", sn_import_retry, hub);
	start_waiting(imports);
	return 0;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void sn_imports_close(struct sn_imports *imports)
{
	if (imports == NULL)
		return;
	imports->closing = true;
	sn_list_for_each (link, &imports->jobs)
		atomic_store(&sn_list_entry(link, struct sn_import_job, link)->stop, true);
	while (imports->running > 0) {
		woken(imports->wake);
		if (imports->running > 0)
			sn_loop_turn(imports->hub->loop, 10 * SN_NS_PER_MS);
	}
	sn_list_for_each (link, &imports->jobs)
		job_destroy(sn_list_entry(link, struct sn_import_job, link));
	imports->wake->data = NULL;
	uv_close((uv_handle_t *)imports->wake, free_handle);
	free(imports);
}

/* Adding --------------------------------------------------------------------------- */

static bool lies_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Links are followed first: what counts is where the file is. */
static int find_path(const struct sn_hub *hub, const char *path, char real[PATH_MAX],
		     struct sn_err *err)
{
	const struct sn_conf_texts *dirs = &hub->config->import_dirs;
	char allowed[PATH_MAX];
	struct stat st;

	if (path[0] != '/')
		return sn_err_set(err, -EINVAL, "path: '%.200s' does not begin with '/'", path);
	if (realpath(path, real) != NULL) {
		for (unsigned i = 0; i < dirs->count; i++) {
			if (realpath(dirs->items[i], allowed) != NULL && lies_in(real, allowed) &&
			    stat(real, &st) == 0)
				return S_ISREG(st.st_mode)
					       ? 0
					       : sn_err_set(err, -EINVAL,
							    "path: '%.200s' is no file", path);
		}
	}
	/* Not whether it exists: that is nobody's business. */
	return sn_err_set(err, -EACCES,
			  "path: no file '%.200s' in a directory of 'import_dirs' in the hub's "
			  "configuration",
			  path);
}

static int find_upload(const struct sn_hub *hub, const char *id, struct sn_upload **upload,
		       struct sn_err *err)
{
	*upload = sn_uploads_find(hub->uploads, id);
	if (*upload == NULL)
		return sn_err_set(err, -ENOENT, "no upload has this id");
	if ((*upload)->held)
		return sn_err_set(err, -EBUSY, "this upload is being imported already");
	if (!sn_upload_is_complete(*upload))
		return sn_err_set(err, -EBUSY,
				  "%" PRIu64 " of %" PRIu64 " bytes of the upload are here",
				  (*upload)->offset, (*upload)->bytes);
	return 0;
}

static int check_wanted(const struct sn_imports *imports, const struct sn_import_wanted *wanted,
			struct sn_err *err)
{
	if ((wanted->upload == NULL) == (wanted->path == NULL))
		return sn_err_set(err, -EINVAL, "give either 'upload' or 'path'");
	if (wanted->dataset != NULL && sn_catalog_find(wanted->dataset) == NULL)
		return sn_err_set(err, -EINVAL, "dataset: there is no dataset '%.64s'",
				  wanted->dataset);
	if (wanted->node != NULL && strlen(wanted->node) > NODE_BYTES_MAX)
		return sn_err_set(err, -EINVAL, "node: longer than %d bytes", NODE_BYTES_MAX);
	if (imports->waiting >= SN_IMPORTS_WAITING_MAX)
		return sn_err_set(err, -E2BIG, "too many imports are waiting (wait for some)");
	return 0;
}

static int write_job(struct sn_imports *imports, const struct sn_import_job *job,
		     const struct sn_import_wanted *wanted, uint64_t bytes, struct sn_err *err)
{
	struct sn_db *db = imports->hub->control;
	const char *dataset = wanted->dataset != NULL ? wanted->dataset : "";
	int rc =
		sn_db_run(db, err,
			  "INSERT INTO imports (id, name, form, asked_form, dataset,"
			  " asked_dataset, node, strict, upload, path, sha256, state, bytes, owner,"
			  " created) VALUES (?, ?, ?, ?, nullif(?, ''), ?, nullif(?, ''), ?, ?, ?,"
			  " nullif(?, ''), 'waiting', ?, ?, ?)",
			  "tttttttitttiti", job->id, job->name, sn_form_name(job->form),
			  sn_form_name(job->form), dataset, dataset,
			  job->node != NULL ? job->node : "", (int64_t)job->strict, job->upload,
			  job->path, job->digest, (int64_t)bytes, wanted->by, job->created_ns);

	if (rc >= 0)
		rc = sn_db_run(db, err,
			       "DELETE FROM imports WHERE state IN ('done', 'failed', 'cancelled')"
			       " AND id NOT IN (SELECT id FROM imports ORDER BY id DESC LIMIT ?)",
			       "i", (int64_t)SN_IMPORTS_KEPT_MAX);
	return SN_MIN(rc, 0);
}

int sn_imports_add(struct sn_imports *imports, const struct sn_import_wanted *wanted, char *id,
		   struct sn_err *err)
{
	struct sn_upload *upload = NULL;
	struct sn_import_job *job;
	char real[PATH_MAX];
	int rc = check_wanted(imports, wanted, err);

	if (rc == 0)
		rc = wanted->upload != NULL
			     ? find_upload(imports->hub, wanted->upload, &upload, err)
			     : find_path(imports->hub, wanted->path, real, err);
	if (rc != 0)
		return rc;
	job = upload != NULL ? job_create(imports, upload->name, upload->path, wanted->node)
			     : job_create(imports, strrchr(real, '/') + 1, real, wanted->node);
	job->created_ns = sn_hub_now(imports->hub);
	sn_ulid(job->created_ns, job->id);
	job->form = wanted->form;
	job->dataset = wanted->dataset != NULL ? sn_catalog_find(wanted->dataset) : NULL;
	job->strict = wanted->strict;
	if (upload != NULL) {
		memcpy(job->upload, upload->id, sizeof(job->upload));
		memcpy(job->digest, upload->sha256, sizeof(job->digest));
	}
	rc = write_job(imports, job, wanted, upload != NULL ? upload->bytes : 0, err);
	if (rc != 0) {
		job_destroy(job);
		return rc;
	}
	if (upload != NULL)
		upload->held = true;
	snprintf(id, SN_ULID_SIZE, "%s", job->id);
	start_waiting(imports);
	return 0;
}

int sn_imports_cancel(struct sn_imports *imports, const char *id, struct sn_err *err)
{
	struct sn_import_job *job = find_job(imports, id);
	int64_t known;

	if (job != NULL) {
		job->cancelled = true;
		atomic_store(&job->stop, true);
		if (!job->running) {
			write_state(job, "cancelled", "");
			job_destroy(job);
		}
		return 0;
	}
	known = sn_sql_i64(imports->hub->control, 0, "SELECT count(*) FROM imports WHERE id = ?",
			   "t", id);
	return known > 0 ? sn_err_set(err, -EBUSY, "this import has ended")
			 : sn_err_set(err, -ENOENT, "no import has this id");
}

/* Telling -------------------------------------------------------------------------- */

/* What the thread knows by now. */
static void add_live(struct sn_imports *imports, json_t *item)
{
	struct sn_import_job *job =
		find_job(imports, json_string_value(json_object_get(item, "id")));
	struct sn_import_report report;

	if (job == NULL || !job->running)
		return;
	pthread_mutex_lock(&job->lock);
	report = job->report;
	pthread_mutex_unlock(&job->lock);
	if (report.form != SN_FORM_AUTO)
		json_object_set_new(item, "form", json_string(sn_form_name(report.form)));
	if (report.bytes > 0)
		json_object_set_new(item, "bytes", json_integer((json_int_t)report.bytes));
	if (report.phase == SN_IMPORT_ROWS)
		json_object_set_new(item, "taken_bytes", json_integer((json_int_t)report.taken));
	json_object_set_new(item, "rows", json_integer((json_int_t)report.counts.rows));
	json_object_set_new(item, "bad_lines", json_integer((json_int_t)report.counts.bad));
	json_object_set_new(item, "unknown", json_integer((json_int_t)report.counts.unknown));
}

static json_t *with_live(struct sn_imports *imports, json_t *items)
{
	json_t *item;
	size_t i;

	json_array_foreach (items, i, item)
		add_live(imports, item);
	return items;
}

json_t *sn_imports_open_json(struct sn_imports *imports, struct sn_err *err)
{
	return with_live(imports, sn_sql_json(imports->hub->control, err,
					      "SELECT " COLUMNS " FROM imports WHERE state IN"
					      " ('waiting', 'running') ORDER BY id",
					      ""));
}

json_t *sn_imports_json(struct sn_imports *imports, const char *id, struct sn_err *err)
{
	struct sn_db *db = imports->hub->control;

	return with_live(
		imports,
		id != NULL ? sn_sql_json(db, err, "SELECT " COLUMNS " FROM imports WHERE id = ?",
					 "t", id)
			   : sn_sql_json(db, err,
					 "SELECT " COLUMNS " FROM imports ORDER BY id DESC", ""));
}

bool sn_imports_know(struct sn_imports *imports, const char *sha256)
{
	return sn_sql_i64(imports->hub->control, 0,
			  "SELECT count(*) FROM imports WHERE sha256 = ? AND state = 'done'", "t",
			  sha256) > 0;
}
