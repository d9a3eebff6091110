/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the measurements share: measures.c (lists, opening), measures_request.c
 * (what a request says), measures_select.c (selections), measures_draft.c and measures_choose.c
 * (a request becomes a measurement), measures_state.c (how far it is), measures_review.c (may it go
 * on), measures_time.c (what ends, who joins), measures_store.c (the database), measures_json.c
 * (how it is shown).
 */
#ifndef SONDE_HUB_MEASURES_INTERNAL_H
#define SONDE_HUB_MEASURES_INTERNAL_H

#include "base/map.h"
#include "hub/measures.h"

#define SN_MEASURE_GRACE_NS  (600 * SN_NS_PER_S)   /* for a report, after the end of the scope */
#define SN_MEASURE_ABSENT_NS (86400 * SN_NS_PER_S) /* for one that is away and may hold results */

struct sn_measured; /* a measurement with all that others need not know */

/* Who has parts; lives while there is a part of it. */
struct sn_measure_provider {
	char *name;
	unsigned users;
	struct sn_measure_live **live; /* parts that are not final, in no order */
	size_t count, room;
	char etag[SN_TASKS_ETAG_SIZE]; /* "": not known */
};

struct sn_measure_live { /* a part with all that others need not know */
	struct sn_measure_part part;
	struct sn_measure_provider *provider;
	size_t at;   /* in the provider's list, while it is not final */
	bool dirty;  /* its count is not written yet */
	bool missed; /* it was looked for once, after the end */
	bool ending; /* in the batch that is being stored it gets a final state */
};

struct sn_measured {
	struct sn_measure measure;
	json_t *parameters; /* as asked */
	const char *key;    /* idempotency key; "" */
	size_t room;        /* of measure.parts, which are in order of their providers */
	unsigned counts[SN_MEASURE_STATES];
	uint64_t results;
	bool own_values; /* providers fill in values of their own */
	bool dirty;      /* has been counted since the last tick */
	int64_t ended_ns;
	int64_t due_ns; /* when it has to be looked at; INT64_MAX: never */
	size_t heap_at; /* behind its place in the heap; 0: not in it */
	bool following; /* is in the list of its label */
};

/* A list of measurements that can be left in any order. */
struct sn_measure_list {
	struct sn_measured **items;
	size_t count, room;
};

struct sn_arrival {
	char *provider, *label;
};

struct sn_measures {
	struct sn_measures_config config;
	int64_t now_ns;
	struct sn_measure_list all; /* in order of age */
	struct sn_measure_list due; /* heap: what has to be looked at first is the first */
	struct sn_map *by_id;
	struct sn_map *by_request; /* "k" or "c", owner, line feed, key or client token */
	struct sn_map *by_token;   /* provider, line feed, token: struct sn_measure_live */
	struct sn_map *providers;  /* struct sn_measure_provider */
	struct sn_map *following;  /* label: struct sn_measure_list of those that take in more */
	size_t live, live_parts;
	struct sn_measure_live **dirty;
	size_t dirty_count, dirty_room;
	struct sn_arrival *arrivals; /* from arrival_next on: still to be looked at, each once */
	size_t arrival_count, arrival_room, arrival_next;
	json_t *never; /* networks that nodes send nothing to */
	char never_mark[SN_TASKS_ETAG_SIZE];
	sn_measures_review_fn *review; /* NULL: none is under way */
	void *review_ctx;
	size_t review_left;      /* of `all`, from the first on */
	struct sn_map *arriving; /* label, line feed, provider of those */
};

static inline struct sn_measured *sn_measured(const struct sn_measure *measure)
{
	return sn_container_of((struct sn_measure *)measure, struct sn_measured, measure);
}

static inline struct sn_measure_live *sn_measure_live(const struct sn_measure_part *part)
{
	return sn_container_of((struct sn_measure_part *)part, struct sn_measure_live, part);
}

/* measures.c ------------------------------------------------------------------- */

struct sn_measured *sn_measured_create(void);
void sn_measured_destroy(struct sn_measured *measured); /* that is in no list */
/* Its part of `provider`, which must have none yet; not in the lists of providers. */
struct sn_measure_live *sn_measured_add_part(struct sn_measures *measures,
					     struct sn_measured *measured, const char *provider);
struct sn_measure_part *sn_measured_part(const struct sn_measured *measured, const char *provider);
void sn_measured_drop_part(struct sn_measures *measures, struct sn_measured *measured, size_t i);
/* Into all lists, or out of them and away. */
void sn_measures_take_in(struct sn_measures *measures, struct sn_measured *measured);
void sn_measures_drop(struct sn_measures *measures, struct sn_measured *measured);
void sn_measures_enlist_part(struct sn_measures *measures, struct sn_measure_live *live);
void sn_measures_delist_part(struct sn_measures *measures, struct sn_measure_live *live);
void sn_measure_set_text(const char **text, const char *value); /* owned; "" is not allocated */
void sn_measure_set_identities(struct sn_measure *measure, const char *const *list); /* copied */
void sn_measures_tell(struct sn_measures *measures, const struct sn_measured *measured,
		      const struct sn_measure_part *part);

/* measures_select.c -------------------------------------------------------------- */

/* The selection as it is kept: every member known, lists of texts; -EINVAL. */
int sn_select_check(const json_t *asked, json_t **selection, struct sn_err *err);
bool sn_select_is_open(const json_t *selection);   /* no node is named */
bool sn_select_is_narrow(const json_t *selection); /* tags, countries or networks are */
/* Apart from the named nodes: may it be this one? */
bool sn_select_fits(const json_t *selection, const struct sn_node *node);
/* A named one: NULL and the reason, or its provider in `provider`; `node` NULL for a peer. */
int sn_select_named(struct sn_measures *measures, const char *name, char provider[SN_PROVIDER_MAX],
		    struct sn_node **node, struct sn_err *err);

/* measures_request.c ---------------------------------------------------------------- */

/* The values of the request into the specification; -EINVAL names the parameter. */
int sn_request_fill(struct sn_mp_message *specification, const struct sn_mp_offer *native,
		    const json_t *parameters, struct sn_err *err);
/* Does the provider of this capability take it?  Values that it alone decides are left to it. */
int sn_request_fits(const struct sn_measured *measured, const struct sn_mp_message *capability,
		    struct sn_err *err);
bool sn_request_is_query(const struct sn_mp_message *message); /* its scope is a window */
void sn_request_time(struct sn_measure *measure);              /* start and end */
/* What follows from the specification: times, schema, order. */
int sn_request_settle(struct sn_measured *measured, struct sn_err *err);
/* Of a settled one that is new: can what its parameters ask for together be done?  -EINVAL. */
int sn_request_can_be(const struct sn_measure *measure, struct sn_err *err);
struct sn_mp_message *sn_request_native_capability(const struct sn_measures *measures,
						   const struct sn_mp_offer *native);

/* measures_store.c ---------------------------------------------------------------------- */

int sn_measures_load(struct sn_measures *measures, struct sn_err *err);
/* With its parts and, if there is one, its client's message; as a part of the open transaction. */
int sn_measures_store(struct sn_measures *measures, const struct sn_measured *measured,
		      const char *client_message, struct sn_err *err);
int sn_measures_store_part(struct sn_measures *measures, const struct sn_measure_part *part,
			   struct sn_err *err);
int sn_measures_update_part(struct sn_measures *measures, const struct sn_measure_part *part,
			    struct sn_err *err);
/* That somebody stopped it; all else about the whole follows from its parts. */
int sn_measures_store_stop(struct sn_measures *measures, const struct sn_measured *measured,
			   struct sn_err *err);
int sn_measures_delete(struct sn_measures *measures, const struct sn_measured *measured,
		       struct sn_err *err);

/* measures_json.c ------------------------------------------------------------------------ */

json_t *sn_measured_preview(const struct sn_measures *measures, const struct sn_measured *measured,
			    bool allowed, const char *reason);

/* measures_state.c ----------------------------------------------------------------------- */

/* The state that follows from the parts. */
enum sn_measure_state sn_measured_state(const struct sn_measured *measured, int64_t now_ns);
/* Makes it so, and tells. */
void sn_measured_review(struct sn_measures *measures, struct sn_measured *measured);
/* It has a final state now: nobody joins, and some day it is dropped. */
void sn_measured_end(struct sn_measures *measures, struct sn_measured *measured);
/* Changes of parts: into the database, as a part of the open transaction, and then, once that is
 * committed, into the lists. */
int sn_measures_write_changes(struct sn_measures *measures, const struct sn_part_change *changes,
			      size_t count, int64_t now_ns, struct sn_err *err);
void sn_measures_adopt_changes(struct sn_measures *measures, const struct sn_part_change *changes,
			       size_t count, int64_t now_ns);
void sn_measures_write_counts(struct sn_measures *measures);

/* measures_review.c ----------------------------------------------------------------------- */

void sn_measures_review_more(struct sn_measures *measures); /* what is left, a share of it */

/* measures_time.c -------------------------------------------------------------------------- */

/* When it has to be looked at next. */
void sn_measures_schedule(struct sn_measures *measures, struct sn_measured *measured,
			  int64_t due_ns);
void sn_measures_unschedule(struct sn_measures *measures, struct sn_measured *measured);
void sn_measures_follow(struct sn_measures *measures, struct sn_measured *measured);
void sn_measures_unfollow(struct sn_measures *measures, struct sn_measured *measured);
void sn_measures_arrived(const struct sn_hub_offer *offer, void *ctx);

#endif
