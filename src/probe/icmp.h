/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp: echo requests as bytes, echo replies and quoted requests from bytes.
 *
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) share the eight bytes of the echo header:
 * type, code, checksum, identifier, sequence number.  A payload of 16 bytes or
 * more begins with a token that says which request it was and proves that this
 * process sent it; smaller payloads carry none and are matched by address.
 *
 * Pure: no sockets, no clocks.  Everything received is read through sn_rd.
 */
#ifndef SONDE_PROBE_ICMP_H
#define SONDE_PROBE_ICMP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SN_ICMP_HEADER_SIZE 8
#define SN_ICMP_TOKEN_SIZE  16
#define SN_ICMP_PAYLOAD_MAX 65000

struct sn_icmp_token {
	uint32_t target; /* index in the list of targets */
	uint32_t number; /* of the request, counted per target over all runs */
	uint64_t proof;  /* keyed hash of the two */
};

/*
 * One request per family is built once and stamped again for each probe; only the
 * changed words are added to the checksum of the constant part.
 */
struct sn_icmp_request {
	int family; /* AF_INET or AF_INET6 */
	uint8_t *bytes;
	size_t size;
	uint32_t constant_sum;
};

void sn_icmp_request_init(struct sn_icmp_request *request, int family, size_t payload_size);
void sn_icmp_request_finish(struct sn_icmp_request *request); /* harmless on zeroed */
/* The kernel overwrites id and checksum of ping sockets and the checksum of ICMPv6. */
void sn_icmp_request_stamp(struct sn_icmp_request *request, uint16_t id, uint16_t seq,
			   const struct sn_icmp_token *token);
bool sn_icmp_has_token(size_t payload_size);

struct sn_icmp_reply {
	uint16_t id, seq;
	size_t payload_size;
	bool has_token;
	struct sn_icmp_token token;
	bool has_ip_header; /* ttl and local are known only then */
	uint8_t ttl;
	struct in_addr local; /* destination of the reply */
};

/*
 * `data` is what a socket gave: an IPv4 header first on raw IPv4 sockets
 * (`ip_header`), the ICMP header on all others.  The checksum is verified where the
 * kernel has not done so (raw IPv4).  0, -ENOMSG for something that is no echo reply,
 * -EBADMSG for a short, malformed or damaged packet.
 */
int sn_icmp_parse_reply(int family, bool ip_header, const void *data, size_t size,
			struct sn_icmp_reply *reply);

/* The echo request that an ICMP error quotes, ICMP header first: 0, -ENOMSG, -EBADMSG. */
int sn_icmp_parse_quote(int family, const void *data, size_t size, uint16_t *id, uint16_t *seq);

/* "destination host unreachable", "time to live exceeded", ...; never NULL. */
const char *sn_icmp_error_text(int family, uint8_t type, uint8_t code);

/* Internet checksum (RFC 1071) over `size` bytes that begin at an even offset. */
uint16_t sn_icmp_checksum(const void *data, size_t size);

#endif
