/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that the type of a problem leads to: for whoever follows the link, logged in or not. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "hub/api/api.h"
#include "hub/problems.h"
#include "hub/web.h"

/* What people read begins alike, in the looks of the web interface where that is installed. */
void sn_api_page_begin(struct sn_hub *hub, struct sn_buf *page, const char *title)
{
	sn_buf_adds(page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
			  "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
	sn_html_add(page, title, strlen(title));
	sn_buf_adds(page, " \302\267 Sonde</title>\n");
	if (sn_web_is_there(hub->web) && sn_web_find(hub->web, SN_WEB_PLAIN_STYLE) != NULL)
		sn_buf_adds(page,
			    "<link rel=\"stylesheet\" href=\"/" SN_WEB_PLAIN_STYLE "\">\n"
			    "<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n");
	sn_buf_adds(page, "<h1>");
	sn_html_add(page, title, strlen(title));
	sn_buf_adds(page, "</h1>\n");
}

void sn_api_page_end(struct sn_http_request *request, unsigned status, struct sn_buf *page)
{
	sn_buf_adds(page, "</html>\n");
	sn_http_set_header(request, "Cache-Control", "no-cache");
	sn_http_set_header(request, "Vary", "Accept");
	sn_http_reply(request, status, "text/html; charset=utf-8", page->p, page->n);
	sn_buf_finish(page);
}

static void reply_text(struct sn_http_request *request, struct sn_buf *text)
{
	sn_http_set_header(request, "Cache-Control", "no-cache");
	sn_http_set_header(request, "Vary", "Accept");
	sn_http_reply(request, 200, "text/plain; charset=utf-8", text->p, text->n);
	sn_buf_finish(text);
}

/* All of them ------------------------------------------------------------------------- */

static void add_entry(const char *code, void *page)
{
	sn_buf_addf(page, "<dt><a href=\"/problems/%s\">%s</a>\n<dd>", code, code);
	sn_problem_write(code, SN_PROBLEM_HTML, page);
}

static void add_line(const char *code, void *text)
{
	sn_buf_addf(text, "%s\n", code);
}

static void get_list(struct sn_http_request *request, void *ctx)
{
	struct sn_buf out = {0};

	if (!sn_api_accepts(request, "text/html")) {
		sn_problems_each(add_line, &out);
		reply_text(request, &out);
		return;
	}
	sn_api_page_begin(ctx, &out, "Problems");
	sn_buf_adds(&out, "<p>What the errors of the API mean, and what to do. Their member "
			  "<code>detail</code> says what it was this time.\n<dl>\n");
	sn_problems_each(add_entry, &out);
	sn_buf_adds(&out, "</dl>\n<p><a href=\"/\">To the pages</a>\n");
	sn_api_page_end(request, 200, &out);
}

/* One --------------------------------------------------------------------------------- */

static void get_one(struct sn_http_request *request, void *ctx)
{
	const char *code = sn_http_param(request, "code");
	struct sn_buf out = {0}, says = {0};
	bool html = sn_api_accepts(request, "text/html");

	if (!sn_problem_write(code, html ? SN_PROBLEM_HTML : SN_PROBLEM_TEXT, &says)) {
		sn_api_not_found(request, "no problem is called so; /problems lists them");
		return;
	}
	if (html) {
		sn_api_page_begin(ctx, &out, code);
		sn_buf_addf(&out,
			    "<p>%s<p>An error of the API with this code has a member "
			    "<code>detail</code> that says what it was this time. The manual "
			    "<code>sonde-hub(8)</code> has the same text.\n"
			    "<p><a href=\"/problems\">All problems</a> \302\267 "
			    "<a href=\"/\">To the pages</a>\n",
			    sn_buf_cstr(&says));
		sn_api_page_end(request, 200, &out);
	} else {
		sn_buf_addf(&out, "%s\n\n%s", code, sn_buf_cstr(&says));
		reply_text(request, &out);
	}
	sn_buf_finish(&says);
}

static const struct sn_api_doc list_doc = {
	.id = "getProblems",
	.tag = "web",
	.summary = "what each problem means, for people",
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/html",
};
static const struct sn_api_doc one_doc = {
	.id = "getProblem",
	.tag = "web",
	.summary = "what a problem of this code means and what to do, for people",
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/html",
};

static const struct sn_http_route routes[] = {
	{"GET", "/problems", get_list, 0, SN_ACCESS_OPEN, &list_doc},
	{"GET", "/problems/{code}", get_one, 0, SN_ACCESS_OPEN, &one_doc},
};
const struct sn_api_routes sn_api_problems = {routes, SN_COUNT(routes)};
