/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/queue.h"

#include <stdlib.h>

#include "base/mem.h"

void sn_math_queue_clear(struct sn_math_queue *queue)
{
	for (size_t i = 0; i < queue->count; i++)
		free(queue->items[i].path);
	queue->count = queue->next = 0;
	queue->sorted = queue->overflow = false;
}

void sn_math_queue_finish(struct sn_math_queue *queue)
{
	sn_math_queue_clear(queue);
	free(queue->items);
	*queue = (struct sn_math_queue){0};
}

/* Of the same file the one that was listed last comes first. */
static int compare(const void *left, const void *right)
{
	const struct sn_math_wanted *a = left, *b = right;
	int order;

	if (a->time_s != b->time_s)
		return a->time_s < b->time_s ? -1 : 1;
	order = strcmp(a->path, b->path);
	return order != 0 ? order : a->order > b->order ? -1 : 1;
}

static void sort(struct sn_math_queue *queue)
{
	size_t kept = 0;

	if (queue->count == 0)
		return;
	qsort(queue->items, queue->count, sizeof(*queue->items), compare);
	for (size_t i = 0; i < queue->count; i++) {
		bool twice =
			kept > 0 && strcmp(queue->items[kept - 1].path, queue->items[i].path) == 0;

		if (!twice && kept < SN_MATH_QUEUE_MAX) {
			queue->items[kept++] = queue->items[i];
			continue;
		}
		queue->overflow |= !twice;
		free(queue->items[i].path);
	}
	queue->count = kept;
	queue->sorted = true;
}

void sn_math_queue_add(struct sn_math_queue *queue, const struct sn_math_entry *entry,
		       int64_t time_s)
{
	struct sn_math_wanted *wanted;

	if (queue->count == 2 * SN_MATH_QUEUE_MAX)
		sort(queue);
	if (queue->count == queue->room) {
		queue->room = queue->room == 0 ? 64 : queue->room * 2;
		queue->items = sn_xrealloc(queue->items, queue->room, sizeof(*queue->items));
	}
	wanted = &queue->items[queue->count++];
	*wanted = (struct sn_math_wanted){
		.entry = *entry,
		.time_s = time_s,
		.order = queue->added++,
		.path = sn_xstrndup(entry->path.p, entry->path.n),
	};
	queue->sorted = false;
}

const struct sn_math_wanted *sn_math_queue_take(struct sn_math_queue *queue)
{
	struct sn_math_wanted *wanted;

	if (!queue->sorted)
		sort(queue);
	if (queue->next >= queue->count)
		return NULL;
	wanted = &queue->items[queue->next++];
	wanted->entry.path = sn_str(wanted->path);
	return wanted;
}
