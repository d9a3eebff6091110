/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments: what one side has sent, as ranges of sequence numbers in order, each
 * with when it was sent, how often, and how often it was acknowledged.
 *
 * Nodes come from one pool of the meter and are addressed by number (4 bytes).
 * Those that wait for an acknowledgement are all remembered, up to a limit; of
 * the acknowledged ones the last few.  When there are more, the two oldest become
 * one (Tstat: max_seg_per_quad), or, when all is acknowledged, the oldest is
 * forgotten: what lies before the first node has been seen.  A pool in which many
 * flows hold nodes is `tight` and lets each keep less.
 */
#ifndef SONDE_METER_TCP_SEGMENTS_H
#define SONDE_METER_TCP_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "meter/flow/pool.h"
#include "meter/flow/slab.h"

#define SN_SEGMENTS_DEFAULT 512    /* of one side; see sn_meter_options */
#define SN_SEGMENTS_TIGHT   16     /* the same while the pool is tight */
#define SN_SEGMENTS_KEPT    8      /* acknowledged ones; none while the pool is tight */
#define SN_SEGMENTS_FREE    131072 /* nodes the pool gives without becoming tight, ... */

struct sn_segment {
	uint32_t begin, end; /* sequence numbers; SYN and FIN count one each */
	uint32_t time_low;   /* nanoseconds, 48 bits: of its last transmission */
	uint16_t time_high;
	uint16_t ip_id;      /* of its last transmission */
	uint32_t next;       /* number of a node; the last one's is the first */
	uint8_t acks;        /* acknowledgements of exactly its end; saturates */
	uint8_t anomaly : 4; /* enum sn_tcp_anomaly of its last transmission */
	uint8_t repeated : 1;
	uint8_t acked : 1;
};

/* A ring of which the last node is known. */
struct sn_segments {
	uint32_t last; /* number + 1; 0: no nodes */
};

struct sn_segment_pool {
	struct sn_slab slab;
	unsigned max;            /* of one side */
	size_t budget;           /* ... and besides one for each flow, which the meter adds */
	struct sn_pool troubles; /* not segments, but from here, too: of a connection (tcp.h) */
};

void sn_segment_pool_init(struct sn_segment_pool *pool, unsigned max);
void sn_segment_pool_finish(struct sn_segment_pool *pool);
size_t sn_segment_pool_memory(const struct sn_segment_pool *pool);

static inline bool sn_segment_pool_is_tight(const struct sn_segment_pool *pool)
{
	return pool->slab.used > pool->budget;
}

/* As sn_slab_at(), with what is known of this slab. */
#define SN_SEGMENTS_SHIFT 22

static inline struct sn_segment *sn_segment_at(const struct sn_segment_pool *pool, uint32_t number)
{
	char *region = pool->slab.regions[number >> SN_SEGMENTS_SHIFT];

	return (struct sn_segment *)(void *)region + (number & ((1U << SN_SEGMENTS_SHIFT) - 1));
}

static inline void sn_segment_set_time(struct sn_segment *segment, int64_t time_ns)
{
	segment->time_low = (uint32_t)time_ns;
	segment->time_high = (uint16_t)(time_ns >> 32);
}

/* Since its last transmission; right if that is less than 39 hours from `time_ns`. */
static inline int64_t sn_segment_age(const struct sn_segment *segment, int64_t time_ns)
{
	uint64_t sent = (uint64_t)segment->time_high << 32 | segment->time_low;

	return (int64_t)(((uint64_t)time_ns - sent) << 16) >> 16;
}

/* A new node behind the last; all of it but its place is undefined. */
static inline struct sn_segment *sn_segments_append(struct sn_segments *segments,
						    struct sn_segment_pool *pool)
{
	uint32_t number = sn_slab_take(&pool->slab);
	struct sn_segment *node = sn_segment_at(pool, number);

	node->next = number;
	if (segments->last != 0) {
		struct sn_segment *last = sn_segment_at(pool, segments->last - 1);

		node->next = last->next;
		last->next = number;
	}
	segments->last = number + 1;
	return node;
}

/* A new node behind `before`, or as the first if that is SN_SLAB_NONE. */
uint32_t sn_segments_insert(struct sn_segments *segments, struct sn_segment_pool *pool,
			    uint32_t before);
/* Removes the first node; with `merge`, the second one begins where it began. */
void sn_segments_drop_first(struct sn_segments *segments, struct sn_segment_pool *pool, bool merge);
/* All `count` nodes; costs the same however many they are. */
void sn_segments_clear(struct sn_segments *segments, struct sn_segment_pool *pool, unsigned count);

#endif
