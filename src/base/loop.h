/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: Sonde's thin layer over libuv.
 *
 * One loop per process, callbacks run to completion, no locks.  The clock is
 * read once per wake-up, so that all callbacks of one turn agree
 * (sn_loop_now()).  All timers of a loop share one timerfd (absolute,
 * nanoseconds) behind a uv_poll_t, because uv_timer_t counts milliseconds; with
 * a virtual clock sn_loop_advance() runs them instead.
 *
 * Lifetime: struct sn_timer and struct sn_io are embedded by their owner and may
 * be freed as soon as sn_timer_stop() or sn_io_stop() returns, also from inside
 * their own callback.  (libuv's "free only in the close callback" is handled
 * inside: an sn_io owns a heap-allocated uv_poll_t.)
 */
#ifndef SONDE_BASE_LOOP_H
#define SONDE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"

struct sn_loop;

/* NULL clock means the real one.  Without descriptors for a loop the program ends. */
struct sn_loop *sn_loop_create(const struct sn_clock *clock);
void sn_loop_destroy(struct sn_loop *loop); /* closes what is still open */
uv_loop_t *sn_loop_uv(struct sn_loop *loop);
int sn_loop_run(struct sn_loop *loop); /* until sn_loop_stop(); returns the code given there */
void sn_loop_stop(struct sn_loop *loop, int code);
/* One turn, waiting at most `wait_ns` of real time (rounded up to milliseconds); for tests. */
void sn_loop_turn(struct sn_loop *loop, uint64_t wait_ns);
uint64_t sn_loop_now(const struct sn_loop *loop);     /* monotonic, of this turn */
int64_t sn_loop_wall_now(const struct sn_loop *loop); /* Unix time, of this turn */
/* Virtual clock only: move time in steps from timer to timer, firing each. */
void sn_loop_advance(struct sn_loop *loop, uint64_t by_ns);

/* Timers ---------------------------------------------------------------- */
struct sn_timer;
typedef void sn_timer_fn(struct sn_timer *timer);
struct sn_timer {
	struct sn_loop *loop;
	sn_timer_fn *fn;
	uint64_t due_ns;
	size_t heap_index; /* 0 while not armed */
};
void sn_timer_init(struct sn_timer *timer, struct sn_loop *loop, sn_timer_fn *fn);
void sn_timer_at(struct sn_timer *timer, uint64_t due_ns); /* one shot; re-arming moves it */
void sn_timer_in(struct sn_timer *timer, uint64_t delay_ns);
void sn_timer_stop(struct sn_timer *timer); /* harmless on a stopped or zeroed timer */
bool sn_timer_armed(const struct sn_timer *timer);

/* Descriptors ----------------------------------------------------------- */
enum { SN_IO_READ = 1, SN_IO_WRITE = 2 };
struct sn_io;
typedef void sn_io_fn(struct sn_io *io, int events);
struct sn_io {
	struct sn_loop *loop;
	sn_io_fn *fn;
	void *handle; /* the uv_poll_t while started */
	int fd;       /* borrowed: the owner closes it, after sn_io_stop() */
};
void sn_io_init(struct sn_io *io, struct sn_loop *loop, int fd, sn_io_fn *fn);
/*
 * Again with other events changes them.  A pending socket error counts as all of the
 * events asked for: the owner meets it in its next call and must take it (also out of
 * the error queue, if it asked for one), or it is told again at once.
 */
int sn_io_start(struct sn_io *io, int events);
void sn_io_stop(struct sn_io *io);

/* Called at the end of each turn, before the loop sleeps; used to flush what a turn gathered. */
struct sn_flush;
typedef void sn_flush_fn(struct sn_flush *flush);
struct sn_flush {
	struct sn_list link;
	struct sn_loop *loop;
	sn_flush_fn *fn;
};
void sn_flush_init(struct sn_flush *flush, struct sn_loop *loop, sn_flush_fn *fn);
void sn_flush_stop(struct sn_flush *flush);

/* SIGINT and SIGTERM stop the loop with code 0; SIGPIPE is ignored. */
int sn_loop_handle_signals(struct sn_loop *loop);
/* SIGHUP calls `fn`, which may read again what has changed.  NULL: it does nothing from then on. */
int sn_loop_on_hangup(struct sn_loop *loop, void (*fn)(void *ctx), void *ctx);

#endif
