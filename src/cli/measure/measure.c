/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde measure CAPABILITY`: ask nodes and peers to measure, wait, show what came back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/measure/capability.h"
#include "cli/measure/measurement.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/rows.h"
#include "cli/verbs.h"

#define WHEN_TEXT_MAX 256
#define ENDED         1 /* a function's word for: all parts have ended */

struct options {
	struct sn_client_options client;
	struct sn_opt_texts nodes, tags, countries, networks;
	const char *when, *every, *during, *name, *repository;
	bool follow, detach, dry_run, json, csv;
};

#define OPT_TEXTS(name_, letter_, member_, argument_, help_)                                       \
	SN_OPT(name_, letter_, SN_OPT_TEXTS, member_, argument_, help_)
#define OPT_TEXT(name_, letter_, member_, argument_, help_)                                        \
	SN_OPT(name_, letter_, SN_OPT_TEXT, member_, argument_, help_)
#define OPT_FLAG(name_, letter_, member_, help_)                                                   \
	SN_OPT(name_, letter_, SN_OPT_FLAG, member_, NULL, help_)

struct run {
	const struct options *given;
	int argc;
	char **argv;
	struct sn_client *client;
	json_t *body, *measurement;
	struct sn_err *err;
};

/* The request ------------------------------------------------------------ */

/* "--every 10s --for 5m" is "now + 5m / 10s". */
static void compose_when(const struct options *given, char out[WHEN_TEXT_MAX])
{
	const char *during = given->during, *every = given->every;

	if (during == NULL && every == NULL)
		snprintf(out, WHEN_TEXT_MAX, "now");
	else
		snprintf(out, WHEN_TEXT_MAX, "now %s %s%s%s", during != NULL ? "+" : "...",
			 during != NULL ? during : "future", every != NULL ? " / " : "",
			 every != NULL ? every : "");
}

/* Each may be given several times, or once with commas. */
static void add_list(json_t *body, const char *key, const struct sn_opt_texts *texts)
{
	json_t *list;

	if (texts->count == 0)
		return;
	list = json_array();
	for (unsigned i = 0; i < texts->count; i++) {
		struct sn_str rest = sn_str(texts->items[i]), part;

		while (sn_str_split(&rest, ',', &part))
			json_array_append_new(list, json_stringn(part.p, part.n));
	}
	json_object_set_new(body, key, list);
}

static void add_text(json_t *body, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(body, key, json_string(text));
}

static int make_body(struct run *run)
{
	const struct options *given = run->given;
	sn_autojson json_t *capability = NULL;
	json_t *parameters;
	char when[WHEN_TEXT_MAX];
	int rc = sn_capability_fetch(run->client, run->argv[0], &capability, run->err);

	if (rc == 0)
		rc = sn_capability_parameters(capability, run->argc - 1, run->argv + 1, &parameters,
					      run->err);
	if (rc != 0)
		return rc;
	compose_when(given, when);
	run->body = json_pack("{s:s, s:o, s:s}", "capability", run->argv[0], "parameters",
			      parameters, "when", given->when != NULL ? given->when : when);
	add_list(run->body, "nodes", &given->nodes);
	add_list(run->body, "tags", &given->tags);
	add_list(run->body, "countries", &given->countries);
	add_list(run->body, "networks", &given->networks);
	add_text(run->body, "name", given->name);
	add_text(run->body, "repository", given->repository);
	return 0;
}

/* Waiting ---------------------------------------------------------------- */

static int ask(void *ctx)
{
	struct run *run = ctx;
	int rc = sn_client_call(run->client, "POST", "/api/v1/measurements", run->body,
				&run->measurement, run->err);

	if (rc != 0)
		return rc;
	return sn_measurement_has_ended(run->measurement) ? ENDED : 0;
}

/* The state as it is now: events may have been missed. */
static int look(struct run *run)
{
	json_t *now = NULL;
	int rc = sn_measurement_get(run->client, sn_output_text(run->measurement, "id"), &now,
				    run->err);

	if (rc != 0)
		return rc;
	json_decref(run->measurement);
	run->measurement = now;
	return sn_measurement_has_ended(now) ? ENDED : 0;
}

static int take_event(const char *event, struct sn_str data, void *ctx)
{
	struct run *run = ctx;
	sn_autojson json_t *json = sn_json_parse(data.p, data.n, NULL);
	const char *id = sn_output_text(json, "id"), *ours;

	if (run->measurement == NULL)
		return 0;
	if (event != NULL && strcmp(event, "reset") == 0)
		return look(run);
	ours = sn_output_text(run->measurement, "id");
	if (id == NULL || ours == NULL || strcmp(id, ours) != 0 || !sn_measurement_has_ended(json))
		return 0;
	return ENDED;
}

/* What came back --------------------------------------------------------- */

static int exit_code(const json_t *measurement)
{
	const json_t *providers = json_object_get(measurement, "providers");
	double done = sn_output_number(providers, "done");
	double failed = sn_output_number(providers, "failed");
	double stopped = sn_output_number(providers, "stopped");

	if (!(failed > 0) && !(stopped > 0))
		return SN_EXIT_OK;
	return done > 0 ? SN_EXIT_PARTIAL : SN_EXIT_FAILED;
}

/* Who has not done it, and why. */
static void tell_failures(const json_t *measurement)
{
	size_t i;
	const json_t *part;

	json_array_foreach (json_object_get(measurement, "parts"), i, part) {
		const char *state = sn_output_text(part, "state");
		const char *reason = sn_output_text(part, "error");

		if (state == NULL || strcmp(state, "done") == 0)
			continue;
		fprintf(stderr, "%s: %s%s%s\n", sn_output_text(part, "name"), state,
			reason != NULL && *reason != '\0' ? ": " : "",
			reason != NULL ? reason : "");
	}
}

static enum sn_rows_form form_of(const struct options *given)
{
	return given->json ? SN_ROWS_JSON : given->csv ? SN_ROWS_CSV : SN_ROWS_TABLE;
}

static int show_end(struct run *run)
{
	int rc = look(run);

	if (rc < 0)
		return rc;
	rc = sn_measurement_show_results(run->client, run->measurement, form_of(run->given), false,
					 stdout, run->err);
	if (rc == 0)
		tell_failures(run->measurement);
	return rc;
}

static int wait_and_show(struct run *run, int *code)
{
	int rc = sn_client_follow(run->client, "/api/v1/events?topic=measurements", ask, take_event,
				  run, run->err);

	if (rc == ENDED) {
		rc = show_end(run);
		*code = exit_code(run->measurement);
	} else if (rc == 0 && run->measurement != NULL) {
		sn_measurement_tell_goes_on(run->measurement);
		*code = SN_EXIT_PARTIAL;
	}
	return rc;
}

static int follow(struct run *run)
{
	int rc = ask(run);

	if (rc < 0)
		return rc;
	if (!run->given->json && !run->given->csv)
		fprintf(stderr, "measurement %s\n", sn_output_text(run->measurement, "id"));
	rc = sn_measurement_show_results(run->client, run->measurement, form_of(run->given), true,
					 stdout, run->err);
	if (rc == 0)
		sn_measurement_tell_goes_on(run->measurement);
	return rc;
}

static int detach(struct run *run)
{
	int rc = ask(run);

	if (rc < 0)
		return rc;
	if (run->given->json)
		sn_output_json_line(stdout, run->measurement);
	else
		printf("%s\n", sn_output_text(run->measurement, "id"));
	return 0;
}

/* The verb --------------------------------------------------------------- */

static void preview(const json_t *plan)
{
	sn_autofree char *targets = sn_output_texts(json_object_get(plan, "targets"));
	const char *reason = sn_output_text(plan, "reason");
	double runs = sn_output_number(plan, "runs");
	size_t i;
	const json_t *provider;

	printf("would measure   %s\n", sn_output_text(plan, "when"));
	if (runs > 0)
		printf("runs            %.0f for each\n", runs);
	if (*targets != '\0')
		printf("targets         %s\n", targets);
	printf("allowed         %s%s%s\n",
	       json_is_true(json_object_get(plan, "allowed")) ? "yes" : "no",
	       reason != NULL && *reason != '\0' ? ": " : "", reason != NULL ? reason : "");
	json_array_foreach (json_object_get(plan, "providers"), i, provider) {
		const char *name = json_is_string(provider) ? json_string_value(provider)
							    : sn_output_text(provider, "name");

		printf("%-15s %s\n", i == 0 ? "by" : "", name != NULL ? name : "?");
	}
}

static int dry_run(struct run *run)
{
	sn_autojson json_t *plan = NULL;
	int rc = sn_client_call(run->client, "POST", "/api/v1/measurements?dry_run=true", run->body,
				&plan, run->err);

	if (rc == 0 && run->given->json)
		sn_output_json_line(stdout, plan);
	else if (rc == 0)
		preview(plan);
	return rc;
}

/* Only what ends soon is waited for. */
static bool is_open_ended(const struct options *given)
{
	if (given->when != NULL)
		return strstr(given->when, "future") != NULL ||
		       strncmp(given->when, "repeat", 6) == 0;
	return given->every != NULL && given->during == NULL;
}

static int check(const struct options *given)
{
	if (given->json && given->csv)
		return sn_cli_fail(SN_EXIT_USAGE, "'--json' and '--csv' exclude each other");
	if (given->when != NULL && (given->every != NULL || given->during != NULL))
		return sn_cli_fail(SN_EXIT_USAGE,
				   "'--when' says all: leave '--every' and '--for' out");
	if (given->follow && (given->detach || given->dry_run))
		return sn_cli_fail(SN_EXIT_USAGE, "'--follow' needs a measurement to wait for: "
						  "leave '--detach' and '--dry-run' out");
	return SN_EXIT_OK;
}

static int work(struct run *run, int *code)
{
	const struct options *given = run->given;
	int rc = make_body(run);

	if (rc != 0)
		return rc;
	if (given->dry_run)
		return dry_run(run);
	if (given->follow)
		return follow(run);
	if (given->detach || is_open_ended(given))
		return detach(run);
	return wait_and_show(run, code);
}

static int run_measure(const struct sn_verb *verb SN_UNUSED, void *opts, int argc, char **argv)
{
	const struct options *given = opts;
	struct sn_err err = {0};
	struct run run = {.given = given, .argc = argc, .argv = argv, .err = &err};
	int code = check(given), rc;

	if (code != SN_EXIT_OK)
		return code;
	rc = sn_client_open(&given->client, &run.client, &err);
	if (rc == 0) {
		rc = work(&run, &code);
		sn_client_close(run.client);
	}
	json_decref(run.body);
	json_decref(run.measurement);
	return rc == 0 ? code : sn_client_fail(&err);
}

static const struct sn_opt options[] = {
	{OPT_TEXTS("node", 'n', nodes, "NODE",
		   "who shall measure (name or id; repeatable or with commas; default: all)"),
	 .group = "Who"},
	{OPT_TEXTS("tag", 't', tags, "TAG", "only nodes with this tag")},
	{OPT_TEXTS("country", 0, countries, "CC", "only nodes in this country (ISO 3166 code)")},
	{OPT_TEXTS("network", 0, networks, "NET",
		   "only nodes in this network (AS64500 or prefix)")},
	{OPT_TEXT("every", 'e', every, "TIME", "again and again with this period"),
	 .group = "When"},
	{OPT_TEXT("for", 0, during, "TIME", "for this long; without it '--every' has no end")},
	{OPT_TEXT("when", 'w', when, "SCOPE",
		  "all that an mPlane scope can say, like 'repeat now + 1d / 1h { now + 30s / 1s "
		  "}'")},
	{OPT_TEXT("name", 0, name, "TEXT", "what to call the measurement"), .group = "How"},
	{OPT_TEXT("repository", 0, repository, "NAME",
		  "have the results sent there as well (a name of the hub's configuration)")},
	{OPT_FLAG("detach", 'd', detach, "do not wait; print the id")},
	{OPT_FLAG("follow", 'f', follow, "show results as they come, until Ctrl-C")},
	{OPT_FLAG("dry-run", 0, dry_run, "say what would be asked of whom, and whether you may")},
	{OPT_FLAG("json", 'j', json, "one JSON object per line, SI units, UTC"), .group = "Output"},
	{OPT_FLAG("csv", 'c', csv, "comma-separated values, with a header")},
	SN_CLIENT_OPTION(struct options, client),
};

static const struct sn_verb verbs[] = {
	{
		.path = "measure",
		.arguments = "CAPABILITY [NAME=VALUE|TARGET]...",
		.help = "Have nodes and peers measure now or on a schedule, and show the results.",
		.examples = "sonde measure ping hub.example --node rome,oslo\n"
			    "sonde measure ping count=3 192.0.2.1 --every 10s --name uplink",
		.options = options,
		.option_count = SN_COUNT(options),
		.options_size = sizeof(struct options),
		.min_args = 1,
		.max_args = -1,
		.run = run_measure,
		.complete = "capability",
	},
};
const struct sn_cli_verbs sn_cli_measure_verbs = {verbs, SN_COUNT(verbs)};
