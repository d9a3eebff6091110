/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Media flows: which datagrams are RTP or RTCP, and what shares the port with them
 * (RFC 7983).  The first that may be makes its direction a candidate; the next that
 * fits makes it certain, one that contradicts takes it back.
 */
#include "meter/app/rtp.h"

#include "meter/app/rtp_internal.h"
#include "meter/app/udp_internal.h"

/* A sequence number that follows the candidate's, losses apart. */
#define FIRST_STEP_MAX 100

/* Tstat's bits of c_mux_prot and s_mux_prot. */
enum { MUX_RTP = 1, MUX_RTCP = 2, MUX_DTLS = 4, MUX_STUN = 8, MUX_TURN = 16, MUX_ZRTP = 32 };

static struct sn_rtp_streams *streams_of(const struct udp_look *look)
{
	struct sn_app_udp *app = sn_udp_app(look);

	if (app->rtp == NULL)
		app->rtp = sn_pool_take(&look->apps->udp->streams);
	return app->rtp;
}

static void drop_streams(struct sn_apps *apps, struct sn_rtp_streams *streams)
{
	while (streams->first != NULL) {
		struct sn_rtp_stream *stream = streams->first;

		streams->first = stream->next;
		sn_pool_give(&apps->udp->stream, stream);
	}
	streams->count = 0;
}

void sn_rtp_forget(struct sn_apps *apps, struct sn_rtp_streams *streams)
{
	if (streams == NULL)
		return;
	drop_streams(apps, streams);
	sn_pool_give(&apps->udp->streams, streams);
}

static struct sn_rtp_stream *find_stream(struct sn_rtp_streams *streams, unsigned side, bool rtcp,
					 uint32_t ssrc)
{
	struct sn_rtp_stream *stream = streams->first;

	while (stream != NULL &&
	       (stream->ssrc != ssrc || stream->side != side || stream->rtcp != rtcp))
		stream = stream->next;
	return stream;
}

/* The stream, a new one if need be; NULL when the flow has too many. */
static struct sn_rtp_stream *need_stream(const struct udp_look *look, bool rtcp, uint32_t ssrc)
{
	struct sn_rtp_streams *streams = streams_of(look);
	struct sn_rtp_stream *stream = find_stream(streams, look->side, rtcp, ssrc);
	struct sn_rtp_stream **end = &streams->first;

	if (stream != NULL)
		return stream;
	if (streams->count == SN_RTP_STREAMS_MAX) {
		app_refuse(look->apps, SN_APP_RTP_TOO_MANY);
		return NULL;
	}
	stream = sn_pool_take(&look->apps->udp->stream);
	stream->side = (uint8_t)look->side;
	stream->rtcp = rtcp;
	stream->ssrc = ssrc;
	while (*end != NULL)
		end = &(*end)->next;
	*end = stream;
	streams->count++;
	return stream;
}

static void add_rtp(const struct udp_look *look, const struct sn_rtp_header *header)
{
	struct sn_rtp_stream *stream = need_stream(look, false, header->ssrc);

	if (stream != NULL)
		sn_rtp_stream_add(stream, header, look->time_ns);
}

static void add_rtcp(const struct udp_look *look, uint32_t ssrc)
{
	struct sn_rtp_stream *stream = need_stream(look, true, ssrc);

	if (stream != NULL)
		sn_rtcp_stream_add(stream, streams_of(look)->first, look->packet->payload,
				   look->packet->payload_bytes, look->time_ns);
}

/* Does it go on with what the candidate began? */
static bool confirms(const struct udp_look *look, const struct sn_rtp_header *header)
{
	const struct sn_rtp_stream *stream =
		find_stream(streams_of(look), look->side, false, header->ssrc);
	uint16_t step;

	if (stream == NULL)
		return find_stream(streams_of(look), look->side, true, header->ssrc) != NULL;
	step = (uint16_t)(header->sequence - stream->max_sequence);
	return step <= FIRST_STEP_MAX;
}

static void take_back(const struct udp_look *look)
{
	struct sn_rtp_streams *streams = streams_of(look);
	struct sn_rtp_stream **link = &streams->first;

	while (*link != NULL) {
		struct sn_rtp_stream *stream = *link;

		if (stream->side != look->side) {
			link = &stream->next;
			continue;
		}
		*link = stream->next;
		streams->count--;
		sn_pool_give(&look->apps->udp->stream, stream);
	}
	look->flow->type[look->side] = SN_UDP_UNKNOWN;
}

/* What else may share the port; 0 if nothing is known that begins so. */
static uint8_t other_mux(const struct sn_decoded *packet)
{
	uint8_t first = packet->payload.p[0];

	if (sn_udp_is_stun(packet->payload))
		return MUX_STUN;
	if (sn_udp_is_dtls(packet->payload) || (first >= 0x20 && first < 0x40))
		return MUX_DTLS; /* RFC 9147 section 4: headers of version 1.3 begin 001 */
	if (first >= 0x40 && first < 0x50)
		return MUX_TURN;
	return first >= 0x10 && first < 0x14 ? MUX_ZRTP : 0;
}

static void begin(const struct udp_look *look)
{
	look->flow->type[look->side] = SN_UDP_FIRST_RTP_PLUS;
}

static void go_on(const struct udp_look *look, const struct sn_rtp_header *header)
{
	if (look->flow->type[look->side] == SN_UDP_FIRST_RTP_PLUS) {
		if (!confirms(look, header)) {
			take_back(look);
			return;
		}
		look->flow->type[look->side] = SN_UDP_RTP_PLUS;
	}
	streams_of(look)->mux[look->side] |= MUX_RTP;
	add_rtp(look, header);
}

/* The datagrams of a direction that is a candidate or certain. */
static void look_again(const struct udp_look *look)
{
	struct sn_rtp_streams *streams = streams_of(look);
	uint8_t mux = other_mux(look->packet);
	struct sn_rtp_header header;
	uint32_t ssrc;

	if (mux != 0) {
		streams->mux[look->side] |= mux;
	} else if (sn_rtp_is_rtcp(look->packet->payload, &ssrc)) {
		streams->mux[look->side] |= MUX_RTCP;
		add_rtcp(look, ssrc);
	} else if (sn_rtp_read(look->packet->payload, look->packet->payload_bytes, &header)) {
		go_on(look, &header);
	} else if (look->flow->type[look->side] == SN_UDP_FIRST_RTP_PLUS) {
		take_back(look);
	} else if (streams->first != NULL) {
		streams->first->bogus++;
	}
}

static bool look_first(const struct udp_look *look)
{
	struct sn_rtp_header header;
	uint32_t ssrc;

	if (sn_rtp_is_rtcp(look->packet->payload, &ssrc)) {
		begin(look);
		add_rtcp(look, ssrc);
		return true;
	}
	if (!sn_rtp_read(look->packet->payload, look->packet->payload_bytes, &header))
		return false;
	begin(look);
	add_rtp(look, &header);
	return true;
}

bool sn_rtp_look(const struct udp_look *look)
{
	uint8_t type = look->flow->type[look->side];
	struct sn_rd payload = look->packet->payload;
	bool is_media = true;

	if (type == SN_UDP_FIRST_RTP_PLUS || type == SN_UDP_RTP_PLUS)
		look_again(look);
	else
		is_media = look_first(look);
	/* Calls begin with STUN and DTLS: their hop limits count, too. */
	if (is_media || (look->flow->app != NULL && look->flow->app->rtp != NULL) ||
	    sn_udp_is_stun(payload) || sn_udp_is_dtls(payload))
		sn_rtp_range_add(&streams_of(look)->ttl[look->side], look->packet->ttl);
	return is_media;
}
