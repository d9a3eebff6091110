/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "demo/run/conf.h"
#include "demo/run/demo_internal.h"
#include "demo/world/build.h"

#define HUB_START_NS  (20 * SN_NS_PER_S)
#define JOIN_NS       (30 * SN_NS_PER_S)
#define ONLINE_NS     (60 * SN_NS_PER_S)
#define PORT_FIRST    8080
#define PORT_LAST     8179
#define NODES_MAX     8
#define POLL_INTERVAL (200 * SN_NS_PER_MS)

static const int families[] = {AF_INET, AF_INET6};

/* The hub ------------------------------------------------------------------------ */

/* The port if it is free (for 0 the one that was), else a negative errno. */
static int try_port(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int one = 1;
	sn_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return -errno;
	return ntohs(address.sin_port);
}

static int choose_port(struct sn_demo *demo, struct sn_err *err)
{
	const char *wanted = demo->options->port;
	uint64_t port = 0;
	int found = -EADDRINUSE;

	if (wanted != NULL && sn_parse_u64(sn_str(wanted), 0, 65535, &port) == 0)
		found = try_port((unsigned)port);
	for (port = PORT_FIRST; wanted == NULL && port <= PORT_LAST && found < 0; port++)
		found = try_port((unsigned)port);
	if (found < 0)
		return sn_err_sys(err, found,
				  "cannot use port '%s' on 127.0.0.1 (try another "
				  "'--port', or 0 for any)",
				  wanted != NULL ? wanted : "8080 to 8179");
	demo->port = (unsigned)found;
	return 0;
}

/* Sockets of the demo's hub namespace: the hub itself stays in the machine's own. */
static int open_hub_listeners(struct sn_demo *demo, struct sn_err *err)
{
	char netns[SN_PRIV_NAME_MAX], text[SN_WORLD_ADDRESS_MAX];
	uint8_t address[16];

	sn_world_netns(demo->prefix, "hub", netns);
	for (size_t i = 0; i < SN_COUNT(families); i++) {
		if (inet_pton(families[i], sn_world_address("hub", families[i], text), address) !=
		    1)
			return sn_err_set(err, -EINVAL, "host 'hub' has no address");
		demo->hub_listeners[i] = sn_priv_listen_socket(
			demo->helper.priv, netns, families[i], address, SN_DEMO_TLS_PORT, err);
		if (demo->hub_listeners[i] < 0)
			return demo->hub_listeners[i];
	}
	return 0;
}

static int wait_for_hub(struct sn_demo *demo, struct sn_err *err)
{
	uint64_t end = sn_mono_ns() + HUB_START_NS;
	sn_autofree char *hub_file = sn_demo_place_path(&demo->place, "hub/hub.json");

	while (demo->url == NULL || demo->join_url == NULL) {
		int code = sn_demo_turn(demo, err);

		if (code != 0)
			return code;
		if (sn_mono_ns() > end)
			return sn_err_set(err, -ETIMEDOUT, "the hub does not start");
	}
	return sn_demo_api_create(demo->loop, hub_file, &demo->stop, &demo->api, err);
}

/* Nodes ----------------------------------------------------------------------------- */

struct joining {
	const struct sn_world_host *host;
	struct sn_proc *proc;
	bool done;
	int status;
};

static void joined(struct sn_proc *proc, int status, void *ctx)
{
	struct joining *joining = ctx;

	joining->done = true;
	joining->status = status;
	sn_proc_destroy(proc);
	joining->proc = NULL;
}

static void joining_said(struct sn_proc *proc SN_UNUSED, struct sn_str line SN_UNUSED,
			 int error SN_UNUSED, void *ctx SN_UNUSED)
{
	/* "joined ...": the exit code says it as well. */
}

static int invite(struct sn_demo *demo, const struct sn_world_host *host, json_t **answer,
		  struct sn_err *err)
{
	return sn_demo_api_call(demo->api, "/api/v1/invites",
				json_pack("{s:s, s:s, s:f, s:f}", "name", host->name, "place",
					  host->place, "latitude", host->latitude, "longitude",
					  host->longitude),
				answer, err);
}

static int start_joining(struct sn_demo *demo, struct joining *joining, struct sn_err *err)
{
	sn_autofree char *program = sn_demo_place_path(&demo->place, "bin/sonde-node");
	sn_autofree char *state_name = sn_xasprintf("node/%s", joining->host->name);
	sn_autofree char *log_name = sn_xasprintf("log/%s.log", joining->host->name);
	sn_autofree char *state = sn_demo_place_path(&demo->place, state_name);
	sn_autofree char *log = sn_demo_place_path(&demo->place, log_name);
	sn_autoclose int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	sn_autojson json_t *answer = NULL;
	const char *token;
	int code = invite(demo, joining->host, &answer, err);

	if (code == 0)
		code = sn_json_get_str(answer, "token", &token, err);
	if (code != 0)
		return code;
	const char *argv[] = {program, "join",   demo->join_url,      token, "--state",
			      state,   "--name", joining->host->name, NULL};
	struct sn_proc_spec spec = {.argv = argv,
				    .err_fd = log_fd,
				    .on_line = joining_said,
				    .on_exit = joined,
				    .ctx = joining};

	return sn_proc_start(demo->loop, &spec, &joining->proc, err);
}

static int wait_for_joins(struct sn_demo *demo, struct joining *joinings, unsigned count,
			  struct sn_err *err)
{
	uint64_t end = sn_mono_ns() + JOIN_NS;

	for (unsigned i = 0; i < count; i++) {
		while (!joinings[i].done) {
			int code = sn_demo_turn(demo, err);

			if (code != 0)
				return code;
			if (sn_mono_ns() > end)
				return sn_err_set(err, -ETIMEDOUT, "'%s' does not join",
						  joinings[i].host->name);
		}
		if (joinings[i].status != 0)
			return sn_err_set(err, -EACCES, "'%s' cannot join (see its log)",
					  joinings[i].host->name);
	}
	return 0;
}

/* All at once: each makes a key and waits for its certificate. */
static int enrol(struct sn_demo *demo, struct sn_err *err)
{
	struct joining joinings[NODES_MAX] = {0};
	unsigned count = 0;
	int code = 0;

	for (size_t i = 0; i < sn_world_host_count && code == 0; i++) {
		if (sn_world_hosts[i].role != SN_WORLD_NODE)
			continue;
		joinings[count].host = &sn_world_hosts[i];
		code = start_joining(demo, &joinings[count++], err);
	}
	if (code == 0)
		code = wait_for_joins(demo, joinings, count, err);
	for (unsigned i = 0; i < count; i++)
		sn_proc_destroy(joinings[i].proc);
	return code;
}

/* Measurements ------------------------------------------------------------------------------ */

/* Everybody with an address but the node itself and the hub. */
static json_t *mesh_targets(const struct sn_world_host *from)
{
	json_t *targets = json_array();

	for (size_t i = 0; i < sn_world_host_count; i++)
		for (size_t f = 0; f < SN_COUNT(families); f++) {
			const struct sn_world_host *host = &sn_world_hosts[i];
			char address[SN_WORLD_ADDRESS_MAX];

			if (host != from && host->role != SN_WORLD_HUB &&
			    sn_world_address(host->name, families[f], address)[0] != '\0')
				json_array_append_new(targets, json_string(address));
		}
	return targets;
}

/* Ten packets in a second, every two: a broken link shows within five. */
static json_t *mesh(const struct sn_world_host *from)
{
	return json_pack("{s:o, s:s, s:{s:o, s:s, s:s, s:s}, s:s, s:[s]}", "name",
			 json_sprintf("mesh from %s", from->name), "capability", "ping",
			 "parameters", "targets", mesh_targets(from), "count", "10", "interval",
			 "100ms", "timeout", "1s", "when", "now ... future / 2s", "nodes",
			 from->name);
}

static json_t *meter(void)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:s, s:[s]}", "name", "flows on op0", "capability",
			 "flow", "parameters", "interface", "op0", "when", "now ... future",
			 "nodes", "*");
}

static int add_measurements(struct sn_demo *demo, struct sn_err *err)
{
	int code = sn_demo_api_call(demo->api, "/api/v1/measurements", meter(), NULL, err);

	for (size_t i = 0; i < sn_world_host_count && code == 0; i++)
		if (sn_world_hosts[i].role == SN_WORLD_NODE)
			code = sn_demo_api_call(demo->api, "/api/v1/measurements",
						mesh(&sn_world_hosts[i]), NULL, err);
	return code;
}

/* Programs in the namespaces ------------------------------------------------------------ */

/* One program on each host of the roles. */
static int start_on(struct sn_demo *demo, unsigned roles, enum sn_priv_program program,
		    struct sn_err *err)
{
	int code = 0;

	for (size_t i = 0; i < sn_world_host_count && code == 0; i++)
		if ((roles & 1U << sn_world_hosts[i].role) != 0)
			code = sn_demo_start_in(demo, &sn_world_hosts[i], program, err);
	return code;
}

static int start_servers(struct sn_demo *demo, struct sn_err *err)
{
	return start_on(demo, 1U << SN_WORLD_CONTENT | 1U << SN_WORLD_RESOLVER,
			SN_PRIV_PROGRAM_DEMO_HOST, err);
}

static int start_nodes(struct sn_demo *demo, struct sn_err *err)
{
	return start_on(demo, 1U << SN_WORLD_NODE, SN_PRIV_PROGRAM_NODE, err);
}

static int start_traffic(struct sn_demo *demo, struct sn_err *err)
{
	return start_on(demo, 1U << SN_WORLD_NODE, SN_PRIV_PROGRAM_DEMO_HOST, err);
}

static int pause_a_moment(struct sn_demo *demo, struct sn_err *err)
{
	uint64_t end = sn_mono_ns() + POLL_INTERVAL;
	int code = 0;

	while (code == 0 && sn_mono_ns() < end)
		code = sn_demo_turn(demo, err);
	return code;
}

static int64_t member(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int64_t count_nodes(void)
{
	int64_t count = 0;

	for (size_t i = 0; i < sn_world_host_count; i++)
		count += sn_world_hosts[i].role == SN_WORLD_NODE;
	return count;
}

static int wait_for_rows(struct sn_demo *demo, struct sn_err *err)
{
	uint64_t end = sn_mono_ns() + ONLINE_NS;
	int64_t online = 0, rows = 0;

	while (online < count_nodes() || rows == 0) {
		json_t *answer = NULL;
		int code = sn_demo_api_call(demo->api, "/api/v1/hub", NULL, &answer, err);

		if (code == 0)
			code = pause_a_moment(demo, err);
		online = member(json_object_get(answer, "nodes"), "online");
		rows = member(answer, "rows_stored");
		json_decref(answer);
		if (code != 0)
			return code;
		if (sn_mono_ns() > end)
			return sn_err_set(
				err, -ETIMEDOUT, "%lld of %lld nodes are online and %lld rows came",
				(long long)online, (long long)count_nodes(), (long long)rows);
	}
	return 0;
}

/* Step by step --------------------------------------------------------------------------- */

static int build_world(struct sn_demo *demo, struct sn_err *err)
{
	int code = sn_priv_netns_sweep(demo->helper.priv, err);

	if (code == 0)
		code = sn_world_build(demo->helper.priv, demo->prefix, demo->taps, err);
	return code;
}

int sn_demo_set_up(struct sn_demo *demo, struct sn_err *err)
{
	static const struct {
		const char *says; /* NULL: goes without saying */
		int (*run)(struct sn_demo *demo, struct sn_err *err);
	} steps[] = {
		{NULL, choose_port},
		{"building hosts and links", build_world},
		{NULL, sn_demo_start_relay},
		{NULL, start_servers},
		{NULL, open_hub_listeners},
		{"starting the hub", sn_demo_start_hub},
		{NULL, wait_for_hub},
		{"enrolling the nodes", enrol},
		{NULL, add_measurements},
		{"starting the nodes", start_nodes},
		{"waiting for the first results", wait_for_rows},
		/* Last, so that the meters see every packet of it. */
		{NULL, start_traffic},
	};
	int code = 0;

	for (size_t i = 0; i < SN_COUNT(steps) && code == 0; i++) {
		if (steps[i].says != NULL)
			sn_demo_say(demo, "%s", steps[i].says);
		code = steps[i].run(demo, err);
		if (code == 0 && demo->stop)
			code = -ECANCELED;
	}
	return code;
}
