/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde math`: streams of logs that the hub fetches from probes; and both sides alone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
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
	return strcmp(state, "current") == 0    ? SN_TONE_GOOD
	       : strcmp(state, "fetching") == 0 ? SN_TONE_PLAIN
						: SN_TONE_WARN;
}

/* List ---------------------------------------------------------------------------------- */

static const struct sn_listing_column columns[] = {
	{{.header = "stream", .shrink = true}, "stream", SN_LISTING_TEXT, NULL},
	{{.header = "type", .shrink = true, .drop = 6}, "type", SN_LISTING_TEXT, NULL},
	{{.header = "state"}, "state", SN_LISTING_TEXT, tone_of},
	{{.header = "position"}, "position", SN_LISTING_TIME, NULL},
	{{.header = "files", .right = true}, "files", SN_LISTING_COUNT, NULL},
	{{.header = "bad files", .right = true, .drop = 3}, "bad_files", SN_LISTING_COUNT, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "bad lines", .right = true, .drop = 2}, "bad_lines", SN_LISTING_COUNT, NULL},
	{{.header = "size", .right = true, .drop = 4}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "from", .shrink = true, .drop = 5}, "url", SN_LISTING_TEXT, NULL},
	{{.header = "reason", .shrink = true, .sparse = true}, "reason", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing streams = {
	columns, SN_COUNT(columns),
	"No streams are fetched yet ('sonde math add' adds one, or a probe announces itself)."};

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_listing_run(client, &streams, "/api/v1/math?limit=1000", given->json, err);
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

static const struct sn_listing_column lines[] = {
	{{.header = "stream"}, "stream", SN_LISTING_TEXT, NULL},
	{{.header = "id"}, "id", SN_LISTING_TEXT, NULL},
	{{.header = "type"}, "type", SN_LISTING_TEXT, NULL},
	{{.header = "from"}, "url", SN_LISTING_TEXT, NULL},
	{{.header = "state"}, "state", SN_LISTING_TEXT, NULL},
	{{.header = "reason"}, "reason", SN_LISTING_TEXT, NULL},
	{{.header = "position"}, "position", SN_LISTING_TIME, NULL},
	{{.header = "behind"}, "lag_seconds", SN_LISTING_SECONDS, NULL},
	{{.header = "waiting files"}, "waiting_files", SN_LISTING_COUNT, NULL},
	{{.header = "waiting"}, "waiting_bytes", SN_LISTING_BYTES, NULL},
	{{.header = "file"}, "file", SN_LISTING_TEXT, NULL},
	{{.header = "last contact"}, "last", SN_LISTING_TIME, NULL},
	{{.header = "files"}, "files", SN_LISTING_COUNT, NULL},
	{{.header = "bad files"}, "bad_files", SN_LISTING_COUNT, NULL},
	{{.header = "late files"}, "late_files", SN_LISTING_COUNT, NULL},
	{{.header = "rows"}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "bad lines"}, "bad_lines", SN_LISTING_COUNT, NULL},
	{{.header = "size"}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "from then on"}, "start", SN_LISTING_TIME, NULL},
	{{.header = "added"}, "created", SN_LISTING_TIME, NULL},
	{{.header = "added by"}, "by", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing one = {lines, SN_COUNT(lines), NULL};

static int show(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *item = NULL;
	int rc = find(client, given->name, &item, err);

	if (rc != 0)
		return rc;
	if (given->json) {
		sn_output_json_line(stdout, item);
		return 0;
	}
	sn_listing_show(&one, item, stdout);
	if (sn_output_number(item, "bad_files") + sn_output_number(item, "bad_lines") > 0)
		printf("('sonde quarantine list --source math:%s' says what could not be taken, "
		       "and why)\n",
		       sn_output_text(item, "stream"));
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
	if (rc == 0 && given->json)
		sn_output_done(stdout, "stream", sn_output_text(item, "stream"), "removed");
	else if (rc == 0)
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

static const struct sn_opt plain_options[] = {
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

static const struct sn_verb verbs[] = {
	{
		.path = "math list",
		.watch = true,
		.arguments = "",
		.help = "List the streams of logs that the hub fetches, and how far it is.",
		.examples = "sonde math list\nsonde math list --json",
		.options = plain_options,
		.option_count = SN_COUNT(plain_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "math show",
		.watch = true,
		.arguments = "STREAM",
		.help = "Show one stream.",
		.examples = "sonde math show lab\nsonde math show lab --json",
		.options = plain_options,
		.option_count = SN_COUNT(plain_options),
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
		.options = plain_options,
		.option_count = SN_COUNT(plain_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_rm,
	},
};
const struct sn_cli_verbs sn_cli_math_verbs = {verbs, SN_COUNT(verbs)};
