/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/world/build.h"

#include <stdio.h>
#include <string.h>

#include "demo/world/world.h"

char *sn_world_netns(const char *prefix, const char *host, char out[SN_PRIV_NAME_MAX])
{
	snprintf(out, SN_PRIV_NAME_MAX, "%s%s", prefix, host);
	return out;
}

static int make_hosts(struct sn_priv *priv, const char *prefix, struct sn_err *err)
{
	char netns[SN_PRIV_NAME_MAX];

	for (size_t i = 0; i < sn_world_host_count; i++) {
		int code = sn_priv_netns_create(
			priv, sn_world_netns(prefix, sn_world_hosts[i].name, netns), err);

		if (code != 0)
			return code;
	}
	return 0;
}

/* Descriptor of the TAP device, or a negative errno. */
static int make_end(struct sn_priv *priv, const char *prefix, const struct sn_world_end *end,
		    int *tap, struct sn_err *err)
{
	char netns[SN_PRIV_NAME_MAX];
	int code;

	sn_world_netns(prefix, end->host, netns);
	*tap = sn_priv_tap_create(priv, netns, end->interface, err);
	if (*tap < 0)
		return *tap;
	code = sn_priv_address_add(priv, netns, end->interface, end->ip4, err);
	if (code == 0)
		code = sn_priv_address_add(priv, netns, end->interface, end->ip6, err);
	if (code == 0)
		code = sn_priv_link_set(priv, netns, end->interface, 1, err);
	return code;
}

static int add_route(struct sn_priv *priv, const char *prefix, const char *host,
		     const char *destination, const char *gateway, struct sn_err *err)
{
	char netns[SN_PRIV_NAME_MAX];

	return sn_priv_route_add(priv, sn_world_netns(prefix, host, netns), destination, gateway,
				 err);
}

static int add_default(struct sn_priv *priv, const char *prefix, const char *host,
		       const char *next_hop, struct sn_err *err)
{
	char gateway[SN_WORLD_ADDRESS_MAX];

	snprintf(gateway, sizeof(gateway), "%.*s", (int)strcspn(next_hop, "/"), next_hop);
	return add_route(priv, prefix, host, "default", gateway, err);
}

static int make_routes(struct sn_priv *priv, const char *prefix, struct sn_err *err)
{
	int code = 0;

	for (size_t i = 0; i < sn_world_link_count && code == 0; i++) {
		const struct sn_world_link *link = &sn_world_links[i];

		if (!link->leaf)
			continue;
		code = add_default(priv, prefix, link->a.host, link->b.ip4, err);
		if (code == 0)
			code = add_default(priv, prefix, link->a.host, link->b.ip6, err);
	}
	for (size_t i = 0; i < sn_world_route_count && code == 0; i++)
		code = add_route(priv, prefix, sn_world_routes[i].host,
				 sn_world_routes[i].destination, sn_world_routes[i].gateway, err);
	return code;
}

int sn_world_build(struct sn_priv *priv, const char *prefix, int (*taps)[2], struct sn_err *err)
{
	int code;

	for (size_t i = 0; i < sn_world_link_count; i++)
		taps[i][0] = taps[i][1] = -1;
	code = make_hosts(priv, prefix, err);
	for (size_t i = 0; i < sn_world_link_count && code == 0; i++) {
		code = make_end(priv, prefix, &sn_world_links[i].a, &taps[i][0], err);
		if (code == 0)
			code = make_end(priv, prefix, &sn_world_links[i].b, &taps[i][1], err);
		if (code != 0)
			sn_err_wrap(err, "link '%s'", sn_world_links[i].name);
	}
	return code != 0 ? code : make_routes(priv, prefix, err);
}
