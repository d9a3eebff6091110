/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series: the newest row of each series so far, while days are gone through from the last to the
 * first.
 *
 * A series is a node and a value of the dataset's key column.
 */
#ifndef SONDE_STORE_SERIES_H
#define SONDE_STORE_SERIES_H

#include "data/batch.h"

struct sn_series {
	struct sn_value node, key; /* texts lie behind the struct */
	uint64_t hash;
	int64_t time_ns, number; /* of its newest row; number 0: it has none yet */
	size_t part, row;        /* where that is, to whoever looks for it */
	bool done;               /* handed out: no earlier day has a newer one */
};

struct sn_series_set;

struct sn_series_set *sn_series_set_create(void);
void sn_series_set_destroy(struct sn_series_set *set); /* NULL is fine */
/* The series of the set, which stays where it is; one without a row if it is new. */
struct sn_series *sn_series_find(struct sn_series_set *set, struct sn_value node,
				 struct sn_value key);
/* In the order in which they were first found; borrowed until the next one is. */
struct sn_series *const *sn_series_list(const struct sn_series_set *set, size_t *count);
/* Whether the row is newer than the newest one of the series so far. */
static inline bool sn_series_is_newer(const struct sn_series *series, int64_t time_ns,
				      int64_t number)
{
	return series->number == 0 || time_ns > series->time_ns ||
	       (time_ns == series->time_ns && number > series->number);
}
/* For qsort() of pointers. */
int sn_series_newest_first(const void *a, const void *b);

#endif
