/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde math`: streams of logs that the hub fetches from probes; and both sides alone. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/table.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	bool json, local_time;
	const char *type, *start;
	/* Of the verb that runs. */
	const char *name, *url;
};

static enum sn_tone tone_of(const char *state)
{
	if (state == NULL)
		return SN_TONE_QUIET;
	return strcmp(state, "current") == 0    ? SN_TONE_GOOD
	       : strcmp(state, "fetching") == 0 ? SN_TONE_PLAIN
						: SN_TONE_WARN;
}

/* List ---------------------------------------------------------------------------------- */

static const struct sn_table_column list_columns[] = {
	{.header = "stream", .shrink = true},
	{.header = "type", .shrink = true, .drop = 4},
	{.header = "state"},
	{.header = "position"},
	{.header = "files", .right = true},
	{.header = "rows", .right = true},
	{.header = "size", .right = true, .drop = 2},
	{.header = "from", .shrink = true, .drop = 3},
	{.header = "reason", .sparse = true, .shrink = true},
};

static void cell_time(struct sn_table *table, const json_t *item, const char *key)
{
	char text[SN_TIME_LOCAL_MAX];
	int64_t unix_ns;

	sn_table_cell(table, SN_TONE_PLAIN,
		      sn_output_time(item, key, &unix_ns)
			      ? sn_shape_time(unix_ns, text, sizeof(text))
			      : NULL);
}

static int add_row(const json_t *item, void *ctx)
{
	struct sn_table *table = ctx;
	const char *state = sn_output_text(item, "state");
	double bytes = sn_output_number(item, "bytes");
	char text[32];

	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "stream"));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "type"));
	sn_table_cell(table, tone_of(state), state);
	cell_time(table, item, "position");
	sn_table_cellf(table, SN_TONE_PLAIN, "%.0f", sn_output_number(item, "files"));
	sn_table_cellf(table, SN_TONE_PLAIN, "%.0f", sn_output_number(item, "rows"));
	sn_table_cell(table, SN_TONE_PLAIN,
		      sn_format_bytes(isnan(bytes) ? 0 : (uint64_t)bytes, text, sizeof(text)));
	sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(item, "url"));
	sn_table_cell(table, SN_TONE_WARN, sn_output_text(item, "reason"));
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
	static const char path[] = "/api/v1/math?limit=1000";
	struct sn_table *table;
	int rc;

	if (given->json)
		return sn_client_each(client, path, print_item, stdout, err);
	table = sn_table_create(list_columns, SN_COUNT(list_columns));
	rc = sn_client_each(client, path, add_row, table, err);
	if (rc == 0 && sn_table_rows(table) == 0)
		fputs("no streams yet ('sonde math add' adds one, or a probe announces itself)\n",
		      stderr);
	else if (rc == 0)
		sn_table_show(table, stdout);
	sn_table_destroy(table);
	return rc;
}

/* One ------------------------------------------------------------------------------------ */

struct search {
	const char *name;
	json_t *found;
};

static int look_at(const json_t *item, void *ctx)
{
	struct search *search = ctx;
	const char *id = sn_output_text(item, "id"), *stream = sn_output_text(item, "stream");

	if (search->found == NULL && ((id != NULL && strcmp(id, search->name) == 0) ||
				      (stream != NULL && strcmp(stream, search->name) == 0)))
		search->found = json_deep_copy(item);
	return 0;
}

/* By id or name of the stream; a new reference. */
static int find(struct sn_client *client, const char *name, json_t **found, struct sn_err *err)
{
	struct search search = {.name = name};
	int rc = sn_client_each(client, "/api/v1/math?limit=1000", look_at, &search, err);

	if (rc == 0 && search.found == NULL)
		rc = sn_err_set(err, -ENOENT,
				"there is no stream '%s' ('sonde math list' lists them)", name);
	*found = search.found;
	return rc;
}

static int show(struct sn_client *client, void *ctx, struct sn_err *err)
{
	static const struct {
		const char *key, *label;
	} lines[] = {
		{"stream", "stream"},     {"id", "id"},
		{"type", "type"},         {"url", "from"},
		{"state", "state"},       {"reason", "reason"},
		{"position", "position"}, {"file", "file"},
		{"created", "since"},     {"by", "added by"},
		{"last", "last contact"},
	};
	static const char *const numbers[] = {"files", "bad_files",  "rows",       "bad_lines",
					      "bytes", "late_files", "lag_seconds"};
	const struct options *given = ctx;
	sn_autojson json_t *item = NULL;
	int rc = find(client, given->name, &item, err);

	if (rc != 0)
		return rc;
	if (given->json) {
		sn_output_json_line(stdout, item);
		return 0;
	}
	for (size_t i = 0; i < SN_COUNT(lines); i++) {
		const char *text = sn_output_text(item, lines[i].key);

		if (text != NULL)
			sn_print_pair(stdout, 14, lines[i].label, text);
	}
	for (size_t i = 0; i < SN_COUNT(numbers); i++) {
		double value = sn_output_number(item, numbers[i]);
		char text[32];

		snprintf(text, sizeof(text), "%.0f", value);
		if (!isnan(value))
			sn_print_pair(stdout, 14, numbers[i], text);
	}
	return 0;
}

/* Add and remove ------------------------------------------------------------------------- */

static int add(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *body =
		json_pack("{s:s, s:s}", "url", given->url, "stream", given->name);
	sn_autojson json_t *answer = NULL;
	int rc;

	if (given->type != NULL)
		json_object_set_new(body, "type", json_string(given->type));
	if (given->start != NULL)
		json_object_set_new(body, "start", json_string(given->start));
	if (given->local_time)
		json_object_set_new(body, "local_time", json_true());
	rc = sn_client_call(client, "POST", "/api/v1/math", body, &answer, err);
	if (rc != 0)
		return rc;
	if (given->json)
		sn_output_json_line(stdout, answer);
	else
		printf("the hub fetches stream '%s' from %s ('sonde math list' says how far it "
		       "is)\n",
		       given->name, given->url);
	return 0;
}

static int rm(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *item = NULL;
	sn_autofree char *path = NULL;
	int rc = find(client, given->name, &item, err);

	if (rc != 0)
		return rc;
	path = sn_xasprintf("/api/v1/math/%s", sn_output_text(item, "id"));
	rc = sn_client_call(client, "DELETE", path, NULL, NULL, err);
	if (rc == 0)
		printf("stream '%s' is not fetched any more; its rows stay\n", given->name);
	return rc;
}

/* Verbs ---------------------------------------------------------------------------------- */

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list, given);
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv)
{
	struct options *given = opts;

	given->name = argv[0];
	return sn_client_run(&given->client, show, given);
}

static int run_add(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		   char **argv)
{
	struct options *given = opts;

	given->url = argv[0];
	given->name = argv[1];
	return sn_client_run(&given->client, add, given);
}

static int run_rm(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED, char **argv)
{
	struct options *given = opts;

	given->name = argv[0];
	return sn_client_run(&given->client, rm, given);
}

static const struct sn_opt list_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt add_options[] = {
	{SN_OPT("type", 't', SN_OPT_TEXT, type, "TYPE",
		"tstat (all logs, default), log_tcp_complete_v15, or how file names begin")},
	{SN_OPT("start", 0, SN_OPT_TEXT, start, "TIME", "leave out logs that are older")},
	{SN_OPT("local-time", 0, SN_OPT_FLAG, local_time, NULL,
		"names of directories are in the hub's time zone, not UTC")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt rm_options[] = {
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "math list",
		.arguments = "",
		.help = "List the streams of logs that the hub fetches, and how far it is.",
		.examples = "sonde math list\nsonde math list --json",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "math show",
		.arguments = "STREAM",
		.help = "Show one stream.",
		.examples = "sonde math show lab\nsonde math show lab --json",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_show,
	},
	{
		.path = "math add",
		.arguments = "URL STREAM",
		.help = "Have the hub fetch a stream of logs from a probe.",
		.examples = "sonde math add https://probe.example.net:3001 lab\n"
			    "sonde math add http://localhost:3001 old --type log_tcp_complete_v15",
		.options = add_options,
		.option_count = SN_COUNT(add_options),
		.options_size = sizeof(struct options),
		.min_args = 2,
		.max_args = 2,
		.run = run_add,
	},
	{
		.path = "math rm",
		.arguments = "STREAM",
		.help = "End the fetching of a stream; the rows that came stay.",
		.examples = "sonde math rm lab\nsonde math rm 01J0",
		.options = rm_options,
		.option_count = SN_COUNT(rm_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_rm,
	},
};
const struct sn_cli_verbs sn_cli_math_verbs = {verbs, SN_COUNT(verbs)};
