/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "guard"
#include "hub/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/hub.h"

/* Bodies larger than this are counted against what the hub receives at once. */
#define SMALL_BODY (64 * 1024)

bool sn_access_allows(unsigned access, enum sn_who_kind kind, bool loopback)
{
	return (access & SN_ACCESS_OPEN) != 0 || (loopback && (access & SN_ACCESS_LOOPBACK) != 0) ||
	       (kind == SN_WHO_NODE && (access & SN_ACCESS_NODE) != 0) ||
	       (kind == SN_WHO_USER && (access & SN_ACCESS_PERSON) != 0);
}

bool sn_host_is_local(const char *host)
{
	struct sn_str name = sn_str(host);
	struct sn_addr addr;

	if (sn_addr_parse(name, 0, &addr) == 0)
		return sn_addr_is_loopback(&addr);
	name.n = strcspn(host, ":");
	if (name.n == strlen("localhost"))
		return strncasecmp(host, "localhost", name.n) == 0;
	/* RFC 6761 section 6.3: all names below it are loopback too. */
	return name.n > strlen(".localhost") &&
	       strncasecmp(host + name.n - strlen(".localhost"), ".localhost",
			   strlen(".localhost")) == 0;
}

/* Who is asking --------------------------------------------------------------- */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* 0, or -EACCES and the reason (SN_TRUST_WHY_MAX) for somebody who is shut out. */
static int ask_certificate(struct sn_hub *hub, const struct sn_pki_info *peer, int64_t now_ns,
			   struct sn_who *who, char *why)
{
	who->expires_ns = peer->not_after_unix_s * SN_NS_PER_S;
	if (who->expires_ns <= now_ns)
		return 0;
	if (!sn_trust_accepts(hub->trust, peer, now_ns, why))
		return -EACCES;
	snprintf(who->serial, sizeof(who->serial), "%s", peer->serial);
	if (has_prefix(peer->uri, SN_URI_NODE)) {
		who->node = sn_fleet_by_id(hub->fleet, peer->uri + strlen(SN_URI_NODE));
		if (who->node == NULL)
			return 0;
		if (who->node->state == SN_NODE_REVOKED) {
			snprintf(why, SN_TRUST_WHY_MAX,
				 "the machine has to join again with a new token");
			return -EACCES;
		}
		who->kind = SN_WHO_NODE;
	} else if (has_prefix(peer->uri, SN_URI_USER)) {
		const char *user = peer->uri + strlen(SN_URI_USER);

		if (sn_people_role(hub->people, user, &who->role) != 0)
			return 0;
		snprintf(who->user, sizeof(who->user), "%s", user);
		who->kind = SN_WHO_USER;
	}
	who->means = SN_BY_CERTIFICATE;
	return 0;
}

static bool ask_token(struct sn_hub *hub, const char *header, int64_t now_ns, struct sn_who *who)
{
	struct sn_token_owner owner;

	if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	sn_secret_hash(sn_str_trim(sn_str(header + 7)), who->hash);
	if (sn_people_token(hub->people, who->hash, now_ns, &owner) != 0)
		return true;
	snprintf(who->user, sizeof(who->user), "%s", owner.user);
	who->role = owner.role;
	who->reduced = owner.reduced;
	who->kind = SN_WHO_USER;
	who->means = owner.local ? SN_BY_LOCAL_TOKEN : SN_BY_TOKEN;
	return true;
}

static void ask_session(struct sn_hub *hub, const char *cookie, int64_t now_ns, struct sn_who *who)
{
	if (cookie == NULL)
		return;
	sn_secret_hash(sn_str(cookie), who->hash);
	if (sn_people_session(hub->people, who->hash, now_ns, who->user, &who->expires_ns) != 0 ||
	    sn_people_role(hub->people, who->user, &who->role) != 0)
		return;
	who->kind = SN_WHO_USER;
	who->means = SN_BY_SESSION;
}

static int ask(struct sn_hub *hub, struct sn_http_request *request, struct sn_who *who, char *why)
{
	const struct sn_pki_info *peer = sn_http_peer(request);
	int64_t now_ns = sn_hub_now(hub);

	if (peer != NULL)
		return ask_certificate(hub, peer, now_ns, who, why);
	/* A bearer token that is no good does not fall back to a cookie. */
	if (!ask_token(hub, sn_http_header(request, "Authorization"), now_ns, who))
		ask_session(hub, sn_http_cookie(request, hub->session_cookie), now_ns, who);
	return 0;
}

/* Is the proof still one, and of the same role? */
static bool proof_is_good(struct sn_hub *hub, const struct sn_who *who, int64_t now_ns)
{
	char user[SN_USER_NAME_MAX];
	struct sn_token_owner owner;
	enum sn_role role = who->role;
	int64_t expires_ns;

	switch (who->means) {
	case SN_BY_CERTIFICATE:
		return sn_identity_serial_is_good(hub->identity, who->serial) &&
		       sn_people_role(hub->people, who->user, &role) == 0 && role == who->role;
	case SN_BY_SESSION:
		return sn_people_session(hub->people, who->hash, now_ns, user, &expires_ns) == 0 &&
		       sn_people_role(hub->people, who->user, &role) == 0 && role == who->role;
	case SN_BY_TOKEN:
	case SN_BY_LOCAL_TOKEN:
		return sn_people_token(hub->people, who->hash, now_ns, &owner) == 0 &&
		       owner.role == who->role;
	case SN_BY_NOTHING:
		break;
	}
	return false;
}

bool sn_guard_still(struct sn_hub *hub, const struct sn_who *who, int64_t now_ns)
{
	if (who->expires_ns != 0 && who->expires_ns <= now_ns)
		return false;
	if (who->kind == SN_WHO_NODE)
		return who->node->state != SN_NODE_REVOKED;
	/* Another policy may let them see less: they come again and are asked anew. */
	return who->policy == sn_authority_generation(hub->authority) &&
	       proof_is_good(hub, who, now_ns);
}

const char *sn_who_name(const struct sn_who *who)
{
	return who->kind == SN_WHO_USER   ? who->user
	       : who->kind == SN_WHO_NODE ? who->node->id
					  : "-";
}

const struct sn_who *sn_guard_who(const struct sn_http_request *request)
{
	return sn_http_user(request);
}

void sn_guard_asker(const struct sn_who *who, struct sn_asker *asker)
{
	*asker = (struct sn_asker){0};
	if (who->kind == SN_WHO_USER)
		sn_asker_account(asker, who->user, who->role);
	else if (who->kind == SN_WHO_NODE)
		sn_asker_node(asker, who->node->id);
}

/* May they -------------------------------------------------------------------- */

static bool is_safe(const struct sn_http_request *request)
{
	const char *method = sn_http_method(request);

	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static bool host_is_ours(const struct sn_hub *hub, const struct sn_http_request *request)
{
	const char *host = sn_http_header(request, "Host");

	if (host == NULL)
		return false;
	for (unsigned i = 0; i < hub->config->names.count; i++) {
		const char *name = hub->config->names.items[i];
		size_t n = strlen(name);

		if (strncasecmp(host, name, n) == 0 && (host[n] == '\0' || host[n] == ':'))
			return true;
	}
	return sn_host_is_local(host);
}

static int refuse(struct sn_http_request *request, const struct sn_who *who)
{
	if (who->kind == SN_WHO_NOBODY) {
		sn_http_set_header(request, "WWW-Authenticate", "Bearer");
		sn_http_problem(request, 401, "unauthenticated", "Who are you?",
				"log in, or send a client certificate or 'Authorization: Bearer "
				"<token>'");
	} else {
		sn_http_problem(
			request, 403, "forbidden", "Not for you", "%s",
			who->kind == SN_WHO_NODE
				? "a node's certificate does not open this; it is for people"
				: "this is for nodes only");
	}
	return -EACCES;
}

bool sn_guard_is_local(const struct sn_who *who, const struct sn_policy_ask *ask,
		       const char *subject)
{
	if (who->means != SN_BY_LOCAL_TOKEN)
		return false;
	sn_authority_note(who->hub->authority, ask, subject, "by the local token");
	return true;
}

bool sn_guard_permits(const struct sn_who *who, enum sn_policy_action action, const char *subject,
		      struct sn_policy_verdict *verdict)
{
	struct sn_asker asker;
	struct sn_policy_ask ask = {.action = action, .identities = asker.list};

	sn_guard_asker(who, &asker);
	if (sn_guard_is_local(who, &ask, subject))
		return true;
	return sn_authority_permit(who->hub->authority, &ask, subject, verdict);
}

bool sn_guard_would_permit(const struct sn_who *who, enum sn_policy_action action)
{
	struct sn_asker asker;
	struct sn_policy_ask ask = {.action = action, .identities = asker.list};
	struct sn_policy_verdict verdict;

	if (who->means == SN_BY_LOCAL_TOKEN)
		return true;
	sn_guard_asker(who, &asker);
	sn_policy_decide(sn_authority_policy(who->hub->authority), &ask, &verdict);
	return verdict.allowed;
}

/* What the route wants beyond an account. */
static int check_rights(struct sn_http_request *request, const struct sn_who *who, unsigned access,
			bool loopback)
{
	struct sn_policy_verdict verdict = {.reason = "a token of a lower role makes no proofs for "
						      "its owner"};
	const char *path = sn_http_path(request);

	if (who->kind != SN_WHO_USER ||
	    (access & (SN_ACCESS_OPEN | SN_ACCESS_USER | SN_ACCESS_PEER)) != 0 ||
	    (loopback && (access & SN_ACCESS_LOOPBACK) != 0))
		return 0;
	if (((access & SN_ACCESS_SELF) != 0 && !who->reduced) ||
	    ((access & SN_ACCESS_REPLICA) != 0 && sn_guard_would_permit(who, SN_MAY_ADMIN)) ||
	    ((access & SN_ACCESS_REPLICA) != 0 &&
	     sn_guard_permits(who, SN_MAY_REPLICATE, path, &verdict)) ||
	    ((access & SN_ACCESS_ADMIN) != 0 &&
	     sn_guard_permits(who, SN_MAY_ADMIN, path, &verdict)) ||
	    ((access & SN_ACCESS_DATA) != 0 &&
	     sn_guard_permits(who, SN_MAY_READ_ALL, path, &verdict)))
		return 0;
	sn_http_problem(request, 403, "forbidden", "The policy does not allow this", "%s",
			verdict.reason);
	return -EACCES;
}

/*
 * Could a foreign page have had this sent?  Cookies and certificates are added by the
 * browser, who marks what a page sends; programs with a certificate send no such mark.
 */
static bool may_be_forged(const struct sn_http_request *request, const struct sn_who *who)
{
	return who->means == SN_BY_SESSION || (who->means == SN_BY_CERTIFICATE &&
					       (sn_http_header(request, "Origin") != NULL ||
						sn_http_header(request, "Sec-Fetch-Site") != NULL));
}

static int check_forgery(struct sn_http_request *request, const struct sn_who *who)
{
	const char *mark = sn_http_header(request, "Sonde-Request");

	if (!may_be_forged(request, who) || is_safe(request) ||
	    (mark != NULL && strcmp(mark, "1") == 0))
		return 0;
	sn_http_problem(request, 403, "request-header-missing", "Not sent by the hub's own page",
			"a change that a browser proves by cookie or certificate needs the header "
			"'Sonde-Request: 1'");
	return -EACCES;
}

/* Whose body it is, and where there is room for it. */
static struct sn_room *room_of(struct sn_http_request *request, struct sn_who *who)
{
	char name[SN_PROVIDER_MAX];
	bool peer = (sn_http_request_route(request)->access & SN_ACCESS_PEER) != 0;

	if (!peer || !sn_supervisor_identity(request, name, sizeof(name)))
		snprintf(name, sizeof(name), "%s", sn_who_name(who));
	who->receiver = sn_xstrdup(name);
	return peer ? who->hub->room_peers : who->hub->room_own;
}

static bool reserve(struct sn_http_request *request, struct sn_who *who, uint64_t size)
{
	struct sn_room *room = room_of(request, who);

	if (!sn_room_take(room, who->receiver, size))
		return false;
	if (!sn_ingest_reserve(who->hub->ingest, size)) {
		sn_room_give(room, who->receiver, size);
		return false;
	}
	who->room = room;
	who->reserved = size;
	return true;
}

static int reserve_body(struct sn_http_request *request, struct sn_who *who)
{
	size_t max = sn_http_request_route(request)->max_body;
	const char *length = sn_http_header(request, "Content-Length");
	uint64_t size = max;

	if (max <= SMALL_BODY)
		return 0;
	if (length != NULL && sn_parse_u64(sn_str(length), 0, max, &size) != 0)
		return 0; /* too long: the server refuses it */
	if (!reserve(request, who, size)) {
		sn_http_set_header(request, "Retry-After", "1");
		sn_http_problem(request, 503, "busy", "Too much is being sent at once",
				"try again in a moment");
		return -EBUSY;
	}
	return 0;
}

static void release_who(void *user)
{
	struct sn_who *who = user;

	if (who->reserved > 0)
		sn_ingest_release(who->hub->ingest, who->reserved);
	if (who->room != NULL)
		sn_room_give(who->room, who->receiver, who->reserved);
	free(who->receiver);
	free(who);
}

int sn_guard(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	unsigned access = sn_http_request_route(request)->access;
	struct sn_who *who = sn_new(struct sn_who);
	bool loopback = sn_addr_is_loopback(sn_http_peer_addr(request));
	char why[SN_TRUST_WHY_MAX] = "";

	who->hub = hub;
	who->policy = sn_authority_generation(hub->authority);
	sn_http_set_user(request, who, release_who);
	/* No foreign page may embed what we say, not even as an image or a script. */
	sn_http_set_header(request, "Cross-Origin-Resource-Policy", "same-origin");
	hub->requests++;
	if (!sn_http_is_tls(request) && !host_is_ours(hub, request)) {
		sn_http_problem(
			request, 421, "host-refused", "This host name is not mine",
			"on plain HTTP the hub answers to loopback names only; add the name "
			"to 'names' in its configuration");
		return -EACCES;
	}
	if (ask(hub, request, who, why) != 0) {
		sn_http_problem(request, 403, "identity-revoked",
				"This certificate is not accepted", "%s", why);
		return -EACCES;
	}
	if (!sn_access_allows(access, who->kind, loopback) &&
	    !((access & SN_ACCESS_PEER) != 0 && sn_supervisor_admits(hub, request)))
		return refuse(request, who);
	if (check_forgery(request, who) != 0 || check_rights(request, who, access, loopback) != 0)
		return -EACCES;
	if (who->kind == SN_WHO_NODE)
		sn_fleet_seen(hub->fleet, who->node, sn_hub_now(hub));
	return reserve_body(request, who);
}
