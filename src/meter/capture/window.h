/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window: memory that files are read into and that packets stay in while other threads work on
 * them, so that nobody has to copy.
 *
 * A pool has a fixed number of windows.  Who reads takes one, fills it and goes on to the next;
 * who is given packets in it holds it until they are done.  Taking is for one thread, holding and
 * releasing for any.
 */
#ifndef SONDE_METER_CAPTURE_WINDOW_H
#define SONDE_METER_CAPTURE_WINDOW_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "meter/capture/file.h"

/* One packet of the largest size with its header must fit behind the rest of another. */
#define SN_WINDOW_BYTES (2 * SN_CAPTURE_PACKET_MAX)

struct sn_windows;

struct sn_window {
	struct sn_windows *pool;
	struct sn_window *next; /* free ones */
	atomic_uint references;
	uint32_t slot; /* from 1: `window` of packets */
	uint8_t *bytes;
};

/*
 * `starved` is called by a take as long as none is free: it does something about it, or waits for
 * somebody else to.
 */
struct sn_windows *sn_windows_create(unsigned count, void (*starved)(void *ctx), void *ctx);
void sn_windows_destroy(struct sn_windows *pool); /* all are back; NULL is fine */
/* So many more than it was created with, for readers that each keep one; from the taking thread. */
void sn_windows_reserve(struct sn_windows *pool, unsigned count);

struct sn_window *sn_windows_take(struct sn_windows *pool); /* held once */
struct sn_window *sn_windows_find(const struct sn_windows *pool, uint32_t slot);
void sn_window_hold(struct sn_window *window);
void sn_window_release(struct sn_window *window);

#endif
