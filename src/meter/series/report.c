/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a closed step. */
#include <math.h>

#include "base/util.h"
#include "meter/series/internal.h"

static double value_of(const struct sn_rrd_conf *conf, const struct sn_rrd_value *asked,
		       const struct sn_sheet *sheet, int64_t elapsed_ns)
{
	enum sn_histogram_id id = asked->histogram;
	double other;

	switch (asked->kind) {
	case SN_RRD_STAT:
		return sn_sheet_stat(sheet, id, asked->what);
	case SN_RRD_INDEX:
		return sn_sheet_bin(sheet, id, asked->what, elapsed_ns);
	case SN_RRD_PERCENTILE:
		return sn_sheet_percentile(sheet, id, asked->percent, elapsed_ns);
	case SN_RRD_OTHER:
		other = sn_sheet_total(sheet, id, elapsed_ns);
		for (unsigned i = 0; i < asked->count; i++)
			other -= sn_sheet_bin(sheet, id, conf->values[asked->first + i].what,
					      elapsed_ns);
		return other;
	}
	return NAN;
}

/* A distribution without samples has neither an average nor percentiles. */
static bool is_empty(const struct sn_rrd_value *asked, const struct sn_sheet *sheet)
{
	if (asked->kind == SN_RRD_INDEX || asked->kind == SN_RRD_OTHER)
		return false;
	if (sn_histograms[asked->histogram].rate)
		return asked->kind == SN_RRD_STAT;
	return sheet->samples[asked->histogram].count == 0 &&
	       !(asked->kind == SN_RRD_STAT && asked->what == SN_STAT_HIT);
}

void sn_traffic_tell(struct sn_traffic_board *board, unsigned level, const struct sn_sheet *sheet,
		     const struct sn_traffic_span *span)
{
	if (board->options.value == NULL)
		return;
	for (size_t i = 0; i < board->conf.count; i++) {
		const struct sn_rrd_value *asked = &board->conf.values[i];
		struct sn_traffic_value value = {
			.begin_ns = span->begin_ns,
			.time_ns = span->end_ns,
			.step_seconds = board->levels[level].seconds,
			.interface = board->interface,
			.metric = sn_histograms[asked->histogram].name,
			.stat = asked->stat,
			.label = asked->label,
		};

		if ((asked->steps >> level & 1) == 0)
			continue;
		value.value = value_of(&board->conf, asked, sheet, span->elapsed_ns);
		value.empty = is_empty(asked, sheet);
		board->stats.values++;
		board->options.value(&value, board->options.ctx);
	}
}
