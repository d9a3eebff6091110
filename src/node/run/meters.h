/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meters: what a node gives its meters: the capture socket that the root helper
 * opened, and for method `tstat` a control socket and a directory for logs.
 *
 *   DIR/control/INTERFACE.sock   control of the meter that was first there; for the node's user
 *   DIR/tstat/INTERFACE/         Tstat's logs of that meter, its last three directories; for all
 *   DIR/runtime.conf             what is logged; the operator's, may be absent
 */
#ifndef SONDE_NODE_RUN_METERS_H
#define SONDE_NODE_RUN_METERS_H

#include <jansson.h>

#include "base/err.h"
#include "data/method.h"
#include "node/run/handed.h"

/*
 * `priv_socket` "": meters open captures by themselves; `dir` "": no control and no logs.  What a
 * meter can do without is only warned about; -EINVAL or -ENOENT if method `meter-switch` cannot
 * know whom it is for: then nothing is to be started.
 */
int sn_meters_hand(struct sn_handed *handed, const struct sn_method *method,
		   const json_t *parameters, const char *priv_socket, const char *dir,
		   const char *name, struct sn_err *err);

#endif
