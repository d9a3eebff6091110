/* SPDX-License-Identifier: Apache-2.0 */
/* named: things of the hub by their names or ids: where they are, and taking them away. */
#ifndef SONDE_CLI_NAMED_H
#define SONDE_CLI_NAMED_H

#include "cli/client.h"

/* A kind of things. */
struct sn_named {
	const char *list; /* "users": they are below /api/v1/users/ */
	const char *key;  /* what their names are called: "name", "id" */
	const char *done; /* "removed" */
};

/* The path of one, which must not lead anywhere else; NULL and -EDOM with the reason. */
char *sn_named_path(const struct sn_named *named, const char *name, struct sn_err *err);
/* Takes each away and says so at once, for people or as JSON; the first refusal ends it. */
int sn_named_remove(struct sn_client *client, const struct sn_named *named, bool json, int count,
		    char **names, struct sn_err *err);

#endif
