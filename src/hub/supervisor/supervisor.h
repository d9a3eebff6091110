/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor: the mPlane wire at the hub.
 *
 * Towards components it is their client: they register what they offer, poll for what
 * they have to do and post results, or they listen and the hub calls them
 * (`mplane_components`).  Towards clients it is a component: both dialects list, ask,
 * redeem and interrupt on the same port.  Towards a parent it is a component that
 * registers.  What is offered lives in hub/offers.h, what was asked for in
 * hub/measures.h; here is only what peers are told and what they say.
 *
 * State is keyed by identity and token.  A peer that is slow or silent holds nothing up:
 * no handler waits, everything that is owed has a timer.
 */
#ifndef SONDE_HUB_SUPERVISOR_SUPERVISOR_H
#define SONDE_HUB_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/batch.h"
#include "hub/measures.h"
#include "net/http_server.h"

struct sn_hub;
struct sn_supervisor;

#define SN_SUPERVISOR_PEERS_MAX   100000
#define SN_SUPERVISOR_QUEUE_MAX   10000              /* of one peer: given and not ended */
#define SN_SUPERVISOR_BODY_MAX    (16 * 1024 * 1024) /* of a message */
#define SN_SUPERVISOR_ROWS_MAX    10000              /* of one answer to a client; the newest */
#define SN_SUPERVISOR_EXPORTS_MAX 10000              /* that wait for one repository */

/* Uses the other parts of `hub`, which must be open (all but the server). */
int sn_supervisor_open(struct sn_hub *hub, struct sn_supervisor **supervisor, struct sn_err *err);
/* After the server. */
void sn_supervisor_close(struct sn_supervisor *supervisor);

/* To be told of: what measures says of a change (`part` may be NULL) ... */
void sn_supervisor_measure_changed(struct sn_supervisor *supervisor,
				   const struct sn_measure *measure,
				   const struct sn_measure_part *part);
/* ... what has become an offer or is none any more ... */
void sn_supervisor_offers_changed(struct sn_supervisor *supervisor);
/* ... and rows of our nodes that were stored, for repositories. */
void sn_supervisor_rows_stored(struct sn_supervisor *supervisor, const struct sn_batch *batch);

/* May this request come to the mPlane paths at all?  Before a byte of its body is read. */
bool sn_supervisor_admits(struct sn_hub *hub, const struct sn_http_request *request);
/* Who sends `request`, as mPlane names them; false: nobody that has a name. */
bool sn_supervisor_identity(const struct sn_http_request *request, char *out, size_t size);

/* GET /: is it an mPlane client, not a browser?  Then it has been answered. */
bool sn_supervisor_answers_root(struct sn_hub *hub, struct sn_http_request *request);

#endif
