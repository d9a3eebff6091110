/* SPDX-License-Identifier: Apache-2.0 */
/* What the workers share: the open steps of each level, and when they are closed. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/series/internal.h"

#define SHEETS_KEPT 3 /* of each level; more are needed when workers are far apart only */

static const unsigned seconds_of[SN_TRAFFIC_STEPS] = {1, 60, 300};

/* Life --------------------------------------------------------------------- */

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Workers tell pieces of which each step is made of whole ones. */
static void set_lengths(struct sn_traffic_board *board)
{
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++) {
		struct sn_traffic_level *level = &board->levels[i];

		level->seconds = seconds_of[i];
		if (i == SN_TRAFFIC_LONG && board->options.long_seconds != 0)
			level->seconds = board->options.long_seconds;
		level->step_ns = level->seconds * SN_NS_PER_S;
		level->closed = INT64_MIN;
		if (i == SN_TRAFFIC_LONG || (board->options.steps >> i & 1) != 0)
			board->base_ns = common_divisor(level->step_ns, board->base_ns);
	}
}

static void set_wanted(struct sn_traffic_board *board)
{
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++) {
		struct sn_traffic_level *level = &board->levels[i];

		memset(level->wanted, 0, sizeof(level->wanted));
		if ((board->options.steps >> i & 1) != 0)
			for (size_t v = 0; v < board->conf.count; v++)
				if ((board->conf.values[v].steps >> i & 1) != 0)
					level->wanted[board->conf.values[v].histogram] = true;
	}
	if (board->histograms)
		memset(board->levels[SN_TRAFFIC_LONG].wanted, true,
		       sizeof(board->levels[0].wanted));
}

int sn_traffic_board_create(const struct sn_traffic_options *options,
			    struct sn_traffic_board **board, struct sn_err *err)
{
	struct sn_str text =
		options->rrd_conf != NULL ? sn_str(options->rrd_conf) : sn_rrd_conf_default();
	struct sn_rrd_conf conf;
	struct sn_traffic_board *made;
	int result = sn_rrd_conf_parse(text, "rrd.conf", &conf, err);

	*board = NULL;
	if (result != 0)
		return result;
	made = sn_new(struct sn_traffic_board);
	pthread_mutex_init(&made->lock, NULL);
	made->options = *options;
	made->interface = options->interface != NULL ? sn_xstrdup(options->interface) : NULL;
	made->conf = conf;
	made->directory = made->next = -1;
	set_lengths(made);
	set_wanted(made);
	*board = made;
	return 0;
}

void sn_traffic_board_destroy(struct sn_traffic_board *board)
{
	if (board == NULL)
		return;
	assert(board->workers == NULL);
	sn_traffic_board_finish(board, NULL);
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++)
		for (unsigned s = 0; s < SN_TRAFFIC_OPEN_MAX; s++)
			sn_sheet_destroy(board->levels[i].steps[s].sheet);
	sn_sheet_destroy(board->global);
	sn_traffic_close_directories(board);
	sn_rrd_conf_finish(&board->conf);
	free(board->interface);
	pthread_mutex_destroy(&board->lock);
	free(board);
}

void sn_traffic_board_histograms(struct sn_traffic_board *board, bool on)
{
	pthread_mutex_lock(&board->lock);
	board->histograms = on;
	if (on && board->options.global && board->global == NULL)
		board->global = sn_sheet_create();
	set_wanted(board);
	pthread_mutex_unlock(&board->lock);
}

void sn_traffic_board_stats(struct sn_traffic_board *board, struct sn_traffic_stats *stats)
{
	pthread_mutex_lock(&board->lock);
	*stats = board->stats;
	pthread_mutex_unlock(&board->lock);
}

/* Closing ------------------------------------------------------------------ */

/* With several workers nobody could say which packet was the first of Tstat's step. */
static bool is_tstat(const struct sn_traffic_board *board)
{
	return board->options.tstat_steps && board->worker_count <= 1;
}

/* `end_ns` is before the end of the grid's step only when nothing more comes. */
static struct sn_traffic_span span_of(const struct sn_traffic_board *board,
				      const struct sn_traffic_level *level, int64_t index,
				      bool last)
{
	struct sn_traffic_span span = {.begin_ns = index * level->step_ns,
				       .end_ns = (index + 1) * level->step_ns};
	int64_t end_ns = last ? SN_MIN(span.end_ns, board->last_ns) : span.end_ns;

	span.elapsed_ns = end_ns - SN_MAX(span.begin_ns, board->first_ns);
	return span;
}

static void close_step(struct sn_traffic_board *board, unsigned number,
		       struct sn_traffic_step *step, const struct sn_traffic_span *span, bool last)
{
	board->stats.steps[number]++;
	if ((board->options.steps >> number & 1) != 0)
		sn_traffic_tell(board, number, step->sheet, span);
	if (number == SN_TRAFFIC_LONG) {
		sn_traffic_write_step(board, step->sheet, span, last);
		if (board->global != NULL)
			sn_sheet_merge(board->global, step->sheet, NULL);
	}
	step->open = false;
	if (step - board->levels[number].steps < SHEETS_KEPT) {
		sn_sheet_clear(step->sheet);
	} else {
		sn_sheet_destroy(step->sheet);
		step->sheet = NULL;
	}
}

static struct sn_traffic_step *oldest_open(struct sn_traffic_level *level)
{
	struct sn_traffic_step *oldest = NULL;

	for (unsigned i = 0; i < SN_TRAFFIC_OPEN_MAX; i++)
		if (level->steps[i].open &&
		    (oldest == NULL || level->steps[i].index < oldest->index))
			oldest = &level->steps[i];
	return oldest;
}

/* Closes the steps of a level that end at `until_ns` or before; all that are open when `last`. */
static void close_level(struct sn_traffic_board *board, unsigned number, int64_t until_ns,
			bool last)
{
	struct sn_traffic_level *level = &board->levels[number];
	struct sn_traffic_step *step;

	while ((step = oldest_open(level)) != NULL &&
	       (last || (step->index + 1) * level->step_ns <= until_ns)) {
		struct sn_traffic_span span = span_of(board, level, step->index, last);

		level->closed = SN_MAX(level->closed, step->index + 1);
		if (number == SN_TRAFFIC_LONG && is_tstat(board))
			span = (struct sn_traffic_span){.begin_ns = board->tstat_begin_ns,
							.end_ns = board->last_ns,
							.elapsed_ns = board->last_ns -
								      board->tstat_begin_ns};
		close_step(board, number, step, &span, last);
	}
}

static void close_passed(struct sn_traffic_board *board)
{
	int64_t until_ns = INT64_MAX;

	for (const struct sn_traffic *w = board->workers; w != NULL; w = w->next)
		until_ns = SN_MIN(until_ns, w->position_ns);
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++)
		if (i != SN_TRAFFIC_LONG || !is_tstat(board))
			close_level(board, i, until_ns, false);
}

static void close_all(struct sn_traffic_board *board)
{
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++)
		close_level(board, i, INT64_MAX, true);
}

int sn_traffic_board_finish(struct sn_traffic_board *board, struct sn_err *err)
{
	int result;

	pthread_mutex_lock(&board->lock);
	if (!board->finished) {
		close_all(board);
		sn_traffic_write_global(board);
		board->finished = true;
	}
	result = board->error.code;
	if (result != 0)
		sn_err_set(err, result, "%s", board->error.text);
	pthread_mutex_unlock(&board->lock);
	return result;
}

/* What workers tell -------------------------------------------------------- */

static struct sn_traffic_step *find_step(struct sn_traffic_level *level, int64_t index)
{
	for (unsigned i = 0; i < SN_TRAFFIC_OPEN_MAX; i++)
		if (level->steps[i].open && level->steps[i].index == index)
			return &level->steps[i];
	return NULL;
}

static struct sn_traffic_step *find_free(struct sn_traffic_level *level)
{
	for (unsigned i = 0; i < SN_TRAFFIC_OPEN_MAX; i++)
		if (!level->steps[i].open)
			return &level->steps[i];
	return NULL;
}

static struct sn_traffic_step *open_step(struct sn_traffic_level *level, int64_t index)
{
	struct sn_traffic_step *step = find_free(level);

	assert(step != NULL); /* who asks has made room */
	if (step->sheet == NULL)
		step->sheet = sn_sheet_create();
	step->open = true;
	step->index = index;
	return step;
}

/* The step that the worker's piece belongs to; another one when that is closed. */
static struct sn_traffic_step *step_for(struct sn_traffic_board *board, unsigned number,
					const struct sn_traffic *traffic)
{
	struct sn_traffic_level *level = &board->levels[number];
	struct sn_traffic_step *oldest = oldest_open(level), *found;
	bool astray = traffic->time_line != board->time_line;
	int64_t at_ns = astray ? board->last_ns : traffic->begin_ns;
	int64_t index = at_ns / level->step_ns - (at_ns % level->step_ns < 0);
	bool full = find_free(level) == NULL;

	if (number == SN_TRAFFIC_LONG && is_tstat(board))
		return oldest != NULL ? oldest : open_step(level, index);
	found = find_step(level, index);
	if (found != NULL && !astray)
		return found;
	if (astray || index < level->closed || (full && index < oldest->index)) {
		board->stats.late++;
		return oldest != NULL ? oldest : open_step(level, SN_MAX(index, level->closed));
	}
	if (full)
		close_level(board, number, (oldest->index + 1) * level->step_ns, false);
	return open_step(level, index);
}

void sn_traffic_hand_over(struct sn_traffic *traffic)
{
	struct sn_traffic_board *board = traffic->board;

	pthread_mutex_lock(&board->lock);
	board->finished = false;
	if (traffic->time_line == board->time_line)
		board->last_ns = SN_MAX(board->last_ns, traffic->last_ns);
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++) {
		if (i == SN_TRAFFIC_LONG || (board->options.steps >> i & 1) != 0)
			sn_sheet_merge(step_for(board, i, traffic)->sheet, traffic->sheet,
				       board->levels[i].wanted);
	}
	pthread_mutex_unlock(&board->lock);
}

static bool wants(const struct sn_traffic_board *board, unsigned first, unsigned last)
{
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++)
		for (unsigned id = first; id <= last; id++)
			if (board->levels[i].wanted[id])
				return true;
	return false;
}

/* What the worker has to count, and how long until Tstat's step is over. */
static void give_orders(const struct sn_traffic_board *board, struct sn_traffic *traffic,
			int64_t now_ns)
{
	int64_t end_ns = board->tstat_begin_ns + board->levels[SN_TRAFFIC_LONG].step_ns;

	traffic->wants_ports =
		wants(board, SN_HISTOGRAM_TCP_PORT_SRC_IN, SN_HISTOGRAM_UDP_PORT_DST_LOC);
	traffic->wants_flight = wants(board, SN_HISTOGRAM_TCP_CWND, SN_HISTOGRAM_TCP_CWND);
	traffic->wants_windows = wants(board, SN_HISTOGRAM_TCP_WIN_AVG, SN_HISTOGRAM_TCP_WIN_AVG);
	if (is_tstat(board)) {
		traffic->tstat_due = now_ns > end_ns;
		traffic->cut_ns = SN_MIN(traffic->cut_ns, SN_MAX(end_ns, now_ns) + 1);
	}
}

static void begin_time_line(struct sn_traffic_board *board, int64_t now_ns)
{
	board->started = true;
	board->first_ns = board->last_ns = board->tstat_begin_ns = now_ns;
	for (unsigned i = 0; i < SN_TRAFFIC_STEPS; i++)
		board->levels[i].closed = INT64_MIN;
}

void sn_traffic_pass(struct sn_traffic *traffic, int64_t now_ns)
{
	struct sn_traffic_board *board = traffic->board;

	pthread_mutex_lock(&board->lock);
	if (traffic->started && !board->started)
		begin_time_line(board, now_ns);
	if (traffic->started && traffic->time_line == board->time_line)
		board->first_ns = SN_MIN(board->first_ns, now_ns);
	/* Who still lives in the time before the clock went back does not push the others. */
	if (traffic->time_line == board->time_line)
		traffic->position_ns = now_ns;
	close_passed(board);
	give_orders(board, traffic, now_ns);
	pthread_mutex_unlock(&board->lock);
}

void sn_traffic_restart(struct sn_traffic *traffic, int64_t now_ns)
{
	struct sn_traffic_board *board = traffic->board;

	pthread_mutex_lock(&board->lock);
	if (traffic->time_line == board->time_line) {
		close_all(board);
		board->time_line++;
		begin_time_line(board, now_ns);
		for (struct sn_traffic *w = board->workers; w != NULL; w = w->next)
			w->position_ns = INT64_MIN;
	}
	traffic->time_line = board->time_line;
	pthread_mutex_unlock(&board->lock);
}

void sn_traffic_cut(struct sn_traffic *traffic, int64_t now_ns)
{
	struct sn_traffic_board *board = traffic->board;

	traffic->tstat_due = false;
	sn_traffic_deliver(traffic);
	pthread_mutex_lock(&board->lock);
	close_level(board, SN_TRAFFIC_LONG, INT64_MAX, false);
	board->tstat_begin_ns = now_ns;
	give_orders(board, traffic, now_ns);
	pthread_mutex_unlock(&board->lock);
}
