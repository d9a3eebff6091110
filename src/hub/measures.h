/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measures: measurements: what somebody has asked for, and how far it is.
 *
 * A measurement is a specification for a capability, given to some or all of those who
 * offer it; each of them has a part of it with a state of its own.  Both are in the
 * control database before anybody is told that they exist, so a measurement runs on for
 * months over restarts.  A measurement never changes but for its state: rows always
 * belong to exactly the order that they name (column `task`).
 *
 * Nodes fetch their parts as tasks (doc/internals/node-hub.md) and report; parts of
 * mPlane peers are carried by the supervisor (hub/supervisor/), which registers itself
 * as their carrier.
 */
#ifndef SONDE_HUB_MEASURES_H
#define SONDE_HUB_MEASURES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "hub/fleet.h"
#include "hub/offers.h"
#include "store/db.h"

#define SN_MEASURES_LIVE_MAX  10000                      /* not yet ended */
#define SN_MEASURES_OWNER_MAX (SN_MEASURES_LIVE_MAX / 2) /* of them of one owner */
#define SN_MEASURES_PARTS_MAX 1000000                    /* of all that live together */
#define SN_MEASURES_ENDED_MAX 20000                      /* kept; then the oldest are dropped */
#define SN_MEASURE_NODE_TASKS 256 /* of one node at a time; it takes no more */
#define SN_MEASURE_NAME_MAX   128
#define SN_MEASURE_KEY_MAX    128 /* of an idempotency key */
#define SN_MEASURE_PARTS_MAX  100000
#define SN_MEASURE_ERROR_MAX  512
#define SN_MEASURE_KEEP_NS    (90LL * 86400 * SN_NS_PER_S) /* ended ones, then they are dropped */
#define SN_TASKS_ETAG_SIZE    17

enum sn_measure_state {
	SN_MEASURE_WAITING, /* for its start, or for the provider to take it */
	SN_MEASURE_RUNNING,
	SN_MEASURE_DONE,
	SN_MEASURE_FAILED,
	SN_MEASURE_STOPPED, /* by a person, an interrupt or a withdrawal, or by another policy */
	SN_MEASURE_STATES,
};
const char *sn_measure_state_name(enum sn_measure_state state);
bool sn_measure_state_is_final(enum sn_measure_state state);

struct sn_measure;

struct sn_measure_part {
	struct sn_measure *measure;
	const char *provider;        /* "node:<id>" or "peer:<identity>" */
	char token[SN_MP_HASH_SIZE]; /* of the specification given to a peer; "" for nodes */
	enum sn_measure_state state;
	int64_t started_ns, ended_ns; /* 0: not yet */
	uint64_t results;             /* rows stored */
	const char *error;            /* why it failed or was stopped; "" */
};

struct sn_measure {
	char id[SN_ULID_SIZE];
	char name[SN_MEASURE_NAME_MAX];
	const char *owner;                   /* first name of who asked: "user:alice", a peer */
	const char *const *identities;       /* all names of who asked; NULL-terminated */
	struct sn_mp_message *specification; /* resolved scope; label of the capability */
	const struct sn_mp_offer *native;    /* NULL: of peers */
	struct sn_mp_order order;            /* of a native one: what nodes run */
	const char *client_token;            /* of an mPlane client's specification; "" */
	const char *client_label;
	json_t *selection;      /* as asked: {"nodes":["*"...],"tags","countries","networks"} */
	bool follows;           /* the selection is open: providers that come later join */
	const char *repository; /* named one that results also go to; "" */
	char schema[SN_MP_HASH_SIZE];
	enum sn_measure_state state;
	int64_t created_ns, starts_ns, ends_ns; /* ends: SN_MP_FUTURE for none */
	struct sn_measure_part **parts;
	size_t part_count;
};

struct sn_measure_request {
	const char *owner;
	/* Every name of who asks, the owner first; NULL: only that one. */
	const char *const *identities;
	const char *capability; /* label, or token of one offer */
	const char *schema;     /* of which of several under the label; NULL: it is found out */
	json_t *parameters;     /* object: element -> text, number, boolean, array (joined by ',');
				   borrowed */
	const char *when;       /* "now" when NULL */
	json_t *selection;      /* see above; NULL: all that offer it */
	const char *name, *repository;
	const char *client_token, *client_label;
	const char *client_message; /* kept with it, as it is; NULL: nothing */
	const char *key;            /* idempotency key, per owner */
};

struct sn_measures;

/* Told of each state change of a part (`part` may be NULL: of the whole). */
typedef void sn_measures_change_fn(const struct sn_measure *measure,
				   const struct sn_measure_part *part, void *ctx);
/*
 * Asked before a measurement is stored, with everything resolved and its parts chosen: may who asks
 * for it?  -EACCES, -EDQUOT with the reason.  A preview has no id.  Otherwise a transaction is
 * open: what is written of the decision is committed with the measurement.
 */
typedef int sn_measures_permit_fn(const struct sn_measure *measure, struct sn_err *err, void *ctx);
/* Called before that transaction begins: for what has to be on disk before. */
typedef void sn_measures_prepare_fn(void *ctx);
/* Asked before a provider that came later joins an open selection. */
typedef bool sn_measures_join_fn(const struct sn_measure *measure, const char *provider, void *ctx);

/*
 * Asked again of one that runs: which of its parts that have not ended may go on no more?  Into
 * `parts`, which has room for them all; their number, and why.  Negative errno when that cannot be
 * said now.  A transaction of the database is open.
 */
typedef int sn_measures_review_fn(const struct sn_measure *measure, struct sn_measure_part **parts,
				  struct sn_err *why, void *ctx);

struct sn_measures_config {
	struct sn_db *db;
	struct sn_fleet *fleet;
	struct sn_offers *offers;
	const struct sn_mp_registries *registries;
	sn_measures_prepare_fn *prepare; /* may be NULL */
	sn_measures_permit_fn *permit;   /* may be NULL in tests */
	sn_measures_join_fn *may_join;   /* may be NULL: whoever offers it */
	void *permit_ctx;                /* of these three */
	sn_measures_change_fn *on_change;
	sn_measures_change_fn *on_count; /* rows were counted, once a tick at most; may be NULL */
	void *ctx;                       /* of the last two */
};
int sn_measures_open(const struct sn_measures_config *config, int64_t now_ns,
		     struct sn_measures **measures, struct sn_err *err);
void sn_measures_close(struct sn_measures *measures);

/*
 * Checks, asks permit, stores, then starts.  1 when the key (or client token) of this owner was
 * used before: then *measure is that one.  -EINVAL names the member or parameter; -ENOENT: no such
 * capability, or none of the chosen providers offers it; -EACCES, -EDQUOT: the policy; -E2BIG.
 */
int sn_measures_add(struct sn_measures *measures, const struct sn_measure_request *request,
		    int64_t now_ns, struct sn_measure **measure, struct sn_err *err);
/* The same checks, nothing is stored: what would be asked of whom; a new reference, or NULL. */
json_t *sn_measures_preview(struct sn_measures *measures, const struct sn_measure_request *request,
			    int64_t now_ns, struct sn_err *err);
int sn_measures_stop(struct sn_measures *measures, struct sn_measure *measure, int64_t now_ns,
		     struct sn_err *err);

struct sn_measure *sn_measures_find(const struct sn_measures *measures, const char *id);
struct sn_measure *sn_measures_by_client(const struct sn_measures *measures, const char *owner,
					 const char *client_token);
struct sn_measure_part *sn_measures_by_part_token(const struct sn_measures *measures,
						  const char *provider, const char *token);
/* NULL: it has none. */
struct sn_measure_part *sn_measure_part_of(const struct sn_measure *measure, const char *provider);
/* For people: the node's name, the peer's identity. */
const char *sn_measure_provider_name(const struct sn_measures *measures, const char *provider);
size_t sn_measures_count(const struct sn_measures *measures);
size_t sn_measures_live_count(const struct sn_measures *measures);
struct sn_measure *sn_measures_at(const struct sn_measures *measures, size_t i); /* by age */

/* State of a part, stored before this returns; the whole follows from its parts. */
int sn_measures_part_state(struct sn_measures *measures, struct sn_measure_part *part,
			   enum sn_measure_state state, const char *error, int64_t now_ns,
			   struct sn_err *err);
/* Many of them with one commit: all or none. */
struct sn_part_change {
	struct sn_measure_part *part;
	enum sn_measure_state state;
	const char *error; /* may be NULL */
};
int sn_measures_part_states(struct sn_measures *measures, const struct sn_part_change *changes,
			    size_t count, int64_t now_ns, struct sn_err *err);
/* A provider that is shut out: what it has not ended is stopped. */
int sn_measures_leave(struct sn_measures *measures, const char *provider, const char *reason,
		      int64_t now_ns, struct sn_err *err);
/*
 * Something is another than it was when the measurements were permitted: all that run are asked
 * about again, the newest first, a share of them now and the rest with the next ticks.  What may go
 * on no more is stopped, with the reason in its parts.  One that is under way is given up.
 */
void sn_measures_review(struct sn_measures *measures, sn_measures_review_fn *fn, void *ctx,
			int64_t now_ns);
bool sn_measures_is_reviewing(const struct sn_measures *measures);
/* Rows of it were stored (after the commit). Written behind. */
void sn_measures_count_rows(struct sn_measures *measures, const char *id, const char *provider,
			    uint64_t rows);
/* Once a second: what has ended, who joins, what is dropped. */
void sn_measures_tick(struct sn_measures *measures, int64_t now_ns);

/* For nodes: doc/internals/node-hub.md. */
void sn_measures_etag(const struct sn_measures *measures, const char *node,
		      char etag[SN_TASKS_ETAG_SIZE]);
json_t *sn_measures_tasks_for(const struct sn_measures *measures, const char *node);
/* The networks that no node may send anything to, an array of texts; part of what the etag stands
 * for.  Takes the reference over.  False: they are the same. */
bool sn_measures_set_never(struct sn_measures *measures, json_t *networks);
json_t *sn_measures_never(const struct sn_measures *measures); /* a new reference */

/*
 * A copy of the specification for one part: with our token of it, and with the values that only
 * its provider can know; what to give to a peer.
 */
struct sn_mp_message *sn_measures_part_specification(const struct sn_measures *measures,
						     const struct sn_measure_part *part);
/* Whom it sends packets to, as far as the order says: an array of texts; a new reference. */
json_t *sn_measure_targets(const struct sn_measure *measure);

/* As the API shows them; a measurement with its parts, or without. New references. */
json_t *sn_measure_part_json(const struct sn_measures *measures,
			     const struct sn_measure_part *part);
json_t *sn_measure_json(const struct sn_measures *measures, const struct sn_measure *measure,
			bool parts);

#endif
