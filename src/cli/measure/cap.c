/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde cap`: what can be measured, by whom, with which parameters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/measure/capability.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json;
	const char *node, *kind;
};

/* List ------------------------------------------------------------------- */

static const struct sn_table_column list_columns[] = {
	{.header = "capability"},
	{.header = "providers", .right = true},
	{.header = "online", .right = true},
	{.header = "when", .shrink = true, .drop = 2},
	{.header = "what it does", .shrink = true},
	{.header = "registry", .shrink = true, .drop = 1},
};

static size_t count_online(const json_t *providers)
{
	size_t online = 0, i;
	const json_t *item;

	json_array_foreach (providers, i, item) {
		const char *state = sn_output_text(item, "state");

		online += state != NULL && strcmp(state, "online") == 0;
	}
	return online;
}

static int add_row(const json_t *item, void *ctx)
{
	struct sn_table *table = ctx;
	const json_t *providers = json_object_get(item, "providers");
	size_t all = json_array_size(providers), online = count_online(providers);
	const char *help = sn_output_text(item, "help");

	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "label"));
	sn_table_cellf(table, SN_TONE_PLAIN, "%zu", all);
	sn_table_cellf(table,
		       online == 0    ? SN_TONE_BAD
		       : online < all ? SN_TONE_WARN
				      : SN_TONE_GOOD,
		       "%zu", online);
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "when"));
	sn_table_cell(table, SN_TONE_PLAIN,
		      help != NULL && *help != '\0' ? help : sn_output_text(item, "title"));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "registry"));
	return 0;
}

static int print_item(const json_t *item, void *ctx)
{
	sn_output_json_line(ctx, item);
	return 0;
}

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	struct sn_buf path = {0};
	struct sn_table *table = sn_table_create(list_columns, SN_COUNT(list_columns));
	int rc;

	sn_buf_adds(&path, "/api/v1/capabilities?limit=1000");
	if (given->node != NULL) {
		sn_buf_adds(&path, "&node=");
		sn_url_encode(&path, sn_str(given->node));
	}
	if (given->kind != NULL) {
		sn_buf_adds(&path, "&kind=");
		sn_url_encode(&path, sn_str(given->kind));
	}
	if (given->json)
		rc = sn_client_each(client, sn_buf_cstr(&path), print_item, stdout, err);
	else
		rc = sn_client_each(client, sn_buf_cstr(&path), add_row, table, err);
	if (rc == 0 && !given->json && sn_table_rows(table) == 0)
		fputs("nothing can be measured yet, or nothing that you may ('sonde node list' "
		      "shows the nodes)\n",
		      stderr);
	else if (rc == 0 && !given->json)
		sn_table_show(table, stdout);
	sn_table_destroy(table);
	sn_buf_finish(&path);
	return rc;
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list, given);
}

/* Show ------------------------------------------------------------------- */

static const struct sn_table_column parameter_columns[] = {
	{.header = "parameter"},
	{.header = "type"},
	{.header = "allowed", .shrink = true},
	{.header = "default"},
	{.header = "unit", .sparse = true},
	{.header = "meaning", .shrink = true, .drop = 1},
};

static const struct sn_table_column column_columns[] = {
	{.header = "column"},
	{.header = "type"},
	{.header = "unit"},
	{.header = "meaning", .shrink = true, .drop = 1},
};

static const struct sn_table_column provider_columns[] = {
	{.header = "provider"},
	{.header = "state"},
	{.header = "token", .drop = 1},
};

static void line(const char *label, const char *text)
{
	if (text != NULL && *text != '\0')
		sn_print_pair(stdout, 12, label, text);
}

static void show_parameters(const json_t *capability)
{
	struct sn_table *table = sn_table_create(parameter_columns, SN_COUNT(parameter_columns));
	size_t i;
	const json_t *item;

	json_array_foreach (json_object_get(capability, "parameters"), i, item) {
		bool required = json_is_true(json_object_get(item, "required"));
		const char *otherwise = sn_output_text(item, "default");

		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "name"));
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "type"));
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "constraint"));
		sn_table_cell(table, required ? SN_TONE_WARN : SN_TONE_PLAIN,
			      required ? "must be given" : otherwise);
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "unit"));
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "help"));
	}
	if (sn_table_rows(table) > 0) {
		putchar('\n');
		sn_table_show(table, stdout);
	}
	sn_table_destroy(table);
}

static void show_columns(const json_t *capability)
{
	struct sn_table *table = sn_table_create(column_columns, SN_COUNT(column_columns));
	size_t i;
	const json_t *item;

	json_array_foreach (json_object_get(capability, "columns"), i, item) {
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "name"));
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "type"));
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "unit"));
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "help"));
	}
	if (sn_table_rows(table) > 0) {
		putchar('\n');
		sn_table_show(table, stdout);
	}
	sn_table_destroy(table);
}

static void show_providers(const json_t *capability)
{
	struct sn_table *table = sn_table_create(provider_columns, SN_COUNT(provider_columns));
	size_t i;
	const json_t *item;

	json_array_foreach (json_object_get(capability, "providers"), i, item) {
		const char *state = sn_output_text(item, "state");
		bool online = state != NULL && strcmp(state, "online") == 0;

		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "name"));
		sn_table_cell(table, online ? SN_TONE_GOOD : SN_TONE_BAD, state);
		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "token"));
	}
	putchar('\n');
	sn_table_show(table, stdout);
	sn_table_destroy(table);
}

/* A command that would work, with the words that must be given. */
static void show_command(const json_t *capability)
{
	size_t i;
	const json_t *item;

	printf("\nsonde measure %s", sn_output_text(capability, "label"));
	json_array_foreach (json_object_get(capability, "parameters"), i, item) {
		const char *type = sn_output_text(item, "type");

		if (!json_is_true(json_object_get(item, "required")))
			continue;
		if (type != NULL && strcmp(type, "targets") == 0)
			printf(" TARGET");
		else
			printf(" %s=...", sn_output_text(item, "name"));
	}
	putchar('\n');
}

static int show(const json_t *capability)
{
	line("capability", sn_output_text(capability, "label"));
	line("", sn_output_text(capability, "help"));
	line("verb", sn_output_text(capability, "verb"));
	line("when", sn_output_text(capability, "when"));
	line("registry", sn_output_text(capability, "registry"));
	line("dataset", sn_output_text(capability, "dataset"));
	show_parameters(capability);
	show_columns(capability);
	show_providers(capability);
	show_command(capability);
	return SN_EXIT_OK;
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv)
{
	const struct options *given = opts;
	sn_autojson json_t *capability = NULL;
	struct sn_client *client;
	struct sn_err err = {0};
	int rc = sn_client_open(&given->client, &client, &err);

	if (rc != 0)
		return sn_client_fail(&err);
	rc = sn_capability_fetch(client, argv[0], &capability, &err);
	sn_client_close(client);
	if (rc != 0)
		return sn_client_fail(&err);
	if (!given->json)
		return show(capability);
	sn_output_json_line(stdout, capability);
	return SN_EXIT_OK;
}

/* Tables ----------------------------------------------------------------- */

static const struct sn_opt list_options[] = {
	{SN_OPT("node", 'n', SN_OPT_TEXT, node, "NODE", "only what this node offers (name or id)"),
	 .group = "Which"},
	{SN_OPT("kind", 'k', SN_OPT_TEXT, kind, "KIND",
		"only of our nodes (native) or of mPlane peers (peer)")},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line"),
	 .group = "Output"},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt show_options[] = {
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line")},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "cap list",
		.watch = true,
		.arguments = "",
		.help = "Show what can be measured, and by how many.",
		.examples = "sonde cap list\nsonde cap list --node rome --json",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "cap show",
		.arguments = "CAPABILITY",
		.help = "Show one capability: parameters, columns, who offers it.",
		.examples = "sonde cap show ping\nsonde cap show ping-average-ip4 --json",
		.options = show_options,
		.option_count = SN_COUNT(show_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_show,
		.complete = "capability",
	},
};
const struct sn_cli_verbs sn_cli_cap_verbs = {verbs, SN_COUNT(verbs)};
