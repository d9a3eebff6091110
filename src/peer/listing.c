/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/listing.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "mplane/json_scan.h"

/* Links in HTML ------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void skip_blanks(struct sn_str *rest)
{
	while (rest->n > 0 && is_blank(rest->p[0])) {
		rest->p++;
		rest->n--;
	}
}

static void drop(struct sn_str *rest, size_t count)
{
	rest->p += count;
	rest->n -= count;
}

static size_t until(struct sn_str text, const char *stops)
{
	size_t n = 0;

	while (n < text.n && strchr(stops, text.p[n] != '\0' ? text.p[n] : ' ') == NULL)
		n++;
	return n;
}

/* Value of an attribute, quoted or bare; `rest` stands behind the '='. */
static struct sn_str take_value(struct sn_str *rest)
{
	struct sn_str value;
	char quote = '\0';

	skip_blanks(rest);
	if (rest->n > 0 && (rest->p[0] == '"' || rest->p[0] == '\'')) {
		quote = rest->p[0];
		drop(rest, 1);
	}
	value.p = rest->p;
	value.n = until(*rest, quote == '"' ? "\"" : quote == '\'' ? "'" : " \t\r\n\f>");
	drop(rest, value.n);
	if (quote != '\0' && rest->n > 0)
		drop(rest, 1);
	return value;
}

/* One attribute of a tag; false at the end of the tag, which is left in `rest`. */
static bool take_attribute(struct sn_str *rest, struct sn_str *name, struct sn_str *value)
{
	*value = (struct sn_str){NULL, 0};
	while (rest->n > 0 && (is_blank(rest->p[0]) || rest->p[0] == '/'))
		drop(rest, 1);
	if (rest->n == 0 || rest->p[0] == '>')
		return false;
	name->p = rest->p;
	/* A '=' in front is part of the name, so that there is always progress. */
	name->n = 1 + until((struct sn_str){rest->p + 1, rest->n - 1}, " \t\r\n\f/>=");
	drop(rest, name->n);
	skip_blanks(rest);
	if (rest->n > 0 && rest->p[0] == '=') {
		drop(rest, 1);
		*value = take_value(rest);
	}
	return true;
}

/* Code point of a character reference, 0 if it is none that URLs need. */
static unsigned long reference(struct sn_str name)
{
	static const struct {
		const char *name;
		char character;
	} known[] = {{"amp", '&'}, {"quot", '"'}, {"apos", '\''}, {"lt", '<'}, {"gt", '>'}};
	char digits[8] = "";
	unsigned long code;
	char *end;

	for (size_t i = 0; i < SN_COUNT(known); i++) {
		if (sn_str_eqc(name, known[i].name))
			return (unsigned char)known[i].character;
	}
	if (name.n < 2 || name.n > sizeof(digits) || name.p[0] != '#')
		return 0;
	memcpy(digits, name.p + 1, name.n - 1);
	code = digits[0] == 'x' || digits[0] == 'X' ? strtoul(digits + 1, &end, 16)
						    : strtoul(digits, &end, 10);
	/* Links are ASCII; whatever is not was written as it is. */
	return *end == '\0' && code < 0x80 ? code : 0;
}

/* Into `out`, NUL-terminated; false if it does not fit or holds what no link holds. */
static bool decode_link(struct sn_str text, char out[SN_PEER_LINK_MAX + 1], size_t *size)
{
	size_t n = 0;

	text = sn_str_trim(text);
	while (text.n > 0) {
		char c = text.p[0];
		size_t used = 1;

		if (c == '&') {
			struct sn_str name = {text.p + 1, text.n - 1};
			unsigned long code;

			name.n = until((struct sn_str){name.p, SN_MIN(name.n, (size_t)10)}, "; &");
			code = name.n + 1 < text.n && text.p[name.n + 1] == ';' ? reference(name)
										: 0;
			if (code != 0) {
				c = (char)code;
				used = name.n + 2;
			}
		}
		if ((unsigned char)c <= ' ' || c == 0x7f || n == SN_PEER_LINK_MAX)
			return false;
		out[n++] = c;
		drop(&text, used);
	}
	out[n] = '\0';
	*size = n;
	return n > 0;
}

static bool take_anchor(struct sn_str *rest, sn_peer_link_fn *fn, void *ctx)
{
	char link[SN_PEER_LINK_MAX + 1];
	struct sn_str name, value;
	bool found = false;
	size_t size;

	while (take_attribute(rest, &name, &value)) {
		if (found || name.n != 4 || strncasecmp(name.p, "href", 4) != 0 ||
		    !decode_link(value, link, &size))
			continue;
		found = true;
		fn((struct sn_str){link, size}, ctx);
	}
	return found;
}

static bool starts_with(struct sn_str text, const char *word)
{
	size_t size = strlen(word);

	return text.n >= size && strncasecmp(text.p, word, size) == 0;
}

/* Behind `end`, or at the end of the text. */
static void skip_past(struct sn_str *rest, const char *end)
{
	const char *found = memmem(rest->p, rest->n, end, strlen(end));

	drop(rest, found != NULL ? (size_t)(found - rest->p) + strlen(end) : rest->n);
}

void sn_peer_links(struct sn_str html, size_t limit, sn_peer_link_fn *fn, void *ctx)
{
	struct sn_str rest = {html.p, SN_MIN(html.n, (size_t)SN_PEER_HTML_MAX)};

	while (limit > 0 && rest.n > 0) {
		drop(&rest, until(rest, "<"));
		if (rest.n < 3)
			return;
		if (starts_with(rest, "<!--")) {
			skip_past(&rest, "-->");
			continue;
		}
		drop(&rest, 1);
		if (!starts_with(rest, "a") || !is_blank(rest.p[1]))
			continue;
		drop(&rest, 1);
		if (take_anchor(&rest, fn, ctx))
			limit--;
	}
}

/* URLs ---------------------------------------------------------------------------- */

void sn_peer_link_plain(const char *link, struct sn_buf *out)
{
	sn_buf_adds(out, strncasecmp(link, "mplane-http", 11) == 0 ? link + 7 : link);
}

static bool part_equal(CURLU *a, CURLU *b, CURLUPart part)
{
	char *one = NULL, *other = NULL;
	bool equal;

	equal = curl_url_get(a, part, &one, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		curl_url_get(b, part, &other, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		strcasecmp(one, other) == 0;
	curl_free(one);
	curl_free(other);
	return equal;
}

static bool same_origin(CURLU *a, CURLU *b)
{
	return part_equal(a, b, CURLUPART_SCHEME) && part_equal(a, b, CURLUPART_HOST) &&
	       part_equal(a, b, CURLUPART_PORT);
}

static bool is_http(CURLU *url)
{
	char *scheme = NULL;
	bool is;

	is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	     (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	return is;
}

static int resolve(const char *base, const char *link, bool stay, struct sn_buf *out)
{
	CURLU *from = curl_url(), *to = curl_url();
	struct sn_buf plain = {0};
	char *text = NULL;
	int rc = -EINVAL;

	sn_peer_link_plain(link, &plain);
	if (plain.n <= SN_PEER_LINK_MAX &&
	    curl_url_set(from, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_URL, sn_buf_cstr(&plain), 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK && is_http(to) &&
	    curl_url_get(to, CURLUPART_URL, &text, 0) == CURLUE_OK) {
		rc = stay && !same_origin(from, to) ? -EXDEV : 0;
		if (rc == 0)
			sn_buf_adds(out, text);
	}
	curl_free(text);
	curl_url_cleanup(from);
	curl_url_cleanup(to);
	sn_buf_finish(&plain);
	return rc;
}

int sn_peer_link_resolve(const char *base, const char *link, struct sn_buf *out)
{
	return resolve(base, link, true, out);
}

int sn_peer_link_absolute(const char *base, const char *link, struct sn_buf *out)
{
	return resolve(base, link, false, out);
}

/* JSON ---------------------------------------------------------------------------- */

/* Moves `message`, or what is in it if it is an envelope, behind the others of `list`. */
static void add_flat(struct sn_mp_message *list, struct sn_mp_message *message)
{
	list->natives |= message->natives;
	if (message->kind != SN_MP_ENVELOPE) {
		if (list->content_count < SN_MP_CONTENTS_MAX)
			sn_mp_add_content(list, message);
		else
			sn_mp_message_destroy(message);
		return;
	}
	for (size_t i = 0; i < message->content_count; i++)
		add_flat(list, message->contents[i]);
	message->content_count = 0;
	sn_mp_message_destroy(message);
}

static void add_named(const char *name SN_UNUSED, struct sn_mp_message *message, void *ctx)
{
	add_flat(ctx, message);
}

/* Dialect B: an object whose keys are names of peers and no kind of message. */
static bool is_named(struct sn_str text)
{
	const char *root, *key, *value;
	struct sn_buf scratch = {0};
	struct sn_js_walk walk;
	bool named = true;

	if (text.n > SN_MP_BYTES_MAX || sn_js_check(text, SN_MP_DEPTH_MAX, NULL) != 0)
		return false;
	root = sn_js_root(text);
	if (sn_js_type(root) != SN_JS_OBJECT)
		return false;
	walk = sn_js_inside(root);
	while (named && sn_js_next(&walk, &key, &value)) {
		struct sn_str name = sn_js_string(key, &scratch);

		for (unsigned kind = 0; kind < SN_MP_KINDS; kind++)
			named &= !sn_str_eqc(name, sn_mp_kind_name((enum sn_mp_kind)kind));
	}
	sn_buf_finish(&scratch);
	return named;
}

struct sn_mp_message *sn_peer_listing_read(const struct sn_mp_registries *registries,
					   const void *json, size_t size, struct sn_buf *skipped,
					   struct sn_err *err)
{
	struct sn_mp_message *list = sn_mp_message_create(SN_MP_ENVELOPE, "message");
	struct sn_mp_message *message;

	if (is_named((struct sn_str){json, size})) {
		if (sn_mp_decode_named(registries, json, size, 0, add_named, list, skipped, err) ==
		    0)
			return list;
		sn_mp_message_destroy(list);
		return NULL;
	}
	message = sn_mp_decode(registries, json, size, 0, skipped, err);
	if (message == NULL) {
		sn_mp_message_destroy(list);
		return NULL;
	}
	add_flat(list, message);
	return list;
}
