/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: the hub's own state in one SQLite file, control.sqlite.
 *
 * Users, sessions, tokens, invites, nodes, tasks, certificates and the audit
 * trail.  What a person or a node was told has been done is in this file before
 * they are told.  The schema lives here, as migrations; the statements live with
 * the subsystem that owns the table (people, enrol, fleet, tasks, identity).
 *
 * Times are Unix nanoseconds.  Secrets are kept as hashes only.
 */
#ifndef SONDE_HUB_CONTROL_H
#define SONDE_HUB_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/db.h"

#define SN_AUDIT_ROWS_MAX 1000000 /* older ones are dropped; a number: it goes into SQL */

/* Makes the file (0600) if it is absent; the text of an error says what can be done. */
int sn_control_open(const char *path, struct sn_db **db, struct sn_err *err);

/* The random id of this hub, made with the file; ULID text. */
int sn_control_hub_id(struct sn_db *db, int64_t now_ns, char *out, size_t size, struct sn_err *err);

/*
 * One line of the audit trail: who did what to which thing.  A part of the open
 * transaction if there is one.  `detail` may be NULL.  Triggers keep lines from being
 * changed, removed or put before others; only the oldest beyond the limit may go.
 */
int sn_control_audit(struct sn_db *db, int64_t now_ns, const char *actor, const char *action,
		     const char *subject, const char *detail, struct sn_err *err);

/* One line about what the policy said (hub/authority.h). */
struct sn_audit_decision {
	int64_t time_ns;
	const char *actor, *action, *subject;
	bool allowed;
	unsigned line;      /* of the policy; 0: none */
	const char *reason; /* goes into `detail` */
};
int sn_control_audit_decision(struct sn_db *db, const struct sn_audit_decision *decision,
			      struct sn_err *err);

/* Drops the oldest lines beyond SN_AUDIT_ROWS_MAX. */
int sn_control_tidy(struct sn_db *db, struct sn_err *err);

#endif
