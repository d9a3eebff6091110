/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_run.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "probe/ping_run_internal.h"

#define LATE_NS        (50 * SN_NS_PER_MS) /* behind schedule by more than this is worth telling */
#define RECEIVE_EVERY  32   /* requests between two readings: their replies fit any buffer */
#define SENDS_PER_TURN 2048 /* then the loop gets its turn */
#define CHUNK_BYTES    32768

/* Memory of runs -------------------------------------------------------------------------- */

static size_t run_size(const struct sn_ping *ping)
{
	return sizeof(struct sn_ping_run) + ping->config.count * sizeof(uint64_t);
}

static void add_chunk(struct sn_ping *ping)
{
	size_t size = run_size(ping), count = SN_MAX(CHUNK_BYTES / size, (size_t)1);
	struct sn_ping_chunk *chunk = sn_xmalloc(sizeof(*chunk) + count * size);

	chunk->next = ping->chunks;
	ping->chunks = chunk;
	for (size_t i = count; i-- > 0;) {
		struct sn_ping_run *run = (struct sn_ping_run *)(void *)(chunk->runs + i * size);

		sn_list_add_before(ping->spare.next, &run->link);
	}
}

static struct sn_ping_run *run_create(struct sn_ping *ping, uint32_t target)
{
	struct sn_ping_series *series = &ping->series[target];
	struct sn_ping_run *run;

	if (sn_list_empty(&ping->spare))
		add_chunk(ping);
	run = sn_list_entry(ping->spare.next, struct sn_ping_run, link);
	sn_list_remove(&run->link);
	memset(run, 0, run_size(ping));
	sn_list_init(&run->link);
	run->target = target;
	run->to = ping->targets->items[target].addr;
	run->first_number = series->next_number;
	series->next_number += ping->config.count;
	run->older = series->newest;
	series->newest = run;
	run->missed_runs = ping->starter.missed_by_walk;
	run->drops_before = ping->drops;
	run->reply_ttl = -1;
	return run;
}

static void run_release(struct sn_ping *ping, struct sn_ping_run *run)
{
	struct sn_ping_run **at = &ping->series[run->target].newest;

	while (*at != run)
		at = &(*at)->older;
	*at = run->older;
	free(run->icmp_error);
	run->icmp_error = NULL;
	sn_list_remove(&run->link);
	/* In front: the memory used last is the warmest. */
	sn_list_add_before(ping->spare.next, &run->link);
}

/* Results --------------------------------------------------------------------------------- */

static void explain(struct sn_ping_result *result, const char *format, ...) SN_PRINTF(2, 3);

/* Several reasons are joined. */
static void explain(struct sn_ping_result *result, const char *format, ...)
{
	size_t n = strlen(result->error);
	va_list args;

	if (n > 0 && n + 3 < sizeof(result->error)) {
		memcpy(result->error + n, "; ", 3);
		n += 2;
	}
	va_start(args, format);
	vsnprintf(result->error + n, sizeof(result->error) - n, format, args);
	va_end(args);
}

static void judge(const struct sn_ping *ping, const struct sn_ping_run *run, bool interrupted,
		  struct sn_ping_result *result)
{
	char text[SN_DURATION_TEXT_MAX];

	if (run->icmp_error != NULL)
		explain(result, "%s", run->icmp_error);
	if (run->send_errors > 0)
		explain(result, "%u of %u requests could not be sent: %s", run->send_errors,
			run->tried, strerror(-run->send_error));
	if (!result->loss_known)
		explain(result, "this machine dropped replies: receive buffer full");
	if (run->behind_ns > 0)
		explain(result, "requests went out up to %s behind schedule",
			sn_format_duration((int64_t)(run->behind_ns / SN_NS_PER_MS * SN_NS_PER_MS),
					   text, sizeof(text)));
	if (interrupted && run->tried < ping->config.count)
		explain(result, "interrupted after %u of %u requests", run->tried,
			ping->config.count);
	else if (interrupted)
		explain(result, "interrupted before all replies were due");
	if (result->received == 0 && result->error[0] == '\0')
		explain(result, "no reply within %s",
			sn_format_duration((int64_t)ping->config.timeout_ns, text, sizeof(text)));
	if (result->received == 0)
		result->status = SN_PING_FAILED;
	else
		result->status = result->error[0] == '\0' ? SN_PING_OK : SN_PING_PARTIAL;
}

/* Replies into the scratch array; returns how many requests may still be answered in time. */
static uint32_t collect(struct sn_ping *ping, const struct sn_ping_run *run, uint32_t *replies)
{
	uint32_t undecided = 0;

	*replies = 0;
	for (uint32_t k = 0; k < run->tried; k++) {
		uint64_t state = run->slots[k] & SLOT_STATE, value = run->slots[k] & SLOT_VALUE;

		if (state == SLOT_REPLIED)
			ping->scratch[(*replies)++] = value;
		else if (state == SLOT_WAITING && ping->now_ns < value + ping->config.timeout_ns)
			undecided++;
	}
	return undecided;
}

static void run_finish(struct sn_ping *ping, struct sn_ping_run *run, bool interrupted)
{
	uint32_t replies, undecided = collect(ping, run, &replies);
	struct sn_ping_result result = {
		.target = &ping->targets->items[run->target],
		.address = &run->to,
		.local = run->local,
		.started_wall_ns = run->started_wall_ns,
		.sent = run->sent - undecided,
		.received = run->received,
		.duplicates = run->duplicates,
		.reordered = run->reordered,
		.late = run->late,
		.send_errors = run->send_errors,
		.rtts = ping->scratch,
		.reply_ttl = run->reply_ttl,
		.kernel_stamps = !run->user_stamp,
		.missed_runs = run->missed_runs,
	};

	result.lost = result.sent - result.received;
	result.loss_known = result.lost == 0 || ping->drops == run->drops_before;
	sn_ping_stats_compute(ping->scratch, replies, &result.rtt);
	if (result.sent > 0 || result.send_errors > 0) {
		judge(ping, run, interrupted, &result);
		ping->observer.on_result(&result, ping->observer.ctx);
	}
	run_release(ping, run);
	ping->finished++;
}

static void report_unresolved(struct sn_ping *ping, uint32_t index)
{
	const struct sn_ping_target *target = &ping->targets->items[index];
	struct sn_ping_result result = {
		.target = target,
		.started_wall_ns = sn_loop_wall_now(ping->loop),
		.loss_known = false,
		.reply_ttl = -1,
		.missed_runs = ping->starter.missed_by_walk,
		.status = SN_PING_FAILED,
	};

	explain(&result, "%s", target->error != NULL ? target->error : "not resolved yet");
	ping->observer.on_result(&result, ping->observer.ctx);
	ping->finished++;
}

/* Shared with ping_match.c ---------------------------------------------------------------- */

uint64_t sn_ping_proof(uint32_t target, uint32_t number)
{
	uint32_t both[2] = {target, number};

	return sn_hash(both, sizeof(both));
}

void sn_ping_advance(struct sn_ping *ping, uint64_t now_ns)
{
	ping->now_ns = SN_MAX(ping->now_ns, now_ns);
}

void sn_ping_move(struct sn_list *list, struct sn_ping_run *run, uint64_t due_ns)
{
	sn_list_remove(&run->link);
	run->due_ns = due_ns;
	sn_list_append(list, &run->link);
}

/* Sending --------------------------------------------------------------------------------- */

/* All requests are out: wait for what is open, or only for duplicates. */
static void run_sent(struct sn_ping *ping, struct sn_ping_run *run)
{
	if (run->open > 0)
		sn_ping_move(&ping->waiting, run, ping->now_ns + ping->config.timeout_ns);
	else
		sn_ping_move(&ping->lingering, run, ping->now_ns + SN_PING_LINGER_NS);
}

static void note_lateness(const struct sn_ping *ping, struct sn_ping_run *run, uint64_t sent_ns)
{
	uint64_t limit = SN_MAX(ping->config.interval_ns, (uint64_t)LATE_NS);

	if (ping->config.count > 1 && sent_ns > run->due_ns + limit)
		run->behind_ns = SN_MAX(run->behind_ns, sent_ns - run->due_ns);
}

static void send_next(struct sn_ping *ping, struct sn_ping_run *run)
{
	uint32_t k = run->tried++, number = run->first_number + k;
	struct sn_icmp_token token = {run->target, number, sn_ping_proof(run->target, number)};
	uint64_t sent_ns = ping->now_ns, interval_ns = ping->config.interval_ns;
	int rc = ping->port->ops->send(ping->port, &run->to, (uint16_t)number, &token, &sent_ns);

	sn_ping_advance(ping, sent_ns);
	if (rc == 0) {
		run->slots[k] = SLOT_WAITING | sent_ns;
		run->sent++;
		run->open++;
	} else {
		run->send_errors++;
		run->send_error = rc;
	}
	if (k == 0)
		run->started_wall_ns =
			sn_loop_wall_now(ping->loop) + (int64_t)(sent_ns - sn_loop_now(ping->loop));
	note_lateness(ping, run, sent_ns);
	if (run->tried < ping->config.count)
		sn_ping_move(&ping->sending, run,
			     SN_MAX(run->due_ns + interval_ns, sent_ns + interval_ns / 2));
	else
		run_sent(ping, run);
}

static uint64_t head_due(const struct sn_list *list)
{
	return sn_list_empty(list) ? UINT64_MAX
				   : sn_list_entry(list->next, struct sn_ping_run, link)->due_ns;
}

static uint64_t next_start(const struct sn_ping *ping)
{
	const struct sn_ping_starter *starter = &ping->starter;

	if (!starter->active)
		return UINT64_MAX;
	return starter->grid_ns +
	       sn_ping_start_offset(&ping->config, ping->targets->count, starter->next);
}

static void begin_walk(struct sn_ping *ping, uint64_t grid_ns)
{
	struct sn_ping_starter *starter = &ping->starter;

	starter->active = true;
	starter->next = 0;
	starter->grid_ns = grid_ns;
	starter->missed_by_walk = starter->missed;
	starter->missed = 0;
}

static void end_walk(struct sn_ping *ping)
{
	struct sn_ping_starter *starter = &ping->starter;

	starter->active = false;
	if (!starter->pending)
		return;
	starter->pending = false;
	begin_walk(ping, starter->pending_ns);
}

static void start_next(struct sn_ping *ping)
{
	uint32_t index = ping->starter.next;
	uint64_t due_ns = next_start(ping);
	struct sn_ping_run *run;

	ping->starter.next++;
	if (ping->targets->items[index].addr.length == 0) {
		report_unresolved(ping, index);
	} else {
		run = run_create(ping, index);
		run->due_ns = due_ns;
		send_next(ping, run);
	}
	if (ping->starter.next == ping->targets->count)
		end_walk(ping);
}

/* Send what is due; true if the turn's share is used up and more is waiting. */
static bool send_due(struct sn_ping *ping)
{
	unsigned since_reading = 0;

	for (unsigned n = 0; n < SENDS_PER_TURN; n++) {
		uint64_t start_ns = next_start(ping), send_ns = head_due(&ping->sending);

		if (SN_MIN(start_ns, send_ns) > ping->now_ns)
			return false;
		if (start_ns < send_ns)
			start_next(ping);
		else
			send_next(ping,
				  sn_list_entry(ping->sending.next, struct sn_ping_run, link));
		if (++since_reading < RECEIVE_EVERY)
			continue;
		since_reading = 0;
		ping->port->ops->receive(ping->port);
	}
	return true;
}

/* The pump: everything that time makes happen ------------------------------------------------ */

static void finish_due(struct sn_ping *ping, struct sn_list *list)
{
	while (head_due(list) <= ping->now_ns)
		run_finish(ping, sn_list_entry(list->next, struct sn_ping_run, link), false);
}

static void arm(struct sn_ping *ping, bool more_to_send)
{
	uint64_t end_ns = SN_MIN(head_due(&ping->waiting), head_due(&ping->lingering));
	uint64_t send_ns = SN_MIN(next_start(ping), head_due(&ping->sending));

	if (more_to_send)
		send_ns = ping->now_ns;
	else if (send_ns != UINT64_MAX)
		send_ns = SN_MAX(send_ns, ping->now_ns + ping->tick_ns);
	if (end_ns != UINT64_MAX)
		end_ns = SN_MAX(end_ns, ping->now_ns + ping->tick_ns);
	if (SN_MIN(end_ns, send_ns) == UINT64_MAX)
		sn_timer_stop(&ping->timer);
	else
		sn_timer_at(&ping->timer, SN_MIN(end_ns, send_ns));
}

static bool all_done(const struct sn_ping *ping)
{
	return ping->config.period_ns == 0 && ping->finished == ping->targets->count;
}

static void pump(struct sn_ping *ping)
{
	bool more;

	sn_ping_advance(ping, sn_loop_now(ping->loop));
	ping->pumping = true;
	ping->drops = ping->port->ops->drops(ping->port);
	more = send_due(ping);
	/* Before any run ends: what has arrived in time but not been read is no loss. */
	ping->port->ops->receive(ping->port);
	if (head_due(&ping->waiting) <= ping->now_ns)
		ping->drops = ping->port->ops->drops(ping->port);
	finish_due(ping, &ping->lingering);
	finish_due(ping, &ping->waiting);
	ping->pumping = false;
	arm(ping, more);
	if (all_done(ping) && ping->observer.on_done != NULL)
		ping->observer.on_done(ping->observer.ctx);
}

static void timer_fired(struct sn_timer *timer)
{
	pump(sn_container_of(timer, struct sn_ping, timer));
}

/* The grid of standing runs ------------------------------------------------------------------ */

static void on_grid(struct sn_pace *pace, uint64_t missed, void *ctx);

/* From the next wall-clock multiple of the period on that is at least `least_ns` away. */
static void start_pace(struct sn_ping *ping, uint64_t least_ns)
{
	int64_t period = (int64_t)ping->config.period_ns, wall_ns = sn_loop_wall_now(ping->loop);
	uint64_t wait_ns = (uint64_t)(period - wall_ns % period);

	if (wait_ns < least_ns)
		wait_ns += ping->config.period_ns;
	sn_pace_start(&ping->pace, ping->loop, sn_loop_now(ping->loop) + wait_ns,
		      ping->config.period_ns, on_grid, ping);
}

/* Has the wall clock been set since the pace was started? */
static bool off_grid(const struct sn_ping *ping, uint64_t point_ns)
{
	int64_t period = (int64_t)ping->config.period_ns;
	int64_t wall_ns =
		sn_loop_wall_now(ping->loop) - (int64_t)(sn_loop_now(ping->loop) - point_ns);
	int64_t off_ns = wall_ns % period;

	return SN_MIN(off_ns, period - off_ns) > SN_PING_TICK_NS;
}

static void on_grid(struct sn_pace *pace, uint64_t missed, void *ctx)
{
	struct sn_ping *ping = ctx;
	struct sn_ping_starter *starter = &ping->starter;
	uint64_t now_ns = sn_loop_now(ping->loop);
	uint64_t point_ns = pace->due_ns - (missed + 1) * pace->interval_ns;

	/* This point is used all the same, so that no gap opens. */
	if (off_grid(ping, point_ns)) {
		sn_pace_stop(pace);
		start_pace(ping, ping->config.period_ns / 2);
	}
	/* Far behind: do not make up for it in a burst. */
	if (now_ns - point_ns > ping->config.period_ns / 10)
		point_ns = now_ns;
	if (!starter->active) {
		begin_walk(ping, point_ns);
	} else if (!starter->pending) {
		starter->pending = true;
		starter->pending_ns = point_ns;
	} else {
		starter->missed++;
	}
	starter->missed += missed;
	pump(ping);
}

/* Lifetime -------------------------------------------------------------------------------- */

struct sn_ping *sn_ping_create(struct sn_loop *loop, struct sn_ping_port *port,
			       struct sn_ping_targets *targets, const struct sn_ping_config *config,
			       const struct sn_ping_observer *observer)
{
	struct sn_ping *ping = sn_new(struct sn_ping);

	assert(config->count >= 1 && config->count <= SN_PING_COUNT_MAX);
	assert(targets->count > 0 && config->interval_ns > 0);
	ping->sink =
		(struct sn_ping_sink){.on_reply = sn_ping_on_reply, .on_error = sn_ping_on_error};
	ping->loop = loop;
	ping->port = port;
	port->sink = &ping->sink;
	ping->targets = targets;
	ping->config = *config;
	ping->observer = *observer;
	ping->tick_ns = sn_ping_gathering_time(config, targets->count);
	sn_timer_init(&ping->timer, loop, timer_fired);
	ping->series = sn_new_n(struct sn_ping_series, targets->count);
	ping->scratch = sn_new_n(uint64_t, config->count);
	sn_list_init(&ping->sending);
	sn_list_init(&ping->waiting);
	sn_list_init(&ping->lingering);
	sn_list_init(&ping->spare);
	return ping;
}

void sn_ping_start(struct sn_ping *ping)
{
	if (ping->config.period_ns != 0) {
		start_pace(ping, 0);
		return;
	}
	begin_walk(ping, sn_loop_now(ping->loop));
	sn_timer_at(&ping->timer, sn_loop_now(ping->loop));
}

static void interrupt_list(struct sn_ping *ping, struct sn_list *list, bool complete)
{
	while (!sn_list_empty(list))
		run_finish(ping, sn_list_entry(list->next, struct sn_ping_run, link), !complete);
}

void sn_ping_interrupt(struct sn_ping *ping)
{
	sn_pace_stop(&ping->pace);
	sn_timer_stop(&ping->timer);
	ping->starter = (struct sn_ping_starter){0};
	ping->pumping = true;
	ping->port->ops->receive(ping->port);
	ping->drops = ping->port->ops->drops(ping->port);
	sn_ping_advance(ping, sn_loop_now(ping->loop));
	interrupt_list(ping, &ping->lingering, true);
	interrupt_list(ping, &ping->waiting, false);
	interrupt_list(ping, &ping->sending, false);
	ping->pumping = false;
}

static void release_list(struct sn_ping *ping, struct sn_list *list)
{
	while (!sn_list_empty(list))
		run_release(ping, sn_list_entry(list->next, struct sn_ping_run, link));
}

void sn_ping_destroy(struct sn_ping *ping)
{
	struct sn_ping_chunk *next;

	if (ping == NULL)
		return;
	sn_pace_stop(&ping->pace);
	sn_timer_stop(&ping->timer);
	release_list(ping, &ping->sending);
	release_list(ping, &ping->waiting);
	release_list(ping, &ping->lingering);
	for (struct sn_ping_chunk *chunk = ping->chunks; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	ping->port->sink = NULL;
	free(ping->series);
	free(ping->scratch);
	free(ping);
}
