/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line: one direction of an impaired link, as arithmetic on times.
 *
 * A frame meets, in this order: the black hole, the loss, the duplication, the
 * bottleneck (rate and bounded queue), then delay and jitter.  Frames leave in the
 * order they came (jitter stretches gaps, it does not reorder); only those chosen
 * for reordering skip the delay and overtake.
 *
 * No clock and no descriptor in here: time comes as argument, so that statistics
 * can be tested in virtual time.  The same seed and frames give the same result.
 */
#ifndef SONDE_DEMO_IMPAIR_LINE_H
#define SONDE_DEMO_IMPAIR_LINE_H

#include "base/rand.h"
#include "demo/impair/fifo.h"
#include "demo/impair/shape.h"

#define SN_LINE_BUFFER_MAX (16 * 1024 * 1024) /* bytes that may be on their way */

struct sn_line_counters {
	uint64_t frames, bytes;        /* came in */
	uint64_t passed, passed_bytes; /* went out */
	uint64_t lost;                 /* by chance, as configured */
	uint64_t dropped_queue;        /* the queue of the bottleneck was full */
	uint64_t dropped_down;         /* black hole or link down */
	uint64_t dropped_buffer;       /* more on its way than SN_LINE_BUFFER_MAX */
	uint64_t dropped_device;       /* the far end did not take it */
	uint64_t duplicated, reordered;
};

struct sn_line {
	struct sn_impair_shape shape;
	struct sn_line_counters counters;
	struct sn_prng prng;
	struct sn_fifo ordered, early; /* early: those that overtake */
	size_t header;                 /* bytes of each frame that are not on the wire */
	uint64_t free_ns;              /* when the bottleneck has sent what it holds */
	uint64_t last_due_ns;
	bool in_burst;
};

void sn_line_init(struct sn_line *line, uint64_t seed);
void sn_line_finish(struct sn_line *line);
/* Frames on their way keep the times they were given. */
void sn_line_set(struct sn_line *line, const struct sn_impair_shape *shape);
void sn_line_push(struct sn_line *line, uint64_t now_ns, const void *frame, size_t size);
/* When the next frame leaves; UINT64_MAX if none is on its way. */
uint64_t sn_line_next(const struct sn_line *line);
/* The next frame if it is due, else NULL; valid until push or pop. */
const void *sn_line_front(const struct sn_line *line, uint64_t now_ns, size_t *size);
/* Takes that frame off; `delivered` says whether the far end took it. */
void sn_line_pop(struct sn_line *line, bool delivered);
/* Members "frames", "lost_frames" ... into the open object of `jw`. */
void sn_line_counters_write(const struct sn_line_counters *counters, struct sn_jw *jw);

#endif
