/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subject's common name of a certificate (RFC 5280 section 4.1, DER as in
 * X.690), and no more: nothing is verified, so no library of ours needs to see
 * what came from the network.
 */
#include "meter/app/tls.h"

#include <string.h>

enum {
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_TELETEX = 0x14,
	DER_IA5 = 0x16,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_VERSION = 0xa0, /* [0] of a TBSCertificate */
};

#define DER_LENGTH_BYTES_MAX 3 /* 16 MB, more than a handshake message holds */

static const uint8_t common_name[] = {0x55, 0x04, 0x03}; /* 2.5.4.3 */

static size_t der_length(struct sn_rd *rd)
{
	uint8_t first = sn_rd_u8(rd);
	size_t length = 0;

	if (first < 0x80)
		return first;
	if (first == 0x80 || (first & 0x7f) > DER_LENGTH_BYTES_MAX) {
		sn_rd_skip(rd, SIZE_MAX); /* indefinite or absurd: not DER */
		return 0;
	}
	for (unsigned i = first & 0x7f; i > 0; i--)
		length = length << 8 | sn_rd_u8(rd);
	return length;
}

/* The next value: its tag and content; tag 0 on failure. */
static uint8_t der_next(struct sn_rd *rd, struct sn_rd *content)
{
	uint8_t tag = sn_rd_u8(rd);
	size_t length = der_length(rd);
	const uint8_t *bytes = sn_rd_bytes(rd, length);

	sn_rd_init(content, bytes, bytes != NULL ? length : 0);
	return sn_rd_ok(rd) ? tag : 0;
}

static struct sn_rd der_expect(struct sn_rd *rd, uint8_t tag)
{
	struct sn_rd content;

	if (der_next(rd, &content) != tag)
		sn_rd_init(&content, NULL, 0);
	return content;
}

static bool is_text(uint8_t tag)
{
	return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_TELETEX || tag == DER_IA5;
}

/* An attribute with its type; its text if it is the common name. */
static bool attribute_name(struct sn_rd attribute, struct sn_str *name)
{
	struct sn_rd type = der_expect(&attribute, DER_OID), value;

	if (sn_rd_left(&type) != sizeof(common_name) ||
	    memcmp(type.p, common_name, sizeof(common_name)) != 0)
		return false;
	if (!is_text(der_next(&attribute, &value)) || sn_rd_left(&value) == 0)
		return false;
	*name = (struct sn_str){(const char *)value.p, sn_rd_left(&value)};
	return true;
}

static struct sn_str subject_name(struct sn_rd subject)
{
	struct sn_str name = {0};

	while (sn_rd_ok(&subject) && sn_rd_left(&subject) > 0) {
		struct sn_rd set = der_expect(&subject, DER_SET);

		while (sn_rd_ok(&set) && sn_rd_left(&set) > 0) {
			if (attribute_name(der_expect(&set, DER_SEQUENCE), &name))
				return name;
		}
	}
	return name;
}

struct sn_str sn_certificate_name(struct sn_rd certificate)
{
	struct sn_rd whole = der_expect(&certificate, DER_SEQUENCE);
	struct sn_rd signed_part = der_expect(&whole, DER_SEQUENCE), content;

	if (sn_rd_left(&signed_part) > 0 && signed_part.p[0] == DER_VERSION)
		der_next(&signed_part, &content);
	for (unsigned i = 0; i < 4; i++) /* serial number, algorithm, issuer, validity */
		der_next(&signed_part, &content);
	return subject_name(der_expect(&signed_part, DER_SEQUENCE));
}
