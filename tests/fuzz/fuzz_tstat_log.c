/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a log: every line is a header, a row of the day it says, or bad with a reason. */
#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "exchange/tstat_log.h"

struct taken {
	struct sn_columns *columns;
	int32_t day;
	uint64_t rows, bad;
};

/* Columns of one day at a time: rows are checked when the next day begins. */
static void check_rows(struct taken *taken)
{
	const struct sn_dataset *dataset = sn_columns_dataset(taken->columns);
	struct sn_value values[SN_DATASET_COLUMNS_MAX];

	for (size_t row = 0; row < sn_columns_rows(taken->columns); row++) {
		sn_columns_row(taken->columns, row, values);
		assert(values[SN_COL_TIME].type == SN_TYPE_TIME && values[SN_COL_TIME].i > 0);
		assert(sn_intake_day(values[SN_COL_TIME].i) == taken->day);
		for (size_t i = 0; i < dataset->column_count; i++)
			assert(values[i].type != SN_TYPE_TEXT || sn_utf8_valid(values[i].s));
		taken->rows++;
	}
}

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct taken *taken = ctx;

	assert(dataset == sn_columns_dataset(taken->columns));
	/* One day only, so that nothing is lost: the others stop the reader. */
	if (taken->day >= 0 && taken->day != day)
		return NULL;
	taken->day = day;
	return taken->columns;
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	assert(bad->line > 0 && bad->reason[0] != '\0');
	taken->bad++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sn_tstat_log logs[] = {
		SN_TSTAT_TCP_COMPLETE,  SN_TSTAT_TCP_NOCOMPLETE, SN_TSTAT_UDP_COMPLETE,
		SN_TSTAT_HTTP_COMPLETE, SN_TSTAT_DNS_COMPLETE,   SN_TSTAT_VIDEO_COMPLETE,
		SN_TSTAT_MM_COMPLETE,   SN_TSTAT_CHAT_COMPLETE,  SN_TSTAT_CHAT_MESSAGES,
		SN_TSTAT_TCP_PERIODIC,  SN_TSTAT_UDP_PERIODIC};
	/* The first byte chooses the log. */
	const struct sn_tstat_table *table =
		&sn_tstat_tables[logs[size > 0 ? data[0] % SN_COUNT(logs) : 0]];
	struct sn_str text = {(const char *)data + (size > 0), size - (size > 0)};
	struct taken taken = {.columns = sn_columns_create(table->dataset), .day = -1};
	struct sn_intake intake = {.place = place, .bad = note_bad, .ctx = &taken};
	struct sn_input *input = sn_input_create(text, 1024);
	struct sn_tstat_reader *reader = sn_tstat_reader_create(input, table, SN_STR("x"), &intake);
	struct sn_err err = {0};
	int rc;

	while ((rc = sn_tstat_reader_read(reader, 2, &err)) > 0)
		;
	assert(rc == 0 || (err.code == rc && err.text[0] != '\0'));
	check_rows(&taken);
	assert(taken.rows == sn_tstat_reader_counts(reader)->rows);
	assert(taken.bad == sn_tstat_reader_counts(reader)->bad);
	sn_tstat_reader_destroy(reader);
	sn_input_destroy(input);
	sn_columns_destroy(taken.columns);
	return 0;
}
