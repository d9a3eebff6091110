/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_plan.h"

#include <errno.h>

#include "base/str.h"
#include "probe/icmp.h"

#define TICK_MAX_NS   (10 * SN_NS_PER_MS)
#define BUSY_RATE     4000 /* requests a second that count as very many */
#define BURST_PACKETS 100  /* at most so much in one wake-up of the longer kind */
#define BURST_BYTES   12000
#define START_GAP_NS  (10 * SN_NS_PER_MS) /* between the starts of standing runs, at most */

uint64_t sn_ping_paced_interval(uint64_t interval_ns, uint32_t targets)
{
	return SN_MAX(interval_ns, (uint64_t)targets * (SN_NS_PER_S / SN_PING_RATE_MAX));
}

uint64_t sn_ping_start_offset(const struct sn_ping_config *config, uint32_t targets, uint32_t index)
{
	uint64_t spread = config->interval_ns;

	if (config->period_ns != 0)
		spread = SN_MIN(config->period_ns, (uint64_t)targets * START_GAP_NS);
	/* In two parts, because a day times a million does not fit. */
	return spread / targets * index + spread % targets * index / targets;
}

/* Requests a second while all targets are being asked. */
static double request_rate(const struct sn_ping_config *config, uint32_t targets)
{
	if (config->period_ns == 0)
		return (double)targets * SN_NS_PER_S / (double)config->interval_ns;
	return (double)targets * config->count * SN_NS_PER_S / (double)config->period_ns;
}

uint64_t sn_ping_gathering_time(const struct sn_ping_config *config, uint32_t targets)
{
	double rate = request_rate(config, targets), burst;
	size_t packet = config->payload_size + SN_ICMP_HEADER_SIZE;

	if (rate < BUSY_RATE)
		return SN_PING_TICK_NS;
	burst = SN_MIN((double)BURST_PACKETS, (double)BURST_BYTES / (double)packet);
	return (uint64_t)SN_MIN(SN_MAX(burst / rate * SN_NS_PER_S, (double)SN_PING_TICK_NS),
				(double)TICK_MAX_NS);
}

int sn_ping_config_check(const struct sn_ping_config *config, uint32_t targets, struct sn_err *err)
{
	char period[SN_DURATION_TEXT_MAX], interval[SN_DURATION_TEXT_MAX];
	double rate;

	if ((uint64_t)targets * config->count > SN_PING_OPEN_MAX)
		return sn_err_set(err, -EINVAL,
				  "cannot keep %u requests to each of %u targets in mind: the "
				  "limit is %d together (lower --count, or split the targets)",
				  config->count, targets, SN_PING_OPEN_MAX);
	if (config->period_ns == 0)
		return 0;
	sn_format_duration((int64_t)config->period_ns, period, sizeof(period));
	sn_format_duration((int64_t)config->interval_ns, interval, sizeof(interval));
	if ((config->count - 1) * config->interval_ns >= config->period_ns)
		return sn_err_set(err, -EINVAL,
				  "cannot send %u requests %s apart every %s: they do not fit "
				  "(lower --count or --interval, or raise --period)",
				  config->count, interval, period);
	rate = request_rate(config, targets);
	if (rate > SN_PING_RATE_MAX)
		return sn_err_set(err, -EINVAL,
				  "cannot send %.0f requests a second: the limit is %d (fewer "
				  "targets, lower --count or raise --period)",
				  rate, SN_PING_RATE_MAX);
	return 0;
}
