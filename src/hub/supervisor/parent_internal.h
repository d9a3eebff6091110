/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parent_internal: what the two files of the parent share: parent.c (what is offered to it, its
 * life) and parent_job.c (what it asks for).
 */
#ifndef SONDE_HUB_SUPERVISOR_PARENT_INTERNAL_H
#define SONDE_HUB_SUPERVISOR_PARENT_INTERNAL_H

#include "hub/supervisor/internal.h"
#include "peer/component_uplink.h"

#define SN_PARENT_MEMBERS_MAX 16 /* of one federated capability */

/*
 * To its parent the hub is a component: what it offers are groups, each under its label and
 * with a parameter source.device.  Our own nodes and groups that a supervisor below has
 * registered differ in their schema here but look the same above; such groups are the
 * members of one federated capability.  A specification becomes a measurement for each member.
 */

struct sn_parent_member {
	struct sn_mp_message *message;      /* as a federated capability by itself */
	const struct sn_hub_offer **offers; /* until the next change */
	size_t count;
	char *label, schema[SN_MP_HASH_SIZE];
	bool native, device_below;
};

struct sn_federated {
	struct sn_mp_message *message; /* NULL while members are gathered */
	struct sn_parent_member members[SN_PARENT_MEMBERS_MAX];
	size_t count;
};

struct sn_parent {
	struct sn_supervisor *sup;
	struct sn_component *component;
	struct sn_component_uplink *uplink;
	struct sn_component_host host;
	struct sn_asker asker;
	char *owner; /* "peer:<identity of the parent>" */
	struct sn_timer timer;
	bool stale; /* offers have changed */
	struct sn_federated *list;
	const struct sn_mp_message **messages; /* of `list` */
	size_t count;
	struct sn_list jobs;
};

/* Makes them anew when offers have changed. */
void sn_parent_make_offers(struct sn_parent *parent);

/* For struct sn_component_host; `ctx` is the parent. */
int sn_parent_job_start(struct sn_job *job, struct sn_err *err, void *ctx);
void sn_parent_job_stop(struct sn_job *job, void *ctx);

#endif
