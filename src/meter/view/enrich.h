/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrich: origin network and country of an address, from local MaxMind DB files.
 */
#ifndef SONDE_METER_VIEW_ENRICH_H
#define SONDE_METER_VIEW_ENRICH_H

#include <stdint.h>

#include "base/err.h"

struct sn_enrichment;
/* Any number of files; each may hold networks, countries or both.  Look-ups are cached. */
int sn_enrichment_open(const char *const *paths, unsigned count, struct sn_enrichment **enrichment,
		       struct sn_err *err);
void sn_enrichment_close(struct sn_enrichment *enrichment); /* NULL is fine */
void sn_enrichment_find(const struct sn_enrichment *enrichment, const uint64_t address[2],
			uint8_t family, uint32_t *asn, char country[3]);

#endif
