/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, and what the texts that people give as targets mean. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mplane/policy_internal.h"

/* Networks ---------------------------------------------------------------------- */

static unsigned width(const struct sn_policy_net *net)
{
	return net->v4 ? 32 : 128;
}

static bool equal_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

/* Clears what is behind the length; true when there was something. */
static bool mask(struct sn_policy_net *net)
{
	uint8_t before[16];

	memcpy(before, net->addr, sizeof(before));
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = net->bits > i * 8 ? SN_MIN(net->bits - i * 8, 8U) : 0;

		net->addr[i] &= (uint8_t)(0xff00 >> kept);
	}
	return memcmp(before, net->addr, sizeof(before)) != 0;
}

static int parse_address(struct sn_str text, struct sn_policy_net *net)
{
	char host[INET6_ADDRSTRLEN];

	*net = (struct sn_policy_net){0};
	if (text.n == 0 || text.n >= sizeof(host) || memchr(text.p, '\0', text.n) != NULL)
		return -EINVAL;
	memcpy(host, text.p, text.n);
	host[text.n] = '\0';
	net->v4 = inet_pton(AF_INET, host, net->addr) == 1;
	if (!net->v4 && inet_pton(AF_INET6, host, net->addr) != 1)
		return -EINVAL;
	net->bits = width(net);
	return 0;
}

/* Also without the length; what is behind it is cleared, `*behind` says whether there was any. */
static int parse_net(struct sn_str text, struct sn_policy_net *net, bool *behind)
{
	const char *slash = memchr(text.p, '/', text.n);
	struct sn_str host = text, length;
	uint64_t bits;

	*behind = false;
	if (slash != NULL)
		host.n = (size_t)(slash - text.p);
	if (parse_address(host, net) != 0)
		return -EINVAL;
	if (slash == NULL)
		return 0;
	length = (struct sn_str){slash + 1, text.n - host.n - 1};
	if (sn_parse_u64(length, 0, width(net), &bits) != 0)
		return -EINVAL;
	net->bits = (unsigned)bits;
	*behind = mask(net);
	return 0;
}

int sn_policy_net_parse(struct sn_str text, struct sn_policy_net *net)
{
	bool behind;
	int error = parse_net(text, net, &behind);

	return error == 0 && behind ? -ERANGE : error;
}

void sn_policy_net_print(const struct sn_policy_net *net, struct sn_buf *out)
{
	char text[INET6_ADDRSTRLEN];

	sn_buf_adds(out, inet_ntop(net->v4 ? AF_INET : AF_INET6, net->addr, text, sizeof(text)));
	if (net->bits < width(net))
		sn_buf_addf(out, "/%u", net->bits);
}

bool sn_policy_net_contains(const struct sn_policy_net *outer, const struct sn_policy_net *inner)
{
	return outer->v4 == inner->v4 && outer->bits <= inner->bits &&
	       equal_bits(outer->addr, inner->addr, outer->bits);
}

bool sn_policy_net_touches(const struct sn_policy_net *a, const struct sn_policy_net *b)
{
	return a->v4 == b->v4 && equal_bits(a->addr, b->addr, SN_MIN(a->bits, b->bits));
}

void sn_policy_nets_add(struct sn_policy_nets *nets, const struct sn_policy_net *net, unsigned line)
{
	if (nets->count == nets->room) {
		nets->room = nets->room > 0 ? 2 * nets->room : 4;
		nets->items = sn_xrealloc(nets->items, nets->room, sizeof(*nets->items));
		nets->lines = sn_xrealloc(nets->lines, nets->room, sizeof(*nets->lines));
	}
	nets->items[nets->count] = *net;
	nets->lines[nets->count++] = line;
}

void sn_policy_nets_finish(struct sn_policy_nets *nets)
{
	free(nets->items);
	free(nets->lines);
	*nets = (struct sn_policy_nets){0};
}

/* Targets ----------------------------------------------------------------------- */

/* Where IPv4 is found inside IPv6: RFC 4291 section 2.5.5.2, RFC 6052 section 2.1, RFC 3056. */
static const struct {
	uint8_t prefix[12];
	unsigned bits;
	bool same; /* not reached through it: it is the same address */
} embeddings[] = {
	{{[10] = 0xff, [11] = 0xff}, 96, true},
	{{0x00, 0x64, 0xff, 0x9b}, 96, false},
	{{0x20, 0x02}, 16, false},
};

/* The IPv4 that `net` is or reaches by embedding `i`. */
static bool embedded(const struct sn_policy_net *net, size_t i, struct sn_policy_net *v4)
{
	struct sn_policy_net prefix = {.bits = embeddings[i].bits};

	memcpy(prefix.addr, embeddings[i].prefix, sizeof(embeddings[i].prefix));
	if (net->v4 || !sn_policy_net_touches(net, &prefix))
		return false;
	*v4 = (struct sn_policy_net){.v4 = true};
	if (net->bits <= prefix.bits)
		return true; /* all of it */
	memcpy(v4->addr, net->addr + prefix.bits / 8, 4);
	v4->bits = SN_MIN(net->bits - prefix.bits, 32U);
	return true;
}

static void add_nets(struct sn_policy_target *target, const struct sn_policy_net *net)
{
	struct sn_policy_net v4;

	target->net[target->net_count++] = *net;
	for (size_t i = 0; i < SN_COUNT(embeddings); i++) {
		if (!embedded(net, i, &v4))
			continue;
		if (embeddings[i].same && net->bits >= embeddings[i].bits)
			target->net[0] = v4;
		else
			target->net[target->net_count++] = v4;
	}
}

static void cut_front(struct sn_str *text, size_t n)
{
	text->p += n;
	text->n -= n;
}

/* "http:" of "http://a", "http:/a" and "http:a", which browsers and libraries take for the same. */
static size_t scheme_size(struct sn_str text)
{
	static const char *const schemes[] = {"http:", "https:", "ftp:", "ws:", "wss:"};
	const char *begin = memmem(text.p, text.n, "://", 3);

	for (size_t i = 0; i < SN_COUNT(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (text.n > n && strncasecmp(text.p, schemes[i], n) == 0)
			return n;
	}
	return begin != NULL ? (size_t)(begin + 1 - text.p) : 0;
}

/* "http://user@host:80/path" -> "host:80". */
static struct sn_str without_url(struct sn_str text)
{
	const char *at;

	cut_front(&text, scheme_size(text));
	while (text.n > 0 && strchr("/\\", text.p[0]) != NULL && text.p[0] != '\0')
		cut_front(&text, 1);
	for (size_t i = 0; i < text.n; i++) {
		if (strchr("/?#", text.p[i]) != NULL) /* a NUL too: it ends every text */
			text.n = i;
	}
	at = memrchr(text.p, '@', text.n);
	if (at != NULL)
		cut_front(&text, (size_t)(at + 1 - text.p));
	return text;
}

/* "[2001:db8::1%eth0]:443" -> "2001:db8::1", "a.example.:80" -> "a.example". */
static struct sn_str host_of(struct sn_str text)
{
	struct sn_str host = text;
	const char *colon = memchr(text.p, ':', text.n), *end;

	if (text.n > 0 && text.p[0] == '[') {
		end = memchr(text.p, ']', text.n);
		host = (struct sn_str){
			text.p + 1, (size_t)((end != NULL ? end : text.p + text.n) - text.p) - 1};
	} else if (colon != NULL &&
		   memchr(colon + 1, ':', text.n - (size_t)(colon + 1 - text.p)) == NULL) {
		host.n = (size_t)(colon - text.p);
	}
	/* A zone; in a name it is something else, which is_clear() finds. */
	end = memchr(host.p, '%', host.n);
	if (end != NULL && memchr(host.p, ':', (size_t)(end - host.p)) != NULL)
		host.n = (size_t)(end - host.p);
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

/* "0x7f.1", "2130706433": resolvers take them for IPv4, so they are. */
static bool parse_old_v4(struct sn_str host, struct sn_policy_net *net)
{
	char text[64];
	struct in_addr addr;

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (strspn(text, "0123456789abcdefxABCDEFX.") != host.n || inet_aton(text, &addr) == 0)
		return false;
	*net = (struct sn_policy_net){.v4 = true, .bits = 32};
	memcpy(net->addr, &addr, sizeof(addr));
	return true;
}

/*
 * Is this a name as far as one can see?  Others may find an address in what is none to us: lists,
 * ranges ("192.0.2.1-9", "192.0.2.*"), escapes, a backslash.  A name's last label has a letter.
 */
static bool is_clear(struct sn_str host)
{
	size_t last = host.n;

	while (last > 0 && host.p[last - 1] != '.')
		last--;
	for (size_t i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];

		if (c < 0x80 && !isalnum(c) && strchr("._:-", c) == NULL)
			return false;
		if (c == '.' && i > 0 && host.p[i - 1] == '.')
			return false;
	}
	for (size_t i = last; i < host.n; i++) {
		if (!isdigit((unsigned char)host.p[i]) && host.p[i] != '-')
			return true;
	}
	return host.n == 0;
}

void sn_policy_target_parse(const char *text, struct sn_policy_target *target)
{
	struct sn_str whole = sn_str_trim(sn_str(text)), host = host_of(without_url(whole));
	struct sn_policy_net net;
	bool behind;

	*target = (struct sn_policy_target){0};
	/* Some end the host there, others what stands before the '@'. */
	target->unclear = memchr(whole.p, '\\', whole.n) != NULL;
	if (parse_net(whole, &net, &behind) == 0 || parse_address(host, &net) == 0 ||
	    parse_old_v4(host, &net)) {
		add_nets(target, &net);
		return;
	}
	target->unclear = target->unclear || !is_clear(host);
	/* What is cut off here can match no name that a policy may have. */
	for (size_t i = 0; i < host.n && i + 1 < sizeof(target->name); i++)
		target->name[i] = (char)tolower((unsigned char)host.p[i]);
}

bool sn_policy_target_is_plain(const char *target)
{
	struct sn_str text = sn_str_trim(sn_str(target)), host = host_of(without_url(text));
	struct sn_policy_net net;
	bool behind;

	return memmem(text.p, text.n, "://", 3) != NULL || parse_net(text, &net, &behind) == 0 ||
	       parse_address(host, &net) == 0;
}

void sn_policy_targets_in(const char *text, sn_policy_target_fn *fn, void *ctx)
{
	static const char between[] = " \t\r\n,;|\"'()<>{}";

	while (*(text += strspn(text, between)) != '\0') {
		size_t n = strcspn(text, between);
		sn_autofree char *piece = sn_xstrndup(text, n);

		fn(piece, ctx);
		text += n;
	}
}

void sn_policy_target_key(const char *target, char out[SN_POLICY_TARGET_MAX])
{
	struct sn_policy_target parsed;
	struct sn_buf text = {0};

	sn_policy_target_parse(target, &parsed);
	if (parsed.net_count > 0)
		sn_policy_net_print(&parsed.net[0], &text);
	else
		sn_buf_adds(&text, parsed.name);
	snprintf(out, SN_POLICY_TARGET_MAX, "%s", sn_buf_cstr(&text));
	sn_buf_finish(&text);
}

bool sn_policy_target_is_loopback(const char *target)
{
	static const struct sn_policy_net v4 = {.v4 = true, .addr = {127}, .bits = 8};
	static const struct sn_policy_net v6 = {.addr = {[15] = 1}, .bits = 128};
	struct sn_policy_target parsed;

	sn_policy_target_parse(target, &parsed);
	if (parsed.net_count == 0)
		return strcmp(parsed.name, "localhost") == 0;
	return sn_policy_net_contains(&v4, &parsed.net[0]) ||
	       sn_policy_net_contains(&v6, &parsed.net[0]);
}
