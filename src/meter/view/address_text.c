/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <string.h>

#include "meter/view/view.h"

/*
 * inet_ntop(3) goes through printf; this is the most frequent text of all.  How many digits a byte
 * has is anybody's guess, so nothing branches on it: three digits and the dot are put at once,
 * without the leading zeros.  Touches three bytes behind the text at most.
 */
static char *put_v4(const uint8_t *ip, char *p)
{
	for (int i = 0; i < 4; i++) {
		unsigned value = ip[i], zeros = (value < 100) + (value < 10);
		uint32_t text =
			0x2e303030U + value / 100 + (value / 10 % 10 << 8) + (value % 10 << 16);

		text = htole32(text >> 8 * zeros);
		memcpy(p, &text, sizeof(text));
		p += 4 - zeros;
	}
	return p - 1;
}

static char *put_group(unsigned group, char *p)
{
	static const char digits[] = "0123456789abcdef";

	if (group >= 0x1000)
		*p++ = digits[group >> 12];
	if (group >= 0x100)
		*p++ = digits[group >> 8 & 15];
	if (group >= 0x10)
		*p++ = digits[group >> 4 & 15];
	*p++ = digits[group & 15];
	return p;
}

/* Where the longest row of zero groups is, the first of them; at least two (RFC 5952, 4.2). */
static unsigned zero_row(const unsigned groups[8], unsigned *length)
{
	unsigned first = 8, row = 0;

	*length = 1;
	for (unsigned i = 0; i < 8; i++) {
		row = groups[i] == 0 ? row + 1 : 0;
		if (row > *length) {
			*length = row;
			first = i + 1 - row;
		}
	}
	return first;
}

static char *put_v6(const uint8_t *ip, char *p)
{
	unsigned groups[8], length, first;

	for (unsigned i = 0; i < 8; i++)
		groups[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
	first = zero_row(groups, &length);
	for (unsigned i = 0; i < 8; i++) {
		if (i == first) {
			*p++ = ':';
			*p = ':';
			i += length - 1;
			p += i == 7;
			continue;
		}
		if (i > 0)
			*p++ = ':';
		/* Mapped and compatible ones, as inet_ntop(3) has them (RFC 5952 section 5). */
		if (i == 6 && first == 0 && (length == 6 || (length == 5 && groups[5] == 0xffff)))
			return put_v4(ip + 12, p);
		p = put_group(groups[i], p);
	}
	return p;
}

unsigned sn_view_address_text(const uint8_t ip[16], uint8_t family, char out[SN_VIEW_ADDRESS_MAX])
{
	char *end = family == 4 ? put_v4(ip, out) : put_v6(ip, out);

	*end = '\0';
	return (unsigned)(end - out);
}

char *sn_view_address_put(char *out, const struct sn_view_address *address)
{
	if (address->family == 4)
		return put_v4(address->ip, out);
	if (address->family == 6)
		return put_v6(address->ip, out);
	*out = '-';
	return out + 1;
}

struct sn_str sn_flow_address_text(uint8_t family, const uint64_t address[2], char *out)
{
	uint8_t ip[16];

	memcpy(ip, address, sizeof(ip));
	return (struct sn_str){out, sn_view_address_text(ip, family, out)};
}

struct sn_str sn_flow_side_text(const struct sn_flow *flow, unsigned side, char *out)
{
	return sn_flow_address_text(flow->key.family, sn_flow_address(flow, side), out);
}
