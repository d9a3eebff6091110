/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static bool is_v6(const struct sn_addr *addr)
{
	return addr->sa.sa_family == AF_INET6;
}

/* "eth0" or "2"; only names of interfaces that exist. */
static int parse_scope(struct sn_str text, uint32_t *scope)
{
	char name[IF_NAMESIZE];
	uint64_t number;

	if (sn_parse_u64(text, 1, UINT32_MAX, &number) == 0) {
		*scope = (uint32_t)number;
		return 0;
	}
	if (text.n == 0 || text.n >= sizeof(name))
		return -EINVAL;
	memcpy(name, text.p, text.n);
	name[text.n] = '\0';
	*scope = if_nametoindex(name);
	return *scope == 0 ? -ENODEV : 0;
}

static int parse_v4(struct sn_str host, struct sn_addr *addr)
{
	char text[INET_ADDRSTRLEN];

	if (host.n >= sizeof(text))
		return -EINVAL;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (strlen(text) != host.n || inet_pton(AF_INET, text, &addr->in.sin_addr) != 1)
		return -EINVAL;
	addr->in.sin_family = AF_INET;
	addr->length = sizeof(addr->in);
	return 0;
}

static int parse_v6(struct sn_str host, struct sn_addr *addr)
{
	struct sn_str scope = host, number;
	char text[INET6_ADDRSTRLEN];
	uint32_t scope_id = 0;
	bool scoped = memchr(host.p, '%', host.n) != NULL;

	sn_str_split(&scope, '%', &number);
	if (number.n >= sizeof(text))
		return -EINVAL;
	memcpy(text, number.p, number.n);
	text[number.n] = '\0';
	if (strlen(text) != number.n || inet_pton(AF_INET6, text, &addr->in6.sin6_addr) != 1)
		return -EINVAL;
	if (scoped) {
		int error = parse_scope(scope, &scope_id);

		if (error != 0)
			return error;
	}
	addr->in6.sin6_family = AF_INET6;
	addr->in6.sin6_scope_id = scope_id;
	addr->length = sizeof(addr->in6);
	return 0;
}

static size_t count_byte(struct sn_str text, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < text.n; i++)
		count += text.p[i] == byte;
	return count;
}

/* Takes "[v6]:port", "[v6]", "v4:port" apart; anything else is a host alone. */
static int split_port(struct sn_str text, struct sn_str *host, struct sn_str *port)
{
	const char *end;

	*host = text;
	*port = (struct sn_str){NULL, 0};
	if (text.n > 0 && text.p[0] == '[') {
		end = memchr(text.p, ']', text.n);
		if (end == NULL)
			return -EINVAL;
		*host = (struct sn_str){text.p + 1, (size_t)(end - text.p) - 1};
		text = (struct sn_str){end + 1, text.n - host->n - 2};
		if (text.n == 0)
			return 0;
		if (text.p[0] != ':')
			return -EINVAL;
		*port = (struct sn_str){text.p + 1, text.n - 1};
		return port->n > 0 ? 0 : -EINVAL;
	}
	if (count_byte(text, ':') == 1) {
		end = memchr(text.p, ':', text.n);
		*host = (struct sn_str){text.p, (size_t)(end - text.p)};
		*port = (struct sn_str){end + 1, text.n - host->n - 1};
		return port->n > 0 ? 0 : -EINVAL;
	}
	return 0;
}

int sn_addr_parse(struct sn_str text, uint16_t default_port, struct sn_addr *addr)
{
	struct sn_str host, port_text;
	uint64_t port = default_port;
	int error;

	memset(addr, 0, sizeof(*addr));
	if (text.n == 0 || text.n >= SN_ADDR_TEXT_MAX)
		return -EINVAL;
	error = split_port(text, &host, &port_text);
	if (error == 0 && port_text.n > 0)
		error = sn_parse_u64(port_text, 0, UINT16_MAX, &port);
	if (error == 0 && host.n == 0)
		error = -EINVAL;
	/* Brackets are for IPv6 only: "[192.0.2.1]" is refused by parse_v6(). */
	if (error == 0)
		error = text.p[0] == '[' || memchr(host.p, ':', host.n) != NULL
				? parse_v6(host, addr)
				: parse_v4(host, addr);
	if (error != 0) {
		memset(addr, 0, sizeof(*addr));
		return error;
	}
	sn_addr_set_port(addr, (uint16_t)port);
	return 0;
}

char *sn_addr_format(const struct sn_addr *addr, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN], name[IF_NAMESIZE];
	uint32_t scope = is_v6(addr) ? addr->in6.sin6_scope_id : 0;

	if (size == 0)
		return out;
	if (addr->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &addr->in.sin_addr, host, sizeof(host));
	else if (is_v6(addr))
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, host, sizeof(host));
	else
		snprintf(host, sizeof(host), "?");
	if (scope == 0)
		snprintf(out, size, "%s", host);
	else if (if_indextoname(scope, name) != NULL)
		snprintf(out, size, "%s%%%s", host, name);
	else
		snprintf(out, size, "%s%%%u", host, scope);
	return out;
}

char *sn_addr_format_port(const struct sn_addr *addr, char *out, size_t size)
{
	char host[SN_ADDR_TEXT_MAX];

	sn_addr_format(addr, host, sizeof(host));
	snprintf(out, size, is_v6(addr) ? "[%s]:%u" : "%s:%u", host, sn_addr_port(addr));
	return out;
}

uint16_t sn_addr_port(const struct sn_addr *addr)
{
	return ntohs(is_v6(addr) ? addr->in6.sin6_port : addr->in.sin_port);
}

void sn_addr_set_port(struct sn_addr *addr, uint16_t port)
{
	if (is_v6(addr))
		addr->in6.sin6_port = htons(port);
	else
		addr->in.sin_port = htons(port);
}

bool sn_addr_is_loopback(const struct sn_addr *addr)
{
	const struct in6_addr *v6 = &addr->in6.sin6_addr;

	if (addr->sa.sa_family == AF_INET)
		return ntohl(addr->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (!is_v6(addr))
		return false;
	return IN6_IS_ADDR_LOOPBACK(v6) ||
	       (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET);
}

bool sn_addr_equal_host(const struct sn_addr *a, const struct sn_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return is_v6(a) &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0 &&
	       a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

/* What getaddrinfo(3) says, as an errno that callers can tell apart. */
static int resolve_errno(int gai_error)
{
	switch (gai_error) {
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_SYSTEM:
		return errno != 0 ? -errno : -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	default:
		return -ENOENT;
	}
}

int sn_addr_resolve(const char *name, int family, uint16_t port, struct sn_addr *addr,
		    struct sn_err *err)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM}, *list = NULL;
	struct sn_str text = sn_str(name);
	int error;

	if (sn_addr_parse(text, port, addr) == 0) {
		if (family == AF_UNSPEC || family == addr->sa.sa_family)
			return 0;
		return sn_err_set(err, -EAFNOSUPPORT, "cannot use '%s': not an IPv%d address", name,
				  family == AF_INET6 ? 6 : 4);
	}
	memset(addr, 0, sizeof(*addr));
	error = getaddrinfo(name, NULL, &hints, &list);
	if (error != 0)
		return sn_err_set(err, resolve_errno(error), "cannot resolve '%s': %s", name,
				  gai_strerror(error));
	memcpy(&addr->in6, list->ai_addr, SN_MIN(list->ai_addrlen, sizeof(addr->in6)));
	addr->length = list->ai_addrlen;
	sn_addr_set_port(addr, port);
	freeaddrinfo(list);
	return 0;
}
