/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages and their answers; who waits for a quick result; envelopes, which are
 * answered when the last of their contents is.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/match.h"
#include "peer/component_internal.h"

struct take {
	struct sn_component *component;
	const char *identity;
	const struct sn_mp_message *message;
	uint64_t wait_ns;
	sn_component_reply_fn *reply;
	void *ctx;
};

static void SN_PRINTF(2, 3) refuse(const struct take *take, const char *format, ...)
{
	sn_automp struct sn_mp_message *exception = NULL;
	char text[SN_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	exception = sn_mp_exception(take->message->token, "%s", text);
	take->reply(exception, take->ctx);
}

/* The present state --------------------------------------------------------------- */

static bool is_open_ended(const struct sn_order *order)
{
	return !order->query && sn_mp_when_ends(&order->when, 0) == SN_MP_FUTURE;
}

static void tell_results(struct sn_order *order, sn_component_reply_fn *reply, void *ctx)
{
	struct sn_mp_message *envelope;

	if (!order->when.repeated && order->state == SN_ORDER_ENDED && order->result_count == 1) {
		reply(order->results[0], ctx);
		return;
	}
	envelope = sn_order_wrap(order, order->results, order->result_count);
	reply(envelope, ctx);
	sn_order_unwrap(envelope);
}

static void tell(struct sn_order *order, sn_component_reply_fn *reply, void *ctx)
{
	sn_automp struct sn_mp_message *receipt = NULL;
	bool ended = order->state == SN_ORDER_ENDED;

	order->told |= ended;
	order->held++;
	/* What never ends would never have a result. */
	if (ended || (order->result_count > 0 && (order->when.repeated || is_open_ended(order)))) {
		tell_results(order, reply, ctx);
	} else {
		receipt = sn_mp_message_as(order->specification, SN_MP_RECEIPT);
		reply(receipt, ctx);
	}
	order->held--;
}

/* Who waits ----------------------------------------------------------------------- */

struct wait {
	struct sn_list link;
	struct sn_order *order;
	struct sn_timer timer;
	sn_component_reply_fn *reply;
	void *ctx;
};

static void wait_free(struct wait *wait)
{
	sn_list_remove(&wait->link);
	sn_timer_stop(&wait->timer);
	free(wait);
}

static void wait_answer(struct wait *wait)
{
	struct sn_order *order = wait->order;
	sn_component_reply_fn *reply = wait->reply;
	void *ctx = wait->ctx;

	wait_free(wait);
	tell(order, reply, ctx);
}

static void waited_long_enough(struct sn_timer *timer)
{
	wait_answer(sn_container_of(timer, struct wait, timer));
}

static void wait_for(struct sn_order *order, const struct take *take)
{
	struct wait *wait = sn_new(struct wait);

	wait->order = order;
	wait->reply = take->reply;
	wait->ctx = take->ctx;
	sn_timer_init(&wait->timer, take->component->loop, waited_long_enough);
	sn_timer_in(&wait->timer, take->wait_ns);
	sn_list_append(&take->component->waits, &wait->link);
}

static struct wait *find_wait(struct sn_component *component, const struct sn_order *order)
{
	sn_list_for_each (node, &component->waits) {
		struct wait *wait = sn_list_entry(node, struct wait, link);

		if (order == NULL || wait->order == order)
			return wait;
	}
	return NULL;
}

void sn_order_answer_waits(struct sn_order *order)
{
	struct wait *wait;

	order->held++;
	/* From the start each time: an answer can make others go away. */
	while ((wait = find_wait(order->component, order)) != NULL)
		wait_answer(wait);
	order->held--;
}

void sn_component_drop_waits(struct sn_component *component, const struct sn_order *order)
{
	struct wait *wait;

	while ((wait = find_wait(component, order)) != NULL)
		wait_free(wait);
}

/* Single messages ----------------------------------------------------------------- */

static void refuse_unoffered(const struct take *take, const struct sn_err *err)
{
	const struct sn_mp_message *gone =
		sn_component_gone(take->component, take->identity, take->message);
	sn_automp struct sn_mp_message *withdrawal = NULL;

	if (gone == NULL) {
		refuse(take, "%s", err->text);
		return;
	}
	withdrawal = sn_mp_message_as(gone, SN_MP_WITHDRAWAL);
	take->reply(withdrawal, take->ctx);
}

static int permit(const struct take *take, const struct sn_mp_message *capability,
		  struct sn_err *err)
{
	const struct sn_component_host *host = take->component->host;

	if (host->permit == NULL)
		return 0;
	return host->permit(take->identity, capability, take->message, err, host->ctx);
}

static void accept_order(const struct take *take, const struct sn_mp_message *capability)
{
	struct sn_order *order =
		sn_order_create(take->component, take->identity, take->message, capability);
	struct sn_err err = {0};

	if (sn_order_begin(order, &err) != 0) {
		sn_order_destroy(order);
		refuse(take, "%s", err.text);
		return;
	}
	if (order->state == SN_ORDER_ENDED || order->when.repeated || take->wait_ns == 0)
		tell(order, take->reply, take->ctx);
	else
		wait_for(order, take);
}

static bool is_query(const struct sn_mp_message *message)
{
	return message->verb != NULL && strcmp(message->verb, SN_MP_VERB_QUERY) == 0;
}

static void take_new(const struct take *take)
{
	const struct sn_mp_message *message = take->message;
	int64_t now_ns = sn_loop_wall_now(take->component->loop);
	const struct sn_mp_message *const *offered;
	struct sn_err err = {0};
	size_t count;
	int index;

	if (!message->when.set) {
		refuse(take, "the specification says nothing about when ('when' is missing)");
		return;
	}
	count = sn_component_offers(take->component, take->identity, &offered);
	index = sn_mp_choose(message, offered, count, now_ns, &err);
	if (index < 0)
		refuse_unoffered(take, &err);
	else if (permit(take, offered[index], &err) != 0)
		refuse(take, "%s", err.text);
	else if (!is_query(message) && sn_mp_when_expired(&message->when, now_ns))
		refuse(take, "the time of the specification is over (check both clocks)");
	else if (!sn_component_make_room(take->component))
		refuse(take, "there are %d measurements already (try again later)",
		       SN_COMPONENT_JOBS_MAX);
	else
		accept_order(take, offered[index]);
}

static struct sn_order *order_of(const struct take *take)
{
	const char *token = take->message->token;

	return token != NULL && token[0] != '\0'
		       ? sn_order_find(take->component, take->identity, token)
		       : NULL;
}

static void take_specification(const struct take *take)
{
	struct sn_order *order = order_of(take);

	if (order != NULL)
		tell(order, take->reply, take->ctx);
	else
		take_new(take);
}

static void refuse_unknown(const struct take *take)
{
	if (take->message->token == NULL || take->message->token[0] == '\0')
		refuse(take, "there is no token that says which job is meant");
	else
		refuse(take, "unknown job");
}

static void take_redemption(const struct take *take)
{
	struct sn_order *order = order_of(take);

	if (order != NULL)
		tell(order, take->reply, take->ctx);
	else
		refuse_unknown(take);
}

static void take_interrupt(const struct take *take)
{
	struct sn_order *order = order_of(take);

	if (order == NULL) {
		refuse_unknown(take);
		return;
	}
	order->held++;
	sn_order_interrupt(order);
	order->held--;
	tell(order, take->reply, take->ctx);
}

/* Envelopes ----------------------------------------------------------------------- */

struct batch;
struct piece {
	struct batch *batch;
	struct sn_mp_message *answer;
};

struct batch {
	struct sn_list link;
	sn_component_reply_fn *reply;
	void *ctx;
	size_t waiting;
	size_t count;
	struct piece pieces[];
};

static void batch_free(struct batch *batch)
{
	sn_list_remove(&batch->link);
	for (size_t i = 0; i < batch->count; i++)
		sn_mp_message_destroy(batch->pieces[i].answer);
	free(batch);
}

static void piece_ready(struct batch *batch)
{
	sn_automp struct sn_mp_message *envelope = NULL;
	sn_component_reply_fn *reply = batch->reply;
	void *ctx = batch->ctx;

	if (--batch->waiting > 0)
		return;
	envelope = sn_mp_message_create(SN_MP_ENVELOPE, "message");
	for (size_t i = 0; i < batch->count; i++)
		sn_mp_add_content(envelope, sn_steal(&batch->pieces[i].answer));
	batch_free(batch);
	reply(envelope, ctx);
}

static void piece_answered(const struct sn_mp_message *answer, void *ctx)
{
	struct piece *piece = ctx;

	piece->answer = sn_mp_message_copy(answer);
	piece_ready(piece->batch);
}

static void take_envelope(const struct take *take)
{
	const struct sn_mp_message *envelope = take->message;
	size_t count = envelope->content_count;
	struct batch *batch = sn_xcalloc(1, sizeof(*batch) + count * sizeof(batch->pieces[0]));

	batch->reply = take->reply;
	batch->ctx = take->ctx;
	batch->count = count;
	batch->waiting = count + 1; /* ourselves, until all are on their way */
	sn_list_append(&take->component->batches, &batch->link);
	for (size_t i = 0; i < count; i++) {
		batch->pieces[i].batch = batch;
		sn_component_take(take->component, take->identity, envelope->contents[i],
				  take->wait_ns, piece_answered, &batch->pieces[i]);
	}
	piece_ready(batch);
}

void sn_component_drop_batches(struct sn_component *component)
{
	sn_list_for_each (node, &component->batches)
		batch_free(sn_list_entry(node, struct batch, link));
}

/* All of them --------------------------------------------------------------------- */

void sn_component_take(struct sn_component *component, const char *identity,
		       const struct sn_mp_message *message, uint64_t wait_ns,
		       sn_component_reply_fn *reply, void *ctx)
{
	static void (*const takers[SN_MP_KINDS])(const struct take *take) = {
		[SN_MP_SPECIFICATION] = take_specification,
		[SN_MP_REDEMPTION] = take_redemption,
		[SN_MP_INTERRUPT] = take_interrupt,
		[SN_MP_ENVELOPE] = take_envelope,
	};
	const struct take take = {component, identity, message, wait_ns, reply, ctx};

	if (takers[message->kind] != NULL)
		takers[message->kind](&take);
	else
		refuse(&take, "unexpected message: a component takes no %s",
		       sn_mp_kind_name(message->kind));
}

static struct batch *find_batch(struct sn_component *component, const void *ctx)
{
	sn_list_for_each (node, &component->batches) {
		struct batch *batch = sn_list_entry(node, struct batch, link);

		if (batch->ctx == ctx)
			return batch;
	}
	return NULL;
}

void sn_component_forget(struct sn_component *component, void *ctx)
{
	struct batch *batch;

	sn_list_for_each (node, &component->waits) {
		struct wait *wait = sn_list_entry(node, struct wait, link);

		if (wait->ctx == ctx)
			wait_free(wait);
	}
	while ((batch = find_batch(component, ctx)) != NULL) {
		for (size_t i = 0; i < batch->count; i++)
			sn_component_forget(component, &batch->pieces[i]);
		batch_free(batch);
	}
}
