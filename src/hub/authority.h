/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority: the policy in force: loaded, watched, asked, and every answer written down.
 *
 * The policy is a file (sonde-policy(5)), or the built-in one.  The file is looked at each
 * second; one that has changed, and has then stood still for a second, is read in full
 * before it takes the place of the old one.  A file that is broken or gone changes nothing:
 * the last good one stays in force, also over a restart (policy.last-good.yaml in the state
 * directory), and there is a problem for people to see until the file is good again.
 *
 * Decisions go to the audit trail.  What starts, ends or stops a measurement is written at
 * once, as a part of the open transaction if there is one.  Who looks at something (`read`,
 * `read-all`, `admin`) is written every ten minutes for each thing that he looks at.  Of what
 * peers ask for all day (polls, listings, results) the first allowed one of an identity, action
 * and capability is written; a refusal at most once a minute per identity and action.  Each line
 * has the number of those between.  These are written at the end of the turn of the loop, all in
 * one transaction.
 *
 * Loop thread only.
 */
#ifndef SONDE_HUB_AUTHORITY_H
#define SONDE_HUB_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "hub/measures.h"
#include "hub/people.h"
#include "mplane/policy.h"
#include "store/db.h"

#define SN_AUTHORITY_QUEUE_MAX 10000 /* audit lines of one turn; more are written between */
#define SN_AUTHORITY_SEEN_MAX  50000 /* pairs of asker and action that are remembered */
#define SN_AUTHORITY_NAMES_MAX 8     /* of one asker */

struct sn_authority;

struct sn_authority_config {
	struct sn_loop *loop;
	struct sn_db *db;                                   /* of the audit trail */
	struct sn_people *people;                           /* roles of accounts; may be NULL */
	struct sn_fleet *fleet;                             /* names of nodes; may be NULL */
	const char *file;                                   /* NULL or "": the built-in policy */
	const char *state;                                  /* directory for the last good text */
	void (*on_problem)(const char *problem, void *ctx); /* it begins; NULL: it is over */
	/* Another policy has taken force, after the first one; may be NULL. */
	void (*on_policy)(void *ctx);
	void *ctx;
};

/* Fails for a file that is no good while there is no last good one. */
int sn_authority_open(const struct sn_authority_config *config, struct sn_authority **authority,
		      struct sn_err *err);
void sn_authority_close(struct sn_authority *authority); /* writes what is queued */

/* What is in force: valid until the next turn of the loop. */
const struct sn_policy *sn_authority_policy(const struct sn_authority *authority);
const char *sn_authority_text(const struct sn_authority *authority);
const char *sn_authority_file(const struct sn_authority *authority); /* "": built in */
int64_t sn_authority_loaded_ns(const struct sn_authority *authority);
/* Why the file is not what is in force; NULL while all is well. */
const char *sn_authority_problem(const struct sn_authority *authority);
/* Grows with each policy that takes force, so that what was decided before can be asked again. */
unsigned sn_authority_generation(const struct sn_authority *authority);
/*
 * Was what runs asked about under this very policy, perhaps before a restart?  So it is after
 * sn_authority_applied(), until another one takes force.
 */
bool sn_authority_was_applied(const struct sn_authority *authority);
void sn_authority_applied(struct sn_authority *authority);
/* The networks that it never lets be probed: an array of texts; a new reference. */
json_t *sn_authority_never(const struct sn_authority *authority);
/* Looks at the file now, without waiting for it to stand still; also every second by itself. */
void sn_authority_reload(struct sn_authority *authority);

/*
 * May they?  Written down as said above; `verdict` may be NULL.  False, too, when a decision that
 * has to be written cannot be.  `subject`: what it is about in the audit trail (id, token, label);
 * NULL: the label of the capability.
 */
bool sn_authority_permit(struct sn_authority *authority, const struct sn_policy_ask *ask,
			 const char *subject, struct sn_policy_verdict *verdict);
/* Writes down what is allowed without asking the policy; `why` says by what. */
void sn_authority_note(struct sn_authority *authority, const struct sn_policy_ask *ask,
		       const char *subject, const char *why);
/*
 * The same for what is one's own or anybody's: ask->action is that about anybody's ("stop-all"),
 * `own` is asked if that is refused and it is theirs; only what decided is written down.
 */
bool sn_authority_permit_own(struct sn_authority *authority, const struct sn_policy_ask *ask,
			     enum sn_policy_action own, bool is_theirs, const char *subject,
			     struct sn_policy_verdict *verdict);
/* Writes what is queued, now; while a transaction is open, soon: that may be rolled back. */
void sn_authority_flush(struct sn_authority *authority);

/* Who asks ---------------------------------------------------------------- */

struct sn_asker {
	char text[SN_AUTHORITY_NAMES_MAX][SN_PROVIDER_MAX];
	const char *list[SN_AUTHORITY_NAMES_MAX + 1];
	unsigned count;
};
/* "user:<name>" and "account:<role>"; `role` is that of the proof, see guard.h. */
void sn_asker_account(struct sn_asker *asker, const char *user, enum sn_role role);
void sn_asker_node(struct sn_asker *asker, const char *id); /* "node:<id>" */
/* Of a stored first name: for "user:x" also the role the account has now. */
void sn_asker_owner(struct sn_authority *authority, struct sn_asker *asker, const char *owner);

/* All that a rule may call a provider of capabilities ("node:<id>", "peer:<identity>"), for
 * struct sn_policy_ask.nodes. */
void sn_authority_name_provider(const struct sn_authority *authority, const char *provider,
				struct sn_buf *names);

/* Measurements ------------------------------------------------------------- */

/* Where it looks up what a provider leaves no choice about: a target may be among it. */
void sn_authority_set_offers(struct sn_authority *authority, const struct sn_offers *offers);
/* For struct sn_measures_config, with the authority as context. */
sn_measures_permit_fn sn_authority_permit_measure;
sn_measures_join_fn sn_authority_may_join;
/*
 * For sn_measures_review(), with the authority as context; what they say is written down.  May who
 * asked for it have it measured still, by each that takes part?  An account counts with the role
 * that it has now, if that is a lower one than it asked with.
 */
sn_measures_review_fn sn_authority_may_go_on;
/* Does it, with all that are older, put more on a target than that bears? */
sn_measures_review_fn sn_authority_fits_rate;

/*
 * What each target bears from all nodes together is kept per live measurement.  To be told of each
 * measurement at start, and whenever one is added, gets more parts (`part`: the one more, NULL:
 * look at all) or ends.
 */
void sn_authority_note_measure(struct sn_authority *authority, const struct sn_measure *measure,
			       const struct sn_measure_part *part);
/*
 * May this provider be handed that specification?  What its capability leaves no choice about is in
 * it, and may be another target than when it was asked for; it is counted from now on.  -EACCES,
 * and its part of the measurement shall end, or -EDQUOT, which may be over some day; both with the
 * reason, and in the audit trail.
 */
int sn_authority_may_hand_out(struct sn_authority *authority, const struct sn_measure *measure,
			      const char *provider, const struct sn_mp_message *specification,
			      struct sn_err *err);
/* -EDQUOT names target, what it bears, what is wanted and the limit. */
int sn_authority_rate(const struct sn_authority *authority, const struct sn_measure *measure,
		      struct sn_err *err);

#endif
