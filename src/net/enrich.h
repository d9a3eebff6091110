/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrich: origin network and country of an address, from local MaxMind DB files
 * (maxmind.github.io/MaxMind-DB), whoever made them: the fields of GeoLite2 and its
 * likes are known by several names, others are passed over.
 *
 * Files are mapped, and so must be replaced by renaming, not by writing into them.
 * Look-ups may come from several threads; whoever asks often keeps what was found.
 */
#ifndef SONDE_NET_ENRICH_H
#define SONDE_NET_ENRICH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SN_ENRICHMENT_FILES_MAX 8

struct sn_enrichment;
/*
 * At most SN_ENRICHMENT_FILES_MAX files; each may hold networks, countries or both, the first
 * that knows an address wins.  A file whose search tree is damaged is refused.
 */
int sn_enrichment_open(const char *const *paths, unsigned count, struct sn_enrichment **enrichment,
		       struct sn_err *err);
void sn_enrichment_close(struct sn_enrichment *enrichment); /* NULL is fine */
/* "DBIP-ASN-Lite 2026-03-01, ...": type and day of making of each file, printable ASCII. */
void sn_enrichment_version(const struct sn_enrichment *enrichment, struct sn_buf *out);
/*
 * 0 and "" for what is not known.  `address` has the bytes in network order, IPv4 in the first
 * four; `family` is 4 or 6.
 */
void sn_enrichment_find(const struct sn_enrichment *enrichment, const uint64_t address[2],
			uint8_t family, uint32_t *asn, char country[3]);

#endif
