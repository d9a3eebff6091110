/* SPDX-License-Identifier: Apache-2.0 */
#include "node/agent/config.h"

#include "base/util.h"

#define MEMBER(name) offsetof(struct sn_node_config, name)

static const struct sn_conf_key keys[] = {
	{.name = "state",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(state),
	 .optional = true,
	 .help = "directory of identity, tasks and spool; by default /var/lib/sonde/node, for an "
		 "ordinary user ~/.local/state/sonde/node"},
	{.name = "hub_urls",
	 .type = SN_CONF_TEXTS,
	 .offset = MEMBER(hub_urls),
	 .default_text = "",
	 .help = "ways to the hub, tried in turn; empty: the one that was used to join"},
	{.name = "spool_limit",
	 .type = SN_CONF_SIZE,
	 .offset = MEMBER(spool_limit_bytes),
	 .default_text = "512MiB",
	 .min = 1 << 20,
	 .max = 1ULL << 40,
	 .help = "disk space for results that the hub has not taken yet; when it is used up new "
		 "ones are dropped and counted"},
	{.name = "priv_socket",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(priv_socket),
	 .optional = true,
	 .help = "socket of sonde-priv, which opens captures for meters; without it a meter must "
		 "be able to by itself"},
	{.name = "programs",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(programs),
	 .optional = true,
	 .help = "directory of sonde-probe and sonde-meter; by default that of sonde-node"},
	{.name = "log_level",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(log_level),
	 .default_text = "notice",
	 .help = "error, warning, notice, info or debug"},
	{.name = "heartbeat_interval",
	 .type = SN_CONF_DURATION,
	 .offset = MEMBER(heartbeat_interval_ns),
	 .default_text = "0",
	 .min = 0,
	 .max = 3600 * SN_NS_PER_S,
	 .help = "time between two heartbeats; 0: what the hub asks for"},
};

const struct sn_conf_schema sn_node_schema = {
	.program = "sonde-node",
	.keys = keys,
	.key_count = SN_COUNT(keys),
	.struct_size = sizeof(struct sn_node_config),
};
