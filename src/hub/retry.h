/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry: what lies in quarantine, run again.
 *
 * A batch of a node is stored under the identity that it came with (source, stream,
 * number, digest), so that it is stored once, whether the hub is killed between the commit
 * and the removal or the node sends it again itself.  What others put there they take back
 * by a function of their own, sn_retry_handle().
 *
 * Belongs to the loop.
 */
#ifndef SONDE_HUB_RETRY_H
#define SONDE_HUB_RETRY_H

#include <stddef.h>

#include "base/err.h"
#include "hub/quarantine.h"

#define SN_RETRY_AT_ONCE 16

struct sn_hub;
struct sn_retry;

struct sn_retry *sn_retry_create(struct sn_hub *hub);
/* Calls off what is not under way; what is ends with the work pool and the ingest. */
void sn_retry_stop(struct sn_retry *retry);
void sn_retry_destroy(struct sn_retry *retry);

/* How one went: code 0 stored (`rows` 0: it was already), else it is still there. */
typedef void sn_retry_done_fn(const struct sn_err *err, size_t rows, void *ctx);
/* Later calls `done`, which may be NULL; -EBUSY when it is under way already. */
int sn_retry_one(struct sn_retry *retry, int64_t id, sn_retry_done_fn *done, void *ctx);
/* All that fit, oldest first, some at once; how many, or negative. */
int sn_retry_all(struct sn_retry *retry, const struct sn_quarantine_filter *filter,
		 struct sn_err *err);

/*
 * Takes items of sources that begin with `prefix` ("import:").  Called on a thread; 0 when all
 * is stored (`*rows` of them now), otherwise negative with the reason.
 */
typedef int sn_retry_take_fn(const struct sn_quarantine_copy *copy, size_t *rows, void *ctx,
			     struct sn_err *err);
void sn_retry_handle(struct sn_retry *retry, const char *prefix, sn_retry_take_fn *take, void *ctx);

#endif
