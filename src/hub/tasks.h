/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks: standing orders: a method with parameters for some or all nodes.
 *
 * A task never changes; to change one is to remove it and add another, so that
 * rows always belong to exactly the order that they name.  What one node has to
 * do has an etag, made of the ids of its tasks: equal etags mean equal work.
 */
#ifndef SONDE_HUB_TASKS_H
#define SONDE_HUB_TASKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rand.h"
#include "hub/fleet.h"
#include "store/db.h"

#define SN_TASKS_MAX       1000
#define SN_TASK_NAME_MAX   128
#define SN_TASK_NODES_MAX  10000
#define SN_TASK_KEY_MAX    128 /* of an idempotency key */
#define SN_TASKS_ETAG_SIZE 17

struct sn_task {
	char id[SN_ULID_SIZE];
	char name[SN_TASK_NAME_MAX];
	const struct sn_method *method;
	json_t *parameters; /* object, checked against the method */
	json_t *nodes;      /* array of node ids, or ["*"] */
	int64_t created_ns;
};

struct sn_tasks;

int sn_tasks_open(struct sn_db *db, struct sn_tasks **tasks, struct sn_err *err);
void sn_tasks_close(struct sn_tasks *tasks);

/*
 * Checks and stores `wanted` {"name"?,"method","parameters","nodes"?}; nodes may be
 * names.  -EINVAL names the member or parameter and the reason.  With `key` (may be
 * NULL) that was used before the task of then is returned and 1.
 */
int sn_tasks_add(struct sn_tasks *tasks, struct sn_fleet *fleet, const json_t *wanted,
		 const char *key, int64_t now_ns, const struct sn_task **task, struct sn_err *err);
int sn_tasks_remove(struct sn_tasks *tasks, const char *id, struct sn_err *err); /* -ENOENT */

const struct sn_task *sn_tasks_find(const struct sn_tasks *tasks, const char *id);
size_t sn_tasks_count(const struct sn_tasks *tasks);
const struct sn_task *sn_tasks_at(const struct sn_tasks *tasks, size_t i); /* in order of age */
bool sn_task_is_for(const struct sn_task *task, const char *node);

void sn_tasks_etag(const struct sn_tasks *tasks, const char *node, char etag[SN_TASKS_ETAG_SIZE]);
/* Array of {"id","name","method","parameters"} for one node; a new reference. */
json_t *sn_tasks_for(const struct sn_tasks *tasks, const char *node);
/* As the API shows it; a new reference. */
json_t *sn_task_json(const struct sn_task *task);

#endif
