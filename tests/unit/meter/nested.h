/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames with packets in packets, made from the outside to the inside; lengths are filled in when
 * all of it is there.
 */
#ifndef SONDE_TESTS_METER_NESTED_H
#define SONDE_TESTS_METER_NESTED_H

#include <stdlib.h>

#include "packets.h"

#define LEVELS 12

static struct frame f;
static struct {
	size_t at;
	enum { LEVEL_IPV4, LEVEL_IPV6, LEVEL_UDP, LEVEL_GTP } kind;
} levels[LEVELS];
static size_t level_count;
static struct sn_decoded decoded;

static inline int start(void **state SN_UNUSED)
{
	f = (struct frame){.n = 0};
	level_count = 0;
	return 0;
}

static inline void begin(int kind)
{
	assert_true(level_count < LEVELS);
	levels[level_count].at = f.n;
	levels[level_count++].kind = kind;
}

static inline void outer_ethernet(uint16_t type)
{
	put_ethernet(&f, type);
}

static inline void add_ipv4(const char *src, const char *dst, uint8_t protocol)
{
	begin(LEVEL_IPV4);
	put_ipv4(&f, src, dst, protocol, 0x4242, 0);
}

static inline void add_ipv6(const char *src, const char *dst, uint8_t next)
{
	begin(LEVEL_IPV6);
	put_ipv6(&f, src, dst, next);
}

static inline void add_udp(uint16_t sport, uint16_t dport)
{
	begin(LEVEL_UDP);
	put_udp(&f, sport, dport, 0);
}

/* The outside of most: 198.51.100.1 and 2 are the ends of the tunnel. */
static inline void add_outer(uint8_t protocol)
{
	outer_ethernet(0x0800);
	add_ipv4("198.51.100.1", "198.51.100.2", protocol);
}

static inline void add_outer_udp(uint16_t dport)
{
	add_outer(SN_PROTO_UDP);
	add_udp(50000, dport);
}

/* The inside of most: 40 bytes of payload. */
static inline void add_inner(void)
{
	add_ipv4("192.0.2.1", "192.0.2.2", SN_PROTO_UDP);
	add_udp(1000, 2000);
	for (int i = 0; i < 40; i++)
		put8(&f, (unsigned)i);
}

static inline void set16(size_t at, size_t value)
{
	f.bytes[at] = (uint8_t)(value >> 8);
	f.bytes[at + 1] = (uint8_t)value;
}

static inline void close_levels(void)
{
	for (size_t i = 0; i < level_count; i++) {
		size_t at = levels[i].at, length = f.n - at;

		switch (levels[i].kind) {
		case LEVEL_IPV4:
			set16(at + 2, length);
			break;
		case LEVEL_IPV6:
			set16(at + 4, length - 40);
			break;
		case LEVEL_UDP:
			set16(at + 4, length);
			break;
		case LEVEL_GTP:
			set16(at + 2, length - 8);
			break;
		}
	}
	level_count = 0;
}

/* The bytes end where a sanitizer sees a read behind them. */
static inline enum sn_skip decode_link(int link, unsigned tunnels_max)
{
	struct sn_packet packet;
	uint8_t *exact;
	enum sn_skip skip;

	close_levels();
	packet = frame_packet(&f);
	exact = malloc(f.n > 0 ? f.n : 1);
	memcpy(exact, f.bytes, f.n);
	packet.data = exact;
	packet.link = (uint16_t)link;
	skip = sn_decode(link, tunnels_max, &packet, &decoded);
	if (decoded.payload.p != NULL)
		decoded.payload = (struct sn_rd){.p = f.bytes + (decoded.payload.p - exact),
						 .end = f.bytes + (decoded.payload.end - exact)};
	free(exact);
	return skip;
}

static inline enum sn_skip decode(void)
{
	return decode_link(DLT_EN10MB, SN_DECODE_TUNNELS_MAX);
}

static inline void expect_address(const uint64_t address[2], int family, const char *text)
{
	uint8_t wanted[16] = {0};

	inet_pton(family, text, wanted);
	assert_memory_equal(address, wanted, sizeof(wanted));
}

static inline void expect_inner(unsigned tunnels)
{
	assert_int_equal(decode(), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "192.0.2.1");
	expect_address(decoded.dst, AF_INET, "192.0.2.2");
	assert_int_equal(decoded.src_port, 1000);
	assert_int_equal(decoded.dst_port, 2000);
	assert_int_equal(decoded.ip_bytes, 68);
	assert_int_equal(decoded.payload_bytes, 40);
	assert_int_equal(decoded.udp_length, 48);
	assert_int_equal(sn_rd_left(&decoded.payload), 40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(decoded.payload.p[i], i);
	assert_int_equal(decoded.tunnels, tunnels);
	assert_non_null(decoded.stations);
	assert_true(decoded.has_ip_id && decoded.ip_id == 0x4242 && decoded.ttl == 64);
}

static inline void add_vxlan(uint8_t flags)
{
	add_outer_udp(4789);
	put8(&f, flags);
	put_zeros(&f, 3);
	put32(&f, 0x00abcd00);
	outer_ethernet(0x0800);
	add_inner();
}

#endif
