/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/decode/decode.h"

#include "meter/decode/internal.h"

const struct sn_skip_info sn_skip_info[SN_SKIP_COUNT] = {
	[SN_SKIP_NONE] = {"none", "metered"},
	[SN_SKIP_NOT_IP] = {"not_ip", "not IP (ARP, LLDP, ...)"},
	[SN_SKIP_PROTOCOL] = {"protocol", "IP protocol other than TCP, UDP, ICMP"},
	[SN_SKIP_TRUNCATED] = {"truncated", "cut off before the ports by the snap length"},
	[SN_SKIP_BAD_LINK] = {"bad_link", "link header malformed or with too many tags"},
	[SN_SKIP_BAD_IP] = {"bad_ip", "IP header malformed"},
	[SN_SKIP_BAD_TRANSPORT] = {"bad_transport", "TCP or UDP header malformed"},
	[SN_SKIP_EXTENSIONS] = {"extensions", "too many IPv6 extension headers"},
	[SN_SKIP_FRAGMENT] = {"fragment", "later fragment without its first"},
};

enum sn_skip sn_decode(int link, const struct sn_packet *packet, struct sn_decoded *out)
{
	struct sn_rd rd;
	uint16_t ethertype = 0;
	uint32_t missing = packet->length - packet->captured;
	enum sn_skip skip;

	*out = (struct sn_decoded){0};
	sn_rd_init(&rd, packet->data, packet->captured);
	skip = sn_decode_link(link, &rd, &ethertype);
	if (skip != SN_SKIP_NONE)
		return skip == SN_SKIP_BAD_LINK && !sn_rd_ok(&rd) && missing > 0 ? SN_SKIP_TRUNCATED
										 : skip;

	if (ethertype == SN_ETHERTYPE_IPV4)
		return sn_decode_ipv4(&rd, missing, out);
	if (ethertype == SN_ETHERTYPE_IPV6)
		return sn_decode_ipv6(&rd, missing, out);
	return SN_SKIP_NOT_IP;
}
