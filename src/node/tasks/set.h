/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set: what the hub wants this node to run, as it came: {"etag","tasks":[{"id",
 * "name","method","parameters":{},"when"}],"never_probe":["192.0.2.0/24"]}.
 *
 * `when` is a resolved scope (mplane/when.h); without one a task runs for ever.  A
 * method that can repeat by itself has its period among the parameters; without a
 * period it is a one-shot: its process ends by itself.
 *
 * `never_probe` are the networks that nobody may send anything to, wherever a name
 * leads; it may be missing.
 *
 * A document that is broken is refused as a whole.  A single task that this build
 * cannot run (unknown method, parameters out of range: a newer hub may know more)
 * is kept with the reason, so that the others run and people are told.
 */
#ifndef SONDE_NODE_TASKS_SET_H
#define SONDE_NODE_TASKS_SET_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/method.h"
#include "mplane/when.h"

#define SN_TASKS_MAX       256
#define SN_TASKS_FILE_MAX  (8 * 1024 * 1024)
#define SN_TASK_ID_MAX     64
#define SN_TASK_NAME_MAX   128
#define SN_TASKS_ETAG_MAX  128
#define SN_TASKS_NEVER_MAX 20000 /* a policy has half as many */

struct sn_task_spec {
	char id[SN_TASK_ID_MAX];
	char name[SN_TASK_NAME_MAX];
	const struct sn_method *method; /* NULL: `refusal` says why it cannot be run */
	json_t *parameters;             /* an object, owned */
	struct sn_mp_when when;
	bool has_end;          /* it comes to an end by itself: one run, or a scope that ends */
	struct sn_err refusal; /* code 0 when it can be run */
};

struct sn_task_set {
	char etag[SN_TASKS_ETAG_MAX];
	struct sn_task_spec *items;
	size_t count;
	struct sn_buf never; /* networks, a line each */
};

int sn_task_set_parse(const void *data, size_t size, struct sn_task_set *set, struct sn_err *err);
void sn_task_set_finish(struct sn_task_set *set);
/* Whether a process that runs one need not be touched for the other. */
bool sn_task_spec_same_work(const struct sn_task_spec *a, const struct sn_task_spec *b);
/* Its process is meant to end by itself: a method that can repeat, and is not told to. */
bool sn_task_spec_one_shot(const struct sn_task_spec *spec);

#endif
