/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_client.h"

#include <string.h>

/* RFC 3986, section 2.3: what never needs encoding. */
static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c) != NULL);
}

void sn_url_encode(struct sn_buf *out, struct sn_str text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_unreserved(c)) {
			sn_buf_addc(out, (char)c);
			continue;
		}
		sn_buf_addc(out, '%');
		sn_buf_addc(out, digits[c >> 4]);
		sn_buf_addc(out, digits[c & 15]);
	}
}
