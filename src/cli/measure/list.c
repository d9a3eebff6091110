/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde measure list|show|results|stop`: measurements that run or have run. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/measure/measurement.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/verbs.h"

#define LIST_SHOWN 50 /* newest, for people */

struct options {
	struct sn_client_options client;
	const char *state, *capability, *node, *file;
	bool all, follow, dry_run, json, csv;
};

static enum sn_tone tone_of(const char *state)
{
	static const struct {
		const char *state;
		enum sn_tone tone;
	} tones[] = {
		{"running", SN_TONE_GOOD},  {"done", SN_TONE_GOOD},  {"waiting", SN_TONE_PLAIN},
		{"stopped", SN_TONE_QUIET}, {"failed", SN_TONE_BAD},
	};

	for (size_t i = 0; i < SN_COUNT(tones); i++)
		if (state != NULL && strcmp(state, tones[i].state) == 0)
			return tones[i].tone;
	return SN_TONE_PLAIN;
}

/* "3 done, 1 failed" */
static char *counts_text(const json_t *measurement)
{
	static const char *const states[] = {"done", "running", "waiting", "failed", "stopped"};
	const json_t *providers = json_object_get(measurement, "providers");
	struct sn_buf out = {0};

	for (size_t i = 0; i < SN_COUNT(states); i++) {
		double count = sn_output_number(providers, states[i]);

		if (count > 0)
			sn_buf_addf(&out, "%s%.0f %s", out.n > 0 ? ", " : "", count, states[i]);
	}
	sn_buf_cstr(&out);
	return out.p;
}

static void cell_ago(struct sn_table *table, const json_t *object, const char *key)
{
	char text[SN_TIME_LOCAL_MAX];
	int64_t unix_ns;

	if (sn_output_time(object, key, &unix_ns))
		sn_table_cell(table, SN_TONE_PLAIN,
			      sn_shape_ago(unix_ns, sn_wall_ns(), text, sizeof(text)));
	else
		sn_table_cell(table, SN_TONE_QUIET, NULL);
}

/* List ------------------------------------------------------------------- */

static const struct sn_table_column list_columns[] = {
	{.header = "id"},
	{.header = "name", .shrink = true, .drop = 2},
	{.header = "capability"},
	{.header = "state"},
	{.header = "nodes", .shrink = true},
	{.header = "results", .right = true},
	{.header = "started"},
	{.header = "when", .shrink = true, .drop = 3},
	{.header = "owner", .shrink = true, .drop = 4},
};

struct list {
	const struct options *given;
	struct sn_table *table;
	size_t ended; /* left out */
};

static int add_row(const json_t *item, void *ctx)
{
	struct list *list = ctx;
	const char *state = sn_output_text(item, "state");
	sn_autofree char *counts = counts_text(item);

	if (!list->given->all && list->given->state == NULL && sn_measurement_has_ended(item) &&
	    sn_table_rows(list->table) >= LIST_SHOWN) {
		list->ended++;
		return 0;
	}
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(item, "id"));
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(item, "name"));
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(item, "capability"));
	sn_table_cell(list->table, tone_of(state), state);
	sn_table_cell(list->table, SN_TONE_PLAIN, counts);
	sn_table_cellf(list->table, SN_TONE_PLAIN, "%.0f", sn_output_number(item, "results"));
	cell_ago(list->table, item, "starts");
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(item, "when"));
	sn_table_cell(list->table, SN_TONE_PLAIN, sn_output_text(item, "owner"));
	return 0;
}

static int print_item(const json_t *item, void *ctx)
{
	sn_output_json_line(ctx, item);
	return 0;
}

static void add_filter(struct sn_buf *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	sn_buf_addf(path, "&%s=", name);
	sn_url_encode(path, sn_str(value));
}

static int list_measurements(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	struct list list = {.given = given};
	struct sn_buf path = {0};
	int rc;

	sn_buf_adds(&path, "/api/v1/measurements?limit=1000");
	add_filter(&path, "state", given->state);
	add_filter(&path, "capability", given->capability);
	add_filter(&path, "node", given->node);
	list.table = sn_table_create(list_columns, SN_COUNT(list_columns));
	rc = sn_client_each(client, sn_buf_cstr(&path), given->json ? print_item : add_row,
			    given->json ? (void *)stdout : &list, err);
	if (rc == 0 && !given->json && sn_table_rows(list.table) == 0)
		fputs("no measurements like that ('sonde measure ping TARGET' makes one)\n",
		      stderr);
	else if (rc == 0 && !given->json)
		sn_table_show(list.table, stdout);
	if (rc == 0 && list.ended > 0)
		fprintf(stderr, "%zu older ones that have ended are left out (--all)\n",
			list.ended);
	sn_table_destroy(list.table);
	sn_buf_finish(&path);
	return rc;
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	struct options *given = opts;

	return sn_client_run(&given->client, list_measurements, given);
}

/* Show ------------------------------------------------------------------- */

static const struct sn_table_column part_columns[] = {
	{.header = "provider"},
	{.header = "state"},
	{.header = "results", .right = true},
	{.header = "started"},
	{.header = "ended"},
	{.header = "reason", .sparse = true, .shrink = true},
};

static void line(const char *label, const char *text)
{
	if (text != NULL && *text != '\0')
		sn_print_pair(stdout, 12, label, text);
}

static void line_time(const json_t *object, const char *key)
{
	char local[SN_TIME_LOCAL_MAX], ago[SN_TIME_LOCAL_MAX], both[2 * SN_TIME_LOCAL_MAX + 4];
	int64_t unix_ns;

	if (!sn_output_time(object, key, &unix_ns))
		return;
	snprintf(both, sizeof(both), "%s (%s)", sn_shape_time(unix_ns, local, sizeof(local)),
		 sn_shape_ago(unix_ns, sn_wall_ns(), ago, sizeof(ago)));
	line(key, both);
}

static void line_parameters(const json_t *parameters)
{
	const char *key;
	const json_t *value;

	json_object_foreach ((json_t *)parameters, key, value) {
		sn_autofree char *texts = json_is_array(value) ? sn_output_texts(value) : NULL;

		sn_autofree char *name = sn_xasprintf("  %s", key);

		if (texts != NULL || json_is_string(value))
			sn_print_pair(stdout, 26, name,
				      texts != NULL ? texts : json_string_value(value));
	}
}

static void show_parts(const json_t *measurement)
{
	struct sn_table *table = sn_table_create(part_columns, SN_COUNT(part_columns));
	size_t i;
	const json_t *part;

	json_array_foreach (json_object_get(measurement, "parts"), i, part) {
		const char *state = sn_output_text(part, "state");
		const char *reason = sn_output_text(part, "error");

		sn_table_cell(table, SN_TONE_PLAIN, sn_output_text(part, "name"));
		sn_table_cell(table, tone_of(state), state);
		sn_table_cellf(table, SN_TONE_PLAIN, "%.0f", sn_output_number(part, "results"));
		cell_ago(table, part, "started");
		cell_ago(table, part, "ended");
		sn_table_cell(table, SN_TONE_WARN,
			      reason != NULL && *reason != '\0' ? reason : NULL);
	}
	putchar('\n');
	if (sn_table_rows(table) > 0)
		sn_table_show(table, stdout);
	sn_table_destroy(table);
}

static void show(const json_t *measurement)
{
	line("measurement", sn_output_text(measurement, "id"));
	line("name", sn_output_text(measurement, "name"));
	line("capability", sn_output_text(measurement, "capability"));
	line("state", sn_output_text(measurement, "state"));
	line("owner", sn_output_text(measurement, "owner"));
	line("when", sn_output_text(measurement, "when"));
	line_time(measurement, "created");
	line_time(measurement, "starts");
	line_time(measurement, "next");
	line_time(measurement, "ends");
	line("dataset", sn_output_text(measurement, "dataset"));
	line("repository", sn_output_text(measurement, "repository"));
	if (json_object_size(json_object_get(measurement, "parameters")) > 0)
		puts("parameters");
	line_parameters(json_object_get(measurement, "parameters"));
	show_parts(measurement);
}

static int show_one(struct sn_client *client, const struct options *given, const char *id,
		    struct sn_err *err)
{
	sn_autojson json_t *measurement = NULL;
	int rc = sn_measurement_get(client, id, &measurement, err);

	if (rc == 0 && given->json)
		sn_output_json_line(stdout, measurement);
	else if (rc == 0)
		show(measurement);
	return rc;
}

/* Results ---------------------------------------------------------------- */

static int show_results(struct sn_client *client, const struct options *given, const char *id,
			struct sn_err *err)
{
	enum sn_rows_form form = given->json  ? SN_ROWS_JSON
				 : given->csv ? SN_ROWS_CSV
					      : SN_ROWS_TABLE;
	sn_autojson json_t *measurement = NULL;
	FILE *out = stdout;
	int rc = sn_measurement_get(client, id, &measurement, err);

	if (rc != 0)
		return rc;
	if (given->file != NULL)
		out = fopen(given->file, "we");
	if (out == NULL)
		return sn_err_sys(err, -errno, "cannot write '%s'", given->file);
	rc = sn_measurement_show_results(client, measurement, form, given->follow, out, err);
	if (out != stdout && fclose(out) != 0 && rc == 0)
		rc = sn_err_sys(err, -errno, "cannot write '%s'", given->file);
	return rc;
}

/* Stop ------------------------------------------------------------------- */

static int stop_one(struct sn_client *client, const struct options *given, const char *name,
		    struct sn_err *err)
{
	sn_autojson json_t *measurement = NULL, *stopped = NULL;
	sn_autofree char *path = NULL;
	const char *id;
	int rc = sn_measurement_get(client, name, &measurement, err);

	if (rc != 0)
		return rc;
	id = sn_output_text(measurement, "id");
	path = sn_xasprintf("/api/v1/measurements/%s/stop", id);
	if (!given->dry_run)
		rc = sn_client_call(client, "POST", path, NULL, &stopped, err);
	if (rc == 0 && given->json)
		sn_output_json_line(stdout, stopped != NULL ? stopped : measurement);
	else if (rc == 0)
		printf("%s %s\n", given->dry_run ? "would stop" : "stopped", id);
	return rc;
}

/* Verbs ------------------------------------------------------------------ */

typedef int one_fn(struct sn_client *client, const struct options *given, const char *id,
		   struct sn_err *err);

/* The same for each measurement that is named. */
static int for_each(void *opts, int argc, char **argv, one_fn *one)
{
	const struct options *given = opts;
	struct sn_client *client;
	struct sn_err err = {0};
	int rc;

	if (given->json && given->csv)
		return sn_cli_fail(SN_EXIT_USAGE, "'--json' and '--csv' exclude each other");
	rc = sn_client_open(&given->client, &client, &err);
	if (rc != 0)
		return sn_client_fail(&err);
	for (int i = 0; i < argc && rc == 0; i++)
		rc = one(client, given, argv[i], &err);
	sn_client_close(client);
	return rc == 0 ? SN_EXIT_OK : sn_client_fail(&err);
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return for_each(opts, argc, argv, show_one);
}

static int run_results(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return for_each(opts, argc, argv, show_results);
}

static int run_stop(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return for_each(opts, argc, argv, stop_one);
}

static const struct sn_opt list_options[] = {
	{SN_OPT("state", 's', SN_OPT_TEXT, state, "STATE",
		"only waiting, running, done, failed or stopped ones"),
	 .group = "Which"},
	{SN_OPT("capability", 0, SN_OPT_TEXT, capability, "CAPABILITY", "only of this capability")},
	{SN_OPT("node", 'n', SN_OPT_TEXT, node, "NODE", "only those with a part of this node")},
	{SN_OPT("all", 'a', SN_OPT_FLAG, all, NULL, "also all that have ended long ago")},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line"),
	 .group = "Output"},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt show_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt results_options[] = {
	{SN_OPT("follow", 'f', SN_OPT_FLAG, follow, NULL, "go on with new results as they come")},
	{SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "one JSON object per line, SI units, UTC"),
	 .group = "Output"},
	{SN_OPT("csv", 'c', SN_OPT_FLAG, csv, NULL, "comma-separated values, with a header")},
	{SN_OPT("output", 'o', SN_OPT_TEXT, file, "FILE", "write there instead")},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_opt stop_options[] = {
	{SN_OPT("dry-run", 0, SN_OPT_FLAG, dry_run, NULL, "only say which they would be")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

#define VERB(path_, arguments_, options_, run_)                                                    \
	.path = (path_), .arguments = (arguments_), .options = (options_),                         \
	.option_count = SN_COUNT(options_), .options_size = sizeof(struct options), .run = (run_)

static const struct sn_verb verbs[] = {
	{VERB("measure list", "", list_options, run_list), .watch = true,
	 .help = "Show measurements, newest first.",
	 .examples = "sonde measure list --state running\nsonde measure list --node rome --json"},
	{VERB("measure show", "ID|NAME...", show_options, run_show), .watch = true,
	 .help = "Show a measurement and how far each node is with it.",
	 .examples = "sonde measure show uplink\nsonde measure show uplink --json", .min_args = 1,
	 .max_args = -1, .complete = "measurement"},
	{VERB("measure results", "ID|NAME", results_options, run_results),
	 .help = "Show what a measurement has found.",
	 .examples = "sonde measure results uplink --follow\n"
		     "sonde measure results uplink --csv -o uplink.csv",
	 .min_args = 1, .max_args = 1, .complete = "measurement"},
	{VERB("measure stop", "ID|NAME...", stop_options, run_stop),
	 .help = "End measurements; their results stay.",
	 .examples = "sonde measure stop uplink\nsonde measure stop --dry-run uplink",
	 .min_args = 1, .max_args = -1, .complete = "measurement"},
};
const struct sn_cli_verbs sn_cli_measurements_verbs = {verbs, SN_COUNT(verbs)};
