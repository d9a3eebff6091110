/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api/rows_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "hub/rows_source.h"
#include "hub/streams.h"

#define PAGE_NS SN_NS_PER_S /* what a page may take because its client is slow */

struct rows_stream {
	struct sn_rows_query *rows;
	struct sn_rows_writer *writer;
	uint64_t limit;

	/* On the thread. */
	struct sn_stream *stream;
	struct sn_err *err;
	uint64_t page_end_ns;
};

/* Hands a piece over while the page lasts: 0, -EAGAIN, -ECANCELED. */
static int push_in_time(struct rows_stream *out, struct sn_buf *piece)
{
	uint64_t now_ns = sn_mono_ns();
	int rc = sn_stream_wait(out->stream,
				now_ns < out->page_end_ns ? out->page_end_ns - now_ns : 0);

	return rc == 0 ? sn_stream_push(out->stream, piece) : rc;
}

static int spill(struct sn_buf *ready, void *ctx)
{
	int rc = push_in_time(ctx, ready);

	return rc == -EAGAIN ? 0 : rc;
}

static int take_row(const struct sn_value *row, void *ctx)
{
	struct rows_stream *out = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];
	int rc;

	sn_rows_pick(out->rows, row, picked);
	rc = sn_rows_writer_add(out->writer, picked, out->err);
	if (rc != 0 || sn_rows_writer_ready(out->writer)->n < SN_STREAM_PIECE)
		return rc;
	rc = push_in_time(out, sn_rows_writer_ready(out->writer));
	return rc == -EAGAIN ? SN_ROWS_BREAK : rc;
}

static int push_rest(void *ctx)
{
	struct rows_stream *out = ctx;
	int rc = sn_stream_push(out->stream, sn_rows_writer_ready(out->writer));

	out->page_end_ns = sn_mono_ns() + PAGE_NS;
	return rc;
}

static int make(struct sn_stream *stream, struct sn_store *store, void *ctx, struct sn_err *err)
{
	struct rows_stream *out = ctx;
	const struct sn_rows_sink sink = {take_row, push_rest, out};
	int rc;

	out->stream = stream;
	out->err = err;
	out->page_end_ns = sn_mono_ns() + PAGE_NS;
	sn_rows_writer_set_spill(out->writer, SN_STREAM_PIECE, spill, out);
	rc = sn_rows_read_all(store, &out->rows->query, out->limit, &sink, err);
	if (rc == 0)
		rc = sn_rows_writer_finish(out->writer, err);
	return rc == 0 ? push_rest(out) : rc;
}

static void release(void *ctx)
{
	struct rows_stream *out = ctx;

	sn_rows_writer_destroy(out->writer);
	free(out->rows);
	free(out);
}

/* All columns as they are: the dataset itself, which forms for certain datasets look for. */
static const struct sn_dataset *shape_of(const struct sn_rows_query *rows)
{
	const struct sn_dataset *dataset = rows->query.dataset;

	for (size_t i = 0; i < rows->shape.column_count; i++)
		if (rows->from[i] != (int)i)
			return &rows->shape;
	return rows->shape.column_count == dataset->column_count ? dataset : &rows->shape;
}

/* On the way only: the file that arrives is as it was asked for.  Parquet is packed inside. */
static enum sn_export_packing choose_encoding(const struct sn_http_request *request,
					      const struct sn_rows_stream *stream,
					      const char **encoding)
{
	static const struct {
		const char *name;
		enum sn_export_packing packing;
	} encodings[] = {{"zstd", SN_EXPORT_ZSTD}, {"gzip", SN_EXPORT_GZIP}};

	if (stream->packing != SN_EXPORT_PLAIN || stream->form == SN_EXPORT_PARQUET)
		return stream->packing;
	for (size_t i = 0; i < SN_COUNT(encodings); i++) {
		if (sn_api_takes_encoding(request, encodings[i].name)) {
			*encoding = encodings[i].name;
			return encodings[i].packing;
		}
	}
	return SN_EXPORT_PLAIN;
}

void sn_rows_stream(struct sn_hub *hub, struct sn_http_request *request, struct sn_rows_query *rows,
		    const struct sn_rows_stream *stream)
{
	struct sn_stream_spec spec = {
		.content_type = sn_export_form_type(stream->form, stream->packing),
		.file = stream->file,
		.heavy = stream->form == SN_EXPORT_PARQUET,
		.make = make,
		.release = release,
	};
	enum sn_export_packing packing;
	struct rows_stream *out;
	struct sn_rows_writer *writer;
	struct sn_err err = {0};

	packing = choose_encoding(request, stream, &spec.encoding);
	if (sn_rows_writer_create(shape_of(rows), stream->form, packing, &writer, &err) != 0) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"format: %s", err.text);
		free(rows);
		return;
	}
	out = sn_new(struct rows_stream);
	out->rows = rows;
	out->writer = writer;
	out->limit = stream->limit;
	spec.ctx = out;
	sn_streams_answer(hub, request, &spec);
}
