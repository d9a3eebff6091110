/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/tls.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_PSK = 41,
	EXTENSION_EARLY_DATA = 42,
	EXTENSION_VERSIONS = 43,
	EXTENSION_QUIC = 57,
	EXTENSION_NPN = 0x3374,
	EXTENSION_ECH = 0xfe0d,
	EXTENSION_QUIC_DRAFT = 0xffa5,
};

#define RANDOM_BYTES   32
#define SSL2_HELLO     1
#define DRAFT_VERSION  0x7f00 /* TLS 1.3 drafts: the low byte is the draft's number */
#define DRAFT_OLD_LAST 0x7f15 /* up to draft 21 its Server Hello had another form */

/* A Server Hello with this random is a HelloRetryRequest (RFC 8446 section 4.1.3). */
static const uint8_t retry_random[RANDOM_BYTES] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* `size` bytes as a reader of their own; empty on failure. */
static struct sn_rd part(struct sn_rd *rd, size_t size)
{
	const uint8_t *bytes = sn_rd_bytes(rd, size);
	struct sn_rd out;

	sn_rd_init(&out, bytes, bytes != NULL ? size : 0);
	return out;
}

static struct sn_rd part8(struct sn_rd *rd)
{
	return part(rd, sn_rd_u8(rd));
}

static struct sn_rd part16(struct sn_rd *rd)
{
	return part(rd, sn_rd_u16be(rd));
}

/* The next extension; false at the end and when it is damaged, which `list` then tells. */
static bool next_extension(struct sn_rd *list, uint16_t *type, struct sn_rd *data)
{
	if (!sn_rd_ok(list) || sn_rd_left(list) == 0)
		return false;
	*type = sn_rd_u16be(list);
	*data = part16(list);
	return sn_rd_ok(list);
}

static struct sn_str first_server_name(struct sn_rd data)
{
	struct sn_rd list = part16(&data), name;

	if (sn_rd_u8(&list) != 0) /* the only type there is: host_name */
		return (struct sn_str){0};
	name = part16(&list);
	return (struct sn_str){(const char *)name.p, sn_rd_left(&name)};
}

static void client_extension(struct sn_tls_client_hello *hello, uint16_t type, struct sn_rd data)
{
	switch (type) {
	case EXTENSION_SERVER_NAME:
		hello->server_name = first_server_name(data);
		break;
	case EXTENSION_ALPN:
		hello->has_alpn = true;
		hello->alpn = part16(&data);
		break;
	case EXTENSION_VERSIONS:
		hello->versions = part8(&data);
		break;
	case EXTENSION_QUIC:
	case EXTENSION_QUIC_DRAFT:
		hello->has_quic = true;
		hello->quic = data;
		break;
	case EXTENSION_ECH:
		hello->has_ech = true;
		hello->ech_bytes = (uint16_t)sn_rd_left(&data);
		break;
	case EXTENSION_PSK:
		hello->has_psk = true;
		break;
	case EXTENSION_EARLY_DATA:
		hello->has_early_data = true;
		break;
	case EXTENSION_NPN:
		hello->has_npn = true;
		break;
	default:
		break;
	}
}

int sn_tls_client_hello(struct sn_rd body, struct sn_tls_client_hello *hello)
{
	struct sn_rd session, extensions, data;
	uint16_t type;

	*hello = (struct sn_tls_client_hello){.version = sn_rd_u16be(&body)};
	sn_rd_skip(&body, RANDOM_BYTES);
	session = part8(&body);
	hello->has_session = sn_rd_left(&session) > 0;
	part16(&body); /* cipher suites */
	part8(&body);  /* compression methods */
	if (!sn_rd_ok(&body))
		return -EBADMSG;
	if (sn_rd_left(&body) == 0) /* SSL 3, and before RFC 3546 */
		return 0;
	extensions = part16(&body);
	while (next_extension(&extensions, &type, &data))
		client_extension(hello, type, data);
	return sn_rd_ok(&body) && sn_rd_ok(&extensions) ? 0 : -EBADMSG;
}

int sn_tls_client_hello2(struct sn_rd body, struct sn_tls_client_hello *hello)
{
	uint8_t type = sn_rd_u8(&body);
	uint16_t ciphers, session, challenge;

	*hello = (struct sn_tls_client_hello){.ssl2 = true, .version = sn_rd_u16be(&body)};
	ciphers = sn_rd_u16be(&body);
	session = sn_rd_u16be(&body);
	challenge = sn_rd_u16be(&body);
	hello->has_session = session > 0;
	sn_rd_skip(&body, (size_t)ciphers + session + challenge);
	return sn_rd_ok(&body) && type == SSL2_HELLO ? 0 : -EBADMSG;
}

static void server_extension(struct sn_tls_server_hello *hello, uint16_t type, struct sn_rd data)
{
	switch (type) {
	case EXTENSION_ALPN:
		hello->has_alpn = true;
		hello->alpn = part16(&data);
		break;
	case EXTENSION_NPN:
		hello->has_npn = true;
		hello->npn = data;
		break;
	case EXTENSION_VERSIONS:
		hello->version = sn_rd_u16be(&data);
		break;
	case EXTENSION_PSK:
		hello->has_psk = true;
		break;
	default:
		break;
	}
}

int sn_tls_server_hello(struct sn_rd body, struct sn_tls_server_hello *hello)
{
	struct sn_rd extensions, data;
	const uint8_t *random;
	uint16_t type;

	*hello = (struct sn_tls_server_hello){.version = sn_rd_u16be(&body)};
	random = sn_rd_bytes(&body, RANDOM_BYTES);
	hello->is_retry = random != NULL && memcmp(random, retry_random, RANDOM_BYTES) == 0;
	if (hello->version > DRAFT_VERSION && hello->version <= DRAFT_OLD_LAST)
		return sn_rd_ok(&body) ? 0 : -EBADMSG;
	part8(&body);         /* session id */
	sn_rd_skip(&body, 3); /* cipher suite, compression method */
	if (!sn_rd_ok(&body))
		return -EBADMSG;
	if (sn_rd_left(&body) == 0)
		return 0;
	extensions = part16(&body);
	while (next_extension(&extensions, &type, &data))
		server_extension(hello, type, data);
	return sn_rd_ok(&body) && sn_rd_ok(&extensions) ? 0 : -EBADMSG;
}

bool sn_tls_next_name(struct sn_rd *list, struct sn_str *name)
{
	struct sn_rd bytes;

	if (!sn_rd_ok(list) || sn_rd_left(list) == 0)
		return false;
	bytes = part8(list);
	*name = (struct sn_str){(const char *)bytes.p, sn_rd_left(&bytes)};
	return sn_rd_ok(list);
}

/* Bits of the protocols in a list, the lowest for "http/". */
static uint8_t protocol_bits(struct sn_rd list)
{
	static const char *const prefixes[] = {"http/", "spdy/", "h2"};
	struct sn_str name;
	unsigned bits = 0;

	while (sn_tls_next_name(&list, &name)) {
		for (unsigned i = 0; i < SN_COUNT(prefixes); i++) {
			if (sn_str_has_prefix(name, prefixes[i]))
				bits |= 1u << i;
		}
	}
	return (uint8_t)bits;
}

/* Tstat: 16 an empty list, 32 http/, 64 spdy/, 128 h2. */
uint8_t sn_tls_alpn_bits(bool has_alpn, struct sn_rd list)
{
	if (!has_alpn)
		return 0;
	return sn_rd_left(&list) == 0 ? 16 : (uint8_t)(protocol_bits(list) << 5);
}

/* Tstat: 1 an empty list, as clients send it, 2 http/, 4 spdy/, 8 h2. */
uint8_t sn_tls_npn_bits(bool has_npn, struct sn_rd list)
{
	if (!has_npn)
		return 0;
	return sn_rd_left(&list) == 0 ? 1 : (uint8_t)(protocol_bits(list) << 1);
}

bool sn_tls_is_name(struct sn_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!isalnum((unsigned char)text.p[i]) &&
		    (text.p[i] == '\0' || strchr("-_*.", text.p[i]) == NULL))
			return false;
	}
	return text.n > 0;
}

static void add_version(struct sn_str *out, char *text, uint16_t version)
{
	uint8_t bytes[2] = {(uint8_t)(version >> 8), (uint8_t)version};

	if (out->n > 0)
		text[out->n++] = ',';
	sn_hex(bytes, sizeof(bytes), text + out->n);
	out->n += 4;
}

struct sn_str sn_tls_versions(const struct sn_tls_client_hello *hello,
			      char text[SN_TLS_VERSIONS_TEXT])
{
	struct sn_str out = {text, 0};
	struct sn_rd list = hello->versions;

	for (unsigned i = 0; i < SN_TLS_VERSIONS_MAX && sn_rd_left(&list) >= 2; i++)
		add_version(&out, text, sn_rd_u16be(&list));
	if (out.n == 0)
		add_version(&out, text, hello->version);
	return out;
}
