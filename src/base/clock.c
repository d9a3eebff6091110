/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#include "base/util.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * SN_NS_PER_S + ts.tv_nsec;
}

uint64_t sn_mono_ns(void)
{
	return (uint64_t)read_clock(CLOCK_MONOTONIC);
}

int64_t sn_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

static uint64_t real_mono(const struct sn_clock *clock SN_UNUSED)
{
	return sn_mono_ns();
}

static int64_t real_wall(const struct sn_clock *clock SN_UNUSED)
{
	return sn_wall_ns();
}

const struct sn_clock sn_clock_real = {.mono_ns = real_mono, .wall_ns = real_wall};

static uint64_t virtual_mono(const struct sn_clock *clock)
{
	return sn_container_of(clock, const struct sn_clock_virtual, clock)->mono_ns;
}

static int64_t virtual_wall(const struct sn_clock *clock)
{
	return sn_container_of(clock, const struct sn_clock_virtual, clock)->wall_ns;
}

void sn_clock_virtual_init(struct sn_clock_virtual *clock, uint64_t mono_ns, int64_t wall_ns)
{
	*clock = (struct sn_clock_virtual){
		.clock = {.mono_ns = virtual_mono, .wall_ns = virtual_wall},
		.mono_ns = mono_ns,
		.wall_ns = wall_ns,
	};
}

void sn_clock_virtual_advance(struct sn_clock_virtual *clock, uint64_t by_ns)
{
	clock->mono_ns += by_ns;
	clock->wall_ns += (int64_t)by_ns;
}

struct sn_clock_virtual *sn_clock_to_virtual(const struct sn_clock *clock)
{
	if (clock->mono_ns != virtual_mono)
		return NULL;
	return sn_container_of(clock, struct sn_clock_virtual, clock);
}
