/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde node`: the machines that measure, how to add one and how to shut one out. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json, dry_run;
	int64_t expires;
	const char *name, *latitude, *longitude, *place;
};

static enum sn_tone tone_of_state(const char *state)
{
	if (state == NULL)
		return SN_TONE_QUIET;
	return strcmp(state, "online") == 0    ? SN_TONE_GOOD
	       : strcmp(state, "offline") == 0 ? SN_TONE_BAD
					       : SN_TONE_QUIET;
}

static void cell_ago(struct sn_table *table, const json_t *node, const char *key)
{
	char text[SN_TIME_LOCAL_MAX];
	int64_t unix_ns;

	if (sn_output_time(node, key, &unix_ns))
		sn_table_cell(table, SN_TONE_PLAIN,
			      sn_shape_ago(unix_ns, sn_wall_ns(), text, sizeof(text)));
	else
		sn_table_cell(table, SN_TONE_QUIET, NULL);
}

static void cell_number(struct sn_table *table, enum sn_tone tone, double value, double factor,
			int decimals)
{
	if (isnan(value))
		sn_table_cell(table, SN_TONE_QUIET, NULL);
	else
		sn_table_cellf(table, tone, "%.*f", decimals, value * factor);
}

/* List ------------------------------------------------------------------ */

static const struct sn_table_column list_columns[] = {
	{.header = "name", .shrink = true},
	{.header = "state"},
	{.header = "last seen"},
	{.header = "loss (%)", .right = true},
	{.header = "rtt_p50 (ms)", .right = true},
	{.header = "targets", .right = true, .drop = 2},
	{.header = "place", .sparse = true, .shrink = true, .drop = 3},
	{.header = "methods", .sparse = true, .shrink = true, .drop = 4},
	{.header = "version", .sparse = true, .drop = 5},
	{.header = "problems", .sparse = true, .shrink = true, .drop = 1},
};

static int add_node_row(const json_t *node, void *ctx)
{
	struct sn_table *table = ctx;
	const json_t *now = json_object_get(node, "now");
	const char *state = sn_output_text(node, "state");
	double loss = sn_output_number(now, "loss_ratio");
	sn_autofree char *methods = sn_output_texts(json_object_get(node, "methods"));
	sn_autofree char *problems = sn_output_texts(json_object_get(node, "problems"));

	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(node, "name"));
	sn_table_cell(table, tone_of_state(state), state);
	cell_ago(table, node, "last_seen");
	cell_number(table, loss > 0 ? SN_TONE_WARN : SN_TONE_PLAIN, loss, 100, 2);
	cell_number(table, SN_TONE_PLAIN, sn_output_number(now, "rtt_p50_seconds"), 1e3, 3);
	cell_number(table, SN_TONE_PLAIN, sn_output_number(now, "targets"), 1, 0);
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(node, "place"));
	sn_table_cell(table, SN_TONE_PLAIN, methods);
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(node, "version"));
	sn_table_cell(table, SN_TONE_WARN, problems);
	return 0;
}

static int print_item(const json_t *item, void *ctx)
{
	sn_output_json_line(ctx, item);
	return 0;
}

static int list_nodes(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	static const char path[] = "/api/v1/nodes?limit=1000";
	struct sn_table *table;
	int rc;

	if (given->json)
		return sn_client_each(client, path, print_item, stdout, err);
	table = sn_table_create(list_columns, SN_COUNT(list_columns));
	rc = sn_client_each(client, path, add_node_row, table, err);
	if (rc == 0 && sn_table_rows(table) == 0)
		fputs("no nodes yet ('sonde node invite' says how to add one)\n", stderr);
	else if (rc == 0)
		sn_table_show(table, stdout);
	sn_table_destroy(table);
	return rc;
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list_nodes, given);
}

/* One ------------------------------------------------------------------- */

static char *node_path(const char *name, const char *rest)
{
	struct sn_buf path = {0};

	sn_buf_adds(&path, "/api/v1/nodes/");
	sn_url_encode(&path, sn_str(name));
	sn_buf_adds(&path, rest);
	sn_buf_cstr(&path);
	return path.p;
}

/* "not found" alone helps nobody: which names are there? */
static int say_unknown(struct sn_client *client, const char *name, struct sn_err *err)
{
	struct sn_names *names;
	struct sn_err ignored = {0};

	if (sn_names_fetch(client, &names, &ignored) != 0)
		return err->code;
	sn_names_unknown(names, name, err);
	sn_names_destroy(names);
	return err->code;
}

static void line(const char *label, const char *text)
{
	sn_print_pair(stdout, 20, label, text != NULL && *text != '\0' ? text : "-");
}

static void line_time(const json_t *node, const char *label, const char *key)
{
	char local[SN_TIME_LOCAL_MAX], ago[SN_TIME_LOCAL_MAX], both[2 * SN_TIME_LOCAL_MAX + 4];
	int64_t unix_ns;

	if (!sn_output_time(node, key, &unix_ns)) {
		line(label, NULL);
		return;
	}
	snprintf(both, sizeof(both), "%s (%s)", sn_shape_time(unix_ns, local, sizeof(local)),
		 sn_shape_ago(unix_ns, sn_wall_ns(), ago, sizeof(ago)));
	line(label, both);
}

static void lines_now(const json_t *node)
{
	const json_t *now = json_object_get(node, "now");
	double loss = sn_output_number(now, "loss_ratio");
	double rtt = sn_output_number(now, "rtt_p50_seconds");
	char text[64] = "";

	if (!isnan(loss))
		snprintf(text, sizeof(text), "%.2f", loss * 100);
	line("loss (%)", text);
	text[0] = '\0';
	if (!isnan(rtt))
		snprintf(text, sizeof(text), "%.3f", rtt * 1e3);
	line("rtt_p50 (ms)", text);
}

static void lines_interfaces(const json_t *node)
{
	const json_t *interfaces = json_object_get(node, "interfaces");

	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *interface = json_array_get(interfaces, i);
		sn_autofree char *addresses =
			sn_output_texts(json_object_get(interface, "addresses"));
		const char *name = sn_output_text(interface, "name");
		sn_autofree char *text = sn_xasprintf(
			"%s %s%s", name != NULL ? name : "?", addresses,
			json_is_false(json_object_get(interface, "up")) ? " (down)" : "");

		line(i == 0 ? "interfaces" : "", text);
	}
}

static void lines_texts(const json_t *node, const char *key)
{
	sn_autofree char *text = sn_output_texts(json_object_get(node, key));

	line(key, text);
}

static void show_node(const json_t *node)
{
	const json_t *spool = json_object_get(node, "spool");
	double batches = sn_output_number(spool, "batches");
	double bytes = sn_output_number(spool, "bytes");
	double latitude = sn_output_number(node, "latitude");
	double longitude = sn_output_number(node, "longitude");
	char text[128] = "";

	line("name", sn_output_text(node, "name"));
	line("id", sn_output_text(node, "id"));
	line("state", sn_output_text(node, "state"));
	line_time(node, "last seen", "last_seen");
	line_time(node, "enrolled", "enrolled");
	line_time(node, "certificate expires", "certificate_expires");
	line("version", sn_output_text(node, "version"));
	line("place", sn_output_text(node, "place"));
	if (!isnan(latitude) && !isnan(longitude))
		snprintf(text, sizeof(text), "%.5f, %.5f", latitude, longitude);
	line("position (degrees)", text);
	lines_texts(node, "tags");
	lines_texts(node, "methods");
	lines_now(node);
	lines_interfaces(node);
	text[0] = '\0';
	if (!isnan(batches) && !isnan(bytes))
		snprintf(text, sizeof(text), "%.0f batches, %.0f B", batches, bytes);
	line("spool", text);
	lines_texts(node, "problems");
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv)
{
	const struct options *given = opts;
	sn_autofree char *path = node_path(argv[0], "");
	struct sn_client *client;
	struct sn_err err = {0};
	json_t *node = NULL;
	int rc = sn_client_open(&given->client, &client, &err);

	if (rc != 0)
		return sn_client_fail(&err);
	rc = sn_client_get(client, path, &node, &err);
	if (rc == -ENOENT)
		rc = say_unknown(client, argv[0], &err);
	sn_client_close(client);
	if (rc != 0)
		return sn_client_fail(&err);
	if (given->json)
		sn_output_json_line(stdout, node);
	else
		show_node(node);
	json_decref(node);
	return SN_EXIT_OK;
}

/* What the options say about a node -------------------------------------- */

static int add_degrees(json_t *body, const char *name, const char *text, double limit)
{
	double degrees;
	int rc;

	if (text == NULL)
		return SN_EXIT_OK;
	rc = sn_parse_double(sn_str(text), -limit, limit, &degrees);
	if (rc == -ERANGE)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "option '--%s': '%s' is out of range (allowed: %.0f to %.0f)",
				   name, text, -limit, limit);
	if (rc != 0)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "option '--%s': '%s' is no number of degrees (like 41.89)", name,
				   text);
	json_object_set_new(body, name, json_real(degrees));
	return SN_EXIT_OK;
}

static int add_description(const struct options *given, json_t *body)
{
	int code;

	if ((given->latitude != NULL) != (given->longitude != NULL))
		return sn_cli_fail(SN_EXIT_USAGE, "'--latitude' and '--longitude' go together");
	code = add_degrees(body, "latitude", given->latitude, 90);
	if (code == SN_EXIT_OK)
		code = add_degrees(body, "longitude", given->longitude, 180);
	if (given->place != NULL)
		json_object_set_new(body, "place", json_string(given->place));
	return code;
}

/* Invite ---------------------------------------------------------------- */

static int fill_invitation(const struct options *given, int argc, char **argv, json_t *body)
{
	char text[SN_DURATION_TEXT_MAX];

	if (argc > 0)
		json_object_set_new(body, "name", json_string(argv[0]));
	if (given->expires > 0)
		json_object_set_new(
			body, "expires_in",
			json_string(sn_format_duration(given->expires, text, sizeof(text))));
	return add_description(given, body);
}

static void show_invitation(const json_t *invite)
{
	const char *command = sn_output_text(invite, "command");
	char text[SN_TIME_LOCAL_MAX], ago[SN_TIME_LOCAL_MAX];
	int64_t expires_ns;

	printf("%s\n", command != NULL ? command : "?");
	if (sn_output_time(invite, "expires", &expires_ns))
		fprintf(stderr, "Run this on the new node before %s (%s). The token works once.\n",
			sn_shape_time(expires_ns, text, sizeof(text)),
			sn_shape_ago(expires_ns, sn_wall_ns(), ago, sizeof(ago)));
}

static int run_invite(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	sn_autojson json_t *body = json_object();
	sn_autojson json_t *invite = NULL;
	struct sn_client *client;
	struct sn_err err = {0};
	int code = fill_invitation(given, argc, argv, body), rc;

	if (code != SN_EXIT_OK)
		return code;
	rc = sn_client_open(&given->client, &client, &err);
	if (rc == 0) {
		rc = sn_client_call(client, "POST", "/api/v1/invites", body, &invite, &err);
		sn_client_close(client);
	}
	if (rc != 0)
		return sn_client_fail(&err);
	if (given->json)
		sn_output_json_line(stdout, invite);
	else
		show_invitation(invite);
	return SN_EXIT_OK;
}

/* Set and revoke -------------------------------------------------------- */

struct change {
	const char *method, *suffix; /* of the request; the suffix goes behind the node's path */
	json_t *body;
	const char *done, *would; /* what is said to people */
	const struct options *given;
	const char *name; /* or id, of the node */
};

/* With --dry-run the node is only looked up. */
static int change_node(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct change *change = ctx;
	const struct options *given = change->given;
	const char *name = change->name;
	sn_autofree char *path = node_path(name, given->dry_run ? "" : change->suffix);
	sn_autojson json_t *node = NULL;
	const char *shown, *id;
	int rc;

	if (given->dry_run)
		rc = sn_client_get(client, path, &node, err);
	else
		rc = sn_client_call(client, change->method, path, change->body, &node, err);
	if (rc == -ENOENT)
		rc = say_unknown(client, name, err);
	if (rc != 0)
		return rc;
	shown = sn_output_text(node, "name");
	id = sn_output_text(node, "id");
	if (given->json)
		sn_output_json_line(stdout, node);
	else
		printf("%s '%s' (%s)\n", given->dry_run ? change->would : change->done,
		       shown != NULL ? shown : name, id != NULL ? id : "?");
	return 0;
}

static int run_set(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		   char **argv)
{
	const struct options *given = opts;
	sn_autojson json_t *body = json_object();
	struct change change = {"PATCH", "", body, "changed", "would change", given, argv[0]};
	int code = add_description(given, body);

	if (code != SN_EXIT_OK)
		return code;
	if (given->name != NULL)
		json_object_set_new(body, "name", json_string(given->name));
	if (json_object_size(body) == 0)
		return sn_cli_fail(SN_EXIT_USAGE, "nothing to change (give --name, --place, "
						  "--latitude or --longitude)");
	return sn_client_run(&given->client, change_node, &change);
}

static int run_revoke(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		      char **argv)
{
	const struct options *given = opts;
	struct change change = {"POST",           "/revoke", NULL,   "shut out",
				"would shut out", given,     argv[0]};

	return sn_client_run(&given->client, change_node, &change);
}

/* Tables ---------------------------------------------------------------- */

static const struct sn_opt plain_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

#define PLACE_OPTIONS                                                                              \
	{SN_OPT("place", 'p', SN_OPT_TEXT, place, "TEXT", "where the node stands, for people")},   \
		{SN_OPT("latitude", 0, SN_OPT_TEXT, latitude, "DEGREES",                           \
			"where it stands, north positive")},                                       \
	{                                                                                          \
		SN_OPT("longitude", 0, SN_OPT_TEXT, longitude, "DEGREES",                          \
		       "where it stands, east positive")                                           \
	}

static const struct sn_opt invite_options[] = {
	{SN_OPT("expires", 'e', SN_OPT_DURATION, expires, "TIME", "how long the token works (1h)"),
	 .min = 60 * SN_NS_PER_S, .max = 365 * 86400 * SN_NS_PER_S},
	PLACE_OPTIONS,
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt set_options[] = {
	{SN_OPT("name", 'n', SN_OPT_TEXT, name, "TEXT", "what to call it from now on")},
	PLACE_OPTIONS,
	{SN_OPT("dry-run", 0, SN_OPT_FLAG, dry_run, NULL, "only say which node it would be")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt revoke_options[] = {
	{SN_OPT("dry-run", 0, SN_OPT_FLAG, dry_run, NULL, "only say which node it would be")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "node list",
		.watch = true,
		.arguments = "",
		.help = "Show all nodes: state, last seen, loss and delay now.",
		.examples = "sonde node list\n"
			    "sonde node list --json | jq -r 'select(.state==\"offline\").name'",
		.options = plain_options,
		.option_count = SN_COUNT(plain_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "node show",
		.watch = true,
		.arguments = "NODE",
		.help = "Show everything about one node.",
		.examples = "sonde node show rome\nsonde node show rome --json",
		.options = plain_options,
		.option_count = SN_COUNT(plain_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_show,
		.complete = "node",
	},
	{
		.path = "node invite",
		.arguments = "[NAME]",
		.help = "Make a single-use token for a new node; prints the command to run there.",
		.examples =
			"sonde node invite rome --place Roma --latitude 41.89 --longitude 12.49\n"
			"ssh root@rome \"$(sonde node invite rome)\"",
		.options = invite_options,
		.option_count = SN_COUNT(invite_options),
		.options_size = sizeof(struct options),
		.max_args = 1,
		.run = run_invite,
	},
	{
		.path = "node set",
		.arguments = "NODE",
		.help = "Change what a node is called and where it stands.",
		.examples = "sonde node set rome --place Roma --latitude 41.89 --longitude 12.49\n"
			    "sonde node set rome --name rome-1",
		.options = set_options,
		.option_count = SN_COUNT(set_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_set,
		.complete = "node",
	},
	{
		.path = "node revoke",
		.arguments = "NODE",
		.help = "Shut a node out at once and for ever; its rows stay.",
		.examples = "sonde node revoke rome --dry-run\nsonde node revoke rome",
		.options = revoke_options,
		.option_count = SN_COUNT(revoke_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_revoke,
		.complete = "node",
	},
};
const struct sn_cli_verbs sn_cli_node_verbs = {verbs, SN_COUNT(verbs)};
