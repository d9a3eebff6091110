/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/ipfix/shape.h"

/* A shape is a number in a mixed base: these are the bases of its digits. */
enum { FAMILIES = 3, INTERNALS = 2, ORIGINS = 2, FROMS = 2 };
_Static_assert(FAMILIES *FAMILIES *SN_IPFIX_KINDS *INTERNALS *INTERNALS *ORIGINS *FROMS ==
		       SN_IPFIX_SHAPES,
	       "every shape has a number");

static unsigned family_digit(uint8_t family)
{
	return family == 4 ? 1 : family == 6 ? 2 : 0;
}

static enum sn_ipfix_kind kind_of(uint8_t protocol)
{
	switch (protocol) {
	case SN_PROTO_TCP:
		return SN_IPFIX_TCP;
	case SN_PROTO_UDP:
		return SN_IPFIX_UDP;
	case SN_PROTO_ICMP6:
		return SN_IPFIX_ICMP6;
	default:
		return SN_IPFIX_ICMP;
	}
}

static bool has_origin(const struct sn_view_address *address)
{
	return address->asn != 0 || address->country[0] != '\0';
}

static void add_digit(unsigned *number, unsigned base, unsigned digit)
{
	*number = *number * base + digit;
}

uint16_t sn_ipfix_shape_of(const struct sn_view_flow *view, unsigned from)
{
	unsigned number = family_digit(view->client.family);

	add_digit(&number, FAMILIES, family_digit(view->server.family));
	add_digit(&number, SN_IPFIX_KINDS, kind_of(view->flow->key.protocol));
	add_digit(&number, INTERNALS, view->client.internal);
	add_digit(&number, INTERNALS, view->server.internal);
	add_digit(&number, ORIGINS, has_origin(&view->client) || has_origin(&view->server));
	add_digit(&number, FROMS, from == SN_SERVER);
	return (uint16_t)number;
}

static unsigned take_digit(unsigned *number, unsigned base)
{
	unsigned digit = *number % base;

	*number /= base;
	return digit;
}

/* Digits come off in the opposite order. */
void sn_ipfix_shape_read(uint16_t number, struct sn_ipfix_shape *shape)
{
	static const uint8_t families[FAMILIES] = {0, 4, 6};
	unsigned rest = number;

	shape->from = take_digit(&rest, FROMS) != 0 ? SN_SERVER : SN_CLIENT;
	shape->origins = take_digit(&rest, ORIGINS) != 0;
	shape->internal[SN_SERVER] = take_digit(&rest, INTERNALS) != 0;
	shape->internal[SN_CLIENT] = take_digit(&rest, INTERNALS) != 0;
	shape->kind = (enum sn_ipfix_kind)take_digit(&rest, SN_IPFIX_KINDS);
	shape->family[SN_SERVER] = families[take_digit(&rest, FAMILIES)];
	shape->family[SN_CLIENT] = families[take_digit(&rest, FAMILIES)];
}
