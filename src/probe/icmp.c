/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/icmp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define CHECKSUM_AT 2
#define ID_AT       4
#define IPV4_MIN    20
#define IPV4_TTL_AT 8
#define IPV4_DST_AT 16

static uint8_t request_type(int family)
{
	return family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
}

static uint8_t reply_type(int family)
{
	return family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
}

/* Sum of the 16-bit words in memory order; byte order does not matter to it (RFC 1071 2B). */
static uint64_t sum_words(const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t sum = 0;
	uint32_t four;
	uint8_t tail[4] = {0};

	for (; size >= sizeof(four); p += sizeof(four), size -= sizeof(four)) {
		memcpy(&four, p, sizeof(four));
		sum += four;
	}
	memcpy(tail, p, size);
	memcpy(&four, tail, sizeof(four));
	return sum + four;
}

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t sn_icmp_checksum(const void *data, size_t size)
{
	return (uint16_t)~fold(sum_words(data, size));
}

bool sn_icmp_has_token(size_t payload_size)
{
	return payload_size >= SN_ICMP_TOKEN_SIZE;
}

/* Bytes that change from request to request: id and seq, and the token behind them. */
static size_t stamped_size(const struct sn_icmp_request *request)
{
	return sn_icmp_has_token(request->size - SN_ICMP_HEADER_SIZE) ? 4 + SN_ICMP_TOKEN_SIZE : 4;
}

void sn_icmp_request_init(struct sn_icmp_request *request, int family, size_t payload_size)
{
	assert(payload_size <= SN_ICMP_PAYLOAD_MAX);

	*request = (struct sn_icmp_request){
		.family = family,
		.bytes = sn_xcalloc(1, SN_ICMP_HEADER_SIZE + payload_size),
		.size = SN_ICMP_HEADER_SIZE + payload_size,
	};
	request->bytes[0] = request_type(family);
	for (size_t i = 0; i < payload_size; i++)
		request->bytes[SN_ICMP_HEADER_SIZE + i] = (uint8_t)i;
	memset(request->bytes + ID_AT, 0, stamped_size(request));
	request->constant_sum = fold(sum_words(request->bytes, request->size));
}

void sn_icmp_request_finish(struct sn_icmp_request *request)
{
	free(request->bytes);
	*request = (struct sn_icmp_request){0};
}

static uint8_t *put_u16(uint8_t *out, uint16_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return out + 2;
}

static uint8_t *put_u32(uint8_t *out, uint32_t value)
{
	return put_u16(put_u16(out, (uint16_t)(value >> 16)), (uint16_t)value);
}

static uint8_t *put_u64(uint8_t *out, uint64_t value)
{
	return put_u32(put_u32(out, (uint32_t)(value >> 32)), (uint32_t)value);
}

void sn_icmp_request_stamp(struct sn_icmp_request *request, uint16_t id, uint16_t seq,
			   const struct sn_icmp_token *token)
{
	uint8_t *out = put_u16(put_u16(request->bytes + ID_AT, id), seq);
	uint16_t checksum;

	if (stamped_size(request) > 4) {
		out = put_u32(out, token->target);
		out = put_u32(out, token->number);
		put_u64(out, token->proof);
	}
	checksum = (uint16_t)~fold(request->constant_sum +
				   sum_words(request->bytes + ID_AT, stamped_size(request)));
	memcpy(request->bytes + CHECKSUM_AT, &checksum, sizeof(checksum));
}

/* Reading ------------------------------------------------------------------------------- */

/* Leaves the reader at the ICMP header (RFC 791 3.1). */
static int skip_ip_header(struct sn_rd *rd, struct sn_icmp_reply *reply)
{
	const uint8_t *ip = sn_rd_bytes(rd, IPV4_MIN);
	size_t header;

	if (ip == NULL || ip[0] >> 4 != 4)
		return -EBADMSG;
	header = (size_t)(ip[0] & 15) * 4;
	if (header < IPV4_MIN)
		return -EBADMSG;
	sn_rd_skip(rd, header - IPV4_MIN);
	if (!sn_rd_ok(rd))
		return -EBADMSG;
	reply->has_ip_header = true;
	reply->ttl = ip[IPV4_TTL_AT];
	memcpy(&reply->local, ip + IPV4_DST_AT, sizeof(reply->local));
	return 0;
}

static void read_token(struct sn_rd *rd, struct sn_icmp_reply *reply)
{
	reply->has_token = sn_icmp_has_token(reply->payload_size);
	if (!reply->has_token)
		return;
	reply->token.target = sn_rd_u32be(rd);
	reply->token.number = sn_rd_u32be(rd);
	reply->token.proof = sn_rd_u64be(rd);
}

static int read_echo_header(struct sn_rd *rd, uint8_t wanted_type, uint16_t *id, uint16_t *seq)
{
	uint8_t type = sn_rd_u8(rd), code = sn_rd_u8(rd);

	sn_rd_skip(rd, 2);
	*id = sn_rd_u16be(rd);
	*seq = sn_rd_u16be(rd);
	if (!sn_rd_ok(rd))
		return -EBADMSG;
	return type == wanted_type && code == 0 ? 0 : -ENOMSG;
}

int sn_icmp_parse_reply(int family, bool ip_header, const void *data, size_t size,
			struct sn_icmp_reply *reply)
{
	struct sn_rd rd;
	const uint8_t *icmp;
	size_t icmp_size;
	int rc;

	*reply = (struct sn_icmp_reply){0};
	sn_rd_init(&rd, data, size);
	rc = ip_header ? skip_ip_header(&rd, reply) : 0;
	if (rc != 0)
		return rc;
	icmp = rd.p;
	icmp_size = sn_rd_left(&rd);
	rc = read_echo_header(&rd, reply_type(family), &reply->id, &reply->seq);
	if (rc != 0)
		return rc;
	if (ip_header && sn_icmp_checksum(icmp, icmp_size) != 0)
		return -EBADMSG;
	reply->payload_size = sn_rd_left(&rd);
	read_token(&rd, reply);
	return 0;
}

int sn_icmp_parse_quote(int family, const void *data, size_t size, uint16_t *id, uint16_t *seq)
{
	struct sn_rd rd;

	sn_rd_init(&rd, data, size);
	return read_echo_header(&rd, request_type(family), id, seq);
}

/* Names of errors ------------------------------------------------------------------------- */

#define ANY_CODE 255

struct error_name {
	uint8_t type, code;
	const char *text;
};

static const struct error_name v4_errors[] = {
	{ICMP_DEST_UNREACH, ICMP_NET_UNREACH, "destination network unreachable"},
	{ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, "destination host unreachable"},
	{ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, "destination protocol unreachable"},
	{ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, "destination port unreachable"},
	{ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, "packet too big for the path"},
	{ICMP_DEST_UNREACH, ICMP_SR_FAILED, "source route failed"},
	{ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN, "destination network unknown"},
	{ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN, "destination host unknown"},
	{ICMP_DEST_UNREACH, ICMP_HOST_ISOLATED, "source host isolated"},
	{ICMP_DEST_UNREACH, ICMP_NET_ANO, "destination network prohibited"},
	{ICMP_DEST_UNREACH, ICMP_HOST_ANO, "destination host prohibited"},
	{ICMP_DEST_UNREACH, ICMP_NET_UNR_TOS, "network unreachable for the type of service"},
	{ICMP_DEST_UNREACH, ICMP_HOST_UNR_TOS, "host unreachable for the type of service"},
	{ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, "prohibited by a filter"},
	{ICMP_DEST_UNREACH, ICMP_PREC_VIOLATION, "host precedence violation"},
	{ICMP_DEST_UNREACH, ICMP_PREC_CUTOFF, "precedence cutoff"},
	{ICMP_DEST_UNREACH, ANY_CODE, "destination unreachable"},
	{ICMP_SOURCE_QUENCH, ANY_CODE, "source quench"},
	{ICMP_REDIRECT, ANY_CODE, "redirected"},
	{ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, "time to live exceeded"},
	{ICMP_TIME_EXCEEDED, ANY_CODE, "fragment reassembly time exceeded"},
	{ICMP_PARAMETERPROB, ANY_CODE, "parameter problem"},
};

static const struct error_name v6_errors[] = {
	{ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE, "no route to destination"},
	{ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, "prohibited by a filter"},
	{ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_BEYONDSCOPE, "beyond scope of source address"},
	{ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, "destination address unreachable"},
	{ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, "destination port unreachable"},
	{ICMP6_DST_UNREACH, 5, "source address failed ingress policy"},
	{ICMP6_DST_UNREACH, 6, "route to destination rejected"},
	{ICMP6_DST_UNREACH, ANY_CODE, "destination unreachable"},
	{ICMP6_PACKET_TOO_BIG, ANY_CODE, "packet too big for the path"},
	{ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT, "hop limit exceeded"},
	{ICMP6_TIME_EXCEEDED, ANY_CODE, "fragment reassembly time exceeded"},
	{ICMP6_PARAM_PROB, ANY_CODE, "parameter problem"},
};

static const char *find_name(const struct error_name *names, size_t count, uint8_t type,
			     uint8_t code)
{
	for (size_t i = 0; i < count; i++) {
		if (names[i].type == type && (names[i].code == code || names[i].code == ANY_CODE))
			return names[i].text;
	}
	return "unknown ICMP error";
}

const char *sn_icmp_error_text(int family, uint8_t type, uint8_t code)
{
	return family == AF_INET6 ? find_name(v6_errors, SN_COUNT(v6_errors), type, code)
				  : find_name(v4_errors, SN_COUNT(v4_errors), type, code);
}
