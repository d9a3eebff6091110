/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "upload"
#include "node/upload/upload.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "node/backoff.h"

#define DIGEST_BYTES 32
#define TIMEOUT_NS   (600 * SN_NS_PER_S) /* a whole batch over a modem; silence ends it sooner */
#define HEADER_MAX   160
#define PROBLEM_MAX  (SN_ERR_TEXT_MAX + 40)

struct slot { /* one request under way */
	struct sn_upload *upload;
	struct sn_http_fetch *fetch; /* NULL: free */
	uint64_t seq;
};

struct sn_upload {
	struct sn_loop *loop;
	struct sn_spool *spool;
	struct sn_uplink *uplink;
	struct slot slots[SN_UPLOAD_WINDOW];
	unsigned window;   /* 1 until the hub has taken one */
	uint64_t next_seq; /* from here on nothing was tried yet */
	bool paused;       /* until the timer fires */
	bool asked_to;     /* ... because of an answer, not for want of one */
	bool acknowledged; /* something to settle at the end of this turn */
	struct sn_timer timer;
	struct sn_flush flush;
	struct sn_backoff backoff;
	struct sn_buf body;
	void (*on_progress)(void *ctx); /* may be NULL */
	void *progress_ctx;
	char blocked[PROBLEM_MAX]; /* why nothing gets through; "" when it does */
	char refused[PROBLEM_MAX]; /* the last batch that was refused for good, or kept aside */
	uint64_t quarantined;
};

static void fill_window(struct sn_upload *upload);

/* One batch ------------------------------------------------------------------------------ */

static void digest_of(const struct sn_buf *body, char out[2 * DIGEST_BYTES + 1])
{
	uint8_t digest[DIGEST_BYTES];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, body->p, body->n, digest) != 0)
		abort(); /* the library has lost SHA-256: nothing can work */
	sn_hex(digest, sizeof(digest), out);
}

/* For good: the batch gets out of the way, a copy stays for people. */
static void reject(struct sn_upload *upload, uint64_t seq, const char *reason)
{
	struct sn_err err = {0};

	snprintf(upload->refused, sizeof(upload->refused), "batch %" PRIu64 " given up: %s", seq,
		 reason);
	sn_error("batch given up batch=%" PRIu64 " reason=\"%s\"", seq, reason);
	if (sn_spool_reject(upload->spool, seq, &err) != 0)
		sn_error("%s", err.text);
	upload->acknowledged = true;
}

static void pause_for(struct sn_upload *upload, uint64_t delay_ns, const char *reason)
{
	if (upload->blocked[0] == '\0')
		sn_notice("uploads wait reason=\"%s\"", reason);
	snprintf(upload->blocked, sizeof(upload->blocked), "results wait here: %s", reason);
	upload->window = 1;
	upload->paused = true;
	sn_timer_in(&upload->timer, delay_ns);
}

static void went_through(struct sn_upload *upload)
{
	if (upload->blocked[0] != '\0')
		sn_notice("uploads go through again");
	upload->blocked[0] = '\0';
	upload->window = SN_UPLOAD_WINDOW;
	sn_backoff_reset(&upload->backoff);
}

static void try_later(struct sn_upload *upload, const struct sn_http_answer *answer, int error,
		      const char *reason)
{
	uint64_t delay_ns = sn_backoff_next(&upload->backoff);
	uint64_t asked_ns = (uint64_t)(SN_MIN(SN_MAX(answer->retry_after_s, 0.0), 3600.0) * 1e9);

	if (error == -EACCES)
		delay_ns += SN_UPLOAD_DENIED_NS;
	pause_for(upload, SN_MAX(delay_ns, asked_ns), reason);
	upload->asked_to = answer->error == 0;
}

/* A replica takes nothing; its primary will, or itself when it has become one. */
static bool refused_for_good(const struct sn_http_answer *answer, const char *code)
{
	return answer->error == 0 && strcmp(code, "replica") != 0 &&
	       (answer->status == 409 || answer->status == 413 || answer->status == 422);
}

static void tell_new_stream(struct sn_upload *upload, uint64_t seq)
{
	snprintf(upload->refused, sizeof(upload->refused),
		 "the state of this node was copied or restored, its results go on under a new "
		 "stream (if a copy runs elsewhere, stop it and let it join as a node of its own)");
	SN_LOG_LIMITED(SN_LOG_WARNING,
		       "the hub has another batch of this number, sent again under a new stream "
		       "batch=%" PRIu64,
		       seq);
}

/*
 * Where the hub has other rows under this number, ours were never stored: they go
 * out once more, under a stream that nobody else counts in.
 */
static void took_refusal(struct sn_upload *upload, uint64_t seq,
			 const struct sn_http_answer *answer, const char *code, const char *reason)
{
	bool conflict = strcmp(code, "digest-conflict") == 0;
	struct sn_err err = {0};
	int error = conflict ? sn_spool_fork(upload->spool, seq, &err) : -EEXIST;

	if (error == -EEXIST) {
		reject(upload, seq, reason);
		went_through(upload);
		return;
	}
	upload->next_seq = SN_MIN(upload->next_seq, seq);
	if (error == 0) {
		tell_new_stream(upload, seq);
		went_through(upload);
	} else {
		try_later(upload, answer, error, err.text);
	}
}

/* The hub has the batch on disk, not as rows: as safe as if it were stored. */
static void note_quarantined(struct sn_upload *upload, uint64_t seq, struct sn_str body)
{
	sn_autojson json_t *json = sn_json_parse(body.p, body.n, NULL);
	const char *reason = json_string_value(json_object_get(json, "reason"));

	upload->quarantined++;
	snprintf(upload->refused, sizeof(upload->refused),
		 "batch %" PRIu64 " is in quarantine at the hub: %s", seq,
		 reason != NULL ? reason : "it did not say why");
	SN_LOG_LIMITED(SN_LOG_WARNING, "%s", upload->refused);
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct slot *slot = ctx;
	struct sn_upload *upload = slot->upload;
	char code[SN_PROBLEM_CODE_MAX];
	struct sn_err err = {0};
	int error = sn_uplink_judge(upload->uplink, answer, code, &err);

	slot->fetch = NULL;
	if (error == 0) {
		if (answer->status == 202)
			note_quarantined(upload, slot->seq, answer->body);
		sn_spool_ack(upload->spool, slot->seq);
		upload->acknowledged = true;
		went_through(upload);
	} else if (refused_for_good(answer, code)) {
		took_refusal(upload, slot->seq, answer, code, err.text);
	} else {
		upload->next_seq = SN_MIN(upload->next_seq, slot->seq);
		try_later(upload, answer, error, err.text);
	}
	fill_window(upload);
}

static bool send_batch(struct sn_upload *upload, struct slot *slot,
		       const struct sn_spool_batch *batch)
{
	char path[HEADER_MAX], dataset[HEADER_MAX], rows[HEADER_MAX], digest[HEADER_MAX];
	char hex[2 * DIGEST_BYTES + 1];
	const char *headers[] = {"Content-Type: application/x-ndjson", dataset, rows, digest, NULL};
	struct sn_http_fetch_spec spec = {
		.method = "PUT",
		.url = path,
		.headers = headers,
		.body = upload->body.p,
		.body_size = upload->body.n,
		.timeout_ns = TIMEOUT_NS,
		.on_done = answered,
		.ctx = slot,
	};

	digest_of(&upload->body, hex);
	snprintf(path, sizeof(path), "/api/v1/node/batches/%s/%" PRIu64,
		 sn_spool_batch_stream(upload->spool, batch), batch->seq);
	snprintf(dataset, sizeof(dataset), "Sonde-Dataset: %s",
		 sn_spool_dataset(upload->spool, batch));
	snprintf(rows, sizeof(rows), "Sonde-Rows: %" PRIu32, batch->rows);
	snprintf(digest, sizeof(digest), "Digest: sha-256=%s", hex);
	slot->seq = batch->seq;
	slot->fetch = sn_uplink_fetch(upload->uplink, &spec);
	return slot->fetch != NULL;
}

/* The window ------------------------------------------------------------------------------- */

static bool under_way(const struct sn_upload *upload, uint64_t seq)
{
	for (size_t i = 0; i < SN_COUNT(upload->slots); i++) {
		if (upload->slots[i].fetch != NULL && upload->slots[i].seq == seq)
			return true;
	}
	return false;
}

static struct slot *free_slot(struct sn_upload *upload)
{
	unsigned used = 0;
	struct slot *slot = NULL;

	for (size_t i = 0; i < SN_COUNT(upload->slots); i++) {
		if (upload->slots[i].fetch != NULL)
			used++;
		else if (slot == NULL)
			slot = &upload->slots[i];
	}
	return used < upload->window ? slot : NULL;
}

static const struct sn_spool_batch *next_batch(const struct sn_upload *upload)
{
	const struct sn_spool_batch *batch = sn_spool_next(upload->spool, upload->next_seq);

	while (batch != NULL && under_way(upload, batch->seq))
		batch = sn_spool_next(upload->spool, batch->seq + 1);
	return batch;
}

static void send_next(struct sn_upload *upload, struct slot *slot,
		      const struct sn_spool_batch *batch)
{
	struct sn_err err = {0};
	int error;

	upload->next_seq = batch->seq + 1;
	sn_buf_clear(&upload->body);
	error = sn_spool_read(upload->spool, batch, &upload->body, &err);
	if (error == -EMFILE || error == -ENFILE || error == -ENOMEM) {
		upload->next_seq = batch->seq;
		pause_for(upload, SN_UPLOAD_RETRY_MIN_NS, err.text);
		return;
	}
	if (error != 0) {
		/* Not ours to repair; the batches behind it must not wait for ever. */
		reject(upload, batch->seq, err.text);
		return;
	}
	if (!send_batch(upload, slot, batch)) {
		upload->next_seq = batch->seq;
		pause_for(upload, SN_UPLOAD_RETRY_MAX_NS, "the URL of the hub cannot be used");
	}
}

static void fill_window(struct sn_upload *upload)
{
	const struct sn_spool_batch *batch;
	struct slot *slot;

	while (!upload->paused && (slot = free_slot(upload)) != NULL &&
	       (batch = next_batch(upload)) != NULL)
		send_next(upload, slot, batch);
}

/* Life --------------------------------------------------------------------------------------- */

static void waited(struct sn_timer *timer)
{
	struct sn_upload *upload = sn_container_of(timer, struct sn_upload, timer);

	upload->paused = false;
	fill_window(upload);
}

/* All acknowledgements of one turn cost one write of the state. */
static void settle(struct sn_flush *flush)
{
	struct sn_upload *upload = sn_container_of(flush, struct sn_upload, flush);

	if (!upload->acknowledged)
		return;
	upload->acknowledged = false;
	sn_spool_settle(upload->spool);
	if (upload->on_progress != NULL)
		upload->on_progress(upload->progress_ctx);
}

void sn_upload_on_progress(struct sn_upload *upload, void (*fn)(void *ctx), void *ctx)
{
	upload->on_progress = fn;
	upload->progress_ctx = ctx;
}

struct sn_upload *sn_upload_create(struct sn_loop *loop, struct sn_spool *spool,
				   struct sn_uplink *uplink)
{
	struct sn_upload *upload = sn_new(struct sn_upload);

	upload->loop = loop;
	upload->spool = spool;
	upload->uplink = uplink;
	upload->window = 1;
	upload->backoff = (struct sn_backoff){
		.min_ns = SN_UPLOAD_RETRY_MIN_NS,
		.max_ns = SN_UPLOAD_RETRY_MAX_NS,
	};
	for (size_t i = 0; i < SN_COUNT(upload->slots); i++)
		upload->slots[i].upload = upload;
	sn_timer_init(&upload->timer, loop, waited);
	sn_flush_init(&upload->flush, loop, settle);
	return upload;
}

void sn_upload_destroy(struct sn_upload *upload)
{
	if (upload == NULL)
		return;
	for (size_t i = 0; i < SN_COUNT(upload->slots); i++) {
		if (upload->slots[i].fetch != NULL)
			sn_http_fetch_cancel(upload->slots[i].fetch);
	}
	upload->on_progress = NULL;
	settle(&upload->flush);
	sn_flush_stop(&upload->flush);
	sn_timer_stop(&upload->timer);
	sn_buf_finish(&upload->body);
	free(upload);
}

void sn_upload_kick(struct sn_upload *upload)
{
	fill_window(upload);
}

void sn_upload_retry_now(struct sn_upload *upload)
{
	if (!upload->paused || upload->asked_to)
		return;
	sn_timer_stop(&upload->timer);
	upload->paused = false;
	fill_window(upload);
}

uint64_t sn_upload_quarantined(const struct sn_upload *upload)
{
	return upload->quarantined;
}

const char *sn_upload_problem(const struct sn_upload *upload)
{
	if (upload->blocked[0] != '\0')
		return upload->blocked;
	return upload->refused[0] != '\0' ? upload->refused : NULL;
}
