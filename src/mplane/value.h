/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: the primitive types of mPlane and their canonical text.
 *
 * Inside Sonde an mPlane value is its canonical text; "*" is "no value" for every
 * type.  Source: mPlane protocol specification, section on primitive types (IETF
 * draft-trammell-mplane-protocol), and what existing peers send: naturals like
 * "100.0" or "10E2", booleans in any case or as 1 and 0, times with "T" and "Z".
 */
#ifndef SONDE_MPLANE_VALUE_H
#define SONDE_MPLANE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum sn_mp_prim {
	SN_MP_STRING,
	SN_MP_NATURAL, /* 0 to 2^64 - 1 */
	SN_MP_REAL,    /* finite double */
	SN_MP_BOOLEAN,
	SN_MP_TIME, /* UTC; Unix nanoseconds */
	SN_MP_ADDRESS,
	SN_MP_URL,
	SN_MP_PRIMS,
};

#define SN_MP_VALUE_MAX 65536 /* bytes of one value's text */

const char *sn_mp_prim_name(enum sn_mp_prim prim);            /* "natural", "boolean", ... */
int sn_mp_prim_find(const char *name, enum sn_mp_prim *prim); /* "bool" too; -ENOENT */

/*
 * Appends the canonical text of `text` to `out`: naturals in decimal, reals shortest,
 * "True" and "False", times "YYYY-MM-DD HH:MM:SS.ffffff" (or the words past, now,
 * future), addresses as RFC 5952 or dotted quad; strings and URLs as they are.
 * "*" stays "*".  -EINVAL (not of this type) or -ERANGE, said in `err`.
 */
int sn_mp_value_canon(enum sn_mp_prim prim, struct sn_str text, struct sn_buf *out,
		      struct sn_err *err);
bool sn_mp_value_is_none(const char *text); /* NULL, "" is a value; "*" is none */

/* Of canonical texts of one type: negative, 0, positive, by value and not by letters. */
int sn_mp_value_compare(enum sn_mp_prim prim, const char *a, const char *b);

/* Times: any form that is accepted, to Unix nanoseconds; the words are refused. */
int sn_mp_time_parse(struct sn_str text, int64_t *unix_ns);
#define SN_MP_TIME_SIZE 32
char *sn_mp_time_format(int64_t unix_ns, char out[SN_MP_TIME_SIZE]); /* six fraction digits */

#endif
