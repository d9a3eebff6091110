/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/host/host.h"

#include <errno.h>
#include <string.h>

#define KEY(name, type, member, ...)                                                               \
	{                                                                                          \
		name, type, offsetof(struct sn_host_config, member), __VA_ARGS__                   \
	}

static const struct sn_conf_key keys[] = {
	KEY("role", SN_CONF_TEXT, role, NULL, 0, 0, "content, resolver or traffic", false),
	KEY("listen", SN_CONF_TEXTS, listen, NULL, 0, 0,
	    "addresses with port that content and resolver serve", true),
	KEY("zone", SN_CONF_TEXT, zone, "sonde.example", 0, 0,
	    "domain that the resolver answers for", false),
	KEY("records", SN_CONF_TEXTS, records, NULL, 0, 0,
	    "what the resolver knows, each as 'NAME ADDRESS'", true),
	KEY("resolvers", SN_CONF_TEXTS, resolvers, NULL, 0, 0,
	    "whom traffic asks, an IPv4 or IPv6 address each; decides the family of the fetch",
	    true),
	KEY("host", SN_CONF_TEXT, host, "content.sonde.example", 0, 0,
	    "name that traffic asks for and fetches from", false),
	KEY("port", SN_CONF_U64, port, "80", 1, 65535, "TCP port that traffic fetches from", false),
	KEY("sizes", SN_CONF_TEXTS, sizes, NULL, 0, 0,
	    "sizes of the bodies that traffic fetches "
	    "in turn",
	    true),
	KEY("period", SN_CONF_DURATION, period, "2s", 10 * SN_NS_PER_MS, 3600 * SN_NS_PER_S,
	    "time between two exchanges of one family", false),
	KEY("output", SN_CONF_TEXT, output, "", 0, 0,
	    "file that gets a line of JSON per exchange; empty for none", false),
	KEY("log_level", SN_CONF_TEXT, log_level, "notice", 0, 0,
	    "error, warning, notice, info or debug", false),
};

const struct sn_conf_schema sn_host_schema = {
	.program = "sonde-demo-host",
	.keys = keys,
	.key_count = SN_COUNT(keys),
	.struct_size = sizeof(struct sn_host_config),
};

static const struct sn_host_role *const roles[] = {&sn_host_content, &sn_host_resolver,
						   &sn_host_traffic};

const struct sn_host_role *sn_host_role_find(const char *name, struct sn_err *err)
{
	for (size_t i = 0; i < SN_COUNT(roles); i++)
		if (strcmp(roles[i]->name, name) == 0)
			return roles[i];
	sn_err_set(err, -EINVAL, "key 'role': '%.40s' is not content, resolver or traffic", name);
	return NULL;
}
