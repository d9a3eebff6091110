/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/component.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mplane/match.h"
#include "peer/component_internal.h"

#define KEEP_DEFAULT_NS (3600 * SN_NS_PER_S)

/* What is offered ----------------------------------------------------------------- */

struct known {
	struct sn_list link;
	char *key, *identity;
	struct sn_mp_message *capability;
};

char *sn_component_key(const char *identity, const char *token)
{
	/* The length keeps "a" + "bc" apart from "ab" + "c". */
	return sn_xasprintf("%zu:%s%s", strlen(identity), identity, token);
}

static void known_free(struct known *known)
{
	sn_list_remove(&known->link);
	sn_mp_message_destroy(known->capability);
	free(known->identity);
	free(known->key);
	free(known);
}

static void known_drop(struct sn_component *component, struct known *known)
{
	sn_map_remove(component->known, known->key);
	known_free(known);
}

static void remember(struct sn_component *component, const char *identity,
		     const struct sn_mp_message *capability)
{
	sn_autofree char *key = sn_component_key(identity, capability->token);
	struct known *known = sn_map_get(component->known, key);

	if (known != NULL && sn_mp_message_equal(known->capability, capability))
		return;
	if (known != NULL)
		known_drop(component, known);
	if (sn_map_count(component->known) >= SN_COMPONENT_KNOWN_MAX)
		known_drop(component,
			   sn_list_entry(component->known_list.next, struct known, link));
	known = sn_new(struct known);
	known->key = sn_xstrdup(key);
	known->identity = sn_xstrdup(identity);
	known->capability = sn_mp_message_copy(capability);
	sn_list_append(&component->known_list, &known->link);
	sn_map_set(component->known, known->key, known);
}

size_t sn_component_offers(struct sn_component *component, const char *identity,
			   const struct sn_mp_message *const **list)
{
	const struct sn_component_host *host = component->host;
	size_t count = host->capabilities(identity, list, host->ctx);

	for (size_t i = 0; i < count; i++) {
		if ((*list)[i]->token != NULL)
			remember(component, identity, (*list)[i]);
	}
	return count;
}

static bool is_offered(const struct sn_mp_message *const *list, size_t count, const char *token)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i]->token != NULL && strcmp(list[i]->token, token) == 0)
			return true;
	}
	return false;
}

const struct sn_mp_message *sn_component_gone(struct sn_component *component, const char *identity,
					      const struct sn_mp_message *specification)
{
	const struct sn_mp_message *const *offered, **gone, *found = NULL;
	size_t count = sn_component_offers(component, identity, &offered), gone_count = 0;
	int index;

	gone = sn_new_n(const struct sn_mp_message *, sn_map_count(component->known) + 1);
	sn_list_for_each (node, &component->known_list) {
		const struct known *known = sn_list_entry(node, struct known, link);

		if (strcmp(known->identity, identity) == 0 &&
		    !is_offered(offered, count, known->capability->token))
			gone[gone_count++] = known->capability;
	}
	index = sn_mp_choose(specification, gone, gone_count, sn_loop_wall_now(component->loop),
			     NULL);
	if (index >= 0)
		found = gone[index];
	free(gone);
	return found;
}

/* What was accepted --------------------------------------------------------------- */

struct sn_order *sn_order_find(struct sn_component *component, const char *identity,
			       const char *token)
{
	sn_autofree char *key = sn_component_key(identity, token);

	return sn_map_get(component->orders, key);
}

void sn_component_told(struct sn_component *component, const char *identity, const char *token)
{
	struct sn_order *order = sn_order_find(component, identity, token);

	if (order != NULL && order->state == SN_ORDER_ENDED)
		order->told = true;
}

bool sn_component_make_room(struct sn_component *component)
{
	if (sn_map_count(component->orders) < SN_COMPONENT_JOBS_MAX)
		return true;
	sn_list_for_each (node, &component->ended) {
		struct sn_order *order = sn_list_entry(node, struct sn_order, ended);

		if (order->told && order->held == 0) {
			sn_order_destroy(order);
			return true;
		}
	}
	return false;
}

/* No more for its host: a job that it does not end by itself is ended here. */
static void abort_job(struct sn_order *order)
{
	struct sn_component *component = order->component;
	struct sn_job *job = order->job;

	if (job == NULL)
		return;
	order->interrupted = true;
	if (!job->stopping) {
		job->stopping = true;
		component->host->stop(job, component->host->ctx);
	}
	if (order->job == NULL)
		return;
	order->job = NULL;
	sn_mp_message_destroy(job->specification);
	free(job);
}

void sn_order_destroy(struct sn_order *order)
{
	struct sn_component *component = order->component;

	order->held++;
	abort_job(order);
	sn_component_drop_waits(component, order);
	if (sn_map_get(component->orders, order->key) == order)
		sn_map_remove(component->orders, order->key);
	sn_list_remove(&order->ended);
	sn_timer_stop(&order->timer);
	for (size_t i = 0; i < order->result_count; i++)
		sn_mp_message_destroy(order->results[i]);
	free(order->results);
	sn_mp_message_destroy(order->specification);
	sn_mp_message_destroy(order->capability);
	free(order->identity);
	free(order->key);
	free(order);
}

/* Life ---------------------------------------------------------------------------- */

struct sn_component *sn_component_create(const struct sn_component_config *config)
{
	struct sn_component *component = sn_new(struct sn_component);

	assert(config->host->capabilities != NULL && config->host->start != NULL &&
	       config->host->stop != NULL);
	component->loop = config->loop;
	component->host = config->host;
	component->keep_ns = config->keep_ns != 0 ? config->keep_ns : KEEP_DEFAULT_NS;
	component->orders = sn_map_create(NULL);
	component->known = sn_map_create(NULL);
	sn_list_init(&component->ended);
	sn_list_init(&component->waits);
	sn_list_init(&component->batches);
	sn_list_init(&component->known_list);
	return component;
}

static void destroy_orders(struct sn_component *component)
{
	const char *key;
	size_t cursor;
	void *order;

	for (cursor = 0; sn_map_next(component->orders, &cursor, &key, &order); cursor = 0)
		sn_order_destroy(order);
}

void sn_component_destroy(struct sn_component *component)
{
	if (component == NULL)
		return;
	component->listener_count = 0;
	sn_component_drop_waits(component, NULL);
	sn_component_drop_batches(component);
	destroy_orders(component);
	sn_list_for_each (node, &component->known_list)
		known_free(sn_list_entry(node, struct known, link));
	sn_map_destroy(component->orders);
	sn_map_destroy(component->known);
	free(component->listeners);
	free(component);
}

void sn_component_on_result(struct sn_component *component, sn_component_result_fn *fn, void *ctx)
{
	struct sn_component_listener *list = component->listeners;
	size_t i = 0, count = component->listener_count;

	while (i < count && list[i].ctx != ctx)
		i++;
	if (i < count && fn == NULL) {
		memmove(&list[i], &list[i + 1], (count - i - 1) * sizeof(*list));
		component->listener_count--;
	} else if (i < count) {
		list[i].fn = fn;
	} else if (fn != NULL) {
		component->listeners = sn_xrealloc(list, count + 1, sizeof(*list));
		component->listeners[count] = (struct sn_component_listener){fn, ctx};
		component->listener_count++;
	}
}
