/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload: brings batches from the spool to the hub (doc/internals/node-hub.md).
 *
 * Up to SN_UPLOAD_WINDOW requests are under way at once; a batch leaves the spool
 * when the hub says that it is stored.  What each answer means:
 *
 *   200                 stored, now or before: acknowledged
 *   409 digest-conflict the hub has other rows under this number, as after a copy
 *                       of the state directory: sent again under a new stream
 *   409, 413, 422       the hub will never take it: to rejected/, and on
 *   401, 403            not with this identity: try again after a minute or more
 *   no answer, others   try again after a wait that grows, or after Retry-After;
 *                       with one batch first, before the window opens again
 */
#ifndef SONDE_NODE_UPLOAD_UPLOAD_H
#define SONDE_NODE_UPLOAD_UPLOAD_H

#include <stdbool.h>

#include "node/agent/uplink.h"
#include "node/spool/spool.h"

#define SN_UPLOAD_WINDOW       4
#define SN_UPLOAD_RETRY_MIN_NS (500 * SN_NS_PER_MS)
#define SN_UPLOAD_RETRY_MAX_NS (30 * SN_NS_PER_S)
#define SN_UPLOAD_DENIED_NS    (60 * SN_NS_PER_S)

struct sn_upload;

struct sn_upload *sn_upload_create(struct sn_loop *loop, struct sn_spool *spool,
				   struct sn_uplink *uplink);
void sn_upload_destroy(struct sn_upload *upload); /* before its spool and uplink */
/* Calls `fn` whenever batches have left the spool, at the end of the turn. */
void sn_upload_on_progress(struct sn_upload *upload, void (*fn)(void *ctx), void *ctx);
/* There may be something new in the spool. */
void sn_upload_kick(struct sn_upload *upload);
/* The hub can be reached: no need to wait any longer, unless it asked for it. */
void sn_upload_retry_now(struct sn_upload *upload);
/* Why nothing gets through, or the last batch that was refused; NULL while all is well. */
const char *sn_upload_problem(const struct sn_upload *upload);
/* Batches that the hub could not take and keeps in quarantine, since the start. */
uint64_t sn_upload_quarantined(const struct sn_upload *upload);

#endif
