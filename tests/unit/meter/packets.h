/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hand-made packets for the tests of the meter: headers are put one after another
 * into a frame, lengths are given or filled in by frame_seal().
 */
#ifndef SONDE_TESTS_METER_PACKETS_H
#define SONDE_TESTS_METER_PACKETS_H

#include <arpa/inet.h>
#include <pcap/dlt.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"
#include "meter/decode/decode.h"

struct frame {
	uint8_t bytes[4096];
	size_t n;
	size_t ip;           /* where the IP header is */
	uint32_t wire_extra; /* bytes on the wire that were not captured */
	int64_t time_ns;
};

static inline void put(struct frame *f, const void *data, size_t size)
{
	memcpy(f->bytes + f->n, data, size);
	f->n += size;
}

static inline void put8(struct frame *f, unsigned value)
{
	f->bytes[f->n++] = (uint8_t)value;
}

static inline void put16(struct frame *f, unsigned value)
{
	put8(f, value >> 8);
	put8(f, value);
}

static inline void put32(struct frame *f, uint32_t value)
{
	put16(f, value >> 16);
	put16(f, value & 0xffff);
}

static inline void put_zeros(struct frame *f, size_t count)
{
	memset(f->bytes + f->n, 0, count);
	f->n += count;
}

static inline void put_ethernet(struct frame *f, uint16_t type)
{
	put(f, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	put16(f, type);
}

static inline void put_vlan(struct frame *f, uint16_t id, uint16_t type)
{
	put16(f, id);
	put16(f, type);
}

static inline void put_address(struct frame *f, int family, const char *text)
{
	uint8_t address[16];

	inet_pton(family, text, address);
	put(f, address, family == AF_INET ? 4 : 16);
}

/* Total length is that of what follows until frame_seal(). */
static inline void put_ipv4(struct frame *f, const char *src, const char *dst, uint8_t protocol,
			    uint16_t id, uint16_t fragment_field)
{
	f->ip = f->n;
	put8(f, 0x45);
	put8(f, 0);
	put16(f, 0);
	put16(f, id);
	put16(f, fragment_field);
	put8(f, 64);
	put8(f, protocol);
	put16(f, 0);
	put_address(f, AF_INET, src);
	put_address(f, AF_INET, dst);
}

static inline void put_ipv6(struct frame *f, const char *src, const char *dst, uint8_t next)
{
	f->ip = f->n;
	put32(f, 0x60000000);
	put16(f, 0);
	put8(f, next);
	put8(f, 64);
	put_address(f, AF_INET6, src);
	put_address(f, AF_INET6, dst);
}

static inline void put_ipv6_fragment(struct frame *f, uint8_t next, uint16_t field, uint32_t id)
{
	put8(f, next);
	put8(f, 0);
	put16(f, field);
	put32(f, id);
}

static inline void put_udp(struct frame *f, uint16_t sport, uint16_t dport, uint16_t payload)
{
	put16(f, sport);
	put16(f, dport);
	put16(f, 8U + payload);
	put16(f, 0);
	put_zeros(f, payload);
}

static inline void put_icmp(struct frame *f, uint8_t type, uint8_t code, uint16_t id,
			    uint16_t payload)
{
	put8(f, type);
	put8(f, code);
	put16(f, 0);
	put16(f, id);
	put16(f, 1);
	put_zeros(f, payload);
}

struct segment {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t payload;
	bool timestamps;
	uint32_t tsval, tsecr;
};

static inline void put_tcp(struct frame *f, const struct segment *segment)
{
	put16(f, segment->sport);
	put16(f, segment->dport);
	put32(f, segment->seq);
	put32(f, segment->ack);
	put8(f, segment->timestamps ? 8 << 4 : 5 << 4);
	put8(f, segment->flags);
	put16(f, 65535);
	put32(f, 0);
	if (segment->timestamps) {
		put32(f, 0x0101080a);
		put32(f, segment->tsval);
		put32(f, segment->tsecr);
	}
	put_zeros(f, segment->payload);
}

/* Fills the length field of the IP header in. */
static inline void frame_seal(struct frame *f)
{
	size_t length = f->n - f->ip;
	size_t at = f->ip + 2;

	if (f->bytes[f->ip] >> 4 == 6) {
		length -= 40;
		at = f->ip + 4;
	}
	f->bytes[at] = (uint8_t)(length >> 8);
	f->bytes[at + 1] = (uint8_t)length;
}

static inline struct sn_packet frame_packet(const struct frame *f)
{
	return (struct sn_packet){
		.time_ns = f->time_ns,
		.data = f->bytes,
		.captured = (uint32_t)f->n,
		.length = (uint32_t)f->n + f->wire_extra,
	};
}

/* Whole frames in one call; IPv6 if the address has a colon. */
static inline void put_ip(struct frame *f, const char *src, const char *dst, uint8_t protocol)
{
	bool v6 = strchr(src, ':') != NULL;

	put_ethernet(f, v6 ? 0x86dd : 0x0800);
	if (v6)
		put_ipv6(f, src, dst, protocol);
	else
		put_ipv4(f, src, dst, protocol, 0, 0);
}

static inline struct frame udp_frame(const char *src, uint16_t sport, const char *dst,
				     uint16_t dport, uint16_t payload)
{
	struct frame f = {.n = 0};

	put_ip(&f, src, dst, SN_PROTO_UDP);
	put_udp(&f, sport, dport, payload);
	frame_seal(&f);
	return f;
}

static inline struct frame tcp_frame(const char *src, const char *dst,
				     const struct segment *segment)
{
	struct frame f = {.n = 0};

	put_ip(&f, src, dst, SN_PROTO_TCP);
	put_tcp(&f, segment);
	frame_seal(&f);
	return f;
}

/* A segment of the connection from 192.0.2.1, port 1000, to `port` of 192.0.2.2. */
static inline struct frame exchange_frame(bool from_client, uint16_t port, uint8_t flags,
					  uint32_t seq, uint32_t ack, uint16_t payload)
{
	struct segment segment = {.sport = from_client ? 1000 : port,
				  .dport = from_client ? port : 1000,
				  .seq = seq,
				  .ack = ack,
				  .flags = flags,
				  .payload = payload};

	return from_client ? tcp_frame("192.0.2.1", "192.0.2.2", &segment)
			   : tcp_frame("192.0.2.2", "192.0.2.1", &segment);
}

static inline struct frame icmp_frame(const char *src, const char *dst, uint8_t type, uint8_t code,
				      uint16_t id, uint16_t payload)
{
	struct frame f = {.n = 0};

	put_ip(&f, src, dst, strchr(src, ':') != NULL ? SN_PROTO_ICMP6 : SN_PROTO_ICMP);
	put_icmp(&f, type, code, id, payload);
	frame_seal(&f);
	return f;
}

#endif
