/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "ingest"
#include "hub/ingest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/codec.h"
#include "hub/secret.h"

#define STREAM_DIGITS 32

/* A batch in the open group: answered and published after the commit. */
struct pending {
	struct sn_list link;
	struct sn_http_request *request; /* NULL once the sender has gone away */
	struct sn_node *node;            /* NULL: of sn_ingest_put() */
	sn_ingest_done_fn *done;         /* of sn_ingest_put() */
	void *ctx;
	struct sn_batch *batch; /* NULL for a duplicate */
	size_t rows;
};

struct sn_ingest {
	struct sn_loop *loop;
	struct sn_store *store;
	struct sn_fleet *fleet;
	struct sn_quarantine *quarantine;
	struct sn_flush flush;
	struct sn_list group; /* struct pending, in order of arrival */
	sn_ingest_stored_fn *on_stored;
	void *ctx;
	uint64_t in_flight; /* bytes */
	struct sn_ingest_stats stats;
};

/* Answers -------------------------------------------------------------------- */

static void refuse_bad(struct sn_ingest *ingest, struct sn_http_request *request,
		       const char *reason)
{
	ingest->stats.batches[SN_INGEST_BAD]++;
	sn_http_problem(request, 422, "bad-batch", "The batch is no good", "%s", reason);
}

static void refuse_own_trouble(struct sn_ingest *ingest, struct sn_http_request *request,
			       const struct sn_err *err)
{
	bool full = err->code == -ENOSPC || err->code == -EDQUOT;

	ingest->stats.batches[SN_INGEST_REFUSED]++;
	sn_http_set_header(request, "Retry-After", "10");
	if (full)
		sn_http_problem(request, 503, "store-full", "The disk of the hub is full",
				"keep the batch and send it again later: %s", err->text);
	else
		sn_http_problem(request, 503, "store-failed", "The store does not work",
				"keep the batch and send it again later: %s", err->text);
}

static void answer_stored(struct sn_ingest *ingest, const struct pending *pending)
{
	static const struct sn_err none = {0};
	char body[64];
	int n;

	ingest->stats.batches[pending->batch != NULL ? SN_INGEST_STORED : SN_INGEST_DUPLICATE]++;
	if (pending->done != NULL)
		pending->done(&none, pending->batch != NULL ? pending->rows : 0, pending->ctx);
	if (pending->request == NULL)
		return;
	if (pending->batch != NULL)
		n = snprintf(body, sizeof(body), "{\"stored\":%zu}\n", pending->rows);
	else
		n = snprintf(body, sizeof(body), "{\"stored\":0,\"duplicate\":true}\n");
	sn_http_reply(pending->request, 200, "application/json", body, (size_t)n);
}

/* The group ------------------------------------------------------------------ */

static void pending_destroy(struct pending *pending)
{
	sn_list_remove(&pending->link);
	sn_batch_destroy(pending->batch);
	free(pending);
}

static void sender_gone(struct sn_http_request *request, void *ctx)
{
	struct pending *pending = ctx;

	(void)request;
	pending->request = NULL;
}

static struct pending *join_group(struct sn_ingest *ingest, struct sn_batch *batch, bool duplicate)
{
	struct pending *pending = sn_new(struct pending);

	pending->rows = sn_batch_rows(batch);
	if (duplicate)
		sn_batch_destroy(batch);
	else
		pending->batch = batch;
	sn_list_append(&ingest->group, &pending->link);
	return pending;
}

static void group_failed(struct sn_ingest *ingest, const struct sn_err *err)
{
	if (!ingest->stats.failing)
		sn_error("cannot store: %s", err->text);
	ingest->stats.failing = true;
	sn_list_for_each (link, &ingest->group) {
		struct pending *pending = sn_list_entry(link, struct pending, link);

		if (pending->done != NULL)
			pending->done(err, 0, pending->ctx);
		if (pending->request != NULL)
			refuse_own_trouble(ingest, pending->request, err);
		pending_destroy(pending);
	}
}

static void group_stored(struct sn_ingest *ingest)
{
	ingest->stats.failing = false;
	sn_list_for_each (link, &ingest->group)
		answer_stored(ingest, sn_list_entry(link, struct pending, link));
	sn_list_for_each (again, &ingest->group) {
		struct pending *pending = sn_list_entry(again, struct pending, link);

		if (pending->batch != NULL) {
			ingest->stats.rows += pending->rows;
			if (pending->node != NULL)
				sn_fleet_rows(ingest->fleet, pending->node, pending->batch);
			ingest->on_stored(pending->node, pending->batch, ingest->ctx);
		}
		pending_destroy(pending);
	}
}

static void commit_group(struct sn_flush *flush)
{
	struct sn_ingest *ingest = sn_container_of(flush, struct sn_ingest, flush);
	struct sn_err err = {0};
	uint64_t begin_ns;
	int failed;

	if (sn_list_empty(&ingest->group))
		return;
	begin_ns = sn_mono_ns();
	failed = sn_store_commit(ingest->store, &err);
	ingest->stats.commits++;
	ingest->stats.commit_seconds += (double)(sn_mono_ns() - begin_ns) / 1e9;
	if (failed != 0)
		group_failed(ingest, &err);
	else
		group_stored(ingest);
}

/* One batch -------------------------------------------------------------------- */

/* "ping/1" of the catalogue. */
static const struct sn_dataset *find_dataset(const char *text, struct sn_err *err)
{
	const char *slash = text != NULL ? strchr(text, '/') : NULL;
	const struct sn_dataset *dataset;
	char name[64];
	uint64_t version;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(name) ||
	    sn_parse_u64(sn_str(slash + 1), 1, UINT32_MAX, &version) != 0) {
		sn_err_set(err, -EINVAL, "header Sonde-Dataset is missing or not like 'ping/1'");
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

static int check_digest(struct sn_http_request *request, uint8_t digest[SN_SECRET_HASH_SIZE],
			struct sn_err *err)
{
	const char *header = sn_http_header(request, "Digest");
	uint8_t claimed[SN_SECRET_HASH_SIZE];

	if (header == NULL || strncmp(header, "sha-256=", 8) != 0 ||
	    sn_unhex(sn_str(header + 8), claimed, sizeof(claimed)) != 0)
		return sn_err_set(err, -EINVAL,
				  "header Digest is missing or not like 'sha-256=<64 "
				  "hex digits>'");
	sn_secret_hash(sn_http_body(request), digest);
	if (memcmp(claimed, digest, sizeof(claimed)) != 0)
		return sn_err_set(err, -EINVAL, "the body does not have the digest that it claims");
	return 0;
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

/* The headers that say what the body is: without them nothing can be done with it, ever. */
static int check_headers(struct sn_http_request *request, uint8_t digest[SN_SECRET_HASH_SIZE],
			 uint64_t *rows, struct sn_err *err)
{
	const char *dataset = sn_http_header(request, "Sonde-Dataset");
	const char *count = sn_http_header(request, "Sonde-Rows");

	if (dataset == NULL || strchr(dataset, '/') == NULL)
		return sn_err_set(err, -EINVAL,
				  "header Sonde-Dataset is missing or not like 'ping/1'");
	if (count == NULL || sn_parse_u64(sn_str(count), 1, SN_INGEST_ROWS_MAX, rows) != 0)
		return sn_err_set(err, -EINVAL, "header Sonde-Rows is missing or not 1 to %d",
				  SN_INGEST_ROWS_MAX);
	return check_digest(request, digest, err);
}

/* Answers that it is kept: on disk, as rows would be. */
static void put_aside(struct sn_ingest *ingest, struct sn_http_request *request,
		      const struct sn_batch_id *id, uint64_t rows, const char *reason)
{
	struct sn_str body = sn_http_body(request);
	struct sn_quarantine_item item = {
		.source = id->node,
		.kind = SN_QUARANTINE_BATCH,
		.dataset = sn_http_header(request, "Sonde-Dataset"),
		.reason = reason,
		.stream = id->stream,
		.seq = id->seq,
		.rows = rows,
	};
	struct sn_err err = {0};
	int64_t number = sn_quarantine_add(ingest->quarantine, &item, body.p, body.n, &err);
	char text[32];

	if (number == -EINVAL || number == -EFBIG) {
		refuse_bad(ingest, request, err.text);
		return;
	}
	if (number < 0) {
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
		refuse_own_trouble(ingest, request, &err);
		return;
	}
	ingest->stats.batches[SN_INGEST_QUARANTINED]++;
	snprintf(text, sizeof(text), "%" PRId64, number);
	sn_http_reply_json(
		request, 202,
		json_pack("{s:i, s:s, s:s}", "stored", 0, "quarantined", text, "reason", reason));
}

static bool stream_is_good(const char *stream)
{
	uint8_t bytes[STREAM_DIGITS / 2];

	return sn_unhex(sn_str(stream), bytes, sizeof(bytes)) == 0;
}

static void append(struct sn_ingest *ingest, struct sn_node *node, struct sn_http_request *request,
		   const struct sn_batch_id *id, struct sn_batch *batch)
{
	struct sn_err err = {0};
	int result = sn_store_append(ingest->store, id, batch, &err);
	uint64_t rows = sn_batch_rows(batch);

	if (result >= 0) {
		/* Also a duplicate waits: its first may be in the very group that is open. */
		struct pending *pending = join_group(ingest, batch, result > 0);

		pending->request = request;
		pending->node = node;
		sn_http_on_abandon(request, sender_gone, pending);
		return;
	}
	sn_batch_destroy(batch);
	if (result == -EEXIST) {
		ingest->stats.batches[SN_INGEST_CONFLICT]++;
		sn_http_problem(request, 409, "digest-conflict",
				"Another batch was stored under this number",
				"a batch %" PRIu64 " of this stream with another content has been "
				"stored; a spool that was reset needs a new stream id",
				id->seq);
	} else if (result == -EINVAL) {
		put_aside(ingest, request, id, rows, err.text);
	} else {
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot store: %s", err.text);
		refuse_own_trouble(ingest, request, &err);
	}
}

void sn_ingest_take(struct sn_ingest *ingest, struct sn_node *node, struct sn_http_request *request)
{
	struct sn_batch_id id = {.node = node->id, .stream = sn_http_param(request, "stream")};
	struct sn_err err = {0};
	struct sn_batch *batch;
	uint64_t rows;

	if (!stream_is_good(id.stream) ||
	    sn_parse_u64(sn_str(sn_http_param(request, "seq")), 0, INT64_MAX, &id.seq) != 0) {
		refuse_bad(ingest, request,
			   "the path is not .../batches/<32 hex digits>/<number of the batch>");
		return;
	}
	if (check_headers(request, id.digest, &rows, &err) != 0) {
		refuse_bad(ingest, request, err.text);
		return;
	}
	batch = sn_ingest_read(sn_http_header(request, "Sonde-Dataset"), rows, node->id,
			       sn_http_body(request), &err);
	if (batch == NULL)
		put_aside(ingest, request, &id, rows, err.text);
	else
		append(ingest, node, request, &id, batch);
}

int sn_ingest_put(struct sn_ingest *ingest, const struct sn_batch_id *id, struct sn_batch *batch,
		  sn_ingest_done_fn *done, void *ctx, struct sn_err *err)
{
	return sn_ingest_put_of(ingest, NULL, id, batch, done, ctx, err);
}

int sn_ingest_put_of(struct sn_ingest *ingest, struct sn_node *node, const struct sn_batch_id *id,
		     struct sn_batch *batch, sn_ingest_done_fn *done, void *ctx, struct sn_err *err)
{
	int result = sn_store_append(ingest->store, id, batch, err);
	struct pending *pending;

	if (result < 0) {
		ingest->stats.batches[result == -EEXIST ? SN_INGEST_CONFLICT : SN_INGEST_REFUSED]++;
		sn_batch_destroy(batch);
		return result;
	}
	pending = join_group(ingest, batch, result > 0);
	pending->node = node;
	pending->done = done;
	pending->ctx = ctx;
	return 0;
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

struct sn_ingest *sn_ingest_create(struct sn_loop *loop, struct sn_store *store,
				   struct sn_fleet *fleet, struct sn_quarantine *quarantine,
				   sn_ingest_stored_fn *on_stored, void *ctx)
{
	struct sn_ingest *ingest = sn_new(struct sn_ingest);

	ingest->loop = loop;
	ingest->store = store;
	ingest->fleet = fleet;
	ingest->quarantine = quarantine;
	ingest->on_stored = on_stored;
	ingest->ctx = ctx;
	sn_list_init(&ingest->group);
	sn_flush_init(&ingest->flush, loop, commit_group);
	return ingest;
}

void sn_ingest_destroy(struct sn_ingest *ingest)
{
	if (ingest == NULL)
		return;
	commit_group(&ingest->flush);
	sn_flush_stop(&ingest->flush);
	free(ingest);
}
