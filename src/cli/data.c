/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde data`: what is stored, what its columns mean, and where it comes from. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "net/http_client.h"

struct options {
	struct sn_client_options client;
	bool json;
	const char *name; /* of a dataset; NULL: all */
};

static const struct sn_listing_column stored_columns[] = {
	{{.header = "dataset"}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "version", .right = true, .drop = 3}, "version", SN_LISTING_TEXT, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "here", .right = true, .drop = 4}, "local_rows", SN_LISTING_COUNT, NULL},
	{{.header = "size here", .right = true}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "days", .right = true, .drop = 2}, "days", SN_LISTING_COUNT, NULL},
	{{.header = "first", .drop = 1}, "first", SN_LISTING_TIME, NULL},
	{{.header = "newest"}, "last", SN_LISTING_AGO, NULL},
};
static const struct sn_listing stored = {stored_columns, SN_COUNT(stored_columns),
					 "Nothing is stored yet (measure something: 'sonde "
					 "measure', or take files: 'sonde import')."};

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_listing_run(client, &stored, "/api/v1/store/datasets?limit=1000", given->json,
			      err);
}

static enum sn_tone tone_of_state(const char *state)
{
	return strcmp(state, "current") == 0   ? SN_TONE_GOOD
	       : strcmp(state, "lagging") == 0 ? SN_TONE_WARN
					       : SN_TONE_BAD;
}

static const struct sn_listing_column source_columns[] = {
	{{.header = "source", .shrink = true}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "kind", .drop = 2}, "kind", SN_LISTING_TEXT, NULL},
	{{.header = "state"}, "state", SN_LISTING_TEXT, tone_of_state},
	{{.header = "newest"}, "last", SN_LISTING_AGO, NULL},
	{{.header = "behind", .right = true}, "lag_seconds", SN_LISTING_SECONDS, NULL},
	{{.header = "waiting rows", .right = true, .sparse = true, .drop = 3},
	 "waiting_rows",
	 SN_LISTING_COUNT,
	 NULL},
	{{.header = "waiting", .right = true}, "waiting_bytes", SN_LISTING_BYTES, NULL},
	{{.header = "stored rows", .right = true, .drop = 1},
	 "stored_rows",
	 SN_LISTING_COUNT,
	 NULL},
	{{.header = "reason", .shrink = true, .sparse = true}, "reason", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing sources = {
	source_columns, SN_COUNT(source_columns),
	"Nothing brings rows yet (invite a node: 'sonde node invite')."};

static int list_sources(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_listing_run(client, &sources, "/api/v1/sources?limit=1000", given->json, err);
}

/* One dataset -------------------------------------------------------------------- */

static const struct sn_listing_column meaning_columns[] = {
	{{.header = "column"}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "type"}, "type", SN_LISTING_TEXT, NULL},
	{{.header = "unit"}, "unit", SN_LISTING_TEXT, NULL},
	{{.header = "meaning", .shrink = true}, "help", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing meanings = {meaning_columns, SN_COUNT(meaning_columns), ""};

static void show_dataset(const json_t *dataset)
{
	struct sn_table_column columns[SN_COUNT(meaning_columns)];
	struct sn_table *table;
	const json_t *column;
	size_t i;

	for (i = 0; i < SN_COUNT(columns); i++)
		columns[i] = meaning_columns[i].column;
	table = sn_table_create(columns, SN_COUNT(columns));
	json_array_foreach (json_object_get(dataset, "columns"), i, column)
		sn_listing_add(table, &meanings, column);
	printf("%s, version %.0f: %s\n\n", sn_output_text(dataset, "title"),
	       sn_output_number(dataset, "version"), sn_output_text(dataset, "help"));
	sn_table_show(table, stdout);
	sn_table_destroy(table);
}

static int show(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autofree char *path = NULL;
	sn_autojson json_t *dataset = NULL;
	struct sn_buf text = {0};
	int rc;

	sn_buf_adds(&text, "/api/v1/datasets/");
	sn_url_encode(&text, sn_str(given->name));
	sn_buf_cstr(&text);
	path = text.p;
	rc = sn_client_get(client, path, &dataset, err);
	if (rc == 0 && given->json)
		sn_output_json_line(stdout, dataset);
	else if (rc == 0)
		show_dataset(dataset);
	return rc;
}

/* Verbs --------------------------------------------------------------------------- */

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list, given);
}

static int run_sources(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		       char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list_sources, given);
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv)
{
	struct options *given = opts;

	given->name = argv[0];
	return sn_client_run(&given->client, show, given);
}

static const struct sn_opt options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "data list",
		.arguments = "",
		.help = "List what is stored: datasets with rows, size, first and newest row.",
		.examples = "sonde data list\nsonde data list --json | jq .rows",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "data show",
		.arguments = "DATASET",
		.help = "Show the columns of a dataset with type, unit and meaning.",
		.examples = "sonde data show ping\nsonde data show tstat_tcp_complete --json",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_show,
		.complete = "dataset",
	},
	{
		.path = "data sources",
		.arguments = "",
		.help = "List what brings rows, and how far behind each is.",
		.examples = "sonde data sources\nsonde data sources --json",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = run_sources,
	},
};
const struct sn_cli_verbs sn_cli_data_verbs = {verbs, SN_COUNT(verbs)};
