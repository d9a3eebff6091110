/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "demo/host/host.h"
#include "net/http_server.h"

struct content {
	struct sn_http_server *server;
};

static void give_bytes(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	uint64_t size;
	int fd;

	if (sn_parse_u64(sn_str(sn_http_param(request, "n")), 0, SN_DEMO_BODY_MAX, &size) != 0) {
		sn_http_problem(request, 400, "bad-size", "No such size",
				"ask for /bytes/N with N from 0 to %d", SN_DEMO_BODY_MAX);
		return;
	}
	/* A file with a hole: any size, no memory. */
	fd = memfd_create("body", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
		if (fd >= 0)
			close(fd);
		sn_http_problem(request, 503, "no-memory", "No memory", "try again later");
		return;
	}
	sn_http_reply_fd(request, 200, "application/octet-stream", fd, size);
}

static void say_hello(struct sn_http_request *request, void *ctx SN_UNUSED)
{
	static const char text[] = "The content server of the demo internet. GET /bytes/N.\n";

	sn_http_reply(request, 200, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

static const struct sn_http_route routes[] = {
	{.method = "GET", .pattern = "/bytes/{n}", .handle = give_bytes},
	{.method = "GET", .pattern = "/", .handle = say_hello},
};

static void destroy(struct sn_host *host)
{
	struct content *content = (struct content *)host;

	if (content == NULL)
		return;
	sn_http_server_destroy(content->server);
	free(content);
}

static struct sn_host *create(struct sn_loop *loop, const struct sn_host_config *config,
			      struct sn_err *err)
{
	static const struct sn_http_config http = {
		.routes = routes, .route_count = SN_COUNT(routes), .plain_anywhere = true};
	struct content *content = sn_new(struct content);

	content->server = sn_http_server_create(loop, &http);
	for (unsigned i = 0; i < config->listen.count; i++) {
		struct sn_addr addr;
		int code = sn_addr_parse(sn_str(config->listen.items[i]), 80, &addr);

		if (code != 0)
			sn_err_set(err, code, "key 'listen': '%.80s' is no address",
				   config->listen.items[i]);
		else
			code = sn_http_server_listen(content->server, &addr, -1, NULL, NULL, err);
		if (code != 0) {
			destroy((struct sn_host *)content);
			return NULL;
		}
	}
	return (struct sn_host *)content;
}

const struct sn_host_role sn_host_content = {"content", create, destroy};
