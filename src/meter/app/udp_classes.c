/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols that one datagram is enough for.  Sources: RFC 3261 (SIP), RFC 4380
 * (Teredo), RFC 9147 (DTLS), BEP 5 and BEP 29 (BitTorrent's DHT and uTP), Y. Kulbak,
 * D. Bickson, "The eMule protocol specification" (2005), the Gnutella protocol
 * specification 0.4 and 0.6.
 */
#include <string.h>

#include "meter/app/udp_internal.h"

static bool starts_with(struct sn_rd rd, struct sn_str text)
{
	const uint8_t *p = sn_rd_bytes(&rd, text.n);

	return p != NULL && memcmp(p, text.p, text.n) == 0;
}

static bool starts_with_one_of(struct sn_rd rd, const struct sn_str *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (starts_with(rd, texts[i]))
			return true;
	return false;
}

bool sn_udp_is_dtls(struct sn_rd rd)
{
	uint8_t type = sn_rd_u8(&rd);
	uint16_t version = sn_rd_u16be(&rd), length;

	sn_rd_skip(&rd, 8); /* epoch and sequence number */
	length = sn_rd_u16be(&rd);
	return sn_rd_ok(&rd) && type >= 20 && type <= 25 &&
	       (version == 0xfeff || version == 0xfefd) && length > 0;
}

bool sn_udp_is_stun(struct sn_rd rd)
{
	uint16_t type = sn_rd_u16be(&rd), length = sn_rd_u16be(&rd);
	uint32_t cookie = sn_rd_u32be(&rd);

	return sn_rd_ok(&rd) && type < 0x4000 && length % 4 == 0 && cookie == 0x2112a442;
}

static bool is_sip(const struct udp_look *look)
{
	static const struct sn_str methods[] = {
		SN_STR("INVITE "), SN_STR("REGISTER "),  SN_STR("ACK "),    SN_STR("BYE "),
		SN_STR("CANCEL "), SN_STR("OPTIONS "),   SN_STR("INFO "),   SN_STR("PRACK "),
		SN_STR("REFER "),  SN_STR("SUBSCRIBE "), SN_STR("NOTIFY "), SN_STR("MESSAGE "),
		SN_STR("UPDATE "), SN_STR("PUBLISH "),
	};
	static const struct sn_str targets[] = {SN_STR("sip:"), SN_STR("sips:"), SN_STR("tel:")};
	struct sn_rd payload = look->packet->payload;

	if (starts_with(payload, SN_STR("SIP/2.0 ")))
		return true;
	for (size_t i = 0; i < SN_COUNT(methods); i++) {
		if (!starts_with(payload, methods[i]))
			continue;
		sn_rd_skip(&payload, methods[i].n);
		return starts_with_one_of(payload, targets, SN_COUNT(targets));
	}
	return false;
}

static bool is_dtls(const struct udp_look *look)
{
	return sn_udp_is_dtls(look->packet->payload);
}

/* IPv6 whose sender has an address of Teredo. */
static bool is_teredo(const struct udp_look *look)
{
	struct sn_rd rd = look->packet->payload;
	uint32_t first = sn_rd_u32be(&rd);
	uint16_t length = sn_rd_u16be(&rd);

	sn_rd_skip(&rd, 2);
	return first >> 28 == 6 && sn_rd_u32be(&rd) == 0x20010000 && sn_rd_ok(&rd) &&
	       length + 40U == look->packet->payload_bytes;
}

static bool is_dht(const struct udp_look *look)
{
	static const struct sn_str openings[] = {
		SN_STR("d1:ad2:id20:"), SN_STR("d1:rd2:id20:"), SN_STR("d1:eli20"),
		SN_STR("d2:ip6:"),      SN_STR("d2:ip18:"),
	};

	return starts_with_one_of(look->packet->payload, openings, SN_COUNT(openings));
}

/* The fields of a uTP header that tell it from others. */
struct utp {
	uint8_t type, extension;
	uint32_t delay;
	uint16_t acknowledged;
};

static bool read_utp(struct sn_rd rd, struct utp *utp)
{
	uint8_t first = sn_rd_u8(&rd);

	utp->type = first >> 4;
	utp->extension = sn_rd_u8(&rd);
	sn_rd_skip(&rd, 2 + 4); /* connection, time stamp */
	utp->delay = sn_rd_u32be(&rd);
	sn_rd_skip(&rd, 4 + 2); /* window, sequence number */
	utp->acknowledged = sn_rd_u16be(&rd);
	return sn_rd_ok(&rd) && (first & 15) == 1 && utp->type <= 4 && utp->extension <= 3;
}

/* A SYN, or anything as answer to a side that has sent one. */
static bool is_utp(const struct udp_look *look)
{
	uint8_t other = look->flow->type[!look->side];
	struct utp utp;

	if (!read_utp(look->packet->payload, &utp))
		return false;
	return (utp.type == 4 && utp.delay == 0 && utp.acknowledged == 0) || other == SN_UDP_UTP ||
	       other == SN_UDP_UTP_BITTORRENT;
}

/* Messages of eDonkey, eMule and Kademlia that have one length. */
static const struct fixed {
	uint8_t protocol, opcode, bytes, type;
} fixed_messages[] = {
	{0xe3, 0x96, 6, SN_UDP_EDK},  {0xe3, 0x9a, 18, SN_UDP_EDK}, {0xe3, 0xa2, 6, SN_UDP_EDK},
	{0xc5, 0x90, 18, SN_UDP_EDK}, {0xc5, 0x91, 4, SN_UDP_EDK},  {0xc5, 0x92, 2, SN_UDP_EDK},
	{0xc5, 0x93, 2, SN_UDP_EDK},  {0xe4, 0x00, 27, SN_UDP_KAD}, {0xe4, 0x01, 2, SN_UDP_KAD},
	{0xe4, 0x10, 27, SN_UDP_KAD}, {0xe4, 0x20, 35, SN_UDP_KAD}, {0xe4, 0x21, 35, SN_UDP_KAD},
	{0xe4, 0x50, 4, SN_UDP_KAD},  {0xe4, 0x58, 6, SN_UDP_KAD},  {0xe4, 0x60, 2, SN_UDP_KAD},
	{0xe4, 0x61, 4, SN_UDP_KAD},
};

static enum sn_udp_type find_fixed(const struct udp_look *look)
{
	struct sn_rd rd = look->packet->payload;
	uint8_t protocol = sn_rd_u8(&rd), opcode = sn_rd_u8(&rd);

	for (size_t i = 0; i < SN_COUNT(fixed_messages); i++) {
		const struct fixed *fixed = &fixed_messages[i];

		if (fixed->protocol == protocol && fixed->opcode == opcode &&
		    fixed->bytes == look->packet->payload_bytes)
			return fixed->type;
	}
	return SN_UDP_UNKNOWN;
}

static bool is_edk(const struct udp_look *look)
{
	return find_fixed(look) == SN_UDP_EDK;
}

static bool is_kad(const struct udp_look *look)
{
	return find_fixed(look) == SN_UDP_KAD;
}

static bool is_gnutella(const struct udp_look *look)
{
	struct sn_rd rd = look->packet->payload;
	uint8_t type, ttl, hops;
	uint32_t length;

	if (starts_with(rd, SN_STR("GND")))
		return true;
	sn_rd_skip(&rd, 16); /* identifier */
	type = sn_rd_u8(&rd);
	ttl = sn_rd_u8(&rd);
	hops = sn_rd_u8(&rd);
	length = sn_rd_u32le(&rd);
	return sn_rd_ok(&rd) && length + 23ULL == look->packet->payload_bytes &&
	       (type <= 1 || type == 0x30 || type == 0x31 || type == 0x40 || type == 0x80 ||
		type == 0x81) &&
	       ttl + hops > 0 && ttl + hops <= 15;
}

static bool is_dc(const struct udp_look *look)
{
	return starts_with(look->packet->payload, SN_STR("$SR "));
}

static bool is_kazaa(const struct udp_look *look)
{
	struct sn_rd rd = look->packet->payload;

	if (sn_rd_left(&rd) < 12)
		return false;
	sn_rd_skip(&rd, sn_rd_left(&rd) - 6);
	return starts_with(rd, SN_STR("KaZaA\0"));
}

/* In the order in which they are tried. */
static const struct class
{
	bool (*is)(const struct udp_look *look);
	enum sn_udp_type type;
} classes[] = {
	{is_dtls, SN_UDP_DTLS},   {is_utp, SN_UDP_UTP},           {is_dht, SN_UDP_BITTORRENT},
	{is_sip, SN_UDP_SIP},     {is_teredo, SN_UDP_TEREDO},     {is_edk, SN_UDP_EDK},
	{is_kad, SN_UDP_KAD},     {is_gnutella, SN_UDP_GNUTELLA}, {is_dc, SN_UDP_DC},
	{is_kazaa, SN_UDP_KAZAA},
};

enum sn_udp_type sn_udp_classify(const struct udp_look *look)
{
	for (size_t i = 0; i < SN_COUNT(classes); i++)
		if (classes[i].is(look))
			return classes[i].type;
	return SN_UDP_UNKNOWN;
}
