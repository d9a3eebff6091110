/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram at the resolver, and the same bytes as an answer at the client. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "demo/host/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sn_dns_record records[] = {
		{"a.sonde.example", 2, {192, 0, 2, 1}},
		{"a.sonde.example", 10, {0x20, 0x01, 0x0d, 0xb8}},
	};
	static const struct sn_dns_zone zone = {"sonde.example", records, 2};
	struct sn_buf out = {0};
	uint8_t address[16];
	uint16_t id = size >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : 0;

	if (sn_dns_answer(&zone, data, size, &out) == 0) {
		assert(out.n >= 12 && out.n <= size + SN_DNS_MESSAGE_MAX);
		assert(memcmp(out.p, data, 2) == 0 && (out.p[2] & 0x80) != 0);
	} else {
		assert(out.n == 0);
	}
	sn_buf_finish(&out);
	sn_dns_reply_parse(data, size, id, SN_DNS_A, address);
	sn_dns_reply_parse(data, size, id, SN_DNS_AAAA, address);
	return 0;
}
