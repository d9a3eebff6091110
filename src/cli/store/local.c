/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a store without a hub; nothing is changed. */
#include "cli/store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "store/survey.h"

char *sn_store_place(const struct options *given)
{
	long pid;

	if (given->store != NULL)
		return sn_xstrdup(given->store);
	pid = sn_survey_hub(given->state);
	if (pid > 0)
		fprintf(stderr,
			"A hub is running on '%s' (process %ld): what it stores meanwhile "
			"may be missing here.\n",
			given->state, pid);
	return sn_fs_join(given->state, "store");
}

struct look {
	const struct options *given;
	struct sn_table *table;
	unsigned problems;
};

static const struct sn_table_column columns[] = {
	{.header = "day"},
	{.header = "rows", .right = true},
	{.header = "here", .right = true, .drop = 2},
	{.header = "size", .right = true},
	{.header = "batches", .right = true, .drop = 1},
	{.header = "problem", .sparse = true, .shrink = true},
};

static void add_cells(struct sn_table *table, const struct sn_survey_day *item)
{
	const struct sn_store_day *day = &item->day;
	char bytes[32];

	sn_table_cell(table, SN_TONE_PLAIN, day->day);
	sn_table_cellf(table, SN_TONE_PLAIN, "%llu", (unsigned long long)day->rows);
	sn_table_cellf(table, SN_TONE_PLAIN, "%llu", (unsigned long long)day->local_rows);
	sn_table_cell(table, SN_TONE_PLAIN, sn_format_bytes(day->bytes, bytes, sizeof(bytes)));
	sn_table_cellf(table, SN_TONE_PLAIN, "%llu", (unsigned long long)day->batches);
	sn_table_cell(table, SN_TONE_BAD, item->problem);
}

static int show_day(const struct sn_survey_day *item, void *ctx)
{
	struct look *look = ctx;
	const struct sn_store_day *day = &item->day;
	sn_autojson json_t *json = NULL;

	look->problems += item->problem != NULL;
	if (!look->given->json) {
		add_cells(look->table, item);
		return 0;
	}
	json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "day", day->day, "rows",
			 (json_int_t)day->rows, "local_rows", (json_int_t)day->local_rows, "bytes",
			 (json_int_t)day->bytes, "batches", (json_int_t)day->batches, "problem",
			 item->problem != NULL ? json_string(item->problem) : json_null());
	sn_output_json_line(stdout, json);
	return 0;
}

int sn_store_local_stats(const struct options *given)
{
	struct look look = {.given = given};
	sn_autofree char *path = sn_store_place(given);
	struct sn_err err = {0};
	int rc;

	look.table = sn_table_create(columns, SN_COUNT(columns));
	rc = sn_survey(path, show_day, &look, &err);
	if (rc == 0 && !given->json && sn_table_rows(look.table) == 0)
		printf("No rows are stored in '%s'.\n", path);
	else if (!given->json)
		sn_table_show(look.table, stdout);
	sn_table_destroy(look.table);
	if (rc != 0)
		return sn_client_fail(&err);
	return look.problems > 0 ? SN_EXIT_FAILED : SN_EXIT_OK;
}

/* Checking --------------------------------------------------------------------------- */

static const struct sn_table_column finding_columns[] = {
	{.header = "what", .shrink = true},
	{.header = "reason", .shrink = true},
	{.header = "what to do", .shrink = true},
};

struct sn_store_findings {
	struct sn_table *table; /* NULL: as JSON */
	unsigned count;
};

struct sn_store_findings *sn_store_findings_create(bool json)
{
	struct sn_store_findings *findings = sn_new(struct sn_store_findings);

	if (!json)
		findings->table = sn_table_create(finding_columns, SN_COUNT(finding_columns));
	return findings;
}

void sn_store_findings_add(struct sn_store_findings *findings, const char *what, const char *reason,
			   const char *next)
{
	sn_autojson json_t *json = NULL;

	/* What a repair did is no damage. */
	findings->count += strcmp(what, "repair") != 0;
	if (findings->table != NULL && strcmp(what, "repair") == 0) {
		printf("%s (%s)\n", reason, next);
		return;
	}
	if (findings->table != NULL) {
		sn_table_cell(findings->table, SN_TONE_BAD, what);
		sn_table_cell(findings->table, SN_TONE_PLAIN, reason);
		sn_table_cell(findings->table, SN_TONE_PLAIN, next);
		return;
	}
	json = json_pack("{s:s, s:s, s:s}", "what", what, "reason", reason, "next", next);
	sn_output_json_line(stdout, json);
}

int sn_store_findings_end(struct sn_store_findings *findings)
{
	unsigned count = findings->count;

	if (findings->table != NULL && count > 0)
		sn_table_show(findings->table, stdout);
	else if (findings->table != NULL)
		printf("The store is sound.\n");
	else if (count == 0)
		printf("{\"sound\":true}\n");
	sn_table_destroy(findings->table);
	free(findings);
	return count > 0 ? SN_EXIT_FAILED : SN_EXIT_OK;
}

struct check {
	struct sn_store_findings *findings;
	struct sn_bar bar;
};

static int note_finding(const struct sn_store_finding *finding, void *ctx)
{
	struct check *check = ctx;

	if (finding->what != NULL)
		sn_store_findings_add(check->findings, finding->what, finding->reason,
				      finding->next);
	else
		sn_bar_update(&check->bar, finding->done, finding->total, NULL);
	return 0;
}

static int repair(struct sn_store *store, struct sn_store_findings *findings, struct sn_err *err)
{
	struct sn_store_salvage sum = {0};
	char text[SN_ERR_TEXT_MAX];
	int rc = sn_store_salvage(store, NULL, &sum, err);

	if (rc != 0)
		return rc;
	snprintf(text, sizeof(text),
		 "%llu rows in %llu batches were taken back from %u files; %llu rows are lost",
		 (unsigned long long)sum.rows, (unsigned long long)sum.batches, sum.files,
		 (unsigned long long)sum.lost_rows);
	sn_store_findings_add(findings, "repair", text,
			      "what is lost may be at a replica or in a backup");
	return 0;
}

int sn_store_local_check(const struct options *given)
{
	sn_autofree char *path = sn_store_place(given);
	struct check check = {.findings = NULL};
	struct sn_store *store;
	struct sn_err err = {0};
	int rc, code;

	/* Opening a store makes its directory. */
	if (!sn_fs_exists(path))
		return sn_cli_fail(SN_EXIT_FAILED, "cannot check '%s': there is no such directory",
				   path);
	if (sn_store_open(path, &store, &err) != 0)
		return sn_client_fail(&err);
	check.findings = sn_store_findings_create(given->json);
	sn_bar_begin(&check.bar, stderr, "check", SN_BAR_BYTES, 0);
	rc = given->repair ? repair(store, check.findings, &err) : 0;
	if (rc == 0)
		rc = sn_store_check(store, given->deep, note_finding, &check, &err);
	sn_bar_clear(&check.bar);
	sn_store_close(store);
	if (rc == 0)
		return sn_store_findings_end(check.findings);
	code = sn_client_fail(&err);
	sn_table_destroy(check.findings->table);
	free(check.findings);
	return code;
}
