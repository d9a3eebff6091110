/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survey: what is in a directory of day files, without a hub and without changing anything.
 *
 * Nothing is converted, set aside or removed; a file that cannot be read is told.  A hub
 * may be running on the directory.
 */
#ifndef SONDE_STORE_SURVEY_H
#define SONDE_STORE_SURVEY_H

#include "store/store.h"

struct sn_survey_day {
	struct sn_store_day day;
	const char *problem; /* NULL: it can be read */
};
typedef int sn_survey_fn(const struct sn_survey_day *day, void *ctx);

/* Days in their order; non-zero from `fn` ends it.  -ENOENT: there is no such directory. */
int sn_survey(const char *path, sn_survey_fn *fn, void *ctx, struct sn_err *err);
/* Pid of the hub that runs on this state directory; 0: none does, or its lock cannot be read. */
long sn_survey_hub(const char *state);

#endif
