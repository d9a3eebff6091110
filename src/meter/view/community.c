/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/view/community.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <string.h>

#include "base/util.h"
#include "meter/decode/decode.h"

/* Types of ICMP that stand for two ports, since one answers the other. */
static const struct pair {
	uint8_t protocol, request, reply;
} pairs[] = {
	{SN_PROTO_ICMP, 8, 0},      /* echo */
	{SN_PROTO_ICMP, 13, 14},    /* timestamp */
	{SN_PROTO_ICMP, 15, 16},    /* information */
	{SN_PROTO_ICMP, 10, 9},     /* router solicitation */
	{SN_PROTO_ICMP, 17, 18},    /* address mask */
	{SN_PROTO_ICMP6, 128, 129}, /* echo */
	{SN_PROTO_ICMP6, 133, 134}, /* router solicitation */
	{SN_PROTO_ICMP6, 135, 136}, /* neighbour solicitation */
	{SN_PROTO_ICMP6, 130, 131}, /* multicast listener query */
	{SN_PROTO_ICMP6, 144, 145}, /* home agent discovery */
	{SN_PROTO_ICMP6, 139, 140}, /* node information, who are you */
};

struct end {
	const uint8_t *ip;
	uint16_t port;
};

/* What stands for the ports; false: there is only one direction. */
static bool icmp_ports(uint8_t protocol, uint16_t type_and_code, uint16_t *from, uint16_t *to)
{
	uint8_t type = (uint8_t)(type_and_code >> 8);

	*from = type;
	*to = type_and_code & 0xff;
	for (size_t i = 0; i < SN_COUNT(pairs); i++) {
		if (pairs[i].protocol != protocol)
			continue;
		if (pairs[i].request == type)
			*to = pairs[i].reply;
		else if (pairs[i].reply == type)
			*to = pairs[i].request;
		else
			continue;
		return true;
	}
	return false;
}

static bool is_before(const struct end *a, const struct end *b, size_t size)
{
	int order = memcmp(a->ip, b->ip, size);

	return order < 0 || (order == 0 && a->port < b->port);
}

static size_t put16(uint8_t *out, size_t n, uint16_t value)
{
	out[n] = (uint8_t)(value >> 8);
	out[n + 1] = (uint8_t)value;
	return n + 2;
}

static size_t put_message(const struct end *first, const struct end *second, uint8_t protocol,
			  size_t size, uint8_t *out)
{
	size_t n = put16(out, 0, 0); /* the seed */

	memcpy(out + n, first->ip, size);
	memcpy(out + n + size, second->ip, size);
	n += 2 * size;
	out[n++] = protocol;
	out[n++] = 0;
	n = put16(out, n, first->port);
	return put16(out, n, second->port);
}

void sn_community_id(const struct sn_view_address *client, uint16_t client_port,
		     const struct sn_view_address *server, uint16_t server_port, uint8_t protocol,
		     char out[SN_VIEW_COMMUNITY_MAX])
{
	struct end a = {client->ip, client_port}, b = {server->ip, server_port};
	size_t size = client->family == 6 ? 16 : 4, n;
	uint8_t message[40], digest[SHA1_DIGEST_SIZE];
	bool both_ways = true;
	struct sha1_ctx sha;

	out[0] = '\0';
	if (client->family == 0 || client->family != server->family)
		return;
	if (protocol == SN_PROTO_ICMP || protocol == SN_PROTO_ICMP6)
		both_ways = icmp_ports(protocol, server_port, &a.port, &b.port);
	if (both_ways && is_before(&b, &a, size))
		n = put_message(&b, &a, protocol, size, message);
	else
		n = put_message(&a, &b, protocol, size, message);
	sha1_init(&sha);
	sha1_update(&sha, n, message);
	sha1_digest(&sha, sizeof(digest), digest);
	out[0] = '1';
	out[1] = ':';
	base64_encode_raw(out + 2, sizeof(digest), digest);
	out[2 + BASE64_ENCODE_RAW_LENGTH(sizeof(digest))] = '\0';
}
