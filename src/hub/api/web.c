/* SPDX-License-Identifier: Apache-2.0 */
/* The web UI, or a small page in its place. */
#include "hub/web.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "hub/api/api.h"
#include "hub/problems.h"

/* Styles are set from scripts through the object model only, which the policy allows. */
#define POLICY                                                                                     \
	"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "           \
	"form-action 'self'; frame-ancestors 'none'"

/* Files ------------------------------------------------------------------------------ */

static bool is_known(const struct sn_http_request *request, const char *etag)
{
	const char *known = sn_http_header(request, "If-None-Match");

	return known != NULL && (strstr(known, etag) != NULL || strcmp(known, "*") == 0);
}

static void send_file(struct sn_http_request *request, const struct sn_web_file *file)
{
	bool gzip = file->has_gzip && sn_api_takes_encoding(request, "gzip");
	sn_autofree char *path = sn_xasprintf("%s%s", file->path, gzip ? ".gz" : "");
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		sn_api_not_found(request, "this file has gone; reload the page");
		return;
	}
	if (gzip)
		sn_http_set_header(request, "Content-Encoding", "gzip");
	sn_http_reply_fd(request, 200, file->type, fd, (uint64_t)st.st_size);
}

static void reply_file(struct sn_http_request *request, const struct sn_web_file *file)
{
	sn_http_set_header(request, "Content-Security-Policy", POLICY);
	sn_http_set_header(request, "Cross-Origin-Opener-Policy", "same-origin");
	sn_http_set_header(request, "ETag", file->etag);
	sn_http_set_header(request, "Vary", "Accept-Encoding");
	sn_http_set_header(request, "Cache-Control",
			   file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
	if (is_known(request, file->etag))
		sn_http_reply(request, 304, NULL, NULL, 0);
	else
		send_file(request, file);
}

/* The built-in page ------------------------------------------------------------------- */

static void add_nodes(struct sn_buf *page, const struct sn_hub *hub)
{
	sn_buf_adds(page, "<table>\n<tr><th>node<th>state<th>last seen<th>place\n");
	for (size_t i = 0; i < sn_fleet_count(hub->fleet); i++) {
		const struct sn_node *node = sn_fleet_at(hub->fleet, i);
		char time[SN_TIME_TEXT_MAX] = "never";

		if (node->last_seen_ns != 0)
			sn_format_time(node->last_seen_ns / SN_NS_PER_S * SN_NS_PER_S, time,
				       sizeof(time));
		sn_buf_adds(page, "<tr><td>");
		sn_html_add(page, node->name, strlen(node->name));
		sn_buf_addf(page, "<td>%s<td>%s<td>", sn_node_state_name(node->state), time);
		sn_html_add(page, node->place.name, strlen(node->place.name));
		sn_buf_addc(page, '\n');
	}
	sn_buf_adds(page, "</table>\n");
	if (sn_fleet_count(hub->fleet) == 0)
		sn_buf_adds(page, "<p>No nodes yet: <code>sonde node invite</code> says how one "
				  "joins.\n");
}

static void reply_built_in(const struct sn_hub *hub, struct sn_http_request *request)
{
	bool known = sn_guard_who(request)->kind == SN_WHO_USER;
	struct sn_buf page = {0};

	sn_buf_adds(&page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
			   "<meta name=\"viewport\" content=\"width=device-width\">\n"
			   "<meta http-equiv=\"refresh\" content=\"10\">\n"
			   "<title>Sonde</title>\n<h1>Sonde hub " SONDE_VERSION "</h1>\n");
	if (known)
		add_nodes(&page, hub);
	else
		sn_buf_adds(
			&page,
			"<p>You are not logged in: use the link that the hub printed at "
			"its first start, or get one with <code>sonde user login-link</code>.\n");
	sn_buf_adds(&page,
		    "<p>The web interface is not part of this build. To have it, install Node.js "
		    "and npm, run <code>make</code> again, or install the package "
		    "<code>sonde-web</code>.\n"
		    "<p>Everything is in the <a href=\"/api/v1/openapi.json\">API</a> and in the "
		    "command line (<code>sonde node list</code>, <code>sonde results</code>); "
		    "<a href=\"/metrics\">metrics</a>.\n</html>\n");
	sn_http_set_header(request, "Content-Security-Policy", POLICY);
	sn_http_set_header(request, "Cache-Control", "no-store");
	sn_http_reply(request, 200, "text/html; charset=utf-8", page.p, page.n);
	sn_buf_finish(&page);
}

/* Which it is ------------------------------------------------------------------------- */

/* A page of the UI has no file of its own: the script in index.html shows it. */
static bool is_page(const struct sn_http_request *request, const char *path)
{
	const char *last = strrchr(path, '/');

	return strncmp(path, "api/", 4) != 0 && strcmp(path, "api") != 0 &&
	       strchr(last != NULL ? last : path, '.') == NULL &&
	       sn_api_accepts(request, "text/html");
}

static void get_any(struct sn_http_request *request, void *ctx)
{
	struct sn_hub *hub = ctx;
	const char *path = sn_http_param(request, "path");
	const struct sn_web_file *file;
	bool there = sn_web_is_there(hub->web);

	if (path == NULL)
		path = "";
	if (path[0] == '\0' && sn_supervisor_answers_root(hub, request))
		return;
	file = there ? sn_web_find(hub->web, path) : NULL;
	if (file == NULL && there && is_page(request, path))
		file = sn_web_find(hub->web, "");
	if (file != NULL)
		reply_file(request, file);
	else if (!there && (path[0] == '\0' || is_page(request, path)))
		reply_built_in(hub, request);
	else
		sn_api_not_found(request, "no page or file has this address");
}

static const struct sn_api_doc root_doc = {
	.id = "getUi",
	.tag = "web",
	.summary = "the web interface",
	.any_query = true,
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/html",
};
static const struct sn_api_doc file_doc = {
	.id = "getUiFile",
	.tag = "web",
	.summary = "pages and files of the web interface",
	.any_query = true,
	.kind = SN_ANSWER_TEXT,
	.content_type = "text/html",
};

static const struct sn_http_route routes[] = {
	{"GET", "/", get_any, 0, SN_ACCESS_OPEN, &root_doc},
	{"GET", "/{path*}", get_any, 0, SN_ACCESS_OPEN, &file_doc},
};
const struct sn_api_routes sn_api_web = {routes, SN_COUNT(routes)};
