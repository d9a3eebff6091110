/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of one TCP flow through everything that looks at their payload.
 *
 * Input: one byte (lowest bit: port 53; next: somebody watches), then per segment
 * one byte (side in the lowest bit), one of bytes that were not captured, one
 * signed of distance from where it belongs, two of length, all little-endian, and
 * the bytes.
 */
#include <stdlib.h>

#include "meter/app/app_internal.h"
#include "meter/app/dns.h"
#include "meter/app/http.h"
#include "meter/app/tcp.h"

static void hear_http(const struct sn_http_message *message, const struct sn_flow *flow,
		      void *ctx SN_UNUSED)
{
	if (message->header.n == 0 || flow == NULL)
		abort();
}

static void hear_dns(const struct sn_dns_event *event, const struct sn_flow *flow,
		     void *ctx SN_UNUSED)
{
	if (!event->tcp || flow == NULL)
		abort();
}

static bool take_segment(struct sn_rd *rd, uint32_t next[2], struct sn_decoded *packet,
			 struct sn_tcp_verdict *verdict, unsigned *side)
{
	uint8_t kind = sn_rd_u8(rd), missing = sn_rd_u8(rd);
	int8_t distance = (int8_t)sn_rd_u8(rd);
	size_t length = sn_rd_u16le(rd);
	const uint8_t *bytes = sn_rd_bytes(rd, length);
	uint32_t end, fresh;

	if (bytes == NULL)
		return false;
	*side = kind & 1;
	*packet = (struct sn_decoded){.protocol = SN_PROTO_TCP,
				      .payload_bytes = (uint32_t)length + missing};
	sn_rd_init(&packet->payload, bytes, length);
	*verdict = (struct sn_tcp_verdict){.offset = next[*side] + (uint32_t)distance};
	end = verdict->offset + packet->payload_bytes;
	fresh = end - next[*side];
	if ((int32_t)fresh > 0) {
		verdict->fresh = SN_MIN(fresh, packet->payload_bytes);
		next[*side] = end;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sn_app_watch watch = {.http = hear_http, .dns = hear_dns};
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_apps_options options = {.names = names};
	struct sn_apps *apps = sn_apps_create(&options);
	struct sn_tcp_flow flow = {.flow.key = {.family = 4, .protocol = SN_PROTO_TCP}};
	size_t before = sn_name_pool_memory(names);
	uint32_t next[2] = {1, 1};
	struct sn_decoded packet;
	struct sn_tcp_verdict verdict;
	struct sn_rd rd;
	unsigned side;
	int64_t now_ns = 1;

	sn_rd_init(&rd, data, size);
	uint8_t kind = sn_rd_u8(&rd);

	flow.flow.key.high_port = (kind & 1) != 0 ? 53 : 80;
	if ((kind & 2) != 0)
		sn_apps_set_watch(apps, &watch);
	while (sn_rd_left(&rd) > 0 && take_segment(&rd, next, &packet, &verdict, &side))
		sn_app_tcp(apps, &flow, side, &packet, &verdict, now_ns++);
	sn_app_tcp_word(flow.app);
	sn_app_forget_tcp(apps, &flow);
	if (apps->scratch_bytes != 0 || sn_name_pool_memory(names) != before)
		abort();
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
	return 0;
}
