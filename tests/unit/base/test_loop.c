/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"

struct recorder {
	struct sn_timer timer;
	unsigned calls;
	char name;
};

static char order[64];
static size_t order_count;

static void note(struct sn_timer *timer)
{
	struct recorder *recorder = sn_container_of(timer, struct recorder, timer);

	recorder->calls++;
	if (order_count < sizeof(order) - 1)
		order[order_count++] = recorder->name;
	order[order_count] = '\0';
}

static struct sn_clock_virtual virtual_clock;

static struct sn_loop *virtual_loop(void)
{
	order_count = 0;
	order[0] = '\0';
	sn_clock_virtual_init(&virtual_clock, 1000, 5000);
	return sn_loop_create(&virtual_clock.clock);
}

static void timers_fire_by_due_time_then_by_arming_order(void **state)
{
	static const uint64_t due[] = {1300, 1100, 1200, 1100, 1300, 1000};
	struct sn_loop *loop = virtual_loop();
	struct recorder recorders[6];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		recorders[i] = (struct recorder){.name = (char)('a' + i)};
		sn_timer_init(&recorders[i].timer, loop, note);
		sn_timer_at(&recorders[i].timer, due[i]);
	}
	sn_loop_advance(loop, 300);
	assert_string_equal(order, "fbdcae");
	sn_loop_destroy(loop);
}

static void advance_shows_each_timer_its_own_time(void **state)
{
	struct sn_loop *loop = virtual_loop();
	struct recorder early = {.name = 'e'}, late = {.name = 'l'};

	(void)state;
	sn_timer_init(&early.timer, loop, note);
	sn_timer_init(&late.timer, loop, note);
	sn_timer_in(&early.timer, 10);
	sn_timer_in(&late.timer, 30);
	sn_loop_advance(loop, 20);
	assert_int_equal(early.calls, 1);
	assert_int_equal(late.calls, 0);
	assert_true(sn_timer_armed(&late.timer));
	assert_false(sn_timer_armed(&early.timer));
	assert_int_equal(sn_loop_now(loop), 1020);
	assert_int_equal(sn_loop_wall_now(loop), 5020);
	sn_loop_destroy(loop);
}

static void rearming_moves_and_stopping_forgets(void **state)
{
	struct sn_loop *loop = virtual_loop();
	struct recorder a = {.name = 'a'}, b = {.name = 'b'};
	struct sn_timer zeroed = {0};

	(void)state;
	sn_timer_init(&a.timer, loop, note);
	sn_timer_init(&b.timer, loop, note);
	sn_timer_in(&a.timer, 10);
	sn_timer_in(&a.timer, 50);
	sn_timer_in(&b.timer, 10);
	sn_timer_stop(&b.timer);
	sn_timer_stop(&b.timer);
	sn_timer_stop(&zeroed);
	sn_loop_advance(loop, 49);
	assert_string_equal(order, "");
	sn_loop_advance(loop, 1);
	assert_string_equal(order, "a");
	sn_loop_destroy(loop);
}

/* Random arming and stopping: whatever fires does so in order and exactly when due. */
static uint64_t last_due;

static void check_order(struct sn_timer *timer)
{
	assert_true(timer->due_ns >= last_due);
	assert_true(sn_loop_now(timer->loop) == timer->due_ns);
	last_due = timer->due_ns;
	sn_container_of(timer, struct recorder, timer)->calls++;
}

static void a_thousand_random_timers_keep_their_order(void **state)
{
	enum { TIMERS = 1000 };
	struct sn_loop *loop = virtual_loop();
	struct recorder *recorders = sn_new_n(struct recorder, TIMERS);
	struct sn_prng prng;
	unsigned armed = 0, fired = 0;

	(void)state;
	last_due = 0;
	sn_prng_seed(&prng, 7);
	for (size_t i = 0; i < TIMERS; i++)
		sn_timer_init(&recorders[i].timer, loop, check_order);
	for (size_t step = 0; step < 5 * TIMERS; step++) {
		struct sn_timer *timer = &recorders[sn_prng_u64(&prng) % TIMERS].timer;

		if (sn_prng_u64(&prng) % 3 == 0)
			sn_timer_stop(timer);
		else
			sn_timer_in(timer, sn_prng_u64(&prng) % 10000);
	}
	for (size_t i = 0; i < TIMERS; i++)
		armed += sn_timer_armed(&recorders[i].timer);
	sn_loop_advance(loop, 10000);
	for (size_t i = 0; i < TIMERS; i++)
		fired += recorders[i].calls;
	assert_int_equal(fired, armed);
	free(recorders);
	sn_loop_destroy(loop);
}

/* A callback stops and frees another timer that is due in the same turn, and itself. */
struct pair {
	struct sn_timer first;
	struct recorder *second;
};

static void free_both(struct sn_timer *timer)
{
	struct pair *pair = sn_container_of(timer, struct pair, first);

	sn_timer_stop(&pair->second->timer);
	free(pair->second);
	sn_timer_stop(&pair->first);
	free(pair);
}

static void a_callback_may_free_timers_that_are_due_too(void **state)
{
	struct sn_loop *loop = virtual_loop();
	struct pair *pair = sn_new(struct pair);

	(void)state;
	pair->second = sn_new(struct recorder);
	sn_timer_init(&pair->first, loop, free_both);
	sn_timer_init(&pair->second->timer, loop, note);
	sn_timer_at(&pair->first, 1010);
	sn_timer_at(&pair->second->timer, 1010);
	sn_loop_advance(loop, 100);
	assert_string_equal(order, "");
	sn_loop_destroy(loop);
}

static void rearm_at_once(struct sn_timer *timer)
{
	note(timer);
	sn_timer_in(timer, 0);
}

static void a_timer_that_rearms_for_now_does_not_block_the_turn(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct recorder busy = {.name = 'x'};

	(void)state;
	order_count = 0;
	sn_timer_init(&busy.timer, loop, rearm_at_once);
	sn_timer_in(&busy.timer, 0);
	for (int i = 0; i < 5; i++)
		sn_loop_turn(loop, SN_NS_PER_S);
	assert_in_range(busy.calls, 1, 5);
	sn_timer_stop(&busy.timer);
	sn_loop_destroy(loop);
}

static void stop_loop(struct sn_timer *timer)
{
	note(timer);
	sn_loop_stop(timer->loop, 3);
}

static void real_timers_are_never_early_and_stop_gives_the_code(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct recorder recorder = {.name = 'r'};
	uint64_t start_ns = sn_mono_ns();

	(void)state;
	order_count = 0;
	sn_timer_init(&recorder.timer, loop, stop_loop);
	sn_timer_at(&recorder.timer, start_ns + 3 * SN_NS_PER_MS);
	assert_int_equal(sn_loop_run(loop), 3);
	assert_int_equal(recorder.calls, 1);
	assert_true(sn_mono_ns() >= start_ns + 3 * SN_NS_PER_MS);
	sn_loop_destroy(loop);
}

static void a_stop_before_the_run_ends_it_at_once(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);

	(void)state;
	sn_loop_stop(loop, 7);
	assert_int_equal(sn_loop_run(loop), 7);
	sn_loop_destroy(loop);
}

static void a_loop_that_was_told_to_stop_can_be_destroyed_without_running(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);

	(void)state;
	sn_loop_stop(loop, 0);
	sn_loop_destroy(loop);
	sn_loop_destroy(NULL);
}

static uint64_t first_now, second_now;

static void burn_time(struct sn_timer *timer)
{
	first_now = sn_loop_now(timer->loop);
	while (sn_mono_ns() < first_now + SN_NS_PER_MS)
		;
}

static void read_time(struct sn_timer *timer)
{
	second_now = sn_loop_now(timer->loop);
}

static void all_callbacks_of_a_turn_agree_on_the_time(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct sn_timer a, b;

	(void)state;
	sn_timer_init(&a, loop, burn_time);
	sn_timer_init(&b, loop, read_time);
	sn_timer_in(&a, 0);
	sn_timer_in(&b, 0);
	first_now = second_now = 0;
	for (int i = 0; i < 5 && second_now == 0; i++)
		sn_loop_turn(loop, SN_NS_PER_S);
	assert_true(first_now > 0 && first_now == second_now);
	assert_true(sn_loop_now(loop) >= first_now + SN_NS_PER_MS);
	sn_loop_destroy(loop);
}

/* Descriptors ----------------------------------------------------------- */

struct io_fixture {
	struct sn_io io;
	int fds[2];
	int events;
	unsigned calls;
};

static void read_byte(struct sn_io *io, int events)
{
	struct io_fixture *f = sn_container_of(io, struct io_fixture, io);
	char byte;

	f->calls++;
	f->events |= events;
	if (events & SN_IO_READ)
		assert_int_equal(read(io->fd, &byte, 1), 1);
}

static void a_readable_descriptor_is_told_until_it_is_stopped(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct io_fixture f = {0};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f.fds), 0);
	sn_io_init(&f.io, loop, f.fds[0], read_byte);
	assert_int_equal(sn_io_start(&f.io, SN_IO_READ), 0);
	assert_int_equal(write(f.fds[1], "ab", 2), 2);
	sn_loop_turn(loop, SN_NS_PER_S);
	sn_loop_turn(loop, SN_NS_PER_S);
	assert_int_equal(f.calls, 2);
	assert_int_equal(f.events, SN_IO_READ);
	sn_io_stop(&f.io);
	sn_io_stop(&f.io);
	assert_int_equal(write(f.fds[1], "c", 1), 1);
	sn_loop_turn(loop, 0);
	assert_int_equal(f.calls, 2);
	close(f.fds[0]);
	close(f.fds[1]);
	sn_loop_destroy(loop);
}

static void events_can_be_changed(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct io_fixture f = {0};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f.fds), 0);
	sn_io_init(&f.io, loop, f.fds[0], read_byte);
	assert_int_equal(sn_io_start(&f.io, SN_IO_READ), 0);
	sn_loop_turn(loop, 0);
	assert_int_equal(f.calls, 0);
	assert_int_equal(sn_io_start(&f.io, SN_IO_READ | SN_IO_WRITE), 0);
	sn_loop_turn(loop, SN_NS_PER_S);
	assert_int_equal(f.events, SN_IO_WRITE);
	sn_io_stop(&f.io);
	close(f.fds[0]);
	close(f.fds[1]);
	sn_loop_destroy(loop);
}

static void free_owner(struct sn_io *io, int events)
{
	struct io_fixture *f = sn_container_of(io, struct io_fixture, io);

	(void)events;
	sn_io_stop(io);
	close(f->fds[0]);
	close(f->fds[1]);
	free(f);
	order[order_count++] = 'f';
	order[order_count] = '\0';
}

static void a_descriptor_may_be_freed_in_its_own_callback(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct io_fixture *f = sn_new(struct io_fixture);

	(void)state;
	order_count = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->fds), 0);
	sn_io_init(&f->io, loop, f->fds[0], free_owner);
	assert_int_equal(sn_io_start(&f->io, SN_IO_READ), 0);
	assert_int_equal(write(f->fds[1], "a", 1), 1);
	sn_loop_turn(loop, SN_NS_PER_S);
	assert_string_equal(order, "f");
	sn_loop_destroy(loop);
}

static struct io_fixture *other;

static void free_other(struct sn_io *io, int events)
{
	(void)io;
	(void)events;
	order[order_count++] = 'o';
	order[order_count] = '\0';
	sn_io_stop(io);
	if (other == NULL)
		return;
	sn_io_stop(&other->io);
	close(other->fds[0]);
	close(other->fds[1]);
	free(other);
	other = NULL;
}

static void of_two_ready_descriptors_one_may_free_the_other(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct io_fixture *both[2];

	(void)state;
	order_count = 0;
	for (int i = 0; i < 2; i++) {
		both[i] = sn_new(struct io_fixture);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, both[i]->fds), 0);
		sn_io_init(&both[i]->io, loop, both[i]->fds[0], free_other);
		assert_int_equal(sn_io_start(&both[i]->io, SN_IO_READ), 0);
		assert_int_equal(write(both[i]->fds[1], "a", 1), 1);
	}
	/* Whoever is first frees number 1; with number 1 first that is itself. */
	other = both[1];
	sn_loop_turn(loop, SN_NS_PER_S);
	assert_null(other);
	assert_in_range(order_count, 1, 2);
	sn_io_stop(&both[0]->io);
	close(both[0]->fds[0]);
	close(both[0]->fds[1]);
	free(both[0]);
	sn_loop_destroy(loop);
}

static void read_error(struct sn_io *io, int events)
{
	struct io_fixture *f = sn_container_of(io, struct io_fixture, io);
	char byte;

	f->events |= events;
	f->calls++;
	if (recv(io->fd, &byte, 1, MSG_DONTWAIT) < 0)
		f->events |= errno == ECONNREFUSED ? 0x100 : 0;
}

static void a_socket_error_reaches_the_owner_and_polling_goes_on(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct io_fixture f = {0};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int port_holder = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	/* A port that was free a moment ago: bound, learned, and closed again. */
	assert_int_equal(bind(port_holder, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(port_holder, (struct sockaddr *)&address, &size), 0);
	f.fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(connect(f.fds[0], (struct sockaddr *)&address, size), 0);
	close(port_holder);
	sn_io_init(&f.io, loop, f.fds[0], read_error);
	assert_int_equal(sn_io_start(&f.io, SN_IO_READ), 0);
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(send(f.fds[0], "x", 1, 0), 1);
		sn_loop_turn(loop, SN_NS_PER_S);
		assert_int_equal(f.calls, i);
		assert_int_equal(f.events, SN_IO_READ | 0x100);
	}
	sn_io_stop(&f.io);
	close(f.fds[0]);
	sn_loop_destroy(loop);
}

static void destroy_lets_go_of_what_is_still_open(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct io_fixture f = {0};
	struct recorder recorder = {0};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f.fds), 0);
	sn_io_init(&f.io, loop, f.fds[0], read_byte);
	assert_int_equal(sn_io_start(&f.io, SN_IO_READ), 0);
	sn_timer_init(&recorder.timer, loop, note);
	sn_timer_in(&recorder.timer, SN_NS_PER_S);
	sn_loop_destroy(loop);
	/* The owners may still stop theirs afterwards. */
	sn_io_stop(&f.io);
	sn_timer_stop(&recorder.timer);
	close(f.fds[0]);
	close(f.fds[1]);
}

/* Flushes --------------------------------------------------------------- */

struct flusher {
	struct sn_flush flush;
	struct flusher *victim;
	unsigned calls;
};

static void count_flush(struct sn_flush *flush)
{
	struct flusher *flusher = sn_container_of(flush, struct flusher, flush);

	flusher->calls++;
	if (flusher->victim != NULL) {
		sn_flush_stop(&flusher->victim->flush);
		flusher->victim = NULL;
	}
}

static void a_flush_runs_after_the_timers_of_the_turn(void **state)
{
	struct sn_loop *loop = virtual_loop();
	struct recorder recorder = {.name = 't'};
	struct flusher flusher = {0};

	(void)state;
	sn_timer_init(&recorder.timer, loop, note);
	sn_flush_init(&flusher.flush, loop, count_flush);
	sn_timer_in(&recorder.timer, 5);
	sn_loop_advance(loop, 4);
	assert_int_equal(flusher.calls, 0);
	sn_loop_advance(loop, 1);
	assert_int_equal(flusher.calls, 1);
	sn_flush_stop(&flusher.flush);
	sn_flush_stop(&flusher.flush);
	sn_loop_turn(loop, 0);
	assert_int_equal(flusher.calls, 1);
	sn_loop_destroy(loop);
}

static void a_flush_may_stop_itself_and_others(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct flusher a = {0}, b = {0}, c = {0};

	(void)state;
	sn_flush_init(&a.flush, loop, count_flush);
	sn_flush_init(&b.flush, loop, count_flush);
	sn_flush_init(&c.flush, loop, count_flush);
	a.victim = &b;
	c.victim = &c;
	sn_loop_turn(loop, 0);
	assert_true(a.calls > 0);
	assert_int_equal(b.calls, 0);
	assert_int_equal(c.calls, 1);
	sn_loop_destroy(loop);
}

static void send_signal(struct sn_timer *timer)
{
	note(timer);
	kill(getpid(), SIGTERM);
}

static void a_term_signal_stops_the_loop_with_zero(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	struct recorder recorder = {.name = 's'};

	(void)state;
	assert_int_equal(sn_loop_handle_signals(loop), 0);
	sn_timer_init(&recorder.timer, loop, send_signal);
	sn_timer_in(&recorder.timer, 0);
	assert_int_equal(sn_loop_run(loop), 0);
	assert_int_equal(recorder.calls, 1);
	sn_loop_destroy(loop);
}

static void count_hangup(void *ctx)
{
	++*(unsigned *)ctx;
}

static void a_hangup_calls_whoever_asked_and_nobody_later(void **state)
{
	struct sn_loop *loop = sn_loop_create(NULL);
	unsigned calls = 0;

	(void)state;
	assert_int_equal(sn_loop_on_hangup(loop, count_hangup, &calls), 0);
	for (unsigned i = 1; i <= 2; i++) {
		kill(getpid(), SIGHUP);
		for (unsigned k = 0; k < 100 && calls < i; k++)
			sn_loop_turn(loop, 10 * SN_NS_PER_MS);
		assert_int_equal(calls, i);
	}
	assert_int_equal(sn_loop_on_hangup(loop, NULL, NULL), 0);
	kill(getpid(), SIGHUP);
	for (unsigned k = 0; k < 5; k++)
		sn_loop_turn(loop, 2 * SN_NS_PER_MS);
	assert_int_equal(calls, 2);
	sn_loop_destroy(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_by_due_time_then_by_arming_order),
		cmocka_unit_test(advance_shows_each_timer_its_own_time),
		cmocka_unit_test(rearming_moves_and_stopping_forgets),
		cmocka_unit_test(a_thousand_random_timers_keep_their_order),
		cmocka_unit_test(a_callback_may_free_timers_that_are_due_too),
		cmocka_unit_test(a_timer_that_rearms_for_now_does_not_block_the_turn),
		cmocka_unit_test(real_timers_are_never_early_and_stop_gives_the_code),
		cmocka_unit_test(a_stop_before_the_run_ends_it_at_once),
		cmocka_unit_test(a_loop_that_was_told_to_stop_can_be_destroyed_without_running),
		cmocka_unit_test(all_callbacks_of_a_turn_agree_on_the_time),
		cmocka_unit_test(a_readable_descriptor_is_told_until_it_is_stopped),
		cmocka_unit_test(events_can_be_changed),
		cmocka_unit_test(a_descriptor_may_be_freed_in_its_own_callback),
		cmocka_unit_test(of_two_ready_descriptors_one_may_free_the_other),
		cmocka_unit_test(a_socket_error_reaches_the_owner_and_polling_goes_on),
		cmocka_unit_test(destroy_lets_go_of_what_is_still_open),
		cmocka_unit_test(a_flush_runs_after_the_timers_of_the_turn),
		cmocka_unit_test(a_flush_may_stop_itself_and_others),
		cmocka_unit_test(a_term_signal_stops_the_loop_with_zero),
		cmocka_unit_test(a_hangup_calls_whoever_asked_and_nobody_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
