/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde export`: rows of a dataset as a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/download.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rows_query.h"
#include "cli/verbs.h"

struct options {
	struct sn_client_options client;
	const char *from, *to, *node, *fields, *within, *format, *compress, *file;
	struct sn_opt_texts where;
	bool json;
};

static const struct sn_opt options[] = {
	{SN_OPT("from", 0, SN_OPT_TEXT, from, "TIME",
		"from then on: 2026-03-01T12:00:00Z, 2026-03-01, or -24h"),
	 .group = "Which rows"},
	{SN_OPT("to", 0, SN_OPT_TEXT, to, "TIME", "before then")},
	{SN_OPT("where", 'w', SN_OPT_TEXTS, where, "CONDITION",
		"only rows like this: COLUMN=VALUE, or with > >= < <= != or ~ (contains)")},
	{SN_OPT("node", 'n', SN_OPT_TEXT, node, "NODE", "only rows of this node (name or id)")},
	{SN_OPT("within", 0, SN_OPT_TEXT, within, "LAT,LON,LAT,LON",
		"only rows of the area between two corners, east of the first")},
	{SN_OPT("fields", 'F', SN_OPT_TEXT, fields, "NAMES", "these columns, with commas between"),
	 .group = "Output"},
	{SN_OPT("format", 'f', SN_OPT_TEXT, format, "FORMAT",
		"csv, jsonl, parquet or, for monroe_*, monroe (by the file's name, else csv)")},
	{SN_OPT("compress", 0, SN_OPT_TEXT, compress, "HOW",
		"none, gzip or zstd (by the file's name)")},
	{SN_OPT("output", 'o', SN_OPT_TEXT, file, "FILE",
		"where to; '-' is standard output, which is the default")},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "tell in JSON what was written")},
	SN_CLIENT_OPTION(struct options, client),
};

/* By the file's name -------------------------------------------------------------------- */

static const struct {
	const char *suffix, *compress;
} packings[] = {{".gz", "gzip"}, {".zst", "zstd"}};
static const struct {
	const char *suffix, *format;
} formats[] = {{".monroe.csv", "monroe"},
	       {".csv", "csv"},
	       {".jsonl", "jsonl"},
	       {".ndjson", "jsonl"},
	       {".parquet", "parquet"}};

static bool take_suffix(struct sn_str *name, const char *suffix)
{
	size_t n = strlen(suffix);

	if (name->n < n || memcmp(name->p + name->n - n, suffix, n) != 0)
		return false;
	name->n -= n;
	return true;
}

static void read_name(struct options *given)
{
	struct sn_str name = sn_str(given->file);
	const char *compress = NULL, *format = NULL;

	for (size_t i = 0; compress == NULL && i < SN_COUNT(packings); i++)
		if (take_suffix(&name, packings[i].suffix))
			compress = packings[i].compress;
	for (size_t i = 0; format == NULL && i < SN_COUNT(formats); i++)
		if (take_suffix(&name, formats[i].suffix))
			format = formats[i].format;
	if (given->format == NULL)
		given->format = format;
	if (given->compress == NULL)
		given->compress = compress;
}

/* Options ------------------------------------------------------------------------------- */

static int read_query(const struct options *given, const char *dataset, struct sn_rows_query *query)
{
	int code;

	*query = (struct sn_rows_query){
		.name = dataset,
		.node = given->node,
		.fields = given->fields,
		.where = given->where.items,
		.where_count = given->where.count,
	};
	code = sn_option_time("from", given->from, &query->has_since, &query->since_ns);
	if (code == SN_EXIT_OK)
		code = sn_option_time("to", given->to, &query->has_until, &query->until_ns);
	if (code == SN_EXIT_OK && query->has_since && query->has_until &&
	    query->since_ns >= query->until_ns)
		code = sn_cli_fail(SN_EXIT_USAGE, "'--to' is not after '--from'");
	for (unsigned i = 0; code == SN_EXIT_OK && i < given->where.count; i++)
		if (!sn_rows_is_condition(given->where.items[i]))
			code = sn_cli_fail(SN_EXIT_USAGE, SN_ROWS_NO_CONDITION,
					   given->where.items[i]);
	if (code == SN_EXIT_OK && given->json && strcmp(given->file, "-") == 0)
		code = sn_cli_fail(SN_EXIT_USAGE, "'--json' goes with '--output FILE': standard "
						  "output has the rows");
	return code;
}

static bool is_binary(const struct options *given)
{
	return (given->format != NULL && strcmp(given->format, "parquet") == 0) ||
	       (given->compress != NULL && strcmp(given->compress, "none") != 0);
}

/* The work ------------------------------------------------------------------------------ */

static void say(const struct options *given, const struct sn_rows_query *query, uint64_t bytes)
{
	json_t *told;

	if (strcmp(given->file, "-") == 0)
		return;
	if (!given->json) {
		char size[32];

		fprintf(stderr, "sonde: %s of '%s' are in '%s', as %s\n",
			sn_format_bytes(bytes, size, sizeof(size)), query->name, given->file,
			given->format != NULL ? given->format : "csv");
		return;
	}
	told = json_pack("{s:s, s:s, s:s, s:I}", "dataset", query->name, "file", given->file,
			 "format", given->format != NULL ? given->format : "csv", "bytes",
			 (json_int_t)bytes);
	sn_output_json_line(stdout, told);
	json_decref(told);
}

static int fetch(struct sn_client *client, const struct options *given,
		 const struct sn_rows_query *query)
{
	const struct sn_rows_export wanted = {given->format, given->compress, given->within};
	sn_autofree char *path = sn_rows_export_path(query, &wanted);
	const struct sn_download download = {
		.path = path,
		.file = given->file,
		.label = query->name,
		.whole_or_not = given->format != NULL && strcmp(given->format, "parquet") == 0,
	};
	uint64_t bytes;
	int code = sn_download_run(client, &download, &bytes);

	if (code == SN_EXIT_OK)
		say(given, query, bytes);
	return code;
}

static int run(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED, char **argv)
{
	struct options *given = opts;
	struct sn_rows_query query;
	struct sn_client *client;
	struct sn_err err = {0};
	int code;

	if (given->file == NULL)
		given->file = "-";
	read_name(given);
	code = read_query(given, argv[0], &query);
	if (code != SN_EXIT_OK)
		return code;
	if (strcmp(given->file, "-") == 0 && is_binary(given) && isatty(STDOUT_FILENO))
		return sn_cli_fail(SN_EXIT_USAGE, "this is nothing for a terminal: name a file "
						  "with '--output FILE'");
	if (sn_client_open(&given->client, &client, &err) != 0)
		return sn_client_fail(&err);
	code = fetch(client, given, &query);
	sn_client_close(client);
	return code;
}

static const struct sn_verb verbs[] = {
	{
		.path = "export",
		.arguments = "DATASET",
		.help = "Take rows of a dataset away as a file.",
		.examples = "sonde export ping --from 2026-03-01 --to 2026-04-01 -o ping.parquet\n"
			    "sonde export flow -w s_port=443 -w 'c_bytes>=1000' -o flows.csv.gz",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run,
		.complete = "dataset",
	},
};
const struct sn_cli_verbs sn_cli_export_verbs = {verbs, SN_COUNT(verbs)};
