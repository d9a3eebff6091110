/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "demo"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "demo/run/conf.h"
#include "demo/run/demo_internal.h"
#include "demo/world/build.h"

#define STOP_NODES_NS (4 * SN_NS_PER_S)
#define STOP_HUB_NS   (6 * SN_NS_PER_S)
#define ARGV_MAX      (2 * SN_DEMO_LINKS_MAX + 8)

static void given_up(struct sn_demo_child *child, void *ctx)
{
	struct sn_demo_program *program = ctx;
	struct sn_err err;

	sn_err_set(&err, -ECHILD, "%s dies again and again (see '%s')", child->name, child->log);
	sn_demo_fail(program->demo, &err);
}

static struct sn_demo_program *add_program(struct sn_demo *demo, const char *name,
					   sn_demo_child_start_fn *start)
{
	struct sn_demo_program *program = &demo->programs[demo->program_count++];
	sn_autofree char *log = sn_xasprintf("log/%s.log", name);

	program->demo = demo;
	program->child = (struct sn_demo_child){
		.log = sn_demo_place_path(&demo->place, log),
		.start = start,
		.given_up = given_up,
		.ctx = program,
		.loop = demo->loop,
	};
	snprintf(program->child.name, sizeof(program->child.name), "%s", name);
	return program;
}

static struct sn_demo_program *program_of(struct sn_demo_child *child)
{
	return sn_container_of(child, struct sn_demo_program, child);
}

static int open_log(const struct sn_demo_child *child)
{
	return open(child->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* The relay ------------------------------------------------------------------- */

/* "node-1,a=fd:3,b=fd:4,delay=4ms": descriptors are passed in the order of the table. */
static char *link_argument(size_t index)
{
	const struct sn_world_link *link = &sn_world_links[index];

	return sn_xasprintf("%s,a=fd:%zu,b=fd:%zu,%s", link->name, 3 + 2 * index, 4 + 2 * index,
			    link->shape);
}

/* The devices live on with our copies of their descriptors while the relay is restarted. */
static int start_relay(struct sn_demo_child *child, struct sn_err *err)
{
	struct sn_demo *demo = program_of(child)->demo;
	sn_autofree char *path = sn_demo_place_path(&demo->place, "bin/sonde-impair");
	sn_autofree char *control = sn_demo_place_path(&demo->place, "run/impair");
	sn_autoclose int log = open_log(child);
	const char *argv[ARGV_MAX] = {path, "--control", control};
	size_t count = 3;
	struct sn_proc_spec spec = {
		.argv = argv, .err_fd = log, .on_exit = sn_demo_child_exited, .ctx = child};
	int code;

	for (size_t i = 0; i < sn_world_link_count; i++) {
		argv[count++] = "--link";
		argv[count++] = link_argument(i);
		spec.fds[spec.fd_count++] = demo->taps[i][0];
		spec.fds[spec.fd_count++] = demo->taps[i][1];
	}
	code = sn_proc_start(demo->loop, &spec, &child->proc, err);
	for (size_t i = 4; i < count; i += 2)
		free((char *)argv[i]);
	return code;
}

int sn_demo_start_relay(struct sn_demo *demo, struct sn_err *err)
{
	return sn_demo_child_run(&add_program(demo, "sonde-impair", start_relay)->child, err);
}

/* The hub ----------------------------------------------------------------------- */

static void keep(char **place, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	if (text == NULL)
		return;
	free(*place);
	*place = sn_xstrdup(text);
}

/* Its first line says where it is; after a restart the addresses are the same or new. */
static void hub_said(struct sn_proc *proc SN_UNUSED, struct sn_str line, int error SN_UNUSED,
		     void *ctx)
{
	struct sn_demo *demo = program_of(ctx)->demo;
	sn_autojson json_t *json = sn_json_parse(line.p, line.n, NULL);

	keep(&demo->url, json, "url");
	keep(&demo->login, json, "login_url");
	keep(&demo->join_url, json, "node_url");
}

static int start_hub(struct sn_demo_child *child, struct sn_err *err)
{
	struct sn_demo_program *program = program_of(child);
	struct sn_demo *demo = program->demo;
	sn_autofree char *path = sn_demo_place_path(&demo->place, "bin/sonde-hub");
	sn_autoclose int log = open_log(child);
	const char *argv[] = {path, "--config", program->config, "--json", NULL};
	struct sn_proc_spec spec = {
		.argv = argv,
		.fds = {demo->hub_listeners[0], demo->hub_listeners[1]},
		.fd_count = 2,
		.err_fd = log,
		.on_line = hub_said,
		.on_exit = sn_demo_child_exited,
		.ctx = child,
	};

	return sn_proc_start(demo->loop, &spec, &child->proc, err);
}

/* What a user's command line can find: his runtime directory, if it is one that we may write. */
static bool has_runtime_dir(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	return dir != NULL && dir[0] == '/' && access(dir, W_OK | X_OK) == 0;
}

int sn_demo_start_hub(struct sn_demo *demo, struct sn_err *err)
{
	const struct sn_demo_hub_conf conf = {
		.port = demo->port, .has_web = demo->has_web, .announce = has_runtime_dir()};
	char *config = sn_demo_conf_hub(&demo->place, &conf, err);
	struct sn_demo_program *program;

	if (config == NULL)
		return err->code;
	program = add_program(demo, "sonde-hub", start_hub);
	program->config = config;
	return sn_demo_child_run(&program->child, err);
}

/* In a namespace ------------------------------------------------------------------ */

static int start_in(struct sn_demo_child *child, struct sn_err *err)
{
	struct sn_demo_program *program = program_of(child);
	struct sn_demo *demo = program->demo;
	char netns[SN_PRIV_NAME_MAX];

	return sn_priv_process_start(demo->helper.priv,
				     sn_world_netns(demo->prefix, program->host->name, netns),
				     program->program, demo->user.uid, demo->user.gid,
				     program->config, child->log, &child->pid, err);
}

int sn_demo_start_in(struct sn_demo *demo, const struct sn_world_host *host,
		     enum sn_priv_program kind, struct sn_err *err)
{
	bool is_traffic = kind == SN_PRIV_PROGRAM_DEMO_HOST && host->role == SN_WORLD_NODE;
	sn_autofree char *name = sn_xasprintf("%s%s", is_traffic ? "traffic-" : "", host->name);
	char *config = kind == SN_PRIV_PROGRAM_NODE ? sn_demo_conf_node(&demo->place, host, err)
						    : sn_demo_conf_host(&demo->place, host, err);
	struct sn_demo_program *program;

	if (config == NULL)
		return err->code;
	program = add_program(demo, name, start_in);
	program->host = host;
	program->program = kind;
	program->config = config;
	program->child.priv = demo->helper.priv;
	return sn_demo_child_run(&program->child, err);
}

/* All of them ------------------------------------------------------------------------ */

static unsigned count_restarts(const struct sn_demo *demo)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < demo->program_count; i++)
		sum += demo->programs[i].child.restarts;
	return sum;
}

void sn_demo_write_run_file(struct sn_demo *demo)
{
	sn_autofree char *path = sn_demo_place_path(&demo->place, "run.json");
	json_t *programs = json_object();
	sn_autojson json_t *json = NULL;
	sn_autofree char *text = NULL;
	struct sn_err err;

	for (unsigned i = 0; i < demo->program_count; i++)
		json_object_set_new(programs, demo->programs[i].child.name,
				    json_integer(demo->programs[i].child.pid));
	json_object_set_new(programs, "sonde-priv", json_integer(demo->helper.pid));
	json = json_pack("{s:I, s:s*, s:s, s:s, s:o}", "pid", (json_int_t)getpid(), "url",
			 demo->url, "prefix", demo->prefix, "user", demo->user.name, "programs",
			 programs);
	text = json_dumps(json, JSON_INDENT(2));
	if (sn_fs_write_atomic(path, text, strlen(text), 0644, &err) != 0)
		sn_warn("%s", err.text);
	demo->restarts_written = count_restarts(demo);
}

void sn_demo_check_programs(struct sn_demo *demo)
{
	for (unsigned i = 0; i < demo->program_count && !demo->helper_gone; i++)
		sn_demo_child_check(&demo->programs[i].child);
	if (count_restarts(demo) != demo->restarts_written)
		sn_demo_write_run_file(demo);
}

/* Asks those with or without a namespace to end and waits, up to a limit. */
static void stop_some(struct sn_demo *demo, bool in_namespace, uint64_t limit_ns)
{
	uint64_t end = sn_mono_ns() + limit_ns;
	unsigned alive;

	for (unsigned i = 0; i < demo->program_count; i++)
		if ((demo->programs[i].host != NULL) == in_namespace)
			sn_demo_child_stop(&demo->programs[i].child);
	do {
		sn_loop_turn(demo->loop, 20 * SN_NS_PER_MS);
		alive = 0;
		for (unsigned i = 0; i < demo->program_count; i++)
			alive += (demo->programs[i].host != NULL) == in_namespace &&
				 sn_demo_child_alive(&demo->programs[i].child);
	} while (alive > 0 && sn_mono_ns() < end);
}

void sn_demo_stop_programs(struct sn_demo *demo)
{
	if (!demo->helper_gone)
		stop_some(demo, true, STOP_NODES_NS);
	stop_some(demo, false, STOP_HUB_NS);
	for (unsigned i = 0; i < demo->program_count; i++) {
		sn_demo_child_finish(&demo->programs[i].child);
		free(demo->programs[i].config);
	}
	demo->program_count = 0;
}
