/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: one demo from start to end.
 */
#ifndef SONDE_DEMO_RUN_RUN_H
#define SONDE_DEMO_RUN_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct sn_demo_options {
	const char *state; /* NULL: SN_DEMO_STATE_DIR */
	const char *port;  /* NULL: 8080 or the next free one; "0": any */
	int64_t duration;  /* ns; 0: until it is told to end */
	bool headless;     /* no words for people */
	bool json;
};

/* Returns the exit code. */
int sn_demo_run(const struct sn_demo_options *options);

#endif
