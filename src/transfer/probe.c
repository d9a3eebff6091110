/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "peer/peer.h"

#define PIECE_ENTRIES 256   /* of a list that is streamed */
#define LIMIT_MAX     50000 /* entries of a list that is asked for in parts */

struct sn_math_probe {
	struct sn_math_probe_config config;
	struct sn_http_server *server;
};

/* Who may ---------------------------------------------------------------------------- */

static bool is_allowed(const struct sn_math_probe_config *config, const struct sn_peer_names *names)
{
	for (unsigned i = 0; i < config->allowed_count; i++) {
		if (strcmp(config->allowed[i], "*") == 0 && names->count > 0)
			return true;
		for (unsigned k = 0; k < names->count; k++) {
			if (strcmp(config->allowed[i], names->list[k]) == 0)
				return true;
		}
	}
	return false;
}

static int guard(struct sn_http_request *request, void *ctx)
{
	struct sn_math_probe *probe = ctx;
	struct sn_peer_names names;
	char from[SN_ADDR_TEXT_MAX];

	if (probe->config.tls == NULL)
		return 0;
	sn_peer_names_of(request, &names);
	if (is_allowed(&probe->config, &names))
		return 0;
	if (probe->config.on_refusal != NULL)
		probe->config.on_refusal(
			names.count > 0 ? names.list[0] : "nobody",
			sn_addr_format_port(sn_http_peer_addr(request), from, sizeof(from)),
			probe->config.ctx);
	sn_http_problem(request, 403, "forbidden", "These logs are not for you",
			"'%s' is not among those who may fetch them",
			names.count > 0 ? names.list[0] : "nobody");
	return -EACCES;
}

/* The list --------------------------------------------------------------------------- */

struct listing {
	struct sn_math_tree *tree;
	struct sn_math_cursor cursor;
	bool opened;
};

static int produce(struct sn_buf *out, void *ctx)
{
	struct listing *listing = ctx;

	if (!listing->opened)
		sn_buf_addc(out, '[');
	listing->opened = true;
	if (sn_math_tree_read(listing->tree, &listing->cursor, PIECE_ENTRIES, out) == 1)
		return 1;
	sn_buf_adds(out, "]");
	return 0;
}

static bool wants_details(const struct sn_http_request *request)
{
	const char *accept = sn_http_header(request, "Accept");

	return accept != NULL && strcasestr(accept, SN_MATH_LIST_TYPE) != NULL;
}

/* In one piece: where it ends is known before the headers go out. */
static void answer_part(struct sn_math_probe *probe, struct sn_http_request *request,
			struct sn_math_cursor *cursor)
{
	struct listing listing = {.tree = probe->config.tree, .cursor = *cursor};
	char token[SN_MATH_TOKEN_SIZE];
	struct sn_buf out = {0};

	while (produce(&out, &listing) == 1)
		;
	sn_math_tree_token(probe->config.tree, &listing.cursor, token);
	sn_http_set_header(request, "Sonde-List", token);
	sn_http_reply(request, 200, SN_MATH_LIST_TYPE, out.p, out.n);
	sn_buf_finish(&out);
}

static void answer_whole(struct sn_math_probe *probe, struct sn_http_request *request,
			 const struct sn_math_cursor *cursor)
{
	struct listing *listing = sn_new(struct listing);
	char token[SN_MATH_TOKEN_SIZE];

	listing->tree = probe->config.tree;
	listing->cursor = *cursor;
	if (cursor->detailed) {
		sn_math_tree_token(probe->config.tree, cursor, token);
		sn_http_set_header(request, "Sonde-List", token);
	}
	sn_http_reply_stream(request, 200,
			     cursor->detailed ? SN_MATH_LIST_TYPE : "application/json", produce,
			     free, listing);
}

static void get_list(struct sn_http_request *request, void *ctx)
{
	struct sn_math_probe *probe = ctx;
	const char *limit = sn_http_query(request, "limit");
	struct sn_math_tree_stats stats;
	struct sn_math_cursor cursor;
	uint64_t count = 0;
	char pending[24];

	if (strcmp(sn_http_param(request, "stream"), probe->config.stream) != 0) {
		sn_http_problem(request, 405, "no-such-stream", "There is no such stream",
				"the stream here is '%s'", probe->config.stream);
		return;
	}
	if (limit != NULL && sn_parse_u64(sn_str(limit), 1, LIMIT_MAX, &count) != 0) {
		sn_http_problem(request, 400, "bad-query", "A query parameter is no good",
				"limit: not a number from 1 to %d", LIMIT_MAX);
		return;
	}
	sn_math_tree_stats(probe->config.tree, &stats);
	if (stats.files == 0 && !wants_details(request)) {
		sn_http_reply(request, 200, "application/json", "null", 4);
		return;
	}
	if (wants_details(request)) {
		snprintf(pending, sizeof(pending), "%zu", stats.files - stats.digested);
		sn_http_set_header(request, "Sonde-List-Pending", pending);
	}
	sn_math_tree_begin(probe->config.tree, wants_details(request),
			   sn_http_query(request, "since"), (size_t)count, &cursor);
	if (cursor.detailed && count > 0) {
		/* In parts it goes by number, so that each part begins where the last one ended. */
		cursor.changes = true;
		answer_part(probe, request, &cursor);
	} else {
		answer_whole(probe, request, &cursor);
	}
}

/* Files ------------------------------------------------------------------------------ */

static void get_file(struct sn_http_request *request, void *ctx)
{
	struct sn_math_probe *probe = ctx;
	struct sn_math_opened opened;
	char etag[SN_MATH_DIGEST_SIZE + 2];
	int rc = sn_math_tree_open(probe->config.tree, sn_str(sn_http_param(request, "path")),
				   &opened);

	if (rc != 0) {
		sn_http_problem(request, 404, "not-found", "There is no such file",
				"it is not in the list of stream '%s'", probe->config.stream);
		return;
	}
	if (opened.sha256[0] != '\0')
		snprintf(etag, sizeof(etag), "\"%s\"", opened.sha256);
	else
		snprintf(etag, sizeof(etag), "\"%llx-%llx\"", (unsigned long long)opened.size,
			 (unsigned long long)opened.mtime_ns);
	sn_http_reply_file(request, "application/octet-stream", opened.fd, opened.size, etag);
}

static const struct sn_http_route routes[] = {
	{.method = "GET", .pattern = "/ListDir/{stream}", .handle = get_list},
	{.method = "GET", .pattern = "/{path*}", .handle = get_file},
};

/* Life ------------------------------------------------------------------------------- */

int sn_math_probe_create(const struct sn_math_probe_config *config, struct sn_math_probe **out,
			 struct sn_addr *bound, struct sn_err *err)
{
	struct sn_math_probe *probe = sn_new(struct sn_math_probe);
	struct sn_http_config http = {
		.routes = routes,
		.route_count = SN_COUNT(routes),
		.guard = guard,
		.ctx = probe,
		.max_connections = 256,
		.plain_anywhere = config->plain_anywhere,
	};

	probe->config = *config;
	probe->server = sn_http_server_create(config->loop, &http);
	if (probe->server == NULL) {
		free(probe);
		return sn_err_set(err, -ENOMEM, "cannot make the HTTP server");
	}
	if (sn_http_server_listen(probe->server, &config->listen, -1, config->tls, bound, err) !=
	    0) {
		sn_math_probe_destroy(probe);
		return err->code;
	}
	*out = probe;
	return 0;
}

void sn_math_probe_destroy(struct sn_math_probe *probe)
{
	if (probe == NULL)
		return;
	sn_http_server_destroy(probe->server);
	free(probe);
}
