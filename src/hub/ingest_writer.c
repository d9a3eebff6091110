/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that turns batches into rows on disk.
 *
 * It takes all that wait for it, reads them, and commits them as one group; what comes
 * meanwhile is the next group.  So a slow disk makes groups larger and not the hub slower, and
 * the loop receives while the disk works.
 */
#define SN_MODULE "ingest"
#include "hub/ingest_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/codec.h"
#include "hub/secret.h"

#define GROUP_ROWS_MAX 65536 /* such that an answer does not wait for ever longer groups */
/*
 * One commit after the other costs twice the processor time of larger ones: a block, a sync and
 * later the putting together of small blocks for each.  The first after a pause is not put off.
 */
#define GROUP_GAP_NS   (10 * SN_NS_PER_MS)
#define GROUP_ROWS_MIN 8192 /* as many do not wait for more */

struct sn_writer {
	struct sn_store *store; /* the thread's */
	struct sn_annotations *annotations;
	struct sn_quarantine *quarantine;
	void (*news)(void *ctx);
	void *ctx;
	pthread_t thread;
	bool failing;          /* the thread's: the last commit ... */
	uint64_t committed_ns; /* ... and when it was */

	pthread_mutex_t lock; /* of what is below */
	pthread_cond_t woken;
	bool stop;
	struct sn_list waiting; /* struct sn_ingest_job */
	uint64_t waiting_rows;
	struct sn_writer_news done;
};

void sn_ingest_job_destroy(struct sn_ingest_job *job)
{
	sn_list_remove(&job->link);
	sn_batch_destroy(job->batch);
	free(job->source);
	free(job->stream);
	free(job->dataset);
	sn_buf_finish(&job->body);
	free(job);
}

/* Reading a batch -------------------------------------------------------------- */

/* "ping/1" of the catalogue. */
static const struct sn_dataset *find_dataset(const char *text, struct sn_err *err)
{
	const char *slash = text != NULL ? strchr(text, '/') : NULL;
	const struct sn_dataset *dataset;
	char name[64];
	uint64_t version;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(name) ||
	    sn_parse_u64(sn_str(slash + 1), 1, UINT32_MAX, &version) != 0) {
		sn_err_set(err, -EINVAL, "its dataset is not like 'ping/1'");
		return NULL;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(slash - text), text);
	dataset = sn_catalog_find(name);
	if (dataset == NULL || dataset->version != version) {
		sn_err_set(err, -EINVAL, "this hub does not know the dataset '%.64s'", text);
		return NULL;
	}
	return dataset;
}

static int check_rows(const struct sn_batch *batch, uint64_t claimed, struct sn_err *err)
{
	if (claimed != sn_batch_rows(batch))
		return sn_err_set(err, -EINVAL, "it has %zu rows and claims %" PRIu64,
				  sn_batch_rows(batch), claimed);
	for (size_t i = 0; i < sn_batch_rows(batch); i++) {
		const struct sn_value *row = sn_batch_row(batch, i);

		if (row[SN_COL_TIME].type == SN_TYPE_NULL || row[SN_COL_SEQ].type == SN_TYPE_NULL)
			return sn_err_set(err, -EINVAL, "line %zu: 'time' or 'seq' is missing",
					  i + 1);
	}
	return 0;
}

static void sign_rows(struct sn_batch *batch, const char *node)
{
	struct sn_value value = {.type = SN_TYPE_TEXT, .s = sn_str(node)};

	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		sn_batch_set(batch, i, SN_COL_NODE, value);
}

struct sn_batch *sn_ingest_read(const char *dataset, uint64_t rows, const char *node,
				struct sn_str body, struct sn_err *err)
{
	const struct sn_dataset *found = find_dataset(dataset, err);
	struct sn_batch *batch;

	if (found == NULL)
		return NULL;
	batch = sn_batch_create(found);
	if (sn_jsonl_read(batch, body, SN_INGEST_ROWS_MAX, err) != 0 ||
	    check_rows(batch, rows, err) != 0) {
		sn_batch_destroy(batch);
		return NULL;
	}
	sign_rows(batch, node);
	return batch;
}

/* One job ------------------------------------------------------------------------- */

static bool is_authentic(const struct sn_ingest_job *job)
{
	uint8_t digest[SN_SECRET_HASH_SIZE];

	sn_secret_hash(sn_buf_str(&job->body), digest);
	return memcmp(job->digest, digest, sizeof(digest)) == 0;
}

/* On disk, as rows would be: so the sender may go on. */
static void put_aside(struct sn_writer *writer, struct sn_ingest_job *job)
{
	struct sn_quarantine_item item = {
		.source = job->source,
		.kind = SN_QUARANTINE_BATCH,
		.dataset = job->dataset,
		.reason = job->err.text,
		.stream = job->stream,
		.seq = job->seq,
		.rows = job->rows_claimed,
	};
	struct sn_err err = {0};

	job->result = SN_INGEST_QUARANTINED;
	if (job->dataset == NULL) { /* rows that did not come as a batch have nothing to be kept */
		job->result = SN_INGEST_BAD;
		return;
	}
	job->quarantined =
		sn_quarantine_add(writer->quarantine, &item, job->body.p, job->body.n, &err);
	if (job->quarantined > 0)
		return;
	job->err = err;
	job->result = err.code == -EINVAL || err.code == -EFBIG ? SN_INGEST_BAD : SN_INGEST_REFUSED;
}

static void append(struct sn_writer *writer, struct sn_ingest_job *job)
{
	struct sn_batch_id id = {.node = job->source, .stream = job->stream, .seq = job->seq};
	int result;

	memcpy(id.digest, job->digest, sizeof(id.digest));
	sn_annotate_batch(writer->annotations, job->batch);
	result = sn_store_append(writer->store, &id, job->batch, &job->err);
	job->rows = sn_batch_rows(job->batch);
	if (result >= 0) {
		/* Also a duplicate waits: its first may be in the very group that is open. */
		job->result = result == 0 ? SN_INGEST_STORED : SN_INGEST_DUPLICATE;
	} else if (result == -EEXIST) {
		job->result = SN_INGEST_CONFLICT;
	} else if (result == -EINVAL) {
		put_aside(writer, job);
	} else {
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot store: %s", job->err.text);
		job->result = SN_INGEST_REFUSED;
	}
}

static void work_on(struct sn_writer *writer, struct sn_ingest_job *job)
{
	if (job->dataset != NULL && !is_authentic(job)) {
		sn_err_set(&job->err, -EBADMSG, "the body does not have the digest that it claims");
		job->result = SN_INGEST_BAD;
		return;
	}
	if (job->batch == NULL)
		job->batch = sn_ingest_read(job->dataset, job->rows_claimed, job->source,
					    sn_buf_str(&job->body), &job->err);
	if (job->batch == NULL)
		put_aside(writer, job);
	else
		append(writer, job);
}

/* A group ---------------------------------------------------------------------------- */

static bool is_in_group(const struct sn_ingest_job *job)
{
	return job->result == SN_INGEST_STORED || job->result == SN_INGEST_DUPLICATE;
}

static void group_failed(struct sn_writer *writer, struct sn_list *group, const struct sn_err *err)
{
	if (!writer->failing)
		sn_error("cannot store: %s", err->text);
	sn_list_for_each (link, group) {
		struct sn_ingest_job *job = sn_list_entry(link, struct sn_ingest_job, link);

		if (!is_in_group(job))
			continue;
		job->result = SN_INGEST_REFUSED;
		job->err = *err;
	}
}

/* Nanoseconds that it took; 0 if nothing was to be committed. */
static uint64_t commit(struct sn_writer *writer, struct sn_list *group)
{
	uint64_t begin_ns = sn_mono_ns();
	struct sn_err err = {0};
	bool any = false;
	int failed;

	sn_list_for_each (link, group)
		any |= is_in_group(sn_list_entry(link, struct sn_ingest_job, link));
	if (!any)
		return 0;
	failed = sn_store_commit(writer->store, &err);
	if (failed != 0)
		group_failed(writer, group, &err);
	writer->failing = failed != 0;
	writer->committed_ns = sn_mono_ns();
	return SN_MAX(writer->committed_ns - begin_ns, (uint64_t)1);
}

static uint64_t rows_of(const struct sn_ingest_job *job)
{
	return SN_MAX(job->rows_claimed, (uint64_t)1);
}

/* With the lock: until there is something, and not too soon after the last. */
static void wait_for_group(struct sn_writer *writer)
{
	uint64_t due_ns = writer->committed_ns + GROUP_GAP_NS;
	struct timespec due = {.tv_sec = (time_t)(due_ns / SN_NS_PER_S),
			       .tv_nsec = (long)(due_ns % SN_NS_PER_S)};

	while (sn_list_empty(&writer->waiting) && !writer->stop)
		pthread_cond_wait(&writer->woken, &writer->lock);
	while (writer->waiting_rows < GROUP_ROWS_MIN && !writer->stop &&
	       pthread_cond_timedwait(&writer->woken, &writer->lock, &due) != ETIMEDOUT)
		;
}

/* Moves what waits, as much as a group may have; false when there is nothing more to come. */
static bool next_group(struct sn_writer *writer, struct sn_list *group)
{
	uint64_t rows = 0;

	pthread_mutex_lock(&writer->lock);
	wait_for_group(writer);
	while (!sn_list_empty(&writer->waiting) && rows < GROUP_ROWS_MAX) {
		struct sn_ingest_job *job =
			sn_list_entry(writer->waiting.next, struct sn_ingest_job, link);

		rows += rows_of(job);
		writer->waiting_rows -= rows_of(job);
		sn_list_remove(&job->link);
		sn_list_append(group, &job->link);
	}
	pthread_mutex_unlock(&writer->lock);
	return !sn_list_empty(group);
}

static void give_back(struct sn_writer *writer, struct sn_list *group, uint64_t commit_ns)
{
	pthread_mutex_lock(&writer->lock);
	sn_list_for_each (link, group) {
		sn_list_remove(link);
		sn_list_append(&writer->done.jobs, link);
	}
	if (commit_ns > 0) {
		writer->done.commits++;
		writer->done.commit_seconds += (double)commit_ns / 1e9;
		writer->done.any_commit = true;
		writer->done.failing = writer->failing;
	}
	pthread_mutex_unlock(&writer->lock);
	writer->news(writer->ctx);
}

static void *run(void *ctx)
{
	struct sn_writer *writer = ctx;
	struct sn_list group;

	sn_list_init(&group);
	while (next_group(writer, &group)) {
		sn_list_for_each (link, &group)
			work_on(writer, sn_list_entry(link, struct sn_ingest_job, link));
		give_back(writer, &group, commit(writer, &group));
	}
	return NULL;
}

/* The loop's side ----------------------------------------------------------------------- */

void sn_writer_put(struct sn_writer *writer, struct sn_ingest_job *job)
{
	pthread_mutex_lock(&writer->lock);
	sn_list_append(&writer->waiting, &job->link);
	writer->waiting_rows += rows_of(job);
	pthread_cond_signal(&writer->woken);
	pthread_mutex_unlock(&writer->lock);
}

void sn_writer_take(struct sn_writer *writer, struct sn_writer_news *news)
{
	memset(news, 0, sizeof(*news));
	sn_list_init(&news->jobs);
	pthread_mutex_lock(&writer->lock);
	sn_list_for_each (link, &writer->done.jobs) {
		sn_list_remove(link);
		sn_list_append(&news->jobs, link);
	}
	news->commits = writer->done.commits;
	news->commit_seconds = writer->done.commit_seconds;
	news->any_commit = writer->done.any_commit;
	news->failing = writer->done.failing;
	writer->done.commits = 0;
	writer->done.commit_seconds = 0;
	writer->done.any_commit = false;
	pthread_mutex_unlock(&writer->lock);
}

int sn_writer_start(const struct sn_ingest_config *config, void (*news)(void *ctx), void *ctx,
		    struct sn_writer **writer, struct sn_err *err)
{
	struct sn_writer *made = sn_new(struct sn_writer);
	pthread_condattr_t monotonic;
	int rc = sn_store_open(config->dir, &made->store, err);

	made->quarantine = config->quarantine;
	made->annotations = sn_annotations_create(config->annotator);
	made->news = news;
	made->ctx = ctx;
	sn_list_init(&made->waiting);
	sn_list_init(&made->done.jobs);
	pthread_mutex_init(&made->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&made->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (rc == 0)
		rc = -pthread_create(&made->thread, NULL, run, made);
	if (rc != 0) {
		sn_store_close(made->store);
		sn_annotations_destroy(made->annotations);
		free(made);
		return err->code != 0 ? err->code
				      : sn_err_sys(err, rc, "cannot start the thread that stores");
	}
	*writer = made;
	return 0;
}

void sn_writer_stop(struct sn_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->woken);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
}

void sn_writer_destroy(struct sn_writer *writer)
{
	sn_store_close(writer->store);
	sn_annotations_destroy(writer->annotations);
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->woken);
	free(writer);
}
