/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: messages on their way to one URL, one after the other.
 *
 * Urgent ones go before the others; each kind keeps its order.  A message stays at the
 * head until the other side has taken it: while the other side cannot be reached it is
 * tried again, at growing distances; one that the other side refuses is given up.
 */
#ifndef SONDE_PEER_OUTBOX_H
#define SONDE_PEER_OUTBOX_H

#include "base/buf.h"
#include "base/loop.h"
#include "net/http_client.h"

struct sn_outbox;

struct sn_outbox_config {
	struct sn_loop *loop;
	struct sn_http_client *http;
	const char *url;
	const char *const *headers; /* borrowed */
	uint64_t retry_ns;          /* the first distance */
	uint64_t retry_max_ns;      /* the last */
	size_t messages_max;        /* of each kind; the oldest are given up */
	size_t bytes_max;           /* of all */
	unsigned tries_max;         /* of one message that is answered with status 5xx */
	/* `token` was delivered. */
	void (*on_delivered)(const char *token, void *ctx);
	/* It wants a registration first (428); nothing is sent until sn_outbox_retry(). */
	void (*on_unregistered)(void *ctx);
	/* A message was given up: why. */
	void (*on_given_up)(const char *text, void *ctx);
	/* The last message has left (or was given up). */
	void (*on_empty)(void *ctx);
	void *ctx;
};
struct sn_outbox *sn_outbox_create(const struct sn_outbox_config *config);
void sn_outbox_destroy(struct sn_outbox *outbox); /* also inside on_empty */
/* `body` is taken over and left empty. */
void sn_outbox_push(struct sn_outbox *outbox, bool urgent, const char *token, struct sn_buf *body);
void sn_outbox_retry(struct sn_outbox *outbox); /* now: the other side was heard of */
size_t sn_outbox_count(const struct sn_outbox *outbox);

#endif
