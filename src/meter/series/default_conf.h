/* SPDX-License-Identifier: Apache-2.0 */
/* The rrd.conf that is shipped, as scripts/embed.py puts it into the program. */
#ifndef SONDE_METER_SERIES_DEFAULT_CONF_H
#define SONDE_METER_SERIES_DEFAULT_CONF_H

#include <stddef.h>

struct sn_rrd_file {
	const char *name;
	const char *text; /* not terminated */
	size_t size;
};
extern const struct sn_rrd_file sn_rrd_defaults[];
extern const size_t sn_rrd_default_count;

#endif
