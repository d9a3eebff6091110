/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interim: a flow that is reported while it goes on.
 *
 * The counters of a flow are always the whole; its struct sn_interim (flow.h)
 * holds what they were when the period began.  Only bytes in flight are kept per
 * period while it lasts and made the whole again for each report.
 */
#ifndef SONDE_METER_FLOW_INTERIM_H
#define SONDE_METER_FLOW_INTERIM_H

#include "meter/flow/flow.h"

/* The next period is what comes from now on; it runs when its first packet comes. */
void sn_interim_begin(struct sn_interim *interim);
/* Before a report: what is told of the period, and the flow as a whole. */
void sn_interim_complete(struct sn_interim *interim);

#endif
