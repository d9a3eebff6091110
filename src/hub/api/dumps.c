/* SPDX-License-Identifier: Apache-2.0 */
/* Dumps: the list of them for programs, their files, and pages to find these by hand. */
#include "hub/dumps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/dump_dir.h"

/* "2026/03/01" */
#define DAY_PATH_SIZE 11
#define NO_DAY        "day: '%.40s' is not a day like '2026-03-01'"

static const char *day_path(int32_t day, char out[DAY_PATH_SIZE])
{
	sn_dump_day_text(day, out);
	out[4] = out[7] = '/';
	return out;
}

/* The list ------------------------------------------------------------------------------ */

struct list {
	const char *day, *dataset; /* NULL: any */
	json_t *items;
};

static int add_files(const struct sn_dump_day *day, void *ctx)
{
	struct list *list = ctx;
	char text[SN_DUMP_DAY_SIZE], path[DAY_PATH_SIZE], made[SN_TIME_TEXT_MAX];

	sn_dump_day_text(day->day, text);
	day_path(day->day, path);
	sn_format_time(day->made_ns, made, sizeof(made));
	if (list->day != NULL && strcmp(list->day, text) != 0)
		return 0;
	for (size_t i = 0; i < day->count; i++) {
		const struct sn_dump_file *file = &day->files[i];
		sn_autofree char *url = sn_xasprintf("/dumps/%s/%s", path, file->name);

		if (list->dataset != NULL && strcmp(list->dataset, file->dataset) != 0)
			continue;
		json_array_append_new(
			list->items,
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:i, s:s}", "day", text,
				  "dataset", file->dataset, "format", file->form, "file",
				  file->name, "bytes", (json_int_t)file->bytes, "rows",
				  (json_int_t)file->rows, "sha256", file->sha256, "url", url,
				  "revision", (int)day->revision, "made", made));
	}
	return 0;
}

static void get_dumps(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	struct list list = {
		.day = sn_http_query(request, "day"),
		.dataset = sn_http_query(request, "dataset"),
		.items = json_array(),
	};
	int32_t number;

	if (list.day != NULL && sn_dump_day_parse(sn_str(list.day), &number) != 0) {
		json_decref(list.items);
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good", NO_DAY,
				list.day);
		return;
	}
	sn_dumps_each(hub->dumps, add_files, &list);
	sn_api_reply_list(request, list.items, "url");
}

static void post_dump(struct sn_http_request *request, void *ctx)
{
	static const struct sn_api_refusal refusals[] = {
		{-ENOTSUP, 409, "not-configured", "There are no dumps here"},
	};
	struct sn_hub *hub = ctx;
	sn_autojson json_t *body = sn_api_body(request);
	const char *day = json_string_value(json_object_get(body, "day"));
	struct sn_err err = {0};
	int32_t number;

	if (body == NULL)
		return;
	if (sn_dump_day_parse(sn_str(day), &number) != 0) {
		sn_api_refuse(request, (sn_err_set(&err, -EINVAL, NO_DAY, day), &err), NULL, 0);
		return;
	}
	if (sn_dumps_order(hub->dumps, number, &err) != 0) {
		sn_api_refuse(request, &err, refusals, SN_COUNT(refusals));
		return;
	}
	sn_hub_audit(hub, sn_who_name(sn_guard_who(request)), "dump.make", day, "");
	sn_http_reply_json(request, 202, json_pack("{s:s, s:s}", "day", day, "state", "waiting"));
}

/* Files ---------------------------------------------------------------------------------- */

struct wanted {
	int32_t day;
	const char *name;
	bool found;
	struct sn_dump_file file; /* size and digest only if it is one of the rows */
	unsigned revision;
};

static int look_for_file(const struct sn_dump_day *day, void *ctx)
{
	struct wanted *wanted = ctx;

	if (day->day != wanted->day)
		return 0;
	wanted->revision = day->revision;
	wanted->found =
		strcmp(wanted->name, SN_DUMP_SUMS) == 0 || strcmp(wanted->name, SN_DUMP_INDEX) == 0;
	for (size_t i = 0; !wanted->found && i < day->count; i++) {
		wanted->found = strcmp(wanted->name, day->files[i].name) == 0;
		wanted->file = day->files[i];
	}
	return 1;
}

static const char *type_of(const char *name)
{
	enum sn_export_packing packing;
	enum sn_export_form form;

	if (sn_export_of_name(name, &form, &packing) == 0)
		return sn_export_form_type(form, packing);
	return strcmp(name, SN_DUMP_INDEX) == 0 ? "application/json" : "text/plain; charset=utf-8";
}

static void send_file(const struct sn_hub *hub, struct sn_http_request *request,
		      const struct wanted *wanted)
{
	sn_autofree char *dir = sn_dump_path(sn_dumps_dir(hub->dumps), wanted->day);
	sn_autofree char *path = sn_xasprintf("%s/%s", dir, wanted->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char etag[24] = "";
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		sn_api_not_found(request, "this dump has gone meanwhile");
		return;
	}
	if (wanted->file.sha256[0] != '\0')
		snprintf(etag, sizeof(etag), "\"%.16s\"", wanted->file.sha256);
	sn_http_set_header(request, "Cache-Control", "no-cache");
	sn_http_reply_file(request, type_of(wanted->name), fd, (uint64_t)st.st_size,
			   etag[0] != '\0' ? etag : NULL);
}

/* Pages ----------------------------------------------------------------------------------- */

struct page {
	struct sn_buf html;
	const char *prefix; /* "2026/03": days below it */
	bool one;           /* a whole day: its files */
	bool any;
};

/* Names are those of datasets and days: nothing in them needs escaping. */
static int list_day(const struct sn_dump_day *day, void *ctx)
{
	struct page *page = ctx;
	char path[DAY_PATH_SIZE];
	uint64_t bytes = 0;

	day_path(day->day, path);
	if (strncmp(path, page->prefix, strlen(page->prefix)) != 0)
		return 0;
	page->any = true;
	for (size_t i = 0; i < day->count; i++) {
		bytes += day->files[i].bytes;
		if (page->one)
			sn_buf_addf(&page->html,
				    "<tr><td><a href=\"/dumps/%s/%s\">%s</a><td>%llu<td>%llu"
				    "<td><code>%s</code>\n",
				    path, day->files[i].name, day->files[i].name,
				    (unsigned long long)day->files[i].rows,
				    (unsigned long long)day->files[i].bytes, day->files[i].sha256);
	}
	if (!page->one)
		sn_buf_addf(&page->html,
			    "<tr><td><a href=\"/dumps/%s/\">%s</a><td>%zu<td>%llu<td>%u\n", path,
			    path, day->count, (unsigned long long)bytes, day->revision);
	else
		sn_buf_addf(&page->html,
			    "<tr><td><a href=\"/dumps/%s/" SN_DUMP_SUMS "\">" SN_DUMP_SUMS
			    "</a><td><td><td>for <code>sha256sum -c</code>\n"
			    "<tr><td><a href=\"/dumps/%s/" SN_DUMP_INDEX "\">" SN_DUMP_INDEX
			    "</a><td><td><td>revision %u\n",
			    path, path, day->revision);
	return 0;
}

static void send_page(struct sn_hub *hub, struct sn_http_request *request, const char *prefix)
{
	struct page page = {.prefix = prefix, .one = strlen(prefix) == DAY_PATH_SIZE - 1};
	char title[32];

	snprintf(title, sizeof(title), "Dumps %s", prefix);
	sn_api_page_begin(hub, &page.html, title);
	sn_buf_addf(&page.html, "<table>\n<tr>%s\n",
		    page.one ? "<th>file<th>rows<th>bytes<th>SHA-256"
			     : "<th>day (UTC)<th>files<th>bytes<th>revision");
	sn_dumps_each(hub->dumps, list_day, &page);
	sn_buf_adds(&page.html, "</table>\n");
	if (!page.any)
		sn_buf_adds(&page.html, "<p>There are no dumps here.\n");
	if (prefix[0] != '\0')
		sn_buf_adds(&page.html, "<p><a href=\"/dumps/\">all days</a>\n");
	sn_api_page_end(request, page.any || prefix[0] == '\0' ? 200 : 404, &page.html);
}

/* "", "2026", "2026/03", "2026/03/01": digits where digits are; false for anything else. */
static bool is_prefix(const char *path)
{
	static const char form[] = "dddd/dd/dd";
	size_t n = strlen(path);

	if (n != 0 && n != 4 && n != 7 && n != 10)
		return false;
	for (size_t i = 0; i < n; i++)
		if (form[i] == 'd' ? path[i] < '0' || path[i] > '9' : path[i] != form[i])
			return false;
	return true;
}

static bool parse_day(const char *path, int32_t *day)
{
	char text[SN_DUMP_DAY_SIZE];

	snprintf(text, sizeof(text), "%.10s", path);
	if (strlen(text) != SN_DUMP_DAY_SIZE - 1 || text[4] != '/' || text[7] != '/')
		return false;
	text[4] = text[7] = '-';
	return sn_dump_day_parse(sn_str(text), day) == 0;
}

/* What is asked for is looked up in the list: no path from outside becomes one on disk. */
static void get_file(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *path = sn_http_param(request, "path");
	sn_autofree char *prefix = sn_xstrdup(path != NULL ? path : "");
	struct wanted wanted = {.name = prefix};
	size_t n = strlen(prefix);

	if (n > 0 && prefix[n - 1] == '/')
		prefix[n - 1] = '\0';
	if (is_prefix(prefix)) {
		send_page(hub, request, prefix);
		return;
	}
	wanted.name = prefix + SN_MIN(strlen(prefix), (size_t)DAY_PATH_SIZE);
	if (parse_day(prefix, &wanted.day) && prefix[DAY_PATH_SIZE - 1] == '/')
		sn_dumps_each(hub->dumps, look_for_file, &wanted);
	if (wanted.found)
		send_file(hub, request, &wanted);
	else
		sn_api_not_found(request, "no dump has this file; /dumps/ lists the days");
}

/* Declarations ------------------------------------------------------------------------------ */

static const struct sn_api_field item_fields[] = {
	{"day", SN_API_TEXT, true, false, "2026-03-01; UTC"},
	{"dataset", SN_API_TEXT, true, false, "whose rows"},
	{"format", SN_API_TEXT, true, false, "csv, csv.gz, jsonl.zst, parquet, monroe, ..."},
	{"file", SN_API_TEXT, true, false, "its name"},
	{"bytes", SN_API_INTEGER, true, false, "size"},
	{"rows", SN_API_INTEGER, true, false, "in it"},
	{"sha256", SN_API_TEXT, true, false, "of the file, hexadecimal"},
	{"url", SN_API_TEXT, true, false, "path on this hub"},
	{"revision", SN_API_INTEGER, true, false, "of the day; above 1 when rows came late"},
	{"made", SN_API_TIME, true, false, "when"},
};
static const struct sn_api_schema item_schema = {"DumpFile", "a file of a day's dump", item_fields,
						 SN_COUNT(item_fields)};
static const struct sn_api_field order_fields[] = {
	{"day", SN_API_TEXT, true, false, "2026-03-01; it must be over"},
};
static const struct sn_api_schema order_schema = {"DumpOrder", "a day to be dumped now",
						  order_fields, SN_COUNT(order_fields)};
static const struct sn_api_field ordered_fields[] = {
	{"day", SN_API_TEXT, true, false, "the day"},
	{"state", SN_API_TEXT, true, false, "waiting: it will be made at once, or after others"},
};
static const struct sn_api_schema ordered_schema = {"DumpOrdered", "what was ordered",
						    ordered_fields, SN_COUNT(ordered_fields)};
static const struct sn_api_param list_params[] = {
	{"day", SN_API_TEXT, "of this day only", false},
	{"dataset", SN_API_TEXT, "of this dataset only", false},
	{"limit", SN_API_INTEGER, "items of a page, 1 to 10,000, default 100", false},
	{"cursor", SN_API_TEXT, "'next' of the page before", false},
};
static const struct sn_api_doc list_doc = {
	.id = "listDumps",
	.tag = "data",
	.summary = "files of daily dumps, newest day first",
	.params = list_params,
	.param_count = SN_COUNT(list_params),
	.kind = SN_ANSWER_LIST,
	.answer = &item_schema,
};
static const struct sn_api_doc post_doc = {
	.id = "makeDump",
	.tag = "data",
	.summary = "make the dump of a day now, or again",
	.body = &order_schema,
	.status = 202,
	.answer = &ordered_schema,
};
static const struct sn_api_doc root_doc = {
	.id = "getDumpDays",
	.tag = "data",
	.summary = "a page with all days that have dumps",
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/html",
};
static const struct sn_api_doc file_doc = {
	.id = "getDumpFile",
	.tag = "data",
	.summary = "a file of a dump (YYYY/MM/DD/NAME), or a page with those of a day",
	.kind = SN_ANSWER_TEXT,
	.content_type = "application/octet-stream",
};

static const struct sn_http_route routes[] = {
	{"GET", "/api/v1/dumps", get_dumps, 0, SN_ACCESS_DATA, &list_doc},
	{"POST", "/api/v1/dumps", post_dump, SN_API_BODY_MAX, SN_ACCESS_ADMIN, &post_doc},
	{"GET", "/dumps", get_file, 0, SN_ACCESS_DATA, &root_doc},
	{"GET", "/dumps/{path*}", get_file, 0, SN_ACCESS_DATA, &file_doc},
};
const struct sn_api_routes sn_api_dumps = {routes, SN_COUNT(routes)};
