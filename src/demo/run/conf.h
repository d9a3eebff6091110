/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf: the configuration files of the demo's programs (JSON, which YAML includes).
 */
#ifndef SONDE_DEMO_RUN_CONF_H
#define SONDE_DEMO_RUN_CONF_H

#include <jansson.h>

#include "demo/run/place.h"
#include "demo/world/world.h"

#define SN_DEMO_TLS_PORT 8443 /* of the hub, inside the demo */

struct sn_demo_hub_conf {
	unsigned port; /* plain HTTP on this machine's loopback */
	bool has_web, announce;
};

/* Each writes conf/NAME.yaml and gives its path, malloc'ed; NULL on failure. */
char *sn_demo_conf_hub(const struct sn_demo_place *place, const struct sn_demo_hub_conf *conf,
		       struct sn_err *err);
char *sn_demo_conf_node(const struct sn_demo_place *place, const struct sn_world_host *host,
			struct sn_err *err);
/* Content server and resolver, by the role of `host`; for a node its source of traffic. */
char *sn_demo_conf_host(const struct sn_demo_place *place, const struct sn_world_host *host,
			struct sn_err *err);

/* ["https://203.0.113.50:8443", and the IPv6 one], a new reference. */
json_t *sn_demo_hub_urls(void);

#endif
