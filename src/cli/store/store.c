/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde store`: how much is stored and where, dropping days, checks, ClickHouse. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/listing.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/shape.h"
#include "cli/store/internal.h"
#include "cli/verbs.h"
#include "net/http_client.h"

/* Stats ----------------------------------------------------------------------------- */

#define WIDTH 16

static void line(const char *label, const char *text)
{
	if (text != NULL && text[0] != '\0')
		sn_print_pair(stdout, WIDTH, label, text);
}

static void line_bytes(const json_t *store, const char *label, const char *key)
{
	double bytes = sn_output_number(store, key);
	char text[32];

	if (!isnan(bytes))
		line(label, sn_format_bytes((uint64_t)bytes, text, sizeof(text)));
}

static void line_count(const json_t *store, const char *label, const char *key)
{
	double count = sn_output_number(store, key);
	char text[32];

	snprintf(text, sizeof(text), "%.0f", count);
	if (!isnan(count))
		line(label, text);
}

static void line_time(const json_t *store, const char *label, const char *key)
{
	char text[SN_TIME_LOCAL_MAX];
	int64_t unix_ns;

	if (sn_output_time(store, key, &unix_ns))
		line(label, sn_shape_time(unix_ns, text, sizeof(text)));
}

static void lines_problems(const json_t *store)
{
	const json_t *problem;
	size_t i;

	json_array_foreach (json_object_get(store, "problems"), i, problem) {
		sn_autofree char *text = sn_xasprintf(
			"%s: %s (%s)", sn_output_text(problem, "what"),
			sn_output_text(problem, "reason"), sn_output_text(problem, "next"));

		line(i == 0 ? "problems" : "", text);
	}
}

static void lines_replica(const json_t *replica)
{
	double lag = sn_output_number(replica, "lag_seconds");
	const char *reason = sn_output_text(replica, "reason");
	sn_autofree char *text = NULL;

	if (!json_is_object(replica))
		return;
	line("replica of", sn_output_text(replica, "of"));
	text = sn_xasprintf("%s%s%s", sn_output_text(replica, "state"), reason != NULL ? ": " : "",
			    reason != NULL ? reason : "");
	line("replica", text);
	free(text);
	text = sn_xasprintf("%.1f s", lag);
	if (!isnan(lag))
		line("behind", text);
}

static void lines_clickhouse(const json_t *clickhouse)
{
	const char *reason = sn_output_text(clickhouse, "reason");
	sn_autofree char *text = NULL;

	if (!json_is_object(clickhouse))
		return;
	line("ClickHouse", sn_output_text(clickhouse, "url"));
	text = sn_xasprintf("%s%s%s", sn_output_text(clickhouse, "state"),
			    reason != NULL ? ": " : "", reason != NULL ? reason : "");
	line("state there", text);
	line_count(clickhouse, "rows there", "moved_rows");
	line_count(clickhouse, "rows waiting", "waiting_rows");
}

static int show_stats(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;
	sn_autojson json_t *store = NULL;
	int rc = sn_client_get(client, "/api/v1/store", &store, err);

	if (rc != 0)
		return rc;
	if (given->json) {
		sn_output_json_line(stdout, store);
		return 0;
	}
	line("backend", sn_output_text(store, "backend"));
	line("directory", sn_output_text(store, "path"));
	line_count(store, "rows", "rows");
	line_count(store, "in day files", "local_rows");
	line_count(store, "days", "days");
	line_bytes(store, "size", "bytes");
	line_bytes(store, "free", "free_bytes");
	line_time(store, "oldest row", "first");
	line_time(store, "newest row", "last");
	line_count(store, "retention (days)", "retention_days");
	lines_clickhouse(json_object_get(store, "clickhouse"));
	lines_replica(json_object_get(store, "replica"));
	lines_problems(store);
	return 0;
}

static int run_stats(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		     char **argv SN_UNUSED)
{
	const struct options *given = opts;

	if (given->store != NULL || given->state != NULL)
		return sn_store_local_stats(given);
	return sn_client_run(&given->client, show_stats, opts);
}

/* Days ---------------------------------------------------------------------------------- */

static const struct sn_listing_column day_columns[] = {
	{{.header = "day"}, "day", SN_LISTING_TEXT, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "here", .right = true, .drop = 2}, "local_rows", SN_LISTING_COUNT, NULL},
	{{.header = "size", .right = true}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "batches", .right = true, .drop = 1}, "batches", SN_LISTING_COUNT, NULL},
};
static const struct sn_listing days = {day_columns, SN_COUNT(day_columns),
				       "Nothing is stored yet."};

static int list_days(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_listing_run(client, &days, "/api/v1/store/days?limit=1000", given->json, err);
}

static int run_days(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		    char **argv SN_UNUSED)
{
	const struct options *given = opts;

	return sn_client_run(&given->client, list_days, opts);
}

static const struct sn_listing_column dataset_columns[] = {
	{{.header = "dataset"}, "name", SN_LISTING_TEXT, NULL},
	{{.header = "version", .right = true, .drop = 3}, "version", SN_LISTING_COUNT, NULL},
	{{.header = "rows", .right = true}, "rows", SN_LISTING_COUNT, NULL},
	{{.header = "here", .right = true, .drop = 4}, "local_rows", SN_LISTING_COUNT, NULL},
	{{.header = "size here", .right = true}, "bytes", SN_LISTING_BYTES, NULL},
	{{.header = "days", .right = true, .drop = 2}, "days", SN_LISTING_COUNT, NULL},
	{{.header = "first", .drop = 1}, "first", SN_LISTING_TIME, NULL},
	{{.header = "last"}, "last", SN_LISTING_TIME, NULL},
};
static const struct sn_listing datasets = {dataset_columns, SN_COUNT(dataset_columns),
					   "Nothing is stored yet."};

static int list_datasets(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct options *given = ctx;

	return sn_listing_run(client, &datasets, "/api/v1/store/datasets?limit=1000", given->json,
			      err);
}

static int run_datasets(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
			char **argv SN_UNUSED)
{
	const struct options *given = opts;

	return sn_client_run(&given->client, list_datasets, opts);
}

/* Dropping -------------------------------------------------------------------------------- */

struct drop {
	const struct options *given;
	int count;
	char **days;
	bool found[366];
};

static int find_day(const json_t *item, void *ctx)
{
	struct drop *drop = ctx;
	const char *day = sn_output_text(item, "day");

	for (int i = 0; day != NULL && i < drop->count; i++)
		drop->found[i] |= strcmp(drop->days[i], day) == 0;
	for (int i = 0; day != NULL && drop->given->dry_run && i < drop->count; i++) {
		char bytes[32];

		if (strcmp(drop->days[i], day) != 0)
			continue;
		if (drop->given->json)
			sn_output_json_line(stdout, item);
		else
			printf("%s: %.0f rows, %s would be dropped\n", day,
			       sn_output_number(item, "rows"),
			       sn_format_bytes((uint64_t)sn_output_number(item, "bytes"), bytes,
					       sizeof(bytes)));
	}
	return 0;
}

/* All of them are looked up first: one with a typing error keeps the others, too. */
static int drop_days(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct drop *drop = ctx;
	int rc = sn_client_each(client, "/api/v1/store/days?limit=1000", find_day, drop, err);

	for (int i = 0; rc == 0 && i < drop->count; i++)
		if (!drop->found[i])
			rc = sn_err_set(err, -ENOENT,
					"cannot drop '%.20s': there are no rows of this day "
					"('sonde store days' lists them)",
					drop->days[i]);
	for (int i = 0; rc == 0 && !drop->given->dry_run && i < drop->count; i++) {
		struct sn_buf path = {0};

		sn_buf_adds(&path, "/api/v1/store/days/");
		sn_url_encode(&path, sn_str(drop->days[i]));
		rc = sn_client_call(client, "DELETE", sn_buf_cstr(&path), NULL, NULL, err);
		if (rc == 0 && drop->given->json)
			sn_output_done(stdout, "day", drop->days[i], "dropped");
		else if (rc == 0)
			printf("%s is dropped\n", drop->days[i]);
		sn_buf_finish(&path);
	}
	return rc;
}

static int run_drop(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	struct drop drop = {.given = given, .count = argc, .days = argv};

	return sn_client_run(&given->client, drop_days, &drop);
}

/* Checking ------------------------------------------------------------------------------- */

struct asked {
	const struct options *given;
	int code;
};

static int check(struct sn_client *client, void *ctx, struct sn_err *err)
{
	struct asked *asked = ctx;
	sn_autojson json_t *body = json_pack("{s:b, s:b}", "deep", asked->given->deep, "repair",
					     asked->given->repair),
			   *job = NULL;
	struct sn_store_findings *findings;
	const json_t *finding;
	size_t i;
	int rc = sn_store_job(client, "/api/v1/store/check", body, "check", &job, err);

	if (rc != 0)
		return rc;
	findings = sn_store_findings_create(asked->given->json);
	json_array_foreach (json_object_get(job, "findings"), i, finding)
		sn_store_findings_add(findings, sn_output_text(finding, "what"),
				      sn_output_text(finding, "reason"),
				      sn_output_text(finding, "next"));
	asked->code = sn_store_findings_end(findings);
	return 0;
}

static int run_check(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		     char **argv SN_UNUSED)
{
	struct asked asked = {.given = opts};
	int code;

	if (asked.given->store != NULL || asked.given->state != NULL)
		return sn_store_local_check(asked.given);
	code = sn_client_run(&asked.given->client, check, &asked);
	return code != SN_EXIT_OK ? code : asked.code;
}

/* Migrating ------------------------------------------------------------------------------- */

struct migrate {
	const struct options *given;
	const char *to;
};

static int migrate(struct sn_client *client, void *ctx, struct sn_err *err)
{
	const struct migrate *asked = ctx;
	sn_autojson json_t *body = json_pack("{s:s}", "to", asked->to), *answer = NULL;
	int rc = sn_client_call(client, "POST", "/api/v1/store/migrate", body, &answer, err);

	if (rc == 0 && asked->given->json)
		sn_output_json_line(stdout, answer);
	else if (rc == 0)
		printf("Rows go to %s, in the background; 'sonde store stats' tells how far they "
		       "are.\n",
		       strcmp(asked->to, "sqlite") == 0 ? "the day files" : "ClickHouse");
	return rc;
}

static int run_migrate(const struct sn_verb *verb SN_UNUSED, void *opts, int argc SN_UNUSED,
		       char **argv)
{
	const struct options *given = opts;
	struct migrate asked = {.given = given, .to = argv[0]};

	if (strcmp(argv[0], "clickhouse") != 0 && strcmp(argv[0], "sqlite") != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "'%s' is neither 'clickhouse' nor 'sqlite'",
				   argv[0]);
	return sn_client_run(&given->client, migrate, &asked);
}

/* Verbs ---------------------------------------------------------------------------------- */

static const struct sn_opt list_options[] = {
	SN_CLIENT_OPTION(struct options, client),
	SN_OPTION_JSON,
};
static const struct sn_opt stats_options[] = {
	SN_CLIENT_OPTION(struct options, client),
	SN_OPTION_JSON,
	SN_STORE_PLACE_OPTIONS,
};
static const struct sn_opt check_options[] = {
	SN_CLIENT_OPTION(struct options, client),
	SN_OPTION_JSON,
	{SN_OPT("deep", 'd', SN_OPT_FLAG, deep, NULL, "read every column of every block")},
	{SN_OPT("repair", 'r', SN_OPT_FLAG, repair, NULL,
		"first take back what is whole of files that were set aside")},
	SN_STORE_PLACE_OPTIONS,
};
static const struct sn_opt drop_options[] = {
	SN_CLIENT_OPTION(struct options, client),
	SN_OPTION_JSON,
	{SN_OPT("dry-run", 'n', SN_OPT_FLAG, dry_run, NULL, "say what would be dropped")},
};
static const struct sn_opt backup_options[] = {
	SN_CLIENT_OPTION(struct options, client),
	SN_OPTION_JSON,
	{SN_OPT("full", 'f', SN_OPT_FLAG, full, NULL, "copy what has not changed, too")},
	{SN_OPT("state", 's', SN_OPT_TEXT, state, "DIR",
		"back up this state directory without asking a hub")},
};
static const struct sn_opt restore_options[] = {
	{SN_OPT("state", 's', SN_OPT_TEXT, state, "DIR", "state directory to make; needed")},
	SN_OPTION_JSON,
	{SN_OPT("dry-run", 'n', SN_OPT_FLAG, dry_run, NULL, "verify the backup only")},
	{SN_OPT("force", 'f', SN_OPT_FLAG, force, NULL,
		"move a state that is there already aside")},
};

#define VERB(path_, arguments_, help_, examples_, options_, min_, max_, run_)                      \
	{                                                                                          \
		.path = (path_), .arguments = (arguments_), .help = (help_),                       \
		.examples = (examples_), .options = (options_),                                    \
		.option_count = SN_COUNT(options_), .options_size = sizeof(struct options),        \
		.min_args = (min_), .max_args = (max_), .run = (run_)                              \
	}

static const struct sn_verb verbs[] = {
	VERB("store stats", "", "Show how much is stored, where, and how the store is doing.",
	     "sonde store stats\nsonde store stats --state /var/lib/sonde/hub", stats_options, 0, 0,
	     run_stats),
	VERB("store days", "", "List days that have rows.",
	     "sonde store days\nsonde store days --json", list_options, 0, 0, run_days),
	VERB("store datasets", "", "List datasets that have rows.",
	     "sonde store datasets\nsonde store datasets --json", list_options, 0, 0, run_datasets),
	VERB("store drop", "DAY...", "Drop all rows of days.",
	     "sonde store drop --dry-run 2026-03-01\nsonde store drop 2026-03-01 2026-03-02",
	     drop_options, 1, 366, run_drop),
	VERB("store check", "", "Look for damage; without --repair it changes nothing.",
	     "sonde store check --deep\nsonde store check --state /var/lib/sonde/hub",
	     check_options, 0, 0, run_check),
	VERB("store backup", "DIRECTORY", "Copy the hub's whole state while it runs.",
	     "sonde store backup /backup/hub\nsonde store backup /backup/hub --full",
	     backup_options, 1, 1, sn_store_run_backup),
	VERB("store restore", "BACKUP", "Make a hub's state of a backup.",
	     "sonde store restore /backup/hub --state /var/lib/sonde/hub\n"
	     "sonde store restore /backup/hub --state /tmp/x --dry-run",
	     restore_options, 1, 1, sn_store_run_restore),
	VERB("store migrate", "clickhouse|sqlite", "Set where rows go: to ClickHouse, or back.",
	     "sonde store migrate clickhouse\nsonde store migrate sqlite", list_options, 1, 1,
	     run_migrate),
};
const struct sn_cli_verbs sn_cli_store_verbs = {verbs, SN_COUNT(verbs)};
