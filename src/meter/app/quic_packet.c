/* SPDX-License-Identifier: Apache-2.0 */
/* Long headers (RFC 9000 section 17.2), and what frames of Initial packets carry. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "meter/app/quic.h"
#include "meter/app/tls.h"
#include "meter/decode/load.h"

#define PARAMETER_AGENT 0x3129 /* Google's user agent */

static uint64_t take_varint(struct sn_rd *rd)
{
	uint8_t first = sn_rd_u8(rd);
	uint64_t value = first & 0x3f;

	for (unsigned more = (1U << (first >> 6)) - 1; more > 0; more--)
		value = value << 8 | sn_rd_u8(rd);
	return value;
}

static bool take_id(struct sn_rd *rd, struct sn_quic_id *id)
{
	id->size = sn_rd_u8(rd);
	if (!sn_rd_ok(rd) || id->size > SN_QUIC_ID_MAX)
		return false;
	sn_rd_copy(rd, id->bytes, id->size);
	return sn_rd_ok(rd);
}

static enum sn_quic_type type_of(uint32_t version, uint8_t first)
{
	unsigned bits = first >> 4 & 3;

	/* RFC 9369 section 3.2: version 2 counts from one. */
	return (enum sn_quic_type)(version == SN_QUIC_V2 ? (bits + 3) % 4 : bits);
}

bool sn_quic_next_packet(struct sn_rd *datagram, struct sn_quic_packet *packet)
{
	struct sn_rd rd = *datagram;
	uint8_t first = sn_rd_u8(&rd);
	uint64_t length;

	packet->p = datagram->p;
	packet->version = sn_rd_u32be(&rd);
	if (first < 0xc0 || !sn_quic_is_known(packet->version) ||
	    !take_id(&rd, &packet->destination) || !take_id(&rd, &packet->source))
		return false;
	packet->type = type_of(packet->version, first);
	if (packet->type == SN_QUIC_INITIAL) {
		length = take_varint(&rd); /* of the token */
		if (length > sn_rd_left(&rd))
			return false;
		sn_rd_skip(&rd, length);
	}
	length = packet->type == SN_QUIC_RETRY ? sn_rd_left(&rd) : take_varint(&rd);
	if (!sn_rd_ok(&rd) || length > sn_rd_left(&rd))
		return false;
	packet->number_at = (size_t)(rd.p - packet->p);
	packet->size = packet->number_at + length;
	sn_rd_skip(datagram, packet->size);
	return true;
}

/* CRYPTO ------------------------------------------------------------------ */

/* Notes that bytes are there now; pieces that touch become one. */
static int add_piece(struct sn_quic_crypto *crypto, uint16_t begin, uint16_t end)
{
	unsigned at = 0, behind;

	while (at < crypto->count && crypto->pieces[at].end < begin)
		at++;
	for (behind = at; behind < crypto->count && crypto->pieces[behind].begin <= end; behind++) {
		begin = SN_MIN(begin, crypto->pieces[behind].begin);
		end = SN_MAX(end, crypto->pieces[behind].end);
	}
	if (behind == at && crypto->count == SN_QUIC_PIECES_MAX)
		return -EBADMSG;
	memmove(&crypto->pieces[at + 1], &crypto->pieces[behind],
		(crypto->count - behind) * sizeof(crypto->pieces[0]));
	crypto->pieces[at].begin = begin;
	crypto->pieces[at].end = end;
	crypto->count = (uint8_t)(crypto->count - (behind - at) + 1);
	return 0;
}

static int add_crypto(struct sn_quic_crypto *crypto, struct sn_rd *rd)
{
	uint64_t offset = take_varint(rd), size = take_varint(rd);
	const uint8_t *bytes;

	if (!sn_rd_ok(rd) || offset > SN_QUIC_HELLO_MAX || size > SN_QUIC_HELLO_MAX - offset)
		return -EBADMSG;
	bytes = sn_rd_bytes(rd, size);
	if (bytes == NULL)
		return -EBADMSG;
	if (size == 0)
		return 0;
	memcpy(crypto->bytes + offset, bytes, size);
	return add_piece(crypto, (uint16_t)offset, (uint16_t)(offset + size));
}

static void skip_ack(struct sn_rd *rd, bool ecn)
{
	uint64_t ranges;

	take_varint(rd); /* largest */
	take_varint(rd); /* delay */
	ranges = take_varint(rd);
	take_varint(rd); /* first range */
	for (uint64_t i = 0; i < 2 * ranges && sn_rd_ok(rd); i++)
		take_varint(rd);
	for (unsigned i = 0; ecn && i < 3; i++)
		take_varint(rd);
}

/* RFC 9000 section 12.4: these are all that an Initial packet may hold. */
int sn_quic_add_frames(struct sn_quic_crypto *crypto, struct sn_rd frames)
{
	enum { PADDING, PING, ACK, ACK_ECN, CRYPTO = 6, CLOSE = 0x1c };

	while (sn_rd_left(&frames) > 0) {
		uint64_t type = take_varint(&frames);

		if (type == CLOSE)
			return 0;
		if (type == ACK || type == ACK_ECN)
			skip_ack(&frames, type == ACK_ECN);
		else if (type == CRYPTO && add_crypto(crypto, &frames) != 0)
			return -EBADMSG;
		else if (type != PADDING && type != PING && type != CRYPTO)
			return -EBADMSG;
		if (!sn_rd_ok(&frames))
			return -EBADMSG;
	}
	return 0;
}

/* Hello ------------------------------------------------------------------- */

/* Size of the message that begins here; 0 if too little of it is there to tell. */
static size_t message_size(struct sn_rd rd)
{
	uint32_t first = sn_rd_u32be(&rd);
	uint16_t tags;

	if (!sn_rd_ok(&rd))
		return 0;
	if (first != 0x43484c4f) /* "CHLO" */
		return 4 + (first & 0xffffff);
	/* The table of tags tells where the last value ends. */
	tags = sn_rd_u16le(&rd);
	sn_rd_skip(&rd, 2);
	if (tags == 0)
		return 8;
	sn_rd_skip(&rd, 8U * tags - 4);
	first = sn_rd_u32le(&rd);
	return sn_rd_ok(&rd) ? 8 + 8U * tags + (size_t)first : 0;
}

bool sn_quic_hello(const struct sn_quic_crypto *crypto, struct sn_rd *message)
{
	size_t size;

	if (crypto->count == 0 || crypto->pieces[0].begin != 0)
		return false;
	sn_rd_init(message, crypto->bytes, crypto->pieces[0].end);
	size = message_size(*message);
	if (size == 0 || size > crypto->pieces[0].end)
		return false;
	sn_rd_init(message, crypto->bytes, size);
	return true;
}

static void read_parameters(struct sn_rd rd, struct sn_quic_facts *facts)
{
	while (sn_rd_left(&rd) > 0) {
		uint64_t id = take_varint(&rd), size = take_varint(&rd);
		const uint8_t *value;

		if (!sn_rd_ok(&rd) || size > sn_rd_left(&rd))
			return;
		value = sn_rd_bytes(&rd, size);
		if (id == PARAMETER_AGENT && value != NULL)
			facts->agent = (struct sn_str){(const char *)value, size};
	}
}

static int read_tls(struct sn_rd message, struct sn_quic_facts *facts)
{
	struct sn_tls_client_hello hello;

	if (sn_rd_u32be(&message) >> 24 != 1 || sn_tls_client_hello(message, &hello) != 0)
		return -EBADMSG;
	facts->server_name = hello.server_name;
	facts->ech_bytes = hello.has_ech ? hello.ech_bytes : 0;
	if (hello.has_alpn)
		sn_tls_next_name(&hello.alpn, &facts->alpn);
	if (hello.has_quic)
		read_parameters(hello.quic, facts);
	return 0;
}

/* Google's "QUIC crypto": a table of tags and where their values end, then the values. */
static int read_chlo(struct sn_rd message, struct sn_quic_facts *facts)
{
	struct sn_rd table = message, values = message;
	uint32_t begin = 0;
	uint16_t tags;

	sn_rd_skip(&table, 4);
	tags = sn_rd_u16le(&table);
	sn_rd_skip(&table, 2);
	sn_rd_skip(&values, 8 + 8U * tags);
	for (uint16_t i = 0; i < tags; i++) {
		uint32_t tag = sn_rd_u32be(&table), end = sn_rd_u32le(&table);
		struct sn_str value = {NULL, end - begin};

		if (end < begin)
			return -EBADMSG;
		value.p = (const char *)sn_rd_bytes(&values, value.n);
		if (!sn_rd_ok(&values))
			return -EBADMSG;
		if (tag == 0x534e4900) /* "SNI\0" */
			facts->server_name = value;
		else if (tag == 0x55414944) /* "UAID" */
			facts->agent = value;
		begin = end;
	}
	return sn_rd_ok(&table) ? 0 : -EBADMSG;
}

int sn_quic_read_hello(struct sn_rd message, struct sn_quic_facts *facts)
{
	struct sn_rd first = message;

	*facts = (struct sn_quic_facts){0};
	return sn_rd_u32be(&first) == 0x43484c4f ? read_chlo(message, facts)
						 : read_tls(message, facts);
}

/* Google's QUIC ----------------------------------------------------------- */

/* Header, packet number and hash lie before the frame with the CHLO, fewer bytes than this. */
#define CHLO_WITHIN 64

bool sn_quic_is_google(uint32_t version)
{
	uint8_t digits[3] = {(uint8_t)(version >> 16), (uint8_t)(version >> 8), (uint8_t)version};

	for (size_t i = 0; i < 3; i++)
		if (digits[i] < '0' || digits[i] > '9')
			return false;
	return version >> 24 == 'Q' || version >> 24 == 'T';
}

/* Google's up to Q043: version and connection id are there, nothing unknown is. */
static bool is_public_header(uint8_t first)
{
	return (first & 0xc0) == 0 && (first & 0x0b) == 0x09;
}

bool sn_quic_may_begin(struct sn_rd datagram)
{
	const uint8_t *first = take_bytes(&datagram, 1);

	return first != NULL && (*first >= 0xc0 || is_public_header(*first));
}

uint32_t sn_quic_google_version(struct sn_rd datagram)
{
	uint8_t first = sn_rd_u8(&datagram);
	uint32_t version;

	if (is_public_header(first))
		sn_rd_skip(&datagram, 8);
	else if (first < 0xc0)
		return 0;
	version = sn_rd_u32be(&datagram);
	return sn_rd_ok(&datagram) && sn_quic_is_google(version) && !sn_quic_is_known(version)
		       ? version
		       : 0;
}

bool sn_quic_google_hello(struct sn_rd datagram, struct sn_rd *message)
{
	const uint8_t *chlo =
		memmem(datagram.p, SN_MIN(sn_rd_left(&datagram), (size_t)CHLO_WITHIN), "CHLO", 4);
	size_t size;

	if (chlo == NULL)
		return false;
	sn_rd_init(message, chlo, (size_t)(datagram.end - chlo));
	size = message_size(*message);
	if (size == 0 || size > sn_rd_left(message))
		return false;
	sn_rd_init(message, chlo, size);
	return true;
}
