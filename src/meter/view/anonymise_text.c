/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/util.h"
#include "meter/view/anonymise_internal.h"

static void put(struct sn_buf *out, struct sn_str text)
{
	sn_buf_add(out, text.p, text.n);
}

static struct sn_str part(struct sn_str text, size_t begin, size_t end)
{
	return (struct sn_str){text.p + begin, end - begin};
}

/* The first of `bytes` from there on, or the end. */
static size_t find(struct sn_str text, size_t from, const char *bytes)
{
	size_t count = strlen(bytes);

	while (from < text.n && memchr(bytes, text.p[from], count) == NULL)
		from++;
	return from;
}

/* What is left of `whole` is `kept`: tell it, without the addresses inside. */
static bool tell_rest(struct sn_anonymiser *an, struct sn_str whole, struct sn_str kept,
		      struct sn_buf *out)
{
	if (sn_anonymise_mentions(an, kept, out))
		return true;
	if (kept.n == whole.n)
		return false;
	put(out, kept);
	return true;
}

/* Names --------------------------------------------------------------------------------- */

static enum sn_privacy_mode name_mode(const struct sn_anonymiser *an, bool of_flow)
{
	enum sn_privacy_mode mode = sn_anonymiser_field(an, SN_FIELD_NAME)->mode;

	return mode == SN_PRIVACY_KEEP && of_flow && an->policy->tstat_names ? SN_PRIVACY_CRYPTOPAN
									     : mode;
}

static bool has_final_dot(struct sn_str name)
{
	return name.n > 0 && name.p[name.n - 1] == '.';
}

/* Names that DNS holds for the same get the same word. */
static void hash_name(struct sn_anonymiser *an, struct sn_str name, struct sn_buf *out)
{
	size_t length = name.n - has_final_dot(name);

	sn_buf_clear(&an->scratch);
	for (size_t i = 0; i < length; i++) {
		char c = name.p[i];

		sn_buf_addc(&an->scratch, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
	}
	sn_anonymise_hash(an, sn_buf_str(&an->scratch), out);
	if (has_final_dot(name))
		sn_buf_addc(out, '.');
}

static struct sn_str last_labels(struct sn_str name, unsigned count)
{
	size_t at = name.n - has_final_dot(name);

	if (count == 0)
		return (struct sn_str){name.p, 0};
	while (at > 0 && (name.p[at - 1] != '.' || --count > 0))
		at--;
	return part(name, at, name.n);
}

/* An address where a name should be: it is the server's; dropped, nothing is left of it. */
static bool tell_address(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out,
			 bool *is_address)
{
	uint8_t ip[16], told[16], family = sn_anonymise_parse(text, ip);
	char word[SN_VIEW_ADDRESS_MAX];
	enum sn_privacy_mode mode;

	*is_address = family != 0;
	if (family == 0)
		return false;
	mode = sn_anonymise_literal(an, SN_ROLE_SERVER, ip, family, told);
	if (mode != SN_PRIVACY_KEEP && mode != SN_PRIVACY_DROP)
		sn_buf_add(out, word, sn_view_address_text(told, family, word));
	return mode != SN_PRIVACY_KEEP;
}

static bool tell_name(struct sn_anonymiser *an, struct sn_str name, struct sn_buf *out)
{
	const struct sn_privacy_rule *rule = sn_anonymiser_field(an, SN_FIELD_NAME);
	struct sn_str kept = name;
	bool is_address;

	if (rule->mode == SN_PRIVACY_KEEP && !an->policy->hides_addresses)
		return false;
	if (tell_address(an, name, out, &is_address))
		return true;
	if (rule->mode == SN_PRIVACY_TRUNCATE && !is_address)
		kept = last_labels(name, rule->kept[0]);
	if (sn_anonymise_reverse(an, kept, out))
		return true;
	return tell_rest(an, name, kept, out);
}

bool sn_anonymise_name(struct sn_anonymiser *an, struct sn_str name, bool of_flow,
		       struct sn_buf *out)
{
	if (name.n == 0)
		return false;
	switch (name_mode(an, of_flow)) {
	case SN_PRIVACY_DROP:
		return true;
	case SN_PRIVACY_HASH:
		hash_name(an, name, out);
		return true;
	case SN_PRIVACY_CRYPTOPAN:
		sn_anonymise_encrypt(an, name, out);
		return true;
	default:
		return tell_name(an, name, out);
	}
}

/* ":8080", "]:8080", "]" or nothing. */
static bool is_port(struct sn_str text)
{
	size_t at = text.n > 0 && text.p[0] == ']';

	if (at < text.n && text.p[at] == ':')
		at++;
	while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9')
		at++;
	return at == text.n;
}

/* The name or address without brackets and port; all of it if what follows is no port. */
static struct sn_str host_of(struct sn_str host)
{
	bool bracket = host.n > 0 && host.p[0] == '[';
	size_t end = find(host, bracket, bracket ? "]" : ":");

	/* With two colons and no brackets it is no port either, but an address of IPv6. */
	return is_port(part(host, end, host.n)) ? part(host, bracket, end) : host;
}

bool sn_anonymise_host(struct sn_anonymiser *an, struct sn_str host, bool of_flow,
		       struct sn_buf *out)
{
	struct sn_str inner;
	size_t begin, start = out->n;

	host = sn_str_trim(host);
	inner = host_of(host);
	begin = (size_t)(inner.p - host.p);
	/* Tstat encrypts the whole of the header. */
	if (inner.n == 0 || inner.n == host.n || name_mode(an, of_flow) == SN_PRIVACY_CRYPTOPAN)
		return sn_anonymise_name(an, host, of_flow, out);
	put(out, part(host, 0, begin));
	if (!sn_anonymise_name(an, inner, of_flow, out)) {
		out->n = start;
		return false;
	}
	if (out->n == start + begin)
		out->n = start;
	else
		put(out, part(host, begin + inner.n, host.n));
	return true;
}

/* URLs ---------------------------------------------------------------------------------- */

/* "http"; stricter than RFC 3986 section 3.1, so that nothing can hide in it. */
static bool is_scheme(struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (((text.p[i] | 32) < 'a' || (text.p[i] | 32) > 'z') && text.p[i] != '+')
			return false;
	}
	return text.n > 0;
}

/* Where the host of a URL begins and ends; both 0 if it has none. */
static void find_host(struct sn_str url, size_t *begin, size_t *end)
{
	size_t mark = find(url, 0, ":/?#");

	*begin = *end = 0;
	if (mark + 2 < url.n && memcmp(url.p + mark, "://", 3) == 0 &&
	    is_scheme(part(url, 0, mark)))
		*begin = mark + 3;
	else if (sn_str_has_prefix(url, "//"))
		*begin = 2;
	else if (mark == url.n || url.p[mark] != ':' || find(url, mark, "/?#") < url.n)
		return; /* a path; else "host:443", as CONNECT asks for it */
	*end = find(url, *begin, "/?#");
	for (size_t i = *begin; i < *end; i++) {
		if (url.p[i] == '@')
			*begin = i + 1;
	}
}

/* Behind the first `count` segments of a path. */
static size_t segments_end(struct sn_str path, unsigned count)
{
	size_t end = find(path, 0, "?#"), at = 0;

	while (at < end && count-- > 0)
		at = find(path, at + 1, "/?#");
	return at;
}

static void tell_path(struct sn_anonymiser *an, struct sn_str path, struct sn_buf *out)
{
	const struct sn_privacy_rule *rule = sn_anonymiser_field(an, SN_FIELD_URL);
	struct sn_str kept = path;

	if (rule->mode == SN_PRIVACY_TRUNCATE) {
		kept.n = segments_end(path, rule->kept[0]);
		if (kept.n == 0)
			kept = SN_STR("/");
	}
	if (!sn_anonymise_mentions(an, kept, out))
		put(out, kept);
}

static bool tell_url(struct sn_anonymiser *an, struct sn_str url, struct sn_buf *out)
{
	size_t begin, end, scheme;
	struct sn_str host;

	if (sn_anonymiser_field(an, SN_FIELD_URL)->mode == SN_PRIVACY_KEEP &&
	    sn_anonymiser_field(an, SN_FIELD_NAME)->mode == SN_PRIVACY_KEEP &&
	    !an->policy->hides_addresses)
		return false;
	find_host(url, &begin, &end);
	host = part(url, begin, end);
	/* Name and password in front of the host are nobody's business. */
	scheme = find(url, 0, "/");
	if (end > 0 && scheme < begin)
		put(out, part(url, 0, scheme + 2));
	if (!sn_anonymise_host(an, host, false, out))
		put(out, host);
	if (end == 0 || end < url.n)
		tell_path(an, part(url, end, url.n), out);
	return true;
}

bool sn_anonymise_url(struct sn_anonymiser *an, struct sn_str url, struct sn_buf *out)
{
	url = sn_str_trim(url);
	if (url.n == 0)
		return false;
	switch (sn_anonymiser_field(an, SN_FIELD_URL)->mode) {
	case SN_PRIVACY_DROP:
		return true;
	case SN_PRIVACY_HASH:
		sn_anonymise_hash(an, url, out);
		return true;
	default:
		return tell_url(an, url, out);
	}
}

/* Others -------------------------------------------------------------------------------- */

bool sn_anonymise_cookie(struct sn_anonymiser *an, struct sn_str cookie, struct sn_buf *out)
{
	cookie = sn_str_trim(cookie);
	switch (sn_anonymiser_field(an, SN_FIELD_COOKIE)->mode) {
	case SN_PRIVACY_DROP:
		return cookie.n > 0;
	case SN_PRIVACY_HASH:
		if (cookie.n > 0)
			sn_anonymise_hash(an, cookie, out);
		return cookie.n > 0;
	default:
		return sn_anonymise_mentions(an, cookie, out);
	}
}

static struct sn_str first_words(struct sn_str text, unsigned count)
{
	size_t at = 0;

	while (at < text.n && count-- > 0)
		at = find(text, at + (at > 0), " ");
	return part(text, 0, at);
}

bool sn_anonymise_agent(struct sn_anonymiser *an, struct sn_str agent, bool of_flow,
			struct sn_buf *out)
{
	const struct sn_privacy_rule *rule = sn_anonymiser_field(an, SN_FIELD_AGENT);
	struct sn_str kept;

	agent = sn_str_trim(agent);
	if (agent.n == 0)
		return false;
	switch (rule->mode) {
	case SN_PRIVACY_DROP:
		return true;
	case SN_PRIVACY_HASH:
		sn_anonymise_hash(an, agent, out);
		return true;
	case SN_PRIVACY_TRUNCATE:
		kept = first_words(agent, rule->kept[0]);
		if (sn_anonymise_comment(an, kept, out))
			return true;
		if (kept.n < agent.n)
			put(out, kept);
		return kept.n < agent.n;
	default:
		if (!of_flow || !an->policy->tstat_names)
			return sn_anonymise_comment(an, agent, out);
		sn_anonymise_encrypt(an, agent, out);
		return true;
	}
}

bool sn_anonymise_field(struct sn_anonymiser *an, struct sn_str text, struct sn_buf *out)
{
	return sn_anonymise_comment(an, text, out);
}

bool sn_anonymise_id(struct sn_anonymiser *an, struct sn_str id, struct sn_buf *out)
{
	switch (sn_anonymiser_field(an, SN_FIELD_URL)->mode) {
	case SN_PRIVACY_KEEP:
		return sn_anonymise_mentions(an, id, out);
	case SN_PRIVACY_HASH:
		sn_anonymise_hash(an, id, out);
		return true;
	default:
		return true;
	}
}
