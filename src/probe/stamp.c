/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/stamp.h"

#include <assert.h>

#include "base/util.h"

/* Rounding of the two clocks; a step as small as this does no harm. */
#define TOLERANCE_NS 1000

bool sn_stamp_read(struct sn_stamp *stamp, uint64_t mono_before_ns, int64_t wall_ns,
		   uint64_t mono_after_ns)
{
	int64_t low = wall_ns - (int64_t)mono_after_ns, high = wall_ns - (int64_t)mono_before_ns;
	bool same = stamp->known && low <= stamp->high_ns + TOLERANCE_NS &&
		    high >= stamp->low_ns - TOLERANCE_NS;

	if (!same) {
		*stamp = (struct sn_stamp){.known = true, .low_ns = low, .high_ns = high};
		return false;
	}
	low = SN_MAX(low, stamp->low_ns);
	high = SN_MIN(high, stamp->high_ns);
	/* Within the tolerance the bounds may cross: meet in the middle. */
	stamp->low_ns = SN_MIN(low, high);
	stamp->high_ns = SN_MAX(low, high);
	return true;
}

uint64_t sn_stamp_to_mono(const struct sn_stamp *stamp, int64_t wall_ns)
{
	assert(stamp->known);

	return (uint64_t)(wall_ns - (stamp->low_ns + (stamp->high_ns - stamp->low_ns) / 2));
}
