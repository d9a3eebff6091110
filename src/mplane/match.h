/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match: which capability a specification is for; and tokens.
 *
 * The hashes of the reference implementation are MD5 over fixed texts (mPlane
 * protocol, "Tokens and hashes").  We compare schemas by them; the tokens that we
 * make are our own: random for specifications, and for capabilities a hash that
 * covers the identity of who offers it, so that equal capabilities of two
 * identities never have the same token.
 */
#ifndef SONDE_MPLANE_MATCH_H
#define SONDE_MPLANE_MATCH_H

#include "mplane/message.h"

#define SN_MP_HASH_SIZE 33 /* 32 hex digits and NUL */

void sn_mp_schema_hash(const struct sn_mp_message *message, char out[SN_MP_HASH_SIZE]);
/* `extra` (may be NULL): what the reference implementation appends for relative scopes. */
void sn_mp_spec_hash(const struct sn_mp_message *message, const char *extra,
		     char out[SN_MP_HASH_SIZE]);
void sn_mp_full_hash(const struct sn_mp_message *message, char out[SN_MP_HASH_SIZE]);

void sn_mp_token_random(char out[SN_MP_HASH_SIZE]);
void sn_mp_token_of_capability(const struct sn_mp_message *capability, const char *identity,
			       char out[SN_MP_HASH_SIZE]);

/*
 * May `specification` be given to `capability`, asked at t0?  Equal schema and verb, scope
 * allowed, every value within its constraint.  A scope without a period is taken as one with the
 * shortest that the capability allows.  -EINVAL says what does not fit.
 */
int sn_mp_match(const struct sn_mp_message *specification, const struct sn_mp_message *capability,
		int64_t t0_ns, struct sn_err *err);

/*
 * The one of `capabilities` that it is for: by token, then by the base of the label, then the only
 * one that matches.  Index; -ENOENT with the reason of the nearest miss; -ENOTUNIQ when several
 * remain, named in `err`.
 */
int sn_mp_choose(const struct sn_mp_message *specification,
		 const struct sn_mp_message *const *capabilities, size_t count, int64_t t0_ns,
		 struct sn_err *err);

#endif
