/* SPDX-License-Identifier: Apache-2.0 */
/* The instance of one worker: which step it is in, and its sink. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/series/internal.h"

struct sn_traffic *sn_traffic_create(struct sn_traffic_board *board)
{
	struct sn_traffic *traffic = sn_new(struct sn_traffic);

	traffic->board = board;
	traffic->inside = board->options.inside;
	traffic->sheet = sn_sheet_create();
	traffic->cut_ns = traffic->floor_ns = traffic->position_ns = INT64_MIN;
	pthread_mutex_lock(&board->lock);
	traffic->next = board->workers;
	board->workers = traffic;
	board->worker_count++;
	traffic->time_line = board->time_line;
	pthread_mutex_unlock(&board->lock);
	return traffic;
}

void sn_traffic_deliver(struct sn_traffic *traffic)
{
	if (!traffic->started || (traffic->counts.packets == 0 && !traffic->has_samples))
		return;
	sn_traffic_settle(traffic);
	sn_traffic_hand_over(traffic);
	sn_sheet_clear(traffic->sheet);
	traffic->has_samples = false;
}

void sn_traffic_destroy(struct sn_traffic *traffic)
{
	struct sn_traffic_board *board;

	if (traffic == NULL)
		return;
	board = traffic->board;
	sn_traffic_deliver(traffic);
	pthread_mutex_lock(&board->lock);
	for (struct sn_traffic **at = &board->workers; *at != NULL; at = &(*at)->next)
		if (*at == traffic) {
			*at = traffic->next;
			break;
		}
	pthread_mutex_unlock(&board->lock);
	sn_sheet_destroy(traffic->sheet);
	free(traffic);
}

/* Steps -------------------------------------------------------------------- */

static void enter_step(struct sn_traffic *traffic, int64_t now_ns)
{
	int64_t base_ns = traffic->board->base_ns;
	int64_t rest = now_ns % base_ns;

	traffic->begin_ns = now_ns - (rest < 0 ? rest + base_ns : rest);
	traffic->last_ns = now_ns;
	traffic->floor_ns = traffic->begin_ns - SN_TRAFFIC_CLOCK_BACK * SN_NS_PER_S;
}

void sn_traffic_turn(struct sn_traffic *traffic, int64_t now_ns)
{
	int64_t base_ns = traffic->board->base_ns;

	if (!traffic->started) {
		enter_step(traffic, now_ns);
		traffic->started = true;
	} else if (now_ns < traffic->floor_ns) {
		sn_traffic_deliver(traffic);
		enter_step(traffic, now_ns);
		sn_traffic_restart(traffic, now_ns);
	} else if (now_ns >= traffic->begin_ns + base_ns) {
		sn_traffic_deliver(traffic);
		enter_step(traffic, now_ns);
	}
	traffic->cut_ns = traffic->begin_ns + base_ns;
	sn_traffic_pass(traffic, now_ns);
}

/* The sink ----------------------------------------------------------------- */

static int take_flow(void *sink, const struct sn_view_flow *view)
{
	if (view->end != SN_END_ACTIVE)
		sn_traffic_count_flow(sink, view);
	return 0;
}

static int advance(void *sink, int64_t now_ns)
{
	struct sn_traffic *traffic = sink;

	if (!traffic->started)
		sn_traffic_pass(traffic, now_ns);
	else if (now_ns >= traffic->begin_ns + traffic->board->base_ns &&
		 !traffic->board->options.tstat_steps)
		sn_traffic_turn(traffic, now_ns);
	return 0;
}

static int flush(void *sink, struct sn_err *err)
{
	struct sn_traffic *traffic = sink;
	struct sn_traffic_board *board = traffic->board;
	int result;

	sn_traffic_deliver(traffic);
	pthread_mutex_lock(&board->lock);
	result = board->options.keep_going ? 0 : board->error.code;
	if (result != 0)
		sn_err_set(err, result, "%s", board->error.text);
	pthread_mutex_unlock(&board->lock);
	return result;
}

struct sn_sink sn_traffic_sink(struct sn_traffic *traffic)
{
	static const struct sn_sink_ops ops = {
		.flow = take_flow, .advance = advance, .flush = flush};

	return (struct sn_sink){.ops = &ops, .sink = traffic};
}
