/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target of a request line: decoded once, matched with routes of every shape.
 * What is taken has only well-formed segments, none of which climbs.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "base/util.h"
#include "net/http_server_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sn_http_route routes[] = {
	{.method = "GET", .pattern = "/"},
	{.method = "GET", .pattern = "/api/v1/nodes"},
	{.method = "PATCH", .pattern = "/api/v1/nodes/{id}"},
	{.method = "PUT", .pattern = "/api/v1/node/batches/{stream}/{seq}"},
	{.method = "GET", .pattern = "/{rest*}"},
};

static void must_be_clean(const char *text)
{
	if (!sn_utf8_valid(sn_str(text)) || strcmp(text, "..") == 0 || strcmp(text, ".") == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	sn_autofree char *uri = sn_xstrndup((const char *)data, size);
	struct sn_http_target target = {0};

	if (sn_http_target_parse(uri, &target) != 0)
		return 0;
	for (unsigned i = 0; i < target.segment_count; i++)
		must_be_clean(target.segments[i]);
	for (size_t i = 0; i < SN_COUNT(routes); i++) {
		struct sn_http_match match = {0};
		struct sn_buf allow = {0};

		sn_http_route_find(routes, SN_COUNT(routes), routes[i].method, &target, &match);
		if (match.route != NULL && !match.path_known)
			abort();
		sn_http_match_release(&match);
		sn_http_route_allow(routes, SN_COUNT(routes), &target, &allow);
		sn_buf_finish(&allow);
	}
	sn_http_target_release(&target);
	return 0;
}
