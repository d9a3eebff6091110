/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side: what comes is handed to the thread that stores, what it is done with is
 * answered and published. */
#define SN_MODULE "ingest"
#include "hub/ingest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/ingest_internal.h"

#define STREAM_DIGITS 32

struct sn_ingest {
	struct sn_loop *loop;
	struct sn_fleet *fleet;
	struct sn_writer *writer;
	int event; /* the writer's news */
	struct sn_io io;
	sn_ingest_stored_fn *on_stored;
	void *ctx;
	uint64_t in_flight; /* bytes */
	struct sn_ingest_stats stats;
};

/* Answers -------------------------------------------------------------------- */

static void answer_bad(struct sn_http_request *request, const char *reason)
{
	sn_http_problem(request, 422, "bad-batch", "The batch is no good", "%s", reason);
}

static void refuse_bad(struct sn_ingest *ingest, struct sn_http_request *request,
		       const char *reason)
{
	ingest->stats.batches[SN_INGEST_BAD]++;
	answer_bad(request, reason);
}

static void answer_own_trouble(struct sn_http_request *request, const struct sn_err *err)
{
	bool full = err->code == -ENOSPC || err->code == -EDQUOT;

	sn_http_set_header(request, "Retry-After", "10");
	if (full)
		sn_http_problem(request, 503, "store-full", "The disk of the hub is full",
				"keep the batch and send it again later: %s", err->text);
	else
		sn_http_problem(request, 503, "store-failed", "The store does not work",
				"keep the batch and send it again later: %s", err->text);
}

static void answer_quarantined(struct sn_http_request *request, const struct sn_ingest_job *job)
{
	char id[24];
	json_t *reason = json_string(job->err.text);

	snprintf(id, sizeof(id), "%" PRId64, job->quarantined);
	sn_http_reply_json(request, 202,
			   json_pack("{s:i, s:s, s:o}", "stored", 0, "quarantined", id, "reason",
				     reason != NULL ? reason : json_string("it cannot be read")));
}

static void answer(struct sn_http_request *request, const struct sn_ingest_job *job)
{
	static const char duplicate[] = "{\"stored\":0,\"duplicate\":true}\n";
	char body[64];
	int n;

	switch (job->result) {
	case SN_INGEST_STORED:
		n = snprintf(body, sizeof(body), "{\"stored\":%zu}\n", job->rows);
		sn_http_reply(request, 200, "application/json", body, (size_t)n);
		break;
	case SN_INGEST_DUPLICATE:
		sn_http_reply(request, 200, "application/json", duplicate, sizeof(duplicate) - 1);
		break;
	case SN_INGEST_QUARANTINED:
		answer_quarantined(request, job);
		break;
	case SN_INGEST_CONFLICT:
		sn_http_problem(request, 409, "digest-conflict",
				"Another batch was stored under this number",
				"a batch %" PRIu64 " of this stream with another content has been "
				"stored; a spool that was reset needs a new stream id",
				job->seq);
		break;
	case SN_INGEST_BAD:
		answer_bad(request, job->err.text);
		break;
	default:
		answer_own_trouble(request, &job->err);
	}
}

/* What the thread is done with ------------------------------------------------------- */

static bool is_stored(const struct sn_ingest_job *job)
{
	return job->result == SN_INGEST_STORED || job->result == SN_INGEST_DUPLICATE;
}

static void tell_sender(struct sn_ingest *ingest, const struct sn_ingest_job *job)
{
	static const struct sn_err none = {0};

	ingest->stats.batches[job->result]++;
	if (job->done != NULL)
		job->done(is_stored(job) ? &none : &job->err,
			  job->result == SN_INGEST_STORED ? job->rows : 0, job->ctx);
	if (job->request != NULL)
		answer(job->request, job);
}

static void publish(struct sn_ingest *ingest, const struct sn_ingest_job *job)
{
	if (job->result != SN_INGEST_STORED)
		return;
	ingest->stats.rows += job->rows;
	if (job->node != NULL)
		sn_fleet_rows(ingest->fleet, job->node, job->batch);
	ingest->on_stored(job->node, job->batch, ingest->ctx);
}

static void take_news(struct sn_ingest *ingest)
{
	struct sn_writer_news news;

	sn_writer_take(ingest->writer, &news);
	ingest->stats.commits += news.commits;
	ingest->stats.commit_seconds += news.commit_seconds;
	if (news.any_commit)
		ingest->stats.failing = news.failing;
	/* Nobody waits for what the others make of it. */
	sn_list_for_each (link, &news.jobs)
		tell_sender(ingest, sn_list_entry(link, struct sn_ingest_job, link));
	sn_list_for_each (again, &news.jobs) {
		struct sn_ingest_job *job = sn_list_entry(again, struct sn_ingest_job, link);

		publish(ingest, job);
		sn_ingest_job_destroy(job);
	}
}

static void woken(struct sn_io *io, int events)
{
	struct sn_ingest *ingest = sn_container_of(io, struct sn_ingest, io);
	uint64_t count;

	(void)events;
	(void)!read(ingest->event, &count, sizeof(count));
	take_news(ingest);
}

/* On the thread. */
static void wake_loop(void *ctx)
{
	const struct sn_ingest *ingest = ctx;
	uint64_t one = 1;

	(void)!write(ingest->event, &one, sizeof(one));
}

/* What comes ------------------------------------------------------------------------------ */

static int read_digest(struct sn_http_request *request, uint8_t digest[32], struct sn_err *err)
{
	const char *header = sn_http_header(request, "Digest");

	if (header == NULL || strncmp(header, "sha-256=", 8) != 0 ||
	    sn_unhex(sn_str(header + 8), digest, 32) != 0)
		return sn_err_set(err, -EINVAL,
				  "header Digest is missing or not like 'sha-256=<64 "
				  "hex digits>'");
	return 0;
}

/* The headers that say what the body is: without them nothing can be done with it, ever. */
static int check_headers(struct sn_http_request *request, uint8_t digest[32], uint64_t *rows,
			 struct sn_err *err)
{
	const char *dataset = sn_http_header(request, "Sonde-Dataset");
	const char *count = sn_http_header(request, "Sonde-Rows");

	if (dataset == NULL || strchr(dataset, '/') == NULL)
		return sn_err_set(err, -EINVAL,
				  "header Sonde-Dataset is missing or not like 'ping/1'");
	if (count == NULL || sn_parse_u64(sn_str(count), 1, SN_INGEST_ROWS_MAX, rows) != 0)
		return sn_err_set(err, -EINVAL, "header Sonde-Rows is missing or not 1 to %d",
				  SN_INGEST_ROWS_MAX);
	return read_digest(request, digest, err);
}

static bool stream_is_good(const char *stream)
{
	uint8_t bytes[STREAM_DIGITS / 2];

	return sn_unhex(sn_str(stream), bytes, sizeof(bytes)) == 0;
}

static void sender_gone(struct sn_http_request *request, void *ctx)
{
	struct sn_ingest_job *job = ctx;

	(void)request;
	job->request = NULL;
}

static struct sn_ingest_job *job_create(struct sn_node *node, const char *source,
					const char *stream, uint64_t seq, const uint8_t digest[32])
{
	struct sn_ingest_job *job = sn_new(struct sn_ingest_job);

	sn_list_init(&job->link);
	job->node = node;
	job->source = sn_xstrdup(source);
	job->stream = sn_xstrdup(stream);
	job->seq = seq;
	memcpy(job->digest, digest, sizeof(job->digest));
	return job;
}

void sn_ingest_take(struct sn_ingest *ingest, struct sn_node *node, struct sn_http_request *request)
{
	const char *stream = sn_http_param(request, "stream");
	struct sn_ingest_job *job;
	struct sn_err err = {0};
	uint64_t seq, rows;
	uint8_t digest[32];

	if (!stream_is_good(stream) ||
	    sn_parse_u64(sn_str(sn_http_param(request, "seq")), 0, INT64_MAX, &seq) != 0) {
		refuse_bad(ingest, request,
			   "the path is not .../batches/<32 hex digits>/<number of the batch>");
		return;
	}
	if (check_headers(request, digest, &rows, &err) != 0) {
		refuse_bad(ingest, request, err.text);
		return;
	}
	job = job_create(node, node->id, stream, seq, digest);
	job->request = request;
	job->dataset = sn_xstrdup(sn_http_header(request, "Sonde-Dataset"));
	job->rows_claimed = rows;
	/* The request may end while the thread reads. */
	job->body = sn_http_take_body(request);
	sn_http_on_abandon(request, sender_gone, job);
	sn_writer_put(ingest->writer, job);
}

void sn_ingest_put(struct sn_ingest *ingest, struct sn_node *node, const struct sn_batch_id *id,
		   struct sn_batch *batch, sn_ingest_done_fn *done, void *ctx)
{
	struct sn_ingest_job *job = job_create(node, id->node, id->stream, id->seq, id->digest);

	job->batch = batch;
	job->rows_claimed = sn_batch_rows(batch);
	job->done = done;
	job->ctx = ctx;
	sn_writer_put(ingest->writer, job);
}

/* The rest ---------------------------------------------------------------------- */

bool sn_ingest_reserve(struct sn_ingest *ingest, uint64_t bytes)
{
	if (ingest->in_flight + bytes > SN_INGEST_FLIGHT_MAX) {
		ingest->stats.batches[SN_INGEST_REFUSED]++;
		return false;
	}
	ingest->in_flight += bytes;
	return true;
}

void sn_ingest_release(struct sn_ingest *ingest, uint64_t bytes)
{
	ingest->in_flight -= SN_MIN(bytes, ingest->in_flight);
}

const struct sn_ingest_stats *sn_ingest_stats(const struct sn_ingest *ingest)
{
	return &ingest->stats;
}

int sn_ingest_create(const struct sn_ingest_config *config, struct sn_ingest **ingest,
		     struct sn_err *err)
{
	struct sn_ingest *made = sn_new(struct sn_ingest);

	made->loop = config->loop;
	made->fleet = config->fleet;
	made->on_stored = config->on_stored;
	made->ctx = config->ctx;
	made->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (made->event < 0)
		sn_err_sys(err, -errno, "cannot start to store");
	else if (sn_writer_start(config, wake_loop, made, &made->writer, err) != 0)
		close(made->event);
	if (made->writer == NULL) {
		free(made);
		return err->code;
	}
	sn_io_init(&made->io, made->loop, made->event, woken);
	if (sn_io_start(&made->io, SN_IO_READ) != 0)
		abort(); /* as without descriptors for a loop */
	*ingest = made;
	return 0;
}

void sn_ingest_destroy(struct sn_ingest *ingest)
{
	if (ingest == NULL)
		return;
	sn_writer_stop(ingest->writer);
	take_news(ingest);
	sn_io_stop(&ingest->io);
	sn_writer_destroy(ingest->writer);
	close(ingest->event);
	free(ingest);
}
