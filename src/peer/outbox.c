/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/outbox.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "peer/answer.h"

enum lane { URGENT, OTHERS, LANES };

struct item {
	struct sn_list link;
	char *token;
	struct sn_buf body;
	unsigned tries;
};

struct sn_outbox {
	struct sn_outbox_config config;
	char *url;
	struct sn_list lanes[LANES];
	size_t counts[LANES];
	size_t bytes;
	struct item *sending; /* at the head of its lane */
	struct sn_http_fetch *fetch;
	struct sn_timer timer;
	unsigned failures; /* in a row */
};

static void item_free(struct sn_outbox *outbox, enum lane lane, struct item *item)
{
	outbox->counts[lane]--;
	outbox->bytes -= item->body.n;
	sn_list_remove(&item->link);
	sn_buf_finish(&item->body);
	free(item->token);
	free(item);
}

static enum lane next_lane(const struct sn_outbox *outbox)
{
	return sn_list_empty(&outbox->lanes[URGENT]) ? OTHERS : URGENT;
}

/* Of what is being sent nothing is known yet: it stays. */
static struct item *oldest(const struct sn_outbox *outbox, enum lane lane)
{
	sn_list_for_each (node, &outbox->lanes[lane]) {
		struct item *item = sn_list_entry(node, struct item, link);

		if (item != outbox->sending)
			return item;
	}
	return NULL;
}

static void make_room(struct sn_outbox *outbox, enum lane lane)
{
	struct item *item = oldest(outbox, lane);

	while (item != NULL && (outbox->counts[lane] > outbox->config.messages_max ||
				outbox->bytes > outbox->config.bytes_max)) {
		/* The last one in is kept even if it is too large for all the others. */
		if (outbox->counts[lane] == 1)
			return;
		item_free(outbox, lane, item);
		outbox->config.on_given_up("too much waits to be delivered: the oldest is given up",
					   outbox->config.ctx);
		item = oldest(outbox, lane);
	}
}

static void send_next(struct sn_outbox *outbox);

static void SN_PRINTF(2, 3) give_up(struct sn_outbox *outbox, const char *format, ...)
{
	char text[SN_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	outbox->config.on_given_up(text, outbox->config.ctx);
}

static void try_later(struct sn_outbox *outbox)
{
	outbox->failures++;
	sn_timer_in(&outbox->timer, sn_peer_backoff(outbox->config.retry_ns, outbox->failures,
						    outbox->config.retry_max_ns));
}

/* It is out of our hands; the one behind it may go. */
static void settle(struct sn_outbox *outbox, struct item *item, enum lane lane)
{
	outbox->failures = 0;
	item_free(outbox, lane, item);
	if (outbox->counts[URGENT] + outbox->counts[OTHERS] > 0)
		send_next(outbox);
	else
		outbox->config.on_empty(outbox->config.ctx);
}

static bool may_work_later(unsigned status)
{
	return status >= 500 || status == 408 || status == 425 || status == 429;
}

static void judge(struct sn_outbox *outbox, struct item *item, enum lane lane,
		  const struct sn_http_answer *answer)
{
	struct sn_err err = {0};

	if (answer->error != 0) {
		try_later(outbox);
	} else if (answer->status / 100 == 2) {
		outbox->config.on_delivered(item->token, outbox->config.ctx);
		settle(outbox, item, lane);
	} else if (answer->status == 428) {
		outbox->failures = 1; /* so that nothing is sent until it is over */
		outbox->config.on_unregistered(outbox->config.ctx);
	} else if (may_work_later(answer->status) && ++item->tries < outbox->config.tries_max) {
		try_later(outbox);
	} else {
		sn_peer_answer_error(answer, &err);
		give_up(outbox, "a message was not taken: %s", err.text);
		settle(outbox, item, lane);
	}
}

static void answered(struct sn_http_fetch *fetch SN_UNUSED, const struct sn_http_answer *answer,
		     void *ctx)
{
	struct sn_outbox *outbox = ctx;
	struct item *item = outbox->sending;
	enum lane lane = outbox->lanes[URGENT].next == &item->link ? URGENT : OTHERS;

	outbox->fetch = NULL;
	outbox->sending = NULL;
	judge(outbox, item, lane, answer);
}

static void send_next(struct sn_outbox *outbox)
{
	enum lane lane = next_lane(outbox);
	struct sn_http_fetch_spec spec = {
		.method = "POST",
		.url = outbox->url,
		.headers = outbox->config.headers,
		.on_done = answered,
		.ctx = outbox,
	};
	struct item *item;

	if (outbox->fetch != NULL || sn_list_empty(&outbox->lanes[lane]))
		return;
	sn_timer_stop(&outbox->timer);
	item = sn_list_entry(outbox->lanes[lane].next, struct item, link);
	spec.body = item->body.p;
	spec.body_size = item->body.n;
	outbox->sending = item;
	outbox->fetch = sn_http_fetch(outbox->config.http, &spec);
	if (outbox->fetch == NULL) {
		outbox->sending = NULL;
		try_later(outbox);
	}
}

static void try_again(struct sn_timer *timer)
{
	send_next(sn_container_of(timer, struct sn_outbox, timer));
}

void sn_outbox_push(struct sn_outbox *outbox, bool urgent, const char *token, struct sn_buf *body)
{
	enum lane lane = urgent ? URGENT : OTHERS;
	struct item *item = sn_new(struct item);

	item->token = sn_xstrdup(token != NULL ? token : "");
	item->body = *body;
	*body = (struct sn_buf){0};
	sn_list_append(&outbox->lanes[lane], &item->link);
	outbox->counts[lane]++;
	outbox->bytes += item->body.n;
	make_room(outbox, lane);
	/* After a failure the timer decides. */
	if (outbox->failures == 0)
		send_next(outbox);
}

void sn_outbox_retry(struct sn_outbox *outbox)
{
	outbox->failures = 0;
	send_next(outbox);
}

size_t sn_outbox_count(const struct sn_outbox *outbox)
{
	return outbox->counts[URGENT] + outbox->counts[OTHERS];
}

struct sn_outbox *sn_outbox_create(const struct sn_outbox_config *config)
{
	struct sn_outbox *outbox = sn_new(struct sn_outbox);

	outbox->config = *config;
	outbox->url = sn_xstrdup(config->url);
	sn_list_init(&outbox->lanes[URGENT]);
	sn_list_init(&outbox->lanes[OTHERS]);
	sn_timer_init(&outbox->timer, config->loop, try_again);
	return outbox;
}

void sn_outbox_destroy(struct sn_outbox *outbox)
{
	if (outbox == NULL)
		return;
	if (outbox->fetch != NULL)
		sn_http_fetch_cancel(outbox->fetch);
	sn_timer_stop(&outbox->timer);
	for (enum lane lane = URGENT; lane < LANES; lane++) {
		sn_list_for_each (node, &outbox->lanes[lane])
			item_free(outbox, lane, sn_list_entry(node, struct item, link));
	}
	free(outbox->url);
	free(outbox);
}
