/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that are given: each worker has a queue of batches, and whoever has nothing else to do
 * takes the next batch of a worker that nobody is busy with: one of the threads, or the caller when
 * it would have to wait.  So all processors have work as long as there is any, also when most of
 * the packets are for one worker.
 */
#include "meter/workers.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/util.h"
#include "meter/decode/spread.h"
#include "meter/packet_batch.h"

#define WINDOWS   4 /* of all, and as many again for each worker: what the cache holds */
#define SLICE     64
#define QUEUE_MIN 4 /* batches */
#define TURN_MS   500
/* A packet may lie in a block of the ring for this long before we see it. */
#define RING_DELAY_NS (500 * SN_NS_PER_MS)

struct worker {
	struct sn_workers *workers;
	void *ctx;
	/* packets are given */
	struct sn_packet_batch *filling; /* of the caller */
	struct sn_packet_batch *first, *last, *empty;
	size_t made, waiting; /* batches; of these in the queue */
	bool busy, done;
	/* a source of its own */
	struct sn_live *live;
	int wake_fd;
	/* both */
	int error; /* the worker's own */
	struct sn_err err;
};

struct thread {
	struct sn_workers *workers;
	unsigned number;
	pthread_t id;
};

struct sn_workers {
	struct sn_workers_options options;
	const struct sn_workers_ops *ops;
	struct worker *workers;
	struct thread *threads;
	unsigned thread_count;
	size_t queue_batches;
	pthread_mutex_t lock;         /* of all queues */
	pthread_cond_t filled, freed; /* for the threads; for the caller */
	unsigned idle;                /* threads that wait */
	unsigned done;                /* workers that have finished */
	atomic_bool stopping;
	atomic_int failed; /* 1 + the number of the first worker with an error */
	bool finished;
	struct sn_windows *windows; /* NULL until they are asked for */
	int64_t pushed_ns;          /* packet time when all batches went */
	uint64_t dropped;
};

/* What a worker does ---------------------------------------------------------- */

static void fail(struct worker *worker, int error)
{
	struct sn_workers *workers = worker->workers;
	int number = (int)(worker - workers->workers) + 1, none = 0;

	worker->error = error;
	if (worker->err.code == 0)
		sn_err_set(&worker->err, error, "cannot go on metering: %s", strerror(-error));
	atomic_compare_exchange_strong(&workers->failed, &none, number);
}

static void note(struct worker *worker, int result)
{
	if (result < 0 && worker->error == 0)
		fail(worker, result);
}

/* Another processor has read them: they are far away. */
static void fetch(const struct sn_packet *packets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		__builtin_prefetch(packets[i].data);
		__builtin_prefetch(packets[i].data + 64);
	}
}

static void work(const struct sn_packet *packets, size_t count, void *ctx)
{
	struct worker *worker = ctx;
	const struct sn_workers_ops *ops = worker->workers->ops;

	for (size_t run; count > 0 && worker->error == 0; packets += run, count -= run) {
		run = sn_packet_run(packets, SN_MIN(count, (size_t)SLICE));
		fetch(packets + run, SN_MIN(count - run, (size_t)SLICE));
		note(worker,
		     ops->packets(worker->ctx, packets->link, packets, run, packets->source));
	}
}

static void go_on(struct worker *worker, int64_t now_ns)
{
	if (worker->error == 0)
		note(worker, worker->workers->ops->advance(worker->ctx, now_ns));
}

static void finish(struct worker *worker)
{
	struct sn_err err = {0};
	int result = worker->workers->ops->finish(worker->ctx, &err);

	if (result < 0 && worker->error == 0) {
		worker->err = err;
		fail(worker, result);
	}
}

static void process(struct worker *worker, struct sn_packet_batch *batch)
{
	work(batch->packets, batch->count, worker);
	if (batch->advance_ns != 0)
		go_on(worker, batch->advance_ns);
	if (batch->last)
		finish(worker);
	sn_packet_batch_release(batch);
}

/* Queues -------------------------------------------------------------------------- */

/* The one with most to do that nobody is busy with; NULL: none.  Locked. */
static struct worker *pick(const struct sn_workers *workers)
{
	struct worker *best = NULL;

	for (unsigned i = 0; i < workers->options.count; i++) {
		struct worker *worker = &workers->workers[i];

		if (worker->first != NULL && !worker->busy &&
		    (best == NULL || worker->waiting > best->waiting))
			best = worker;
	}
	return best;
}

/* Does a batch of a worker that was picked.  Locked, but not while it works. */
static void serve(struct sn_workers *workers, struct worker *worker)
{
	struct sn_packet_batch *batch = worker->first;

	worker->first = batch->next;
	worker->waiting--;
	worker->busy = true;
	pthread_mutex_unlock(&workers->lock);
	process(worker, batch);
	pthread_mutex_lock(&workers->lock);
	worker->busy = false;
	if (batch->last) {
		worker->done = true;
		workers->done++;
	}
	batch->next = worker->empty;
	worker->empty = batch;
	pthread_cond_signal(&workers->freed);
	if (worker->first != NULL && workers->idle > 0)
		pthread_cond_signal(&workers->filled);
}

static void *run_given(void *arg)
{
	struct sn_workers *workers = ((struct thread *)arg)->workers;

	pthread_mutex_lock(&workers->lock);
	while (workers->done < workers->options.count) {
		struct worker *worker = pick(workers);

		if (worker != NULL) {
			serve(workers, worker);
			continue;
		}
		workers->idle++;
		pthread_cond_wait(&workers->filled, &workers->lock);
		workers->idle--;
	}
	pthread_cond_broadcast(&workers->filled); /* the others end, too */
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static bool anybody_busy(const struct sn_workers *workers)
{
	for (unsigned i = 0; i < workers->options.count; i++)
		if (workers->workers[i].busy)
			return true;
	return false;
}

/*
 * The caller has to wait: meanwhile it does what there is to do.  When there is nothing, and nobody
 * is left who could tell, what it waits for has come before it had the lock.  Locked.
 */
static void help(struct sn_workers *workers)
{
	struct worker *worker = pick(workers);

	if (worker != NULL)
		serve(workers, worker);
	else if (anybody_busy(workers))
		pthread_cond_wait(&workers->freed, &workers->lock);
}

static void push(struct worker *worker)
{
	struct sn_workers *workers = worker->workers;
	struct sn_packet_batch *batch = worker->filling;

	worker->filling = NULL;
	batch->next = NULL;
	pthread_mutex_lock(&workers->lock);
	if (worker->first == NULL)
		worker->first = batch;
	else
		worker->last->next = batch;
	worker->last = batch;
	worker->waiting++;
	if (workers->idle > 0 && !worker->busy)
		pthread_cond_signal(&workers->filled);
	pthread_mutex_unlock(&workers->lock);
}

static void push_all(struct sn_workers *workers)
{
	for (unsigned i = 0; i < workers->options.count; i++)
		if (workers->workers[i].filling != NULL)
			push(&workers->workers[i]);
}

/* No window is free: called until there is one. */
static void starve(void *ctx)
{
	struct sn_workers *workers = ctx;

	push_all(workers);
	pthread_mutex_lock(&workers->lock);
	help(workers);
	pthread_mutex_unlock(&workers->lock);
}

/* NULL when all of them are in use, and nobody waits. */
static struct sn_packet_batch *take_empty(struct worker *worker, bool wait)
{
	struct sn_workers *workers = worker->workers;
	struct sn_packet_batch *batch;

	pthread_mutex_lock(&workers->lock);
	while (wait && worker->empty == NULL && worker->made == workers->queue_batches)
		help(workers);
	batch = worker->empty;
	if (batch != NULL)
		worker->empty = batch->next;
	pthread_mutex_unlock(&workers->lock);
	if (batch == NULL && worker->made < workers->queue_batches) {
		batch = sn_packet_batch_create();
		worker->made++;
	}
	return batch;
}

static bool begin(struct worker *worker, bool wait)
{
	struct sn_packet_batch *batch =
		worker->filling != NULL ? worker->filling : take_empty(worker, wait);

	if (batch != NULL && worker->filling == NULL)
		sn_packet_batch_begin(batch);
	worker->filling = batch;
	return batch != NULL;
}

/* Packets that are given ------------------------------------------------------------ */

static void add_carefully(struct sn_workers *workers, struct worker *worker,
			  const struct sn_packet *packet)
{
	bool wait = !workers->options.drop, done = begin(worker, wait);

	if (done && !sn_packet_batch_put(worker->filling, workers->windows, packet)) {
		push(worker);
		done = begin(worker, wait) &&
		       sn_packet_batch_put(worker->filling, workers->windows, packet);
	}
	if (!done)
		workers->dropped++;
}

static void add(struct sn_workers *workers, struct worker *worker, const struct sn_packet *packet)
{
	struct sn_packet_batch *batch = worker->filling;

	if (batch == NULL || !sn_packet_batch_put_near(batch, packet))
		add_carefully(workers, worker, packet);
	if (worker->filling != NULL && worker->filling->count == SN_PACKET_BATCH_MAX)
		push(worker);
}

static struct worker *choose(const struct sn_workers *workers, const struct sn_packet *packet)
{
	uint32_t hash = sn_decode_spread(packet, workers->options.tunnels_max);

	return &workers->workers[(uint64_t)hash * workers->options.count >> 32];
}

static int first_error(const struct sn_workers *workers)
{
	int failed = atomic_load(&workers->failed);

	return failed != 0 ? workers->workers[failed - 1].err.code : 0;
}

struct sn_windows *sn_workers_windows(struct sn_workers *workers)
{
	if (workers->windows == NULL)
		workers->windows =
			sn_windows_create(WINDOWS * (1 + workers->options.count), starve, workers);
	return workers->windows;
}

int sn_workers_give(struct sn_workers *workers, const struct sn_packet *packets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* A worker that gets little would be left behind. */
		if (llabs(packets[i].time_ns - workers->pushed_ns) >= SN_WORKERS_DELAY_NS) {
			push_all(workers);
			workers->pushed_ns = packets[i].time_ns;
		}
		add(workers, choose(workers, &packets[i]), &packets[i]);
	}
	return first_error(workers);
}

int sn_workers_advance(struct sn_workers *workers, int64_t now_ns)
{
	for (unsigned i = 0; i < workers->options.count; i++)
		if (begin(&workers->workers[i], !workers->options.drop)) {
			workers->workers[i].filling->advance_ns = now_ns;
			push(&workers->workers[i]);
		}
	return first_error(workers);
}

/* Sources of their own ------------------------------------------------------------ */

static void tell_gone(struct worker *worker)
{
	sn_err_set(&worker->err, -ENODEV, "cannot go on metering: interface '%s' is gone",
		   sn_live_interface(worker->live));
	fail(worker, -ENODEV);
}

static void wait_for_packets(const struct worker *worker, int timeout_ms)
{
	struct pollfd pollers[] = {{.fd = sn_live_fd(worker->live), .events = POLLIN},
				   {.fd = worker->wake_fd, .events = POLLIN}};

	poll(pollers, SN_COUNT(pollers), timeout_ms);
}

static void *run_live(void *arg)
{
	const struct thread *thread = arg;
	struct worker *worker = &thread->workers->workers[thread->number];
	bool alive = true;

	/* An interface that is down may come up again, one that was removed does not. */
	while (!atomic_load(&worker->workers->stopping) && alive) {
		wait_for_packets(worker, TURN_MS);
		if (sn_live_drain(worker->live, work, worker) == 0)
			alive = sn_live_alive(worker->live);
		go_on(worker, sn_wall_ns() - RING_DELAY_NS);
	}
	sn_live_finish(worker->live, work, worker);
	if (!alive)
		tell_gone(worker);
	finish(worker);
	return NULL;
}

static void wake(struct worker *worker)
{
	uint64_t one = 1;

	if (write(worker->wake_fd, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
}

/* Life ------------------------------------------------------------------------------ */

/* The number-th processor that we may run on. */
static void pin(pthread_attr_t *attributes, unsigned number, unsigned count)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) < (int)count)
		return;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && number-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			pthread_attr_setaffinity_np(attributes, sizeof(one), &one);
			return;
		}
}

static int start_thread(struct sn_workers *workers, bool live, struct sn_err *err)
{
	struct thread *thread = &workers->threads[workers->thread_count];
	sigset_t all, before;
	pthread_attr_t attributes;
	int result;

	*thread = (struct thread){.workers = workers, .number = workers->thread_count};
	pthread_attr_init(&attributes);
	if (workers->options.pin)
		pin(&attributes, thread->number, workers->options.count);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&thread->id, &attributes, live ? run_live : run_given, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (result != 0)
		return sn_err_sys(err, -result, "cannot start worker %u", thread->number);
	workers->thread_count++;
	return 0;
}

/* Who reads files works, too: there are as many threads as workers with it. */
static int start_threads(struct sn_workers *workers, bool live, struct sn_err *err)
{
	unsigned count = workers->options.count;
	int result = 0;

	if (!live && !workers->options.drop && count > 1)
		count--;
	workers->threads = sn_new_n(struct thread, count);
	while (result == 0 && workers->thread_count < count)
		result = start_thread(workers, live, err);
	return result;
}

static int prepare(struct worker *worker, void *ctx, struct sn_live *live, struct sn_err *err)
{
	worker->ctx = ctx;
	worker->live = live;
	if (live == NULL)
		return 0;
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return worker->wake_fd >= 0 ? 0 : sn_err_sys(err, -errno, "cannot start a worker");
}

int sn_workers_create(const struct sn_workers_options *options, const struct sn_workers_ops *ops,
		      void *const *ctxs, struct sn_live *const *lives, struct sn_workers **workers,
		      struct sn_err *err)
{
	struct sn_workers *made = sn_new(struct sn_workers);
	size_t packets =
		options->queue_packets != 0 ? options->queue_packets : SN_WORKERS_QUEUE_DEFAULT;
	int result = 0;

	assert(options->count > 0 && options->count <= SN_WORKERS_MAX);
	made->options = *options;
	made->ops = ops;
	made->queue_batches = SN_MAX(packets / SN_PACKET_BATCH_MAX, (size_t)QUEUE_MIN);
	made->workers = sn_new_n(struct worker, options->count);
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->filled, NULL);
	pthread_cond_init(&made->freed, NULL);
	for (unsigned i = 0; i < options->count; i++) {
		made->workers[i].workers = made;
		made->workers[i].wake_fd = -1;
		if (result == 0)
			result = prepare(&made->workers[i], ctxs[i],
					 lives != NULL ? lives[i] : NULL, err);
	}
	if (result == 0)
		result = start_threads(made, lives != NULL, err);
	if (result < 0) {
		sn_workers_destroy(made);
		return result;
	}
	*workers = made;
	return 0;
}

static void end_given(struct sn_workers *workers)
{
	for (unsigned i = 0; i < workers->options.count; i++) {
		begin(&workers->workers[i], true);
		workers->workers[i].filling->last = true;
		push(&workers->workers[i]);
	}
	pthread_mutex_lock(&workers->lock);
	while (workers->done < workers->options.count)
		help(workers);
	pthread_cond_broadcast(&workers->filled);
	pthread_mutex_unlock(&workers->lock);
}

int sn_workers_check(const struct sn_workers *workers, struct sn_err *err)
{
	int failed = atomic_load(&workers->failed);

	if (failed == 0)
		return 0;
	*err = workers->workers[failed - 1].err;
	return err->code;
}

int sn_workers_finish(struct sn_workers *workers, struct sn_err *err)
{
	if (workers->finished)
		return 0;
	workers->finished = true;
	atomic_store(&workers->stopping, true);
	if (workers->thread_count > 0 && workers->workers[0].live == NULL)
		end_given(workers);
	for (unsigned i = 0; i < workers->thread_count; i++)
		if (workers->workers[0].live != NULL)
			wake(&workers->workers[i]);
	for (unsigned i = 0; i < workers->thread_count; i++)
		pthread_join(workers->threads[i].id, NULL);
	return sn_workers_check(workers, err);
}

static void free_batches(struct worker *worker)
{
	while (worker->empty != NULL) {
		struct sn_packet_batch *next = worker->empty->next;

		sn_packet_batch_destroy(worker->empty);
		worker->empty = next;
	}
	assert(worker->filling == NULL && worker->first == NULL);
}

void sn_workers_destroy(struct sn_workers *workers)
{
	struct sn_err err;

	if (workers == NULL)
		return;
	sn_workers_finish(workers, &err);
	for (unsigned i = 0; i < workers->options.count; i++) {
		free_batches(&workers->workers[i]);
		if (workers->workers[i].wake_fd >= 0)
			close(workers->workers[i].wake_fd);
	}
	sn_windows_destroy(workers->windows);
	pthread_mutex_destroy(&workers->lock);
	pthread_cond_destroy(&workers->filled);
	pthread_cond_destroy(&workers->freed);
	free(workers->threads);
	free(workers->workers);
	free(workers);
}

uint64_t sn_workers_dropped(const struct sn_workers *workers)
{
	return workers->dropped;
}
