/* SPDX-License-Identifier: Apache-2.0 */
/* routes: handlers of the mPlane paths; `ctx` is the hub.  The table is in routes.c. */
#ifndef SONDE_HUB_SUPERVISOR_ROUTES_H
#define SONDE_HUB_SUPERVISOR_ROUTES_H

#include "hub/supervisor/internal.h"

sn_http_handler_fn sn_sup_post_registration; /* register.c */
sn_http_handler_fn sn_sup_get_work;          /* work.c */
sn_http_handler_fn sn_sup_post_result;       /* results.c */
sn_http_handler_fn sn_sup_get_capabilities;  /* listing.c */
sn_http_handler_fn sn_sup_get_capability;
sn_http_handler_fn sn_sup_post_message;         /* client.c */
sn_http_handler_fn sn_sup_get_old_capabilities; /* old_client.c */
sn_http_handler_fn sn_sup_post_old_specification;
sn_http_handler_fn sn_sup_post_old_result;
sn_http_handler_fn sn_sup_get_info;

#endif
