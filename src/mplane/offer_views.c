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

const struct sn_mp_view sn_mp_views[] = {
	{"ping-average-ip4", &sn_method_ping, true, "4", "source.ip4", "destination.ip4", average,
	 SN_COUNT(average)},
	{"ping-detail-ip4", &sn_method_ping, false, "4", "source.ip4", "destination.ip4", detail,
	 SN_COUNT(detail)},
	{"ping-average-ip6", &sn_method_ping, true, "6", "source.ip6", "destination.ip6", average,
	 SN_COUNT(average)},
	{"ping-detail-ip6", &sn_method_ping, false, "6", "source.ip6", "destination.ip6", detail,
	 SN_COUNT(detail)},
};
const size_t sn_mp_view_count = SN_COUNT(sn_mp_views);

bool sn_mp_view_is_ip6(const struct sn_mp_view *view)
{
	return view->family[0] == '6';
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
