/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anomaly: why a segment is not simply the next one (M. Mellia, M. Meo, L.
 * Muscariello, "TCP anomalies: identification and analysis", 2005).
 */
#ifndef SONDE_METER_TCP_ANOMALY_H
#define SONDE_METER_TCP_ANOMALY_H

#include "meter/tcp/tcp.h"

struct sn_tcp_suspect {
	const struct sn_segment *seen;            /* the node it repeats; NULL: it fills a hole */
	const struct sn_segment *previous, *next; /* its neighbours; NULL: none */
	unsigned previous_acks; /* acknowledgements of exactly the end of the previous one */
	int64_t time_ns;        /* now */
};

enum sn_tcp_anomaly sn_tcp_anomaly_of(const struct sn_tcp *tcp,
				      const struct sn_tcp_suspect *suspect,
				      const struct sn_decoded *packet, unsigned side);

#endif
