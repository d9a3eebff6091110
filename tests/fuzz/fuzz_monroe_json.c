/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a file of records, strictly and leniently: what the check passes a strict reader
 * reads to its end, rows lie in the day that they say, and a lenient reader takes no fewer rows.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "exchange/monroe_json.h"

#define PLACES_MAX 64

struct taken {
	struct sn_columns *columns[PLACES_MAX];
	int32_t days[PLACES_MAX];
	size_t count;
	uint64_t rows, bad;
};

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct taken *taken = ctx;

	for (size_t i = 0; i < taken->count; i++)
		if (taken->days[i] == day && sn_columns_dataset(taken->columns[i]) == dataset)
			return taken->columns[i];
	if (taken->count == PLACES_MAX)
		return NULL;
	taken->days[taken->count] = day;
	taken->columns[taken->count] = sn_columns_create(dataset);
	return taken->columns[taken->count++];
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	assert(bad->line > 0 && bad->reason[0] != '\0');
	taken->bad++;
}

static void check_rows(struct taken *taken, size_t at)
{
	const struct sn_dataset *dataset = sn_columns_dataset(taken->columns[at]);
	struct sn_value values[SN_DATASET_COLUMNS_MAX];

	for (size_t row = 0; row < sn_columns_rows(taken->columns[at]); row++) {
		sn_columns_row(taken->columns[at], row, values);
		assert(values[SN_COL_TIME].type == SN_TYPE_TIME && values[SN_COL_TIME].i > 0);
		assert(sn_intake_day(values[SN_COL_TIME].i) == taken->days[at]);
		for (size_t i = 0; i < dataset->column_count; i++)
			assert(values[i].type != SN_TYPE_TEXT || sn_utf8_valid(values[i].s));
		taken->rows++;
	}
	sn_columns_destroy(taken->columns[at]);
}

static int read_all(struct sn_str text, bool strict, uint64_t *rows)
{
	struct taken taken = {.rows = 0};
	struct sn_intake intake = {.place = place, .bad = note_bad, .ctx = &taken};
	struct sn_monroe_options options = {.strict = strict};
	struct sn_input *input = sn_input_create(text, 1024);
	struct sn_monroe_reader *reader = sn_monroe_reader_create(input, &options, &intake);
	struct sn_err err = {0};
	int rc;

	while ((rc = sn_monroe_reader_read(reader, 2, &err)) > 0)
		;
	assert(rc == 0 || (err.code == rc && err.text[0] != '\0'));
	for (size_t i = 0; i < taken.count; i++)
		check_rows(&taken, i);
	assert(taken.rows == sn_monroe_reader_counts(reader)->rows);
	assert(taken.bad == sn_monroe_reader_counts(reader)->bad);
	*rows = taken.rows;
	sn_monroe_reader_destroy(reader);
	sn_input_destroy(input);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size};
	struct sn_input *input = sn_input_create(text, 1024);
	int check = sn_monroe_json_check(input, NULL), strict, lenient;
	uint64_t strict_rows, lenient_rows;

	strict = read_all(text, true, &strict_rows);
	lenient = read_all(text, false, &lenient_rows);
	if (strict != -ECANCELED)
		assert(check == strict);
	if (lenient != -ECANCELED)
		assert(lenient_rows >= strict_rows);
	sn_input_destroy(input);
	return 0;
}
