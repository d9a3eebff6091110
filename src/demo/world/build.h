/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build: the demo internet, made real through the root helper.
 */
#ifndef SONDE_DEMO_WORLD_BUILD_H
#define SONDE_DEMO_WORLD_BUILD_H

#include "base/err.h"
#include "priv/client.h"

/*
 * A namespace per host, a TAP device per end of a link, addresses, routes.  `taps`
 * has room for each link's two descriptors; those that were made are the caller's
 * to close, the others are -1, also on failure.
 */
int sn_world_build(struct sn_priv *priv, const char *prefix, int (*taps)[2], struct sn_err *err);
/* Name of a host's namespace. */
char *sn_world_netns(const char *prefix, const char *host, char out[SN_PRIV_NAME_MAX]);

#endif
