/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde results` and `sonde flows`: options to a query. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/declared.h"
#include "cli/groups.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/rows.h"
#include "cli/verbs.h"

#define TOP_MAX       100
#define FOLLOW_LISTED 20 /* rows of the past that --follow begins with */

struct options {
	struct sn_client_options client;
	const char *node, *target, *since, *until, *fields, *file, *top, *weight;
	struct sn_opt_texts where;
	uint64_t limit;
	bool follow, json, csv;
};

static const struct sn_opt options[] = {
	{SN_OPT("node", 'n', SN_OPT_TEXT, node, "NODE", "only rows of this node (name or id)"),
	 .group = "Which rows"},
	{SN_OPT("target", 't', SN_OPT_TEXT, target, "TARGET", "only rows about this target")},
	{SN_OPT("since", 's', SN_OPT_TEXT, since, "TIME",
		"from then on: 2026-03-01T12:00:00Z, or -15m for a quarter of an hour ago")},
	{SN_OPT("until", 'u', SN_OPT_TEXT, until, "TIME", "until then")},
	{SN_OPT("where", 'w', SN_OPT_TEXTS, where, "CONDITION",
		"only rows like this: COLUMN=VALUE, or with > >= < <= != or ~ (contains)")},
	{SN_OPT("limit", 'l', SN_OPT_U64, limit, "N",
		"the newest N rows (50 as a table, all as --json and --csv)"),
	 .min = 1, .max = SN_ROWS_LIMIT_MAX},
	{SN_OPT("follow", 'f', SN_OPT_FLAG, follow, NULL, "go on with new rows as they come")},
	{SN_OPT("top", 'T', SN_OPT_TEXT, top, "COLUMN",
		"the weightiest values of this column instead of rows; --limit of them (10)")},
	{SN_OPT("weight", 0, SN_OPT_TEXT, weight, "COLUMNS",
		"what --top adds up (bytes both ways, or the number of rows)")},
	{SN_OPT("fields", 'F', SN_OPT_TEXT, fields, "NAMES", "these columns, with commas between"),
	 .group = "Output"},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "one JSON object per line, SI units, UTC")},
	{SN_OPT("csv", 'c', SN_OPT_FLAG, csv, NULL, "comma-separated values, with a header")},
	{SN_OPT("output", 'o', SN_OPT_TEXT, file, "FILE", "write there instead")},
	SN_CLIENT_OPTION(struct options, client),
};

static int read_query(const struct options *given, const char *dataset, struct sn_rows_query *query)
{
	int code;

	*query = (struct sn_rows_query){
		.name = dataset,
		.node = given->node,
		.target = given->target,
		.fields = given->fields,
		.where = given->where.items,
		.where_count = given->where.count,
		.limit = given->limit,
	};
	code = sn_option_time("since", given->since, &query->has_since, &query->since_ns);
	if (code == SN_EXIT_OK)
		code = sn_option_time("until", given->until, &query->has_until, &query->until_ns);
	if (code == SN_EXIT_OK && query->has_since && query->has_until &&
	    query->since_ns >= query->until_ns)
		code = sn_cli_fail(SN_EXIT_USAGE, "'--until' is not after '--since'");
	return code;
}

static int check(const struct options *given)
{
	if (given->json && given->csv)
		return sn_cli_fail(SN_EXIT_USAGE, "'--json' and '--csv' exclude each other");
	if (given->top == NULL && given->weight != NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "'--weight' goes with '--top COLUMN'");
	if (given->top != NULL && (given->follow || given->csv || given->fields != NULL))
		return sn_cli_fail(SN_EXIT_USAGE, "'--top' shows no rows: leave '--follow', "
						  "'--csv' and '--fields' out");
	if (given->top != NULL && given->limit > TOP_MAX)
		return sn_cli_fail(SN_EXIT_USAGE, "'--top' tells at most %d values", TOP_MAX);
	if (given->follow && given->until != NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "'--follow' has no end: leave '--until' out");
	if (given->follow && given->where.count > 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'--follow' knows '--node' and '--target' only: "
						  "leave '--where' out");
	return SN_EXIT_OK;
}

static void set_limit(const struct options *given, struct sn_rows_query *query)
{
	bool all = given->json || given->csv;

	if (given->limit > 0 || given->top != NULL)
		return;
	if (given->follow)
		query->limit = given->since != NULL ? SN_ROWS_LIMIT_MAX : FOLLOW_LISTED;
	else if (!all)
		query->limit = given->since != NULL ? SN_ROWS_LIMIT_MAX : SN_ROWS_SHOWN;
}

/* The catalogue of this program, or what the hub knows beyond it. */
static int find_dataset(struct sn_client *client, struct sn_rows_query *query, struct sn_err *err)
{
	const char *names[64], *near;
	size_t count = SN_MIN(sn_catalog_count, SN_COUNT(names));
	int rc = sn_declared_fetch(client, query->name, &query->dataset, err);

	if (rc != -ENOENT)
		return rc;
	for (size_t i = 0; i < count; i++)
		names[i] = sn_catalog[i]->name;
	near = sn_suggest(query->name, names, count);
	if (near != NULL)
		return sn_err_set(err, rc, "no dataset is called '%.60s' (did you mean '%s'?)",
				  query->name, near);
	return sn_err_set(err, rc, "no dataset is called '%.60s'", query->name);
}

static int run_query(const struct options *given, struct sn_rows_query *query)
{
	enum sn_rows_form form = given->json  ? SN_ROWS_JSON
				 : given->csv ? SN_ROWS_CSV
					      : SN_ROWS_TABLE;
	FILE *file = given->file != NULL ? fopen(given->file, "we") : NULL;
	struct sn_client *client;
	struct sn_err err = {0};
	int code = SN_EXIT_OK, rc;

	if (given->file != NULL && file == NULL)
		return sn_cli_fail(SN_EXIT_FAILED, "cannot write '%s': %s", given->file,
				   strerror(errno));
	rc = sn_client_open(&given->client, &client, &err);
	if (rc == 0) {
		rc = find_dataset(client, query, &err);
		if (rc == 0 && given->top != NULL)
			rc = sn_groups_run(client, query, given->top, given->weight, given->json,
					   file != NULL ? file : stdout, &err);
		else if (rc == 0)
			rc = sn_rows_run(client, query, form, given->follow,
					 file != NULL ? file : stdout, &err);
		sn_declared_free(query->dataset);
		sn_client_close(client);
	}
	if (rc != 0)
		code = sn_client_fail(&err);
	if (file != NULL && fclose(file) != 0 && code == SN_EXIT_OK)
		code = sn_cli_fail(SN_EXIT_FAILED, "cannot write '%s': %s", given->file,
				   strerror(errno));
	return code;
}

static int show_rows(const struct options *given, const char *dataset)
{
	struct sn_rows_query query;
	int code = read_query(given, dataset, &query);

	if (code == SN_EXIT_OK)
		code = check(given);
	if (code != SN_EXIT_OK)
		return code;
	set_limit(given, &query);
	return run_query(given, &query);
}

static int results(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return show_rows(opts, argc > 0 ? argv[0] : "ping");
}

static int flows(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		 char **argv SN_UNUSED)
{
	return show_rows(opts, "flow");
}

static const struct sn_verb verbs[] = {
	{
		.path = "results",
		.watch = true,
		.arguments = "[DATASET]",
		.help = "Show rows of a dataset (ping) that the hub has stored.",
		.examples = "sonde results --node rome --since -15m\n"
			    "sonde results ping --follow --json --target 192.0.2.7",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.max_args = 1,
		.run = results,
		.complete = "dataset",
	},
	{
		.path = "flows",
		.watch = true,
		.arguments = "",
		.help = "Show flows that nodes have metered, or who had most of them.",
		.examples = "sonde flows --where 's_port=443' --where 'c_bytes>100000'\n"
			    "sonde flows --top server_name --since -24h",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.run = flows,
	},
};
const struct sn_cli_verbs sn_cli_results_verbs = {verbs, SN_COUNT(verbs)};
