/* SPDX-License-Identifier: Apache-2.0 */
/* Where a node was, and what its modems saw there, for maps. */
#include "exchange/kml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/columns.h"
#include "data/monroe/tables.h"
#include "exchange/zip.h"
#include "hub/api/api.h"
#include "hub/api/rows.h"
#include "hub/streams.h"

#define WINDOW_NS   (3600 * SN_NS_PER_S) /* both datasets are read for so long at once */
#define WINDOW_ROWS 500000
#define SPAN_NS     (86400 * SN_NS_PER_S) /* if nothing is said */
#define SPAN_MAX_NS (366 * SPAN_NS)
#define SPLIT_NS    (300 * SN_NS_PER_S)
#define TYPE_KML    "application/vnd.google-earth.kml+xml"
#define TYPE_KMZ    "application/vnd.google-earth.kmz"

struct drawing {
	struct sn_rows_query *fixes, *modems; /* modems NULL: a track */
	struct sn_kml *kml;
	struct sn_zip *zip; /* NULL: plain */
	struct sn_columns *fix_rows, *modem_rows;
	const char *node; /* its name, of `kml` */
	int64_t since_ns, until_ns;
	struct sn_buf text, out; /* KML; what goes out */
	struct sn_stream *stream;
};

/* On the thread --------------------------------------------------------------------------- */

static int take_row(const struct sn_value *row, void *ctx)
{
	struct sn_columns *rows = ctx;
	size_t count = sn_columns_dataset(rows)->column_count;

	if (sn_columns_rows(rows) == WINDOW_ROWS)
		return 1;
	sn_columns_add_row(rows);
	for (size_t i = 0; i < count; i++)
		sn_columns_set(rows, (int)i, row[i]);
	return 0;
}

static int read_window(struct sn_store *store, struct sn_rows_query *rows, int64_t from_ns,
		       int64_t to_ns, struct sn_columns *out, struct sn_err *err)
{
	sn_autofree char *cursor = NULL;
	int rc;

	sn_columns_clear(out);
	rows->query.since_ns = from_ns;
	rows->query.until_ns = to_ns;
	rows->query.limit = SN_QUERY_LIMIT_MAX;
	do {
		char *next = NULL;

		rows->query.cursor = cursor;
		rc = sn_store_query(store, &rows->query, take_row, out, &next, err);
		free(cursor);
		cursor = next;
	} while (rc == 0 && cursor != NULL && sn_columns_rows(out) < WINDOW_ROWS);
	rows->query.cursor = NULL;
	if (rc == 0 && sn_columns_rows(out) == WINDOW_ROWS)
		return sn_err_set(err, -EFBIG, "more than %d rows of '%s' in an hour", WINDOW_ROWS,
				  rows->query.dataset->name);
	return rc;
}

static int hand_over(struct drawing *drawing, bool all)
{
	int rc = 0;

	if (drawing->zip != NULL && drawing->text.n > 0)
		rc = sn_zip_write(drawing->zip, sn_buf_str(&drawing->text));
	else
		sn_buf_add(&drawing->out, drawing->text.p, drawing->text.n);
	sn_buf_clear(&drawing->text);
	if (rc == 0 && (all || drawing->out.n >= SN_STREAM_PIECE))
		rc = sn_stream_push(drawing->stream, &drawing->out);
	return rc != 0 ? rc : sn_stream_cancelled(drawing->stream) ? -ECANCELED : 0;
}

static int draw_window(struct drawing *drawing, struct sn_store *store, int64_t from_ns,
		       int64_t to_ns, struct sn_err *err)
{
	int rc = read_window(store, drawing->fixes, from_ns, to_ns, drawing->fix_rows, err);

	if (rc == 0 && drawing->modems != NULL)
		rc = read_window(store, drawing->modems, from_ns, to_ns, drawing->modem_rows, err);
	if (rc != 0)
		return rc;
	if (drawing->modems != NULL)
		sn_kml_coverage(drawing->kml, drawing->fix_rows, drawing->modem_rows,
				&drawing->text);
	else
		sn_kml_track(drawing->kml, drawing->fix_rows, &drawing->text);
	return hand_over(drawing, false);
}

static int add_marks(struct drawing *drawing)
{
	const char *name;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && (name = sn_kml_mark_name(i)) != NULL; i++) {
		rc = sn_zip_begin(drawing->zip, name);
		if (rc != 0)
			return rc;
		sn_kml_mark(i, &drawing->text);
		rc = sn_zip_write(drawing->zip, sn_buf_str(&drawing->text));
		sn_buf_clear(&drawing->text);
		if (rc == 0)
			rc = sn_zip_end(drawing->zip);
	}
	return rc;
}

static int say_there_is_nothing(const struct drawing *drawing, struct sn_err *err)
{
	char since[SN_TIME_TEXT_MAX], until[SN_TIME_TEXT_MAX];

	return sn_err_set(err, -ENOENT,
			  "no place of node '%.60s' is known from %s to %s in the rows of '%s'%s "
			  "(ask for another time)",
			  drawing->node, sn_format_time(drawing->since_ns, since, sizeof(since)),
			  sn_format_time(drawing->until_ns, until, sizeof(until)),
			  sn_dataset_monroe_meta_device_gps.name,
			  drawing->modems != NULL ? " and of its modems" : "");
}

static int make(struct sn_stream *stream, struct sn_store *store, void *ctx, struct sn_err *err)
{
	struct drawing *drawing = ctx;
	int rc = drawing->zip != NULL ? sn_zip_begin(drawing->zip, "doc.kml") : 0;

	drawing->stream = stream;
	sn_kml_begin(drawing->kml, &drawing->text);
	for (int64_t t = drawing->since_ns; rc == 0 && t < drawing->until_ns; t += WINDOW_NS)
		rc = draw_window(drawing, store, t, SN_MIN(t + WINDOW_NS, drawing->until_ns), err);
	if (rc == 0 && sn_kml_places(drawing->kml) == 0)
		return say_there_is_nothing(drawing, err);
	sn_kml_end(drawing->kml, &drawing->text);
	if (rc == 0)
		rc = hand_over(drawing, false);
	if (rc == 0 && drawing->zip != NULL)
		rc = sn_zip_end(drawing->zip);
	if (rc == 0 && drawing->zip != NULL)
		rc = add_marks(drawing);
	if (rc == 0 && drawing->zip != NULL)
		rc = sn_zip_finish(drawing->zip);
	return rc == 0 ? hand_over(drawing, true) : rc;
}

/* Asking ----------------------------------------------------------------------------------- */

static void release(void *ctx)
{
	struct drawing *drawing = ctx;

	sn_kml_destroy(drawing->kml);
	sn_zip_destroy(drawing->zip);
	sn_columns_destroy(drawing->fix_rows);
	sn_columns_destroy(drawing->modem_rows);
	sn_buf_finish(&drawing->text);
	sn_buf_finish(&drawing->out);
	free(drawing->fixes);
	free(drawing->modems);
	free(drawing);
}

static bool bad_query(struct sn_http_request *request, const char *detail)
{
	sn_http_problem(request, 400, "bad-query", "A query parameter is no good", "%s", detail);
	return false;
}

static bool read_span(struct sn_hub *hub, struct sn_http_request *request, struct drawing *drawing)
{
	int64_t since_ns = INT64_MIN, until_ns = INT64_MIN;

	if (!sn_api_query_time(hub, request, "since", &since_ns) ||
	    !sn_api_query_time(hub, request, "until", &until_ns))
		return false;
	if (until_ns == INT64_MIN)
		until_ns = since_ns != INT64_MIN ? since_ns + SPAN_NS : sn_hub_now(hub);
	if (since_ns == INT64_MIN)
		since_ns = until_ns - SPAN_NS;
	drawing->since_ns = since_ns;
	drawing->until_ns = until_ns;
	if (since_ns < 0 || until_ns <= since_ns || until_ns - since_ns > SPAN_MAX_NS)
		return bad_query(request, "until: not after since, or more than 366 days");
	return true;
}

static bool read_gap(struct sn_http_request *request, const char *name, int64_t *ns)
{
	const char *text = sn_http_query(request, name);
	char detail[96];

	if (text == NULL || (sn_parse_duration(sn_str(text), ns) == 0 && *ns >= 0))
		return true;
	snprintf(detail, sizeof(detail), "%s: not a time like '10s' or '5m'", name);
	return bad_query(request, detail);
}

/* Rows of the node, oldest first; NULL after an answer. */
static struct sn_rows_query *read_rows(struct sn_hub *hub, struct sn_http_request *request,
				       const struct sn_dataset *dataset)
{
	struct sn_rows_query *rows = sn_rows_read_of(hub, request, dataset, NULL);

	if (rows != NULL)
		rows->query.newest_first = false;
	return rows;
}

/* What both have: node, span, gap; false after an answer. */
static bool read_question(struct sn_hub *hub, struct sn_http_request *request,
			  struct drawing *drawing, struct sn_kml_options *options)
{
	const struct sn_node *node;

	options->node = sn_http_query(request, "node");
	if (options->node == NULL || options->node[0] == '\0')
		return bad_query(request, "node: missing (whose track?)");
	node = sn_fleet_find(hub->fleet, options->node);
	if (node != NULL)
		options->node = node->name;
	if (!read_span(hub, request, drawing) ||
	    !read_gap(request, "min_gap", &options->min_gap_ns))
		return false;
	drawing->fixes = read_rows(hub, request, &sn_dataset_monroe_meta_device_gps);
	return drawing->fixes != NULL;
}

static void answer(struct sn_hub *hub, struct sn_http_request *request, struct drawing *drawing,
		   const struct sn_kml_options *options, bool packed)
{
	struct sn_stream_spec spec = {
		.content_type = packed ? TYPE_KMZ : TYPE_KML,
		.make = make,
		.release = release,
		.ctx = drawing,
	};
	struct sn_buf name = {0};

	drawing->kml = sn_kml_create(options);
	drawing->node = sn_kml_node(drawing->kml);
	drawing->fix_rows = sn_columns_create(&sn_dataset_monroe_meta_device_gps);
	drawing->modem_rows = sn_columns_create(&sn_dataset_monroe_meta_device_modem);
	drawing->zip = packed ? sn_zip_create(&drawing->out) : NULL;
	sn_kml_name(options->node, drawing->since_ns, drawing->until_ns, &name);
	if (packed)
		name.p[name.n - 1] = 'z';
	spec.file = sn_buf_cstr(&name);
	sn_streams_answer(hub, request, &spec);
	sn_buf_finish(&name);
}

static void get_track(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct drawing *drawing = sn_new(struct drawing);
	struct sn_kml_options options = {.split_ns = SPLIT_NS};

	if (read_question(hub, request, drawing, &options) &&
	    read_gap(request, "split", &options.split_ns))
		answer(hub, request, drawing, &options, false);
	else
		release(drawing);
}

static void get_coverage(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *format = sn_http_query(request, "format");
	struct drawing *drawing = sn_new(struct drawing);
	struct sn_kml_options options = {.coverage = true,
					 .network = sn_http_query(request, "operator")};
	bool packed = format != NULL && strcmp(format, "kmz") == 0, good;

	good = read_question(hub, request, drawing, &options);
	if (good && format != NULL && !packed && strcmp(format, "kml") != 0)
		good = bad_query(request, "format: neither kml nor kmz");
	if (good) {
		drawing->modems = read_rows(hub, request, &sn_dataset_monroe_meta_device_modem);
		good = drawing->modems != NULL;
	}
	if (good)
		answer(hub, request, drawing, &options, packed);
	else
		release(drawing);
}

/* Images ------------------------------------------------------------------------------------- */

static void get_marks(struct sn_http_request *request, void *ctx)
{
	json_t *items = json_array();
	const char *name;

	(void)ctx;
	for (unsigned i = 0; (name = sn_kml_mark_name(i)) != NULL; i++) {
		sn_autofree char *url = sn_xasprintf("/api/v1/kml/marks/%s", name);

		json_array_append_new(items, json_pack("{s:s, s:s}", "name", name, "url", url));
	}
	sn_api_reply_list(request, items, "name");
}

static void get_mark(struct sn_http_request *request, void *ctx)
{
	const char *wanted = sn_http_param(request, "name"), *name;
	struct sn_buf image = {0};

	(void)ctx;
	for (unsigned i = 0; (name = sn_kml_mark_name(i)) != NULL; i++) {
		if (strcmp(name, wanted) != 0)
			continue;
		sn_kml_mark(i, &image);
		sn_http_reply(request, 200, "image/png", image.p, image.n);
		sn_buf_finish(&image);
		return;
	}
	sn_api_not_found(request, "no image has this name");
}

/* Declarations -------------------------------------------------------------------------------- */

static const struct sn_api_param track_params[] = {
	{"node", SN_API_TEXT, "whose: id or name (NodeId of MONROE)", false},
	{"since", SN_API_TEXT, "from then on; default a day before until", false},
	{"until", SN_API_TEXT, "before then; default a day after since, or now", false},
	{"min_gap", SN_API_TEXT, "leave out what is nearer to the fix before, like 10s", false},
	{"split", SN_API_TEXT, "a line ends where no fix came for longer; default 5m; 0: no lines",
	 false},
};
static const struct sn_api_param coverage_params[] = {
	{"node", SN_API_TEXT, "whose: id or name (NodeId of MONROE)", false},
	{"since", SN_API_TEXT, "from then on; default a day before until", false},
	{"until", SN_API_TEXT, "before then; default a day after since, or now", false},
	{"min_gap", SN_API_TEXT, "leave out what is nearer to the fix before, like 10s", false},
	{"operator", SN_API_TEXT, "in this network only", false},
	{"format", SN_API_TEXT, "kml (default: its images are at /api/v1/kml/marks), or kmz",
	 false},
};
static const struct sn_api_field mark_fields[] = {
	{"name", SN_API_TEXT, true, false, "as the KML refers to it"},
	{"url", SN_API_TEXT, true, false, "path on this hub"},
};
static const struct sn_api_schema mark_schema = {"KmlMark", "an image of a place on a map",
						 mark_fields, SN_COUNT(mark_fields)};
static const struct sn_api_doc track_doc = {
	.id = "getTrack",
	.tag = "data",
	.summary = "where a node was, as KML",
	.params = track_params,
	.param_count = SN_COUNT(track_params),
	.kind = SN_ANSWER_TEXT,
	.content_type = TYPE_KML,
};
static const struct sn_api_doc coverage_doc = {
	.id = "getCoverage",
	.tag = "data",
	.summary = "what a node's modems saw where, as KML or KMZ",
	.params = coverage_params,
	.param_count = SN_COUNT(coverage_params),
	.kind = SN_ANSWER_TEXT,
	.content_type = TYPE_KML,
};
static const struct sn_api_doc marks_doc = {
	.id = "listMarks",
	.tag = "data",
	.summary = "images that coverage refers to",
	.params = sn_api_list_params,
	.param_count = SN_API_LIST_PARAMS,
	.kind = SN_ANSWER_LIST,
	.answer = &mark_schema,
};
static const struct sn_api_doc mark_doc = {
	.id = "getMark",
	.tag = "data",
	.summary = "one of them",
	.kind = SN_ANSWER_TEXT,
	.content_type = "image/png",
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/kml/track", get_track, 0, SN_ACCESS_DATA, &track_doc},
	{"GET", "/api/v1/kml/coverage", get_coverage, 0, SN_ACCESS_DATA, &coverage_doc},
	{"GET", "/api/v1/kml/marks", get_marks, 0, SN_ACCESS_USER, &marks_doc},
	{"GET", "/api/v1/kml/marks/{name}", get_mark, 0, SN_ACCESS_USER, &mark_doc},
};
const struct sn_api_routes sn_api_kml = {routes, SN_COUNT(routes)};
