/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/offer_views.h"

#include <string.h>

#define US_PER_S 1e6

static const struct sn_mp_view_column average[] = {
	{"delay.twoway.icmp.us.min", "rtt_min_seconds", US_PER_S, SN_MP_FOLD_MIN, NULL},
	{"delay.twoway.icmp.us.mean", "rtt_mean_seconds", US_PER_S, SN_MP_FOLD_MEAN,
	 "received_packets"},
	{"delay.twoway.icmp.us.max", "rtt_max_seconds", US_PER_S, SN_MP_FOLD_MAX, NULL},
	{"delay.twoway.icmp.count", "received_packets", 1, SN_MP_FOLD_SUM, NULL},
};

/* Runs of one request: minimum, mean and maximum are the same. */
static const struct sn_mp_view_column detail[] = {
	{"time", "time", 1, SN_MP_FOLD_MIN, NULL},
	{"delay.twoway.icmp.us", "rtt_min_seconds", US_PER_S, SN_MP_FOLD_MIN, NULL},
};

#define PING(label_, average_, v_, columns_)                                                       \
	{                                                                                          \
		.label = label_, .method = &sn_method_ping, .average = average_, .family = v_,     \
		.source = "source.ip" v_, .destination = "destination.ip" v_, .columns = columns_, \
		.column_count = SN_COUNT(columns_)                                                 \
	}

static const struct sn_mp_view ping_views[] = {
	PING("ping-average-ip4", true, "4", average),
	PING("ping-detail-ip4", false, "4", detail),
	PING("ping-average-ip6", true, "6", average),
	PING("ping-detail-ip6", false, "6", detail),
};

const struct sn_mp_view *const sn_mp_views[] = {
	&ping_views[0],        &ping_views[1],        &ping_views[2],        &ping_views[3],
	&sn_mp_tstat_views[0], &sn_mp_tstat_views[1], &sn_mp_tstat_views[2], &sn_mp_tstat_views[3],
	&sn_mp_tstat_views[4], &sn_mp_tstat_views[5], &sn_mp_tstat_views[6],
};
const size_t sn_mp_view_count = SN_COUNT(sn_mp_views);

bool sn_mp_view_is_ip6(const struct sn_mp_view *view)
{
	return view->family != NULL && view->family[0] == '6';
}

const struct sn_mp_view_column *sn_mp_view_column(const struct sn_mp_view *view, const char *name)
{
	for (size_t i = 0; i < view->column_count; i++)
		if (strcmp(view->columns[i].element, name) == 0)
			return &view->columns[i];
	return NULL;
}

bool sn_mp_offers_param(const struct sn_param *param)
{
	return strcmp(param->name, "period") != 0;
}

bool sn_mp_offers_column(const struct sn_dataset *dataset, size_t column)
{
	(void)dataset;
	return column == SN_COL_TIME || column >= SN_COL_COMMON;
}
