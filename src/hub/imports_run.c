/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "exchange/input.h"
#include "exchange/rows_file.h"
#include "hub/imports_internal.h"
#include "mplane/codec.h"

#define HEAD_LINES_MAX 4
#define TASK           "import" /* what rows of mPlane results say where others have a measurement */

/* Progress ------------------------------------------------------------------- */

static int tell_progress(const struct sn_import_report *report, void *ctx)
{
	struct sn_import_job *job = ctx;

	pthread_mutex_lock(&job->lock);
	job->report = *report;
	pthread_mutex_unlock(&job->lock);
	return atomic_load(&job->stop);
}

/* Bad lines ------------------------------------------------------------------- */

/* What every piece of the file needs before it to be read: the header. */
static void read_head(struct sn_import_job *job, enum sn_form form)
{
	struct sn_input *input;
	struct sn_input_line line;

	if (job->head.n > 0 || (form != SN_FORM_TSTAT && form != SN_FORM_CSV) ||
	    sn_input_open(job->path, SN_ROWS_FILE_LINE_MAX, &input, NULL) != 0)
		return;
	for (unsigned i = 0; i < HEAD_LINES_MAX && sn_input_next(input, &line, NULL) > 0; i++) {
		bool wanted =
			form == SN_FORM_CSV ? i == 0 : line.text.n > 0 && line.text.p[0] == '#';

		if (!wanted || line.too_long)
			break;
		sn_buf_add(&job->head, line.text.p, line.text.n);
		sn_buf_addc(&job->head, '\n');
	}
	sn_input_destroy(input);
}

static void put_aside(struct sn_import_job *job)
{
	sn_autofree char *source = sn_xasprintf("import:%s", job->report.digest);
	sn_autofree char *reason = NULL;
	struct sn_quarantine_item item = {
		.source = source,
		.kind = SN_QUARANTINE_LINE,
		.dataset = job->report.dataset,
		.stream = sn_form_name(job->report.form),
		.seq = job->bad_line,
		.rows = job->bad_count,
	};
	struct sn_buf text = {0};

	if (job->bad_count == 0)
		return;
	reason = sn_xasprintf("%s%.80s: line %llu: %s%s", job->bad_count > 1 ? "lines of " : "",
			      job->name, (unsigned long long)job->bad_line, job->bad_reason,
			      job->bad_count > 1 ? " (and others)" : "");
	item.reason = reason;
	read_head(job, job->report.form);
	sn_buf_add(&text, job->head.p, job->head.n);
	sn_buf_add(&text, job->bad.p, job->bad.n);
	/* What does not fit any more was counted all the same. */
	(void)sn_quarantine_add(job->imports->hub->quarantine, &item, text.p, text.n, NULL);
	sn_buf_finish(&text);
	sn_buf_clear(&job->bad);
	job->bad_count = 0;
}

static void take_bad(const struct sn_bad_line *bad, void *ctx)
{
	struct sn_import_job *job = ctx;

	if (job->bad_bytes + bad->text.n > SN_IMPORT_BAD_MAX)
		return;
	job->bad_bytes += bad->text.n + 1;
	if (job->bad_count++ == 0) {
		job->bad_line = bad->line;
		snprintf(job->bad_reason, sizeof(job->bad_reason), "%s", bad->reason);
	}
	sn_buf_add(&job->bad, bad->text.p, bad->text.n);
	sn_buf_addc(&job->bad, '\n');
	if (job->bad.n >= SN_IMPORT_BAD_PIECE)
		put_aside(job);
}

/* mPlane ---------------------------------------------------------------------- */

static int read_result(struct sn_import_job *job, const struct sn_mp_message *result)
{
	struct sn_hub *hub = job->imports->hub;
	struct sn_err *err = &job->ask.err;
	const struct sn_derived_set *set;
	struct sn_derived_origin origin = {
		.node = job->node != NULL ? job->node : "import",
		.task = TASK,
		.fallback_ns = sn_hub_now(hub),
	};

	if (result->kind != SN_MP_RESULT || result->label == NULL || result->label[0] == '\0')
		return sn_err_set(err, -EINVAL, "not a result with a label");
	if (result->row_count == 0)
		return 0;
	set = sn_derived_get(hub->derived, result->label, result, sn_hub_now(hub), err);
	if (set == NULL)
		return err->code;
	return sn_derived_read(set, result, &origin, &job->ask.rows, err);
}

static void answer_message(struct sn_import_job *job)
{
	sn_autofree char *text = json_dumps(job->ask.message, JSON_COMPACT);
	struct sn_mp_message *message = sn_mp_decode(job->imports->hub->registries, text,
						     strlen(text), 0, NULL, &job->ask.err);

	if (message == NULL)
		job->ask.err.code = -EINVAL;
	else
		read_result(job, message);
	sn_mp_message_destroy(message);
}

void sn_import_answer(struct sn_import_job *job)
{
	pthread_mutex_lock(&job->lock);
	if (job->ask.message != NULL && !job->ask.answered) {
		if (atomic_load(&job->stop))
			sn_err_set(&job->ask.err, -ECANCELED, "the hub ends");
		else
			answer_message(job);
		job->ask.answered = true;
		pthread_cond_signal(&job->answered);
	}
	pthread_mutex_unlock(&job->lock);
}

static int place_rows(const struct sn_derived_rows *rows, const struct sn_intake *intake,
		      size_t *count, struct sn_err *why)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct sn_batch *batch = rows->batches[i];
		int64_t time_ns = sn_batch_row(batch, 0)[SN_COL_TIME].i;
		struct sn_columns *columns;

		if (time_ns < intake->oldest_ns || time_ns > intake->latest_ns)
			return sn_err_set(why, -EINVAL, "its times are far off");
		columns =
			intake->place(intake->ctx, sn_batch_dataset(batch), sn_intake_day(time_ns));
		sn_columns_add_batch(columns, batch);
		*count += sn_batch_rows(batch);
	}
	return 0;
}

/* One message: the catalogue of derived datasets belongs to the loop. */
static int derive_one(struct sn_import_job *job, const json_t *message,
		      const struct sn_intake *intake, size_t *rows, struct sn_err *why)
{
	struct sn_derived_rows derived;
	int rc;

	pthread_mutex_lock(&job->lock);
	job->ask = (struct sn_import_ask){.message = message};
	uv_async_send(job->imports->wake);
	while (!job->ask.answered)
		pthread_cond_wait(&job->answered, &job->lock);
	derived = job->ask.rows;
	*why = job->ask.err;
	job->ask = (struct sn_import_ask){0};
	pthread_mutex_unlock(&job->lock);
	rc = why->code != 0 ? why->code : place_rows(&derived, intake, rows, why);
	sn_derived_rows_finish(&derived);
	return rc;
}

/* An envelope, or a message. */
static int derive(const json_t *message, const struct sn_intake *intake, size_t *rows, void *ctx,
		  struct sn_err *why)
{
	const json_t *contents = json_object_get(message, "contents"), *content;
	int rc = 0, failed = 0;
	size_t i;

	if (json_object_get(message, "envelope") == NULL || !json_is_array(contents))
		return derive_one(ctx, message, intake, rows, why);
	json_array_foreach (contents, i, content) {
		rc = derive_one(ctx, content, intake, rows, why);
		if (rc != 0 && rc != -EINVAL)
			return rc;
		failed = rc != 0 ? rc : failed;
	}
	return failed;
}

static void annotate(struct sn_columns *rows, void *ctx)
{
	struct sn_import_job *job = ctx;

	sn_annotate_columns(job->annotations, rows);
}

/* The thread ------------------------------------------------------------------ */

static int import(struct sn_import_job *job)
{
	struct sn_import_options options = {
		.form = job->form,
		.name = job->name,
		.dataset = job->dataset,
		.node = job->node,
		.strict = job->strict,
		.digest = job->digest[0] != '\0' ? job->digest : NULL,
		.now_ns = sn_wall_ns(),
		.progress = tell_progress,
		.bad = take_bad,
		.annotate = annotate,
		.derive = derive,
		.ctx = job,
	};
	struct sn_import_report report;
	struct sn_importer *importer;
	int rc = sn_importer_open(job->store_dir, &importer, &job->err);

	if (rc != 0)
		return rc;
	job->annotations = sn_annotations_create(job->imports->hub->annotator);
	rc = sn_importer_file(importer, job->path, &options, &report, &job->err);
	sn_annotations_destroy(job->annotations);
	sn_importer_close(importer);
	tell_progress(&report, job);
	put_aside(job);
	return rc;
}

void *sn_import_run(void *ctx)
{
	struct sn_import_job *job = ctx;

	job->rc = import(job);
	atomic_store(&job->ended, true);
	uv_async_send(job->imports->wake);
	return NULL;
}

/* Again ----------------------------------------------------------------------- */

/* The log that rows of a dataset come from, as the name of a file. */
static const char *log_of(const struct sn_dataset *dataset)
{
	for (size_t i = 0; dataset != NULL && i < SN_TSTAT_LOGS; i++)
		if (sn_tstat_tables[i].dataset == dataset)
			return sn_tstat_tables[i].name;
	return NULL;
}

static int try_file(const char *dir, const char *path, const struct sn_import_options *options,
		    struct sn_import_report *report, struct sn_err *err)
{
	struct sn_importer *importer;
	int rc = sn_importer_open(dir, &importer, err);

	if (rc != 0)
		return rc;
	rc = sn_importer_file(importer, path, options, report, err);
	sn_importer_close(importer);
	if (rc == 0 && report->counts.bad > 0)
		return sn_err_set(err, -EINVAL, "%llu of its lines are still bad: %s",
				  (unsigned long long)report->counts.bad,
				  report->sample_count > 0 ? report->samples[0].reason : "");
	return rc;
}

/* All lines or none: first they are read without storing anything. */
int sn_import_retry(const struct sn_quarantine_copy *copy, size_t *rows, void *ctx,
		    struct sn_err *err)
{
	const struct sn_hub *hub = ctx;
	sn_autofree char *path =
		sn_xasprintf("%s/retry-%lld", hub->config->state, (long long)copy->id);
	struct sn_import_options options = {.now_ns = sn_wall_ns()};
	struct sn_import_report report;
	int rc;

	if (copy->dataset != NULL)
		options.dataset = sn_catalog_find(copy->dataset);
	options.name = log_of(options.dataset);
	if (copy->stream == NULL || sn_form_parse(copy->stream, &options.form) != 0 ||
	    options.form == SN_FORM_MPLANE)
		return sn_err_set(err, -EINVAL,
				  "lines of this form are not run again (import the file again)");
	if (options.form == SN_FORM_TSTAT)
		options.dataset = NULL;
	rc = sn_fs_write_atomic(path, copy->content.p, copy->content.n, 0600, err);
	if (rc == 0)
		rc = try_file(NULL, path, &options, &report, err);
	if (rc == 0)
		rc = try_file(hub->store_dir, path, &options, &report, err);
	if (rc == 0)
		*rows = report.duplicate ? 0 : report.counts.rows;
	unlink(path);
	return rc;
}
