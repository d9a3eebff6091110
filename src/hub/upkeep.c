/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "upkeep"
#include "hub/upkeep.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

#define FAILING_PAUSES 10 /* a store that fails is not asked as often */

struct sn_upkeep {
	struct sn_store *store; /* the thread's */
	pthread_t thread;
	unsigned pause_ms;
	bool salvage;
	atomic_bool stop;
	pthread_mutex_t lock; /* of what is below */
	pthread_cond_t woken;
	struct sn_upkeep_status status;
};

/* Of files that were set aside since. */
static int salvage(struct sn_upkeep *upkeep, struct sn_err *err)
{
	struct sn_store_salvage sum;
	int rc = sn_store_salvage(upkeep->store, NULL, &sum, err);

	if (rc == 0 && (sum.files > 0 || sum.unreadable > 0))
		sn_notice("looked for rows in damaged files files=%u unreadable=%u rows=%" PRIu64
			  " lost=%" PRIu64,
			  sum.files, sum.unreadable, sum.rows, sum.lost_rows);
	return rc;
}

static void run(struct sn_upkeep *upkeep)
{
	struct sn_err err = {0};
	unsigned merges = 0;
	int rc = upkeep->salvage ? salvage(upkeep, &err) : 0;

	if (rc == 0)
		rc = sn_store_tidy(upkeep->store, &upkeep->stop, &merges, &err);
	if (rc != 0)
		SN_LOG_LIMITED(SN_LOG_WARNING, "cannot keep the store in order: %s", err.text);
	pthread_mutex_lock(&upkeep->lock);
	upkeep->status.runs++;
	upkeep->status.merges += merges;
	upkeep->status.last_ns = sn_wall_ns();
	upkeep->status.failing = rc != 0;
	memcpy(upkeep->status.reason, err.text, sizeof(err.text));
	pthread_mutex_unlock(&upkeep->lock);
}

static void wait_a_while(struct sn_upkeep *upkeep)
{
	uint64_t pause_ms = upkeep->pause_ms;
	uint64_t end_ns;
	struct timespec end;

	pthread_mutex_lock(&upkeep->lock);
	if (upkeep->status.failing)
		pause_ms *= FAILING_PAUSES;
	end_ns = sn_mono_ns() + pause_ms * SN_NS_PER_MS;
	end = (struct timespec){.tv_sec = (time_t)(end_ns / SN_NS_PER_S),
				.tv_nsec = (long)(end_ns % SN_NS_PER_S)};
	while (!atomic_load(&upkeep->stop) &&
	       pthread_cond_timedwait(&upkeep->woken, &upkeep->lock, &end) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&upkeep->lock);
}

static void *run_for_ever(void *ctx)
{
	struct sn_upkeep *upkeep = ctx;

	while (!atomic_load(&upkeep->stop)) {
		run(upkeep);
		wait_a_while(upkeep);
	}
	return NULL;
}

static void destroy(struct sn_upkeep *upkeep)
{
	pthread_cond_destroy(&upkeep->woken);
	pthread_mutex_destroy(&upkeep->lock);
	sn_store_close(upkeep->store);
	free(upkeep);
}

int sn_upkeep_start(const char *dir, unsigned pause_ms, bool salvage, struct sn_upkeep **out,
		    struct sn_err *err)
{
	struct sn_upkeep *upkeep;
	pthread_condattr_t monotonic;
	struct sn_store *store;
	int rc = sn_store_open(dir, &store, err);

	if (rc != 0)
		return rc;
	upkeep = sn_new(struct sn_upkeep);
	upkeep->store = store;
	upkeep->pause_ms = pause_ms;
	upkeep->salvage = salvage;
	pthread_mutex_init(&upkeep->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&upkeep->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = -pthread_create(&upkeep->thread, NULL, run_for_ever, upkeep);
	if (rc != 0) {
		destroy(upkeep);
		return sn_err_sys(err, rc, "cannot start a thread");
	}
	*out = upkeep;
	return 0;
}

void sn_upkeep_stop(struct sn_upkeep *upkeep)
{
	if (upkeep == NULL)
		return;
	pthread_mutex_lock(&upkeep->lock);
	atomic_store(&upkeep->stop, true);
	pthread_cond_signal(&upkeep->woken);
	pthread_mutex_unlock(&upkeep->lock);
	pthread_join(upkeep->thread, NULL);
	destroy(upkeep);
}

void sn_upkeep_status(struct sn_upkeep *upkeep, struct sn_upkeep_status *status)
{
	pthread_mutex_lock(&upkeep->lock);
	*status = upkeep->status;
	pthread_mutex_unlock(&upkeep->lock);
}
