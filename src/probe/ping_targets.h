/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ping_targets: whom to ping.
 *
 * A list of names or addresses as they were asked for, their addresses once
 * resolved, and an index from address to targets for replies and errors that carry
 * nothing better.  Several targets may share one address.
 *
 * An address that must never be probed is not taken, wherever it comes from: the target
 * then has none, and an error that says why.
 */
#ifndef SONDE_PROBE_PING_TARGETS_H
#define SONDE_PROBE_PING_TARGETS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"
#include "net/prefix.h"

#define SN_PING_TARGETS_MAX 1000000
#define SN_PING_TARGET_TEXT_MAX                                                                    \
	255 /* a host name has at most 253 (RFC 1035), a scope comes on top */

struct sn_ping_target {
	char *name;          /* what was asked for */
	char *error;         /* why there is no address; NULL otherwise */
	struct sn_addr addr; /* length 0: not resolved */
	bool is_name;        /* may resolve to something else later */
	uint32_t next_same;  /* index + 1 of the next target with this address; 0: last */
};

struct sn_ping_targets { /* zeroed is empty and valid */
	struct sn_ping_target *items;
	uint32_t count, capacity;
	uint32_t *slots; /* open addressing; first target of each address + 1, 0 for none */
	uint32_t slot_mask;
	const struct sn_prefixes *never; /* borrowed; NULL: every address may be asked */
};

void sn_ping_targets_finish(struct sn_ping_targets *targets);
/* -EINVAL for what can be neither name nor address, -E2BIG beyond the limit. */
int sn_ping_targets_add(struct sn_ping_targets *targets, struct sn_str text, struct sn_err *err);
/* One a line; blank lines and lines that begin with '#' are skipped. `name` is for messages. */
int sn_ping_targets_read(struct sn_ping_targets *targets, FILE *file, const char *name,
			 struct sn_err *err);

/*
 * Give each target its address, in two steps, because the second speaks with the
 * network: addresses are read, then names looked up (blocking).  `family` is AF_UNSPEC,
 * AF_INET or AF_INET6.  Failures are noted in the target.
 */
void sn_ping_targets_parse(struct sn_ping_targets *targets, int family);
void sn_ping_targets_resolve(struct sn_ping_targets *targets, int family);
/* All targets with addresses of this family cannot be had, and why. */
void sn_ping_targets_refuse(struct sn_ping_targets *targets, int family, const char *why);
/* What a later look-up gave; true if the address is another one. Takes the place of the error. */
bool sn_ping_target_set_addr(struct sn_ping_targets *targets, uint32_t index,
			     const struct sn_addr *addr);

/*
 * The first target that has `addr`, or -1; its next_same leads to the others.  The
 * index is made by the first call and again after an address has changed.
 */
int64_t sn_ping_targets_find(struct sn_ping_targets *targets, const struct sn_addr *addr);

#endif
