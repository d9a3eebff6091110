/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replicas: hubs that follow this one, and how far they have got.
 *
 * A replica says with each question for rows up to which number it has them.  What
 * moves rows away (to ClickHouse) asks sn_replicas_floor() first and leaves those that a
 * replica still needs, so that a replica needs nothing but its primary; one that has not
 * been here for `hold_ns` is not waited for, so that a lost replica does not fill the
 * primary's disk.  Who was here, and when, is kept in STATE/replicas.json: after a
 * restart nothing moves before they have said again how far they are.
 */
#ifndef SONDE_HUB_REPLICAS_H
#define SONDE_HUB_REPLICAS_H

#include <jansson.h>

#include "base/err.h"
#include "store/feed.h"

#define SN_REPLICAS_MAX     16
#define SN_REPLICA_NAME_MAX 64

struct sn_replicas;

/* `state`, `store`: directories. */
int sn_replicas_open(const char *state, const char *store, int64_t hold_ns,
		     struct sn_replicas **replicas, struct sn_err *err);
void sn_replicas_close(struct sn_replicas *replicas); /* NULL is fine */

/* Any thread ---------------------------------------------------------------------------- */

/*
 * Rows of this number and above are still wanted: INT64_MAX if nobody waits, 0 if somebody who was
 * here lately has not said yet.
 */
int64_t sn_replicas_floor(struct sn_replicas *replicas, int32_t day, const char *dataset,
			  unsigned version);
/* `name` was here; at `from` of that place, if one is given.  -E2BIG: there are too many. */
int sn_replicas_note(struct sn_replicas *replicas, const char *name, int64_t now_ns,
		     const struct sn_feed_place *place, int64_t from, struct sn_err *err);
/* What can be fetched: an array of objects, or NULL. */
json_t *sn_replicas_list(struct sn_replicas *replicas, struct sn_err *err);
/* As sn_feed_rows(). */
int sn_replicas_rows(struct sn_replicas *replicas, const struct sn_feed_place *place, int64_t from,
		     struct sn_buf *out, struct sn_err *err);

#endif
