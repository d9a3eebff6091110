/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: who is asking, and may they.
 *
 * Every route says who may use it (enum sn_access).  What a route does not allow
 * is refused; a route that says nothing is open to nobody.  Who is asking is
 * decided in this order: verified client certificate, bearer token, session
 * cookie.  The answer is kept with the request (sn_guard_who()).
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

#include "hub/people.h"
#include "hub/secret.h"
#include "net/http_server.h"

struct sn_hub;

enum sn_access {                         /* or-ed in sn_http_route.access; 0: nobody */
		 SN_ACCESS_OPEN = 1,     /* anyone */
		 SN_ACCESS_NODE = 2,     /* a node, for itself */
		 SN_ACCESS_USER = 4,     /* a person or program that acts for one */
		 SN_ACCESS_LOOPBACK = 8, /* anyone on this machine */
};

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
	struct sn_node *node;              /* of a node; lives as long as the hub */
	char serial[SN_PKI_SERIAL_SIZE];   /* of a certificate */
	uint8_t hash[SN_SECRET_HASH_SIZE]; /* of a token or session */
	int64_t expires_ns;                /* of a certificate or session; 0: never */
	struct sn_hub *hub;
	uint64_t reserved; /* bytes of body */
};

/* For sn_http_config.guard; `ctx` is the struct sn_hub. */
int sn_guard(struct sn_http_request *request, void *ctx);
/* Who the guard found, never NULL inside a handler. */
const struct sn_who *sn_guard_who(const struct sn_http_request *request);
/* Is the proof still good?  For streams that live longer than a request. */
bool sn_guard_still(struct sn_hub *hub, const struct sn_who *who, int64_t now_ns);
/* For the audit trail: the user's name or the node's id, or "-". */
const char *sn_who_name(const struct sn_who *who);

/* Pure, for tests: may somebody like that use a route with this access? */
bool sn_access_allows(unsigned access, enum sn_who_kind kind, bool loopback);
/* Pure: is this a Host that the plain listener on loopback answers to? */
bool sn_host_is_local(const char *host);

#endif
