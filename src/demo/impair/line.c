/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/impair/line.h"

#include <math.h>

/* An exponential tail has no end; beyond this it would only be a strange loss. */
#define JITTER_CUT 8.0

void sn_line_init(struct sn_line *line, uint64_t seed)
{
	*line = (struct sn_line){0};
	sn_prng_seed(&line->prng, seed);
	sn_fifo_init(&line->ordered, SN_LINE_BUFFER_MAX);
	sn_fifo_init(&line->early, SN_LINE_BUFFER_MAX);
}

void sn_line_finish(struct sn_line *line)
{
	sn_fifo_finish(&line->ordered);
	sn_fifo_finish(&line->early);
}

void sn_line_set(struct sn_line *line, const struct sn_impair_shape *shape)
{
	/* What waits at the bottleneck was timed by the old rate; new frames start afresh. */
	if (shape->rate_bps != line->shape.rate_bps)
		line->free_ns = 0;
	line->shape = *shape;
	line->in_burst = false;
}

static bool chance(struct sn_line *line, double share)
{
	return share > 0 && sn_prng_unit(&line->prng) < share;
}

/*
 * Gilbert's two states: in a burst every frame is lost.  A burst ends with chance
 * 1 / length; it begins so often that the share of lost frames is the loss.
 */
static bool is_lost(struct sn_line *line)
{
	double loss = line->shape.loss, burst = line->shape.burst;

	if (burst < 1 || loss >= 1)
		return chance(line, loss);
	if (line->in_burst)
		line->in_burst = !chance(line, 1 / burst);
	else
		line->in_burst = chance(line, loss / (burst * (1 - loss)));
	return line->in_burst;
}

static uint64_t jitter(struct sn_line *line)
{
	double extra;

	if (line->shape.jitter_ns == 0)
		return 0;
	extra = -log(1 - sn_prng_unit(&line->prng));
	return (uint64_t)((double)line->shape.jitter_ns * SN_MIN(extra, JITTER_CUT));
}

/* When the frame has left the bottleneck; false if its queue is full. */
static bool pass_bottleneck(struct sn_line *line, uint64_t now_ns, size_t size, uint64_t *left_ns)
{
	uint64_t rate = line->shape.rate_bps;
	uint64_t start_ns = SN_MAX(now_ns, line->free_ns);
	double waiting = (double)(start_ns - now_ns) * (double)rate / 8e9; /* bytes */

	*left_ns = now_ns;
	if (rate == 0)
		return true;
	if (start_ns > now_ns &&
	    waiting + (double)size > (double)sn_impair_shape_queue(&line->shape))
		return false;
	*left_ns = line->free_ns = start_ns + size * 8 * (uint64_t)SN_NS_PER_S / rate;
	return true;
}

static void enqueue(struct sn_line *line, uint64_t now_ns, const void *frame, size_t size)
{
	uint64_t left_ns, due_ns;

	if (!pass_bottleneck(line, now_ns, size - line->header, &left_ns)) {
		line->counters.dropped_queue++;
		return;
	}
	if (line->shape.delay_ns > 0 && chance(line, line->shape.reorder)) {
		if (sn_fifo_push(&line->early, left_ns, frame, size))
			line->counters.reordered++;
		else
			line->counters.dropped_buffer++;
		return;
	}
	due_ns = left_ns + (uint64_t)line->shape.delay_ns + jitter(line);
	due_ns = SN_MAX(due_ns, line->last_due_ns);
	if (sn_fifo_push(&line->ordered, due_ns, frame, size))
		line->last_due_ns = due_ns;
	else
		line->counters.dropped_buffer++;
}

void sn_line_push(struct sn_line *line, uint64_t now_ns, const void *frame, size_t size)
{
	line->counters.frames++;
	line->counters.bytes += size - line->header;
	if (line->shape.blackhole || line->shape.down) {
		line->counters.dropped_down++;
		return;
	}
	if (is_lost(line)) {
		line->counters.lost++;
		return;
	}
	enqueue(line, now_ns, frame, size);
	if (chance(line, line->shape.duplicate)) {
		line->counters.duplicated++;
		enqueue(line, now_ns, frame, size);
	}
}

static const struct sn_fifo *next_fifo(const struct sn_line *line)
{
	return sn_fifo_due(&line->early) < sn_fifo_due(&line->ordered) ? &line->early
								       : &line->ordered;
}

uint64_t sn_line_next(const struct sn_line *line)
{
	return sn_fifo_due(next_fifo(line));
}

const void *sn_line_front(const struct sn_line *line, uint64_t now_ns, size_t *size)
{
	const struct sn_fifo *fifo = next_fifo(line);

	return sn_fifo_due(fifo) <= now_ns ? sn_fifo_front(fifo, size) : NULL;
}

void sn_line_pop(struct sn_line *line, bool delivered)
{
	struct sn_fifo *fifo = next_fifo(line) == &line->early ? &line->early : &line->ordered;
	size_t size = 0;

	sn_fifo_front(fifo, &size);
	sn_fifo_pop(fifo);
	if (delivered) {
		line->counters.passed++;
		line->counters.passed_bytes += size - line->header;
	} else {
		line->counters.dropped_device++;
	}
}

void sn_line_counters_write(const struct sn_line_counters *counters, struct sn_jw *jw)
{
	sn_jw_ku64(jw, "frames", counters->frames);
	sn_jw_ku64(jw, "bytes", counters->bytes);
	sn_jw_ku64(jw, "passed_frames", counters->passed);
	sn_jw_ku64(jw, "passed_bytes", counters->passed_bytes);
	sn_jw_ku64(jw, "lost_frames", counters->lost);
	sn_jw_ku64(jw, "queue_drops", counters->dropped_queue);
	sn_jw_ku64(jw, "down_drops", counters->dropped_down);
	sn_jw_ku64(jw, "buffer_drops", counters->dropped_buffer);
	sn_jw_ku64(jw, "device_drops", counters->dropped_device);
	sn_jw_ku64(jw, "duplicated_frames", counters->duplicated);
	sn_jw_ku64(jw, "reordered_frames", counters->reordered);
}
