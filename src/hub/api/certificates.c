/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that this hub's CA has signed, and its revocation list. */
#include "hub/certificates.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "net/addr.h"

#define ISSUE_BODY_MAX (32 * 1024)
#define LIFE_MAX       (825 * 86400LL * SN_NS_PER_S)

static const char *actor(const struct sn_http_request *request)
{
	return sn_who_name(sn_guard_who(request));
}

/* With the PEM, as it is in the table now; `ca_pem` goes along with what is new. */
static void reply_one(struct sn_hub *hub, struct sn_http_request *request, unsigned status,
		      const char *serial)
{
	struct sn_err err = {0};
	json_t *one = sn_certificates_get(hub->identity, serial, sn_hub_now(hub), &err);

	if (one == NULL) {
		sn_api_trouble(request, &err);
		return;
	}
	if (json_is_null(one)) {
		sn_api_not_found(request, "no certificate has this serial number");
		return;
	}
	json_object_set_new(one, "ca_pem", json_string(sn_identity_ca_pem(hub->identity)));
	sn_http_reply_json(request, status, one);
}

/* Lists ------------------------------------------------------------------------------ */

static bool is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], text) == 0)
			return true;
	}
	return false;
}

/* A filter that knows no such word must not pass for one that finds nothing. */
static bool check_word(struct sn_http_request *request, const char *name, const char *const *words,
		       size_t count, const char *allowed)
{
	const char *text = sn_http_query(request, name);

	if (text == NULL || is_one_of(text, words, count))
		return true;
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
			"%s: '%.60s' is not %s", name, text, allowed);
	return false;
}

static void get_certificates(struct sn_http_request *request, void *ctx)
{
	static const char *const kinds[] = {"component", "client", "supervisor", "node", "user"};
	static const char *const states[] = {"valid", "revoked", "expired"};
	const struct sn_certificate_filter filter = {
		.kind = sn_http_query(request, "kind"),
		.identity = sn_http_query(request, "identity"),
		.state = sn_http_query(request, "state"),
	};
	struct sn_hub *hub = ctx;
	struct sn_err err = {0};
	json_t *items;

	if (!check_word(request, "kind", kinds, SN_COUNT(kinds),
			"component, client, supervisor, node or user") ||
	    !check_word(request, "state", states, SN_COUNT(states), "valid, revoked or expired"))
		return;
	items = sn_certificates_list(hub->identity, &filter, sn_hub_now(hub), &err);
	if (items == NULL)
		sn_api_trouble(request, &err);
	else
		sn_api_reply_list(request, items, "serial");
}

static void get_certificate(struct sn_http_request *request, void *ctx)
{
	reply_one(ctx, request, 200, sn_http_param(request, "serial"));
}

/* Issuing ------------------------------------------------------------------------------ */

struct names { /* borrowed from the body */
	const char *list[SN_CERTIFICATE_NAMES_MAX + 1];
	size_t count;
};

/* An item has to be an address, or must not be one. */
static bool fits(const char *item, const char *member)
{
	struct sn_addr addr;
	bool is_addr = sn_addr_parse(sn_str(item), 0, &addr) == 0;

	if (strcmp(member, "ip") == 0)
		return is_addr && sn_addr_port(&addr) == 0;
	return !is_addr;
}

static bool add_names(struct sn_http_request *request, const json_t *body, const char *member,
		      struct names *names)
{
	const json_t *array = json_object_get(body, member), *item;
	size_t i;

	json_array_foreach (array, i, item) {
		const char *text = json_string_value(item);

		if (names->count >= SN_CERTIFICATE_NAMES_MAX) {
			sn_http_problem(request, 422, "invalid",
					"Something in the request is no good",
					"%s: more than %d names", member, SN_CERTIFICATE_NAMES_MAX);
			return false;
		}
		if (!fits(text, member)) {
			sn_http_problem(request, 422, "invalid",
					"Something in the request is no good", "%s: '%.80s' is %s",
					member, text,
					strcmp(member, "ip") == 0 ? "not an address"
								  : "an address (use 'ip')");
			return false;
		}
		names->list[names->count++] = text;
	}
	return true;
}

/* False after an answer. */
static bool read_order(struct sn_hub *hub, struct sn_http_request *request, const json_t *body,
		       struct sn_cert_order *order)
{
	const char *kind = json_string_value(json_object_get(body, "kind"));
	int found = sn_cert_kind_find(kind);

	if (found < 0) {
		sn_api_bad(request, "kind: not component, client or supervisor");
		return false;
	}
	order->kind = (enum sn_cert_kind)found;
	order->domain = hub->config->mplane_domain;
	order->organisation = json_string_value(json_object_get(body, "organisation"));
	order->name = json_string_value(json_object_get(body, "name"));
	order->csr_pem = json_string_value(json_object_get(body, "csr_pem"));
	order->life_ns = hub->config->peer_certificate_life;
	return sn_api_duration(request, body, "life", LIFE_MAX, &order->life_ns);
}

/* Whom a foreign CA vouches for must not be somebody of ours, too. */
static int check_foreign(struct sn_hub *hub, const struct sn_cert_order *order,
			 char identity[SN_PKI_NAME_MAX], struct sn_err *err)
{
	if (sn_certificates_identity(order, identity, err) != 0)
		return err->code;
	if (sn_trust_lists(hub->trust, identity))
		return sn_err_set(err, -EEXIST,
				  "'%s' is a peer of a foreign CA (see 'trust' in the hub's "
				  "configuration)",
				  identity);
	return 0;
}

static void post_certificate(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	struct names hosts = {.count = 0}, uris = {.count = 0};
	struct sn_cert_order order = {.hosts = hosts.list, .uris = uris.list};
	char serial[SN_PKI_SERIAL_SIZE], identity[SN_PKI_NAME_MAX];
	struct sn_err err = {0};

	if (body == NULL || !read_order(hub, request, body, &order) ||
	    !add_names(request, body, "dns", &hosts) || !add_names(request, body, "ip", &hosts) ||
	    !add_names(request, body, "uri", &uris))
		return;
	if (check_foreign(hub, &order, identity, &err) != 0 ||
	    sn_certificates_issue(hub->identity, &order, sn_hub_now(hub), serial, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "certificate.issue", serial, identity);
	reply_one(hub, request, 201, serial);
}

static void post_renew(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *old = sn_http_param(request, "serial");
	char serial[SN_PKI_SERIAL_SIZE];
	int64_t life_ns = 0;
	struct sn_err err = {0};

	if (body == NULL || !sn_api_duration(request, body, "life", LIFE_MAX, &life_ns))
		return;
	if (sn_certificates_renew(hub->identity, old,
				  json_string_value(json_object_get(body, "csr_pem")), life_ns,
				  sn_hub_now(hub), serial, &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "certificate.renew", serial, old);
	reply_one(hub, request, 201, serial);
}

/* Revoking -------------------------------------------------------------------------------- */

struct revoked {
	const char *serial, *issuer;
};

static bool peer_is_revoked(const struct sn_pki_info *peer, void *ctx)
{
	const struct revoked *revoked = ctx;

	return strcmp(peer->serial, revoked->serial) == 0 &&
	       strcmp(peer->issuer, revoked->issuer) == 0;
}

/* Text that people can be shown. */
static bool is_line(const char *text, size_t max)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	}
	return size <= max;
}

static void post_revoke(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *reason = json_string_value(json_object_get(body, "reason"));
	sn_autofree char *serial = sn_xstrdup(sn_http_param(request, "serial"));
	struct revoked revoked = {serial, sn_identity_ca_fingerprint(hub->identity)};
	struct sn_err err = {0};

	if (body == NULL)
		return;
	if (reason != NULL && !is_line(reason, SN_CERTIFICATE_REASON_MAX)) {
		sn_api_bad(request, "reason: not one line of at most 128 bytes");
		return;
	}
	if (sn_certificates_revoke(hub->identity, serial, reason, sn_hub_now(hub), &err) != 0) {
		sn_api_refuse(request, &err, NULL, 0);
		return;
	}
	sn_hub_audit(hub, actor(request), "certificate.revoke", serial, reason);
	sn_api_empty(request);
	sn_http_server_close_peers(hub->server, peer_is_revoked, &revoked);
}

static void get_crl(struct sn_http_request *request, void *ctx)
{
	static const char *const forms[] = {"der", "pem"};
	const char *form = sn_http_query(request, "form");
	struct sn_hub *hub = ctx;
	struct sn_buf pem = {0};
	struct sn_err err = {0};
	struct sn_str der;

	if (!check_word(request, "form", forms, SN_COUNT(forms), "der or pem"))
		return;
	if (sn_crl_get(hub->crl, sn_hub_now(hub), &der, &err) != 0) {
		sn_api_trouble(request, &err);
		return;
	}
	sn_http_set_header(request, "Cache-Control", "no-cache");
	if (form == NULL || strcmp(form, "der") == 0) {
		sn_http_reply(request, 200, "application/pkix-crl", der.p, der.n);
		return;
	}
	sn_pki_crl_to_pem(der.p, der.n, &pem);
	sn_http_reply(request, 200, "application/x-pem-file", pem.p, pem.n);
	sn_buf_finish(&pem);
}

/* Declarations ----------------------------------------------------------------------------- */

static const struct sn_api_field order_fields[] = {
	{"kind", SN_API_TEXT, true, false, "component, client or supervisor"},
	{"organisation", SN_API_TEXT, true, false, "O of the subject, without dots and blanks"},
	{"name", SN_API_TEXT, true, false, "CN of the subject, without dots and blanks"},
	{"csr_pem", SN_API_TEXT, true, false, "certificate signing request (PKCS#10)"},
	{"dns", SN_API_TEXTS, false, false, "further host names"},
	{"ip", SN_API_TEXTS, false, false, "addresses"},
	{"uri", SN_API_TEXTS, false, false, "URIs, none of them a urn:sonde"},
	{"life", SN_API_ANY, false, false, "time like '365d', or seconds; default: as configured"},
};
static const struct sn_api_schema order_schema = {"CertificateRequest",
						  "A certificate of an mPlane peer to be.",
						  order_fields, SN_COUNT(order_fields)};

static const struct sn_api_field renew_fields[] = {
	{"csr_pem", SN_API_TEXT, true, false, "certificate signing request (PKCS#10)"},
	{"life", SN_API_ANY, false, false, "time like '365d', or seconds; default: as before"},
};
static const struct sn_api_schema renew_schema = {"CertificateRenewal",
						  "A new key for the names of a certificate.",
						  renew_fields, SN_COUNT(renew_fields)};

static const struct sn_api_field revoke_fields[] = {
	{"reason", SN_API_TEXT, false, false, "one line for people, at most 128 bytes"},
};
static const struct sn_api_schema revoke_schema = {"CertificateRevocation", "Why.", revoke_fields,
						   SN_COUNT(revoke_fields)};

#define CERTIFICATE_FIELDS                                                                         \
	{"serial", SN_API_TEXT, true, false, "hex"},                                               \
		{"kind", SN_API_TEXT, true, false, "component, client, supervisor, node or user"}, \
		{"identity", SN_API_TEXT, true, false,                                             \
		 "as policies know it: the dotted subject, node:<id> or user:<name>"},             \
		{"subject", SN_API_TEXT, true, true, "of a peer, in certificate order"},           \
		{"uri", SN_API_TEXT, true, true, "urn:sonde of a node or a person"},               \
		{"host", SN_API_TEXT, true, true,                                                  \
		 "DNS name of a peer that follows from the subject"},                              \
		{"hosts", SN_API_TEXTS, true, false, "further DNS names and addresses"},           \
		{"uris", SN_API_TEXTS, true, false, "further URIs"},                               \
		{"fingerprint", SN_API_TEXT, true, false, "SHA-256, hex"},                         \
		{"issued", SN_API_TIME, true, false, "when it was signed"},                        \
		{"expires", SN_API_TIME, true, false, "when it runs out"},                         \
		{"revoked", SN_API_TIME, true, true, "when it was revoked"},                       \
		{"reason", SN_API_TEXT, true, true, "why it was revoked"},                         \
	{                                                                                          \
		"state", SN_API_TEXT, true, false, "valid, revoked or expired"                     \
	}

static const struct sn_api_field listed_fields[] = {CERTIFICATE_FIELDS};
static const struct sn_api_schema listed_schema = {"Certificate",
						   "A certificate this hub has signed.",
						   listed_fields, SN_COUNT(listed_fields)};
static const struct sn_api_field whole_fields[] = {
	CERTIFICATE_FIELDS,
	{"certificate_pem", SN_API_TEXT, true, true, "of a peer; others are not kept"},
	{"ca_pem", SN_API_TEXT, true, false, "the CA that signed it and the hub's own"},
};
static const struct sn_api_schema whole_schema = {"WholeCertificate",
						  "A certificate with its PEM text.", whole_fields,
						  SN_COUNT(whole_fields)};

static const struct sn_api_param list_params[] = {
	{"kind", SN_API_TEXT, "only of this kind", false},
	{"identity", SN_API_TEXT, "only of this identity", false},
	{"state", SN_API_TEXT, "only valid, revoked or expired ones", false},
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
};
static const struct sn_api_param crl_params[] = {
	{"form", SN_API_TEXT, "der (default) or pem", false},
};

static const struct sn_api_doc list_doc = {
	.id = "listCertificates",
	.tag = "certificates",
	.summary = "certificates of nodes, people and mPlane peers, newest first",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.kind = SN_ANSWER_LIST,
	.answer = &listed_schema,
};
static const struct sn_api_doc get_doc = {
	.id = "getCertificate",
	.tag = "certificates",
	.summary = "one certificate",
	.answer = &whole_schema,
};
static const struct sn_api_doc issue_doc = {
	.id = "issueCertificate",
	.tag = "certificates",
	.summary = "a certificate for an mPlane component, client or supervisor",
	.body = &order_schema,
	.status = 201,
	.answer = &whole_schema,
};
static const struct sn_api_doc renew_doc = {
	.id = "renewCertificate",
	.tag = "certificates",
	.summary = "the same names for a new key; the old certificate stays valid till its end",
	.body = &renew_schema,
	.status = 201,
	.answer = &whole_schema,
};
static const struct sn_api_doc revoke_doc = {
	.id = "revokeCertificate",
	.tag = "certificates",
	.summary = "shut out a peer's or a person's certificate at once",
	.body = &revoke_schema,
	.status = 204,
	.kind = SN_ANSWER_EMPTY,
};
static const struct sn_api_doc crl_doc = {
	.id = "getCrl",
	.tag = "certificates",
	.summary = "the CA's revocation list, signed",
	.params = crl_params,
	.param_count = SN_COUNT(crl_params),
	.kind = SN_ANSWER_TEXT,
	.content_type = "application/pkix-crl",
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/certificates", get_certificates, 0, SN_ACCESS_ADMIN, &list_doc},
	{"POST", "/api/v1/certificates", post_certificate, ISSUE_BODY_MAX, SN_ACCESS_ADMIN,
	 &issue_doc},
	{"GET", "/api/v1/certificates/{serial}", get_certificate, 0, SN_ACCESS_ADMIN, &get_doc},
	{"POST", "/api/v1/certificates/{serial}/renew", post_renew, 16384, SN_ACCESS_ADMIN,
	 &renew_doc},
	{"POST", "/api/v1/certificates/{serial}/revoke", post_revoke, 1024, SN_ACCESS_ADMIN,
	 &revoke_doc},
	{"GET", "/api/v1/ca/crl", get_crl, 0, SN_ACCESS_OPEN, &crl_doc},
};
const struct sn_api_routes sn_api_certificates = {routes, SN_COUNT(routes)};
