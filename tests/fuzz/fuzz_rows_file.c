/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as rows of a dataset: a reader of files takes what the codec takes of the whole text.
 */
#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "data/codec.h"
#include "exchange/rows_file.h"

struct taken {
	struct sn_columns *columns;
	uint64_t bad, timeless;
};

/* All days in one: only their rows count here. */
static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	struct taken *taken = ctx;

	(void)day;
	assert(dataset == sn_columns_dataset(taken->columns));
	return taken->columns;
}

static void note_bad(void *ctx, const struct sn_bad_line *bad)
{
	struct taken *taken = ctx;

	assert(bad->line > 0 && bad->reason[0] != '\0');
	taken->timeless += strcmp(bad->reason, "it has no time") == 0;
	taken->bad++;
}

static bool codec_takes(const struct sn_dataset *dataset, enum sn_file_form form,
			struct sn_str text)
{
	struct sn_batch *batch = sn_batch_create(dataset);
	int rc = form == SN_FILE_CSV ? sn_csv_read(batch, text, 1000000, NULL)
				     : sn_jsonl_read(batch, text, 1000000, NULL);

	sn_batch_destroy(batch);
	return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The first byte chooses dataset and form: '0' and '1' are ping as JSON Lines and CSV. */
	unsigned choice = size > 0 ? (uint8_t)(data[0] - '0') : 0;
	const struct sn_dataset *dataset = sn_catalog[choice / 2 % sn_catalog_count];
	enum sn_file_form form = choice % 2 == 0 ? SN_FILE_JSON_LINES : SN_FILE_CSV;
	struct sn_str text = {(const char *)data + (size > 0), size - (size > 0)};
	struct taken taken = {.columns = sn_columns_create(dataset)};
	struct sn_intake intake = {.place = place, .bad = note_bad, .ctx = &taken};
	struct sn_input *input = sn_input_create(text, SN_ROWS_FILE_LINE_MAX);
	struct sn_rows_reader *reader = sn_rows_reader_create(input, dataset, form, &intake);
	const struct sn_intake_counts *counts = sn_rows_reader_counts(reader);
	struct sn_err err = {0};
	int rc;

	while ((rc = sn_rows_reader_read(reader, 2, &err)) > 0)
		;
	assert(rc == 0 || (err.code == rc && err.text[0] != '\0'));
	assert(counts->rows == sn_columns_rows(taken.columns) && counts->bad == taken.bad);
	/* An empty line is no header for the one, and a column without a name for the other. */
	if (text.n > 0 && text.p[0] >= 'a' && codec_takes(dataset, form, text))
		assert(taken.bad == taken.timeless);
	sn_rows_reader_destroy(reader);
	sn_input_destroy(input);
	sn_columns_destroy(taken.columns);
	return 0;
}
