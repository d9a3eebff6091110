/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/world/world.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"

const struct sn_world_host sn_world_hosts[] = {
	{"node-1", SN_WORLD_NODE, "Berlin", 52.520, 13.405},
	{"node-2", SN_WORLD_NODE, "Madrid", 40.417, -3.704},
	{"node-3", SN_WORLD_NODE, "New York", 40.713, -74.006},
	{"node-4", SN_WORLD_NODE, "S\u00e3o Paulo", -23.551, -46.633},
	{"access-1", SN_WORLD_ROUTER, NULL, 0, 0},
	{"access-2", SN_WORLD_ROUTER, NULL, 0, 0},
	{"transit-1", SN_WORLD_ROUTER, NULL, 0, 0},
	{"transit-2", SN_WORLD_ROUTER, NULL, 0, 0},
	{"content", SN_WORLD_CONTENT, NULL, 0, 0},
	{"resolver", SN_WORLD_RESOLVER, NULL, 0, 0},
	{"hub", SN_WORLD_HUB, NULL, 0, 0},
};
const size_t sn_world_host_count = SN_COUNT(sn_world_hosts);

/*
 * node-1 and node-3 have clean lines, so that what crosses them can be compared
 * packet by packet; node-2 and node-4 have what radio links have.
 */
const struct sn_world_link sn_world_links[] = {
	{"node-1",
	 {"node-1", "op0", "192.0.2.2/30", "2001:db8:1:1::2/64"},
	 {"access-1", "cust1", "192.0.2.1/30", "2001:db8:1:1::1/64"},
	 .leaf = true,
	 .shape = "delay=4ms,ab.rate=20Mbit,ba.rate=50Mbit"},
	{"node-2",
	 {"node-2", "op0", "192.0.2.6/30", "2001:db8:1:2::2/64"},
	 {"access-1", "cust2", "192.0.2.5/30", "2001:db8:1:2::1/64"},
	 .leaf = true,
	 .shape = "delay=11ms,jitter=1ms,loss=0.2%,ab.rate=10Mbit,ba.rate=30Mbit"},
	{"node-3",
	 {"node-3", "op0", "198.51.100.2/30", "2001:db8:2:1::2/64"},
	 {"access-2", "cust1", "198.51.100.1/30", "2001:db8:2:1::1/64"},
	 .leaf = true,
	 .shape = "delay=2ms,rate=100Mbit"},
	{"node-4",
	 {"node-4", "op0", "198.51.100.6/30", "2001:db8:2:2::2/64"},
	 {"access-2", "cust2", "198.51.100.5/30", "2001:db8:2:2::1/64"},
	 .leaf = true,
	 .shape = "delay=15ms,jitter=2ms,loss=0.5%,burst=2,ab.rate=5Mbit,ba.rate=20Mbit"},
	{"access-1",
	 {"access-1", "up0", "192.0.2.254/30", "2001:db8:1:ff::2/64"},
	 {"transit-1", "acc0", "192.0.2.253/30", "2001:db8:1:ff::1/64"},
	 .shape = "delay=3ms,rate=200Mbit"},
	{"access-2",
	 {"access-2", "up0", "198.51.100.254/30", "2001:db8:2:ff::2/64"},
	 {"transit-2", "acc0", "198.51.100.253/30", "2001:db8:2:ff::1/64"},
	 .shape = "delay=5ms,rate=200Mbit"},
	{"transit",
	 {"transit-1", "core0", "203.0.113.1/30", "2001:db8:0:1::1/64"},
	 {"transit-2", "core0", "203.0.113.2/30", "2001:db8:0:1::2/64"},
	 .shape = "delay=20ms"},
	{"content",
	 {"content", "op0", "203.0.113.18/30", "2001:db8:0:10::2/64"},
	 {"transit-2", "host0", "203.0.113.17/30", "2001:db8:0:10::1/64"},
	 .leaf = true,
	 .shape = "delay=1ms"},
	{"resolver",
	 {"resolver", "op0", "203.0.113.34/30", "2001:db8:0:20::2/64"},
	 {"transit-1", "host0", "203.0.113.33/30", "2001:db8:0:20::1/64"},
	 .leaf = true,
	 .shape = "delay=1ms"},
	{"hub",
	 {"hub", "op0", "203.0.113.50/30", "2001:db8:0:30::2/64"},
	 {"transit-1", "host1", "203.0.113.49/30", "2001:db8:0:30::1/64"},
	 .leaf = true,
	 .shape = "delay=1ms"},
};
const size_t sn_world_link_count = SN_COUNT(sn_world_links);

/* Besides the default routes of leaf hosts. */
const struct sn_world_route sn_world_routes[] = {
	{"access-1", "default", "192.0.2.253"},
	{"access-1", "default", "2001:db8:1:ff::1"},
	{"access-2", "default", "198.51.100.253"},
	{"access-2", "default", "2001:db8:2:ff::1"},
	{"transit-1", "192.0.2.0/24", "192.0.2.254"},
	{"transit-1", "2001:db8:1::/48", "2001:db8:1:ff::2"},
	{"transit-1", "default", "203.0.113.2"},
	{"transit-1", "default", "2001:db8:0:1::2"},
	{"transit-2", "198.51.100.0/24", "198.51.100.254"},
	{"transit-2", "2001:db8:2::/48", "2001:db8:2:ff::2"},
	{"transit-2", "192.0.2.0/24", "203.0.113.1"},
	{"transit-2", "2001:db8:1::/48", "2001:db8:0:1::1"},
	{"transit-2", "203.0.113.32/27", "203.0.113.1"},
	{"transit-2", "2001:db8:0:20::/60", "2001:db8:0:1::1"},
	{"transit-2", "2001:db8:0:30::/60", "2001:db8:0:1::1"},
};
const size_t sn_world_route_count = SN_COUNT(sn_world_routes);

const struct sn_world_host *sn_world_find(const char *host)
{
	for (size_t i = 0; i < sn_world_host_count; i++)
		if (strcmp(sn_world_hosts[i].name, host) == 0)
			return &sn_world_hosts[i];
	return NULL;
}

const struct sn_world_link *sn_world_find_link(const char *name)
{
	for (size_t i = 0; i < sn_world_link_count; i++)
		if (strcmp(sn_world_links[i].name, name) == 0)
			return &sn_world_links[i];
	return NULL;
}

char *sn_world_address(const char *host, int family, char out[SN_WORLD_ADDRESS_MAX])
{
	out[0] = '\0';
	for (size_t i = 0; i < sn_world_link_count; i++) {
		const struct sn_world_end *end = &sn_world_links[i].a;
		const char *text = family == AF_INET ? end->ip4 : end->ip6;

		if (!sn_world_links[i].leaf || strcmp(end->host, host) != 0)
			continue;
		snprintf(out, SN_WORLD_ADDRESS_MAX, "%.*s", (int)strcspn(text, "/"), text);
	}
	return out;
}
