/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link layers.  Each function takes the header off and yields an ethertype; the
 * tags in between (VLAN, MPLS, PPPoE) are the same below all of them.
 */
#include <pcap/dlt.h>

#include "base/util.h"
#include "meter/decode/internal.h"
#include "meter/decode/load.h"

enum {
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTICAST = 0x8848,
	TYPE_PPPOE_SESSION = 0x8864,
	TYPE_MIN = 0x0600, /* below it the field is a length, IEEE 802.3 */
};

enum { PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057 };

#define MPLS_BOTTOM        0x100
#define PPPOE_VERSION_TYPE 0x11
#define SNAP_HEADER        8
#define CONTROL_WORD       4

typedef enum sn_skip link_fn(struct sn_rd *rd, uint16_t *ethertype);

/* LLC with a SNAP header carries an ethertype (RFC 1042); other LLC is not IP. */
static enum sn_skip take_llc(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = bytes_left(rd) >= SNAP_HEADER ? take_bytes(rd, SNAP_HEADER) : NULL;

	if (p == NULL || p[0] != 0xaa || p[1] != 0xaa || p[2] != 3)
		return SN_SKIP_NOT_IP;
	*ethertype = load_u16(p + 6);
	return SN_SKIP_NONE;
}

static enum sn_skip take_ethernet(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, 14);

	if (p == NULL)
		return SN_SKIP_BAD_LINK;
	*ethertype = load_u16(p + 12);
	return *ethertype < TYPE_MIN ? take_llc(rd, ethertype) : SN_SKIP_NONE;
}

static enum sn_skip take_cooked(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, 16);

	if (p == NULL)
		return SN_SKIP_BAD_LINK;
	*ethertype = load_u16(p + 14);
	return SN_SKIP_NONE;
}

static enum sn_skip take_cooked2(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, 20);

	if (p == NULL)
		return SN_SKIP_BAD_LINK;
	*ethertype = load_u16(p);
	return SN_SKIP_NONE;
}

/* Nothing but the version in its first four bits says what follows. */
static enum sn_skip guess_ip(struct sn_rd *rd, uint16_t *ethertype)
{
	struct sn_rd look = *rd;
	uint8_t version = sn_rd_u8(&look) >> 4;

	if (look.failed) {
		*rd = look;
		return SN_SKIP_BAD_LINK;
	}
	*ethertype = version == 4 ? SN_ETHERTYPE_IPV4 : SN_ETHERTYPE_IPV6;
	return version == 4 || version == 6 ? SN_SKIP_NONE : SN_SKIP_NOT_IP;
}

static enum sn_skip take_ipv4(struct sn_rd *rd SN_UNUSED, uint16_t *ethertype)
{
	*ethertype = SN_ETHERTYPE_IPV4;
	return SN_SKIP_NONE;
}

static enum sn_skip take_ipv6(struct sn_rd *rd SN_UNUSED, uint16_t *ethertype)
{
	*ethertype = SN_ETHERTYPE_IPV6;
	return SN_SKIP_NONE;
}

/* The family is a number of the capturing system in its byte order: ask the packet instead. */
static enum sn_skip take_loopback(struct sn_rd *rd, uint16_t *ethertype)
{
	if (take_bytes(rd, 4) == NULL)
		return SN_SKIP_BAD_LINK;
	return guess_ip(rd, ethertype);
}

static enum sn_skip take_ppp_protocol(struct sn_rd *rd, uint16_t *ethertype)
{
	uint16_t protocol = sn_rd_u8(rd);

	/* An odd first byte is the last one: the zero before it was left out, RFC 1661 section 6.5.
	 */
	if ((protocol & 1) == 0)
		protocol = (uint16_t)(protocol << 8 | sn_rd_u8(rd));
	if (rd->failed)
		return SN_SKIP_BAD_LINK;
	*ethertype = protocol == PPP_IPV4 ? SN_ETHERTYPE_IPV4 : SN_ETHERTYPE_IPV6;
	return protocol == PPP_IPV4 || protocol == PPP_IPV6 ? SN_SKIP_NONE : SN_SKIP_NOT_IP;
}

static enum sn_skip take_ppp(struct sn_rd *rd, uint16_t *ethertype)
{
	struct sn_rd look = *rd;

	/* Address and control field of HDLC-like framing, RFC 1662; not always there. */
	if (sn_rd_u16be(&look) == 0xff03 && !look.failed)
		*rd = look;
	return take_ppp_protocol(rd, ethertype);
}

static enum sn_skip take_vlan(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, 4);

	if (p == NULL)
		return SN_SKIP_BAD_LINK;
	*ethertype = load_u16(p + 2);
	return *ethertype < TYPE_MIN ? take_llc(rd, ethertype) : SN_SKIP_NONE;
}

static enum sn_skip take_mpls(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, 4);

	if (p == NULL)
		return SN_SKIP_BAD_LINK;
	if ((load_u32(p) & MPLS_BOTTOM) == 0)
		return SN_SKIP_NONE; /* another label follows, the type stays */
	/* A control word: Ethernet over a pseudowire, RFC 4385, RFC 4448. */
	if (bytes_left(rd) > CONTROL_WORD && rd->p[0] >> 4 == 0) {
		take_bytes(rd, CONTROL_WORD);
		return take_ethernet(rd, ethertype);
	}
	return guess_ip(rd, ethertype);
}

static enum sn_skip take_pppoe(struct sn_rd *rd, uint16_t *ethertype)
{
	const uint8_t *p = take_bytes(rd, 6);

	if (p == NULL || p[0] != PPPOE_VERSION_TYPE)
		return SN_SKIP_BAD_LINK;
	return take_ppp_protocol(rd, ethertype);
}

static const struct {
	uint16_t type;
	link_fn *take;
} tags[] = {
	{TYPE_VLAN, take_vlan}, {TYPE_QINQ, take_vlan},           {TYPE_QINQ_OLD, take_vlan},
	{TYPE_MPLS, take_mpls}, {TYPE_MPLS_MULTICAST, take_mpls}, {TYPE_PPPOE_SESSION, take_pppoe},
};

static const struct {
	int link;
	link_fn *take;
} links[] = {
	{DLT_EN10MB, take_ethernet}, {DLT_LINUX_SLL, take_cooked}, {DLT_LINUX_SLL2, take_cooked2},
	{DLT_RAW, guess_ip},         {DLT_IPV4, take_ipv4},        {DLT_IPV6, take_ipv6},
	{DLT_NULL, take_loopback},   {DLT_LOOP, take_loopback},    {DLT_PPP, take_ppp},
	{DLT_PPP_SERIAL, take_ppp},  {DLT_PPP_ETHER, take_pppoe},
};

static link_fn *find_link(int link)
{
	for (size_t i = 0; i < SN_COUNT(links); i++)
		if (links[i].link == link)
			return links[i].take;
	return NULL;
}

static link_fn *find_tag(uint16_t ethertype)
{
	for (size_t i = 0; i < SN_COUNT(tags); i++)
		if (tags[i].type == ethertype)
			return tags[i].take;
	return NULL;
}

bool sn_decode_supports(int link)
{
	return find_link(link) != NULL;
}

static bool is_ip(uint16_t ethertype)
{
	return ethertype == SN_ETHERTYPE_IPV4 || ethertype == SN_ETHERTYPE_IPV6;
}

enum sn_skip sn_decode_tags(struct sn_rd *rd, uint16_t *ethertype)
{
	enum sn_skip skip = SN_SKIP_NONE;

	for (int n = 0; skip == SN_SKIP_NONE && !is_ip(*ethertype); n++) {
		link_fn *take = find_tag(*ethertype);

		if (take == NULL)
			return SN_SKIP_NOT_IP;
		if (n == SN_DECODE_TAGS_MAX)
			return SN_SKIP_BAD_LINK;
		skip = take(rd, ethertype);
	}
	return skip;
}

enum sn_skip sn_decode_link(int link, struct sn_rd *rd, uint16_t *ethertype)
{
	link_fn *take = link == DLT_EN10MB ? take_ethernet : find_link(link);
	enum sn_skip skip = take != NULL ? take(rd, ethertype) : SN_SKIP_BAD_LINK;

	return skip == SN_SKIP_NONE && !is_ip(*ethertype) ? sn_decode_tags(rd, ethertype) : skip;
}
