/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inline: what must be inlined in any case: functions that only prefetch, because the compiler
 * takes calls of them for calls without effect, and the straight way of ordinary packets.
 */
#ifndef SONDE_METER_INLINE_H
#define SONDE_METER_INLINE_H

#define SN_ALWAYS_INLINE inline __attribute__((always_inline))

#endif
