/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fifo: frames that wait, each with the time it leaves, in one ring of bytes.
 *
 * Frames leave in the order they came.  The ring grows with need up to its limit
 * and is given back when it runs empty after a large burst.
 */
#ifndef SONDE_DEMO_IMPAIR_FIFO_H
#define SONDE_DEMO_IMPAIR_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sn_fifo { /* zeroed is empty and valid, with limit 0: set it */
	unsigned char *ring;
	size_t size;
	size_t head, tail; /* offsets of the oldest frame and of the next free byte */
	size_t wrap;       /* where the used part ends while tail is below head */
	size_t frames;
	size_t limit; /* the ring never gets larger than this */
};

void sn_fifo_init(struct sn_fifo *fifo, size_t limit);
void sn_fifo_finish(struct sn_fifo *fifo);
/* False if it is full. */
bool sn_fifo_push(struct sn_fifo *fifo, uint64_t due_ns, const void *frame, size_t size);
/* Due time of the oldest frame; UINT64_MAX while empty. */
uint64_t sn_fifo_due(const struct sn_fifo *fifo);
/* The oldest frame, valid until the next push or pop; NULL while empty. */
const void *sn_fifo_front(const struct sn_fifo *fifo, size_t *size);
void sn_fifo_pop(struct sn_fifo *fifo);

#endif
