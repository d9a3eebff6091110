/* SPDX-License-Identifier: Apache-2.0 */
#include "node/component/place.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static bool is_usable(const struct ifaddrs *entry)
{
	const struct sockaddr *sa = entry->ifa_addr;

	if (sa == NULL || (entry->ifa_flags & IFF_LOOPBACK) != 0 ||
	    (entry->ifa_flags & IFF_UP) == 0)
		return false;
	return sa->sa_family == AF_INET ||
	       (sa->sa_family == AF_INET6 &&
		!IN6_IS_ADDR_LINKLOCAL(
			&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr));
}

static char *text_of(struct sn_sources *sources, int family)
{
	return family == AF_INET ? sources->ip4 : sources->ip6;
}

static void put(struct sn_sources *sources, const struct sn_addr *addr)
{
	sn_addr_format(addr, text_of(sources, addr->sa.sa_family), SN_ADDR_TEXT_MAX);
}

void sn_sources_find(struct sn_sources *sources)
{
	struct ifaddrs *list = NULL;

	*sources = (struct sn_sources){0};
	if (getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
		struct sn_addr addr = {0};

		if (!is_usable(entry) || text_of(sources, entry->ifa_addr->sa_family)[0] != '\0')
			continue;
		addr.length =
			entry->ifa_addr->sa_family == AF_INET ? sizeof(addr.in) : sizeof(addr.in6);
		memcpy(&addr.sa, entry->ifa_addr, addr.length);
		put(sources, &addr);
	}
	freeifaddrs(list);
}

int sn_sources_set(struct sn_sources *sources, const char *address, struct sn_err *err)
{
	struct sn_addr addr;

	if (sn_addr_parse(sn_str(address), 0, &addr) != 0 || sn_addr_port(&addr) != 0)
		return sn_err_set(err, -EINVAL, "'%s' is no address", address);
	put(sources, &addr);
	return 0;
}
