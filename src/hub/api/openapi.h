/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_HUB_API_OPENAPI_H
#define SONDE_HUB_API_OPENAPI_H

#include <jansson.h>

#include "net/http_server.h"

/* OpenAPI 3.1 of routes whose `doc` are struct sn_api_doc; a new reference. */
json_t *sn_openapi(const struct sn_http_route *routes, size_t count, const char *session_cookie);

#endif
