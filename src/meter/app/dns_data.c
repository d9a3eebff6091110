/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and record data in the form that people write (RFC 1035 section 5.1).
 *
 * The data of each type is a row of letters in the table of types:
 *   1 2 4  a number of so many bytes      a x  IPv4, IPv6 address
 *   n      a name                         s S  one string, all strings that are left
 *   T      a type                         D    a time (RFC 4034 section 3.2)
 *   u      a string without quotes        v    all that is left as one string
 *   h b    all that is left in base 16, 64
 *   B      a bitmap of types (RFC 4034)   p    parameters of a service (RFC 9460)
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "meter/app/dns_internal.h"

#define NAME_MAX_BYTES 255 /* RFC 1035 section 2.3.4 */

static bool is_printable(uint8_t byte)
{
	return byte > ' ' && byte < 0x7f;
}

static void put_escaped(struct dns_text *text, uint8_t byte)
{
	char number[] = {'\\', (char)('0' + byte / 100), (char)('0' + byte / 10 % 10),
			 (char)('0' + byte % 10)};
	char letter[] = {'\\', (char)byte};

	if (is_printable(byte))
		dns_put(text, letter, sizeof(letter));
	else
		dns_put(text, number, sizeof(number));
}

/* Nearly all bytes stay what they are: they are copied as they come. */
static void put_bytes(struct dns_text *text, const uint8_t *bytes, size_t size,
		      const bool special[256])
{
	size_t done = 0;

	for (size_t i = 0; i < size; i++) {
		if (!special[bytes[i]])
			continue;
		dns_put(text, (const char *)bytes + done, i - done);
		put_escaped(text, bytes[i]);
		done = i + 1;
	}
	dns_put(text, (const char *)bytes + done, size - done);
}

#define NOT_PRINTABLE [0 ... ' '] = true, [0x7f ... 0xff] = true

static void put_label(struct dns_text *text, const uint8_t *label, size_t size)
{
	static const bool special[256] = {NOT_PRINTABLE, ['.'] = true,  [';'] = true, ['('] = true,
					  [')'] = true,  ['\\'] = true, ['"'] = true};

	put_bytes(text, label, size, special);
	dns_put(text, ".", 1);
}

/* Where the pointer whose first byte is `high` leads; false if not before the pointer itself. */
static bool follow(const struct sn_rd *whole, struct sn_rd *rd, uint8_t high)
{
	const uint8_t *pointer = rd->p - 1;
	size_t to = (size_t)(high & 0x3f) << 8 | sn_rd_u8(rd);

	if (!sn_rd_ok(rd) || whole->p + to >= pointer)
		return false;
	sn_rd_init(rd, whole->p + to, (size_t)(whole->end - whole->p) - to);
	return true;
}

bool sn_dns_take_name(const struct sn_rd *whole, struct sn_rd *rd, struct dns_text *text)
{
	struct sn_rd at = *rd;
	unsigned pointers = 0;
	size_t bytes = 1;

	for (;;) {
		uint8_t size = sn_rd_u8(&at);
		const uint8_t *label;

		if (size == 0)
			break;
		if (size >= 0xc0) {
			struct sn_rd behind = at;

			sn_rd_skip(&behind, 1);
			if (pointers++ == 0)
				*rd = behind;
			if (pointers > SN_DNS_POINTERS_MAX || !follow(whole, &at, size))
				return false;
			continue;
		}
		label = sn_rd_bytes(&at, size);
		bytes += 1U + size;
		if (label == NULL || size > 63 || bytes > NAME_MAX_BYTES)
			return false;
		if (text != NULL)
			put_label(text, label, size);
	}
	if (text != NULL && bytes == 1)
		dns_put(text, ".", 1);
	if (pointers == 0)
		*rd = at;
	return sn_rd_ok(&at) && sn_rd_ok(rd);
}

/* Fields ------------------------------------------------------------------ */

static void put_number(struct dns_text *text, uint32_t number)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%" PRIu32, number);
	dns_puts(text, digits);
}

static void put_address(struct dns_text *text, int family, struct sn_rd *rd)
{
	const uint8_t *address = sn_rd_bytes(rd, family == AF_INET ? 4 : 16);
	char form[INET6_ADDRSTRLEN];

	if (address != NULL)
		dns_puts(text, inet_ntop(family, address, form, sizeof(form)));
}

static void put_quoted(struct dns_text *text, const uint8_t *bytes, size_t size)
{
	static const bool special[256] = {
		[0 ... 0x1f] = true, [0x7f ... 0xff] = true, ['"'] = true, ['\\'] = true};

	dns_put(text, "\"", 1);
	if (bytes != NULL)
		put_bytes(text, bytes, size, special);
	dns_put(text, "\"", 1);
}

static void put_string(struct dns_text *text, struct sn_rd *rd)
{
	uint8_t size = sn_rd_u8(rd);

	put_quoted(text, sn_rd_bytes(rd, size), size);
}

static void put_strings(struct dns_text *text, struct sn_rd *rd)
{
	const char *blank = "";

	while (sn_rd_left(rd) > 0 && sn_rd_ok(rd)) {
		dns_puts(text, blank);
		put_string(text, rd);
		blank = " ";
	}
}

static void put_tag(struct dns_text *text, struct sn_rd *rd)
{
	static const bool special[256] = {NOT_PRINTABLE, ['"'] = true, ['\\'] = true};
	uint8_t size = sn_rd_u8(rd);
	const uint8_t *tag = sn_rd_bytes(rd, size);

	if (tag != NULL)
		put_bytes(text, tag, size, special);
}

static void put_value(struct dns_text *text, struct sn_rd *rd)
{
	size_t size = sn_rd_left(rd);

	put_quoted(text, sn_rd_bytes(rd, size), size);
}

static void put_hex(struct dns_text *text, struct sn_rd *rd)
{
	while (sn_rd_left(rd) > 0) {
		char digits[3];

		snprintf(digits, sizeof(digits), "%02X", sn_rd_u8(rd));
		dns_puts(text, digits);
	}
}

static void put_base64_of(struct dns_text *text, const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t part = SN_MIN(size, (size_t)48);
		char digits[BASE64_ENCODE_RAW_LENGTH(48)];

		base64_encode_raw(digits, part, data);
		dns_put(text, digits, BASE64_ENCODE_RAW_LENGTH(part));
		data += part;
		size -= part;
	}
}

static void put_base64(struct dns_text *text, struct sn_rd *rd)
{
	size_t size = sn_rd_left(rd);

	put_base64_of(text, sn_rd_bytes(rd, size), size);
}

static void put_type(struct dns_text *text, uint16_t type)
{
	char scratch[16];

	dns_puts(text, sn_dns_type_name(type, scratch));
}

static void put_time(struct dns_text *text, uint32_t seconds)
{
	time_t time = seconds;
	char form[32];
	struct tm tm;

	gmtime_r(&time, &tm);
	strftime(form, sizeof(form), "%Y%m%d%H%M%S", &tm);
	dns_puts(text, form);
}

static void put_bitmap(struct dns_text *text, struct sn_rd *rd)
{
	const char *blank = "";

	while (sn_rd_left(rd) > 0 && sn_rd_ok(rd)) {
		unsigned window = sn_rd_u8(rd), size = sn_rd_u8(rd);
		const uint8_t *bits = sn_rd_bytes(rd, size);

		for (unsigned i = 0; bits != NULL && i < 8 * size; i++) {
			if ((bits[i / 8] & 0x80 >> i % 8) == 0)
				continue;
			dns_puts(text, blank);
			put_type(text, (uint16_t)(window << 8 | (i & 0xff)));
			blank = " ";
		}
	}
}

/* Parameters of a service (RFC 9460 section 14.3.2) ----------------------- */

static const char *const parameters[] = {
	"mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath",
};
enum { MANDATORY, ALPN, NO_DEFAULT_ALPN, PORT, IPV4HINT, ECH, IPV6HINT };

static void put_parameter_name(struct dns_text *text, uint16_t key)
{
	if (key < SN_COUNT(parameters)) {
		dns_puts(text, parameters[key]);
	} else {
		dns_puts(text, "key");
		put_number(text, key);
	}
}

static void put_parameter_item(struct dns_text *text, uint16_t key, struct sn_rd *value)
{
	if (key == MANDATORY)
		put_parameter_name(text, sn_rd_u16be(value));
	else if (key == ALPN)
		put_tag(text, value);
	else if (key == PORT)
		put_number(text, sn_rd_u16be(value));
	else if (key == ECH)
		put_base64(text, value);
	else if (key == IPV4HINT || key == IPV6HINT)
		put_address(text, key == IPV4HINT ? AF_INET : AF_INET6, value);
	else
		put_value(text, value);
}

static bool put_parameters(struct dns_text *text, struct sn_rd *rd)
{
	const char *blank = "";

	while (sn_rd_left(rd) > 0 && sn_rd_ok(rd)) {
		uint16_t key = sn_rd_u16be(rd), size = sn_rd_u16be(rd);
		const uint8_t *bytes = sn_rd_bytes(rd, size);
		const char *separator = "=";
		struct sn_rd value;

		if (bytes == NULL)
			return false;
		sn_rd_init(&value, bytes, size);
		dns_puts(text, blank);
		put_parameter_name(text, key);
		while (sn_rd_left(&value) > 0 && sn_rd_ok(&value)) {
			dns_puts(text, separator);
			put_parameter_item(text, key, &value);
			separator = ",";
		}
		if (!sn_rd_ok(&value))
			return false;
		blank = " ";
	}
	return sn_rd_ok(rd);
}

/* Whole records ----------------------------------------------------------- */

static bool put_field(const struct sn_rd *whole, struct sn_rd *rd, char field,
		      struct dns_text *text)
{
	switch (field) {
	case '1':
		put_number(text, sn_rd_u8(rd));
		break;
	case '2':
		put_number(text, sn_rd_u16be(rd));
		break;
	case '4':
		put_number(text, sn_rd_u32be(rd));
		break;
	case 'a':
		put_address(text, AF_INET, rd);
		break;
	case 'x':
		put_address(text, AF_INET6, rd);
		break;
	case 'n':
		return sn_dns_take_name(whole, rd, text);
	case 's':
		put_string(text, rd);
		break;
	case 'S':
		put_strings(text, rd);
		break;
	case 'T':
		put_type(text, sn_rd_u16be(rd));
		break;
	case 'D':
		put_time(text, sn_rd_u32be(rd));
		break;
	case 'u':
		put_tag(text, rd);
		break;
	case 'v':
		put_value(text, rd);
		break;
	case 'h':
		put_hex(text, rd);
		break;
	case 'b':
		put_base64(text, rd);
		break;
	case 'B':
		put_bitmap(text, rd);
		break;
	default:
		return put_parameters(text, rd);
	}
	return sn_rd_ok(rd);
}

static bool put_layout(const struct sn_rd *whole, struct sn_rd data, const char *layout,
		       struct dns_text *text)
{
	for (const char *field = layout; *field != '\0'; field++) {
		if (field != layout)
			dns_put(text, " ", 1);
		if (!put_field(whole, &data, *field, text))
			return false;
	}
	return sn_rd_left(&data) == 0;
}

void sn_dns_put_data(const struct sn_rd *whole, struct sn_rd data, uint16_t type,
		     struct dns_text *text)
{
	const char *layout = sn_dns_type_layout(type);
	size_t begin = text->n;

	if (layout != NULL && put_layout(whole, data, layout, text)) {
		/* "1 . " has no parameters, but the blank before them. */
		if (text->n > begin && text->p[text->n - 1] == ' ')
			text->n--;
		return;
	}
	text->n = begin;
	dns_puts(text, "\\# ");
	put_number(text, (uint32_t)sn_rd_left(&data));
	if (sn_rd_left(&data) > 0)
		dns_put(text, " ", 1);
	put_hex(text, &data);
}
