/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: the files of a list that are to be fetched, the oldest first.
 *
 * Bounded: of more than it holds the latest are left out, and it remembers that there were
 * such.  The list is asked for again when the queue is empty.  A file that is listed twice is
 * taken once, the version that was listed last.
 */
#ifndef SONDE_TRANSFER_QUEUE_H
#define SONDE_TRANSFER_QUEUE_H

#include "transfer/list.h"

#define SN_MATH_QUEUE_MAX 20000

struct sn_math_wanted {
	struct sn_math_entry entry; /* its path is the queue's */
	int64_t time_s;
	uint64_t order; /* of adding */
	char *path;
};

struct sn_math_queue { /* zeroed is empty */
	struct sn_math_wanted *items;
	size_t count, room, next;
	uint64_t added;
	bool sorted, overflow;
};

void sn_math_queue_finish(struct sn_math_queue *queue);
void sn_math_queue_clear(struct sn_math_queue *queue);
void sn_math_queue_add(struct sn_math_queue *queue, const struct sn_math_entry *entry,
		       int64_t time_s);
/* The next one, valid until the queue is cleared; NULL at the end. */
const struct sn_math_wanted *sn_math_queue_take(struct sn_math_queue *queue);

#endif
