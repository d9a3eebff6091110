/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/ping_plan.h"

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

static struct sn_ping_load load_of(const struct sn_ping_config *config, uint32_t targets)
{
	return (struct sn_ping_load){.targets = targets,
				     .count = config->count,
				     .interval_ns = config->interval_ns,
				     .period_ns = config->period_ns};
}

uint64_t sn_ping_gathering_time(const struct sn_ping_config *config, uint32_t targets)
{
	struct sn_ping_load load = load_of(config, targets);
	double rate = sn_ping_load_rate(&load), burst;
	size_t packet = config->payload_size + SN_ICMP_HEADER_SIZE;

	if (rate < BUSY_RATE)
		return SN_PING_TICK_NS;
	burst = SN_MIN((double)BURST_PACKETS, (double)BURST_BYTES / (double)packet);
	return (uint64_t)SN_MIN(SN_MAX(burst / rate * SN_NS_PER_S, (double)SN_PING_TICK_NS),
				(double)TICK_MAX_NS);
}

int sn_ping_config_check(const struct sn_ping_config *config, uint32_t targets, struct sn_err *err)
{
	struct sn_ping_load load = load_of(config, targets);

	return sn_ping_load_check(&load, err);
}
