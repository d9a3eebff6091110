/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: what each target bears: samples per second from everybody together.
 *
 * Every source (a measurement) says once which targets it asks and how often; the sums
 * are kept per target, so that a question costs one look-up however much is measured.
 * Targets are keyed by sn_policy_target_key(): an address and a name that leads to it
 * are two targets.
 */
#ifndef SONDE_HUB_LOAD_H
#define SONDE_HUB_LOAD_H

#include <stddef.h>

struct sn_load;

struct sn_load *sn_load_create(void);
void sn_load_destroy(struct sn_load *load);

/* `source` puts `rate` samples per second on each of `targets`, on one that is in it twice twice as
 * many; takes the place of what it put before.  `factor` multiplies the rate and may be changed
 * later: how many take part. */
void sn_load_set(struct sn_load *load, const char *source, const char *const *targets, size_t count,
		 double rate, double factor);
/* -ENOENT when there is no such source. */
int sn_load_set_factor(struct sn_load *load, const char *source, double factor);
void sn_load_remove(struct sn_load *load, const char *source);
double sn_load_at(const struct sn_load *load, const char *target);
size_t sn_load_targets(const struct sn_load *load); /* that bear anything */

#endif
