/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stamp: the kernel's receive timestamps on the monotonic clock.
 *
 * The kernel stamps packets with wall-clock time, durations need monotonic time.
 * The two clocks run at the same rate, so their difference is one constant until
 * somebody sets the wall clock.  Each reading of both (monotonic, wall, monotonic)
 * bounds that constant from both sides; the bounds are intersected, and an empty
 * intersection means that the wall clock was stepped since the reading before.
 * What was stamped between those two readings is then not to be trusted.
 *
 * Pure: readings come from the caller.
 */
#ifndef SONDE_PROBE_STAMP_H
#define SONDE_PROBE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct sn_stamp { /* zeroed is valid: nothing known */
	bool known;
	int64_t low_ns, high_ns; /* bounds of wall minus monotonic */
};

/* False if the clock was stepped since the last reading, or if this is the first. */
bool sn_stamp_read(struct sn_stamp *stamp, uint64_t mono_before_ns, int64_t wall_ns,
		   uint64_t mono_after_ns);

uint64_t sn_stamp_to_mono(const struct sn_stamp *stamp, int64_t wall_ns);

#endif
