/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal: what the files of the supervisor share.
 *
 *   supervisor.c  all of it, its timer, and what it is told
 *   routes.c      paths of both dialects
 *   asker.c       who asks, and may they: the one place that asks the policy
 *   peers.c       components: leases, queues of what they have to do
 *   register.c    POST /register/capability
 *   work.c        GET /show/specification
 *   results.c     receipts, results and exceptions of components; rows, exactly once
 *   listing.c     what clients see; groups of equal capabilities
 *   client.c      specifications, redemptions and interrupts of clients
 *   old_client.c  the paths of dialect B
 *   answer.c      results for clients and parents, made of rows on a worker thread
 *   called.c      components that listen: we call them
 *   parent.c      the supervisor above us; parent_job.c: what it asks for
 *   exports.c     named repositories that results also go to
 */
#ifndef SONDE_HUB_SUPERVISOR_INTERNAL_H
#define SONDE_HUB_SUPERVISOR_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "hub/api/api.h"
#include "hub/authority.h"
#include "hub/derived.h"
#include "hub/hub.h"
#include "hub/measures.h"
#include "hub/offers.h"
#include "hub/supervisor/supervisor.h"
#include "mplane/codec.h"
#include "mplane/match.h"
#include "peer/peer.h"

#define SN_HAND_OUT_AGAIN_NS (30 * SN_NS_PER_S) /* without a receipt */
#define SN_HAND_OUT_MAX      1000               /* messages of one poll's answer */
#define SN_PATH_META         "sonde.path" /* hubs a capability came through, with blanks between */
#define SN_PATH_DEPTH_MAX    8
#define SN_LOOP_REASON       "a loop through" /* and the hub's id: why a registration is refused */
#define SN_GROUP_SUFFIX      ".all"
#define SN_DEVICE            "source.device"

struct sn_called;
struct sn_parent;
struct sn_exports;

struct sn_supervisor {
	struct sn_hub *hub;
	struct sn_loop *loop;
	struct sn_timer tick;
	unsigned ticks;
	struct sn_list peer_list; /* struct sn_sup_peer */
	struct sn_map *peers;     /* by identity */
	struct sn_map *above;     /* ids of hubs that stand above this one, as far as known */
	struct sn_list landed;    /* what peers said and is to be stored: results.c */
	struct sn_flush flush;    /* ... at the end of the turn, after the rows */
	struct sn_list waits;     /* of clients: client.c */
	struct sn_list answers;   /* being made: answer.c */
	struct sn_list shown;     /* capabilities that clients have seen: listing.c */
	struct sn_map *shown_by_token;
	struct sn_called *called; /* NULL: none is configured */
	struct sn_parent *parent; /* NULL: none */
	struct sn_exports *exports;
	uint64_t serial; /* of labels */
	bool closing;
};

/* Who asks (asker.c) -------------------------------------------------------- */

/* The first name is who it is; "" for nobody. */
void sn_sup_asker_of(const struct sn_http_request *request, struct sn_asker *asker);
const char *sn_sup_identity(const struct sn_asker *asker);
/* The one question to the policy.  `offer` may be NULL; `reason` (may be NULL) says why not. */
bool sn_sup_may(struct sn_supervisor *sup, const struct sn_asker *asker,
		enum sn_policy_action action, const char *label, const struct sn_hub_offer *offer,
		const char *subject, struct sn_err *reason);

/* Components (peers.c) ------------------------------------------------------- */

enum sn_sup_job_state { SN_SUP_QUEUED, SN_SUP_HANDED, SN_SUP_TAKEN };

/* One specification for one peer: a part of a measurement that has not ended, or is to be
 * interrupted. */
struct sn_sup_job {
	struct sn_list link;
	struct sn_sup_peer *peer;
	char token[SN_MP_HASH_SIZE], measure[SN_ULID_SIZE];
	enum sn_sup_job_state state;
	uint64_t handed_ns;                  /* monotonic */
	uint64_t serial;                     /* in its label */
	bool interrupt;                      /* it was given away and is wanted back ... */
	bool interrupted;                    /* ... which the peer knows */
	struct sn_mp_message *specification; /* as it was given; NULL before */
	char *kept_back; /* why it could not be made or given when it was tried last; or NULL */
	bool forbidden;  /* by the policy, which is not asked again */
	/* Of a peer that we call. */
	struct sn_timer timer;
	uint64_t pause_ns;
	bool asking;
};

struct sn_sup_peer {
	struct sn_list link;
	struct sn_supervisor *sup;
	char *identity, *provider; /* "peer:<identity>" */
	bool registered;           /* polls of others are answered with 428 */
	bool bare;                 /* speaks in bare arrays */
	bool natives;              /* understands JSON numbers */
	char *callback;            /* token of its callback capability; NULL: none */
	uint64_t seen_ns, interval_ns;
	struct sn_list jobs;
	struct sn_map *by_token;
	size_t job_count;
	bool crowded;                  /* something to do has not found room among the jobs */
	struct sn_called_peer *called; /* NULL: it connects to us */
};

/* NULL when there are too many. */
struct sn_sup_peer *sn_sup_peer_get(struct sn_supervisor *sup, const char *identity);
struct sn_sup_peer *sn_sup_peer_find(const struct sn_supervisor *sup, const char *identity);
struct sn_sup_peer *sn_sup_peer_of(const struct sn_supervisor *sup, const char *provider);
void sn_sup_peer_destroy(struct sn_sup_peer *peer);
void sn_sup_peer_seen(struct sn_sup_peer *peer, bool polled);
/* Takes `capability` over: an offer of this peer, or its callback.  -EINVAL, -E2BIG, -ELOOP. */
int sn_sup_peer_offers(struct sn_sup_peer *peer, struct sn_mp_message *capability,
		       struct sn_err *err);
/* It is gone or says nothing: what it offers is withdrawn, what it has to do waits. */
void sn_sup_peer_lost(struct sn_sup_peer *peer);
/* What it was given it may have forgotten: hands everything out again. */
void sn_sup_peer_restarted(struct sn_sup_peer *peer);
int sn_sup_write_flags(const struct sn_sup_peer *peer);

void sn_sup_job_sync(struct sn_supervisor *sup, const struct sn_measure_part *part);
struct sn_sup_job *sn_sup_job_find(const struct sn_sup_peer *peer, const char *token);
void sn_sup_job_destroy(struct sn_sup_job *job);
struct sn_measure_part *sn_sup_job_part(const struct sn_sup_job *job);
/* What to tell the peer; NULL when it offers nothing that fits now.  Kept in the job. */
const struct sn_mp_message *sn_sup_job_specification(struct sn_sup_job *job);
bool sn_sup_job_is_late(const struct sn_sup_job *job); /* too late to begin */
bool sn_sup_job_is_due(const struct sn_sup_job *job, uint64_t now_ns);
void sn_sup_part_state(struct sn_supervisor *sup, struct sn_measure_part *part,
		       enum sn_measure_state state, const char *error);
/* Once a second. */
void sn_sup_peers_tick(struct sn_supervisor *sup);

/* What components say (results.c) --------------------------------------------- */

typedef void sn_sup_taken_fn(int failed, void *ctx);
/*
 * A receipt, result, exception or an envelope of them, from `provider` about what it was
 * given, under `token` where the message has none (may be NULL).  `done` is called once, after
 * everything is stored: 0, -ENOENT when nothing in it was ours, or what the store said.  `reasons`
 * (may be NULL) tells of each that was refused.
 */
void sn_sup_take(struct sn_supervisor *sup, const char *provider, const struct sn_asker *asker,
		 const char *token, const struct sn_mp_message *message, struct sn_buf *reasons,
		 sn_sup_taken_fn *done, void *ctx);

void sn_sup_land(struct sn_supervisor *sup); /* stores what has landed, and answers */

/* What clients see (listing.c) -------------------------------------------------- */

struct sn_sup_offered {                   /* one capability as a client sees it */
	struct sn_mp_message *message;    /* owned */
	const struct sn_hub_offer *offer; /* NULL: a group */
	/* Borrowed, of the offer or of one of the group: */
	const char *label, *schema;
	bool native, device_below; /* `device_below`: they have source.device themselves */
};
struct sn_sup_view {
	struct sn_sup_offered *items;
	size_t count;
};
/*
 * All that `asker` may see; with `wanted` (may be NULL) only what has the schema of that
 * specification.  `base`: "https://host".
 */
void sn_sup_view_make(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
		      const struct sn_mp_message *wanted, struct sn_sup_view *view);
/*
 * The capabilities that `specification`, posted to the link with `token`, may be for; without a
 * token (NULL) those whose label it has: when none of them fits it may still be for another.
 */
void sn_sup_view_for(struct sn_supervisor *sup, const struct sn_asker *asker, const char *base,
		     const char *token, const struct sn_mp_message *specification,
		     struct sn_sup_view *view);
void sn_sup_view_finish(struct sn_sup_view *view);
const struct sn_sup_offered *sn_sup_view_by_token(const struct sn_sup_view *view,
						  const char *token);
/* Something that was shown and is not offered any more: what to answer, borrowed; or NULL. */
const struct sn_mp_message *sn_sup_gone(struct sn_supervisor *sup, const struct sn_asker *asker,
					const char *token,
					const struct sn_mp_message *specification);
void sn_sup_show(struct sn_supervisor *sup, const struct sn_mp_message *capability);
void sn_sup_shown_finish(struct sn_supervisor *sup);
/* The capability that stands for `count` equal ones; label as it is, without token. */
struct sn_mp_message *sn_sup_group_message(const struct sn_supervisor *sup,
					   const struct sn_hub_offer *const *offers, size_t count);
/* "*" or "all", names, "tag:x", "country:XX", "network:N" with commas, as a selection.  NULL: all.
 */
json_t *sn_sup_selection(const char *device);
/* "https://host:port" as this client calls us. */
void sn_sup_base(const struct sn_http_request *request, char *out, size_t size);
const char *sn_sup_provider_name(const struct sn_supervisor *sup, const char *provider);

/* What clients ask (client.c) ----------------------------------------------------- */

/* A specification as a request to measures; `wanted` is what it is for.  1: given before. */
int sn_sup_measure(struct sn_supervisor *sup, const struct sn_asker *asker, const char *owner,
		   const struct sn_mp_message *specification, const struct sn_sup_offered *wanted,
		   const char *key, struct sn_measure **measure, struct sn_err *err);
/* The specification of a measurement as it was asked; owned by the caller. */
struct sn_mp_message *sn_sup_asked(struct sn_supervisor *sup, const struct sn_measure *measure);

enum sn_sup_dialect { SN_SUP_SDK, SN_SUP_NODE };
/* Answers `request`, now or later.  `token`: of the capability in the path, or NULL. */
void sn_sup_client_take(struct sn_supervisor *sup, struct sn_http_request *request,
			const struct sn_asker *asker, struct sn_mp_message *message,
			const char *token, enum sn_sup_dialect dialect);
/* Stopped a moment ago: what it had measured is on its way. */
bool sn_sup_is_settling(const struct sn_supervisor *sup, const struct sn_measure *measure);
void sn_sup_client_changed(struct sn_supervisor *sup, const struct sn_measure *measure);
void sn_sup_client_finish(struct sn_supervisor *sup);

/* Results from rows (answer.c) ------------------------------------------------------ */

struct sn_sup_answer;
typedef void sn_sup_answer_fn(const struct sn_mp_message *message, const struct sn_err *err,
			      void *ctx);
/*
 * The result of `measure` so far, as `asked` for: a result, an envelope, or an exception; NULL and
 * the reason when the store cannot be read.  NULL is returned, and `fn` not called, when too many
 * are being made.
 */
struct sn_sup_answer *sn_sup_answer_make(struct sn_supervisor *sup,
					 const struct sn_measure *measure,
					 struct sn_mp_message *asked, sn_sup_answer_fn *fn,
					 void *ctx);
void sn_sup_answer_cancel(struct sn_sup_answer *answer);
/* Pure: what one provider gave as a result of what was asked, column by name. */
struct sn_mp_message *sn_sup_answer_of(const struct sn_mp_message *asked,
				       const struct sn_mp_message *its, const char *device);
/* Pure: rows of one part as the result of `specification`. */
struct sn_mp_message *sn_sup_result_of(const struct sn_mp_offer *native,
				       const struct sn_derived_set *set,
				       const struct sn_mp_message *specification,
				       const struct sn_batch *rows, int64_t fallback_ns);

/* A text of the configuration; NULL where it is empty, which is how it says that it is not set. */
static inline const char *sn_sup_set_text(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* Components that we call (called.c), parent (parent.c), repositories (exports.c) ------- */

void sn_sup_called_open(struct sn_supervisor *sup);
void sn_sup_called_close(struct sn_supervisor *sup);
void sn_sup_called_look(struct sn_sup_job *job); /* there is something to do or to stop */

void sn_sup_parent_open(struct sn_supervisor *sup);
void sn_sup_parent_close(struct sn_supervisor *sup);
void sn_sup_parent_changed(struct sn_supervisor *sup, const struct sn_measure *measure);
void sn_sup_parent_offers(struct sn_supervisor *sup);
/* New rows of one provider: the parent gets those of what has no end as they come. */
void sn_sup_parent_rows(struct sn_supervisor *sup, const struct sn_measure *measure,
			const char *provider, const struct sn_mp_message *result);

void sn_sup_exports_open(struct sn_supervisor *sup);
void sn_sup_exports_close(struct sn_supervisor *sup);
/* One result for the repository of `measure`, if it has one. */
void sn_sup_export(struct sn_supervisor *sup, const struct sn_measure *measure,
		   const struct sn_mp_message *result);
/* Are its results for a repository, or for the parent? */
bool sn_sup_goes_further(const struct sn_supervisor *sup, const struct sn_measure *measure);
/* Name of the configured repository with this URL, or NULL. */
const char *sn_sup_repository_at(const struct sn_supervisor *sup, const char *url);

#endif
