/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_internal: what those who look at UDP payload share.
 *
 * Each datagram that is looked at is described by a struct udp_look.  Who has
 * recognised something sets the flow's types; udp.c decides from them who looks
 * at the next datagram and when nobody has to any more.
 */
#ifndef SONDE_METER_APP_UDP_INTERNAL_H
#define SONDE_METER_APP_UDP_INTERNAL_H

#include "meter/app/app_internal.h"
#include "meter/app/udp.h"

#define SN_UDP_LOOK_MAX 50        /* datagrams of each direction, as long as nothing is certain */
#define UDP_DECIDED     UINT8_MAX /* in `looked`: nobody looks any more */

struct udp_look {
	struct sn_apps *apps;
	struct sn_udp_flow *flow;
	unsigned side; /* sender */
	const struct sn_decoded *packet;
	int64_t time_ns;
};

struct sn_app_udp_pools {
	struct sn_pool app, quic, streams, stream;
};

static inline void udp_decide(struct sn_udp_flow *flow, unsigned side)
{
	flow->looked[side] = UDP_DECIDED;
}

/* The flow's application state, made when it is needed first. */
struct sn_app_udp *sn_udp_app(const struct udp_look *look);

/* udp_classes.c: what one datagram alone tells, SN_UDP_UNKNOWN if nothing. */
enum sn_udp_type sn_udp_classify(const struct udp_look *look);
/* A record of DTLS (RFC 9147 section 4.1, RFC 6347). */
bool sn_udp_is_dtls(struct sn_rd payload);
/* A message of STUN with its cookie (RFC 8489 section 5). */
bool sn_udp_is_stun(struct sn_rd payload);

/* rtp.c: true if the datagram belongs to a media flow, or may begin one; sets the types. */
bool sn_rtp_look(const struct udp_look *look);
void sn_rtp_forget(struct sn_apps *apps, struct sn_rtp_streams *streams); /* NULL is fine */

/* quic.c: true if the datagram may be one of a handshake of QUIC; sets the types. */
bool sn_quic_look(const struct udp_look *look);
void sn_quic_forget(struct sn_apps *apps, struct sn_app_udp *app);

#endif
