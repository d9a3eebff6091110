/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of tunnels.  A row of the tables says which protocol or port announces one; its function
 * takes the header off and yields an ethertype.  On UDP ports anybody may talk, so there the fixed
 * bits and lengths of the header are checked; what is inside has to be sound IP in any case.
 */
#include <pcap/dlt.h>

#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"

enum { PORT_GTP_U = 2152, PORT_VXLAN = 4789, PORT_GENEVE = 6081 };
enum {
	TYPE_ETHERNET = 0x6558, /* transparent Ethernet bridging */
	TYPE_PPP = 0x880b,
	TYPE_ERSPAN = 0x88be,
	TYPE_ERSPAN3 = 0x22eb,
};
/* RFC 2784, RFC 2890; the acknowledgement and version 1 are RFC 2637's. */
enum {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_ACKNOWLEDGEMENT = 0x0080,
	GRE_VERSION = 0x0007,
};

#define GRE_HEADER     4
#define ERSPAN_HEADER  8
#define ERSPAN3_HEADER 12
#define ERSPAN3_MORE   8
#define VXLAN_HEADER   8
#define VXLAN_FLAGS    0x7f /* all but that of group policy */
#define VXLAN_HAS_ID   0x08
#define GTP_HEADER     8
#define GTP_OPTIONAL   4
#define GTP_VERSION    0xf0 /* and protocol type and the spare bit */
#define GTP_VERSION_1  0x30
#define GTP_EXTENSION  0x04
#define GTP_ANY_OPTION 0x07
#define GTP_G_PDU      255
#define GENEVE_HEADER  8
#define GENEVE_VERSION 0xc0
#define GENEVE_OPTIONS 0x3f
#define GENEVE_CONTROL 0x80

typedef bool enter_fn(struct sn_rd *rd, uint16_t *ethertype);

static bool link_inside(int link, struct sn_rd *rd, uint16_t *ethertype)
{
	return sn_decode_link(link, rd, ethertype) == SN_SKIP_NONE;
}

static bool enter_ipv4(struct sn_rd *rd SN_UNUSED, uint16_t *ethertype)
{
	*ethertype = SN_ETHERTYPE_IPV4;
	return true;
}

static bool enter_ipv6(struct sn_rd *rd SN_UNUSED, uint16_t *ethertype)
{
	*ethertype = SN_ETHERTYPE_IPV6;
	return true;
}

/* Type I has no header of its own and no sequence number in GRE, type II has both. */
static bool enter_erspan(struct sn_rd *rd, uint16_t flags, uint16_t *ethertype)
{
	if ((flags & GRE_SEQUENCE) != 0)
		sn_rd_skip(rd, ERSPAN_HEADER);
	return link_inside(DLT_EN10MB, rd, ethertype);
}

static bool enter_erspan3(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = sn_rd_bytes(rd, ERSPAN3_HEADER);

	if (p == NULL)
		return false;
	if ((p[11] & 1) != 0)
		sn_rd_skip(rd, ERSPAN3_MORE);
	return link_inside(DLT_EN10MB, rd, ethertype);
}

static bool inside_gre(struct sn_rd *rd, uint16_t flags, uint16_t *ethertype)
{
	switch (*ethertype) {
	case TYPE_ETHERNET:
		return link_inside(DLT_EN10MB, rd, ethertype);
	case TYPE_PPP:
		return link_inside(DLT_PPP, rd, ethertype);
	case TYPE_ERSPAN:
		return enter_erspan(rd, flags, ethertype);
	case TYPE_ERSPAN3:
		return enter_erspan3(rd, ethertype);
	default:
		return sn_decode_tags(rd, ethertype) == SN_SKIP_NONE;
	}
}

static bool enter_gre(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, GRE_HEADER);

	if (p == NULL)
		return false;

	uint16_t flags = load_u16(p);
	unsigned version = flags & GRE_VERSION;

	*ethertype = load_u16(p + 2);
	if (flags == 0) /* most of it */
		return inside_gre(rd, flags, ethertype);
	/* Source routes were taken out of GRE again; nobody knows how long one is. */
	if ((flags & GRE_ROUTING) != 0 || version > 1)
		return false;
	/* Without a sequence number there is nothing but an acknowledgement in version 1. */
	if (version == 1 && (*ethertype != TYPE_PPP || (flags & GRE_SEQUENCE) == 0))
		return false;
	sn_rd_skip(rd, (flags & GRE_CHECKSUM) != 0 ? 4 : 0);
	sn_rd_skip(rd, (flags & GRE_KEY) != 0 ? 4 : 0);
	sn_rd_skip(rd, (flags & GRE_SEQUENCE) != 0 ? 4 : 0);
	sn_rd_skip(rd, version == 1 && (flags & GRE_ACKNOWLEDGEMENT) != 0 ? 4 : 0);
	return inside_gre(rd, flags, ethertype);
}

/* RFC 7348 section 5. */
static bool enter_vxlan(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = sn_rd_bytes(rd, VXLAN_HEADER);

	return p != NULL && (p[0] & VXLAN_FLAGS) == VXLAN_HAS_ID &&
	       link_inside(DLT_EN10MB, rd, ethertype);
}

/* RFC 8926 section 3.4. */
static bool enter_geneve(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = sn_rd_bytes(rd, GENEVE_HEADER);

	if (p == NULL || (p[0] & GENEVE_VERSION) != 0 || (p[1] & GENEVE_CONTROL) != 0)
		return false;
	sn_rd_skip(rd, (p[0] & GENEVE_OPTIONS) * 4U);
	*ethertype = load_u16(p + 2);
	if (*ethertype == TYPE_ETHERNET)
		return link_inside(DLT_EN10MB, rd, ethertype);
	return sn_decode_tags(rd, ethertype) == SN_SKIP_NONE;
}

/* Extension headers are a chain: length in units of four bytes first, next type last. */
static bool skip_gtp_extensions(struct sn_rd *rd, uint8_t next)
{
	for (int n = 0; next != 0; n++) {
		size_t length = sn_rd_u8(rd) * (size_t)4;

		if (n == SN_DECODE_EXTENSIONS_MAX || length == 0)
			return false;
		sn_rd_skip(rd, length - 2);
		next = sn_rd_u8(rd);
	}
	return sn_rd_ok(rd);
}

/* 3GPP TS 29.281 section 5.1. */
static bool enter_gtp(struct sn_rd *rd, uint16_t *ethertype)
{
	size_t left = sn_rd_left(rd);
	const uint8_t *p = sn_rd_bytes(rd, GTP_HEADER);

	if (p == NULL || (p[0] & GTP_VERSION) != GTP_VERSION_1 || p[1] != GTP_G_PDU)
		return false;
	/* More captured than it says it has: somebody else's datagram. */
	if (left > GTP_HEADER + (size_t)load_u16(p + 2))
		return false;
	if ((p[0] & GTP_ANY_OPTION) != 0) {
		const uint8_t *optional = sn_rd_bytes(rd, GTP_OPTIONAL);

		if (optional == NULL)
			return false;
		if ((p[0] & GTP_EXTENSION) != 0 && !skip_gtp_extensions(rd, optional[3]))
			return false;
	}
	return link_inside(DLT_RAW, rd, ethertype);
}

static enter_fn *find_enter(uint8_t protocol, uint16_t dst_port)
{
	switch (protocol) {
	case SN_PROTO_IPV4:
		return enter_ipv4;
	case SN_PROTO_IPV6:
		return enter_ipv6;
	case SN_PROTO_GRE:
		return enter_gre;
	case SN_PROTO_UDP:
		break;
	default:
		return NULL;
	}
	switch (dst_port) {
	case PORT_VXLAN:
		return enter_vxlan;
	case PORT_GTP_U:
		return enter_gtp;
	case PORT_GENEVE:
		return enter_geneve;
	default:
		return NULL;
	}
}

bool sn_decode_is_tunnel(uint8_t protocol, uint16_t dst_port)
{
	return find_enter(protocol, dst_port) != NULL;
}

bool sn_decode_tunnel(struct sn_rd *rd, uint8_t protocol, uint16_t dst_port, uint16_t *ethertype)
{
	return find_enter(protocol, dst_port)(rd, ethertype) && sn_rd_ok(rd);
}
