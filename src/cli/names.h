/* SPDX-License-Identifier: Apache-2.0 */
/* names: rows carry the ids of nodes; people know their names. */
#ifndef SONDE_CLI_NAMES_H
#define SONDE_CLI_NAMES_H

#include "cli/client.h"

struct sn_names;
/* Asks the hub once. */
int sn_names_fetch(struct sn_client *client, struct sn_names **names, struct sn_err *err);
void sn_names_destroy(struct sn_names *names);
/* The name that belongs to `id`, or `id` itself. */
const char *sn_names_of(const struct sn_names *names, const char *id);
/* The id that `name`, a name or an id, means; NULL when there is no such node. */
const char *sn_names_id(const struct sn_names *names, const char *name);
/* Says that there is no such node and which name is near. */
int sn_names_unknown(const struct sn_names *names, const char *name, struct sn_err *err);

#endif
