/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value_internal: what values, constraints and scopes share.  Internal to mplane/.
 */
#ifndef SONDE_MPLANE_VALUE_INTERNAL_H
#define SONDE_MPLANE_VALUE_INTERNAL_H

#include "mplane/value.h"

#define SN_MP_ADDRESS_TEXT_MAX 64

struct sn_mp_address {
	bool v6;
	uint8_t bytes[16]; /* four of them used for IPv4 */
};

/* Without port, brackets and interface; -EINVAL. */
int sn_mp_address_parse(struct sn_str text, struct sn_mp_address *address);
/* Into `out` of SN_MP_ADDRESS_TEXT_MAX bytes; RFC 5952 or dotted quad. */
char *sn_mp_address_format(const struct sn_mp_address *address, char *out);

/*
 * A time off the front of `rest`: date, then maybe blank or "T" and the time of day, then maybe
 * "Z".  The words are none.  On failure `rest` stays; -EINVAL, or -ERANGE for a date that the
 * calendar or 64 bits of nanoseconds do not have.
 */
int sn_mp_time_take(struct sn_str *rest, int64_t *unix_ns);

#endif
