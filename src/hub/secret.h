/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret: random texts that open doors (sessions, login links, API tokens, join
 * tokens) and the hashes by which the hub remembers them.
 *
 * A secret carries 128 or 256 random bits, so that a plain SHA-256 is enough:
 * there is nothing to guess.  Passwords are another matter, see hub/password.h.
 */
#ifndef SONDE_HUB_SECRET_H
#define SONDE_HUB_SECRET_H

#include <stdint.h>

#include "base/str.h"

#define SN_SECRET_SIZE      65 /* 64 hex digits and NUL */
#define SN_SECRET_HASH_SIZE 32

char *sn_secret_make(char out[SN_SECRET_SIZE]);
/* SHA-256 of any bytes. */
void sn_secret_hash(struct sn_str text, uint8_t out[SN_SECRET_HASH_SIZE]);

#endif
