/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/udp.h"

#include <stdlib.h>

#include "base/mem.h"
#include "meter/app/dns_internal.h"
#include "meter/app/quic.h"
#include "meter/app/rtp.h"
#include "meter/app/udp_internal.h"

#define UDP_HEADER_BYTES 8

static const char *const words[SN_UDP_TYPES] = {
	[SN_UDP_RTP] = "rtp",
	[SN_UDP_RTCP] = "rtcp",
	[SN_UDP_SKYPE_E2E] = "skype",
	[SN_UDP_SKYPE_OUT] = "skype",
	[SN_UDP_SKYPE_SIGNALLING] = "skype",
	[SN_UDP_EDK] = "edonkey",
	[SN_UDP_KAD] = "kad",
	[SN_UDP_KADU] = "kad",
	[SN_UDP_GNUTELLA] = "gnutella",
	[SN_UDP_BITTORRENT] = "bittorrent",
	[SN_UDP_DC] = "direct-connect",
	[SN_UDP_KAZAA] = "kazaa",
	[SN_UDP_PPLIVE] = "pplive",
	[SN_UDP_SOPCAST] = "sopcast",
	[SN_UDP_TVANTS] = "tvants",
	[SN_UDP_KAD_OBFUSCATED] = "kad",
	[SN_UDP_DNS] = "dns",
	[SN_UDP_UTP] = "utp",
	[SN_UDP_UTP_BITTORRENT] = "bittorrent",
	[SN_UDP_VOD] = "vod",
	[SN_UDP_PPSTREAM] = "ppstream",
	[SN_UDP_TEREDO] = "teredo",
	[SN_UDP_SIP] = "sip",
	[SN_UDP_DTLS] = "dtls",
	[SN_UDP_QUIC] = "quic",
	[SN_UDP_RTP_PLUS] = "rtp",
	[SN_UDP_MTURN] = "turn",
	[SN_UDP_SYE] = "sye",
};

const char *sn_udp_type_word(uint8_t type)
{
	return type < SN_UDP_TYPES && words[type] != NULL ? words[type] : "";
}

const char *sn_app_udp_word(const struct sn_udp_flow *flow)
{
	const char *word = sn_udp_type_word(flow->type[SN_CLIENT]);

	if (word[0] == '\0')
		word = sn_udp_type_word(flow->type[SN_SERVER]);
	if (word[0] == '\0' && flow->app != NULL && flow->app->quic_version[SN_CLIENT] != 0)
		word = "quic";
	return word;
}

/* Memory ------------------------------------------------------------------ */

struct sn_app_udp_pools *sn_app_udp_pools_create(void)
{
	struct sn_app_udp_pools *pools = sn_new(struct sn_app_udp_pools);

	sn_pool_init(&pools->app, sizeof(struct sn_app_udp));
	sn_pool_init(&pools->quic, sizeof(struct sn_udp_parser));
	sn_pool_init(&pools->streams, sizeof(struct sn_rtp_streams));
	sn_pool_init(&pools->stream, sizeof(struct sn_rtp_stream));
	return pools;
}

void sn_app_udp_pools_destroy(struct sn_app_udp_pools *pools)
{
	if (pools == NULL)
		return;
	sn_pool_finish(&pools->app);
	sn_pool_finish(&pools->quic);
	sn_pool_finish(&pools->streams);
	sn_pool_finish(&pools->stream);
	free(pools);
}

size_t sn_app_udp_pools_memory(const struct sn_app_udp_pools *pools)
{
	return sizeof(*pools) + sn_pool_memory(&pools->app) + sn_pool_memory(&pools->quic) +
	       sn_pool_memory(&pools->streams) + sn_pool_memory(&pools->stream);
}

struct sn_app_udp *sn_udp_app(const struct udp_look *look)
{
	if (look->flow->app == NULL)
		look->flow->app = sn_pool_take(&look->apps->udp->app);
	return look->flow->app;
}

void sn_app_forget_udp(struct sn_apps *apps, struct sn_udp_flow *flow)
{
	struct sn_app_udp *app = flow->app;

	if (app == NULL)
		return;
	sn_quic_forget(apps, app);
	sn_rtp_forget(apps, app->rtp);
	sn_app_name_drop(apps, &app->quic_server_name);
	sn_app_name_drop(apps, &app->quic_agent);
	sn_app_name_drop(apps, &app->quic_alpn);
	sn_pool_give(&apps->udp->app, app);
	flow->app = NULL;
}

/* Looking ----------------------------------------------------------------- */

/* Of the datagram, not only of its first fragment. */
static uint32_t message_bytes(const struct sn_decoded *packet)
{
	return packet->udp_length > UDP_HEADER_BYTES ? packet->udp_length - UDP_HEADER_BYTES
						     : packet->payload_bytes;
}

static void read_dns(const struct udp_look *look)
{
	const struct sn_udp_side *other = &look->flow->side[!look->side];
	struct sn_dns_input input = {
		.message = look->packet->payload,
		.bytes = message_bytes(look->packet),
		.time_ns = look->time_ns,
		.side = look->side,
	};

	/* The last datagram of the other side was the question. */
	if (look->flow->flow.side[!look->side].packets > 0)
		input.asked_ns = other->last_ns;
	sn_app_dns_message(look->apps, &look->flow->flow, &input);
}

/* Distributed hash table and transport of BitTorrent share a port. */
static void look_for_utp(const struct udp_look *look)
{
	if (sn_udp_classify(look) == SN_UDP_UTP) {
		look->flow->type[look->side] = SN_UDP_UTP_BITTORRENT;
		udp_decide(look->flow, look->side);
	}
}

static void look_for_all(const struct udp_look *look)
{
	enum sn_udp_type type;

	if (sn_quic_look(look))
		return;
	if (sn_dns_looks_right(look->packet->payload)) {
		/* Tstat calls questions for keys DNS, but not the answers with keys. */
		if (sn_dns_answer_type(look->packet->payload) != DNS_DNSKEY)
			look->flow->type[look->side] = SN_UDP_DNS;
		read_dns(look);
		return;
	}
	type = sn_udp_classify(look);
	if (type == SN_UDP_UNKNOWN || type == SN_UDP_DTLS) {
		if (sn_rtp_look(look) || type == SN_UDP_UNKNOWN)
			return;
	}
	look->flow->type[look->side] = (uint8_t)type;
	if (type != SN_UDP_BITTORRENT && type != SN_UDP_DTLS)
		udp_decide(look->flow, look->side);
}

static void count_look(const struct udp_look *look)
{
	struct sn_udp_flow *flow = look->flow;

	if (flow->looked[look->side] == UDP_DECIDED || ++flow->looked[look->side] < SN_UDP_LOOK_MAX)
		return;
	udp_decide(flow, look->side);
	if (flow->app != NULL && look->side == SN_CLIENT)
		sn_quic_forget(look->apps, flow->app);
}

static void look_at(const struct udp_look *look)
{
	switch (look->flow->type[look->side]) {
	case SN_UDP_DNS:
		read_dns(look);
		return;
	case SN_UDP_FIRST_RTP_PLUS:
	case SN_UDP_RTP_PLUS:
		sn_rtp_look(look);
		return;
	case SN_UDP_BITTORRENT:
		look_for_utp(look);
		break;
	case SN_UDP_DTLS:
		sn_rtp_look(look);
		break;
	case SN_UDP_QUIC:
		sn_quic_look(look);
		break;
	default:
		look_for_all(look);
		break;
	}
	count_look(look);
}

void sn_app_udp(struct sn_apps *apps, struct sn_udp_flow *flow, unsigned side,
		const struct sn_decoded *packet, int64_t time_ns)
{
	struct udp_look look = {apps, flow, side, packet, time_ns};

	if (flow->looked[side] == UDP_DECIDED || apps->off || !packet->has_transport ||
	    sn_rd_left(&packet->payload) == 0)
		return;
	look_at(&look);
}
