/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde quarantine`: what the hub was sent and could not take. */
#include <errno.h>
#include <stdlib.h>
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
	bool json, content;
	const char *source, *dataset;
	int argc;
	char **argv;
};

static int run(const struct options *given, int argc, char **argv, sn_client_work_fn *work)
{
	struct options all = *given;

	all.argc = argc;
	all.argv = argv;
	return sn_client_run(&given->client, work, &all);
}

/* The path of an item, which must be a number; NULL and the reason. */
static char *path_of(const char *id, const char *rest, struct sn_err *err)
{
	uint64_t number;

	if (sn_parse_u64(sn_str(id), 1, INT64_MAX, &number) != 0) {
		sn_err_set(err, -EDOM,
			   "'%.40s' is not the number of an item (see 'sonde quarantine list')",
			   id);
		return NULL;
	}
	return sn_xasprintf("/api/v1/quarantine/%s%s", id, rest);
}

static char *list_path(const struct options *given)
{
	struct sn_buf path = {0};

	sn_buf_adds(&path, "/api/v1/quarantine?limit=1000");
	if (given->source != NULL) {
		sn_buf_adds(&path, "&source=");
		sn_url_encode(&path, sn_str(given->source));
	}
	if (given->dataset != NULL) {
		sn_buf_adds(&path, "&dataset=");
		sn_url_encode(&path, sn_str(given->dataset));
	}
	sn_buf_cstr(&path);
	return path.p;
}

/* Looking --------------------------------------------------------------------------- */

static const struct sn_listing_column columns[] = {
	{{.header = "id", .right = true}, "id", SN_LISTING_TEXT, NULL},
	{{.header = "came"}, "time", SN_LISTING_AGO, NULL},
	{{.header = "from", .shrink = true}, "node|source", SN_LISTING_TEXT, NULL},
	{{.header = "kind", .drop = 1}, "kind", SN_LISTING_TEXT, NULL},
	{{.header = "dataset", .sparse = true}, "dataset", SN_LISTING_TEXT, NULL},
	{{.header = "size", .right = true, .drop = 2}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "tries", .right = true, .drop = 3}, "tries", SN_LISTING_COUNT, NULL},
	{{.header = "reason", .shrink = true}, "reason", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing items = {columns, SN_COUNT(columns), "Nothing is in quarantine."};

static int list(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autofree char *path = list_path(given);

	return sn_listing_run(client, &items, path, given->json, err);
}

static int run_list(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, list);
}

static int write_piece(struct sn_str piece, void *ctx)
{
	return fwrite(piece.p, 1, piece.n, ctx) == piece.n ? 0 : -EPIPE;
}

static const struct sn_listing_column lines[] = {
	{{.header = "id"}, "id", SN_LISTING_TEXT, NULL},
	{{.header = "from"}, "node|source", SN_LISTING_TEXT, NULL},
	{{.header = "came"}, "time", SN_LISTING_TIME, NULL},
	{{.header = "kind"}, "kind", SN_LISTING_TEXT, NULL},
	{{.header = "dataset"}, "dataset", SN_LISTING_TEXT, NULL},
	{{.header = "rows"}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "size"}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "tries"}, "tries", SN_LISTING_COUNT, NULL},
	{{.header = "reason"}, "reason", SN_LISTING_TEXT, NULL},
};
static const struct sn_listing one = {lines, SN_COUNT(lines), NULL};

static int show(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autofree char *path = path_of(given->argv[0], given->content ? "/content" : "", err);
	sn_autojson json_t *item = NULL;
	int rc;

	if (path == NULL)
		return err->code;
	if (given->content)
		return sn_client_stream(client, path, "application/octet-stream", write_piece,
					stdout, err);
	rc = sn_client_get(client, path, &item, err);
	if (rc == 0 && given->json)
		sn_output_json_line(stdout, item);
	else if (rc == 0)
		sn_listing_show(&one, item, stdout);
	return rc;
}

static int run_show(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, show);
}

/* Running again ------------------------------------------------------------------------ */

struct tally {
	const struct options *given;
	char **ids; /* of all that fit, NULL-terminated */
	size_t count;
	unsigned stored, kept;
	double rows;
};

static int note_id(const json_t *item, void *ctx)
{
	struct tally *tally = ctx;
	const char *id = sn_output_text(item, "id");

	tally->ids = sn_xrealloc(tally->ids, tally->count + 2, sizeof(char *));
	tally->ids[tally->count++] = sn_xstrdup(id != NULL ? id : "");
	tally->ids[tally->count] = NULL;
	return 0;
}

static void say_outcome(const struct options *given, const json_t *outcome)
{
	const char *id = sn_output_text(outcome, "id"), *state = sn_output_text(outcome, "state");
	const char *reason = sn_output_text(outcome, "reason");
	sn_autofree char *why = reason != NULL ? sn_text_defused(reason) : NULL;

	if (given->json)
		sn_output_json_line(stdout, outcome);
	else if (id != NULL && state != NULL)
		printf("%s  %s%s%s\n", id, state, why != NULL ? ": " : "", why != NULL ? why : "");
}

static int retry_one(struct sn_client *client, const char *id, struct tally *tally,
		     struct sn_err *err)
{
	sn_autofree char *path = path_of(id, "/retry", err);
	sn_autojson json_t *outcome = NULL;
	const char *state;
	int rc = path == NULL ? err->code
			      : sn_client_call(client, "POST", path, NULL, &outcome, err);

	if (rc != 0)
		return rc;
	state = sn_output_text(outcome, "state");
	if (state != NULL && strcmp(state, "kept") == 0)
		tally->kept++;
	else
		tally->stored++;
	tally->rows += sn_output_number(outcome, "rows");
	say_outcome(tally->given, outcome);
	return 0;
}

/* Oldest first, as it was sent. */
static int retry_all(struct sn_client *client, struct tally *tally, struct sn_err *err)
{
	sn_autofree char *path = list_path(tally->given);
	int rc = sn_client_each(client, path, note_id, tally, err);

	for (size_t i = tally->count; rc == 0 && i-- > 0;) {
		rc = retry_one(client, tally->ids[i], tally, err);
		if (rc == -ENOENT) /* somebody else has dealt with it meanwhile */
			rc = 0;
	}
	for (size_t i = 0; i < tally->count; i++)
		free(tally->ids[i]);
	free(tally->ids);
	return rc;
}

static int retry(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct tally tally = {.given = ctx};
	int rc = 0;

	if (tally.given->argc == 0)
		rc = retry_all(client, &tally, err);
	for (int i = 0; i < tally.given->argc && rc == 0; i++)
		rc = retry_one(client, tally.given->argv[i], &tally, err);
	if (rc == 0 && !tally.given->json)
		fprintf(stderr, "%u taken (%.0f rows), %u still in quarantine.\n", tally.stored,
			tally.rows, tally.kept);
	if (rc == 0 && tally.kept > 0)
		rc = sn_err_set(err, -EINVAL, "the reasons are still there for %u", tally.kept);
	return rc;
}

static int run_retry(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, retry);
}

static int remove_items(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	for (int i = 0; i < given->argc; i++) {
		sn_autofree char *path = path_of(given->argv[i], "", err);
		int rc = path != NULL ? sn_client_call(client, "DELETE", path, NULL, NULL, err)
				      : err->code;

		if (rc != 0)
			return rc;
		if (given->json)
			sn_output_done(stdout, "id", given->argv[i], "removed");
		else
			printf("removed %s\n", given->argv[i]);
	}
	return 0;
}

static int run_rm(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	return run(opts, argc, argv, remove_items);
}

/* The table ----------------------------------------------------------------------------- */

#define CHOICE                                                                                     \
	{SN_OPT("source", 's', SN_OPT_TEXT, source, "NAME",                                        \
		"only what this node or source sent")},                                            \
	{                                                                                          \
		SN_OPT("dataset", 'd', SN_OPT_TEXT, dataset, "NAME", "only of this dataset")       \
	}

static const struct sn_opt choice_options[] = {
	CHOICE,
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};
static const struct sn_opt show_options[] = {
	{SN_OPT("content", 'c', SN_OPT_FLAG, content, NULL, "what was sent, as it came")},
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};
static const struct sn_opt rm_options[] = {
	SN_OPTION_JSON,
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "quarantine list",
		.watch = true,
		.arguments = "",
		.help = "List what was sent to the hub and could not be taken, with the reason.",
		.examples = "sonde quarantine list --source alpha",
		.options = choice_options,
		.option_count = SN_COUNT(choice_options),
		.options_size = sizeof(struct options),
		.run = run_list,
	},
	{
		.path = "quarantine show",
		.arguments = "ID",
		.help = "Show one item, or what was sent.",
		.examples = "sonde quarantine show 17\nsonde quarantine show 17 --content | head",
		.min_args = 1,
		.max_args = 1,
		.options = show_options,
		.option_count = SN_COUNT(show_options),
		.options_size = sizeof(struct options),
		.run = run_show,
	},
	{
		.path = "quarantine retry",
		.arguments = "[ID...]",
		.help = "Run items again, or all of them; each is stored once.",
		.examples = "sonde quarantine retry 17\nsonde quarantine retry --dataset ping",
		.max_args = 1000,
		.options = choice_options,
		.option_count = SN_COUNT(choice_options),
		.options_size = sizeof(struct options),
		.run = run_retry,
	},
	{
		.path = "quarantine rm",
		.arguments = "ID...",
		.help = "Give items up for good.",
		.examples = "sonde quarantine rm 17 18",
		.min_args = 1,
		.max_args = 1000,
		.options = rm_options,
		.option_count = SN_COUNT(rm_options),
		.options_size = sizeof(struct options),
		.run = run_rm,
	},
};
const struct sn_cli_verbs sn_cli_quarantine_verbs = {verbs, SN_COUNT(verbs)};
