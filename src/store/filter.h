/* SPDX-License-Identifier: Apache-2.0 */
/* filter: which rows of a column pass a comparison; the same answers as SQLite's. */
#ifndef SONDE_STORE_FILTER_H
#define SONDE_STORE_FILTER_H

#include "data/columns.h"
#include "store/store.h"

/* Filters that are passed as one: two, if this one has an `or_next`. */
static inline unsigned sn_filter_width(const struct sn_filter *filter)
{
	return filter->or_next ? 2 : 1;
}

/*
 * Clears `match` of the rows that do not pass; `match` has 0 or 1 per row.  With `or_next` those
 * stay that pass the filter or the one behind it in memory.
 */
void sn_filter_vector(const struct sn_filter *filter, const struct sn_vector *vector,
		      uint8_t *match);

#endif
