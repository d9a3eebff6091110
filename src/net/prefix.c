/* SPDX-License-Identifier: Apache-2.0 */
#include "net/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

/* One network --------------------------------------------------------------------------- */

static unsigned width(bool v6)
{
	return v6 ? 128 : 32;
}

static bool equal_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

static bool is_clear_behind(const struct sn_prefix *prefix)
{
	for (unsigned i = prefix->bits; i < width(prefix->v6); i++) {
		if ((prefix->addr[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	}
	return true;
}

static bool contains(const struct sn_prefix *outer, const struct sn_prefix *inner)
{
	return outer->bits <= inner->bits && equal_bits(outer->addr, inner->addr, outer->bits);
}

int sn_prefix_parse(struct sn_str text, struct sn_prefix *prefix)
{
	struct sn_str length = text, address;
	char host[INET6_ADDRSTRLEN];
	uint64_t bits;

	*prefix = (struct sn_prefix){0};
	sn_str_split(&length, '/', &address);
	if (address.n == 0 || address.n >= sizeof(host) ||
	    memchr(address.p, '\0', address.n) != NULL)
		return -EINVAL;
	memcpy(host, address.p, address.n);
	host[address.n] = '\0';
	prefix->v6 = inet_pton(AF_INET, host, prefix->addr) != 1;
	if (prefix->v6 && inet_pton(AF_INET6, host, prefix->addr) != 1)
		return -EINVAL;
	prefix->bits = width(prefix->v6);
	if (address.n == text.n)
		return 0;
	if (sn_parse_u64(length, 0, prefix->bits, &bits) != 0)
		return -EINVAL;
	prefix->bits = (unsigned)bits;
	return is_clear_behind(prefix) ? 0 : -ERANGE;
}

char *sn_prefix_format(const struct sn_prefix *prefix, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(prefix->v6 ? AF_INET6 : AF_INET, prefix->addr, host, sizeof(host));
	if (prefix->bits == width(prefix->v6))
		snprintf(out, size, "%s", host);
	else
		snprintf(out, size, "%s/%u", host, prefix->bits);
	return out;
}

/* IPv4 inside IPv6 ------------------------------------------------------------------------ */

static const struct {
	uint8_t head[12];
	unsigned bits;
} embeddings[] = {
	{{[10] = 0xff, [11] = 0xff}, 96}, /* mapped */
	{{0x00, 0x64, 0xff, 0x9b}, 96},   /* NAT64 */
	{{0x20, 0x02}, 16},               /* 6to4 */
};
#define MAPPED 0

/* The IPv4 network that an IPv6 one is inside of embedding `i`. */
static bool embedded(const struct sn_prefix *prefix, size_t i, struct sn_prefix *v4)
{
	unsigned head = embeddings[i].bits;

	if (!prefix->v6 || prefix->bits < head ||
	    !equal_bits(prefix->addr, embeddings[i].head, head))
		return false;
	*v4 = (struct sn_prefix){.bits = SN_MIN(prefix->bits - head, 32U)};
	memcpy(v4->addr, prefix->addr + head / 8, 4);
	return true;
}

/* Sets ---------------------------------------------------------------------------------------- */

/* By address, and of those that begin alike the widest first. */
static int by_address(const void *a, const void *b)
{
	const struct sn_prefix *x = a, *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	return order != 0 ? order : (int)x->bits - (int)y->bits;
}

/* In order, what stands inside another follows it. */
static size_t drop_inner(struct sn_prefix *items, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !contains(&items[kept - 1], &items[i]))
			items[kept++] = items[i];
	}
	return kept;
}

static void put_in_order(struct sn_prefixes *set)
{
	for (int v6 = 0; v6 <= 1; v6++) {
		if (set->counts[v6] == 0)
			continue;
		qsort(set->items[v6], set->counts[v6], sizeof(struct sn_prefix), by_address);
		set->counts[v6] = drop_inner(set->items[v6], set->counts[v6]);
	}
}

struct rooms {
	size_t of[2];
};

static void add(struct sn_prefixes *set, struct rooms *rooms, const struct sn_prefix *prefix)
{
	struct sn_prefix mapped, item = embedded(prefix, MAPPED, &mapped) ? mapped : *prefix;
	int v6 = item.v6;

	if (set->counts[v6] == rooms->of[v6]) {
		rooms->of[v6] = SN_MAX(2 * rooms->of[v6], (size_t)16);
		set->items[v6] =
			sn_xrealloc(set->items[v6], rooms->of[v6], sizeof(struct sn_prefix));
	}
	set->items[v6][set->counts[v6]++] = item;
}

static int parse_line(struct sn_str line, struct sn_prefix *prefix, struct sn_err *err)
{
	int error = sn_prefix_parse(line, prefix), n = (int)SN_MIN(line.n, SN_PREFIX_TEXT_MAX);

	if (error == 0)
		return 0;
	return sn_err_set(err, -EINVAL, "'%.*s' %s", n, line.p,
			  error == -ERANGE ? "has bits set behind its length"
					   : "is no address or network like '192.0.2.0/24'");
}

int sn_prefixes_parse(struct sn_prefixes *set, struct sn_str text, const char *name,
		      struct sn_err *err)
{
	struct rooms rooms = {0};
	struct sn_str line;
	unsigned number = 0;
	size_t count = 0;
	int error = 0;

	while (error == 0 && text.n > 0 && sn_str_split(&text, '\n', &line)) {
		struct sn_prefix prefix;

		number++;
		line = sn_str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		error = count++ < SN_PREFIXES_MAX
				? parse_line(line, &prefix, err)
				: sn_err_set(err, -E2BIG, "more than %d networks", SN_PREFIXES_MAX);
		if (error == 0)
			add(set, &rooms, &prefix);
	}
	if (error != 0) {
		sn_prefixes_finish(set);
		return sn_err_wrap(err, "cannot use '%s', line %u", name, number);
	}
	put_in_order(set);
	return 0;
}

int sn_prefixes_load(struct sn_prefixes *set, const char *path, struct sn_err *err)
{
	struct sn_buf text = {0};
	int error = sn_fs_read(path, SN_PREFIX_FILE_MAX, &text, err);

	if (error == 0)
		error = sn_prefixes_parse(set, sn_buf_str(&text), path, err);
	sn_buf_finish(&text);
	return error;
}

void sn_prefixes_finish(struct sn_prefixes *set)
{
	free(set->items[0]);
	free(set->items[1]);
	*set = (struct sn_prefixes){0};
}

/* None is inside another: only the last one that begins at or before the address may hold it. */
static const struct sn_prefix *find(const struct sn_prefixes *set, const struct sn_prefix *host)
{
	const struct sn_prefix *items = set->items[host->v6];
	size_t low = 0, high = set->counts[host->v6];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(items[middle].addr, host->addr, sizeof(host->addr)) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && contains(&items[low - 1], host) ? &items[low - 1] : NULL;
}

const struct sn_prefix *sn_prefixes_find(const struct sn_prefixes *set, const struct sn_addr *addr)
{
	struct sn_prefix host = {.v6 = addr->sa.sa_family == AF_INET6}, v4;
	const struct sn_prefix *found;

	host.bits = width(host.v6);
	if (host.v6)
		memcpy(host.addr, &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
	else
		memcpy(host.addr, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
	found = find(set, &host);
	for (size_t i = 0; found == NULL && i < SN_COUNT(embeddings); i++) {
		if (embedded(&host, i, &v4))
			found = find(set, &v4);
	}
	return found;
}
