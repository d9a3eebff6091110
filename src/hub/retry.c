/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "retry"
#include "hub/retry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"

#define HANDLERS_MAX 8

struct handler {
	const char *prefix;
	sn_retry_take_fn *take;
	void *ctx;
};

struct sn_retry {
	struct sn_hub *hub;
	struct handler handlers[HANDLERS_MAX];
	unsigned handler_count;
	struct sn_list items; /* struct item, in the order in which they were asked for */
	unsigned running;
};

struct item {
	struct sn_list link;
	struct sn_work work;
	struct sn_retry *retry;
	int64_t id;
	bool running;
	sn_retry_done_fn *done;
	void *ctx;
	struct sn_quarantine_copy copy;
	struct sn_batch *batch; /* of a node's batch */
	struct sn_err err;
	size_t rows;
};

static void start_more(struct sn_retry *retry);

/* The end of one --------------------------------------------------------------- */

static void note_outcome(struct item *item)
{
	struct sn_quarantine *quarantine = item->retry->hub->quarantine;
	struct sn_err err = {0};
	int failed = item->err.code == 0
			     ? sn_quarantine_remove(quarantine, item->id, &err)
			     : sn_quarantine_failed(quarantine, item->id, item->err.text, &err);

	/* It is stored; if it stays here, running it again finds it so. */
	if (failed != 0 && failed != -ENOENT)
		sn_error("cannot note what became of item %lld of the quarantine: %s",
			 (long long)item->id, err.text);
}

static void item_destroy(struct item *item)
{
	sn_list_remove(&item->link);
	sn_quarantine_copy_finish(&item->copy);
	sn_batch_destroy(item->batch);
	free(item);
}

/* Which says nothing about the item. */
static bool is_own_trouble(int code)
{
	static const int codes[] = {-ENOENT, -EBUSY,  -EAGAIN, -EIO,     -ENOSPC,
				    -EDQUOT, -EMFILE, -ENFILE, -EUCLEAN, -ESHUTDOWN};

	for (size_t i = 0; i < SN_COUNT(codes); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

static void end(struct item *item)
{
	struct sn_retry *retry = item->retry;

	if (!is_own_trouble(item->err.code))
		note_outcome(item);
	if (item->done != NULL)
		item->done(&item->err, item->rows, item->ctx);
	retry->running--;
	item_destroy(item);
	start_more(retry);
}

static void call_off(struct item *item)
{
	sn_err_set(&item->err, -ESHUTDOWN, "the hub is stopping (try again)");
	if (item->done != NULL)
		item->done(&item->err, 0, item->ctx);
	item_destroy(item);
}

static void stored(const struct sn_err *err, size_t rows, void *ctx)
{
	struct item *item = ctx;

	item->err = *err;
	item->rows = rows;
	end(item);
}

/* One ---------------------------------------------------------------------------- */

static const struct handler *handler_of(const struct sn_retry *retry, const char *source)
{
	for (unsigned i = 0; i < retry->handler_count; i++) {
		if (sn_str_has_prefix(sn_str(source), retry->handlers[i].prefix))
			return &retry->handlers[i];
	}
	return NULL;
}

static void read_item(struct item *item)
{
	struct sn_quarantine_copy *copy = &item->copy;
	const struct handler *handler;

	if (sn_quarantine_read(item->retry->hub->quarantine, item->id, copy, &item->err) != 0)
		return;
	handler = handler_of(item->retry, copy->source);
	if (handler != NULL)
		handler->take(copy, &item->rows, handler->ctx, &item->err);
	else if (copy->kind == SN_QUARANTINE_BATCH)
		item->batch = sn_ingest_read(copy->dataset, copy->rows, copy->source,
					     sn_buf_str(&copy->content), &item->err);
	else
		sn_err_set(&item->err, -ENOTSUP,
			   "nothing here runs a %s of '%s' again (import it anew)",
			   sn_quarantine_kind_name(copy->kind), copy->source);
}

static void run(struct sn_work *work)
{
	read_item(sn_container_of(work, struct item, work));
}

static void put(struct item *item)
{
	struct sn_hub *hub = item->retry->hub;
	struct sn_batch_id id = {
		.node = item->copy.source,
		.stream = item->copy.stream != NULL ? item->copy.stream : "",
		.seq = item->copy.seq,
	};

	memcpy(id.digest, item->copy.digest, sizeof(id.digest));
	sn_ingest_put(hub->ingest, sn_fleet_by_id(hub->fleet, id.node), &id, sn_steal(&item->batch),
		      stored, item);
}

static void done(struct sn_work *work)
{
	struct item *item = sn_container_of(work, struct item, work);

	if (item->batch != NULL)
		put(item);
	else
		end(item);
}

static void start_more(struct sn_retry *retry)
{
	sn_list_for_each (link, &retry->items) {
		struct item *item = sn_list_entry(link, struct item, link);

		if (retry->running >= SN_RETRY_AT_ONCE)
			return;
		if (item->running)
			continue;
		/* With too many questions under way, the end of another one starts it. */
		if (sn_work_start(retry->hub->work, &item->work, run, done) != 0)
			return;
		item->running = true;
		retry->running++;
	}
}

/* Interface ------------------------------------------------------------------------ */

static bool is_asked_for(const struct sn_retry *retry, int64_t id)
{
	sn_list_for_each (link, &retry->items) {
		if (sn_list_entry(link, struct item, link)->id == id)
			return true;
	}
	return false;
}

static void add(struct sn_retry *retry, int64_t id, sn_retry_done_fn *fn, void *ctx)
{
	struct item *item = sn_new(struct item);

	item->retry = retry;
	item->id = id;
	item->done = fn;
	item->ctx = ctx;
	sn_list_append(&retry->items, &item->link);
}

int sn_retry_one(struct sn_retry *retry, int64_t id, sn_retry_done_fn *fn, void *ctx)
{
	if (is_asked_for(retry, id))
		return -EBUSY;
	add(retry, id, fn, ctx);
	start_more(retry);
	if (retry->running > 0)
		return 0;
	item_destroy(sn_list_entry(retry->items.prev, struct item, link));
	return -EBUSY;
}

int sn_retry_all(struct sn_retry *retry, const struct sn_quarantine_filter *filter,
		 struct sn_err *err)
{
	json_t *items =
		sn_quarantine_list(retry->hub->quarantine, filter, SN_QUARANTINE_ITEMS_MAX, err);
	int count = 0;

	if (items == NULL)
		return err->code;
	for (size_t i = json_array_size(items); i-- > 0;) {
		const char *text =
			json_string_value(json_object_get(json_array_get(items, i), "id"));
		uint64_t id;

		if (sn_parse_u64(sn_str(text), 1, INT64_MAX, &id) != 0 ||
		    is_asked_for(retry, (int64_t)id))
			continue;
		add(retry, (int64_t)id, NULL, NULL);
		count++;
	}
	json_decref(items);
	start_more(retry);
	return count;
}

void sn_retry_handle(struct sn_retry *retry, const char *prefix, sn_retry_take_fn *take, void *ctx)
{
	if (retry->handler_count < HANDLERS_MAX)
		retry->handlers[retry->handler_count++] = (struct handler){prefix, take, ctx};
}

struct sn_retry *sn_retry_create(struct sn_hub *hub)
{
	struct sn_retry *retry = sn_new(struct sn_retry);

	retry->hub = hub;
	sn_list_init(&retry->items);
	return retry;
}

void sn_retry_stop(struct sn_retry *retry)
{
	if (retry == NULL)
		return;
	sn_list_for_each (link, &retry->items) {
		struct item *item = sn_list_entry(link, struct item, link);

		if (!item->running)
			call_off(item);
	}
}

void sn_retry_destroy(struct sn_retry *retry)
{
	sn_retry_stop(retry);
	free(retry);
}
