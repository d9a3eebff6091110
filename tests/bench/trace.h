/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace: captures to measure with, the same in every run.
 *
 * A mixed one is made from the captures of a directory: again and again, each
 * time with other addresses and half a second later, merged in order of time.
 * Others are of one kind of flow only.  All functions end the program on errors.
 */
#ifndef SONDE_TESTS_BENCH_TRACE_H
#define SONDE_TESTS_BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

_Noreturn void die(const char *what, const char *why);

size_t trace_load(const char *directory); /* packets in all its captures */
void trace_write_mixed(const char *path, size_t packets);

enum trace_kind {
	TRACE_SYN,       /* a SYN each, never answered: a scan */
	TRACE_UDP,       /* a datagram each */
	TRACE_COLLIDING, /* as UDP, with addresses that differ in few bits: one port, steps of 2^16
			  */
	TRACE_WEB,       /* handshake, request, response: open connections */
};
#define TRACE_WEB_PACKETS 5
void trace_write_flows(const char *path, enum trace_kind kind, uint32_t flows);
/* Two halves with silence between them. */
void trace_write_gap(const char *path, uint64_t gap_s);

#endif
