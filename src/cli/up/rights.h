/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights: as whom the programs run, and what that user may do.
 *
 * Nothing but sonde-priv needs root.  Started by root, `sonde up` runs hub and
 * node as an ordinary user, with setpriv(1): the one of --user, else the one who
 * called sudo, else "sonde", else "nobody".  Where that user cannot reach the
 * programs (a build below /root) they run as root, and this is said.
 */
#ifndef SONDE_CLI_UP_RIGHTS_H
#define SONDE_CLI_UP_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct sn_rights {
	uid_t uid;
	gid_t gid;
	char user[64];
	bool switches;   /* root becomes somebody else */
	bool stays_root; /* it should, but that user cannot run the programs */
	bool ping_socket, raw_socket, capture; /* what the programs may open by themselves */
};

/* `user` may be NULL; `program` is one that they must be able to run. */
int sn_rights_find(const char *user, const char *program, struct sn_rights *rights,
		   struct sn_err *err);

/*
 * Puts setpriv and its options, if they are needed, at the start of `argv`; returns
 * how many there are now.
 */
#define SN_RIGHTS_ARGS_MAX 12
size_t sn_rights_prefix(const struct sn_rights *rights, char *argv[SN_RIGHTS_ARGS_MAX]);

#endif
