/* SPDX-License-Identifier: Apache-2.0 */
/* Two results of decoding the same packet: do they say the same, to the last field? */
#ifndef SONDE_TESTS_DECODED_H
#define SONDE_TESTS_DECODED_H

#include <string.h>

#include "meter/decode/decode.h"

static inline bool same_bytes(const struct sn_rd *a, const struct sn_rd *b)
{
	return a->p == b->p && a->end == b->end && a->failed == b->failed;
}

static inline bool same_addresses(const struct sn_decoded *a, const struct sn_decoded *b)
{
	return memcmp(a->src, b->src, sizeof(a->src)) == 0 &&
	       memcmp(a->dst, b->dst, sizeof(a->dst)) == 0;
}

static inline bool same_ip(const struct sn_decoded *a, const struct sn_decoded *b)
{
	return a->family == b->family && a->protocol == b->protocol && a->ip_bytes == b->ip_bytes &&
	       a->ttl == b->ttl && a->tos == b->tos && a->has_ip_id == b->has_ip_id &&
	       a->ip_id == b->ip_id && a->tunnels == b->tunnels && a->stations == b->stations &&
	       a->fragmented == b->fragmented && a->fragment_offset == b->fragment_offset &&
	       a->fragment_id == b->fragment_id;
}

static inline bool same_transport(const struct sn_decoded *a, const struct sn_decoded *b)
{
	return a->reply == b->reply && a->has_transport == b->has_transport &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->payload_bytes == b->payload_bytes && a->udp_length == b->udp_length &&
	       a->tcp_window == b->tcp_window && a->tcp_flags == b->tcp_flags &&
	       a->tcp_seq == b->tcp_seq && a->tcp_ack == b->tcp_ack &&
	       same_bytes(&a->payload, &b->payload) && same_bytes(&a->tcp_options, &b->tcp_options);
}

static inline bool same_decoded(const struct sn_decoded *a, const struct sn_decoded *b)
{
	return same_addresses(a, b) && same_ip(a, b) && same_transport(a, b);
}

#endif
