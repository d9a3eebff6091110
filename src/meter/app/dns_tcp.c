/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "meter/app/dns_internal.h"
#include "meter/app/tcp_internal.h"

#define DNS_HEADER 12

struct sn_dns_reader *sn_dns_reader_create(struct sn_apps *apps)
{
	return sn_pool_take(&apps->dns_pool);
}

static void drop_text(struct sn_apps *apps, struct sn_dns_tcp_side *own)
{
	sn_app_scratch_give(apps, own->text, own->room);
	own->text = NULL;
	own->bytes = own->room = 0;
}

void sn_dns_reader_destroy(struct sn_apps *apps, struct sn_dns_reader *reader)
{
	if (reader == NULL)
		return;
	drop_text(apps, &reader->side[SN_CLIENT]);
	drop_text(apps, &reader->side[SN_SERVER]);
	sn_pool_give(&apps->dns_pool, reader);
}

static void message(struct sn_apps *apps, struct sn_dns_reader *reader, const struct sn_flow *flow,
		    unsigned side, const uint8_t *data, size_t size, int64_t time_ns)
{
	const struct sn_dns_tcp_side *own = &reader->side[side];
	struct sn_dns_input input = {
		.bytes = (uint32_t)own->length[0] << 8 | own->length[1],
		.time_ns = time_ns,
		.side = side,
		.tcp = true,
	};

	if (side == SN_CLIENT)
		reader->asked_ns = time_ns;
	else
		input.asked_ns = reader->asked_ns;
	sn_rd_init(&input.message, data, size);
	sn_app_dns_message(apps, flow, &input);
}

static bool collect(struct sn_apps *apps, struct sn_dns_tcp_side *own, const uint8_t *data,
		    size_t size)
{
	size_t more;

	if (own->text == NULL) {
		own->room = (uint16_t)SN_MIN(own->left, SN_DNS_TCP_MAX);
		own->text = sn_app_scratch_take(apps, own->room);
		if (own->text == NULL) {
			own->room = 0;
			return false;
		}
	}
	more = SN_MIN(size, (size_t)own->room - own->bytes);
	memcpy(own->text + own->bytes, data, more);
	own->bytes = (uint16_t)(own->bytes + more);
	return true;
}

/* Takes the rest of the current message, or as much as is there; returns how much. */
static size_t feed_message(struct sn_apps *apps, struct sn_dns_reader *reader,
			   const struct sn_flow *flow, unsigned side, const uint8_t *data,
			   size_t size, int64_t time_ns)
{
	struct sn_dns_tcp_side *own = &reader->side[side];
	size_t taken = SN_MIN(size, own->left);

	if (own->text == NULL && taken == own->left) {
		message(apps, reader, flow, side, data, taken, time_ns);
	} else if (!collect(apps, own, data, taken)) {
		reader->is_over = true;
	} else if (taken == own->left) {
		message(apps, reader, flow, side, own->text, own->bytes, time_ns);
		drop_text(apps, own);
	}
	own->left -= (uint32_t)taken;
	return taken;
}

void sn_dns_reader_feed(struct sn_apps *apps, struct sn_dns_reader *reader,
			const struct sn_flow *flow, unsigned side, const uint8_t *data, size_t size,
			int64_t time_ns)
{
	struct sn_dns_tcp_side *own = &reader->side[side];

	while (size > 0 && !reader->is_over) {
		size_t taken = 1;

		if (own->left > 0) {
			taken = feed_message(apps, reader, flow, side, data, size, time_ns);
		} else {
			own->length[own->length_bytes++] = *data;
			if (own->length_bytes == sizeof(own->length)) {
				own->length_bytes = 0;
				own->left = (uint32_t)own->length[0] << 8 | own->length[1];
				if (own->left < DNS_HEADER) {
					app_refuse(apps, SN_APP_DNS_MALFORMED);
					reader->is_over = true;
				}
			}
		}
		data += taken;
		size -= taken;
	}
}
