/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: requests to the demo's own hub, one after the other, each waited for on
 * the loop (which goes on meanwhile).
 */
#ifndef SONDE_DEMO_RUN_API_H
#define SONDE_DEMO_RUN_API_H

#include <jansson.h>

#include "base/err.h"
#include "base/loop.h"

struct sn_demo_api;

/* `hub_file` is the hub's hub.json; `stop` breaks every wait off with -ECANCELED once true. */
int sn_demo_api_create(struct sn_loop *loop, const char *hub_file, const bool *stop,
		       struct sn_demo_api **api, struct sn_err *err);
void sn_demo_api_destroy(struct sn_demo_api *api);
/* `body` is stolen, NULL for GET; `answer` may be NULL.  The error names the hub's reason. */
int sn_demo_api_call(struct sn_demo_api *api, const char *path, json_t *body, json_t **answer,
		     struct sn_err *err);

#endif
