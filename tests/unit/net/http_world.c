/* SPDX-License-Identifier: Apache-2.0 */
#include "http_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

struct seen seen;
struct world world;

static int guard(struct sn_http_request *request, void *ctx)
{
	assert_ptr_equal(ctx, &seen);
	seen.guarded++;
	if (!seen.refuse)
		return 0;
	sn_http_problem(request, 403, "not-allowed", "Forbidden", "%s may not", "nobody");
	return -EACCES;
}

static void count_release(void *user SN_UNUSED)
{
	seen.released++;
}

static void hello(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.handled++;
	sn_http_set_user(request, &seen, count_release);
	sn_http_reply(request, 200, "text/plain", "hello", 5);
}

static void own_headers(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	sn_http_set_header(request, "Content-Security-Policy", "default-src 'none'");
	sn_http_set_header(request, "ETag", "\"one\"");
	sn_http_set_header(request, "ETag", "\"two\"");
	sn_http_set_header(request, "Set-Cookie", "a=1");
	sn_http_set_header(request, "Set-Cookie", "b=2");
	sn_http_set_header(request, "Retry-After", "7");
	sn_http_reply(request, 503, "text/plain", "", 0);
}

static void echo(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	struct sn_str body = sn_http_body(request);

	seen.handled++;
	seen.body_size = body.n;
	sn_http_reply(request, 200, "application/octet-stream", body.p, body.n);
}

static void show(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	const char *q = sn_http_query(request, "q"), *cookie = sn_http_cookie(request, "c");
	const char *header = sn_http_header(request, "X-Test");
	char text[512], addr[SN_ADDR_TEXT_MAX];

	seen.handled++;
	snprintf(text, sizeof(text), "%s|%s|%s|%s|%s|%s|%s|%s", sn_http_param(request, "id"),
		 q != NULL ? q : "-", sn_http_path(request), sn_http_method(request),
		 cookie != NULL ? cookie : "-", header != NULL ? header : "-",
		 sn_addr_format(sn_http_peer_addr(request), addr, sizeof(addr)),
		 sn_http_is_tls(request) ? "tls" : "plain");
	sn_http_reply(request, 200, "text/plain", text, strlen(text));
}

static void abandoned(struct sn_http_request *request, void *ctx)
{
	assert_ptr_equal(request, seen.waiting);
	assert_ptr_equal(ctx, &seen);
	seen.abandoned++;
	seen.waiting = NULL;
}

static void wait_told(struct sn_http_request *request, void *ctx)
{
	seen.handled++;
	seen.waiting = request;
	sn_http_on_abandon(request, abandoned, ctx);
}

static void wait_untold(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	seen.handled++;
	seen.waiting = request;
}

static void json(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	sn_http_reply_json(request, 201, json_pack("{s:f}", "x", 0.1));
}

static const struct sn_http_route routes[] = {
	{"GET", "/hello", hello, 0, 0, NULL},
	{"GET", "/own", own_headers, 0, 0, NULL},
	{"POST", "/echo", echo, HTTP_BODY_MAX, 0, NULL},
	{"PUT", "/echo", echo, HTTP_BODY_MAX, 0, NULL},
	{"GET", "/things/{id}", show, 0, 0, NULL},
	{"GET", "/wait/told", wait_told, 0, 0, NULL},
	{"GET", "/wait/untold", wait_untold, 0, 0, NULL},
	{"GET", "/json", json, 0, 0, NULL},
};

const struct sn_http_config http_config = {
	.routes = routes,
	.route_count = SN_COUNT(routes),
	.guard = guard,
	.ctx = &seen,
};

int http_world_setup(void **state SN_UNUSED)
{
	seen = (struct seen){0};
	world_init(&world, &http_config);
	return 0;
}

int http_world_teardown(void **state SN_UNUSED)
{
	world_finish(&world);
	return 0;
}

char *http_exchange(const char *request, const char *needle)
{
	struct sn_buf in = {0};
	int fd = raw_connect(&world);

	raw_send(fd, request);
	if (!raw_expect(&world, fd, &in, needle))
		fail_msg("no '%s' in: %s", needle, sn_buf_cstr(&in));
	close(fd);
	return in.p;
}

void http_world_restart(const struct sn_http_config *config)
{
	world_finish(&world);
	world_init(&world, config);
}

void http_expect_connections(unsigned count)
{
	uint64_t end_ns = sn_mono_ns() + TEST_PATIENCE_NS;

	while (sn_http_server_connections(world.server) != count && sn_mono_ns() < end_ns)
		sn_loop_turn(world.loop, 2 * SN_NS_PER_MS);
	assert_int_equal(sn_http_server_connections(world.server), count);
}
