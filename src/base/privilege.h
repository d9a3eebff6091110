/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privilege: give every privilege up, for good.
 *
 * Called once the sockets are open and before the first byte from the network is
 * read.  Root becomes the given user, or nobody if there is no such user; all
 * capabilities go; nothing that is started later can bring one back.  A wish to die
 * with the parent, which becoming another user takes away, is renewed.
 */
#ifndef SONDE_BASE_PRIVILEGE_H
#define SONDE_BASE_PRIVILEGE_H

#include "base/err.h"

/* `user`: the program's own, "sonde-probe". */
int sn_privilege_drop(const char *user, struct sn_err *err);
/*
 * Before that: what `fd` refers to, a directory to work in, becomes property of the user that
 * sn_privilege_drop() would make of us.  0 if it need not or may not; else a negative errno.
 */
int sn_privilege_hand_over(const char *user, int fd);

#endif
