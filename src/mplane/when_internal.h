/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when_internal: what the parts of `when` share; crontabs.  Internal to mplane/.
 */
#ifndef SONDE_MPLANE_WHEN_INTERNAL_H
#define SONDE_MPLANE_WHEN_INTERNAL_H

#include "base/util.h"
#include "mplane/when.h"

#define SN_MP_SECONDS_PER_DAY 86400
#define SN_MP_NS_PER_DAY      (SN_MP_SECONDS_PER_DAY * SN_NS_PER_S)
/* So peers write a duration without end; nothing shorter than it is one. */
#define SN_MP_FOREVER_DAYS 100000

enum sn_mp_cron_field {
	SN_MP_CRON_SECOND,
	SN_MP_CRON_MINUTE,
	SN_MP_CRON_HOUR,
	SN_MP_CRON_DAY,
	SN_MP_CRON_WEEKDAY,
	SN_MP_CRON_MONTH,
	SN_MP_CRON_FIELDS,
};

struct sn_mp_cron_range {
	unsigned low, high;
	unsigned accepted; /* highest value that is read; above `high` it means nothing or Sunday */
	const char *rule;  /* for people */
};

/* In the order in which they are written. */
extern const struct sn_mp_cron_range sn_mp_cron_ranges[SN_MP_CRON_FIELDS];

uint64_t sn_mp_cron_get(const struct sn_mp_cron *cron, enum sn_mp_cron_field field);
/* Values above `high` are folded away. */
void sn_mp_cron_set(struct sn_mp_cron *cron, enum sn_mp_cron_field field, uint64_t bits);

/* The first second (Unix time) from `from` on that fits; false when none ever does. */
bool sn_mp_cron_next(const struct sn_mp_cron *cron, int64_t from, int64_t *found);
/* No two seconds that fit are closer; 0 when no second of a day fits. */
int64_t sn_mp_cron_gap(const struct sn_mp_cron *cron);

#endif
