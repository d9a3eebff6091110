/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/decode/decode.h"

#include <pcap/dlt.h>
#include <string.h>

#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"

const struct sn_skip_info sn_skip_info[SN_SKIP_COUNT] = {
	[SN_SKIP_NONE] = {"none", "metered"},
	[SN_SKIP_NOT_IP] = {"not_ip", "not IP (ARP, LLDP, ...)"},
	[SN_SKIP_PROTOCOL] = {"protocol", "IP protocol other than TCP, UDP, ICMP"},
	[SN_SKIP_TRUNCATED] = {"truncated", "cut off before the ports by the snap length"},
	[SN_SKIP_BAD_LINK] = {"bad_link", "link header malformed or with too many tags"},
	[SN_SKIP_BAD_IP] = {"bad_ip", "IP header malformed"},
	[SN_SKIP_BAD_TRANSPORT] = {"bad_transport", "TCP or UDP header malformed"},
	[SN_SKIP_EXTENSIONS] = {"extensions", "too many IPv6 extension headers"},
	[SN_SKIP_FRAGMENT] = {"fragment", "later fragment without its first, or of a tunnel"},
	[SN_SKIP_TUNNELS] = {"tunnels", "too many tunnels inside each other"},
	[SN_SKIP_LATE] = {"late", "segment of a connection that has ended"},
};

/* What there is to do with a packet, beside its bytes. */
struct way {
	unsigned tunnels_max;
	bool shortcuts;
};

static enum sn_skip decode_ip(struct sn_rd *rd, uint16_t ethertype, uint32_t missing,
			      const struct way *way, struct sn_decoded *out)
{
	uint32_t here = (uint32_t)bytes_left(rd);

	if (way->shortcuts && sn_decode_plain_ip(ethertype, rd->p, here, here + missing, out))
		return SN_SKIP_NONE;
	return ethertype == SN_ETHERTYPE_IPV4 ? sn_decode_ipv4(rd, missing, out)
					      : sn_decode_ipv6(rd, missing, out);
}

/*
 * Bytes of the tunnel's payload that are on the wire, but not here.  The first fragment of a
 * tunnel's packet holds the headers inside, which tell the whole length; the rest comes later.
 */
static uint32_t missing_inside(const struct sn_rd *rd, const struct sn_decoded *outer)
{
	uint32_t left = (uint32_t)sn_rd_left(rd);

	return outer->fragmented ? UINT16_MAX - SN_MIN(left, (uint32_t)UINT16_MAX)
				 : outer->payload_bytes - left;
}

static enum sn_skip decode_inside(struct sn_rd *rd, enum sn_skip outside, const struct way *way,
				  struct sn_decoded *out);

/* What is inside takes the place of what was outside. */
static enum sn_skip decode_inner(struct sn_rd *rd, uint16_t ethertype, uint32_t missing,
				 const struct way *way, struct sn_decoded *out)
{
	uint8_t tunnels = (uint8_t)(out->tunnels + 1);
	const uint8_t *stations = out->stations;
	enum sn_skip skip;

	sn_decoded_clear(out);
	out->tunnels = tunnels;
	out->stations = stations;
	skip = decode_ip(rd, ethertype, missing, way, out);
	if ((skip == SN_SKIP_NONE || skip == SN_SKIP_PROTOCOL) &&
	    sn_decode_is_tunnel(out->protocol, out->dst_port))
		skip = decode_inside(rd, skip, way, out);
	return skip;
}

/* On a port of UDP anybody may talk: what makes no sense as a tunnel is just a datagram. */
static enum sn_skip decode_in_datagram(struct sn_rd *rd, uint16_t ethertype, uint32_t missing,
				       const struct way *way, struct sn_decoded *out)
{
	struct sn_decoded outer = *out;

	if (decode_inner(rd, ethertype, missing, way, out) != SN_SKIP_NONE)
		*out = outer;
	return SN_SKIP_NONE;
}

/* `rd` is behind the headers of `out`, which become those inside if there are any. */
static enum sn_skip decode_inside(struct sn_rd *rd, enum sn_skip outside, const struct way *way,
				  struct sn_decoded *out)
{
	bool udp = out->protocol == SN_PROTO_UDP;
	uint16_t ethertype = 0;
	uint32_t missing;

	if (!out->has_transport)
		return udp ? SN_SKIP_NONE : SN_SKIP_FRAGMENT;
	if (udp)
		*rd = out->payload;
	if (out->tunnels >= way->tunnels_max)
		return udp ? SN_SKIP_NONE : SN_SKIP_TUNNELS;
	missing = missing_inside(rd, out);
	if (!sn_decode_tunnel(rd, out->protocol, out->dst_port, &ethertype))
		return !udp && !sn_rd_ok(rd) && missing > 0 ? SN_SKIP_TRUNCATED : outside;
	return udp ? decode_in_datagram(rd, ethertype, missing, way, out)
		   : decode_inner(rd, ethertype, missing, way, out);
}

enum sn_skip sn_decode_any(int link, unsigned tunnels_max, bool shortcuts,
			   const struct sn_packet *packet, struct sn_decoded *out)
{
	struct way way = {SN_MIN(tunnels_max, SN_DECODE_TUNNELS_MAX), shortcuts};
	struct sn_rd rd = make_rd(packet->data, packet->captured);
	uint16_t ethertype = 0;
	uint32_t missing = packet->length - packet->captured;
	enum sn_skip skip;

	sn_decoded_clear(out);
	skip = sn_decode_link(link, &rd, &ethertype);
	if (skip != SN_SKIP_NONE)
		return skip == SN_SKIP_BAD_LINK && !sn_rd_ok(&rd) && missing > 0 ? SN_SKIP_TRUNCATED
										 : skip;
	out->stations = link == DLT_EN10MB ? packet->data : NULL;
	skip = decode_ip(&rd, ethertype, missing, &way, out);
	if (out->protocol != SN_PROTO_TCP && tunnels_max > 0 &&
	    (skip == SN_SKIP_NONE || skip == SN_SKIP_PROTOCOL) &&
	    sn_decode_is_tunnel(out->protocol, out->dst_port))
		skip = decode_inside(&rd, skip, &way, out);
	return skip;
}
