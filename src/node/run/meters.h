/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: what a node gives its meters: the capture socket that the root helper
 * opened, a control socket, and a directory for logs.
 *
 *   DIR/INTERFACE.sock        control of the meter that was first on that interface
 *   DIR/logs/INTERFACE/       Tstat's logs of method `tstat`, the last three hours of them
 */
#ifndef SONDE_NODE_RUN_METERS_H
#define SONDE_NODE_RUN_METERS_H

#include <jansson.h>

#include "data/method.h"
#include "node/run/handed.h"

/* `priv_socket` "": meters open captures by themselves; `dir` "": no control and no logs. */
void sn_meters_hand(struct sn_handed *handed, const struct sn_method *method,
		    const json_t *parameters, const char *priv_socket, const char *dir,
		    const char *name);

#endif
