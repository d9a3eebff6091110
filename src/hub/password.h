/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password: yescrypt hashes by libxcrypt (crypt(5), prefix $y$).
 *
 * Both functions take tens of milliseconds and megabytes on purpose: they belong on
 * a worker thread (hub/work.h).  They share nothing and may run at once.
 */
#ifndef SONDE_HUB_PASSWORD_H
#define SONDE_HUB_PASSWORD_H

#include <stdbool.h>

#define SN_PASSWORD_MIN       8
#define SN_PASSWORD_MAX       256
#define SN_PASSWORD_HASH_SIZE 384

/* 0, or negative errno. */
int sn_password_hash(const char *password, char out[SN_PASSWORD_HASH_SIZE]);
/* `stored` NULL: does the same work and says no, so that time tells nobody who exists. */
bool sn_password_matches(const char *password, const char *stored);

#endif
