/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/mplane_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

struct sn_mplane_reader {
	struct sn_input *input;
	const struct sn_intake *intake;
	sn_mplane_derive_fn *derive;
	void *ctx;
	struct sn_intake_counts counts;
	struct sn_buf pending; /* lines of a value that is not complete */
	uint64_t pending_line;
	unsigned depth;
	bool in_string, escaped;
	json_t *value; /* at hand: a message, or an array of them */
	size_t next;
	struct sn_err why;
};

struct sn_mplane_reader *sn_mplane_reader_create(struct sn_input *input,
						 const struct sn_intake *intake,
						 sn_mplane_derive_fn *derive, void *ctx)
{
	struct sn_mplane_reader *reader = sn_new(struct sn_mplane_reader);

	reader->input = input;
	reader->intake = intake;
	reader->derive = derive;
	reader->ctx = ctx;
	return reader;
}

void sn_mplane_reader_destroy(struct sn_mplane_reader *reader)
{
	if (reader == NULL)
		return;
	json_decref(reader->value);
	sn_buf_finish(&reader->pending);
	free(reader);
}

const struct sn_intake_counts *sn_mplane_reader_counts(const struct sn_mplane_reader *reader)
{
	return &reader->counts;
}

static void tell_bad(struct sn_mplane_reader *reader, const char *reason)
{
	struct sn_str text = sn_buf_str(&reader->pending);

	sn_intake_tell_bad(reader->intake, &reader->counts,
			   &(struct sn_bad_line){.line = reader->pending_line,
						 .text = {text.p, SN_MIN(text.n, (size_t)4096)},
						 .reason = reason});
}

/* Messages ----------------------------------------------------------------- */

static const json_t *next_message(struct sn_mplane_reader *reader)
{
	if (!json_is_array(reader->value))
		return reader->next++ == 0 ? reader->value : NULL;
	return json_array_get(reader->value, reader->next++);
}

/* The messages of the value at hand, until there are rows enough. */
static int take_messages(struct sn_mplane_reader *reader, uint64_t enough)
{
	const json_t *message;
	int rc = 0;

	while (rc == 0 && reader->value != NULL && reader->counts.rows < enough) {
		size_t rows = 0;

		message = next_message(reader);
		if (message == NULL) {
			json_decref(reader->value);
			reader->value = NULL;
			break;
		}
		rc = reader->derive(message, reader->intake, &rows, reader->ctx, &reader->why);
		reader->counts.rows += rows;
		if (rc == -EINVAL) {
			tell_bad(reader, reader->why.text);
			rc = 0;
		}
	}
	return rc;
}

/* Values ------------------------------------------------------------------- */

static void follow(struct sn_mplane_reader *reader, struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (reader->in_string) {
			reader->in_string = reader->escaped || c != '"';
			reader->escaped = !reader->escaped && c == '\\';
		} else if (c == '"') {
			reader->in_string = true;
		} else if (c == '{' || c == '[') {
			reader->depth++;
		} else if ((c == '}' || c == ']') && reader->depth > 0) {
			reader->depth--;
		}
	}
}

static void end_value(struct sn_mplane_reader *reader)
{
	reader->value = sn_json_parse(reader->pending.p, reader->pending.n, &reader->why);
	reader->next = 0;
	if (reader->value == NULL)
		tell_bad(reader, reader->why.text);
	reader->depth = 0;
	reader->in_string = reader->escaped = false;
}

static void take_line(struct sn_mplane_reader *reader, const struct sn_input_line *line)
{
	reader->counts.lines = line->number;
	reader->counts.bytes += line->text.n + line->returned + line->whole;
	if (reader->depth == 0) {
		sn_buf_clear(&reader->pending);
		reader->pending_line = line->number;
		if (sn_str_trim(line->text).n == 0)
			return;
	}
	if (line->too_long || reader->pending.n + line->text.n > SN_MPLANE_FILE_MAX) {
		reader->depth = 0;
		tell_bad(reader, "the message is too long");
		return;
	}
	follow(reader, line->text);
	sn_buf_add(&reader->pending, line->text.p, line->text.n);
	sn_buf_addc(&reader->pending, '\n');
	/* A string does not go on in the next line. */
	if (reader->depth == 0 || reader->in_string)
		end_value(reader);
}

int sn_mplane_reader_read(struct sn_mplane_reader *reader, size_t rows_max, struct sn_err *err)
{
	uint64_t enough = reader->counts.rows + rows_max;
	uint64_t pause = reader->counts.lines + SN_INTAKE_LINES_MAX;
	struct sn_input_line line;
	int rc = 1, taken;

	do {
		taken = take_messages(reader, enough);
		if (taken != 0) {
			*err = reader->why;
			return taken;
		}
		if (reader->counts.rows >= enough || reader->value != NULL)
			return 1;
		rc = sn_input_next(reader->input, &line, err);
		if (rc > 0)
			take_line(reader, &line);
	} while (rc > 0 && reader->counts.lines < pause);
	if (rc == 0 && reader->depth > 0) {
		reader->depth = 0;
		tell_bad(reader, "a message without an end");
	}
	return rc;
}
