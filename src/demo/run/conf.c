/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/run/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/mem.h"

#define ENDPOINT_MAX (SN_WORLD_ADDRESS_MAX + 16)

static const int families[] = {AF_INET, AF_INET6};

/* "203.0.113.18:80", "[2001:db8:0:10::2]:80" */
static char *endpoint(const char *host, int family, unsigned port, char out[ENDPOINT_MAX])
{
	char address[SN_WORLD_ADDRESS_MAX];

	sn_world_address(host, family, address);
	snprintf(out, ENDPOINT_MAX, family == AF_INET ? "%s:%u" : "[%s]:%u", address, port);
	return out;
}

static json_t *endpoints(const char *host, unsigned port)
{
	json_t *list = json_array();
	char text[ENDPOINT_MAX];

	for (size_t i = 0; i < SN_COUNT(families); i++)
		json_array_append_new(list, json_string(endpoint(host, families[i], port, text)));
	return list;
}

json_t *sn_demo_hub_urls(void)
{
	json_t *list = json_array();
	char text[ENDPOINT_MAX];

	for (size_t i = 0; i < SN_COUNT(families); i++)
		json_array_append_new(
			list, json_sprintf("https://%s",
					   endpoint("hub", families[i], SN_DEMO_TLS_PORT, text)));
	return list;
}

/* Steals `conf`. */
static char *write_conf(const struct sn_demo_place *place, const char *name, json_t *conf,
			struct sn_err *err)
{
	sn_autofree char *file = sn_xasprintf("conf/%s.yaml", name);
	sn_autofree char *text = json_dumps(conf, JSON_INDENT(2));
	char *path = sn_demo_place_path(place, file);

	json_decref(conf);
	if (sn_fs_write_atomic(path, text, strlen(text), 0600, err) == 0)
		return path;
	free(path);
	return NULL;
}

char *sn_demo_conf_hub(const struct sn_demo_place *place, const struct sn_demo_hub_conf *conf,
		       struct sn_err *err)
{
	sn_autofree char *state = sn_demo_place_path(place, "hub");
	sn_autofree char *web = sn_demo_place_path(place, "web");
	/* "listen" is for joining only, before a node runs in its namespace. */
	json_t *json = json_pack("{s:s, s:[s], s:o, s:[s,s], s:o, s:s, s:s, s:b}", "state", state,
				 "listen", "127.0.0.1:0", "local",
				 json_sprintf("127.0.0.1:%u", conf->port), "listen_fd_tls", "3",
				 "4", "advertise", sn_demo_hub_urls(), "heartbeat_interval", "2s",
				 "retention_days", "2", "announce", (int)conf->announce);

	if (conf->has_web)
		json_object_set_new(json, "web_dir", json_string(web));
	return write_conf(place, "hub", json, err);
}

char *sn_demo_conf_node(const struct sn_demo_place *place, const struct sn_world_host *host,
			struct sn_err *err)
{
	sn_autofree char *name = sn_xasprintf("node/%s", host->name);
	sn_autofree char *state = sn_demo_place_path(place, name);
	sn_autofree char *priv = sn_demo_place_path(place, "run/priv");

	return write_conf(place, host->name,
			  json_pack("{s:s, s:o, s:s}", "state", state, "hub_urls",
				    sn_demo_hub_urls(), "priv_socket", priv),
			  err);
}

static json_t *records(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sn_world_host_count; i++)
		for (size_t f = 0; f < SN_COUNT(families); f++) {
			char address[SN_WORLD_ADDRESS_MAX];

			if (sn_world_address(sn_world_hosts[i].name, families[f], address)[0] !=
			    '\0')
				json_array_append_new(list, json_sprintf("%s.%s %s",
									 sn_world_hosts[i].name,
									 SN_WORLD_DOMAIN, address));
		}
	return list;
}

static json_t *traffic(const struct sn_demo_place *place, const struct sn_world_host *host)
{
	sn_autofree char *name = sn_xasprintf("traffic/%s.jsonl", host->name);
	sn_autofree char *output = sn_demo_place_path(place, name);

	return json_pack("{s:s, s:o, s:s, s:[s,s,s], s:s, s:s}", "role", "traffic", "resolvers",
			 endpoints("resolver", 53), "host", "content." SN_WORLD_DOMAIN, "sizes",
			 "2kB", "20kB", "200kB", "period", "2s", "output", output);
}

char *sn_demo_conf_host(const struct sn_demo_place *place, const struct sn_world_host *host,
			struct sn_err *err)
{
	sn_autofree char *traffic_name = sn_xasprintf("traffic-%s", host->name);

	switch (host->role) {
	case SN_WORLD_CONTENT:
		return write_conf(place, host->name,
				  json_pack("{s:s, s:o}", "role", "content", "listen",
					    endpoints(host->name, 80)),
				  err);
	case SN_WORLD_RESOLVER:
		return write_conf(place, host->name,
				  json_pack("{s:s, s:o, s:s, s:o}", "role", "resolver", "listen",
					    endpoints(host->name, 53), "zone", SN_WORLD_DOMAIN,
					    "records", records()),
				  err);
	default:
		return write_conf(place, traffic_name, traffic(place, host), err);
	}
}
