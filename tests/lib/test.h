/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes first: cmocka and the headers it wants before it. */
#ifndef SONDE_TESTS_LIB_TEST_H
#define SONDE_TESTS_LIB_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <time.h>

#include "base/clock.h"
#include "base/util.h"

/* What must come comes within it, however busy the machine: only a failure waits that long. */
#define TEST_PATIENCE_MS 30000
#define TEST_PATIENCE_NS (TEST_PATIENCE_MS * (uint64_t)SN_NS_PER_MS)

/* Takes `turn` again and again until `condition` is so; after the patience the test judges what is.
 */
#define test_until(condition, turn)                                                                \
	do {                                                                                       \
		uint64_t test_end_ns_ = sn_mono_ns() + TEST_PATIENCE_NS;                           \
                                                                                                   \
		while (!(condition) && sn_mono_ns() < test_end_ns_)                                \
			(void)(turn);                                                              \
	} while (0)

/* Processor time of this process: unlike that of a clock it does not depend on who else works. */
static inline uint64_t test_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * SN_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
