/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream is interpreted as the HTML standard says (section 9.2.6, "Interpreting
 * an event stream"): lines end with CR, LF or CRLF, one byte order mark may stand
 * in front, an event without data is dropped, the last id stays until it changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/http_client.h"

struct sn_sse_reader {
	sn_sse_event_fn *fn;
	void *ctx;
	struct sn_buf line, event, id, data;
	size_t bom_seen; /* bytes of a byte order mark matched so far; BOM_DONE when settled */
	bool after_cr;   /* a LF that follows belongs to the line end before it */
	bool has_id;
	bool failed;
	bool feeding, destroyed; /* destroyed inside its own callback: freed when that returns */
};

static const char bom[] = "\xef\xbb\xbf";
#define BOM_DONE (sizeof(bom) - 1)

struct sn_sse_reader *sn_sse_reader_create(sn_sse_event_fn *fn, void *ctx)
{
	struct sn_sse_reader *reader = sn_new(struct sn_sse_reader);

	reader->fn = fn;
	reader->ctx = ctx;
	return reader;
}

void sn_sse_reader_destroy(struct sn_sse_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->feeding) {
		reader->destroyed = true;
		return;
	}
	sn_buf_finish(&reader->line);
	sn_buf_finish(&reader->event);
	sn_buf_finish(&reader->id);
	sn_buf_finish(&reader->data);
	free(reader);
}

static void dispatch(struct sn_sse_reader *reader)
{
	struct sn_str data = sn_buf_str(&reader->data);
	const char *event = reader->event.n > 0 ? sn_buf_cstr(&reader->event) : "message";

	if (data.n > 0) {
		data.n--; /* each data line added a LF, the last one does not count */
		reader->fn(event, reader->has_id ? sn_buf_cstr(&reader->id) : NULL, data,
			   reader->ctx);
	}
	sn_buf_clear(&reader->event);
	sn_buf_clear(&reader->data);
}

static void set_field(struct sn_sse_reader *reader, struct sn_str name, struct sn_str value)
{
	if (sn_str_eqc(name, "data")) {
		sn_buf_add(&reader->data, value.p, value.n);
		sn_buf_addc(&reader->data, '\n');
	} else if (sn_str_eqc(name, "event")) {
		sn_buf_clear(&reader->event);
		sn_buf_add(&reader->event, value.p, value.n);
	} else if (sn_str_eqc(name, "id") && memchr(value.p, '\0', value.n) == NULL) {
		sn_buf_clear(&reader->id);
		sn_buf_add(&reader->id, value.p, value.n);
		reader->has_id = true;
	}
}

static void end_line(struct sn_sse_reader *reader)
{
	struct sn_str value = sn_buf_str(&reader->line), name;

	if (value.n == 0) {
		dispatch(reader);
		return;
	}
	if (value.p[0] != ':') {
		sn_str_split(&value, ':', &name);
		if (value.p == NULL)
			value = SN_STR("");
		if (value.n > 0 && value.p[0] == ' ')
			value = (struct sn_str){value.p + 1, value.n - 1};
		set_field(reader, name, value);
	}
	sn_buf_clear(&reader->line);
}

static struct sn_str skip_bom(struct sn_sse_reader *reader, struct sn_str piece)
{
	while (piece.n > 0 && reader->bom_seen < BOM_DONE) {
		if (piece.p[0] != bom[reader->bom_seen]) {
			/* It only looked like one: what was taken belongs to the first line. */
			sn_buf_add(&reader->line, bom, reader->bom_seen);
			reader->bom_seen = BOM_DONE;
			break;
		}
		reader->bom_seen++;
		piece = (struct sn_str){piece.p + 1, piece.n - 1};
	}
	return piece;
}

static bool too_long(const struct sn_sse_reader *reader)
{
	return reader->line.n + reader->data.n + reader->event.n + reader->id.n > SN_SSE_EVENT_MAX;
}

static int feed(struct sn_sse_reader *reader, struct sn_str piece)
{
	piece = skip_bom(reader, piece);
	while (piece.n > 0 && !reader->destroyed) {
		size_t length = 0;

		if (reader->after_cr && piece.p[0] == '\n') {
			reader->after_cr = false;
			piece = (struct sn_str){piece.p + 1, piece.n - 1};
			continue;
		}
		reader->after_cr = false;
		while (length < piece.n && piece.p[length] != '\n' && piece.p[length] != '\r')
			length++;
		sn_buf_add(&reader->line, piece.p, length);
		if (too_long(reader)) {
			reader->failed = true;
			return -EMSGSIZE;
		}
		if (length == piece.n)
			break;
		reader->after_cr = piece.p[length] == '\r';
		piece = (struct sn_str){piece.p + length + 1, piece.n - length - 1};
		end_line(reader);
	}
	return 0;
}

int sn_sse_reader_feed(struct sn_sse_reader *reader, struct sn_str piece)
{
	int result;

	if (reader->failed)
		return -EMSGSIZE;
	reader->feeding = true;
	result = feed(reader, piece);
	reader->feeding = false;
	if (reader->destroyed)
		sn_sse_reader_destroy(reader);
	return result;
}
