/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_jobs: what is done to the whole store and takes minutes (checks, backups), on
 * a thread of its own, one after the other.
 *
 * A job works with a handle of the store that is its own.  What it has found and how
 * far it is can be asked for while it runs; the last SN_STORE_JOBS_MAX are remembered
 * until the hub ends.
 */
#ifndef SONDE_HUB_STORE_JOBS_H
#define SONDE_HUB_STORE_JOBS_H

#include <jansson.h>

#include "base/err.h"
#include "base/rand.h"
#include "store/backup.h"

#define SN_STORE_JOB_ID_SIZE  SN_ULID_SIZE
#define SN_STORE_JOBS_MAX     32
#define SN_STORE_FINDINGS_MAX 1000 /* of a job; further ones are counted */

struct sn_store_jobs;
struct sn_store_job;

/* On the thread.  0, or a negative errno with the reason; -ECANCELED when `stop` was set. */
typedef int sn_store_job_fn(struct sn_store_job *job, void *ctx, struct sn_err *err);

struct sn_store_jobs *sn_store_jobs_create(void);
/* Ends what runs and waits for it.  NULL is fine. */
void sn_store_jobs_destroy(struct sn_store_jobs *jobs);

/*
 * `kind` is borrowed; `ctx` is taken over and freed with `release`, on the thread that ends the
 * job.  -EBUSY: another one is running (nothing was taken over).  `id` is that of the new job.
 */
int sn_store_jobs_start(struct sn_store_jobs *jobs, const char *kind, sn_store_job_fn *run,
			void (*release)(void *ctx), void *ctx, char id[SN_STORE_JOB_ID_SIZE],
			struct sn_err *err);
/* New references; the newest first, NULL if there is no such job. */
json_t *sn_store_jobs_json(struct sn_store_jobs *jobs);
json_t *sn_store_jobs_find(struct sn_store_jobs *jobs, const char *id);

/* On the thread: how far it is and whether it should end; something that a person should see. */
struct sn_backup_watch *sn_store_job_watch(struct sn_store_job *job);
void sn_store_job_note(struct sn_store_job *job, const char *what, const char *reason,
		       const char *next);

#endif
