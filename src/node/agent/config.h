/* SPDX-License-Identifier: Apache-2.0 */
/* config: what can be configured about a node, as one table (base/conf.h). */
#ifndef SONDE_NODE_AGENT_CONFIG_H
#define SONDE_NODE_AGENT_CONFIG_H

#include "base/conf.h"

struct sn_node_config {
	char *state; /* directory; NULL: sn_join_default_state_dir() */
	struct sn_conf_texts hub_urls;
	uint64_t spool_limit_bytes;
	char *priv_socket, *programs; /* may be NULL */
	char *log_level;
	int64_t heartbeat_interval_ns; /* 0: what the hub says */
	char *country, *asn, *system;  /* as the hub is told; may be NULL */
};

extern const struct sn_conf_schema sn_node_schema;
/* What the table cannot say: the forms of `country` and `asn`. Puts `asn` as "AS64500". */
int sn_node_config_check(struct sn_node_config *config, struct sn_err *err);

#endif
