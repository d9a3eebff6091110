/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world: the demo internet as one table: hosts, links, addresses, routes and what
 * each link does to packets when nothing is broken.
 *
 *   node-1 --- access-1 --- transit-1 === transit-2 --- access-2 --- node-3
 *   node-2 --/              |      |         |                   \--- node-4
 *                        resolver  hub    content
 *
 * Addresses are from the ranges for documentation (RFC 5737, RFC 3849).  Nothing
 * here does anything; build.c makes it real.
 */
#ifndef SONDE_DEMO_WORLD_WORLD_H
#define SONDE_DEMO_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>

enum sn_world_role {
	SN_WORLD_NODE, /* measures: sonde-node and a source of traffic */
	SN_WORLD_ROUTER,
	SN_WORLD_CONTENT,
	SN_WORLD_RESOLVER,
	SN_WORLD_HUB,
};

struct sn_world_host {
	const char *name;
	enum sn_world_role role;
	const char *place; /* a well-known city; nodes only */
	double latitude, longitude;
};

struct sn_world_end {
	const char *host, *interface;
	const char *ip4, *ip6; /* with prefix length */
};

struct sn_world_link {
	const char *name;
	struct sn_world_end a, b; /* a is the one further out; "ab" is upstream */
	bool leaf;                /* a has no other link: its default routes go to b */
	const char *shape;        /* as sonde-impair reads it; may have ab. and ba. */
};

struct sn_world_route {
	const char *host, *destination, *gateway;
};

#define SN_WORLD_DOMAIN "sonde.example"

extern const struct sn_world_host sn_world_hosts[];
extern const size_t sn_world_host_count;
extern const struct sn_world_link sn_world_links[];
extern const size_t sn_world_link_count;
extern const struct sn_world_route sn_world_routes[];
extern const size_t sn_world_route_count;

const struct sn_world_host *sn_world_find(const char *host);      /* or NULL */
const struct sn_world_link *sn_world_find_link(const char *name); /* or NULL */
/* Address of a leaf host without the prefix length, `family` AF_INET or AF_INET6. */
#define SN_WORLD_ADDRESS_MAX 48
char *sn_world_address(const char *host, int family, char out[SN_WORLD_ADDRESS_MAX]);

#endif
