/* SPDX-License-Identifier: Apache-2.0 */
/* Which request a reply or an ICMP error belongs to, and what it means for its run. */
#include <stdlib.h>

#include "base/mem.h"
#include "probe/ping_run_internal.h"

/* The run of `target` that request `number` belongs to; stores its place. */
static struct sn_ping_run *find_by_number(const struct sn_ping *ping, uint32_t target,
					  uint32_t number, uint32_t *k)
{
	for (struct sn_ping_run *run = ping->series[target].newest; run != NULL; run = run->older) {
		*k = number - run->first_number;
		if (*k < run->tried)
			return run;
	}
	return NULL;
}

/* The same by the 16 bits on the wire; `waiting_only` leaves out what is answered. */
static struct sn_ping_run *find_by_seq(const struct sn_ping *ping, uint32_t target, uint16_t seq,
				       bool waiting_only, uint32_t *k)
{
	for (struct sn_ping_run *run = ping->series[target].newest; run != NULL; run = run->older) {
		*k = (uint16_t)(seq - (uint16_t)run->first_number);
		if (*k < run->tried &&
		    (!waiting_only || (run->slots[*k] & SLOT_STATE) == SLOT_WAITING))
			return run;
	}
	return NULL;
}

static struct sn_ping_run *find_by_address(struct sn_ping *ping, const struct sn_addr *addr,
					   uint16_t seq, bool waiting_only, uint32_t *k)
{
	int64_t index = sn_ping_targets_find(ping->targets, addr);
	struct sn_ping_run *run = NULL;

	while (index >= 0 && run == NULL) {
		run = find_by_seq(ping, (uint32_t)index, seq, waiting_only, k);
		index = (int64_t)ping->targets->items[index].next_same - 1;
	}
	return run;
}

static struct sn_ping_run *find_run(struct sn_ping *ping, const struct sn_ping_reply *reply,
				    uint32_t *k)
{
	const struct sn_icmp_token *token = &reply->icmp.token;
	struct sn_ping_run *run;

	if (!sn_icmp_has_token(ping->config.payload_size)) {
		/* Of targets that share an address, first one that still waits for it. */
		run = find_by_address(ping, &reply->from, reply->icmp.seq, true, k);
		return run != NULL ? run
				   : find_by_address(ping, &reply->from, reply->icmp.seq, false, k);
	}
	if (!reply->icmp.has_token || token->target >= ping->targets->count ||
	    token->proof != sn_ping_proof(token->target, token->number))
		return NULL;
	return find_by_number(ping, token->target, token->number, k);
}

static void emit(struct sn_ping *ping, enum sn_ping_event_kind kind, const struct sn_ping_run *run,
		 uint32_t k, uint64_t rtt_ns, const struct sn_ping_reply *reply)
{
	struct sn_ping_event event = {
		.kind = kind,
		.target = &ping->targets->items[run->target],
		.index = k,
		.rtt_ns = rtt_ns,
		.ttl = reply->ttl,
		.from = &reply->from,
	};

	if (ping->observer.on_event != NULL)
		ping->observer.on_event(&event, ping->observer.ctx);
}

static void count_in_time(struct sn_ping_run *run, uint32_t k, uint64_t rtt_ns,
			  const struct sn_ping_reply *reply, bool kernel_stamp)
{
	run->slots[k] = SLOT_REPLIED | rtt_ns;
	run->received++;
	run->user_stamp |= !kernel_stamp;
	run->reply_ttl = reply->ttl;
	run->local = reply->local;
	if (k + 1 < run->highest)
		run->reordered++;
	else
		run->highest = k + 1;
}

static void wake_for(struct sn_ping *ping, uint64_t due_ns)
{
	if (!ping->pumping && (!sn_timer_armed(&ping->timer) || ping->timer.due_ns > due_ns))
		sn_timer_at(&ping->timer, due_ns);
}

void sn_ping_on_reply(struct sn_ping_sink *sink, const struct sn_ping_reply *reply)
{
	struct sn_ping *ping = sn_container_of(sink, struct sn_ping, sink);
	enum sn_ping_event_kind kind = SN_PING_EVENT_REPLY;
	uint32_t k;
	struct sn_ping_run *run = find_run(ping, reply, &k);
	uint64_t rtt_ns, sent_ns;
	bool kernel_stamp;

	if (run == NULL || run->slots[k] == SLOT_UNSENT)
		return;
	sn_ping_advance(ping, reply->read_ns);
	if ((run->slots[k] & SLOT_STATE) != SLOT_WAITING) {
		run->duplicates++;
		emit(ping, SN_PING_EVENT_DUPLICATE, run, k, 0, reply);
		return;
	}
	sent_ns = run->slots[k] & SLOT_VALUE;
	/* A stamp from before the request is a clock's fault. */
	kernel_stamp = reply->kernel_stamp && reply->received_ns >= sent_ns;
	rtt_ns = (kernel_stamp ? reply->received_ns : SN_MAX(reply->read_ns, sent_ns)) - sent_ns;
	run->open--;
	if (rtt_ns <= ping->config.timeout_ns) {
		count_in_time(run, k, rtt_ns, reply, kernel_stamp);
	} else {
		run->slots[k] = SLOT_LATE;
		run->late++;
		kind = SN_PING_EVENT_LATE;
	}
	emit(ping, kind, run, k, rtt_ns, reply);
	if (run->tried == ping->config.count && run->open == 0) {
		sn_ping_move(&ping->lingering, run, ping->now_ns + SN_PING_LINGER_NS);
		wake_for(ping, run->due_ns);
	}
}

void sn_ping_on_error(struct sn_ping_sink *sink, const struct sn_ping_error *error)
{
	struct sn_ping *ping = sn_container_of(sink, struct sn_ping, sink);
	const char *text = sn_icmp_error_text(error->to.sa.sa_family, error->type, error->code);
	char reporter[SN_ADDR_TEXT_MAX];
	uint32_t k;
	struct sn_ping_run *run = find_by_address(ping, &error->to, error->seq, true, &k);
	struct sn_ping_event event = {
		.kind = SN_PING_EVENT_ERROR, .ttl = -1, .from = &error->reporter, .text = text};

	if (run == NULL)
		return;
	if (run->icmp_error == NULL)
		run->icmp_error = error->reporter.length == 0
					  ? sn_xstrdup(text)
					  : sn_xasprintf("%s (reported by %s)", text,
							 sn_addr_format(&error->reporter, reporter,
									sizeof(reporter)));
	event.target = &ping->targets->items[run->target];
	event.index = k;
	if (ping->observer.on_event != NULL)
		ping->observer.on_event(&event, ping->observer.ctx);
}
