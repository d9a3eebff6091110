/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syn: a connection of which only the client's first SYN was seen, as small as
 * that: what a scan and a flood of SYNs consist of.  The segment itself is
 * remembered, and taken again for a connection of full size when there is more
 * to it or when it is reported.
 */
#ifndef SONDE_METER_TCP_SYN_H
#define SONDE_METER_TCP_SYN_H

#include "meter/tcp/tcp.h"

#define SN_TCP_SYN_OPTIONS 24 /* bytes; few SYNs have more than 20 */

struct sn_tcp_syn {
	uint32_t seq;
	uint32_t ip_bytes;
	uint16_t window, ip_id;
	uint8_t ttl, flags;
	bool has_ip_id;
	uint8_t options_bytes;
	uint8_t options[SN_TCP_SYN_OPTIONS];
};

/* A SYN that opens a connection, and nothing that is not kept here. */
bool sn_tcp_syn_fits(const struct sn_decoded *packet);
void sn_tcp_syn_keep(struct sn_tcp_syn *syn, const struct sn_decoded *packet);
/* As sn_tcp_update() with that segment; `tcp` is zeroed. */
void sn_tcp_syn_replay(const struct sn_tcp_syn *syn, struct sn_tcp *tcp,
		       struct sn_segment_pool *pool, int64_t time_ns);

#endif
