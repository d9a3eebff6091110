/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "api"
#include "hub/api/rows_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/codec.h"

#define PAGE_ROWS    500
#define STEP_NS      (5 * SN_NS_PER_MS) /* what one step on the loop may take */
#define SLICE_MIN_NS (60 * SN_NS_PER_S)
#define SLICE_MAX_NS (64 * 86400 * SN_NS_PER_S)
#define SLICE_NS     (3600 * SN_NS_PER_S) /* to begin with */

struct stream {
	struct sn_hub *hub;
	struct sn_rows_query *rows;
	void (*write)(struct sn_buf *out, const struct sn_dataset *dataset,
		      const struct sn_value *row);
	int64_t from_ns, to_ns; /* what has not been looked at yet */
	int64_t slice_ns;
	struct sn_buf *out; /* of the piece being made */
	char *cursor;       /* in the slice at hand; NULL between slices */
	uint64_t left;      /* rows that are still wanted */
	bool begun;
};

int64_t sn_rows_next_slice(int64_t slice_ns, uint64_t took_ns)
{
	if (took_ns > STEP_NS)
		return SN_MAX(slice_ns / 2, SLICE_MIN_NS);
	if (took_ns < STEP_NS / 4)
		return SN_MIN(slice_ns * 2, SLICE_MAX_NS);
	return slice_ns;
}

static int write_line(const struct sn_value *row, void *ctx)
{
	struct stream *stream = ctx;
	struct sn_value picked[SN_DATASET_COLUMNS_MAX];

	sn_rows_pick(stream->rows, row, picked);
	stream->write(stream->out, &stream->rows->shape, picked);
	stream->left--;
	return 0;
}

static void choose_slice(struct stream *stream)
{
	struct sn_query *query = &stream->rows->query;

	query->since_ns = stream->from_ns;
	query->until_ns = stream->to_ns;
	if (stream->to_ns - stream->from_ns <= stream->slice_ns)
		return;
	if (query->newest_first)
		query->since_ns = stream->to_ns - stream->slice_ns;
	else
		query->until_ns = stream->from_ns + stream->slice_ns;
}

static void leave_slice(struct stream *stream)
{
	const struct sn_query *query = &stream->rows->query;

	if (query->newest_first)
		stream->to_ns = query->since_ns;
	else
		stream->from_ns = query->until_ns;
}

/* A page of the slice at hand. */
static int step(struct stream *stream)
{
	struct sn_query *query = &stream->rows->query;
	uint64_t begin_ns = sn_mono_ns();
	struct sn_err err = {0};
	char *next = NULL;

	if (stream->cursor == NULL)
		choose_slice(stream);
	query->cursor = stream->cursor;
	query->limit = (uint32_t)SN_MIN(stream->left, (uint64_t)PAGE_ROWS);
	if (sn_store_query(stream->hub->store, query, write_line, stream, &next, &err) != 0) {
		SN_LOG_LIMITED(SN_LOG_ERROR, "a stream of rows breaks off: %s", err.text);
		return err.code;
	}
	free(stream->cursor);
	stream->cursor = next;
	if (next != NULL)
		return 0;
	leave_slice(stream);
	stream->slice_ns = sn_rows_next_slice(stream->slice_ns, sn_mono_ns() - begin_ns);
	return 0;
}

static bool is_over(const struct stream *stream)
{
	return stream->left == 0 || (stream->cursor == NULL && stream->from_ns >= stream->to_ns);
}

static int produce(struct sn_buf *out, void *ctx)
{
	struct stream *stream = ctx;
	uint64_t end_ns = sn_mono_ns() + STEP_NS;

	if (!stream->begun && stream->write == sn_csv_write_row)
		sn_csv_write_header(out, &stream->rows->shape);
	stream->begun = true;
	stream->out = out;
	do {
		int failed = is_over(stream) ? 0 : step(stream);

		if (failed != 0)
			return failed;
	} while (!is_over(stream) && out->n == 0 && sn_mono_ns() < end_ns);
	return !is_over(stream);
}

static void release(void *ctx)
{
	struct stream *stream = ctx;

	free(stream->cursor);
	free(stream->rows);
	free(stream);
}

/* The time in which there are days at all. */
static int note_day(const struct sn_store_day *day, void *ctx)
{
	struct stream *stream = ctx;
	int64_t begin_ns;
	char text[32];

	snprintf(text, sizeof(text), "%sT00:00:00Z", day->day);
	if (sn_parse_time(sn_str(text), 0, &begin_ns) != 0)
		return 0;
	stream->from_ns = SN_MIN(stream->from_ns, begin_ns);
	stream->to_ns = SN_MAX(stream->to_ns, begin_ns + 86400 * SN_NS_PER_S);
	return 0;
}

static void find_range(struct stream *stream)
{
	const struct sn_query *query = &stream->rows->query;
	struct sn_err err = {0};

	stream->from_ns = INT64_MAX;
	stream->to_ns = 0;
	if (sn_store_days(stream->hub->store, note_day, stream, &err) != 0)
		SN_LOG_LIMITED(SN_LOG_ERROR, "%s", err.text);
	stream->from_ns = SN_MAX(stream->from_ns, query->since_ns);
	if (query->until_ns != 0)
		stream->to_ns = SN_MIN(stream->to_ns, query->until_ns);
}

void sn_rows_stream(struct sn_hub *hub, struct sn_http_request *request, struct sn_rows_query *rows,
		    bool csv)
{
	uint64_t limit = UINT64_MAX;
	struct stream *stream;

	if (!sn_api_query_u64(request, "limit", 1, UINT64_MAX, &limit)) {
		free(rows);
		return;
	}
	if (sn_http_query(request, "cursor") != NULL) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"cursor: streams have all rows at once; ask for JSON to get pages");
		free(rows);
		return;
	}
	stream = sn_new(struct stream);
	stream->hub = hub;
	stream->rows = rows;
	stream->write = csv ? sn_csv_write_row : sn_jsonl_write_row;
	stream->slice_ns = SLICE_NS;
	stream->left = limit;
	find_range(stream);
	sn_http_reply_stream(request, 200, csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
			     produce, release, stream);
}
