/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet_batch: packets on their way to a worker.
 *
 * Bytes that lie in a window stay there, and the batch holds the window until its packets are
 * done; others are copied.  One thread fills a batch, another one empties it: what orders them is
 * the caller's, and so is `next`.
 */
#ifndef SONDE_METER_PACKET_BATCH_H
#define SONDE_METER_PACKET_BATCH_H

#include <stdbool.h>

#include "meter/capture/packet.h"
#include "meter/capture/window.h"

#define SN_PACKET_BATCH_MAX     512
#define SN_PACKET_BATCH_WINDOWS 8
#define SN_PACKET_BATCH_AHEAD   8

struct sn_packet_batch {
	struct sn_packet_batch *next;
	size_t count, bytes;
	int64_t advance_ns; /* behind the packets; 0: nothing is said */
	bool last;
	uint32_t slot; /* of the window held that was used last, or 0 */
	unsigned window_count;
	struct sn_window *windows[SN_PACKET_BATCH_WINDOWS]; /* held */
	uint8_t *copies; /* made when the first packet is copied */
	struct sn_packet packets[SN_PACKET_BATCH_MAX + SN_PACKET_BATCH_AHEAD];
};

struct sn_packet_batch *sn_packet_batch_create(void);
void sn_packet_batch_destroy(struct sn_packet_batch *batch); /* holds no windows any more */
/* Empty, for other packets. */
void sn_packet_batch_begin(struct sn_packet_batch *batch);
/* False when there is no room for its bytes or its window: the batch has to go first.  The caller
 * sees to SN_PACKET_BATCH_MAX. */
bool sn_packet_batch_put(struct sn_packet_batch *batch, const struct sn_windows *windows,
			 const struct sn_packet *packet);
/* Its packets are done. */
void sn_packet_batch_release(struct sn_packet_batch *batch);

/*
 * The same for a packet in the window of the one before, as nearly all are; false: it is not.  The
 * batch was read by another processor last: to wait until it lets go of it would cost more than all
 * the rest.
 */
static inline bool sn_packet_batch_put_near(struct sn_packet_batch *batch,
					    const struct sn_packet *packet)
{
	if (packet->window == 0 || batch->slot != packet->window)
		return false;
	__builtin_prefetch(&batch->packets[batch->count + SN_PACKET_BATCH_AHEAD], 1);
	batch->packets[batch->count++] = *packet;
	return true;
}

#endif
