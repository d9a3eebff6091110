/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/worker.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"

#define TICK_SHIFT 27 /* sinks hear of time each 134 ms of it */

/* Orders ------------------------------------------------------------------ */

struct sn_orders_privacy { /* shared by the orders and the workers that have taken them */
	atomic_uint references;
	struct sn_privacy *privacy;
};

static struct sn_orders_privacy *share(struct sn_privacy *privacy)
{
	struct sn_orders_privacy *shared = sn_new(struct sn_orders_privacy);

	atomic_init(&shared->references, 1);
	shared->privacy = privacy;
	return shared;
}

static void let_go(struct sn_orders_privacy *shared)
{
	if (shared == NULL || atomic_fetch_sub(&shared->references, 1) != 1)
		return;
	sn_privacy_destroy(shared->privacy);
	free(shared);
}

void sn_orders_init(struct sn_orders *orders, const struct sn_orders_values *values)
{
	pthread_mutex_init(&orders->lock, NULL);
	atomic_init(&orders->number, 1);
	orders->values = *values;
	orders->privacy = share(values->privacy);
}

void sn_orders_finish(struct sn_orders *orders)
{
	let_go(orders->privacy);
	pthread_mutex_destroy(&orders->lock);
}

void sn_orders_replace(struct sn_orders *orders, const struct sn_orders_values *values)
{
	struct sn_orders_privacy *before;

	pthread_mutex_lock(&orders->lock);
	before = orders->privacy;
	orders->values = *values;
	orders->privacy = share(values->privacy);
	atomic_fetch_add(&orders->number, 1);
	pthread_mutex_unlock(&orders->lock);
	let_go(before);
}

/* Workers ------------------------------------------------------------------- */

struct sn_worker {
	struct sn_worker_options options;
	struct sn_apps *apps;
	struct sn_meter *meter;
	struct sn_viewer *viewer;
	struct sn_orders_privacy *privacy; /* a reference */
	unsigned orders_number;
	int64_t tick;
	int error;            /* the first of a sink */
	pthread_mutex_t lock; /* of `stats` */
	struct sn_worker_stats stats;
};

#define TELL(worker, event, view)                                                                  \
	for (size_t i_ = 0; i_ < (worker)->options.sink_count && (worker)->error == 0; i_++)       \
		if ((worker)->options.sinks[i_].ops->event != NULL)                                \
	(worker)->error =                                                                          \
		(worker)->options.sinks[i_].ops->event((worker)->options.sinks[i_].sink, view)

static void take_flow(const struct sn_flow *flow, enum sn_flow_end end, void *ctx)
{
	struct sn_worker *worker = ctx;
	const char *source = worker->options.source_name(flow->source, worker->options.ctx);
	const struct sn_view_flow *view = sn_viewer_flow(worker->viewer, flow, end, source);

	TELL(worker, flow, view);
}

static void take_http(const struct sn_http_message *message, const struct sn_flow *flow, void *ctx)
{
	struct sn_worker *worker = ctx;
	const struct sn_view_http *view = sn_viewer_http(worker->viewer, flow, message);

	TELL(worker, http, view);
}

static void take_dns(const struct sn_dns_event *event, const struct sn_flow *flow, void *ctx)
{
	struct sn_worker *worker = ctx;
	const struct sn_view_dns *view = sn_viewer_dns(worker->viewer, flow, event);

	TELL(worker, dns, view);
}

static void obey(struct sn_worker *worker)
{
	struct sn_orders *orders = worker->options.orders;
	struct sn_orders_privacy *before = worker->privacy;
	struct sn_app_watch watch = {.ctx = worker};
	struct sn_viewer_options view = {
		.enrichment = worker->options.enrichment,
		.inside = worker->options.meter.inside,
		.community_id = worker->options.community_id,
	};

	pthread_mutex_lock(&orders->lock);
	worker->orders_number = atomic_load(&orders->number);
	worker->privacy = orders->privacy;
	atomic_fetch_add(&worker->privacy->references, 1);
	watch.http = orders->values.http ? take_http : NULL;
	watch.dns = orders->values.dns ? take_dns : NULL;
	watch.http_urls = orders->values.http_urls;
	watch.video_rates = orders->values.video_rates;
	pthread_mutex_unlock(&orders->lock);
	view.policy = worker->privacy->privacy;
	sn_viewer_destroy(worker->viewer);
	worker->viewer = sn_viewer_create(&view);
	sn_apps_set_watch(worker->apps, &watch);
	let_go(before);
}

struct sn_worker *sn_worker_create(const struct sn_worker_options *options)
{
	struct sn_worker *worker = sn_new(struct sn_worker);
	struct sn_apps_options apps = {.names = options->names,
				       .dns_cache = options->meter.dns_cache};

	worker->options = *options;
	pthread_mutex_init(&worker->lock, NULL);
	worker->apps = sn_apps_create(&apps);
	worker->options.meter.apps = worker->apps;
	worker->meter = sn_meter_create(&worker->options.meter, take_flow, worker);
	obey(worker);
	return worker;
}

void sn_worker_destroy(struct sn_worker *worker)
{
	if (worker == NULL)
		return;
	sn_meter_destroy(worker->meter);
	sn_apps_destroy(worker->apps);
	sn_viewer_destroy(worker->viewer);
	for (size_t i = 0; i < worker->options.sink_count; i++)
		if (worker->options.sinks[i].ops->destroy != NULL)
			worker->options.sinks[i].ops->destroy(worker->options.sinks[i].sink);
	let_go(worker->privacy);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

static void publish(struct sn_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	sn_meter_read_stats(worker->meter, &worker->stats.meter);
	for (unsigned i = 0; i < SN_APP_REFUSALS; i++)
		worker->stats.refused[i] = sn_apps_refused(worker->apps, i);
	worker->stats.app_memory_bytes = sn_apps_memory(worker->apps);
	pthread_mutex_unlock(&worker->lock);
}

static void tell_time(struct sn_worker *worker, int64_t now_ns)
{
	if (now_ns >> TICK_SHIFT == worker->tick)
		return;
	worker->tick = now_ns >> TICK_SHIFT;
	if (atomic_load_explicit(&worker->options.orders->number, memory_order_relaxed) !=
	    worker->orders_number)
		obey(worker);
	TELL(worker, advance, now_ns);
	publish(worker);
}

int sn_worker_packets(struct sn_worker *worker, int link, const struct sn_packet *packets,
		      size_t count, uint16_t source)
{
	if (count == 0 || worker->error != 0)
		return worker->error;
	/* Time comes first: what sinks begin is named after the first packet. */
	tell_time(worker, packets[0].time_ns);
	sn_meter_packets(worker->meter, link, packets, count, source);
	tell_time(worker, packets[count - 1].time_ns);
	return worker->error;
}

int sn_worker_advance(struct sn_worker *worker, int64_t now_ns)
{
	sn_meter_advance(worker->meter, now_ns);
	tell_time(worker, now_ns);
	return worker->error;
}

/* Every sink is flushed, also behind one that failed: its message comes out of its own flush. */
int sn_worker_flush(struct sn_worker *worker, struct sn_err *err)
{
	for (size_t i = 0; i < worker->options.sink_count; i++) {
		const struct sn_sink *sink = &worker->options.sinks[i];
		int result = sink->ops->flush != NULL ? sink->ops->flush(sink->sink, err) : 0;

		if (worker->error == 0)
			worker->error = result;
	}
	publish(worker);
	return worker->error;
}

int sn_worker_finish(struct sn_worker *worker, struct sn_err *err)
{
	sn_meter_flush(worker->meter);
	return sn_worker_flush(worker, err);
}

/* Counts ---------------------------------------------------------------------- */

void sn_worker_read_stats(struct sn_worker *worker, struct sn_worker_stats *stats)
{
	pthread_mutex_lock(&worker->lock);
	*stats = worker->stats;
	pthread_mutex_unlock(&worker->lock);
}

static void add_count(struct sn_meter_count *sum, const struct sn_meter_count *more)
{
	sum->packets += more->packets;
	sum->bytes += more->bytes;
}

static void add_times(struct sn_meter_stats *sum, const struct sn_meter_stats *more)
{
	if (more->all.packets == 0)
		return;
	sum->first_ns =
		sum->all.packets == 0 ? more->first_ns : SN_MIN(sum->first_ns, more->first_ns);
	sum->last_ns = sum->all.packets == 0 ? more->last_ns : SN_MAX(sum->last_ns, more->last_ns);
}

void sn_worker_add_stats(struct sn_worker_stats *sum, const struct sn_worker_stats *more)
{
	add_times(&sum->meter, &more->meter);
	add_count(&sum->meter.all, &more->meter.all);
	for (unsigned i = 0; i < SN_SKIP_COUNT; i++)
		add_count(&sum->meter.skipped[i], &more->meter.skipped[i]);
	sum->meter.reports += more->meter.reports;
	sum->meter.evictions += more->meter.evictions;
	sum->meter.clock_steps += more->meter.clock_steps;
	sum->meter.flows += more->meter.flows;
	sum->meter.flows_peak += more->meter.flows_peak;
	sum->meter.memory_peak_bytes += more->meter.memory_peak_bytes;
	for (unsigned i = 0; i < SN_APP_REFUSALS; i++)
		sum->refused[i] += more->refused[i];
	sum->app_memory_bytes += more->app_memory_bytes;
}
