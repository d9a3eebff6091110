/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink: somebody who takes what the meter has to tell.
 *
 * A sink belongs to one worker and is called from its thread only; what several
 * share (files, connections) locks itself.  Calls return 0 or a negative errno
 * that ends the run; a sink that can do without its receiver (a collector that is
 * away) keeps its own count of losses and returns 0.
 */
#ifndef SONDE_METER_OUTPUT_SINK_H
#define SONDE_METER_OUTPUT_SINK_H

#include "base/err.h"
#include "meter/view/view.h"

struct sn_sink_ops {
	/* Any may be NULL. */
	int (*flow)(void *sink, const struct sn_view_flow *view);
	int (*http)(void *sink, const struct sn_view_http *view);
	int (*dns)(void *sink, const struct sn_view_dns *view);
	/* Packet time has reached `now_ns`; at least every 134 ms of it while packets come. */
	int (*advance)(void *sink, int64_t now_ns);
	int (*flush)(void *sink, struct sn_err *err);
	void (*destroy)(void *sink);
};

struct sn_sink {
	const struct sn_sink_ops *ops;
	void *sink;
};

#endif
