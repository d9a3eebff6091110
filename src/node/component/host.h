/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: the work of a plain mPlane component (peer/component.h): its capabilities are
 * the offers that follow from the methods that can be run here (mplane/offer.h), its
 * jobs are their processes (node/run/run.h).
 *
 * By default only the views in the core registry are offered, to clients and
 * supervisors alike: existing peers fetch a registry that they do not know while they
 * read a capability, and fail with it.  `native` adds the methods under their own names.
 */
#ifndef SONDE_NODE_COMPONENT_HOST_H
#define SONDE_NODE_COMPONENT_HOST_H

#include "mplane/offer.h"
#include "node/component/exporter.h"
#include "node/component/gate.h"
#include "node/run/run.h"
#include "peer/component.h"

#define SN_HOST_ROWS_MAX 10000 /* of one result message; more go out as a further one */

struct sn_host;

struct sn_host_config {
	struct sn_loop *loop;
	const struct sn_mp_registries *registries;
	struct sn_runner *runner;
	struct sn_gate *gate;
	bool native;
	struct sn_exporter *exporter; /* NULL: no logs are offered */
};

struct sn_host *sn_host_create(const struct sn_host_config *config);
/* After its component; kills what still runs.  NULL is fine. */
void sn_host_destroy(struct sn_host *host);
const struct sn_component_host *sn_host_ops(const struct sn_host *host);

/* Where it measures from; texts are copied.  False: it is as before. */
bool sn_host_place(struct sn_host *host, const struct sn_mp_place *place);
size_t sn_host_offers(const struct sn_host *host); /* how many capabilities there are */
/*
 * Looks at what the policy never probes, as each job does at its start: when that is something
 * else, processes that run are started anew with it.
 */
int sn_host_look(struct sn_host *host, struct sn_err *err);

#endif
