/* SPDX-License-Identifier: Apache-2.0 */
/*
 * component_internal: what the files of the component share.
 *
 *   component.c       what is offered, what is accepted, and its end
 *   component_run.c   orders from start to end: jobs, iterations, results
 *   component_take.c  messages and their answers, those who wait
 *
 * An order is a specification that was accepted.  It waits for its start, runs one
 * job (or one after the other), has ended, and is forgotten some time later.
 */
#ifndef SONDE_PEER_COMPONENT_INTERNAL_H
#define SONDE_PEER_COMPONENT_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "peer/component.h"

/* So often the wall clock is looked at while something is due by it. */
#define SN_COMPONENT_LOOK_NS (60 * SN_NS_PER_S)

enum sn_order_state { SN_ORDER_WAITING, SN_ORDER_RUNNING, SN_ORDER_ENDED };

struct sn_order {
	struct sn_component *component;
	struct sn_list ended; /* in component->ended, by age, once it has */
	char *key, *identity;
	struct sn_mp_message *specification; /* as it was asked for, with a token */
	struct sn_mp_message *capability;
	struct sn_mp_when when; /* resolved */
	bool query;             /* its scope is a window of data */
	enum sn_order_state state;
	int64_t start_ns; /* of the next run, wall clock */
	int64_t stop_ns;  /* of the present one; SN_MP_FUTURE: when it ends by itself */
	int64_t after_ns; /* the next iteration starts at or after that */
	struct sn_timer timer;
	struct sn_job *job; /* the present run, or NULL */
	struct sn_mp_message **results;
	size_t result_count;
	bool interrupted;
	bool told;     /* the last state was handed out */
	unsigned held; /* may not be forgotten: somebody works with it */
};

struct sn_job {
	struct sn_order *order;
	struct sn_mp_message *specification;
	int64_t began_ns;
	bool stopping;
	bool spoke; /* gave a result, and after it was told to stop */
	void *data;
};

struct sn_component_listener {
	sn_component_result_fn *fn;
	void *ctx;
};

struct sn_component {
	struct sn_loop *loop;
	const struct sn_component_host *host;
	uint64_t keep_ns;
	struct sn_map *orders; /* by identity and token */
	struct sn_list ended;
	struct sn_list waits, batches; /* component_take.c */
	struct sn_map *known;          /* capabilities that were shown, by identity and token */
	struct sn_list known_list;     /* the oldest first */
	struct sn_component_listener *listeners;
	size_t listener_count;
};

/* component.c */
char *sn_component_key(const char *identity, const char *token);
/* What `identity` may see; remembers that it has been shown. */
size_t sn_component_offers(struct sn_component *component, const char *identity,
			   const struct sn_mp_message *const **list);
/* The one of those no longer offered that `specification` is for, or NULL. */
const struct sn_mp_message *sn_component_gone(struct sn_component *component, const char *identity,
					      const struct sn_mp_message *specification);
struct sn_order *sn_order_find(struct sn_component *component, const char *identity,
			       const char *token);
/* False when the component is full. */
bool sn_component_make_room(struct sn_component *component);
void sn_order_destroy(struct sn_order *order); /* out of all lists; a running job is stopped */
/* The result of this order has arrived. */
void sn_component_told(struct sn_component *component, const char *identity, const char *token);

/* component_run.c */
struct sn_order *sn_order_create(struct sn_component *component, const char *identity,
				 const struct sn_mp_message *specification,
				 const struct sn_mp_message *capability);
/* Starts it or waits for its start; when it cannot even begin: the reason, and it is no order. */
int sn_order_begin(struct sn_order *order, struct sn_err *err);
void sn_order_interrupt(struct sn_order *order);

/*
 * An envelope with the order's label and token around messages that stay the caller's; ends with
 * sn_order_unwrap().
 */
struct sn_mp_message *sn_order_wrap(const struct sn_order *order, struct sn_mp_message **messages,
				    size_t count);
void sn_order_unwrap(struct sn_mp_message *envelope);

/* component_take.c: the order has ended, who waits for it gets the answer. */
void sn_order_answer_waits(struct sn_order *order);
void sn_component_drop_waits(struct sn_component *component, const struct sn_order *order);
void sn_component_drop_batches(struct sn_component *component);

#endif
