/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>

size_t sn_utf8_length(const char *text, size_t left)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte: RFC 3629, section 4 */

	if (length == 0 || p[0] > 0xf4 || length > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (p[i] < low || p[i] > high)
			return 0;
	return length;
}

bool sn_utf8_valid(struct sn_str text)
{
	for (size_t i = 0; i < text.n;) {
		size_t length = sn_utf8_length(text.p + i, text.n - i);

		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

size_t sn_utf8_cut(struct sn_str text, size_t max)
{
	size_t n = max;

	if (text.n <= max)
		return text.n;
	/* At most three steps back in valid UTF-8; other bytes are cut where the limit is. */
	while (n > 0 && max - n < 3 && ((uint8_t)text.p[n] & 0xc0) == 0x80)
		n--;
	return ((uint8_t)text.p[n] & 0xc0) == 0x80 ? max : n;
}
