/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/rows_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "data/codec.h"

struct sn_rows_reader {
	struct sn_input *input;
	const struct sn_intake *intake;
	enum sn_file_form form;
	struct sn_intake_counts counts;
	struct sn_intake_row row;
	struct sn_batch *batch; /* for one row */
	struct sn_csv *csv;
	bool begun;            /* the header was read */
	struct sn_buf pending; /* lines of a record that is not complete */
	uint64_t pending_line;
	bool in_quotes; /* at its end */
	struct sn_err why;
};

int sn_file_form_of(const char *path, enum sn_file_form *form)
{
	static const struct {
		const char *suffix;
		enum sn_file_form form;
	} suffixes[] = {{".jsonl", SN_FILE_JSON_LINES},
			{".ndjson", SN_FILE_JSON_LINES},
			{".json", SN_FILE_JSON_LINES},
			{".csv", SN_FILE_CSV}};
	static const char *const packers[] = {"", ".gz", ".xz", ".zst"};
	struct sn_str name = sn_str(path);

	for (size_t i = 0; i < SN_COUNT(suffixes) * SN_COUNT(packers); i++) {
		const char *suffix = suffixes[i / SN_COUNT(packers)].suffix;
		const char *packer = packers[i % SN_COUNT(packers)];
		size_t n = strlen(suffix), m = strlen(packer);

		if (name.n > n + m && memcmp(name.p + name.n - m, packer, m) == 0 &&
		    memcmp(name.p + name.n - m - n, suffix, n) == 0) {
			*form = suffixes[i / SN_COUNT(packers)].form;
			return 0;
		}
	}
	return -ENOENT;
}

struct sn_rows_reader *sn_rows_reader_create(struct sn_input *input,
					     const struct sn_dataset *dataset,
					     enum sn_file_form form, const struct sn_intake *intake)
{
	struct sn_rows_reader *reader = sn_new(struct sn_rows_reader);

	reader->input = input;
	reader->intake = intake;
	reader->form = form;
	reader->batch = sn_batch_create(dataset);
	reader->csv = sn_csv_create(dataset);
	sn_intake_row_init(&reader->row, intake, dataset);
	return reader;
}

void sn_rows_reader_destroy(struct sn_rows_reader *reader)
{
	if (reader == NULL)
		return;
	sn_intake_row_finish(&reader->row);
	sn_batch_destroy(reader->batch);
	sn_csv_destroy(reader->csv);
	sn_buf_finish(&reader->pending);
	free(reader);
}

const struct sn_intake_counts *sn_rows_reader_counts(const struct sn_rows_reader *reader)
{
	return &reader->counts;
}

/* Records ---------------------------------------------------------------- */

static void tell_bad(struct sn_rows_reader *reader, uint64_t line, struct sn_str text,
		     const char *reason)
{
	sn_intake_tell_bad(reader->intake, &reader->counts,
			   &(struct sn_bad_line){.line = line, .text = text, .reason = reason});
}

/* The batch's row goes where its day says. */
static int place_row(struct sn_rows_reader *reader, struct sn_err *err)
{
	const struct sn_value *values = sn_batch_row(reader->batch, 0);
	struct sn_columns *columns = sn_intake_row_begin(&reader->row);
	size_t count = sn_batch_dataset(reader->batch)->column_count;
	int rc;

	for (size_t i = 0; i < count; i++)
		if (values[i].type != SN_TYPE_NULL)
			sn_columns_set(columns, (int)i, values[i]);
	rc = sn_intake_row_end(&reader->row, values[SN_COL_TIME].i, err);
	reader->counts.rows += rc == 0;
	return rc;
}

static int take_record(struct sn_rows_reader *reader, uint64_t line, struct sn_str text,
		       struct sn_err *err)
{
	int rc;

	sn_batch_clear(reader->batch);
	rc = reader->form == SN_FILE_CSV
		     ? sn_csv_row(reader->csv, reader->batch, text, &reader->why)
		     : sn_jsonl_read_row(reader->batch, text, &reader->why);
	if (rc == 0 && sn_batch_row(reader->batch, 0)[SN_COL_TIME].type == SN_TYPE_NULL)
		rc = sn_err_set(&reader->why, -EINVAL, "it has no time");
	if (rc == 0) {
		rc = place_row(reader, err);
		if (rc <= 0)
			return rc;
		sn_err_set(&reader->why, -EINVAL, "%s", reader->row.why);
	}
	tell_bad(reader, line, text, reader->why.text);
	return 0;
}

static int take_header(struct sn_rows_reader *reader, uint64_t line, struct sn_str text,
		       struct sn_err *err)
{
	if (sn_csv_header(reader->csv, text, &reader->why) != 0)
		return sn_err_set(err, -EINVAL, "cannot read '%s': line %llu: %s",
				  sn_input_name(reader->input), (unsigned long long)line,
				  reader->why.text);
	reader->begun = true;
	reader->counts.unknown = sn_csv_unknown(reader->csv);
	return 0;
}

/* CSV -------------------------------------------------------------------- */

static int end_pending(struct sn_rows_reader *reader, struct sn_err *err)
{
	struct sn_str text = sn_buf_str(&reader->pending);
	int rc = reader->begun ? take_record(reader, reader->pending_line, text, err)
			       : take_header(reader, reader->pending_line, text, err);

	sn_buf_clear(&reader->pending);
	reader->in_quotes = false;
	return rc;
}

/* Whether a quote is open behind the line; quotes inside fields that began without open none. */
static bool ends_in_quotes(struct sn_str line, bool open)
{
	char before = ',';

	for (size_t i = 0; i < line.n; i++) {
		bool quote = line.p[i] == '"';

		/* A quote behind the one that closed a field stands for itself. */
		if (quote && (open || before == ',' || before == '"'))
			open = !open;
		before = quote && open ? '\0' : line.p[i];
	}
	return open;
}

/* A record goes on as long as a quote is open. */
static int add_line(struct sn_rows_reader *reader, const struct sn_input_line *line,
		    struct sn_err *err)
{
	struct sn_str text = line->text;

	if (!reader->in_quotes && text.n == 0)
		return 0;
	if (!reader->in_quotes)
		reader->pending_line = line->number;
	sn_buf_add(&reader->pending, text.p, text.n);
	reader->in_quotes = ends_in_quotes(text, reader->in_quotes);
	if (reader->in_quotes && reader->pending.n <= SN_ROWS_FILE_RECORD_MAX) {
		sn_buf_adds(&reader->pending, line->returned ? "\r\n" : "\n");
		return 0;
	}
	return end_pending(reader, err);
}

/* Lines ------------------------------------------------------------------ */

static int take_line(struct sn_rows_reader *reader, const struct sn_input_line *line,
		     struct sn_err *err)
{
	reader->counts.lines = line->number;
	reader->counts.bytes += line->text.n + line->returned + line->whole;
	if (line->too_long) {
		tell_bad(reader, line->number, line->text, "the line is too long");
		return reader->pending.n > 0 ? end_pending(reader, err) : 0;
	}
	if (reader->form == SN_FILE_CSV)
		return add_line(reader, line, err);
	if (sn_str_trim(line->text).n == 0)
		return 0;
	return take_record(reader, line->number, line->text, err);
}

static int at_end(struct sn_rows_reader *reader, struct sn_err *err)
{
	if (reader->pending.n > 0)
		return end_pending(reader, err);
	if (reader->form == SN_FILE_CSV && !reader->begun)
		return sn_err_set(err, -EINVAL, "cannot read '%s': it has no header",
				  sn_input_name(reader->input));
	return 0;
}

int sn_rows_reader_read(struct sn_rows_reader *reader, size_t rows_max, struct sn_err *err)
{
	uint64_t enough = reader->counts.rows + rows_max;
	uint64_t pause = reader->counts.lines + SN_INTAKE_LINES_MAX;
	struct sn_input_line line;
	int rc = 1, taken = 0;

	sn_intake_row_resume(&reader->row);
	while (rc > 0 && taken == 0 && reader->counts.rows < enough &&
	       reader->counts.lines < pause) {
		rc = sn_input_next(reader->input, &line, err);
		if (rc > 0)
			taken = take_line(reader, &line, err);
		else if (rc == 0)
			taken = at_end(reader, err);
	}
	return taken != 0 ? taken : rc;
}
