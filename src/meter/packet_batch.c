/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/packet_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/capture/file.h"

#define COPIES_BYTES (2 * SN_CAPTURE_PACKET_MAX) /* the largest packet fits */

struct sn_packet_batch *sn_packet_batch_create(void)
{
	return sn_new(struct sn_packet_batch);
}

void sn_packet_batch_destroy(struct sn_packet_batch *batch)
{
	if (batch == NULL)
		return;
	free(batch->copies);
	free(batch);
}

void sn_packet_batch_begin(struct sn_packet_batch *batch)
{
	batch->count = batch->bytes = 0;
	batch->advance_ns = 0;
	batch->last = false;
	batch->window_count = 0;
	batch->slot = 0;
}

/* False when the batch has too many already. */
static bool hold_window(struct sn_packet_batch *batch, const struct sn_windows *windows,
			uint32_t slot)
{
	unsigned n = batch->window_count;

	batch->slot = slot;
	for (unsigned i = 0; i < n; i++)
		if (batch->windows[i]->slot == slot)
			return true;
	if (n == SN_PACKET_BATCH_WINDOWS)
		return false;
	batch->windows[n] = sn_windows_find(windows, slot);
	sn_window_hold(batch->windows[n]);
	batch->window_count++;
	return true;
}

static bool copy(struct sn_packet_batch *batch, struct sn_packet *packet)
{
	if (batch->bytes + packet->captured > COPIES_BYTES)
		return false;
	if (batch->copies == NULL)
		batch->copies = sn_xmalloc(COPIES_BYTES); /* the pages come as they are used */
	memcpy(batch->copies + batch->bytes, packet->data, packet->captured);
	packet->data = batch->copies + batch->bytes;
	batch->bytes += packet->captured;
	return true;
}

bool sn_packet_batch_put(struct sn_packet_batch *batch, const struct sn_windows *windows,
			 const struct sn_packet *packet)
{
	struct sn_packet *to = &batch->packets[batch->count];

	*to = *packet;
	to->captured = SN_MIN(packet->captured, (uint32_t)SN_CAPTURE_PACKET_MAX);
	if (packet->window != 0 ? !hold_window(batch, windows, packet->window) : !copy(batch, to))
		return false;
	batch->count++;
	return true;
}

void sn_packet_batch_release(struct sn_packet_batch *batch)
{
	for (unsigned i = 0; i < batch->window_count; i++)
		sn_window_release(batch->windows[i]);
	batch->window_count = 0;
}
