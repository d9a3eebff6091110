/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: many impaired links in one process.
 *
 * Each link joins two ends; each direction has its own shape, seed and counters.
 * Frames are stamped when they are read, leave by one timer per direction (all on
 * the loop's one timerfd), never early.
 */
#ifndef SONDE_DEMO_IMPAIR_RELAY_H
#define SONDE_DEMO_IMPAIR_RELAY_H

#include "base/json.h"
#include "base/loop.h"
#include "demo/impair/end.h"
#include "demo/impair/line.h"

#define SN_IMPAIR_LINKS_MAX 64
#define SN_IMPAIR_NAME_MAX  32

enum sn_direction { SN_AB = 1, SN_BA = 2, SN_BOTH = 3 };

struct sn_relay;
struct sn_relay *sn_relay_create(struct sn_loop *loop, uint64_t seed);
void sn_relay_destroy(struct sn_relay *relay); /* closes the ends */

/*
 * "NAME,a=END,b=END,KEY=VALUE,ab.KEY=VALUE,ba.KEY=VALUE": keys without direction
 * hold for both.  Errors name the link.
 */
int sn_relay_add(struct sn_relay *relay, const char *text, struct sn_err *err);
unsigned sn_relay_count(const struct sn_relay *relay);
/* One key of a running link; -ENOENT with the nearest name. */
int sn_relay_set(struct sn_relay *relay, const char *link, enum sn_direction direction,
		 struct sn_str key, struct sn_str value, struct sn_err *err);
/* Back to what the link was started with; NULL means all links. */
int sn_relay_reset(struct sn_relay *relay, const char *link, struct sn_err *err);
/* Objects {"link","ab":{...},"ba":{...}} into the open array of `jw`; NULL means all. */
int sn_relay_write(const struct sn_relay *relay, const char *link, struct sn_jw *jw,
		   struct sn_err *err);

#endif
