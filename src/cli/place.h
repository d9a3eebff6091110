/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place: where the hub is and what proves to it who we are.
 *
 * Looked for in this order: the option `--hub`, the variable SONDE_URL, the file
 * hub.json that a hub on this machine writes (doc/internals/api.md), in
 * $XDG_RUNTIME_DIR/sonde, for root /run/sonde, else in the user's state
 * directory; last the hub of a `sonde demo` that runs.  What is given and no URL is the name of a
 * profile (cli/profile.h), which has the rest as well.  For a URL that was given, SONDE_TOKEN_FILE
 * names the file with the API token, SONDE_CA_FILE the hub's CA certificate, SONDE_CERT_FILE and
 * SONDE_KEY_FILE a client certificate; a URL that is the one in hub.json needs
 * none of them.
 */
#ifndef SONDE_CLI_PLACE_H
#define SONDE_CLI_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define SN_PLACE_FILE_MAX 65536

struct sn_place { /* texts are owned; NULL where there is none */
	char *url;
	char *ca_file, *cert_file, *key_file, *token;
	char *state_dir; /* of a hub on this machine */
	pid_t pid;       /* 0: not known */
	bool local;      /* found through hub.json */
};

/* `hub` is the value of the option, or NULL.  -ENOENT when there is none to be found, -EDOM for
 * what is neither a URL nor the name of a profile. */
int sn_place_find(const char *hub, struct sn_place *place, struct sn_err *err);
/* The hub.json at `path`. */
int sn_place_read(const char *path, struct sn_place *place, struct sn_err *err);
void sn_place_finish(struct sn_place *place); /* harmless on zeroed */
/* Where this user's hubs keep their state: $XDG_STATE_HOME/sonde; malloc'ed. */
char *sn_place_state_dir(void);

/* Where this user configures: $XDG_CONFIG_HOME/sonde; malloc'ed. */
char *sn_place_config_dir(void);
/* Where a hub of this user says how it is reached; malloc'ed. */
char *sn_place_announcement(void);

#endif
