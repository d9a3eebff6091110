/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/impair/fifo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_SIZE 65536
#define KEEP_SIZE  1048576 /* an empty ring larger than this is given back */

struct record { /* before each frame in the ring */
	uint64_t due_ns;
	uint64_t size;
};

static size_t record_size(size_t frame)
{
	return sizeof(struct record) + ((frame + 7) & ~(size_t)7);
}

void sn_fifo_init(struct sn_fifo *fifo, size_t limit)
{
	*fifo = (struct sn_fifo){.limit = limit};
}

void sn_fifo_finish(struct sn_fifo *fifo)
{
	free(fifo->ring);
	*fifo = (struct sn_fifo){.limit = fifo->limit};
}

/* Offset where `need` bytes in one piece are free, or SIZE_MAX. */
static size_t find_room(struct sn_fifo *fifo, size_t need)
{
	if (fifo->frames == 0) {
		fifo->head = fifo->tail = 0;
		return need <= fifo->size ? 0 : SIZE_MAX;
	}
	if (fifo->tail <= fifo->head) /* wrapped; equal means full */
		return need <= fifo->head - fifo->tail ? fifo->tail : SIZE_MAX;
	if (need <= fifo->size - fifo->tail)
		return fifo->tail;
	if (need > fifo->head)
		return SIZE_MAX;
	fifo->wrap = fifo->tail;
	return 0;
}

/* Twice the size, frames laid out from the start again. */
static bool grow(struct sn_fifo *fifo, size_t need)
{
	size_t size = fifo->size == 0 ? FIRST_SIZE : fifo->size * 2;
	size_t used = 0;
	unsigned char *ring;

	while (size < need * 2)
		size *= 2;
	if (size > fifo->limit)
		return false;
	ring = sn_xmalloc(size);
	if (fifo->frames > 0 && fifo->tail <= fifo->head) {
		used = fifo->wrap - fifo->head;
		memcpy(ring, fifo->ring + fifo->head, used);
		memcpy(ring + used, fifo->ring, fifo->tail);
		used += fifo->tail;
	} else if (fifo->frames > 0) {
		used = fifo->tail - fifo->head;
		memcpy(ring, fifo->ring + fifo->head, used);
	}
	free(fifo->ring);
	fifo->ring = ring;
	fifo->size = size;
	fifo->head = 0;
	fifo->tail = used;
	return true;
}

bool sn_fifo_push(struct sn_fifo *fifo, uint64_t due_ns, const void *frame, size_t size)
{
	struct record record = {.due_ns = due_ns, .size = size};
	size_t need = record_size(size);
	size_t at = find_room(fifo, need);

	if (at == SIZE_MAX) {
		if (!grow(fifo, need))
			return false;
		at = find_room(fifo, need);
		assert(at != SIZE_MAX);
	}
	memcpy(fifo->ring + at, &record, sizeof(record));
	memcpy(fifo->ring + at + sizeof(record), frame, size);
	fifo->tail = at + need;
	fifo->frames++;
	return true;
}

static struct record front(const struct sn_fifo *fifo)
{
	struct record record;

	memcpy(&record, fifo->ring + fifo->head, sizeof(record));
	return record;
}

uint64_t sn_fifo_due(const struct sn_fifo *fifo)
{
	return fifo->frames == 0 ? UINT64_MAX : front(fifo).due_ns;
}

const void *sn_fifo_front(const struct sn_fifo *fifo, size_t *size)
{
	if (fifo->frames == 0)
		return NULL;
	*size = front(fifo).size;
	return fifo->ring + fifo->head + sizeof(struct record);
}

void sn_fifo_pop(struct sn_fifo *fifo)
{
	assert(fifo->frames > 0);

	bool wrapped = fifo->tail <= fifo->head;

	fifo->head += record_size(front(fifo).size);
	fifo->frames--;
	if (wrapped && fifo->head == fifo->wrap)
		fifo->head = 0;
	if (fifo->frames == 0 && fifo->size > KEEP_SIZE)
		sn_fifo_finish(fifo);
}
