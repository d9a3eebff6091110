/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: the hub's event stream: topics, subscribers, and a ring of the recent
 * past.
 *
 * Ids are `<epoch>-<number>`; the epoch is new at each start, so that an id from
 * before is recognised.  A subscriber who names the last id it saw gets what came
 * after it from the ring (1000 events, 16 MiB); if that is too long ago it gets
 * one event `reset` first, and asks for the current state.
 *
 * Making an event costs; while nobody listens to a topic (and nobody did during
 * the last two minutes) sn_events_wanted() is false and there is none.
 */
#ifndef SONDE_HUB_EVENTS_H
#define SONDE_HUB_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/str.h"
#include "net/http_server.h"

#define SN_EVENTS_RING        1000
#define SN_EVENTS_RING_BYTES  (16 * 1024 * 1024)
#define SN_EVENTS_DATA_MAX    (64 * 1024) /* publishers split what is larger */
#define SN_EVENTS_SUBSCRIBERS 256
#define SN_EVENTS_TOPICS_MAX  64
#define SN_EVENTS_ID_SIZE     48
#define SN_EVENTS_NODE_MAX    130 /* bytes of who it is about, NUL included */

struct sn_events;

struct sn_events *sn_events_create(struct sn_loop *loop);
/* After the server: its streams must be closed. */
void sn_events_destroy(struct sn_events *events);

/* A topic's number, or -1.  Topics are registered once, at start. */
int sn_events_add_topic(struct sn_events *events, const char *name);
int sn_events_topic(const struct sn_events *events, const char *name);
const char *sn_events_topic_name(const struct sn_events *events, int topic);
int sn_events_topic_count(const struct sn_events *events);

bool sn_events_wanted(const struct sn_events *events, int topic);
/* `node`: whom it is about, "" for nobody in particular. */
void sn_events_publish(struct sn_events *events, int topic, const char *node, struct sn_str data);

struct sn_subscription {
	uint64_t topics;  /* bit per topic */
	const char *node; /* only about this node's id; NULL: all; copied */
	const char *last; /* Last-Event-ID, or NULL */
	void *owner;      /* for sn_events_close_unless(); freed with `release` */
	void (*release)(void *owner);
};

/*
 * Answers the request with the stream.  -EBUSY at SN_EVENTS_SUBSCRIBERS: nothing was
 * answered and `owner` is still the caller's.
 */
int sn_events_subscribe(struct sn_events *events, struct sn_http_request *request,
			const struct sn_subscription *subscription);
/* Ends the streams of owners that are not good any more. */
void sn_events_close_unless(struct sn_events *events, bool (*good)(const void *owner, void *ctx),
			    void *ctx);
unsigned sn_events_subscribers(const struct sn_events *events);

#endif
