/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/up/surroundings.h"

#include <arpa/inet.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "net/addr.h"

#define PROC_FILE_MAX   (1024 * 1024)
#define RESOLV_CONF_MAX 65536
#define FIELDS_MAX      16

/* Fields between blanks; returns how many. */
static unsigned split_fields(struct sn_str line, struct sn_str fields[FIELDS_MAX])
{
	unsigned count = 0;

	while (count < FIELDS_MAX) {
		size_t n = 0;

		line = sn_str_trim(line);
		if (line.n == 0)
			break;
		while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
			n++;
		fields[count++] = (struct sn_str){line.p, n};
		line.p += n;
		line.n -= n;
	}
	return count;
}

/* Eight hex digits, in the kernel's byte order. */
static bool hex_u32(struct sn_str text, uint32_t *value)
{
	uint8_t bytes[4];

	if (sn_unhex(text, bytes, sizeof(bytes)) != 0)
		return false;
	*value = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
		 bytes[3];
	return true;
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT */
static bool default_route_v4(struct sn_str line, struct in_addr *gateway, uint64_t *metric)
{
	struct sn_str fields[FIELDS_MAX];
	uint32_t destination, address, mask;
	uint8_t flags[2];

	if (split_fields(line, fields) < 8 || !hex_u32(fields[1], &destination) ||
	    !hex_u32(fields[2], &address) || sn_unhex(fields[3], flags, sizeof(flags)) != 0 ||
	    sn_parse_u64(fields[6], 0, UINT32_MAX, metric) != 0 || !hex_u32(fields[7], &mask))
		return false;
	/* The number is shown as the CPU has it in memory, which is in network order. */
	gateway->s_addr = address;
	return destination == 0 && mask == 0 && address != 0 && (flags[1] & RTF_GATEWAY) != 0;
}

bool sn_gateway_v4(struct sn_str text, char out[SN_ADDRESS_TEXT_MAX])
{
	uint64_t best = UINT64_MAX, metric;
	struct in_addr gateway;
	struct sn_str line;

	while (sn_str_split(&text, '\n', &line)) {
		if (!default_route_v4(line, &gateway, &metric) || metric >= best)
			continue;
		best = metric;
		inet_ntop(AF_INET, &gateway, out, SN_ADDRESS_TEXT_MAX);
	}
	return best != UINT64_MAX;
}

/* Destination length source length gateway metric refcount use flags interface */
static bool default_route_v6(struct sn_str line, struct in6_addr *gateway, uint32_t *metric,
			     struct sn_str *interface)
{
	struct sn_str fields[FIELDS_MAX];
	struct in6_addr destination;
	uint32_t flags;

	if (split_fields(line, fields) < 10 || !sn_str_eqc(fields[1], "00") ||
	    sn_unhex(fields[0], &destination, sizeof(destination)) != 0 ||
	    sn_unhex(fields[4], gateway, sizeof(*gateway)) != 0 || !hex_u32(fields[5], metric) ||
	    !hex_u32(fields[8], &flags))
		return false;
	*interface = fields[9];
	return IN6_IS_ADDR_UNSPECIFIED(&destination) && !IN6_IS_ADDR_UNSPECIFIED(gateway) &&
	       (flags & RTF_GATEWAY) != 0;
}

bool sn_gateway_v6(struct sn_str text, char out[SN_ADDRESS_TEXT_MAX])
{
	char address[INET6_ADDRSTRLEN];
	uint32_t best = 0, metric;
	struct in6_addr gateway;
	struct sn_str line, interface;
	bool found = false;

	while (sn_str_split(&text, '\n', &line)) {
		if (!default_route_v6(line, &gateway, &metric, &interface) ||
		    (found && metric >= best))
			continue;
		found = true;
		best = metric;
		inet_ntop(AF_INET6, &gateway, address, sizeof(address));
		if (IN6_IS_ADDR_LINKLOCAL(&gateway))
			snprintf(out, SN_ADDRESS_TEXT_MAX, "%.45s%%%.*s", address,
				 (int)SN_MIN(interface.n, (size_t)15), interface.p);
		else
			snprintf(out, SN_ADDRESS_TEXT_MAX, "%s", address);
	}
	return found;
}

unsigned sn_resolvers(struct sn_str text, char out[SN_RESOLVERS_MAX][SN_ADDRESS_TEXT_MAX])
{
	struct sn_str line, fields[FIELDS_MAX];
	unsigned count = 0;

	while (count < SN_RESOLVERS_MAX && sn_str_split(&text, '\n', &line)) {
		struct sn_addr addr;

		if (split_fields(line, fields) < 2 || !sn_str_eqc(fields[0], "nameserver") ||
		    fields[1].n >= SN_ADDRESS_TEXT_MAX || sn_addr_parse(fields[1], 0, &addr) != 0)
			continue;
		snprintf(out[count++], SN_ADDRESS_TEXT_MAX, "%.*s", (int)fields[1].n, fields[1].p);
	}
	return count;
}

void sn_surroundings_read(struct sn_surroundings *surroundings)
{
	struct sn_buf text = {0};

	*surroundings = (struct sn_surroundings){0};
	if (sn_fs_read("/proc/net/route", PROC_FILE_MAX, &text, NULL) == 0)
		sn_gateway_v4(sn_buf_str(&text), surroundings->gateway);
	sn_buf_clear(&text);
	if (surroundings->gateway[0] == '\0' &&
	    sn_fs_read("/proc/net/ipv6_route", PROC_FILE_MAX, &text, NULL) == 0)
		sn_gateway_v6(sn_buf_str(&text), surroundings->gateway);
	sn_buf_clear(&text);
	if (sn_fs_read("/etc/resolv.conf", RESOLV_CONF_MAX, &text, NULL) == 0)
		surroundings->resolver_count =
			sn_resolvers(sn_buf_str(&text), surroundings->resolvers);
	sn_buf_finish(&text);
}
