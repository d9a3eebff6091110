/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP messages in a flow.  Input: per piece one byte (side in the lowest bit, a
 * gap before it in the next) and two of length, little-endian, then the bytes.
 */
#include <stdlib.h>

#include "meter/app/http_internal.h"

static void check_inside(struct sn_str text, struct sn_str header)
{
	if (text.n > 0 && (text.p < header.p || text.p + text.n > header.p + header.n))
		abort();
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] < ' ')
			abort();
	}
}

static void hear(const struct sn_http_message *message, const struct sn_flow *flow SN_UNUSED,
		 void *ctx SN_UNUSED)
{
	if (message->header.n == 0 || message->split > message->header.n ||
	    message->header.n > SN_HTTP_HEAD_MAX)
		abort();
	check_inside(message->method, message->header);
	check_inside(message->target, message->header);
	check_inside(message->status, message->header);
	for (size_t i = 0; i < SN_HTTP_FIELDS; i++)
		check_inside(message->fields[i], message->header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_apps_options options = {.names = names};
	struct sn_apps *apps = sn_apps_create(&options);
	const struct sn_app_watch watch = {.http = hear};
	struct sn_http_reader *reader = sn_http_reader_create(apps);
	struct sn_app_tcp app = {0};
	struct sn_http_feed feed = {.app = &app};
	struct sn_rd rd;

	sn_apps_set_watch(apps, &watch);
	sn_rd_init(&rd, data, size);
	while (sn_rd_left(&rd) > 0) {
		uint8_t kind = sn_rd_u8(&rd);

		feed.side = kind & 1;
		feed.leads = (kind & 4) == 0;
		feed.size = sn_rd_u16le(&rd);
		feed.data = sn_rd_bytes(&rd, feed.size);
		if (feed.data == NULL)
			break;
		if ((kind & 2) != 0)
			sn_http_reader_gap(apps, reader, &feed, kind >> 3);
		sn_http_reader_feed(apps, reader, &feed);
	}
	sn_http_reader_end(apps, reader, NULL, &app);
	sn_http_reader_destroy(apps, reader);
	if (apps->scratch_bytes != 0)
		abort();
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
	return 0;
}
