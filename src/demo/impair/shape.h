/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape: what one direction of a link does to the frames that cross it.
 *
 * The keys are written as in `delay=20ms,jitter=2ms,loss=1%,rate=20Mbit`; one table
 * holds name, type and limits, and feeds the parser, the JSON and the text form.
 */
#ifndef SONDE_DEMO_IMPAIR_SHAPE_H
#define SONDE_DEMO_IMPAIR_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct sn_impair_shape {      /* zeroed lets everything pass at once */
	int64_t delay_ns;     /* the least that every frame takes */
	int64_t jitter_ns;    /* mean of an exponentially distributed extra */
	double loss;          /* share of frames that vanish */
	double burst;         /* mean length of a run of losses; 0: each frame by itself */
	double reorder;       /* share that skips the delay and so overtakes */
	double duplicate;     /* share that comes twice */
	uint64_t rate_bps;    /* of the bottleneck before the delay; 0: none */
	uint64_t queue_bytes; /* what may wait at the bottleneck; 0: 100 ms at the rate */
	bool blackhole;       /* everything vanishes */
	bool down;            /* the same, and TAP ends lose their carrier */
};

/* One key; -EINVAL with the reason, or the nearest known key. */
int sn_impair_shape_set(struct sn_impair_shape *shape, struct sn_str key, struct sn_str value,
			struct sn_err *err);
/* "key=value,key=value"; `shape` is unchanged on failure. */
int sn_impair_shape_parse(struct sn_impair_shape *shape, struct sn_str text, struct sn_err *err);
/* Members "delay_seconds", "loss_ratio" ... into the open object of `jw`. */
void sn_impair_shape_write(const struct sn_impair_shape *shape, struct sn_jw *jw);
/* "delay=20ms,loss=1%", only what differs from nothing; empty if all is zero. */
void sn_impair_shape_print(const struct sn_impair_shape *shape, struct sn_buf *out);
/* What of `queue_bytes` really holds. */
uint64_t sn_impair_shape_queue(const struct sn_impair_shape *shape);

#endif
