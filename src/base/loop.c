/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/util.h"

#define HEAP_MIN 64
/* A virtual clock that cannot move because timers keep firing is a bug in their owner. */
#define ADVANCE_ROUNDS_MAX 10000000

struct heap_entry {
	uint64_t due_ns;
	uint64_t order; /* first armed, first fired among equals */
	struct sn_timer *timer;
};

struct sn_loop {
	uv_loop_t uv;
	const struct sn_clock *clock;

	/* The time of this turn; read when it is first asked for after a wake-up. */
	bool in_turn, now_valid;
	uint64_t now_ns;
	int64_t wall_ns;

	bool stopping;
	int stop_code;

	/* Binary heap of armed timers in [1 .. timers]; [0] is not used. */
	struct heap_entry *heap;
	size_t timers, heap_size;
	uint64_t next_order;
	/* The timers of the batch that is being fired; stopped ones are NULL. */
	struct sn_timer **batch;
	size_t batch_count, batch_size;

	int timer_fd;
	uint64_t armed_ns; /* what timer_fd is set to; 0: not set */
	uv_poll_t timer_poll;
	uv_prepare_t prepare;
	uv_timer_t turn_limit;

	struct sn_list ios; /* struct io_handle */
	struct sn_list flushes;

	bool has_signals, has_hangup;
	uv_signal_t signals[2], hangup;
	void (*on_hangup)(void *ctx);
	void *hangup_ctx;
};

/* Time ------------------------------------------------------------------ */

static void read_clock(const struct sn_loop *loop)
{
	struct sn_loop *cache = (struct sn_loop *)loop;

	if (loop->now_valid && loop->in_turn)
		return;
	cache->now_ns = loop->clock->mono_ns(loop->clock);
	cache->wall_ns = loop->clock->wall_ns(loop->clock);
	cache->now_valid = true;
}

uint64_t sn_loop_now(const struct sn_loop *loop)
{
	read_clock(loop);
	return loop->now_ns;
}

int64_t sn_loop_wall_now(const struct sn_loop *loop)
{
	read_clock(loop);
	return loop->wall_ns;
}

/* Timer heap ------------------------------------------------------------ */

/*
 * heap_index of a timer: its place in the heap, or, while it waits for its turn
 * in a batch, BATCH_BASE + its place there.
 */
#define BATCH_BASE (SIZE_MAX / 2)

static bool entry_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_put(struct sn_loop *loop, size_t index, struct heap_entry entry)
{
	loop->heap[index] = entry;
	entry.timer->heap_index = index;
}

static void sift_up(struct sn_loop *loop, size_t index, struct heap_entry entry)
{
	for (; index > 1 && entry_before(&entry, &loop->heap[index / 2]); index /= 2)
		heap_put(loop, index, loop->heap[index / 2]);
	heap_put(loop, index, entry);
}

static void sift_down(struct sn_loop *loop, size_t index, struct heap_entry entry)
{
	size_t child;

	for (; (child = index * 2) <= loop->timers; index = child) {
		if (child < loop->timers &&
		    entry_before(&loop->heap[child + 1], &loop->heap[child]))
			child++;
		if (!entry_before(&loop->heap[child], &entry))
			break;
		heap_put(loop, index, loop->heap[child]);
	}
	heap_put(loop, index, entry);
}

static void heap_add(struct sn_loop *loop, struct sn_timer *timer)
{
	if (loop->timers + 2 > loop->heap_size) {
		loop->heap_size = SN_MAX(loop->heap_size * 2, (size_t)HEAP_MIN);
		loop->heap = sn_xrealloc(loop->heap, loop->heap_size, sizeof(*loop->heap));
	}
	sift_up(loop, ++loop->timers,
		(struct heap_entry){timer->due_ns, loop->next_order++, timer});
}

static void heap_remove(struct sn_loop *loop, size_t index)
{
	struct heap_entry last = loop->heap[loop->timers--];

	loop->heap[index].timer->heap_index = 0;
	if (index > loop->timers)
		return;
	if (index > 1 && entry_before(&last, &loop->heap[index / 2]))
		sift_up(loop, index, last);
	else
		sift_down(loop, index, last);
}

void sn_timer_init(struct sn_timer *timer, struct sn_loop *loop, sn_timer_fn *fn)
{
	*timer = (struct sn_timer){.loop = loop, .fn = fn};
}

void sn_timer_stop(struct sn_timer *timer)
{
	if (timer->heap_index == 0)
		return;
	if (timer->heap_index >= BATCH_BASE) {
		timer->loop->batch[timer->heap_index - BATCH_BASE] = NULL;
		timer->heap_index = 0;
		return;
	}
	heap_remove(timer->loop, timer->heap_index);
}

void sn_timer_at(struct sn_timer *timer, uint64_t due_ns)
{
	sn_timer_stop(timer);
	timer->due_ns = due_ns;
	heap_add(timer->loop, timer);
}

void sn_timer_in(struct sn_timer *timer, uint64_t delay_ns)
{
	uint64_t now_ns = sn_loop_now(timer->loop);

	sn_timer_at(timer, delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns);
}

bool sn_timer_armed(const struct sn_timer *timer)
{
	return timer->heap_index != 0;
}

/*
 * Take what is due out of the heap first, then call: a timer that is armed again
 * for a time that has passed already waits for the next turn, so that descriptors
 * get theirs too.
 */
static void fire_due_timers(struct sn_loop *loop)
{
	uint64_t now_ns = sn_loop_now(loop);

	loop->batch_count = 0;
	while (loop->timers > 0 && loop->heap[1].due_ns <= now_ns) {
		struct sn_timer *timer = loop->heap[1].timer;

		heap_remove(loop, 1);
		if (loop->batch_count == loop->batch_size) {
			loop->batch_size = SN_MAX(loop->batch_size * 2, (size_t)HEAP_MIN);
			loop->batch = sn_xrealloc(loop->batch, loop->batch_size,
						  sizeof(struct sn_timer *));
		}
		timer->heap_index = BATCH_BASE + loop->batch_count;
		loop->batch[loop->batch_count++] = timer;
	}
	for (size_t i = 0; i < loop->batch_count; i++) {
		struct sn_timer *timer = loop->batch[i];

		if (timer == NULL)
			continue;
		timer->heap_index = 0;
		timer->fn(timer);
	}
	loop->batch_count = 0;
}

/* Set the descriptor to the earliest timer; one system call a turn at most. */
static void arm_timer_fd(struct sn_loop *loop)
{
	struct itimerspec setting = {0};
	uint64_t due_ns = loop->timers > 0 ? SN_MAX(loop->heap[1].due_ns, (uint64_t)1) : 0;

	/* Virtual time does not pass by itself: only what is due already may fire. */
	if (due_ns > 0 && loop->clock != &sn_clock_real)
		due_ns = due_ns <= SN_MAX(sn_loop_now(loop), (uint64_t)1) ? 1 : 0;
	if (due_ns == loop->armed_ns)
		return;
	setting.it_value.tv_sec = (time_t)(due_ns / SN_NS_PER_S);
	setting.it_value.tv_nsec = (long)(due_ns % SN_NS_PER_S);
	timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &setting, NULL);
	loop->armed_ns = due_ns;
}

static void timer_fd_fired(uv_poll_t *poll, int status SN_UNUSED, int events SN_UNUSED)
{
	struct sn_loop *loop = poll->data;
	uint64_t expirations;
	ssize_t got = read(loop->timer_fd, &expirations, sizeof(expirations));

	/* -EAGAIN: it was set to a later time since it fired. */
	if (got == (ssize_t)sizeof(expirations))
		loop->armed_ns = 0;
	fire_due_timers(loop);
}

/* Descriptors ----------------------------------------------------------- */

struct io_handle { /* outlives its sn_io until libuv has let go of it */
	uv_poll_t poll;
	struct sn_list link;
	struct sn_io *io;
	int events;
};

static void io_ready(uv_poll_t *poll, int status, int events)
{
	struct io_handle *handle = sn_container_of(poll, struct io_handle, poll);
	struct sn_io *io = handle->io;

	/*
	 * libuv stops polling a descriptor with an error pending (for a socket that is
	 * an ICMP error or something in its error queue).  The owner learns of it from
	 * its next read or write and decides.
	 */
	if (status < 0) {
		events = handle->events;
		uv_poll_start(poll, handle->events, io_ready);
	}
	io->fn(io, events);
}

static void io_closed(uv_handle_t *handle)
{
	free(sn_container_of((uv_poll_t *)handle, struct io_handle, poll));
}

void sn_io_init(struct sn_io *io, struct sn_loop *loop, int fd, sn_io_fn *fn)
{
	*io = (struct sn_io){.loop = loop, .fd = fd, .fn = fn};
}

int sn_io_start(struct sn_io *io, int events)
{
	struct io_handle *handle = io->handle;
	int rc;

	assert((events & ~(SN_IO_READ | SN_IO_WRITE)) == 0 && events != 0);
	if (handle == NULL) {
		handle = sn_new(struct io_handle);
		rc = uv_poll_init(&io->loop->uv, &handle->poll, io->fd);
		if (rc != 0) {
			free(handle);
			return rc;
		}
		handle->io = io;
		io->handle = handle;
		sn_list_append(&io->loop->ios, &handle->link);
	} else if (handle->events == events) {
		return 0;
	}
	handle->events = events;
	rc = uv_poll_start(&handle->poll, events, io_ready);
	if (rc != 0)
		sn_io_stop(io);
	return rc;
}

void sn_io_stop(struct sn_io *io)
{
	struct io_handle *handle = io->handle;

	if (handle == NULL)
		return;
	io->handle = NULL;
	sn_list_remove(&handle->link);
	uv_close((uv_handle_t *)&handle->poll, io_closed);
}

/* End of a turn --------------------------------------------------------- */

void sn_flush_init(struct sn_flush *flush, struct sn_loop *loop, sn_flush_fn *fn)
{
	*flush = (struct sn_flush){.loop = loop, .fn = fn};
	sn_list_append(&loop->flushes, &flush->link);
}

void sn_flush_stop(struct sn_flush *flush)
{
	if (flush->link.next != NULL)
		sn_list_remove(&flush->link);
}

static void run_flushes(struct sn_loop *loop)
{
	struct sn_list todo;

	if (sn_list_empty(&loop->flushes))
		return;
	/* A ring of its own, emptied from the front: any flush may be stopped meanwhile. */
	sn_list_add_before(loop->flushes.next, &todo);
	sn_list_remove(&loop->flushes);
	while (!sn_list_empty(&todo)) {
		struct sn_flush *flush = sn_list_entry(todo.next, struct sn_flush, link);

		sn_list_remove(&flush->link);
		sn_list_append(&loop->flushes, &flush->link);
		flush->fn(flush);
	}
}

static void before_sleep(uv_prepare_t *prepare)
{
	struct sn_loop *loop = prepare->data;

	run_flushes(loop);
	arm_timer_fd(loop);
	loop->now_valid = false;
}

/* Loop ------------------------------------------------------------------ */

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "<3>loop: cannot %s: %s\n", what, strerror(-rc));
	abort();
}

struct sn_loop *sn_loop_create(const struct sn_clock *clock)
{
	struct sn_loop *loop = sn_new(struct sn_loop);

	loop->clock = clock != NULL ? clock : &sn_clock_real;
	sn_list_init(&loop->ios);
	sn_list_init(&loop->flushes);
	must(uv_loop_init(&loop->uv), "create an event loop");
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	must(loop->timer_fd < 0 ? -errno : 0, "create a timer descriptor");
	must(uv_poll_init(&loop->uv, &loop->timer_poll, loop->timer_fd), "poll the timer");
	loop->timer_poll.data = loop;
	uv_poll_start(&loop->timer_poll, UV_READABLE, timer_fd_fired);
	uv_prepare_init(&loop->uv, &loop->prepare);
	loop->prepare.data = loop;
	uv_prepare_start(&loop->prepare, before_sleep);
	uv_timer_init(&loop->uv, &loop->turn_limit);
	return loop;
}

static void close_handle(uv_handle_t *handle, void *arg SN_UNUSED)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void sn_loop_destroy(struct sn_loop *loop)
{
	if (loop == NULL)
		return;
	while (loop->timers > 0)
		heap_remove(loop, loop->timers);
	sn_list_for_each (link, &loop->flushes)
		sn_list_remove(link);
	sn_list_for_each (link, &loop->ios)
		sn_io_stop(sn_list_entry(link, struct io_handle, link)->io);
	uv_walk(&loop->uv, close_handle, NULL);
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		; /* a stop that was asked for ends uv_run() once */
	must(uv_loop_close(&loop->uv), "close the event loop");
	close(loop->timer_fd);
	free(loop->heap);
	free(loop->batch);
	free(loop);
}

uv_loop_t *sn_loop_uv(struct sn_loop *loop)
{
	return &loop->uv;
}

int sn_loop_run(struct sn_loop *loop)
{
	loop->in_turn = true;
	while (!loop->stopping)
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	run_flushes(loop);
	loop->stopping = loop->in_turn = loop->now_valid = false;
	return loop->stop_code;
}

void sn_loop_stop(struct sn_loop *loop, int code)
{
	loop->stopping = true;
	loop->stop_code = code;
	uv_stop(&loop->uv);
}

static void turn_limit_reached(uv_timer_t *timer SN_UNUSED)
{
}

void sn_loop_turn(struct sn_loop *loop, uint64_t wait_ns)
{
	uint64_t wait_ms = wait_ns / SN_NS_PER_MS + (wait_ns % SN_NS_PER_MS != 0);

	loop->in_turn = true;
	/* First: a limit counted from an older time may be over before the wait begins. */
	uv_update_time(&loop->uv);
	if (wait_ms > 0)
		uv_timer_start(&loop->turn_limit, turn_limit_reached, wait_ms, 0);
	uv_run(&loop->uv, wait_ms > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	uv_timer_stop(&loop->turn_limit);
	run_flushes(loop);
	loop->in_turn = loop->now_valid = false;
}

/* Fire what is due at the present virtual time, once; false if nothing was. */
static bool fire_at_virtual_now(struct sn_loop *loop)
{
	loop->in_turn = true;
	loop->now_valid = false;
	bool due = loop->timers > 0 && loop->heap[1].due_ns <= sn_loop_now(loop);

	if (due) {
		fire_due_timers(loop);
		run_flushes(loop);
	}
	loop->in_turn = loop->now_valid = false;
	return due;
}

void sn_loop_advance(struct sn_loop *loop, uint64_t by_ns)
{
	struct sn_clock_virtual *clock = sn_clock_to_virtual(loop->clock);
	uint64_t end_ns, rounds = 0;

	assert(clock != NULL);
	end_ns = clock->mono_ns + by_ns;
	for (;;) {
		uint64_t next_ns;

		while (fire_at_virtual_now(loop)) {
			rounds++;
			assert(rounds < ADVANCE_ROUNDS_MAX);
		}
		if (clock->mono_ns >= end_ns)
			return;
		next_ns = loop->timers > 0 ? SN_MIN(loop->heap[1].due_ns, end_ns) : end_ns;
		sn_clock_virtual_advance(clock, next_ns - clock->mono_ns);
	}
}

/* Signals --------------------------------------------------------------- */

static void stop_signal(uv_signal_t *handle, int number SN_UNUSED)
{
	sn_loop_stop(handle->data, 0);
}

int sn_loop_handle_signals(struct sn_loop *loop)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int rc = 0;

	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -errno;
	for (size_t i = 0; rc == 0 && !loop->has_signals && i < SN_COUNT(numbers); i++) {
		uv_signal_init(&loop->uv, &loop->signals[i]);
		loop->signals[i].data = loop;
		rc = uv_signal_start(&loop->signals[i], stop_signal, numbers[i]);
	}
	loop->has_signals = true;
	return rc;
}

static void hung_up(uv_signal_t *handle, int number SN_UNUSED)
{
	struct sn_loop *loop = handle->data;

	if (loop->on_hangup != NULL)
		loop->on_hangup(loop->hangup_ctx);
}

int sn_loop_on_hangup(struct sn_loop *loop, void (*fn)(void *ctx), void *ctx)
{
	loop->on_hangup = fn;
	loop->hangup_ctx = ctx;
	if (loop->has_hangup || fn == NULL)
		return 0;
	uv_signal_init(&loop->uv, &loop->hangup);
	loop->hangup.data = loop;
	loop->has_hangup = true;
	return uv_signal_start(&loop->hangup, hung_up, SIGHUP);
}
