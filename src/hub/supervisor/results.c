/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "supervisor"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/secret.h"
#include "hub/supervisor/routes.h"

/*
 * Only what was given to this very peer is taken from it, and it is acknowledged after
 * the commit.  The batch id of rows is made of identity, token and content: a result that is
 * sent again is known and stores nothing.
 */

struct delivery {
	struct sn_supervisor *sup;
	char *provider;
	const struct sn_asker *asker; /* while the message is read; NULL: nobody has to be asked */
	struct sn_buf *reasons;       /* the same */
	unsigned open;                /* what has not landed yet, and the reading */
	unsigned accepted;
	struct sn_err trouble; /* of the store */
	sn_sup_taken_fn *done;
	void *ctx;
};

/*
 * What one message says of a part.  It has landed when its rows are stored (a batch for each day);
 * then the states of all that landed in this turn are stored together, and then it is answered.
 */
struct landing {
	struct sn_list link; /* in the supervisor's, once it has landed */
	struct delivery *delivery;
	char token[SN_MP_HASH_SIZE], measure[SN_ULID_SIZE];
	struct sn_mp_message *given; /* for who else gets it; NULL: nobody */
	unsigned open;               /* batches, and the reading */
	uint64_t rows;
	enum sn_measure_state state; /* that follows from it */
	char *error;                 /* malloc'ed, or NULL */
	bool result;
	struct sn_err trouble;
};

static void delivery_close(struct delivery *delivery)
{
	int failed = delivery->trouble.code;

	if (--delivery->open > 0)
		return;
	if (failed == 0 && delivery->accepted == 0)
		failed = -ENOENT;
	delivery->done(failed, delivery->ctx);
	free(delivery->provider);
	free(delivery);
}

/* A repeated scope and one without end go on after a result. */
static bool goes_on(const struct sn_measure *measure)
{
	return measure->specification->when.repeated || measure->ends_ns == SN_MP_FUTURE;
}

static struct landing *landing_create(struct delivery *delivery, const struct sn_measure_part *part,
				      enum sn_measure_state state)
{
	struct landing *landing = sn_new(struct landing);

	landing->delivery = delivery;
	landing->open = 1;
	landing->state = state;
	memcpy(landing->token, part->token, sizeof(landing->token));
	memcpy(landing->measure, part->measure->id, sizeof(landing->measure));
	sn_list_init(&landing->link);
	delivery->open++;
	return landing;
}

static void landing_end(struct landing *landing)
{
	struct delivery *delivery = landing->delivery;

	if (landing->trouble.code != 0)
		delivery->trouble = landing->trouble;
	sn_list_remove(&landing->link);
	sn_mp_message_destroy(landing->given);
	free(landing->error);
	free(landing);
	delivery_close(delivery);
}

static void landing_close(struct landing *landing)
{
	if (--landing->open > 0)
		return;
	if (landing->trouble.code != 0)
		landing_end(landing);
	else
		sn_list_append(&landing->delivery->sup->landed, &landing->link);
}

/* What was wanted back is here. */
static void forget_interrupted(const struct landing *landing)
{
	const struct delivery *delivery = landing->delivery;
	struct sn_sup_peer *peer = sn_sup_peer_of(delivery->sup, delivery->provider);
	struct sn_sup_job *job = peer != NULL ? sn_sup_job_find(peer, landing->token) : NULL;

	if (landing->result && job != NULL && job->interrupt)
		sn_sup_job_destroy(job);
}

/* What is sent again has no new rows; without rows it is known by its part, which has ended. */
static void pass_on(struct sn_supervisor *sup, const struct landing *landing,
		    const struct sn_measure_part *part)
{
	const struct sn_measure *measure = sn_measures_find(sup->hub->measures, landing->measure);
	bool is_new = landing->given->row_count > 0
			      ? landing->rows > 0
			      : part != NULL && !sn_measure_state_is_final(part->state);

	if (measure == NULL || !is_new)
		return;
	sn_sup_export(sup, measure, landing->given);
	sn_sup_parent_rows(sup, measure, landing->delivery->provider, landing->given);
}

static size_t collect(struct sn_supervisor *sup, struct sn_part_change *changes)
{
	struct sn_measures *measures = sup->hub->measures;
	size_t count = 0;

	sn_list_for_each (link, &sup->landed) {
		struct landing *landing = sn_list_entry(link, struct landing, link);
		const char *provider = landing->delivery->provider;
		struct sn_measure_part *part =
			sn_measures_by_part_token(measures, provider, landing->token);

		if (landing->rows > 0)
			sn_measures_count_rows(measures, landing->measure, provider, landing->rows);
		if (landing->given != NULL)
			pass_on(sup, landing, part);
		forget_interrupted(landing);
		if (part != NULL && !sn_measure_state_is_final(part->state))
			changes[count++] =
				(struct sn_part_change){part, landing->state, landing->error};
	}
	return count;
}

static size_t count_landed(const struct sn_supervisor *sup)
{
	size_t count = 0;

	for (const struct sn_list *link = sup->landed.next; link != &sup->landed; link = link->next)
		count++;
	return count;
}

/* Not before the rows: whoever is told that a part is done looks for them. */
void sn_sup_land(struct sn_supervisor *sup)
{
	size_t landed = count_landed(sup), count;
	struct sn_part_change *changes;
	struct sn_err err = {0};

	if (landed == 0)
		return;
	changes = sn_new_n(struct sn_part_change, landed);
	count = collect(sup, changes);
	if (sn_measures_part_states(sup->hub->measures, changes, count, sn_hub_now(sup->hub),
				    &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "cannot keep states of measurements: %s", err.text);
	free(changes);
	/* What lands meanwhile is for the next time. */
	for (; landed > 0; landed--) {
		struct landing *landing = sn_list_entry(sup->landed.next, struct landing, link);

		landing->trouble = err;
		landing_end(landing);
	}
}

static void SN_PRINTF(3, 4) refuse(struct delivery *delivery, const struct sn_mp_message *message,
				   const char *format, ...)
{
	char text[SN_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	SN_LOG_LIMITED(SN_LOG_NOTICE, "refused a %s of %s: %s", sn_mp_kind_name(message->kind),
		       delivery->provider, text);
	if (delivery->reasons != NULL)
		sn_buf_addf(delivery->reasons, "%s: %s\n", sn_mp_kind_name(message->kind), text);
}

/* Rows --------------------------------------------------------------------------------- */

static void identify(const char *provider, const char *token, const struct sn_mp_message *result,
		     char stream[33], uint8_t digest[SN_SECRET_HASH_SIZE])
{
	sn_autofree char *source = sn_xasprintf("%s\n%s", provider, token);
	uint8_t hash[SN_SECRET_HASH_SIZE];
	struct sn_buf text = {0};

	sn_secret_hash(sn_str(source), hash);
	sn_hex(hash, 16, stream);
	sn_mp_encode(result, 0, &text);
	sn_secret_hash(sn_buf_str(&text), digest);
	sn_buf_finish(&text);
}

/* The number of a batch: of its content and, in a result of several days, of its place. */
static uint64_t number_of(const uint8_t digest[SN_SECRET_HASH_SIZE], size_t place)
{
	uint64_t number = 0;

	for (size_t i = 0; i < 8; i++)
		number = number << 8 | digest[i];
	return (number + place) & INT64_MAX;
}

static void batch_stored(const struct sn_err *err, size_t rows, void *ctx)
{
	struct landing *landing = ctx;

	/* What is no good will not be better when it comes again. */
	if (err->code == -EINVAL)
		SN_LOG_LIMITED(SN_LOG_NOTICE, "refused rows of %s: %s", landing->delivery->provider,
			       err->text);
	else if (err->code != 0)
		landing->trouble = *err;
	landing->rows += rows;
	landing_close(landing);
}

static void store_rows(struct landing *landing, const struct sn_measure_part *part,
		       const struct sn_mp_message *result, struct sn_derived_rows *rows,
		       const char *node)
{
	char stream[33];
	struct sn_batch_id id = {.node = node, .stream = stream};

	identify(part->provider, part->token, result, stream, id.digest);
	for (size_t i = 0; i < rows->count; i++) {
		id.seq = number_of(id.digest, i);
		landing->open++;
		sn_ingest_put(landing->delivery->sup->hub->ingest, NULL, &id,
			      sn_steal(&rows->batches[i]), batch_stored, landing);
	}
	sn_derived_rows_finish(rows);
}

static bool has_any_column(const struct sn_mp_message *result,
			   const struct sn_mp_message *specification)
{
	for (size_t i = 0; i < specification->column_count; i++) {
		if (sn_mp_column(result, specification->columns[i].name) >= 0)
			return true;
	}
	return specification->column_count == 0;
}

/* -EINVAL for a result that is no good, otherwise the store's trouble. */
static int keep_rows(struct landing *landing, const struct sn_measure_part *part,
		     const struct sn_mp_message *result, struct sn_err *err)
{
	const struct sn_measure *measure = part->measure;
	struct sn_hub *hub = landing->delivery->sup->hub;
	const struct sn_derived_set *set;
	struct sn_derived_rows rows;
	char node[SN_DERIVED_NODE_MAX];
	struct sn_derived_origin origin = {
		.node = sn_derived_node(part->provider, node),
		.task = measure->id,
		.specification = measure->specification,
		.fallback_ns = measure->starts_ns,
	};

	if (!has_any_column(result, measure->specification))
		return sn_err_set(err, -EINVAL, "it has none of the columns that were asked for");
	if (result->row_count == 0)
		return 0;
	set = sn_derived_get(hub->derived, measure->specification->label, measure->specification,
			     sn_hub_now(hub), err);
	if (set == NULL || sn_derived_read(set, result, &origin, &rows, err) != 0)
		return err->code;
	store_rows(landing, part, result, &rows, node);
	return 0;
}

/* Messages --------------------------------------------------------------------------------- */

static void take_receipt(struct delivery *delivery, struct sn_measure_part *part)
{
	struct sn_sup_peer *peer = sn_sup_peer_of(delivery->sup, delivery->provider);
	struct sn_sup_job *job = peer != NULL ? sn_sup_job_find(peer, part->token) : NULL;

	delivery->accepted++;
	if (job != NULL && job->interrupt)
		job->interrupted = job->handed_ns != 0;
	else if (job != NULL)
		job->state = SN_SUP_TAKEN;
	landing_close(landing_create(delivery, part, SN_MEASURE_RUNNING));
}

static void keep_given(struct landing *landing, const struct sn_measure *measure,
		       const struct sn_mp_message *message)
{
	if (sn_sup_goes_further(landing->delivery->sup, measure))
		landing->given = sn_mp_message_copy(message);
}

static void take_result(struct delivery *delivery, struct sn_measure_part *part,
			const struct sn_mp_message *result)
{
	struct landing *landing = landing_create(
		delivery, part, goes_on(part->measure) ? SN_MEASURE_RUNNING : SN_MEASURE_DONE);
	struct sn_err err = {0};
	int failed = keep_rows(landing, part, result, &err);

	landing->result = true;
	if (failed == 0) {
		delivery->accepted++;
		keep_given(landing, part->measure, result);
	} else if (failed == -EINVAL) {
		refuse(delivery, result, "%s", err.text);
		landing->token[0] =
			'\0'; /* of several days some may be under way: no part of theirs */
	} else {
		landing->trouble = err;
	}
	landing_close(landing);
}

static void take_exception(struct delivery *delivery, struct sn_measure_part *part,
			   const struct sn_mp_message *exception)
{
	const char *text = exception->text != NULL ? exception->text : "the peer did not say why";
	struct landing *landing = landing_create(
		delivery, part, goes_on(part->measure) ? SN_MEASURE_RUNNING : SN_MEASURE_FAILED);

	delivery->accepted++;
	landing->error = sn_xstrdup(text);
	keep_given(landing, part->measure, exception);
	landing_close(landing);
}

static struct sn_measure_part *part_of(struct delivery *delivery,
				       const struct sn_mp_message *message, const char *outer)
{
	struct sn_measures *measures = delivery->sup->hub->measures;
	struct sn_measure_part *part = NULL;

	if (message->token != NULL && message->token[0] != '\0')
		part = sn_measures_by_part_token(measures, delivery->provider, message->token);
	/* Iterations have tokens of their own inside of an envelope that has the order's. */
	if (part == NULL && outer != NULL)
		part = sn_measures_by_part_token(measures, delivery->provider, outer);
	return part;
}

static void take_known(struct delivery *delivery, struct sn_measure_part *part,
		       const struct sn_mp_message *message)
{
	struct sn_err reason = {0};

	if (delivery->asker != NULL &&
	    !sn_sup_may(delivery->sup, delivery->asker, SN_MAY_DELIVER,
			part->measure->specification->label, NULL, part->measure->id, &reason)) {
		refuse(delivery, message, "%s", reason.text);
		return;
	}
	if (message->kind == SN_MP_RECEIPT)
		take_receipt(delivery, part);
	else if (message->kind == SN_MP_EXCEPTION)
		take_exception(delivery, part, message);
	else
		take_result(delivery, part, message);
}

static void take_one(struct delivery *delivery, const struct sn_mp_message *message,
		     const char *outer)
{
	const char *own =
		message->token != NULL && message->token[0] != '\0' ? message->token : outer;
	struct sn_measure_part *part;

	switch (message->kind) {
	case SN_MP_ENVELOPE:
		for (size_t i = 0; i < message->content_count; i++)
			take_one(delivery, message->contents[i], own);
		return;
	case SN_MP_RECEIPT:
	case SN_MP_RESULT:
	case SN_MP_NOTIFICATION:
	case SN_MP_EXCEPTION:
		break;
	default:
		refuse(delivery, message, "nothing that a component may send here");
		return;
	}
	part = part_of(delivery, message, outer);
	if (part == NULL)
		refuse(delivery, message, "nothing was asked of this peer under token '%.64s'",
		       own != NULL ? own : "");
	else
		take_known(delivery, part, message);
}

void sn_sup_take(struct sn_supervisor *sup, const char *provider, const struct sn_asker *asker,
		 const char *token, const struct sn_mp_message *message, struct sn_buf *reasons,
		 sn_sup_taken_fn *done, void *ctx)
{
	struct delivery *delivery = sn_new(struct delivery);

	delivery->sup = sup;
	delivery->provider = sn_xstrdup(provider);
	delivery->asker = asker;
	delivery->reasons = reasons;
	delivery->done = done;
	delivery->ctx = ctx;
	delivery->open = 1;
	take_one(delivery, message, token);
	delivery->asker = NULL;
	delivery->reasons = NULL;
	delivery_close(delivery);
}

/* POST /register/result ---------------------------------------------------------------------- */

struct post {
	struct sn_http_request *request; /* NULL once the sender has gone away */
	struct sn_buf reasons;
};

static void post_gone(struct sn_http_request *request, void *ctx)
{
	struct post *post = ctx;

	(void)request;
	post->request = NULL;
}

static void answer_post(int failed, void *ctx)
{
	struct post *post = ctx;

	if (post->request != NULL && failed == 0) {
		sn_http_reply(post->request, 200, "text/html", "", 0);
	} else if (post->request != NULL && failed == -ENOENT) {
		sn_http_reply(post->request, 403, "text/plain", post->reasons.p, post->reasons.n);
	} else if (post->request != NULL) {
		sn_http_set_header(post->request, "Retry-After", "10");
		sn_http_reply(post->request, 503, "text/plain", "cannot store it now", 19);
	}
	sn_buf_finish(&post->reasons);
	free(post);
}

void sn_sup_post_result(struct sn_http_request *request, void *ctx)
{
	struct sn_supervisor *sup = ((struct sn_hub *)ctx)->supervisor;
	sn_automp struct sn_mp_message *message = NULL;
	sn_autofree char *provider = NULL;
	struct sn_sup_peer *peer;
	struct sn_asker asker;
	struct post *post;

	sn_sup_asker_of(request, &asker);
	post = sn_new(struct post);
	message = sn_peer_read(request, sup->hub->registries, &post->reasons);
	if (message == NULL) {
		sn_buf_finish(&post->reasons);
		free(post);
		return;
	}
	peer = sn_sup_peer_find(sup, sn_sup_identity(&asker));
	if (peer != NULL && message->natives)
		peer->natives = true;
	provider = sn_xasprintf("peer:%s", sn_sup_identity(&asker));
	post->request = request;
	sn_http_on_abandon(request, post_gone, post);
	sn_sup_take(sup, provider, &asker, NULL, message, &post->reasons, answer_post, post);
}
