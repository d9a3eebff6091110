/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams of one UDP flow through everything that looks at their payload.
 *
 * Input: one byte (lowest bit: port 53; next: somebody watches; next: IPv6), then
 * per datagram one byte (side in the lowest bit), one of bytes that were not
 * captured, two of milliseconds since the one before, two of length, all
 * little-endian, and the bytes.
 */
#include <stdlib.h>

#include "meter/app/app_internal.h"
#include "meter/app/dns.h"
#include "meter/app/names.h"
#include "meter/app/rtp.h"
#include "meter/app/udp.h"

static void hear_dns(const struct sn_dns_event *event, const struct sn_flow *flow,
		     void *ctx SN_UNUSED)
{
	if (event->tcp || event->side > 1 || flow == NULL)
		abort();
}

static bool take_datagram(struct sn_rd *rd, struct sn_decoded *packet, unsigned *side,
			  int64_t *now_ns)
{
	uint8_t kind = sn_rd_u8(rd), missing = sn_rd_u8(rd);
	uint16_t gap_ms = sn_rd_u16le(rd);
	size_t length = sn_rd_u16le(rd);
	const uint8_t *bytes = sn_rd_bytes(rd, length);

	if (bytes == NULL)
		return false;
	*side = kind & 1;
	*now_ns += gap_ms * SN_NS_PER_MS;
	*packet = (struct sn_decoded){
		.protocol = SN_PROTO_UDP,
		.has_transport = true,
		.ttl = kind,
		.payload_bytes = (uint32_t)length + missing,
		.udp_length = (uint32_t)length + missing + 8,
	};
	sn_rd_init(&packet->payload, bytes, length);
	return true;
}

static void check(const struct sn_udp_flow *flow)
{
	const struct sn_rtp_streams *streams = flow->app != NULL ? flow->app->rtp : NULL;
	unsigned count = 0;

	if (flow->type[0] >= SN_UDP_TYPES || flow->type[1] >= SN_UDP_TYPES)
		abort();
	sn_app_udp_word(flow);
	if (streams == NULL)
		return;
	for (const struct sn_rtp_stream *s = streams->first; s != NULL; s = s->next)
		count++;
	if (count != streams->count || count > SN_RTP_STREAMS_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sn_app_watch watch = {.dns = hear_dns};
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_dns_cache *cache = sn_dns_cache_create(names, 64);
	struct sn_apps_options options = {.names = names, .dns_cache = cache};
	struct sn_apps *apps = sn_apps_create(&options);
	struct sn_udp_flow flow = {.flow.key = {.protocol = SN_PROTO_UDP}};
	size_t before = sn_name_pool_memory(names);
	struct sn_decoded packet;
	int64_t now_ns = 1;
	struct sn_rd rd;
	unsigned side;

	sn_rd_init(&rd, data, size);
	uint8_t kind = sn_rd_u8(&rd);

	flow.flow.key.family = (kind & 4) != 0 ? 6 : 4;
	flow.flow.key.high_port = (kind & 1) != 0 ? 53 : 443;
	if ((kind & 2) != 0)
		sn_apps_set_watch(apps, &watch);
	while (sn_rd_left(&rd) > 0 && take_datagram(&rd, &packet, &side, &now_ns)) {
		flow.flow.side[side].packets++;
		flow.side[side].last_ns = now_ns;
		sn_app_udp(apps, &flow, side, &packet, now_ns);
		check(&flow);
	}
	sn_app_forget_udp(apps, &flow);
	sn_dns_cache_destroy(cache);
	if (apps->scratch_bytes != 0 || sn_name_pool_memory(names) != before)
		abort();
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
	return 0;
}
