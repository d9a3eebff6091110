/* SPDX-License-Identifier: Apache-2.0 */
/*
 * constraint: which values a capability accepts for a parameter.
 *
 *   *            any value
 *   a            this value only; a specification takes it over by itself
 *   a,b,c        one of these
 *   a ... b      between these, ends included (swapped if a > b)
 *   prefix/len   addresses of this network
 *
 * For strings and URLs too; a text that is no well-formed range is a set.  "*" as a value
 * means "no value" and meets what "*" constrains only.  Beyond the protocol, blanks around
 * the values of a set that are not texts are passed over ("a, b"); refused with a hint are
 * ranges without blanks ("0..32"), and networks among the values of a set.
 */
#ifndef SONDE_MPLANE_CONSTRAINT_H
#define SONDE_MPLANE_CONSTRAINT_H

#include "mplane/value.h"

#define SN_MP_SET_MAX          4096         /* values of one set */
#define SN_MP_CONSTRAINT_BYTES (256 * 1024) /* of one constraint's text */

enum sn_mp_constraint_kind { SN_MP_ANY, SN_MP_ONE_OF, SN_MP_RANGE, SN_MP_PREFIX };

struct sn_mp_constraint {
	enum sn_mp_constraint_kind kind;
	enum sn_mp_prim prim;
	char **values; /* canonical; ONE_OF: all of them, sorted; RANGE: two; PREFIX: the network */
	size_t count;
	unsigned prefix_length;
};

/* -EINVAL or -ERANGE (a limit) with the reason; then `constraint` is left alone. */
int sn_mp_constraint_parse(enum sn_mp_prim prim, struct sn_str text,
			   struct sn_mp_constraint *constraint, struct sn_err *err);
void sn_mp_constraint_finish(struct sn_mp_constraint *constraint);
/* 0 always. */
int sn_mp_constraint_copy(const struct sn_mp_constraint *from, struct sn_mp_constraint *to);

/* Canonical text. With `no_prefix` a network is written as the range of its addresses, which
 * every peer understands. */
void sn_mp_constraint_print(const struct sn_mp_constraint *constraint, bool no_prefix,
			    struct sn_buf *out);
/* `value` is canonical.  "now" as a bound of a range of times bounds nothing here. */
bool sn_mp_constraint_met(const struct sn_mp_constraint *constraint, const char *value);
/* The only value that is accepted, or NULL. */
const char *sn_mp_constraint_single(const struct sn_mp_constraint *constraint);

#endif
