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
