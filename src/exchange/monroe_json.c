/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/monroe_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "exchange/monroe_record.h"

struct sn_monroe_reader {
	struct sn_input *input;
	const struct sn_intake *intake;
	struct sn_monroe_options options;
	struct sn_intake_counts counts;
	struct sn_monroe_records *records;
	bool check_only;
	uint64_t objects;

	struct sn_buf pending; /* the lines of an object that is not complete */
	uint64_t pending_line;
	unsigned depth; /* of brackets that are open at its end */
	uint64_t lists; /* a bit for each of them, the innermost lowest: 1 for "[" */
	char last;      /* what it ends with, blanks aside */
};

struct sn_monroe_reader *sn_monroe_reader_create(struct sn_input *input,
						 const struct sn_monroe_options *options,
						 const struct sn_intake *intake)
{
	struct sn_monroe_reader *reader = sn_new(struct sn_monroe_reader);

	reader->input = input;
	reader->intake = intake;
	reader->options = *options;
	reader->records = sn_monroe_records_create(&reader->options, intake, &reader->counts);
	return reader;
}

void sn_monroe_reader_destroy(struct sn_monroe_reader *reader)
{
	if (reader == NULL)
		return;
	sn_monroe_records_destroy(reader->records);
	sn_buf_finish(&reader->pending);
	free(reader);
}

const struct sn_intake_counts *sn_monroe_reader_counts(const struct sn_monroe_reader *reader)
{
	return &reader->counts;
}

/* Lines ------------------------------------------------------------------ */

static void tell_bad(struct sn_monroe_reader *reader, uint64_t line, struct sn_str text,
		     const char *reason)
{
	sn_intake_tell_bad(reader->intake, &reader->counts,
			   &(struct sn_bad_line){.line = line, .text = text, .reason = reason});
}

static int bad_syntax(struct sn_monroe_reader *reader, uint64_t line, struct sn_str text,
		      const char *reason, struct sn_err *err)
{
	if (reader->options.strict)
		return sn_err_set(err, -EINVAL, "cannot read '%s': line %llu: %s",
				  sn_input_name(reader->input), (unsigned long long)line, reason);
	tell_bad(reader, line, text, reason);
	return 0;
}

/* An object whose members have been read. */
static int take_object(struct sn_monroe_reader *reader, uint64_t line, struct sn_str text,
		       struct sn_err *err)
{
	int rc = 0;

	reader->objects++;
	if (!reader->check_only)
		rc = sn_monroe_records_take(reader->records, err);
	if (rc > 0)
		tell_bad(reader, line, text, sn_monroe_records_why(reader->records));
	return rc < 0 ? rc : 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind a string that begins at `i`; strings end with their line at the latest. */
static size_t behind_string(struct sn_str text, size_t i)
{
	for (i++; i < text.n && text.p[i] != '"'; i++)
		i += text.p[i] == '\\';
	return SN_MIN(i + 1, text.n);
}

/* Which brackets are open behind `text`, which continues what was followed before. */
static void follow(struct sn_monroe_reader *reader, struct sn_str text)
{
	for (size_t i = 0; i < text.n;) {
		char c = text.p[i];

		reader->last = is_blank(c) ? reader->last : c;
		if (c == '"') {
			i = behind_string(text, i);
			continue;
		}
		if (c == '{' || c == '[') {
			reader->depth++;
			reader->lists = reader->lists << 1 | (c == '[');
		} else if ((c == '}' || c == ']') && reader->depth > 0) {
			reader->depth--;
			reader->lists >>= 1;
		}
		i++;
	}
}

/* Whether an object may stand behind what is pending: one that was cut takes no other with it. */
static bool may_go_on(const struct sn_monroe_reader *reader)
{
	bool in_list = (reader->lists & 1) != 0;

	return reader->last == ':' || (in_list && (reader->last == '[' || reader->last == ','));
}

static void begin_pending(struct sn_monroe_reader *reader, uint64_t line)
{
	sn_buf_clear(&reader->pending);
	reader->pending_line = line;
	reader->depth = 0;
	reader->lists = 0;
	reader->last = '\0';
}

static int end_pending(struct sn_monroe_reader *reader, struct sn_err *err)
{
	struct sn_str text = sn_buf_str(&reader->pending);
	int rc;

	if (reader->depth > 0)
		rc = bad_syntax(reader, reader->pending_line, text, "an object without an end",
				err);
	else if (sn_monroe_records_parse(reader->records, text) == 0)
		rc = take_object(reader, reader->pending_line, text, err);
	else
		rc = bad_syntax(reader, reader->pending_line, text,
				sn_monroe_records_why(reader->records), err);
	sn_buf_clear(&reader->pending);
	return rc;
}

static int continue_pending(struct sn_monroe_reader *reader, struct sn_str line, struct sn_err *err)
{
	if (reader->pending.n + line.n + 1 > SN_MONROE_OBJECT_MAX) {
		struct sn_str text = sn_buf_str(&reader->pending);
		int rc = bad_syntax(reader, reader->pending_line, text, "the object is too long",
				    err);

		sn_buf_clear(&reader->pending);
		return rc;
	}
	follow(reader, line);
	sn_buf_add(&reader->pending, line.p, line.n);
	sn_buf_addc(&reader->pending, '\n');
	return reader->depth == 0 ? end_pending(reader, err) : 0;
}

/* A line that no object was open before. */
static int begin_object(struct sn_monroe_reader *reader, const struct sn_input_line *line,
			struct sn_err *err)
{
	struct sn_str text = sn_str_trim(line->text);

	if (text.n == 0)
		return 0;
	if (text.p[0] != '{')
		return bad_syntax(reader, line->number, line->text, "not an object", err);
	if (text.p[text.n - 1] == '}' && sn_monroe_records_parse(reader->records, text) == 0)
		return take_object(reader, line->number, line->text, err);
	begin_pending(reader, line->number);
	return continue_pending(reader, line->text, err);
}

static int take_line(struct sn_monroe_reader *reader, const struct sn_input_line *line,
		     struct sn_err *err)
{
	bool fresh = line->text.n > 0 && line->text.p[0] == '{';
	int rc = 0;

	reader->counts.lines = line->number;
	reader->counts.bytes += line->text.n + line->returned + line->whole;
	if (line->too_long) {
		if (reader->pending.n > 0)
			rc = end_pending(reader, err);
		return rc != 0 ? rc
			       : bad_syntax(reader, line->number, line->text,
					    "the line is too long", err);
	}
	if (reader->pending.n > 0 && fresh && !may_go_on(reader))
		rc = end_pending(reader, err);
	if (rc != 0)
		return rc;
	return reader->pending.n > 0 ? continue_pending(reader, line->text, err)
				     : begin_object(reader, line, err);
}

static int at_end(struct sn_monroe_reader *reader, struct sn_err *err)
{
	int rc = reader->pending.n > 0 ? end_pending(reader, err) : 0;

	if (rc == 0 && reader->objects == 0 && reader->options.strict)
		return sn_err_set(err, -EINVAL, "cannot read '%s': it has no object",
				  sn_input_name(reader->input));
	return rc;
}

int sn_monroe_reader_read(struct sn_monroe_reader *reader, size_t rows_max, struct sn_err *err)
{
	uint64_t enough = reader->counts.rows + rows_max;
	uint64_t pause = reader->counts.lines + SN_INTAKE_LINES_MAX;
	struct sn_input_line line;
	int rc = 1, taken = 0;

	sn_monroe_records_resume(reader->records);
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

int sn_monroe_json_check(struct sn_input *input, struct sn_err *err)
{
	struct sn_intake intake = {.bad = NULL};
	struct sn_monroe_options options = {.strict = true};
	struct sn_monroe_reader *reader = sn_monroe_reader_create(input, &options, &intake);
	int rc;

	reader->check_only = true;
	do
		rc = sn_monroe_reader_read(reader, 1, err);
	while (rc > 0);
	sn_monroe_reader_destroy(reader);
	return rc;
}
