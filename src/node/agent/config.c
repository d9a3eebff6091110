/* SPDX-License-Identifier: Apache-2.0 */
#include "node/agent/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define SYSTEM_MAX 200 /* bytes */

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
	{.name = "country",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(country),
	 .optional = true,
	 .help = "country that the node is in, two letters (ISO 3166-1); measurements can be "
		 "asked of all nodes of a country"},
	{.name = "asn",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(asn),
	 .optional = true,
	 .help = "number of the autonomous system that the node is in, e.g. AS64500"},
	{.name = "system",
	 .type = SN_CONF_TEXT,
	 .offset = MEMBER(system),
	 .optional = true,
	 .help = "what kind of system the node is, a few words for people"},
};

const struct sn_conf_schema sn_node_schema = {
	.program = "sonde-node",
	.keys = keys,
	.key_count = SN_COUNT(keys),
	.struct_size = sizeof(struct sn_node_config),
};

static int check_country(char *country, struct sn_err *err)
{
	if (strlen(country) != 2 || !isalpha((unsigned char)country[0]) ||
	    !isalpha((unsigned char)country[1]))
		return sn_err_set(err, -EINVAL,
				  "key 'country': '%.40s' is no country code of two letters (e.g. "
				  "NO)",
				  country);
	for (int i = 0; i < 2; i++)
		country[i] = (char)toupper((unsigned char)country[i]);
	return 0;
}

static int check_asn(char **asn, struct sn_err *err)
{
	const char *digits = strncasecmp(*asn, "AS", 2) == 0 ? *asn + 2 : *asn;
	char *canonical;
	uint64_t number;

	if (sn_parse_u64(sn_str(digits), 1, UINT32_MAX, &number) != 0)
		return sn_err_set(err, -EINVAL,
				  "key 'asn': '%.40s' is no number of an autonomous system (e.g. "
				  "AS64500)",
				  *asn);
	canonical = sn_xasprintf("AS%llu", (unsigned long long)number);
	free(*asn);
	*asn = canonical;
	return 0;
}

int sn_node_config_check(struct sn_node_config *config, struct sn_err *err)
{
	int error = config->country != NULL ? check_country(config->country, err) : 0;

	if (error == 0 && config->asn != NULL)
		error = check_asn(&config->asn, err);
	if (error == 0 && config->system != NULL && strlen(config->system) > SYSTEM_MAX)
		error = sn_err_set(err, -EINVAL, "key 'system': longer than %d bytes", SYSTEM_MAX);
	return error;
}
