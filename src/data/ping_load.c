/* SPDX-License-Identifier: Apache-2.0 */
#include "data/ping_load.h"

#include <errno.h>
#include <inttypes.h>

#include "base/str.h"

double sn_ping_load_rate(const struct sn_ping_load *load)
{
	if (load->period_ns == 0)
		return (double)load->targets * SN_NS_PER_S / (double)load->interval_ns;
	return (double)load->targets * (double)load->count * SN_NS_PER_S / (double)load->period_ns;
}

int sn_ping_load_check(const struct sn_ping_load *load, struct sn_err *err)
{
	char period[SN_DURATION_TEXT_MAX], interval[SN_DURATION_TEXT_MAX];

	if (load->targets * load->count > SN_PING_OPEN_MAX)
		return sn_err_set(err, -EINVAL,
				  "cannot keep %" PRIu64 " requests to each of %" PRIu64
				  " targets in mind: the limit is %d together (lower the count, or "
				  "split the targets)",
				  load->count, load->targets, SN_PING_OPEN_MAX);
	if (load->period_ns == 0)
		return 0;
	sn_format_duration((int64_t)load->period_ns, period, sizeof(period));
	sn_format_duration((int64_t)load->interval_ns, interval, sizeof(interval));
	if ((load->count - 1) * load->interval_ns >= load->period_ns)
		return sn_err_set(err, -EINVAL,
				  "cannot send %" PRIu64 " requests %s apart every %s: they do not "
				  "fit (lower the count or the interval, or raise the period)",
				  load->count, interval, period);
	if (sn_ping_load_rate(load) > SN_PING_RATE_MAX)
		return sn_err_set(err, -EINVAL,
				  "cannot send %.0f requests a second: the limit is %d (fewer "
				  "targets, a lower count or a longer period)",
				  sn_ping_load_rate(load), SN_PING_RATE_MAX);
	return 0;
}
