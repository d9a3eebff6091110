/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queue arithmetic in virtual time: delay, rate, queue and the statistics of what
 * is random, each against what was configured.
 */
#include "lib/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "demo/impair/line.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static void make(struct sn_line *line, const char *shape_text, uint64_t seed)
{
	struct sn_impair_shape shape = {0};
	struct sn_err err;

	if (sn_impair_shape_parse(&shape, sn_str(shape_text), &err) != 0)
		fail_msg("%s", err.text);
	sn_line_init(line, seed);
	sn_line_set(line, &shape);
}

static void push(struct sn_line *line, uint64_t now_ns, uint32_t number, size_t size)
{
	unsigned char frame[2000] = {0};

	memcpy(frame, &number, sizeof(number));
	sn_line_push(line, now_ns, frame, size);
}

/* Takes what leaves next and moves the time there. */
static uint32_t pop(struct sn_line *line, uint64_t *now_ns)
{
	uint32_t number = UINT32_MAX;
	size_t size = 0;
	const void *frame;

	*now_ns = sn_line_next(line);
	if (*now_ns > 0)
		assert_null(sn_line_front(line, *now_ns - 1, &size));
	frame = sn_line_front(line, *now_ns, &size);
	assert_non_null(frame);
	memcpy(&number, frame, sizeof(number));
	sn_line_pop(line, true);
	return number;
}

static void a_frame_leaves_exactly_after_its_delay(void **state SN_UNUSED)
{
	struct sn_line line;
	uint64_t now;

	make(&line, "delay=20ms", 1);
	assert_true(sn_line_next(&line) == UINT64_MAX);
	push(&line, 5 * MS, 7, 100);
	push(&line, 6 * MS, 8, 100);
	assert_int_equal(pop(&line, &now), 7);
	assert_int_equal(now, 25 * MS);
	assert_int_equal(pop(&line, &now), 8);
	assert_int_equal(now, 26 * MS);
	assert_true(sn_line_next(&line) == UINT64_MAX);
	assert_int_equal(line.counters.passed, 2);
	assert_int_equal(line.counters.passed_bytes, 200);
	sn_line_finish(&line);
}

static void rate_spaces_frames_by_their_size(void **state SN_UNUSED)
{
	struct sn_line line;
	uint64_t now;

	/* 1250 bytes at 10 Mbit/s take 1 ms. */
	make(&line, "rate=10Mbit,delay=3ms,queue=1MB", 1);
	for (uint32_t i = 0; i < 5; i++)
		push(&line, 0, i, 1250);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(pop(&line, &now), i);
		assert_int_equal(now, (i + 4) * MS);
	}
	/* An idle bottleneck starts at once. */
	push(&line, 100 * MS, 9, 1250);
	assert_int_equal(pop(&line, &now), 9);
	assert_int_equal(now, 104 * MS);
	sn_line_finish(&line);
}

static void a_full_queue_drops_and_counts(void **state SN_UNUSED)
{
	struct sn_line line;

	make(&line, "rate=10Mbit,queue=5000", 1);
	/* At one instant exactly four frames of 1250 bytes fit, the one being sent included. */
	for (uint32_t i = 0; i < 10; i++)
		push(&line, 0, i, 1250);
	assert_int_equal(line.counters.dropped_queue, 6);
	assert_int_equal(line.ordered.frames, 4);
	/* 2 ms later two have been sent. */
	push(&line, 2 * MS, 20, 1250);
	push(&line, 2 * MS, 21, 1250);
	push(&line, 2 * MS, 22, 1250);
	assert_int_equal(line.counters.dropped_queue, 7);
	sn_line_finish(&line);
}

static void a_frame_larger_than_the_queue_passes_an_idle_bottleneck(void **state SN_UNUSED)
{
	struct sn_line line;

	make(&line, "rate=10Mbit,queue=100", 1);
	push(&line, 0, 1, 1250);
	push(&line, 0, 2, 1250);
	assert_int_equal(line.ordered.frames, 1);
	assert_int_equal(line.counters.dropped_queue, 1);
	sn_line_finish(&line);
}

static void goodput_is_the_rate_under_overload(void **state SN_UNUSED)
{
	struct sn_line line;
	uint64_t bytes = 0, last = 0, now;

	make(&line, "rate=20Mbit", 1);
	for (uint32_t i = 0; i < 50000; i++) /* 100 Mbit/s for 5 s */
		push(&line, i * (MS / 10), i, 1250);
	while (sn_line_next(&line) != UINT64_MAX) {
		pop(&line, &now);
		bytes += 1250;
		last = now;
	}
	assert_true(fabs((double)bytes * 8 / ((double)last / 1e9) - 20e6) < 20e6 * 0.001);
	assert_int_equal(line.counters.passed + line.counters.dropped_queue, 50000);
	/* What waits at the end is at most the queue: 100 ms. */
	assert_true(last <= 5 * S + 101 * MS);
	sn_line_finish(&line);
}

static void loss_is_binomial(void **state SN_UNUSED)
{
	const double p = 0.03, n = 200000;
	struct sn_line line;

	make(&line, "loss=3%", 42);
	for (uint32_t i = 0; i < (uint32_t)n; i++)
		push(&line, i, i, 64);
	assert_true(fabs((double)line.counters.lost - n * p) < 5 * sqrt(n * p * (1 - p)));
	assert_int_equal(line.counters.lost + line.ordered.frames, (int)n);
	sn_line_finish(&line);
}

static void bursts_have_their_mean_length_and_keep_the_loss(void **state SN_UNUSED)
{
	struct sn_line line;
	uint64_t runs = 0, before = 0;
	bool in_run = false;

	make(&line, "loss=5%,burst=8", 7);
	for (uint32_t i = 0; i < 400000; i++) {
		bool lost;

		push(&line, i, i, 16);
		lost = line.counters.lost != before;
		runs += lost && !in_run;
		in_run = lost;
		before = line.counters.lost;
		if (!lost)
			sn_line_pop(&line, true);
	}
	assert_true(fabs((double)line.counters.lost / 400000 - 0.05) < 0.005);
	assert_true(fabs((double)line.counters.lost / (double)runs - 8) < 0.5);
	sn_line_finish(&line);
}

static void all_or_nothing_loss_is_exact(void **state SN_UNUSED)
{
	struct sn_line line;

	make(&line, "loss=100%,burst=5", 1);
	for (uint32_t i = 0; i < 100; i++)
		push(&line, i, i, 64);
	assert_int_equal(line.counters.lost, 100);
	sn_line_finish(&line);
	make(&line, "loss=0,burst=5", 1);
	for (uint32_t i = 0; i < 100; i++)
		push(&line, i, i, 64);
	assert_int_equal(line.counters.lost, 0);
	sn_line_finish(&line);
}

static void jitter_adds_its_mean_and_never_reorders_or_hurries(void **state SN_UNUSED)
{
	struct sn_line line;
	double sum = 0;
	uint64_t least = UINT64_MAX;

	make(&line, "delay=10ms,jitter=2ms", 3);
	/* Far enough apart that order costs nothing: the extra is the draw itself. */
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t sent = i * 100 * MS, now;

		push(&line, sent, i, 64);
		assert_int_equal(pop(&line, &now), i);
		assert_true(now - sent >= 10 * MS && now - sent <= 26 * MS);
		least = SN_MIN(least, now - sent);
		sum += (double)(now - sent - 10 * MS);
	}
	assert_true(fabs(sum / 20000 / 1e6 - 2) < 0.1);
	assert_true(least < 10 * MS + MS / 100);

	/* Close together they would overtake, but stay in order. */
	for (uint32_t i = 0; i < 1000; i++)
		push(&line, 10000 * S + i * 1000, i, 64);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t now;

		assert_int_equal(pop(&line, &now), i);
	}
	sn_line_finish(&line);
}

static void chosen_frames_overtake(void **state SN_UNUSED)
{
	struct sn_line line;
	uint32_t out_of_order = 0, highest = 0;

	make(&line, "delay=10ms,reorder=10%", 5);
	for (uint32_t i = 1; i <= 10000; i++)
		push(&line, i * MS, i, 64);
	for (uint32_t i = 0; i < 10000; i++) {
		uint64_t now;
		uint32_t number = pop(&line, &now);

		out_of_order += number < highest;
		highest = SN_MAX(highest, number);
	}
	assert_true(llabs((long long)line.counters.reordered - 1000) < 150);
	assert_true(out_of_order > 1000);
	sn_line_finish(&line);
}

static void duplicates_come_twice_and_are_counted(void **state SN_UNUSED)
{
	struct sn_line line;
	uint64_t now;

	make(&line, "duplicate=100%,delay=1ms", 5);
	push(&line, 0, 4, 64);
	assert_int_equal(pop(&line, &now), 4);
	assert_int_equal(pop(&line, &now), 4);
	assert_true(sn_line_next(&line) == UINT64_MAX);
	assert_int_equal(line.counters.duplicated, 1);
	assert_int_equal(line.counters.frames, 1);
	assert_int_equal(line.counters.passed, 2);
	sn_line_finish(&line);
}

static void a_link_that_is_down_drops_everything(void **state SN_UNUSED)
{
	struct sn_line line;

	make(&line, "down=yes", 1);
	push(&line, 0, 1, 64);
	assert_int_equal(line.counters.dropped_down, 1);
	sn_line_finish(&line);
	make(&line, "blackhole=yes", 1);
	push(&line, 0, 1, 64);
	assert_int_equal(line.counters.dropped_down, 1);
	sn_line_finish(&line);
}

static void the_same_seed_gives_the_same_losses(void **state SN_UNUSED)
{
	struct sn_line a, b, other;
	unsigned different = 0;

	make(&a, "loss=30%", 11);
	make(&b, "loss=30%", 11);
	make(&other, "loss=30%", 12);
	for (uint32_t i = 0; i < 1000; i++) {
		push(&a, i, i, 64);
		push(&b, i, i, 64);
		push(&other, i, i, 64);
		assert_int_equal(a.counters.lost, b.counters.lost);
		different += a.counters.lost != other.counters.lost;
	}
	assert_true(different > 0);
	sn_line_finish(&a);
	sn_line_finish(&b);
	sn_line_finish(&other);
}

static void a_shorter_delay_does_not_make_new_frames_overtake(void **state SN_UNUSED)
{
	struct sn_impair_shape shape = {.delay_ns = 5 * (int64_t)MS};
	struct sn_line line;
	uint64_t now;

	make(&line, "delay=100ms", 1);
	push(&line, 0, 1, 64);
	sn_line_set(&line, &shape);
	push(&line, 10 * MS, 2, 64);
	assert_int_equal(pop(&line, &now), 1);
	assert_int_equal(now, 100 * MS);
	assert_int_equal(pop(&line, &now), 2);
	assert_int_equal(now, 100 * MS);
	sn_line_finish(&line);
}

static void what_is_on_its_way_has_a_limit(void **state SN_UNUSED)
{
	struct sn_line line;
	uint32_t i;

	make(&line, "delay=60s", 1);
	for (i = 0; i < 20000; i++)
		push(&line, i, i, 1500);
	assert_true(line.counters.dropped_buffer > 0);
	assert_true(line.ordered.size <= SN_LINE_BUFFER_MAX);
	assert_true(line.ordered.frames * 1500 > SN_LINE_BUFFER_MAX / 2);
	assert_int_equal(line.ordered.frames + line.counters.dropped_buffer, 20000);
	sn_line_finish(&line);
}

static void the_header_is_not_on_the_wire(void **state SN_UNUSED)
{
	struct sn_line line;
	uint64_t now;

	make(&line, "rate=10Mbit", 1);
	line.header = 10;
	push(&line, 0, 1, 1260);
	pop(&line, &now);
	assert_int_equal(now, MS);
	assert_int_equal(line.counters.bytes, 1250);
	assert_int_equal(line.counters.passed_bytes, 1250);
	sn_line_finish(&line);
}

/* The ring against a plain array: random sizes, pushes and pops. */
static void the_ring_gives_back_what_went_in(void **state SN_UNUSED)
{
	struct sn_fifo fifo;
	struct sn_prng prng;
	unsigned char frame[3000];
	uint64_t pushed = 0, popped = 0;

	sn_prng_seed(&prng, 99);
	sn_fifo_init(&fifo, 1 << 22);
	for (int step = 0; step < 200000; step++) {
		/* Long phases of growth and shrinking, so that it wraps, grows and empties. */
		unsigned bias = (step / 5000) % 2 == 0 ? 60 : 40;

		if (sn_prng_u64(&prng) % 100 < bias) {
			size_t size = 8 + pushed * 7919 % 2900;

			memset(frame, (int)(pushed & 0xff), size);
			memcpy(frame, &pushed, sizeof(pushed));
			if (sn_fifo_push(&fifo, pushed, frame, size))
				pushed++;
		} else if (fifo.frames > 0) {
			size_t size = 0;
			const unsigned char *got = sn_fifo_front(&fifo, &size);
			uint64_t number;

			memcpy(&number, got, sizeof(number));
			assert_int_equal(number, popped);
			assert_int_equal(sn_fifo_due(&fifo), popped);
			assert_int_equal(size, 8 + popped * 7919 % 2900);
			assert_int_equal(got[size - 1],
					 size > 8 ? (unsigned char)popped : got[size - 1]);
			sn_fifo_pop(&fifo);
			popped++;
		}
		assert_int_equal(fifo.frames, pushed - popped);
	}
	assert_true(pushed > 50000);
	sn_fifo_finish(&fifo);
}

static void a_large_empty_ring_is_given_back(void **state SN_UNUSED)
{
	static unsigned char frame[60000];
	struct sn_fifo fifo;

	sn_fifo_init(&fifo, 1 << 24);
	for (int i = 0; i < 100; i++)
		assert_true(sn_fifo_push(&fifo, 0, frame, sizeof(frame)));
	for (int i = 0; i < 100; i++)
		sn_fifo_pop(&fifo);
	assert_null(fifo.ring);
	assert_true(sn_fifo_due(&fifo) == UINT64_MAX);
	assert_true(sn_fifo_push(&fifo, 5, frame, 10));
	assert_int_equal(sn_fifo_due(&fifo), 5);
	sn_fifo_finish(&fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_leaves_exactly_after_its_delay),
		cmocka_unit_test(rate_spaces_frames_by_their_size),
		cmocka_unit_test(a_full_queue_drops_and_counts),
		cmocka_unit_test(a_frame_larger_than_the_queue_passes_an_idle_bottleneck),
		cmocka_unit_test(goodput_is_the_rate_under_overload),
		cmocka_unit_test(loss_is_binomial),
		cmocka_unit_test(bursts_have_their_mean_length_and_keep_the_loss),
		cmocka_unit_test(all_or_nothing_loss_is_exact),
		cmocka_unit_test(jitter_adds_its_mean_and_never_reorders_or_hurries),
		cmocka_unit_test(chosen_frames_overtake),
		cmocka_unit_test(duplicates_come_twice_and_are_counted),
		cmocka_unit_test(a_link_that_is_down_drops_everything),
		cmocka_unit_test(the_same_seed_gives_the_same_losses),
		cmocka_unit_test(a_shorter_delay_does_not_make_new_frames_overtake),
		cmocka_unit_test(what_is_on_its_way_has_a_limit),
		cmocka_unit_test(the_header_is_not_on_the_wire),
		cmocka_unit_test(the_ring_gives_back_what_went_in),
		cmocka_unit_test(a_large_empty_ring_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
