/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols that one datagram is enough for.  Sources: RFC 3261 (SIP), RFC 4380
 * (Teredo), RFC 9147 (DTLS), BEP 5 and BEP 29 (BitTorrent's DHT and uTP), Y. Kulbak,
 * D. Bickson, "The eMule protocol specification" (2005), the Gnutella protocol
 * specification 0.4.
 */
#include <string.h>

#include "meter/app/udp_internal.h"
#include "meter/decode/load.h"

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
	enum { VERSION_AT = 1, LENGTH_AT = 11, HEADER = 13 };
	const uint8_t *header = take_bytes(&rd, HEADER);

	return header != NULL && header[0] >= 20 && header[0] <= 25 &&
	       (load_u16(header + VERSION_AT) == 0xfeff ||
		load_u16(header + VERSION_AT) == 0xfefd) &&
	       load_u16(header + LENGTH_AT) > 0;
}

bool sn_udp_is_stun(struct sn_rd rd)
{
	enum { LENGTH_AT = 2, COOKIE_AT = 4, CHECKED = 8 };
	const uint8_t *header = take_bytes(&rd, CHECKED);

	return header != NULL && header[0] < 0x40 && load_u16(header + LENGTH_AT) % 4 == 0 &&
	       load_u32(header + COOKIE_AT) == 0x2112a442;
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

/* A SYN, or anything as answer to a side that has sent one. */
static bool is_utp(const struct udp_look *look)
{
	enum { VERSION = 1, SYN = 4, EXTENSION_MAX = 3, DELAY_AT = 8, ACKNOWLEDGED_AT = 18 };
	struct sn_rd rd = look->packet->payload;
	const uint8_t *header = take_bytes(&rd, 20);
	uint8_t other = look->flow->type[!look->side];

	if (header == NULL || (header[0] & 15) != VERSION || header[0] >> 4 > SYN ||
	    header[1] > EXTENSION_MAX)
		return false;
	return (header[0] >> 4 == SYN && load_u32(header + DELAY_AT) == 0 &&
		load_u16(header + ACKNOWLEDGED_AT) == 0) ||
	       other == SN_UDP_UTP || other == SN_UDP_UTP_BITTORRENT;
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
	enum { TYPE_AT = 16, TTL_AT, HOPS_AT, LENGTH_AT, HEADER = 23, LIFE_MAX = 15 };
	static const uint8_t types[] = {0x00, 0x01, 0x30, 0x31, 0x40, 0x80, 0x81};
	struct sn_rd rd = look->packet->payload;
	const uint8_t *header = take_bytes(&rd, HEADER);
	unsigned life;
	uint32_t length;

	if (header == NULL)
		return false;
	memcpy(&length, header + LENGTH_AT, sizeof(length));
	life = header[TTL_AT] + (unsigned)header[HOPS_AT];
	return le32toh(length) + (uint64_t)HEADER == look->packet->payload_bytes && life > 0 &&
	       life <= LIFE_MAX && memchr(types, header[TYPE_AT], sizeof(types)) != NULL;
}

static bool is_dc(const struct udp_look *look)
{
	return starts_with(look->packet->payload, SN_STR("$SR "));
}

static bool is_kazaa(const struct udp_look *look)
{
	const struct sn_rd *rd = &look->packet->payload;

	return bytes_left(rd) >= 12 && memcmp(rd->end - 6, "KaZaA", 6) == 0;
}

/* In the order in which they are tried. */
enum { DTLS, UTP, DHT, SIP, TEREDO, EDK, KAD, DC, GNUTELLA, KAZAA, CLASSES };

static const struct class
{
	bool (*is)(const struct udp_look *look);
	enum sn_udp_type type;
} classes[CLASSES] = {
	[DTLS] = {is_dtls, SN_UDP_DTLS},
	[UTP] = {is_utp, SN_UDP_UTP},
	[DHT] = {is_dht, SN_UDP_BITTORRENT},
	[SIP] = {is_sip, SN_UDP_SIP},
	[TEREDO] = {is_teredo, SN_UDP_TEREDO},
	[EDK] = {is_edk, SN_UDP_EDK},
	[KAD] = {is_kad, SN_UDP_KAD},
	[DC] = {is_dc, SN_UDP_DC},
	[GNUTELLA] = {is_gnutella, SN_UDP_GNUTELLA},
	[KAZAA] = {is_kazaa, SN_UDP_KAZAA},
};

/* The classes whose datagrams begin with a byte; those that begin with any have no bit. */
#define BIT(class) (1U << (class))
static const uint16_t by_first[256] = {
	[20 ... 25] = BIT(DTLS),
	[0x01] = BIT(UTP),
	[0x11] = BIT(UTP),
	[0x21] = BIT(UTP),
	[0x31] = BIT(UTP),
	[0x41] = BIT(UTP) | BIT(SIP),
	['$'] = BIT(DC),
	['B'] = BIT(SIP),
	['C'] = BIT(SIP),
	['I'] = BIT(SIP),
	['M'] = BIT(SIP),
	['N'] = BIT(SIP),
	['O'] = BIT(SIP),
	['P'] = BIT(SIP),
	['R'] = BIT(SIP),
	['S'] = BIT(SIP),
	['U'] = BIT(SIP),
	[0x60 ... 0x63] = BIT(TEREDO),
	['d'] = BIT(DHT) | BIT(TEREDO),
	[0x65 ... 0x6f] = BIT(TEREDO),
	[0xc5] = BIT(EDK),
	[0xe3] = BIT(EDK),
	[0xe4] = BIT(KAD),
};

enum sn_udp_type sn_udp_classify(const struct udp_look *look)
{
	unsigned left = by_first[look->packet->payload.p[0]] | BIT(GNUTELLA) | BIT(KAZAA);

	while (left != 0) {
		const struct class *class = &classes[__builtin_ctz(left)];

		if (class->is(look))
			return class->type;
		left &= left - 1;
	}
	return SN_UDP_UNKNOWN;
}
