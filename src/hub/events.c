/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "events"
#include "hub/events.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

#define WANTED_AFTER_NS (120 * SN_NS_PER_S) /* how long after the last listener */

struct event {
	uint64_t number;
	int topic;
	char node[SN_EVENTS_NODE_MAX];
	char *data;
	size_t size;
};

struct topic {
	char name[64];
	unsigned subscribers;
	bool was_wanted;
	uint64_t left_ns; /* when the last listener left */
	uint64_t since;   /* events from this number on are complete in the ring */
};

struct sn_events {
	struct sn_loop *loop;
	uint64_t epoch;
	struct topic topics[SN_EVENTS_TOPICS_MAX];
	int topic_count;
	struct event ring[SN_EVENTS_RING]; /* number k is in slot k % SN_EVENTS_RING */
	uint64_t first, next;              /* numbers: oldest kept, next to be given */
	size_t ring_bytes;
	struct sn_list subscribers;
	unsigned count;
};

struct subscriber {
	struct sn_list link;
	struct sn_events *events;
	struct sn_sse *sse;
	uint64_t topics;
	char node[SN_EVENTS_NODE_MAX]; /* "": all */
	void *owner;
	void (*release)(void *owner);
};

struct sn_events *sn_events_create(struct sn_loop *loop)
{
	struct sn_events *events = sn_new(struct sn_events);

	events->loop = loop;
	events->first = events->next = 1;
	sn_random(&events->epoch, sizeof(events->epoch));
	sn_list_init(&events->subscribers);
	return events;
}

static void drop_oldest(struct sn_events *events)
{
	struct event *event = &events->ring[events->first % SN_EVENTS_RING];

	events->ring_bytes -= event->size;
	free(event->data);
	event->data = NULL;
	events->first++;
}

void sn_events_destroy(struct sn_events *events)
{
	if (events == NULL)
		return;
	assert(sn_list_empty(&events->subscribers));
	while (events->first < events->next)
		drop_oldest(events);
	free(events);
}

/* Topics ---------------------------------------------------------------------- */

int sn_events_add_topic(struct sn_events *events, const char *name)
{
	struct topic *topic = &events->topics[events->topic_count];

	assert(events->topic_count < SN_EVENTS_TOPICS_MAX);
	snprintf(topic->name, sizeof(topic->name), "%s", name);
	return events->topic_count++;
}

int sn_events_topic(const struct sn_events *events, const char *name)
{
	for (int i = 0; i < events->topic_count; i++) {
		if (strcmp(events->topics[i].name, name) == 0)
			return i;
	}
	return -1;
}

const char *sn_events_topic_name(const struct sn_events *events, int topic)
{
	return events->topics[topic].name;
}

int sn_events_topic_count(const struct sn_events *events)
{
	return events->topic_count;
}

bool sn_events_wanted(const struct sn_events *events, int topic)
{
	const struct topic *asked = &events->topics[topic];

	return asked->subscribers > 0 ||
	       (asked->was_wanted && sn_loop_now(events->loop) - asked->left_ns < WANTED_AFTER_NS);
}

static void count_topics(struct sn_events *events, uint64_t topics, int by)
{
	for (int i = 0; i < events->topic_count; i++) {
		if ((topics & (UINT64_C(1) << i)) == 0)
			continue;
		if (by > 0 && !sn_events_wanted(events, i))
			events->topics[i].since = events->next;
		events->topics[i].subscribers += (unsigned)by;
		events->topics[i].was_wanted = true;
		events->topics[i].left_ns = sn_loop_now(events->loop);
	}
}

/* Publishing -------------------------------------------------------------------- */

static bool is_for(const struct subscriber *subscriber, const struct event *event)
{
	return (subscriber->topics & (UINT64_C(1) << event->topic)) != 0 &&
	       (subscriber->node[0] == '\0' || strcmp(subscriber->node, event->node) == 0);
}

static int send_event(const struct subscriber *subscriber, const struct event *event)
{
	char id[SN_EVENTS_ID_SIZE];

	snprintf(id, sizeof(id), "%016" PRIx64 "-%" PRIu64, subscriber->events->epoch,
		 event->number);
	return sn_sse_send(subscriber->sse, subscriber->events->topics[event->topic].name, id,
			   (struct sn_str){event->data, event->size});
}

void sn_events_publish(struct sn_events *events, int topic, const char *node, struct sn_str data)
{
	struct event *event;

	if (events->next - events->first == SN_EVENTS_RING)
		drop_oldest(events);
	while (events->first < events->next && events->ring_bytes + data.n > SN_EVENTS_RING_BYTES)
		drop_oldest(events);
	event = &events->ring[events->next % SN_EVENTS_RING];
	event->number = events->next++;
	event->topic = topic;
	snprintf(event->node, sizeof(event->node), "%s", node);
	event->data = sn_xmemdup(data.p, data.n);
	event->size = data.n;
	events->ring_bytes += data.n;
	sn_list_for_each (link, &events->subscribers) {
		const struct subscriber *subscriber = sn_list_entry(link, struct subscriber, link);

		if (is_for(subscriber, event))
			send_event(subscriber, event);
	}
}

/* Subscribing ------------------------------------------------------------------- */

static void subscriber_destroy(struct subscriber *subscriber)
{
	sn_list_remove(&subscriber->link);
	subscriber->events->count--;
	count_topics(subscriber->events, subscriber->topics, -1);
	if (subscriber->release != NULL)
		subscriber->release(subscriber->owner);
	free(subscriber);
}

static void stream_closed(struct sn_sse *sse, void *ctx)
{
	(void)sse;
	subscriber_destroy(ctx);
}

/* Was every event of these topics recorded since `number`? */
static bool is_complete(const struct sn_events *events, uint64_t topics, uint64_t number)
{
	for (int i = 0; i < events->topic_count; i++) {
		if ((topics & (UINT64_C(1) << i)) != 0 && number < events->topics[i].since)
			return false;
	}
	return number + 1 >= events->first && number < events->next;
}

/* The number behind the one that `last` names; 0 if that is not ours or too long ago. */
static uint64_t resume_at(const struct sn_events *events, uint64_t topics, const char *last)
{
	char epoch[17];
	uint64_t number;

	snprintf(epoch, sizeof(epoch), "%016" PRIx64, events->epoch);
	if (strncmp(last, epoch, 16) != 0 || last[16] != '-' ||
	    sn_parse_u64(sn_str(last + 17), 0, UINT64_MAX - 1, &number) != 0)
		return 0;
	return is_complete(events, topics, number) ? number + 1 : 0;
}

static void send_past(const struct subscriber *subscriber, const char *last)
{
	const struct sn_events *events = subscriber->events;
	uint64_t from = resume_at(events, subscriber->topics, last);

	if (from == 0) {
		sn_sse_send(subscriber->sse, "reset", NULL, SN_STR("{}"));
		return;
	}
	for (; from < events->next; from++) {
		const struct event *event = &events->ring[from % SN_EVENTS_RING];

		if (is_for(subscriber, event) && send_event(subscriber, event) != 0)
			return;
	}
}

int sn_events_subscribe(struct sn_events *events, struct sn_http_request *request,
			const struct sn_subscription *subscription)
{
	struct subscriber *subscriber;

	if (events->count >= SN_EVENTS_SUBSCRIBERS)
		return -EBUSY;
	subscriber = sn_new(struct subscriber);
	subscriber->events = events;
	subscriber->topics = subscription->topics;
	if (subscription->node != NULL)
		snprintf(subscriber->node, sizeof(subscriber->node), "%s", subscription->node);
	subscriber->owner = subscription->owner;
	subscriber->release = subscription->release;
	sn_list_append(&events->subscribers, &subscriber->link);
	events->count++;
	count_topics(events, subscriber->topics, 1);
	subscriber->sse = sn_sse_open(request, stream_closed, subscriber);
	if (subscriber->sse == NULL) /* the client has gone already */
		subscriber_destroy(subscriber);
	else if (subscription->last != NULL)
		send_past(subscriber, subscription->last);
	return 0;
}

void sn_events_close_unless(struct sn_events *events, bool (*good)(const void *owner, void *ctx),
			    void *ctx)
{
	sn_list_for_each (link, &events->subscribers) {
		struct subscriber *subscriber = sn_list_entry(link, struct subscriber, link);

		if (!good(subscriber->owner, ctx))
			sn_sse_close(subscriber->sse);
	}
}

unsigned sn_events_subscribers(const struct sn_events *events)
{
	return events->count;
}
