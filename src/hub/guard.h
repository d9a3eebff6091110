/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: who is asking, and may they.
 *
 * Every route says who may use it (enum sn_access).  What a route does not allow
 * is refused; a route that says nothing is open to nobody.  Who is asking is
 * decided in this order: verified client certificate, bearer token, session
 * cookie.  The answer is kept with the request (sn_guard_who()).  What needs more than
 * an account is asked of the policy (hub/authority.h); the local token may do all of it,
 * so that nobody is shut out of the hub on their own machine.
 *
 * Refusals: 421 for a foreign Host on the plain listener (DNS rebinding), 401 for
 * nobody, 403 `forbidden` for the wrong kind, 403 `identity-revoked`, 403
 * `request-header-missing` for a change by cookie, or from a browser by certificate,
 * without `Sonde-Request: 1` (a header that no foreign page can set), 503 `busy` when
 * too much is being received.
 */
#ifndef SONDE_HUB_GUARD_H
#define SONDE_HUB_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "hub/authority.h"
#include "hub/people.h"
#include "hub/room.h"
#include "hub/secret.h"
#include "net/http_server.h"

struct sn_hub;

enum sn_access {                         /* or-ed in sn_http_route.access; 0: nobody */
		 SN_ACCESS_OPEN = 1,     /* anyone */
		 SN_ACCESS_NODE = 2,     /* a node, for itself */
		 SN_ACCESS_USER = 4,     /* a person or program that acts for one */
		 SN_ACCESS_LOOPBACK = 8, /* anyone on this machine */
		 SN_ACCESS_ADMIN = 16,   /* whoever the policy lets do `admin` */
		 SN_ACCESS_DATA = 32,    /* ... `read-all` */
		 SN_ACCESS_SELF = 64,    /* a person, but by no token of a lower role */
		 SN_ACCESS_PEER = 128,   /* who has a name in mPlane; the policy decides the rest */
		 SN_ACCESS_REPLICA = 256, /* whoever the policy lets do `replicate` or `admin` */
};
/* All for people; the last four ask for more than being one. */
#define SN_ACCESS_PERSON                                                                           \
	(SN_ACCESS_USER | SN_ACCESS_ADMIN | SN_ACCESS_DATA | SN_ACCESS_SELF | SN_ACCESS_REPLICA)

enum sn_who_kind { SN_WHO_NOBODY, SN_WHO_NODE, SN_WHO_USER };
enum sn_who_means {
	SN_BY_NOTHING,
	SN_BY_CERTIFICATE,
	SN_BY_TOKEN,
	SN_BY_LOCAL_TOKEN,
	SN_BY_SESSION
};

struct sn_who {
	enum sn_who_kind kind;
	enum sn_who_means means;
	char user[SN_USER_NAME_MAX];       /* of a user */
	enum sn_role role;                 /* of a user: the account's, or the token's if lower */
	bool reduced;                      /* a token that was made for a role of its own */
	unsigned policy;                   /* generation of the policy that let them in */
	struct sn_node *node;              /* of a node; lives as long as the hub */
	char serial[SN_PKI_SERIAL_SIZE];   /* of a certificate */
	uint8_t hash[SN_SECRET_HASH_SIZE]; /* of a token or session */
	int64_t expires_ns;                /* of a certificate or session; 0: never */
	struct sn_hub *hub;
	uint64_t reserved;    /* bytes of body */
	char *receiver;       /* who they are counted for */
	struct sn_room *room; /* where; NULL: nowhere */
};

/* For sn_http_config.guard; `ctx` is the struct sn_hub. */
int sn_guard(struct sn_http_request *request, void *ctx);
/* Who the guard found, never NULL inside a handler. */
const struct sn_who *sn_guard_who(const struct sn_http_request *request);
/* The names of who asks, as the policy knows them. */
void sn_guard_asker(const struct sn_who *who, struct sn_asker *asker);
/* May they do what is about no capability in particular (`admin`, `read-all`)? */
bool sn_guard_permits(const struct sn_who *who, enum sn_policy_action action, const char *subject,
		      struct sn_policy_verdict *verdict);
/* Do they come by the local token, which may do all that accounts may?  Written down, if so. */
bool sn_guard_is_local(const struct sn_who *who, const struct sn_policy_ask *ask,
		       const char *subject);
/* The same for showing what is possible; nothing goes to the audit trail. */
bool sn_guard_would_permit(const struct sn_who *who, enum sn_policy_action action);
/* Is the proof still good, and worth as much?  For streams that live longer than a request. */
bool sn_guard_still(struct sn_hub *hub, const struct sn_who *who, int64_t now_ns);
/* For the audit trail: the user's name or the node's id, or "-". */
const char *sn_who_name(const struct sn_who *who);

/* Pure, for tests: may somebody like that use a route with this access? */
bool sn_access_allows(unsigned access, enum sn_who_kind kind, bool loopback);
/* Pure: is this a Host that the plain listener on loopback answers to? */
bool sn_host_is_local(const char *host);

#endif
