/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile: hubs that have a name.
 *
 * $XDG_CONFIG_HOME/sonde/config.yaml (~/.config/sonde/config.yaml) has a section for each:
 *
 *   lab:
 *     url: https://hub.example.net:8443
 *     token_file: lab.token
 *     ca_file: lab-ca.pem
 *
 * A path that is no absolute one counts from that file's directory.
 */
#ifndef SONDE_CLI_PROFILE_H
#define SONDE_CLI_PROFILE_H

#include "base/err.h"

#define SN_PROFILE_FILE_MAX 65536

struct sn_profile { /* texts are owned; NULL where there is none, except for `url` */
	char *url, *token_file, *ca_file, *cert_file, *key_file;
};

/* -ENOENT if there is no such section, or no file: the text names those there are. */
int sn_profile_find(const char *name, struct sn_profile *profile, struct sn_err *err);
void sn_profile_finish(struct sn_profile *profile); /* harmless on zeroed */
char *sn_profile_path(void);                        /* of the file; malloc'ed */

#endif
