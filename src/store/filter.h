/* SPDX-License-Identifier: Apache-2.0 */
/* filter: which rows of a column pass a comparison; the same answers as SQLite's. */
#ifndef SONDE_STORE_FILTER_H
#define SONDE_STORE_FILTER_H

#include "data/columns.h"
#include "store/store.h"

/* Clears `match` of the rows that do not pass; `match` has 0 or 1 per row. */
void sn_filter_vector(const struct sn_filter *filter, const struct sn_vector *vector,
		      uint8_t *match);

#endif
