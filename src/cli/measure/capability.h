/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capability: what the hub says about one capability, and the words of a command
 * line held against it.
 */
#ifndef SONDE_CLI_MEASURE_CAPABILITY_H
#define SONDE_CLI_MEASURE_CAPABILITY_H

#include "cli/client.h"

/* The capability of that label as GET /api/v1/capabilities gives it; -ENOENT names the nearest. */
int sn_capability_fetch(struct sn_client *client, const char *label, json_t **capability,
			struct sn_err *err);

/*
 * "key=value" and bare words into an object of parameters.  Bare words are targets: they go to the
 * parameter of that type, else to the only one that must be given and is an address, a URL or a
 * name.  -EDOM names the word, the reason and the nearest known name.
 */
int sn_capability_parameters(const json_t *capability, int argc, char *const *argv,
			     json_t **parameters, struct sn_err *err);

#endif
