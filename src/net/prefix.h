/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prefix: networks like "192.0.2.0/24", and sets of them that are quick to ask.
 *
 * IPv4 and IPv6 are kept apart: "::/0" holds no IPv4 address.  Addresses are seen
 * through all the same: an IPv6 address that is or leads to an IPv4 one (mapped, RFC 4291
 * section 2.5.5.2; 6to4, RFC 3056; NAT64, RFC 6052 section 2.1) is in a set when that
 * IPv4 address is.
 */
#ifndef SONDE_NET_PREFIX_H
#define SONDE_NET_PREFIX_H

#include "base/buf.h"
#include "net/addr.h"

#define SN_PREFIX_TEXT_MAX 50
#define SN_PREFIXES_MAX    100000            /* of one set */
#define SN_PREFIX_FILE_MAX (8 * 1024 * 1024) /* bytes of a file of them */

struct sn_prefix {
	bool v6;
	uint8_t addr[16]; /* IPv4: the first four; zero behind the length */
	unsigned bits;
};

/* An address stands for itself alone.  -EINVAL, -ERANGE for bits set behind the length. */
int sn_prefix_parse(struct sn_str text, struct sn_prefix *prefix);
char *sn_prefix_format(const struct sn_prefix *prefix, char *out, size_t size);

struct sn_prefixes {                /* zeroed is empty and valid */
	struct sn_prefix *items[2]; /* IPv4, IPv6: in order, and none inside another */
	size_t counts[2];
};

/*
 * One a line; blank lines and lines that begin with '#' are left out.  `name` is for messages,
 * which say the line: -EINVAL, -E2BIG.  The set must be empty, and is so after an error.
 */
int sn_prefixes_parse(struct sn_prefixes *set, struct sn_str text, const char *name,
		      struct sn_err *err);
int sn_prefixes_load(struct sn_prefixes *set, const char *path, struct sn_err *err);
void sn_prefixes_finish(struct sn_prefixes *set);
/* The network of the set that holds `addr`, or what `addr` leads to; NULL if there is none. */
const struct sn_prefix *sn_prefixes_find(const struct sn_prefixes *set, const struct sn_addr *addr);

#endif
