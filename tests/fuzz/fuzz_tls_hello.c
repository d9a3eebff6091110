/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS handshakes: each parser of a message on the whole input, and the reader of a
 * flow on pieces of it.
 *
 * Input of the reader: per piece one byte (side in the lowest bit, a gap before it
 * in the next) and two of length, little-endian, then the bytes.
 */
#include <stdlib.h>

#include "meter/app/tls.h"

static void parse_messages(const uint8_t *data, size_t size)
{
	struct sn_tls_client_hello client;
	struct sn_tls_server_hello server;
	char text[SN_TLS_VERSIONS_TEXT];
	struct sn_rd body;

	sn_rd_init(&body, data, size);
	if (sn_tls_client_hello(body, &client) == 0) {
		if (sn_tls_versions(&client, text).n >= sizeof(text) || client.server_name.n > size)
			abort();
		sn_tls_alpn_bits(client.has_alpn, client.alpn);
	}
	if (sn_tls_server_hello(body, &server) == 0)
		sn_tls_npn_bits(server.has_npn, server.npn);
	sn_tls_client_hello2(body, &client);
	if (sn_certificate_name(body).n > size)
		abort();
}

static void read_flow(struct sn_apps *apps, const uint8_t *data, size_t size)
{
	struct sn_tls_reader *reader = sn_tls_reader_create(apps);
	struct sn_app_tls tls = {0};
	struct sn_app_tcp app = {.tls = &tls};
	struct sn_rd rd;

	sn_rd_init(&rd, data, size);
	while (sn_rd_left(&rd) > 0) {
		uint8_t kind = sn_rd_u8(&rd);
		size_t length = sn_rd_u16le(&rd);
		const uint8_t *bytes = sn_rd_bytes(&rd, length);

		if (bytes == NULL)
			break;
		if ((kind & 2) != 0)
			sn_tls_reader_gap(apps, reader, kind & 1);
		sn_tls_reader_feed(apps, reader, &app, kind & 1, bytes, length);
	}
	sn_tls_reader_destroy(apps, reader);
	sn_app_name_drop(apps, &tls.server_name);
	sn_app_name_drop(apps, &tls.certificate_name);
	sn_app_name_drop(apps, &tls.client_versions);
	sn_app_name_drop(apps, &tls.alpn);
	if (apps->scratch_bytes != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_name_pool *names = sn_name_pool_create(1 << 20);
	struct sn_apps_options options = {.names = names};
	struct sn_apps *apps = sn_apps_create(&options);
	size_t before = sn_name_pool_memory(names);

	parse_messages(data, size);
	read_flow(apps, data, size);
	if (sn_name_pool_memory(names) != before)
		abort();
	sn_apps_destroy(apps);
	sn_name_pool_destroy(names);
	return 0;
}
