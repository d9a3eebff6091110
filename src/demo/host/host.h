/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: what the hosts of the demo internet do that are not measuring nodes.
 *
 *   content    an HTTP server with bodies of any size: GET /bytes/{n}
 *   resolver   an authoritative DNS server for the demo's names
 *   traffic    asks the resolver, then fetches from the content server, in a fixed
 *              rhythm, over IPv4 and IPv6; writes a line of JSON for each exchange
 *
 * Each role is made from the configuration, works on the loop, and is destroyed.
 */
#ifndef SONDE_DEMO_HOST_HOST_H
#define SONDE_DEMO_HOST_HOST_H

#include "base/conf.h"
#include "base/loop.h"

#define SN_DEMO_BODY_MAX   (100 * 1024 * 1024) /* of one answer of the content server */
#define SN_DEMO_OUTPUT_MAX (64 * 1024 * 1024)  /* then the file is set aside as *.1 */

struct sn_host_config {
	char *role;
	struct sn_conf_texts listen; /* content, resolver */
	struct sn_conf_texts records;
	char *zone;
	struct sn_conf_texts resolvers; /* traffic: one per family */
	char *host;
	uint64_t port;
	struct sn_conf_texts sizes;
	int64_t period;
	char *output;
	char *log_level;
};

extern const struct sn_conf_schema sn_host_schema;

struct sn_host; /* each role has its own kind */

struct sn_host_role {
	const char *name;
	struct sn_host *(*create)(struct sn_loop *loop, const struct sn_host_config *config,
				  struct sn_err *err);
	void (*destroy)(struct sn_host *host);
};

extern const struct sn_host_role sn_host_content, sn_host_resolver, sn_host_traffic;
/* NULL, with the known ones in `err`. */
const struct sn_host_role *sn_host_role_find(const char *name, struct sn_err *err);

#endif
