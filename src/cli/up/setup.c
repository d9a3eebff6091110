/* SPDX-License-Identifier: Apache-2.0 */
/* Through the hub's API: the node of this machine, and what it measures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cli/output.h"
#include "cli/up/surroundings.h"
#include "cli/up/up.h"

#define JOIN_WAIT     (60 * SN_NS_PER_S)
#define NODE_FILE_MAX 65536
#define NAMES_TRIED   20
#define NAME_PREFIX   "up: " /* measurements that are ours to stop */
#define FOR_EVER      " ... future / 2s"
#define LIVE_PATH     "/api/v1/measurements?state=waiting,running&limit=1000"

/* Joining --------------------------------------------------------------- */

/* The id of the node that this directory belongs to; false without one. */
static bool read_node_id(struct sn_up *up)
{
	sn_autofree char *path = sn_fs_join(up->node_dir, "node.json");
	struct sn_buf text = {0};
	const char *id = NULL;
	json_t *json = NULL;

	if (sn_fs_read(path, NODE_FILE_MAX, &text, NULL) == 0)
		json = sn_json_parse(text.p, text.n, NULL);
	id = sn_output_text(json, "node");
	if (id != NULL)
		snprintf(up->node_id, sizeof(up->node_id), "%s", id);
	json_decref(json);
	sn_buf_finish(&text);
	return id != NULL;
}

/* 0 if the hub lets this node in, -ENOENT if it does not know it (any more). */
static int node_is_known(struct sn_up *up, struct sn_err *err)
{
	struct sn_buf path = {0};
	json_t *node = NULL;
	const char *state;
	int rc;

	sn_buf_adds(&path, "/api/v1/nodes/");
	sn_url_encode(&path, sn_str(up->node_id));
	rc = sn_client_get(up->client, sn_buf_cstr(&path), &node, err);
	state = sn_output_text(node, "state");
	if (rc == 0 && state != NULL && strcmp(state, "revoked") == 0)
		rc = -ENOENT;
	json_decref(node);
	sn_buf_finish(&path);
	return rc;
}

/* A node of another hub: its rows are kept, beside the new one. */
static int put_aside(struct sn_up *up, struct sn_err *err)
{
	sn_autofree char *aside = sn_xasprintf("%s-%s", up->node_dir, up->node_id);

	if (rename(up->node_dir, aside) != 0)
		return sn_err_sys(err, -errno, "cannot put '%s' aside", up->node_dir);
	fprintf(stderr, "the hub does not know the node in '%s': it is kept as '%s'\n",
		up->node_dir, aside);
	if (sn_fs_mkdirs(up->node_dir, 0700, err) != 0)
		return err->code;
	if (up->rights.switches && chown(up->node_dir, up->rights.uid, up->rights.gid) != 0)
		return sn_err_sys(err, -errno, "cannot give '%s' to user '%s'", up->node_dir,
				  up->rights.user);
	return 0;
}

struct join {
	struct sn_up *up;
	bool ended;
	int status;
};

static void join_ended(struct sn_proc *proc SN_UNUSED, int status, void *ctx)
{
	struct join *join = ctx;

	join->ended = true;
	join->status = status;
	sn_up_wake(join->up);
}

/* What it says on standard output is ours to say. */
static void join_line(struct sn_proc *proc SN_UNUSED, struct sn_str line SN_UNUSED,
		      int error SN_UNUSED, void *ctx SN_UNUSED)
{
}

static int run_join(struct sn_up *up, const char *token, const char *name, struct sn_err *err)
{
	struct join join = {.up = up};
	struct sn_up_argv argv = {0};
	struct sn_proc_spec spec = {.on_line = join_line, .on_exit = join_ended, .ctx = &join};
	struct sn_proc *proc = NULL;
	int rc;

	sn_up_command(up, "sonde-node", &argv);
	sn_up_arg(&argv, "join");
	sn_up_arg(&argv, "%s", up->node_url);
	sn_up_arg(&argv, "%s", token);
	sn_up_arg(&argv, "--state");
	sn_up_arg(&argv, "%s", up->node_dir);
	sn_up_arg(&argv, "--name");
	sn_up_arg(&argv, "%s", name);
	spec.argv = (const char *const *)argv.items;
	rc = sn_proc_start(up->loop, &spec, &proc, err);
	if (rc == 0) {
		rc = sn_up_wait(up, &join.ended, JOIN_WAIT);
		if (rc != 0)
			sn_err_sys(err, rc, "the node could not join the hub");
		else if (join.status != 0)
			rc = sn_err_set(
				err, -EIO,
				"the node could not join the hub (its reason stands above)");
		sn_proc_destroy(proc);
	}
	sn_up_argv_finish(&argv);
	return rc;
}

/* Letters, digits and what a node's name may hold besides. */
static void default_name(char *out, size_t size)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	for (char *p = host; *p != '\0'; p++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
			   *p) == NULL)
			*p = '-';
	snprintf(out, size, "%s", host[0] != '\0' && host[0] != '-' ? host : "here");
}

static int invite(struct sn_up *up, char **token, struct sn_err *err)
{
	sn_autojson json_t *body = json_object();
	sn_autojson json_t *answer = NULL;
	const char *text;
	int rc = sn_client_call(up->client, "POST", "/api/v1/invites", body, &answer, err);

	if (rc != 0)
		return rc;
	text = sn_output_text(answer, "token");
	if (text == NULL)
		return sn_err_set(err, -EPROTO, "the hub's invitation holds no token");
	*token = sn_xstrdup(text);
	return 0;
}

static int join_anew(struct sn_up *up, struct sn_err *err)
{
	char name[SN_UP_NODE_NAME];
	sn_autofree char *token = NULL;
	int rc = invite(up, &token, err);

	default_name(name, sizeof(name));
	if (rc == 0)
		rc = run_join(up, token,
			      up->config->node_name != NULL ? up->config->node_name : name, err);
	if (rc == 0 && !read_node_id(up))
		rc = sn_err_set(err, -EIO, "'%s' has no identity after joining", up->node_dir);
	return rc;
}

int sn_up_enrol(struct sn_up *up, struct sn_err *err)
{
	int rc;

	if (!read_node_id(up))
		return join_anew(up, err);
	rc = node_is_known(up, err);
	if (rc != -ENOENT)
		return rc;
	rc = put_aside(up, err);
	return rc != 0 ? rc : join_anew(up, err);
}

/* Measurements ----------------------------------------------------------------- */

struct wanted {
	const char *name; /* with the prefix */
	json_t *targets;
	bool there;
};

enum { WANTED_MAX = 4 };

struct plan {
	struct wanted wanted[WANTED_MAX];
	size_t count;
	struct sn_up *up;
	json_t *outdated; /* ids of ours that are not what they should be */
};

static void want(struct plan *plan, const char *name, const char *const *targets, unsigned count)
{
	struct wanted *wanted = &plan->wanted[plan->count];

	if (count == 0)
		return;
	*wanted = (struct wanted){.name = name, .targets = json_array()};
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(wanted->targets, json_string(targets[i]));
	plan->count++;
}

static void make_plan(struct plan *plan, const struct sn_up_config *config)
{
	struct sn_surroundings here = {0};
	const char *resolvers[SN_RESOLVERS_MAX], *gateway = here.gateway, *hub = "127.0.0.1";

	if (config->defaults)
		sn_surroundings_read(&here);
	for (unsigned i = 0; i < here.resolver_count; i++)
		resolvers[i] = here.resolvers[i];
	if (config->defaults) {
		want(plan, NAME_PREFIX "gateway", &gateway, here.gateway[0] != '\0');
		want(plan, NAME_PREFIX "resolver", resolvers, here.resolver_count);
		want(plan, NAME_PREFIX "hub", &hub, 1);
	}
	want(plan, NAME_PREFIX "targets", config->targets, config->target_count);
}

static json_t *measurement_body(const struct plan *plan, const struct wanted *wanted)
{
	return json_pack("{s:s, s:s, s:[s], s:{s:s, s:s, s:O}, s:s}", "name", wanted->name,
			 "capability", "ping", "nodes", plan->up->node_id, "parameters", "count",
			 "5", "interval", "200ms", "targets", wanted->targets, "when",
			 "now" FOR_EVER);
}

/* The same but for when it began. */
static bool is_same(const struct plan *plan, const struct wanted *wanted, const json_t *measurement)
{
	static const char *const members[] = {"name", "capability", "parameters"};
	sn_autojson json_t *body = measurement_body(plan, wanted);
	const char *when = sn_output_text(measurement, "when");
	size_t n = when != NULL ? strlen(when) : 0;

	for (size_t i = 0; i < SN_COUNT(members); i++)
		if (!json_equal(json_object_get(body, members[i]),
				json_object_get(measurement, members[i])))
			return false;
	return n > strlen(FOR_EVER) && strcmp(when + n - strlen(FOR_EVER), FOR_EVER) == 0;
}

/* Does it concern our node only? */
static bool for_our_node(const struct plan *plan, const json_t *measurement)
{
	const json_t *nodes = json_object_get(json_object_get(measurement, "selection"), "nodes");
	const char *node = json_string_value(json_array_get(nodes, 0));

	return json_array_size(nodes) == 1 && node != NULL && strcmp(node, plan->up->node_id) == 0;
}

static int look_at(const json_t *measurement, void *ctx)
{
	struct plan *plan = ctx;
	const char *name = sn_output_text(measurement, "name");

	if (name == NULL || !sn_str_has_prefix(sn_str(name), NAME_PREFIX) ||
	    !for_our_node(plan, measurement))
		return 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->wanted[i].there && is_same(plan, &plan->wanted[i], measurement)) {
			plan->wanted[i].there = true;
			return 0;
		}
	}
	json_array_append(plan->outdated, json_object_get(measurement, "id"));
	return 0;
}

static int stop_outdated(struct plan *plan, struct sn_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < json_array_size(plan->outdated) && rc == 0; i++) {
		const char *id = json_string_value(json_array_get(plan->outdated, i));
		sn_autofree char *path =
			sn_xasprintf("/api/v1/measurements/%s/stop", id != NULL ? id : "");

		rc = sn_client_call(plan->up->client, "POST", path, NULL, NULL, err);
		if (rc == -ENOENT || rc == -EEXIST) /* gone, or ended by itself */
			rc = 0;
	}
	return rc;
}

static int add_missing(struct plan *plan, struct sn_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < plan->count && rc == 0; i++) {
		sn_autojson json_t *body = NULL;

		if (plan->wanted[i].there)
			continue;
		body = measurement_body(plan, &plan->wanted[i]);
		rc = sn_client_call(plan->up->client, "POST", "/api/v1/measurements", body, NULL,
				    err);
		if (rc != 0)
			sn_err_wrap(err, "measurement '%s'", plan->wanted[i].name);
	}
	return rc;
}

int sn_up_measurements(struct sn_up *up, void (*line)(const char *name, const char *targets),
		       struct sn_err *err)
{
	struct plan plan = {.up = up, .outdated = json_array()};
	int rc;

	make_plan(&plan, up->config);
	rc = sn_client_each(up->client, LIVE_PATH, look_at, &plan, err);
	if (rc == 0)
		rc = stop_outdated(&plan, err);
	if (rc == 0)
		rc = add_missing(&plan, err);
	for (size_t i = 0; i < plan.count; i++) {
		sn_autofree char *targets = sn_output_texts(plan.wanted[i].targets);

		if (rc == 0)
			line(plan.wanted[i].name + strlen(NAME_PREFIX), targets);
		json_decref(plan.wanted[i].targets);
	}
	json_decref(plan.outdated);
	return rc;
}
