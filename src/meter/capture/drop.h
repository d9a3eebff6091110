/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop: give every privilege away before the first packet is looked at.
 *
 * Call it when all files and sockets are open and no other thread runs.  Root becomes
 * the user `sonde-meter` if there is one, else `nobody`; every capability is dropped;
 * of the system calls only those remain that metering needs, and of the others what
 * the caller says it will need (seccomp(2)).  No program can be run in any case, and
 * no memory be made executable.
 */
#ifndef SONDE_METER_CAPTURE_DROP_H
#define SONDE_METER_CAPTURE_DROP_H

#include <stdbool.h>

#include "base/err.h"

struct sn_drop_needs {
	bool read;    /* files are opened for reading: captures, settings that changed */
	bool files;   /* files are made, renamed and removed */
	bool resolve; /* names are looked up: a filter to come may hold host names */
	bool network; /* connections are made: a collector */
	bool accept;  /* connections are accepted on sockets that listen: control, metrics */
	bool threads; /* threads are started */
};

int sn_drop_privileges(const struct sn_drop_needs *needs, struct sn_err *err);

#endif
