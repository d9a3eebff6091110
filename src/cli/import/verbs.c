/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde import` and `sonde imports`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/import/import.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "exchange/files.h"

struct options {
	struct sn_client_options client;
	bool json, strict, detach, dry_run, again, leave_newest;
	const char *form, *dataset, *node, *store, *rejects;
};

/* The files, and how it went so far. */
struct run {
	const struct options *given;
	struct sn_import_verb verb;
	struct sn_files files;
	struct sn_client *client;
	struct sn_import_here *here;
	uint64_t done, known, failed, rows, bad;
};

const char *sn_import_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Telling ------------------------------------------------------------------------ */

static void show_samples(const json_t *job)
{
	const json_t *sample;
	size_t i;

	json_array_foreach (json_object_get(job, "samples"), i, sample) {
		sn_autofree char *reason = sn_text_defused(sn_output_text(sample, "reason"));

		fprintf(stderr, "  line %.0f: %s\n", sn_output_number(sample, "line"), reason);
	}
}

static void show_job(const struct run *run, const char *path, const json_t *job)
{
	const char *dataset = sn_output_text(job, "dataset");
	double bad = sn_output_number(job, "bad_lines");
	sn_autofree char *name = sn_text_defused(path);

	if (json_is_true(json_object_get(job, "duplicate"))) {
		printf("%s: is in the store already\n", name);
		return;
	}
	if (strcmp(sn_output_text(job, "state"), "waiting") == 0) {
		printf("%s: import %s ('sonde imports' shows how far it is)\n", name,
		       sn_output_text(job, "id"));
		return;
	}
	printf("%s: %.0f rows%s%s%s", name, sn_output_number(job, "rows"),
	       dataset != NULL ? " of " : "", dataset != NULL ? dataset : "",
	       run->verb.dry_run ? ", nothing stored" : "");
	if (bad > 0)
		printf(", %.0f bad lines%s", bad,
		       run->verb.store == NULL && !run->verb.dry_run ? " (in quarantine)" : "");
	putchar('\n');
	fflush(stdout);
	if (bad > 0)
		show_samples(job);
	if (sn_output_text(job, "reason") != NULL) {
		sn_autofree char *reason = sn_text_defused(sn_output_text(job, "reason"));

		fprintf(stderr, "  %s\n", reason);
	}
}

static void count_job(struct run *run, const char *path, const json_t *job)
{
	const char *state = sn_output_text(job, "state"), *reason = sn_output_text(job, "reason");

	if (run->given->json)
		sn_output_json_line(stdout, job);
	if (strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0) {
		sn_autofree char *text = sn_text_defused(reason != NULL ? reason : state);

		run->failed++;
		sn_cli_fail(SN_EXIT_FAILED, "%s", text);
		return;
	}
	if (json_is_true(json_object_get(job, "duplicate"))) {
		run->known++;
	} else {
		run->done++;
		run->rows += (uint64_t)json_integer_value(json_object_get(job, "rows"));
		run->bad += (uint64_t)json_integer_value(json_object_get(job, "bad_lines"));
	}
	if (!run->given->json)
		show_job(run, path, job);
}

static int import_one(struct run *run, const char *path, struct sn_err *err)
{
	sn_autojson json_t *job = NULL;
	int rc = run->here != NULL ? sn_import_here_file(run->here, path, &job, err)
				   : sn_import_by_hub(run->client, &run->verb, path, &job, err);

	if (rc == 0)
		count_job(run, path, job);
	return rc;
}

/* What is wrong with one file does not stop the others. */
static bool stops_all(int rc)
{
	static const int of_a_file[] = {-EINVAL, -EAGAIN, -EBADMSG, -ENODATA, -EFBIG,
					-ENOENT, -EEXIST, -EISDIR,  -EMSGSIZE};

	for (size_t i = 0; i < SN_COUNT(of_a_file); i++)
		if (of_a_file[i] == rc)
			return false;
	return true;
}

static int import_all(struct run *run, struct sn_err *err)
{
	for (size_t i = 0; i < run->files.count; i++) {
		int rc = import_one(run, run->files.paths[i], err);

		if (rc != 0 && (stops_all(rc) || run->files.count == 1))
			return rc;
		if (rc != 0) {
			run->failed++;
			sn_client_fail(err);
			*err = (struct sn_err){0};
		}
	}
	return 0;
}

/* The verb ----------------------------------------------------------------------- */

static int work_by_hub(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct run *run = ctx;

	run->client = client;
	return import_all(run, err);
}

static int work_here(struct run *run)
{
	struct sn_err err = {0};
	int rc = sn_import_here_open(&run->verb, &run->here, &err);

	if (rc == 0)
		rc = import_all(run, &err);
	sn_import_here_close(run->here);
	return rc == 0 ? SN_EXIT_OK : sn_client_fail(&err);
}

static int sum_up(const struct run *run, int code)
{
	size_t total = run->files.count;

	if (run->files.other > 0)
		fprintf(stderr, "%zu files whose names are of no known form were passed over\n",
			run->files.other);
	if (!run->given->json && total > 1)
		fprintf(stderr,
			"%" PRIu64 " files imported, %" PRIu64 " in the store already, %" PRIu64
			" failed; %" PRIu64 " rows, %" PRIu64 " bad lines\n",
			run->done, run->known, run->failed, run->rows, run->bad);
	if (code != SN_EXIT_OK)
		return code;
	if (run->failed == 0)
		return SN_EXIT_OK;
	return run->done + run->known > 0 ? SN_EXIT_PARTIAL : SN_EXIT_FAILED;
}

static int check_options(const struct options *given, struct run *run)
{
	if (given->form != NULL && sn_form_parse(given->form, &run->verb.form) != 0)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "there is no form '%.40s' (auto, tstat, monroe, mplane, csv or "
				   "jsonl)",
				   given->form);
	if (given->store != NULL && given->detach)
		return sn_cli_fail(SN_EXIT_USAGE, "--detach needs a hub, --store has none");
	if (given->rejects != NULL && given->store == NULL && !given->dry_run)
		return sn_cli_fail(SN_EXIT_USAGE, "--rejects is for --store and --dry-run; the hub "
						  "keeps bad lines in quarantine");
	return SN_EXIT_OK;
}

static int run_import(const struct sn_verb *verb, void *options, int argc, char **argv)
{
	const struct options *given = options;
	struct run run = {
		.given = given,
		.verb =
			{
				.dataset = given->dataset,
				.node = given->node,
				.strict = given->strict,
				.detach = given->detach,
				.again = given->again,
				.dry_run = given->dry_run,
				.store = given->store,
				.rejects = given->rejects,
			},
	};
	struct sn_err err = {0};
	int code = check_options(given, &run);

	(void)verb;
	if (code != SN_EXIT_OK)
		return code;
	for (int i = 0; i < argc && code == SN_EXIT_OK; i++)
		if (sn_files_add(&run.files, argv[i], given->leave_newest, &err) != 0)
			code = sn_client_fail(&err);
	if (code == SN_EXIT_OK && run.files.count == 0)
		code = sn_cli_fail(SN_EXIT_FAILED, "there is no file to import (names like "
						   "'log_tcp_complete', '*.json', '*.csv')");
	else if (code == SN_EXIT_OK)
		code = given->store != NULL || given->dry_run
			       ? work_here(&run)
			       : sn_client_run(&given->client, work_by_hub, &run);
	code = sum_up(&run, code);
	sn_files_finish(&run.files);
	return code;
}

/* List --------------------------------------------------------------------------- */

static enum sn_tone tone_of(const char *state)
{
	return strcmp(state, "done") == 0     ? SN_TONE_GOOD
	       : strcmp(state, "failed") == 0 ? SN_TONE_BAD
					      : SN_TONE_PLAIN;
}

static const struct sn_listing_column job_columns[] = {
	{{.header = "id"}, "id", SN_LISTING_TEXT, NULL},
	{{.header = "file", .shrink = true}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "form", .drop = 2}, "form", SN_LISTING_TEXT, NULL},
	{{.header = "dataset", .shrink = true, .sparse = true, .drop = 6},
	 "dataset",
	 SN_LISTING_TEXT,
	 NULL},
	{{.header = "node", .shrink = true, .sparse = true, .drop = 5},
	 "node",
	 SN_LISTING_TEXT,
	 NULL},
	{{.header = "state"}, "state", SN_LISTING_TEXT, tone_of},
	{{.header = "bytes", .right = true}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "read", .right = true, .drop = 4}, "taken_bytes", SN_LISTING_BYTES, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "bad", .right = true, .drop = 1}, "bad_lines", SN_LISTING_COUNT, NULL},
	{{.header = "by", .drop = 3}, "by", SN_LISTING_TEXT, NULL},
	{{.header = "asked for"}, "created", SN_LISTING_AGO, NULL},
	{{.header = "reason", .shrink = true, .sparse = true}, "reason", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing jobs = {job_columns, SN_COUNT(job_columns),
				       "Nothing was imported yet ('sonde import FILE' does it)."};

static int list_jobs(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_listing_run(client, &jobs, "/api/v1/imports?limit=1000", given->json, err);
}

static int run_list(const struct sn_verb *verb, void *options, int argc, char **argv)
{
	const struct options *given = options;

	(void)verb, (void)argc, (void)argv;
	return sn_client_run(&given->client, list_jobs, options);
}

struct cancel {
	const struct options *given;
	const char *id;
};

static int cancel(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct cancel *asked = ctx;
	sn_autofree char *path = sn_xasprintf("/api/v1/imports/%s", asked->id);
	int rc = sn_client_call(client, "DELETE", path, NULL, NULL, err);

	if (rc == 0 && asked->given->json)
		sn_output_done(stdout, "id", asked->id, "cancelled");
	else if (rc == 0)
		printf("import %s is stopped; what it has stored stays\n", asked->id);
	return rc;
}

static int run_cancel(const struct sn_verb *verb, void *options, int argc, char **argv)
{
	struct cancel asked = {.given = options, .id = argv[0]};

	(void)verb, (void)argc;
	if (strspn(argv[0], "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != strlen(argv[0]))
		return sn_cli_fail(SN_EXIT_USAGE, "'%.40s' is no import (see 'sonde imports')",
				   argv[0]);
	return sn_client_run(&asked.given->client, cancel, &asked);
}

static const struct sn_opt import_options[] = {
	{SN_OPT("form", 'f', SN_OPT_TEXT, form, "FORM",
		"tstat, monroe, mplane, csv or jsonl (default: by name and content)")},
	{SN_OPT("dataset", 'd', SN_OPT_TEXT, dataset, "DATASET",
		"of CSV and JSON Lines (default: what the name of the file begins with)")},
	{SN_OPT("node", 0, SN_OPT_TEXT, node, "NAME", "that measured, for Tstat's logs")},
	{SN_OPT("strict", 0, SN_OPT_FLAG, strict, NULL,
		"MONROE: refuse what the testbed's own importer refused")},
	{SN_OPT("leave-newest", 0, SN_OPT_FLAG, leave_newest, NULL,
		"of each directory, leave out the file that changed last")},
	{SN_OPT("again", 0, SN_OPT_FLAG, again, NULL,
		"a file that was imported: look whether all of it is still there")},
	{SN_OPT("detach", 0, SN_OPT_FLAG, detach, NULL, "do not wait for the hub to import it")},
	{SN_OPT("dry-run", 'n', SN_OPT_FLAG, dry_run, NULL, "read the files, store nothing")},
	{SN_OPT("store", 0, SN_OPT_TEXT, store, "DIR",
		"write into this store directory, without a hub or beside it")},
	{SN_OPT("rejects", 0, SN_OPT_TEXT, rejects, "FILE",
		"with --store: where bad lines go, with file, line and reason")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};
static const struct sn_opt list_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "import",
		.arguments = "FILE|DIRECTORY...",
		.help = "Bring files into the store: Tstat's logs, MONROE's JSON, mPlane, CSV.",
		.examples = "sonde import --node rome /var/log/tstat\n"
			    "sonde import --dataset ping results.csv.gz",
		.options = import_options,
		.option_count = SN_COUNT(import_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = -1,
		.run = run_import,
		.complete = "file",
	},
	{
		.path = "imports",
		.watch = true,
		.help = "List what is and was imported, newest first.",
		.examples = "sonde imports\nsonde imports --json",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "imports cancel",
		.arguments = "ID",
		.help = "Stop an import; what is stored stays.",
		.examples = "sonde imports cancel 01JNZ8W9E4T3Q7V5B2M6K1R0XN",
		.options = list_options,
		.option_count = SN_COUNT(list_options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = 1,
		.run = run_cancel,
	},
};
const struct sn_cli_verbs sn_cli_import_verbs = {verbs, SN_COUNT(verbs)};
