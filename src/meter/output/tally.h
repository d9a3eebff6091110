/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: traffic per name, for the summary.  Bounded: when SN_TALLY_MAX names are
 * known, flows of further ones are only counted.
 */
#ifndef SONDE_METER_OUTPUT_TALLY_H
#define SONDE_METER_OUTPUT_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define SN_TALLY_MAX      65536
#define SN_TALLY_NAME_MAX 256 /* longer names are cut */

struct sn_tally_entry {
	uint64_t flows, packets, bytes;
	char name[]; /* terminated */
};

struct sn_tally;
struct sn_tally *sn_tally_create(void);
void sn_tally_destroy(struct sn_tally *tally); /* NULL is fine */
void sn_tally_add(struct sn_tally *tally, struct sn_str name, uint64_t packets, uint64_t bytes);
/*
 * The entry of a name, for those who add to it themselves; it stays where it is.  NULL, and the
 * flow is counted as one without a place, when there is none.
 */
struct sn_tally_entry *sn_tally_get(struct sn_tally *tally, struct sn_str name);
/* Adds what `more` has. */
void sn_tally_merge(struct sn_tally *tally, const struct sn_tally *more);
/* The `count` largest by bytes, largest first, borrowed; returns how many there are. */
size_t sn_tally_top(const struct sn_tally *tally, const struct sn_tally_entry **top, size_t count);
size_t sn_tally_count(const struct sn_tally *tally);
/* Flows whose name found no place. */
uint64_t sn_tally_rest(const struct sn_tally *tally);

#endif
