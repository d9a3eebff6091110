/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest: batches of rows from nodes into the store.
 *
 * A batch is checked whole (digest, dataset, every line, one UTC day), given the
 * sender's node id, which is the one of its certificate and never of its body,
 * and stored, all on a thread with a store of its own: what waits for it is one group with
 * one commit, and only then is anybody answered.  After the answer comes the publication, on
 * the loop: first to the fleet ("now"), then to the event streams.
 *
 * A batch that is what it claims to be (digest) and cannot be taken all the same goes into
 * quarantine (hub/quarantine.h), with 202 for an answer: the node goes on, nothing is lost.
 */
#ifndef SONDE_HUB_INGEST_H
#define SONDE_HUB_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "data/batch.h"
#include "hub/annotate.h"
#include "hub/fleet.h"
#include "hub/quarantine.h"
#include "net/http_server.h"
#include "store/store.h"

#define SN_INGEST_BODY_MAX   (4 * 1024 * 1024)
#define SN_INGEST_ROWS_MAX   10000
#define SN_INGEST_FLIGHT_MAX (128 * 1024 * 1024) /* bytes of bodies being received at once */

struct sn_ingest;

/* Rows that are now stored, once each; `node` is NULL for rows that come from none of ours. */
typedef void sn_ingest_stored_fn(struct sn_node *node, const struct sn_batch *batch, void *ctx);

struct sn_ingest_config { /* all borrowed for as long as the ingest lives */
	struct sn_loop *loop;
	const char *dir; /* of the store */
	struct sn_fleet *fleet;
	struct sn_quarantine *quarantine;
	struct sn_annotator *annotator;
	sn_ingest_stored_fn *on_stored;
	void *ctx;
};
int sn_ingest_create(const struct sn_ingest_config *config, struct sn_ingest **ingest,
		     struct sn_err *err);
/* Stores what has come; callbacks are called. */
void sn_ingest_destroy(struct sn_ingest *ingest);

/* PUT .../batches/{stream}/{seq} by `node`; answers now or after the commit. */
void sn_ingest_take(struct sn_ingest *ingest, struct sn_node *node,
		    struct sn_http_request *request);

/*
 * Rows that did not come as a batch of a node, with their column `node` filled in; takes `batch`
 * over.  `node` is NULL for rows of none of ours.  `done` is called when they are on disk, never
 * before this returns: err->code 0 when they are stored, `rows` 0 when they were already.
 */
typedef void sn_ingest_done_fn(const struct sn_err *err, size_t rows, void *ctx);
void sn_ingest_put(struct sn_ingest *ingest, struct sn_node *node, const struct sn_batch_id *id,
		   struct sn_batch *batch, sn_ingest_done_fn *done, void *ctx);
/*
 * The rows of a batch's body, with their column `node` filled in: `dataset` like "ping/1",
 * `rows` as claimed.  NULL with the reason.  From any thread.
 */
struct sn_batch *sn_ingest_read(const char *dataset, uint64_t rows, const char *node,
				struct sn_str body, struct sn_err *err);

/*
 * Room for a body that is about to be received: false when too many bytes are under
 * way already.  Given back with sn_ingest_release().
 */
bool sn_ingest_reserve(struct sn_ingest *ingest, uint64_t bytes);
void sn_ingest_release(struct sn_ingest *ingest, uint64_t bytes);

enum sn_ingest_result {
	SN_INGEST_STORED,
	SN_INGEST_DUPLICATE,
	SN_INGEST_CONFLICT,
	SN_INGEST_BAD, /* not what it claims to be */
	SN_INGEST_QUARANTINED,
	SN_INGEST_REFUSED, /* our trouble: disk full, store broken, too much at once */
	SN_INGEST_RESULTS,
};

struct sn_ingest_stats {
	uint64_t batches[SN_INGEST_RESULTS];
	uint64_t rows, commits;
	double commit_seconds; /* spent in all commits */
	bool failing;          /* the last commit did not succeed */
};
const struct sn_ingest_stats *sn_ingest_stats(const struct sn_ingest *ingest);

#endif
