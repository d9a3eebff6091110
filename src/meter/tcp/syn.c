/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/syn.h"

#include <string.h>

bool sn_tcp_syn_fits(const struct sn_decoded *packet)
{
	return packet->protocol == SN_PROTO_TCP && packet->payload_bytes == 0 &&
	       (packet->tcp_flags & (SN_TCP_SYN | SN_TCP_ACK | SN_TCP_RST | SN_TCP_FIN)) ==
		       SN_TCP_SYN &&
	       sn_rd_left(&packet->tcp_options) <= SN_TCP_SYN_OPTIONS;
}

void sn_tcp_syn_keep(struct sn_tcp_syn *syn, const struct sn_decoded *packet)
{
	*syn = (struct sn_tcp_syn){
		.seq = packet->tcp_seq,
		.ip_bytes = packet->ip_bytes,
		.window = packet->tcp_window,
		.ip_id = packet->ip_id,
		.ttl = packet->ttl,
		.flags = packet->tcp_flags,
		.has_ip_id = packet->has_ip_id,
		.options_bytes = (uint8_t)sn_rd_left(&packet->tcp_options),
	};
	if (syn->options_bytes > 0)
		memcpy(syn->options, packet->tcp_options.p, syn->options_bytes);
}

void sn_tcp_syn_replay(const struct sn_tcp_syn *syn, struct sn_tcp *tcp,
		       struct sn_segment_pool *pool, int64_t time_ns)
{
	struct sn_tcp_verdict verdict;
	struct sn_decoded packet = {
		.protocol = SN_PROTO_TCP,
		.has_transport = true,
		.ip_bytes = syn->ip_bytes,
		.ttl = syn->ttl,
		.has_ip_id = syn->has_ip_id,
		.ip_id = syn->ip_id,
		.tcp_window = syn->window,
		.tcp_flags = syn->flags,
		.tcp_seq = syn->seq,
	};

	sn_rd_init(&packet.tcp_options, syn->options, syn->options_bytes);
	sn_tcp_update(tcp, pool, &packet, 0, time_ns, &verdict);
}
