/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dumps: each day's rows as files, made when the day is over, for those who fetch
 * them every morning.
 *
 * A day is due at `dump_at` of the next one, and when no row of it has come for
 * `dump_grace`.  When rows come later the day is made again, with the next
 * revision.  Days that the store has and that have no dump are made up for, the oldest
 * first.  It all happens on one thread; where the files lie and how they are put
 * there: hub/dump_day.h.
 */
#ifndef SONDE_HUB_DUMPS_H
#define SONDE_HUB_DUMPS_H

#include <jansson.h>

#include "hub/dump_day.h"

struct sn_hub;
struct sn_dumps;

int sn_dumps_create(struct sn_hub *hub, struct sn_dumps **dumps, struct sn_err *err);
void sn_dumps_destroy(struct sn_dumps *dumps); /* ends what is being made */

/* Makes a day now: 0; -ENOENT no rows, -EINVAL not over yet, -ENOTSUP nothing is configured. */
int sn_dumps_order(struct sn_dumps *dumps, int32_t day, struct sn_err *err);

/* What went wrong last; NULL: nothing.  For the hub's list of problems. */
const char *sn_dumps_problem(const struct sn_dumps *dumps);
bool sn_dumps_busy(const struct sn_dumps *dumps);
const char *sn_dumps_dir(const struct sn_dumps *dumps);

/* Newest first; `fn` may not keep the day.  Non-zero ends it. */
typedef int sn_dumps_day_fn(const struct sn_dump_day *day, void *ctx);
int sn_dumps_each(struct sn_dumps *dumps, sn_dumps_day_fn *fn, void *ctx);

#endif
