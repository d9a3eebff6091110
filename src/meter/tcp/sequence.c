/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/sequence.h"

#include "meter/tcp/anomaly.h"

#define EDGE_ACKS_MAX 7
#define KEPT_MAX      30 /* five bits */

enum { CLIENT, SERVER };

/* One segment on its way into the ring of its side. */
struct sending {
	struct sn_tcp *tcp;
	struct sn_tcp_side *from;
	struct sn_tcp_inner *inner;
	struct sn_segment_pool *pool;
	const struct sn_decoded *packet;
	unsigned side;
	int64_t time_ns;
	uint32_t begin, end;
	uint16_t ip_id;
	enum sn_tcp_anomaly anomaly;
};

/* Nodes ------------------------------------------------------------------- */

static struct sn_segment *node_at(const struct sn_segment_pool *pool, uint32_t number)
{
	return sn_segment_at(pool, number);
}

static uint32_t first_of(const struct sn_tcp_side *side, const struct sn_segment_pool *pool)
{
	return node_at(pool, side->segments.last - 1)->next;
}

static void drop_first(struct sn_tcp_side *side, struct sn_tcp_inner *inner,
		       struct sn_segment_pool *pool, bool merge)
{
	uint32_t first = first_of(side, pool);

	if (inner->kept > 0)
		inner->kept--;
	if (side->rtt.edge == first + 1)
		side->rtt.edge = 0;
	side->segment_count--;
	inner->forgotten = inner->forgotten || !merge;
	sn_segments_drop_first(&side->segments, pool, merge);
}

/* Acknowledged nodes go first; then the two oldest become one. */
static void limit_count(struct sn_tcp_side *side, struct sn_tcp_inner *inner,
			struct sn_segment_pool *pool)
{
	unsigned max =
		sn_segment_pool_is_tight(pool) ? SN_MIN(SN_SEGMENTS_TIGHT, pool->max) : pool->max;

	while (side->segment_count > max)
		drop_first(side, inner, pool, inner->kept == 0);
}

static void fill(const struct sending *s, struct sn_segment *node, uint32_t begin, uint32_t end)
{
	node->begin = begin;
	node->end = end;
	sn_segment_set_time(node, s->time_ns);
	node->ip_id = s->ip_id;
	node->acks = 0;
	node->anomaly = s->anomaly & 15;
	node->repeated = node->acked = 0;
}

static void append(const struct sending *s, uint32_t begin, uint32_t end)
{
	fill(s, sn_segments_append(&s->from->segments, s->pool), begin, end);
	s->from->next = end;
	if (++s->from->segment_count > SN_SEGMENTS_TIGHT)
		limit_count(s->from, s->inner, s->pool);
}

/* A hole is filled; what lies before an acknowledged node counts as such. */
static uint32_t insert(const struct sending *s, uint32_t before, uint32_t begin, uint32_t end,
		       bool acked)
{
	uint32_t number = sn_segments_insert(&s->from->segments, s->pool, before);
	struct sn_segment *node = node_at(s->pool, number);

	fill(s, node, begin, end);
	node->acked = acked;
	s->inner->kept += acked;
	s->from->segment_count++;
	return number;
}

/* Sent again -------------------------------------------------------------- */

static unsigned acks_of(const struct sending *s, uint32_t number)
{
	return number + 1 == s->from->rtt.edge ? s->inner->edge_acks
					       : node_at(s->pool, number)->acks;
}

/* The first node that ends behind `begin`, SN_SLAB_NONE: none; and the one before it. */
static uint32_t find(const struct sending *s, uint32_t *previous)
{
	uint32_t last = s->from->segments.last - 1, number;

	*previous = SN_SLAB_NONE;
	if (s->from->segments.last == 0)
		return SN_SLAB_NONE;
	for (number = node_at(s->pool, last)->next;
	     !sn_seq_before(s->begin, node_at(s->pool, number)->end);
	     number = node_at(s->pool, number)->next) {
		*previous = number;
		if (number == last)
			return SN_SLAB_NONE;
	}
	return number;
}

/* `node` is repeated, or, if `hole`, something before it was missing. */
static void classify(struct sending *s, const struct sn_segment *node, uint32_t previous, bool hole)
{
	struct sn_tcp_suspect suspect = {
		.seen = hole ? NULL : node,
		.next = hole ? node : NULL,
		.time_ns = s->time_ns,
	};

	if (previous != SN_SLAB_NONE) {
		suspect.previous = node_at(s->pool, previous);
		suspect.previous_acks = acks_of(s, previous);
	}
	s->anomaly = sn_tcp_anomaly_of(s->tcp, &suspect, s->packet, s->side);
	sn_tcp_trouble_begin(s->tcp, s->pool, s->side)->anomalies[s->anomaly]++;
}

struct sn_tcp_trouble *sn_tcp_trouble_begin(struct sn_tcp *tcp, struct sn_segment_pool *pool,
					    unsigned side)
{
	if (tcp->trouble == NULL)
		tcp->trouble = sn_pool_take(&pool->troubles);
	return &tcp->trouble[side];
}

/* What it repeats is not remembered. */
static uint32_t repeat_forgotten(struct sending *s, uint32_t count)
{
	s->anomaly = SN_TCP_UNKNOWN;
	sn_tcp_trouble_begin(s->tcp, s->pool, s->side)->anomalies[SN_TCP_UNKNOWN]++;
	return count;
}

static uint32_t fill_hole(struct sending *s, uint32_t previous, struct sn_segment *node,
			  uint32_t begin, uint32_t end)
{
	classify(s, node, previous, true);
	if (node->acked && s->inner->kept >= KEPT_MAX) {
		node->begin = begin;
		return previous;
	}
	return insert(s, previous, begin, end, node->acked);
}

static void repeat(struct sending *s, uint32_t previous, struct sn_segment *node)
{
	classify(s, node, previous, false);
	sn_segment_set_time(node, s->time_ns);
	node->ip_id = s->ip_id;
	node->anomaly = s->anomaly & 15;
	node->repeated = 1;
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
	return sn_seq_before(a, b) ? a : b;
}

/*
 * Something of it, or all, lies before the end of what was seen: walks along the nodes, a piece for
 * each and for each hole between them.  Returns how much of it was there before.
 */
static uint32_t send_again(struct sending *s)
{
	uint32_t at = s->begin, end, seen = 0, last = s->from->segments.last - 1;
	uint32_t previous, number = find(s, &previous);

	if (number == SN_SLAB_NONE) {
		seen = repeat_forgotten(s, earlier(s->end, s->from->next) - at);
		at += seen;
	}
	while (number != SN_SLAB_NONE && sn_seq_before(at, s->end)) {
		struct sn_segment *node = node_at(s->pool, number);

		if (sn_seq_before(at, node->begin)) {
			end = earlier(s->end, node->begin);
			if (s->inner->forgotten && previous == SN_SLAB_NONE)
				seen += repeat_forgotten(s, end - at);
			else
				previous = fill_hole(s, previous, node, at, end);
		} else {
			end = earlier(s->end, node->end);
			repeat(s, previous, node);
			seen += end - at;
			previous = number;
			number = number == last ? SN_SLAB_NONE : node->next;
		}
		at = end;
	}
	if (sn_seq_before(at, s->end))
		append(s, at, s->end);
	return seen;
}

static uint32_t take_again(struct sending *s)
{
	uint32_t seen = send_again(s);

	while (s->inner->kept > SN_SEGMENTS_KEPT)
		drop_first(s->from, s->inner, s->pool, false);
	limit_count(s->from, s->inner, s->pool);
	s->inner->disordered = 1;
	if (seen > 0)
		s->from->n.retransmitted++;
	else
		s->from->n.out_of_order++;
	return seen;
}

/* Sending ----------------------------------------------------------------- */

/* Of `seen` repeated sequence numbers those that are payload. */
static uint32_t repeated_payload(const struct sending *s, uint32_t seen)
{
	return SN_MIN(seen - ((s->packet->tcp_flags & SN_TCP_SYN) != 0 && seen > 0),
		      s->packet->payload_bytes);
}

static void begin_side(struct sending *s)
{
	s->inner->begun = 1;
	s->from->isn = (s->packet->tcp_flags & SN_TCP_SYN) != 0 ? s->begin : s->begin - 1;
	s->from->next = s->begin;
}

/* A client's first SYN, alone: most are never answered (sn_tcp_remember_syn()). */
static bool may_wait(const struct sending *s)
{
	return s->from->segments.last == 0 && s->side == CLIENT && s->packet->payload_bytes == 0 &&
	       (s->packet->tcp_flags & (SN_TCP_SYN | SN_TCP_FIN)) == SN_TCP_SYN;
}

void sn_tcp_send(struct sn_tcp *tcp, struct sn_segment_pool *pool, const struct sn_decoded *packet,
		 unsigned side, int64_t time_ns, struct sn_tcp_verdict *verdict)
{
	uint32_t length = packet->payload_bytes + ((packet->tcp_flags & SN_TCP_SYN) != 0) +
			  ((packet->tcp_flags & SN_TCP_FIN) != 0);
	struct sending s = {
		.tcp = tcp,
		.from = &tcp->side[side],
		.inner = &tcp->inner[side],
		.pool = pool,
		.packet = packet,
		.side = side,
		.time_ns = time_ns,
		.begin = packet->tcp_seq,
		.end = packet->tcp_seq + length,
		.ip_id = packet->ip_id,
		.anomaly = SN_TCP_ANOMALIES,
	};
	uint32_t seen = 0;

	if (!s.inner->begun)
		begin_side(&s);
	verdict->offset = s.begin - s.from->isn;
	verdict->in_order = s.begin == s.from->next;
	if (verdict->in_order && may_wait(&s)) {
		tcp->syn_id = packet->ip_id;
		s.inner->syn_waits = 1;
		s.from->next = s.end;
	} else if (!sn_seq_before(s.begin, s.from->next)) {
		append(&s, s.begin, s.end);
	} else {
		seen = repeated_payload(&s, take_again(&s));
		verdict->anomaly = s.anomaly;
	}
	verdict->fresh = packet->payload_bytes - seen;
	if (seen > 0)
		s.from->n.retransmitted_bytes += seen;
	if (verdict->fresh > 0) {
		s.from->n.unique_bytes += verdict->fresh;
		s.inner->news = 1;
		if (!s.inner->answered)
			s.from->flight_initial += verdict->fresh;
	}
}

void sn_tcp_remember_syn(struct sn_tcp *tcp, struct sn_segment_pool *pool)
{
	struct sending s = {
		.tcp = tcp,
		.from = &tcp->side[CLIENT],
		.inner = &tcp->inner[CLIENT],
		.pool = pool,
		.time_ns = tcp->syn_ns,
		.ip_id = tcp->syn_id,
		.anomaly = SN_TCP_ANOMALIES,
	};

	s.inner->syn_waits = 0;
	append(&s, s.from->isn, s.from->isn + 1);
}

/* Acknowledging ------------------------------------------------------------- */

static void add_sample(struct sn_tcp_rtt *rtt, int64_t age_ns)
{
	uint32_t us = (uint32_t)SN_MIN(age_ns / 1000, (int64_t)UINT32_MAX);
	double exact_us = (double)age_ns / 1000;

	rtt->min_us = rtt->count == 0 ? us : SN_MIN(rtt->min_us, us);
	rtt->max_us = SN_MAX(rtt->max_us, us);
	rtt->sum_us += exact_us;
	rtt->sum2_us += exact_us * exact_us;
	rtt->count++;
}

/* Something before this node was sent after it: what was answered is not certain. */
static bool is_overtaken(const struct sn_tcp_side *side, const struct sn_segment_pool *pool,
			 const struct sn_segment *node, int64_t time_ns)
{
	const struct sn_segment *before = node_at(pool, first_of(side, pool));

	while (before != node && sn_segment_age(before, time_ns) >= sn_segment_age(node, time_ns))
		before = node_at(pool, before->next);
	return before != node;
}

static void forget_acknowledged(struct sn_tcp_side *side, struct sn_tcp_inner *inner,
				struct sn_segment_pool *pool, unsigned count)
{
	unsigned limit = sn_segment_pool_is_tight(pool) ? 0 : SN_SEGMENTS_KEPT;

	for (; count > limit; count--)
		drop_first(side, inner, pool, false);
	inner->kept = (uint16_t)count;
}

/* The nodes up to `ack` are acknowledged; `number` is the first that waits. */
static void advance(struct sn_tcp_side *side, struct sn_tcp_inner *inner,
		    struct sn_segment_pool *pool, uint32_t number, uint32_t ack, int64_t time_ns)
{
	uint32_t last = side->segments.last - 1;
	unsigned kept = inner->kept;
	struct sn_segment *node = node_at(pool, number);

	while (!sn_seq_before(ack, node->end)) {
		node->acked = 1;
		node->acks = 1;
		kept++;
		if (ack == node->end && !node->repeated &&
		    !(inner->disordered && is_overtaken(side, pool, node, time_ns)))
			add_sample(&side->rtt, SN_MAX(sn_segment_age(node, time_ns), 0));
		side->rtt.edge = number + 1;
		inner->edge_acks = 1;
		if (number == last) {
			inner->disordered = 0;
			break;
		}
		number = node->next;
		node = node_at(pool, number);
	}
	forget_acknowledged(side, inner, pool, kept);
}

void sn_tcp_acknowledge(struct sn_tcp *tcp, struct sn_segment_pool *pool, unsigned side,
			uint32_t ack, bool again, int64_t time_ns)
{
	struct sn_tcp_side *from = &tcp->side[side];
	struct sn_tcp_inner *inner = &tcp->inner[side];
	uint32_t edge = from->rtt.edge;
	struct sn_segment *node;

	if (from->segments.last == 0)
		return;
	if (again) {
		if (inner->edge_acks < EDGE_ACKS_MAX)
			inner->edge_acks++;
		return;
	}
	if (edge == from->segments.last) /* nothing waits */
		return;
	if (edge == 0) {
		advance(from, inner, pool, first_of(from, pool), ack, time_ns);
		return;
	}
	node = node_at(pool, edge - 1);
	if (sn_seq_before(ack, node_at(pool, node->next)->end))
		return;
	node->acks = (uint8_t)inner->edge_acks;
	advance(from, inner, pool, node->next, ack, time_ns);
}
