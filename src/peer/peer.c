/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/http_client.h"

#define HTML_TYPE "text/html" /* exactly: the reference implementation refuses parameters */

/* Names --------------------------------------------------------------------------- */

static void SN_PRINTF(2, 3) add_name(struct sn_peer_names *names, const char *format, ...)
{
	char *slot = names->text[names->count];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(slot, sizeof(names->text[0]), format, args);
	va_end(args);
	/* Half a name could be another's. */
	if (size > 0 && (size_t)size < sizeof(names->text[0]))
		names->list[names->count++] = slot;
}

static void add_ours(struct sn_peer_names *names, const char *uri)
{
	static const char prefix[] = "urn:sonde:";
	static const char *const kinds[] = {"user:", "node:", "hub:"};
	const char *name = uri + strlen(prefix);

	if (strncmp(uri, prefix, strlen(prefix)) != 0)
		return;
	for (size_t i = 0; i < SN_COUNT(kinds); i++) {
		size_t size = strlen(kinds[i]);

		if (strncmp(name, kinds[i], size) == 0 && name[size] != '\0')
			add_name(names, "%s", name);
	}
}

/*
 * Names with a colon ("user:x", "account:admin", "dns:x") are ours to give: neither a header nor
 * the subject of a certificate may look like one.
 */
static bool may_be_claimed(const char *identity)
{
	return strchr(identity, ':') == NULL;
}

static bool may_be_forged(const char *identity)
{
	if (!may_be_claimed(identity))
		return false;
	for (const char *c = identity; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			return false;
	}
	return strlen(identity) < SN_PKI_NAME_MAX;
}

void sn_peer_names_of(const struct sn_http_request *request, struct sn_peer_names *names)
{
	const struct sn_pki_info *peer = sn_http_peer(request);
	const char *forged = sn_http_header(request, SN_PEER_IDENTITY_HEADER);

	memset(names, 0, sizeof(*names));
	if (peer != NULL) {
		add_ours(names, peer->uri);
		if (peer->dotted[0] != '\0' && may_be_claimed(peer->dotted))
			add_name(names, "%s", peer->dotted);
		if (peer->dns[0] != '\0')
			add_name(names, "dns:%s", peer->dns);
	} else if (!sn_http_is_tls(request)) {
		if (forged != NULL && forged[0] != '\0' && may_be_forged(forged))
			add_name(names, "%s", forged);
		else
			add_name(names, "%s", SN_PEER_UNAUTHENTICATED);
	}
}

/* Messages ------------------------------------------------------------------------ */

/* application/x-mplane+json, application/json, text/json; with or without parameters. */
static bool is_json(const char *type)
{
	struct sn_str text = sn_str(type), name;

	sn_str_split(&text, ';', &name);
	name = sn_str_trim(name);
	return name.n >= 4 && strncasecmp(name.p + name.n - 4, "json", 4) == 0;
}

bool sn_peer_sends_json(struct sn_http_request *request)
{
	const char *type = sn_http_header(request, "Content-Type");

	if (type != NULL && is_json(type))
		return true;
	sn_http_problem(request, 415, "not-json", "The body is not declared as JSON",
			"send it with 'Content-Type: %s'", SN_MP_MEDIA_TYPE);
	return false;
}

static void answer_with(struct sn_http_request *request, unsigned status,
			const struct sn_mp_message *message, int write_flags)
{
	struct sn_buf out = {0};

	sn_mp_encode(message, write_flags, &out);
	sn_http_reply(request, status, SN_MP_MEDIA_TYPE, out.p, out.n);
	sn_buf_finish(&out);
}

void sn_peer_answer(struct sn_http_request *request, const struct sn_mp_message *message,
		    int write_flags)
{
	answer_with(request, 200, message, write_flags);
}

void sn_peer_refuse(struct sn_http_request *request, const char *token, const char *format, ...)
{
	sn_automp struct sn_mp_message *exception = NULL;
	char text[SN_ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	exception = sn_mp_exception(token, "%s", text);
	answer_with(request, 200, exception, SN_MP_WRITE_SAFE);
}

struct sn_mp_message *sn_peer_read(struct sn_http_request *request,
				   const struct sn_mp_registries *registries,
				   struct sn_buf *skipped)
{
	struct sn_str body = sn_http_body(request);
	sn_automp struct sn_mp_message *exception = NULL;
	struct sn_mp_message *message;
	struct sn_err err = {0};

	if (!sn_peer_sends_json(request))
		return NULL;
	message = sn_mp_decode(registries, body.p, body.n, 0, skipped, &err);
	if (message == NULL) {
		exception = sn_mp_exception(NULL, "%s", err.text);
		answer_with(request, 400, exception, SN_MP_WRITE_SAFE);
	}
	return message;
}

/* Listings ------------------------------------------------------------------------ */

bool sn_peer_wants_messages(const struct sn_http_request *request)
{
	const char *accept = sn_http_header(request, "Accept");

	return accept != NULL && strcasestr(accept, SN_MP_MEDIA_TYPE) != NULL;
}

static void add_escaped(struct sn_buf *out, struct sn_str text)
{
	static const char *const escapes[] = {
		['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
	};

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < SN_COUNT(escapes) && escapes[c] != NULL)
			sn_buf_adds(out, escapes[c]);
		else
			sn_buf_addc(out, (char)c);
	}
}

static void add_link(struct sn_buf *page, const char *token)
{
	sn_buf_adds(page, "<a href='" SN_PEER_PATH_CAPABILITY "/");
	sn_url_encode(page, sn_str(token));
	sn_buf_adds(page, "'>");
	add_escaped(page, sn_str(token));
	sn_buf_adds(page, "</a><br/>\n");
}

static void add_in_full(struct sn_buf *page, const struct sn_mp_message *capability)
{
	struct sn_buf text = {0};

	sn_mp_encode(capability, SN_MP_INDENT | SN_MP_WRITE_SAFE, &text);
	sn_buf_adds(page, "<h2>");
	add_escaped(page, sn_str(capability->label));
	sn_buf_adds(page, "</h2>\n<pre>");
	add_escaped(page, sn_buf_str(&text));
	sn_buf_adds(page, "</pre>\n");
	sn_buf_finish(&text);
}

void sn_peer_answer_listing(struct sn_http_request *request,
			    const struct sn_mp_message *const *capabilities, size_t count,
			    bool in_full)
{
	struct sn_buf page = {0};

	sn_buf_adds(&page, "<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>"
			   "Capabilities</title></head><body>\n");
	if (in_full)
		sn_buf_adds(&page, "<p><a href='" SN_PEER_PATH_CAPABILITY
				   "'>capabilities one by one</a></p>\n");
	for (size_t i = 0; i < count; i++) {
		if (in_full)
			add_in_full(&page, capabilities[i]);
		else if (capabilities[i]->token != NULL && capabilities[i]->token[0] != '\0')
			add_link(&page, capabilities[i]->token);
	}
	sn_buf_adds(&page, "</body></html>\n");
	sn_http_reply(request, 200, HTML_TYPE, page.p, page.n);
	sn_buf_finish(&page);
}
