/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: one meter with what belongs to it: a look at payload, views, and sinks.
 *
 * A worker is used by one thread.  What all workers of a process do alike (which
 * events somebody wants, how addresses and names are told) is in one set of
 * orders, which may be replaced while they run.
 */
#ifndef SONDE_METER_WORKER_H
#define SONDE_METER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "meter/app/app.h"
#include "meter/meter.h"
#include "meter/output/sink.h"
#include "meter/view/privacy.h"

#define SN_WORKER_SINKS_MAX 8

/* Orders ------------------------------------------------------------------ */
struct sn_orders_values {
	struct sn_privacy *privacy; /* NULL: everything is told as it is */
	bool http, dns, http_urls;  /* somebody wants these events; with whole paths */
	bool video_rates;           /* or how video comes second by second */
};

struct sn_orders {
	pthread_mutex_t lock;
	atomic_uint number; /* changes with each replacement */
	struct sn_orders_privacy *privacy;
	struct sn_orders_values values;
};

/* Takes `values->privacy` over; it goes when the last worker has let go of it. */
void sn_orders_init(struct sn_orders *orders, const struct sn_orders_values *values);
void sn_orders_finish(struct sn_orders *orders); /* after the workers */
void sn_orders_replace(struct sn_orders *orders, const struct sn_orders_values *values);

/* Workers ------------------------------------------------------------------- */
struct sn_worker_options {
	struct sn_meter_options meter; /* `apps` is set by the worker */
	struct sn_name_pool *names;    /* all borrowed */
	struct sn_orders *orders;
	const struct sn_enrichment *enrichment;
	bool community_id;
	/* What flows call their source; valid until the worker goes. */
	const char *(*source_name)(uint16_t source, void *ctx);
	void *ctx;
	struct sn_sink sinks[SN_WORKER_SINKS_MAX]; /* taken over */
	size_t sink_count;
};

struct sn_worker;
struct sn_worker *sn_worker_create(const struct sn_worker_options *options);
void sn_worker_destroy(struct sn_worker *worker); /* with its sinks; NULL is fine */

/* As sn_meter_packets(); 0 or the first error of a sink, from then on always. */
int sn_worker_packets(struct sn_worker *worker, int link, const struct sn_packet *packets,
		      size_t count, uint16_t source);
int sn_worker_advance(struct sn_worker *worker, int64_t now_ns);
/* Reports what is left and flushes the sinks. */
int sn_worker_finish(struct sn_worker *worker, struct sn_err *err);
/* Flushes the sinks only. */
int sn_worker_flush(struct sn_worker *worker, struct sn_err *err);

/* From any thread: what it was at the worker's last advance, flush or finish. */
struct sn_worker_stats {
	struct sn_meter_stats meter;
	uint64_t refused[SN_APP_REFUSALS];
	size_t app_memory_bytes;
};
void sn_worker_read_stats(struct sn_worker *worker, struct sn_worker_stats *stats);
/* Adds `more` to `sum`. */
void sn_worker_add_stats(struct sn_worker_stats *sum, const struct sn_worker_stats *more);

#endif
