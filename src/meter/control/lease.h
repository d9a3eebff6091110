/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease: keep something switched at a running meter for as long as this process
 * lives.
 *
 * The meter is asked for a minute, again and again: when this process is killed,
 * or the machine between them dies, the switch goes back by itself.  A meter that
 * is started anew is asked again.
 */
#ifndef SONDE_METER_CONTROL_LEASE_H
#define SONDE_METER_CONTROL_LEASE_H

#include <jansson.h>

#include "base/err.h"

#define SN_LEASE_NS       (60 * SN_NS_PER_S)
#define SN_LEASE_RENEW_NS (20 * SN_NS_PER_S)

struct sn_lease_options {
	const char *socket_path;
	const json_t *changes; /* {NAME: VALUE} */
	int64_t duration_ns;   /* 0: until SIGINT or SIGTERM */
	/* How long each asking is for, and how often it is asked; 0: as above. */
	int64_t lease_ns, renew_ns;
};

/*
 * 0 when it is over and was given back.  The first answer must be good: -ECONNREFUSED if no meter
 * answers, -EINVAL if it refuses the change; later failures are tried again until the end.
 */
int sn_lease_run(const struct sn_lease_options *options, struct sn_err *err);

#endif
