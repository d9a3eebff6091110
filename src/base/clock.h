/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: what time it is, replaceable in tests.
 *
 * Monotonic nanoseconds for intervals, wall (Unix) nanoseconds only for labels.
 */
#ifndef SONDE_BASE_CLOCK_H
#define SONDE_BASE_CLOCK_H

#include <stdint.h>

struct sn_clock {
	uint64_t (*mono_ns)(const struct sn_clock *clock);
	int64_t (*wall_ns)(const struct sn_clock *clock);
};

extern const struct sn_clock sn_clock_real;
uint64_t sn_mono_ns(void); /* the real clock, directly */
int64_t sn_wall_ns(void);

/* A clock that stands still until it is moved; moving it fires no timers by itself. */
struct sn_clock_virtual {
	struct sn_clock clock;
	uint64_t mono_ns;
	int64_t wall_ns;
};
void sn_clock_virtual_init(struct sn_clock_virtual *clock, uint64_t mono_ns, int64_t wall_ns);
void sn_clock_virtual_advance(struct sn_clock_virtual *clock, uint64_t by_ns);
/* The virtual clock that `clock` belongs to; NULL if it is another kind. */
struct sn_clock_virtual *sn_clock_to_virtual(const struct sn_clock *clock);

#endif
