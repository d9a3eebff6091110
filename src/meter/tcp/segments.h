/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments: what one side has sent, as ranges of sequence numbers in order, each
 * with when it was sent, how often, and how often it was acknowledged.
 *
 * Nodes come from one pool of the meter and are addressed by index (4 bytes).  A
 * side keeps a bounded number; when there are more, the two oldest become one
 * (Tstat: max_seg_per_quad).
 */
#ifndef SONDE_METER_TCP_SEGMENTS_H
#define SONDE_METER_TCP_SEGMENTS_H

#include <stdint.h>

struct sn_segments {
	uint32_t first, last; /* index of a node + 1; 0: none */
	uint16_t count;
};

#endif
