/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/app/tls.h"

#include <string.h>

enum {
	RECORD_CHANGE_CIPHER = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
	RECORD_HEARTBEAT = 24,
};

enum {
	MESSAGE_CLIENT_HELLO = 1,
	MESSAGE_SERVER_HELLO = 2,
	MESSAGE_RETRY = 6, /* of TLS 1.3 drafts; since draft 22 it looks like a Server Hello */
	MESSAGE_CERTIFICATE = 11,
	MESSAGE_HELLO_DONE = 14,
};

#define RECORD_MAX (16384 + 2048) /* RFC 5246 section 6.2.3 */
#define VERSION_13 0x0304

/* Bits of tls_session_stat. */
enum {
	SESSION_ID = 1,
	SESSION_CLIENT_PSK = 2,
	SESSION_EARLY_DATA = 4,
	SESSION_SERVER_PSK = 8,
	SESSION_RETRY = 16,
};

static bool is_ssl2_hello(const uint8_t *p, size_t size)
{
	return size >= 5 && (p[0] & 0x80) != 0 && p[2] == 1 &&
	       ((p[3] == 3 && p[4] <= 4) || (p[3] == 0 && p[4] == 2));
}

bool sn_tls_opens(unsigned side, struct sn_rd payload)
{
	const uint8_t *p = payload.p;
	size_t size = sn_rd_left(&payload);

	if (side == SN_CLIENT && is_ssl2_hello(p, size))
		return true;
	if (size < 3 || p[0] != RECORD_HANDSHAKE || p[1] != 3 || p[2] > 4)
		return false;
	return size < 6 ||
	       p[5] == (side == SN_CLIENT ? MESSAGE_CLIENT_HELLO : MESSAGE_SERVER_HELLO);
}

struct sn_tls_reader *sn_tls_reader_create(struct sn_apps *apps)
{
	return sn_pool_take(&apps->tls_reader_pool);
}

static void drop_message(struct sn_apps *apps, struct sn_tls_side_reader *reader)
{
	sn_app_scratch_give(apps, reader->message, reader->message_room);
	reader->message = NULL;
	reader->message_bytes = reader->message_room = 0;
}

void sn_tls_reader_destroy(struct sn_apps *apps, struct sn_tls_reader *reader)
{
	if (reader == NULL)
		return;
	drop_message(apps, &reader->side[SN_CLIENT]);
	drop_message(apps, &reader->side[SN_SERVER]);
	sn_pool_give(&apps->tls_reader_pool, reader);
}

bool sn_tls_reader_is_done(const struct sn_tls_reader *reader)
{
	return reader->side[SN_CLIENT].is_done && reader->side[SN_SERVER].is_done;
}

static void give_up(struct sn_apps *apps, struct sn_tls_side_reader *reader,
		    enum sn_app_refusal reason)
{
	app_refuse(apps, reason);
	drop_message(apps, reader);
	reader->is_done = true;
}

static void tell_client_hello(struct sn_apps *apps, struct sn_app_tcp *app,
			      const struct sn_tls_client_hello *hello)
{
	struct sn_app_tls *tls = app->tls;
	char text[SN_TLS_VERSIONS_TEXT];
	struct sn_rd alpn = hello->alpn;
	struct sn_str offered;

	if (hello->has_session)
		app->tls_session |= SESSION_ID;
	if (hello->ssl2)
		return;
	if (hello->has_psk)
		app->tls_session |= SESSION_CLIENT_PSK;
	if (hello->has_early_data)
		app->tls_session |= SESSION_EARLY_DATA;
	app->tls_ech = hello->has_ech;
	tls->side[SN_CLIENT].npn_alpn = sn_tls_npn_bits(hello->has_npn, (struct sn_rd){0}) |
					sn_tls_alpn_bits(hello->has_alpn, hello->alpn);
	if (sn_tls_is_name(hello->server_name))
		sn_app_name_once(apps, &tls->server_name, hello->server_name);
	sn_app_name_once(apps, &tls->client_versions, sn_tls_versions(hello, text));
	if (sn_tls_next_name(&alpn, &offered))
		sn_app_name_once(apps, &tls->alpn, offered);
}

static int client_hello(struct sn_apps *apps, struct sn_app_tcp *app,
			struct sn_tls_side_reader *reader, struct sn_rd body)
{
	struct sn_tls_client_hello hello;
	int rc = sn_tls_client_hello(body, &hello);

	/* After a HelloRetryRequest there is a second one, which tells nothing new. */
	reader->is_done = true;
	if (rc == 0)
		tell_client_hello(apps, app, &hello);
	return rc;
}

static int server_hello(struct sn_apps *apps, struct sn_app_tcp *app, struct sn_tls_reader *reader,
			struct sn_rd body)
{
	struct sn_tls_server_hello hello;
	struct sn_str chosen;
	int rc = sn_tls_server_hello(body, &hello);

	if (rc != 0)
		return rc;
	app->tls_version = hello.version;
	if (hello.has_psk)
		app->tls_session |= SESSION_SERVER_PSK;
	if (hello.is_retry)
		app->tls_session |= SESSION_RETRY;
	app->tls->side[SN_SERVER].npn_alpn |= sn_tls_npn_bits(hello.has_npn, hello.npn) |
					      sn_tls_alpn_bits(hello.has_alpn, hello.alpn);
	if (sn_tls_next_name(&hello.alpn, &chosen)) {
		sn_app_name_drop(apps, &app->tls->alpn);
		sn_app_name_once(apps, &app->tls->alpn, chosen);
	}
	/* What follows in TLS 1.3, its drafts and their relatives is encrypted. */
	reader->is_tls13 = hello.version >= VERSION_13;
	reader->side[SN_SERVER].is_done = reader->is_tls13 && !hello.is_retry;
	return 0;
}

/* The first certificate of the list is the server's own; the list may be cut behind it. */
static void certificate(struct sn_apps *apps, struct sn_app_tcp *app, struct sn_rd body,
			bool is_cut)
{
	struct sn_rd own;
	struct sn_str name;
	size_t length;
	const uint8_t *bytes;

	sn_rd_skip(&body, 3); /* length of the list */
	length = (size_t)sn_rd_u8(&body) << 16;
	length |= sn_rd_u16be(&body);
	bytes = sn_rd_bytes(&body, length);
	if (bytes == NULL) {
		app_refuse(apps, is_cut ? SN_APP_TLS_TOO_LONG : SN_APP_TLS_MALFORMED);
		return;
	}
	sn_rd_init(&own, bytes, length);
	name = sn_certificate_name(own);
	if (sn_tls_is_name(name))
		sn_app_name_once(apps, &app->tls->certificate_name, name);
}

/* Of the current message, by its header. */
static uint32_t length_of(const struct sn_tls_side_reader *reader)
{
	const uint8_t *header = reader->message_header;

	return (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
}

/* A whole message, or the first SN_TLS_MESSAGE_MAX bytes of a certificate list. */
static void message(struct sn_apps *apps, struct sn_tls_reader *reader, struct sn_app_tcp *app,
		    unsigned side, struct sn_rd body)
{
	struct sn_tls_side_reader *own = &reader->side[side];
	int rc = 0;

	switch (own->message_header[0]) {
	case MESSAGE_CLIENT_HELLO:
		rc = client_hello(apps, app, own, body);
		break;
	case MESSAGE_SERVER_HELLO:
		rc = server_hello(apps, app, reader, body);
		break;
	case MESSAGE_CERTIFICATE:
		certificate(apps, app, body, length_of(own) > SN_TLS_MESSAGE_MAX);
		own->is_done = true;
		break;
	default:
		break;
	}
	if (rc != 0)
		give_up(apps, own, SN_APP_TLS_MALFORMED);
}

/* Of which messages the content is wanted. */
static bool is_wanted(unsigned side, uint8_t type)
{
	return side == SN_CLIENT ? type == MESSAGE_CLIENT_HELLO
				 : type == MESSAGE_SERVER_HELLO || type == MESSAGE_CERTIFICATE;
}

/* Its header is known: decide what to do with the message. */
static void begin_message(struct sn_apps *apps, struct sn_tls_side_reader *reader,
			  struct sn_app_tcp *app, unsigned side)
{
	const uint8_t *header = reader->message_header;
	uint32_t length = length_of(reader);

	reader->message_left = length;
	if (side == SN_SERVER && header[0] == MESSAGE_HELLO_DONE)
		reader->is_done = true;
	if (side == SN_SERVER && header[0] == MESSAGE_RETRY)
		app->tls_session |= SESSION_RETRY;
	if (!is_wanted(side, header[0]))
		return;
	if (length > SN_TLS_MESSAGE_MAX && header[0] != MESSAGE_CERTIFICATE) {
		give_up(apps, reader, SN_APP_TLS_TOO_LONG);
		return;
	}
	reader->message_room = (uint16_t)SN_MIN(length, SN_TLS_MESSAGE_MAX);
}

/* Puts the next bytes of a message behind those that came before; true when it is all there. */
static bool collect(struct sn_apps *apps, struct sn_tls_side_reader *reader, const uint8_t *data,
		    size_t size)
{
	size_t more = SN_MIN(size, (size_t)reader->message_room - reader->message_bytes);

	if (reader->message == NULL)
		reader->message = sn_app_scratch_take(apps, reader->message_room);
	if (reader->message == NULL) {
		reader->message_room = 0;
		give_up(apps, reader, SN_APP_TLS_TOO_LONG);
		return false;
	}
	memcpy(reader->message + reader->message_bytes, data, more);
	reader->message_bytes = (uint16_t)(reader->message_bytes + more);
	return reader->message_bytes == reader->message_room;
}

/* Takes the rest of the current message, or as much of it as is there; returns how much. */
static size_t feed_message(struct sn_apps *apps, struct sn_tls_reader *reader,
			   struct sn_app_tcp *app, unsigned side, const uint8_t *data, size_t size)
{
	struct sn_tls_side_reader *own = &reader->side[side];
	size_t taken = SN_MIN(size, own->message_left);
	uint16_t room = own->message_room;
	struct sn_rd body;

	if (room == 0) {
		/* Not wanted, empty, or enough of it was seen. */
	} else if (own->message == NULL && taken >= room) {
		own->message_room = 0;
		sn_rd_init(&body, data, room);
		message(apps, reader, app, side, body);
	} else if (collect(apps, own, data, taken)) {
		sn_rd_init(&body, own->message, own->message_bytes);
		message(apps, reader, app, side, body);
		drop_message(apps, own);
	}
	own->message_left -= (uint32_t)taken;
	return taken;
}

/* The next bytes of handshake messages, from one record. */
static void feed_handshake(struct sn_apps *apps, struct sn_tls_reader *reader,
			   struct sn_app_tcp *app, unsigned side, const uint8_t *data, size_t size)
{
	struct sn_tls_side_reader *own = &reader->side[side];

	while (size > 0 && !own->is_done) {
		size_t taken = 0;

		if (own->message_header_bytes < sizeof(own->message_header)) {
			own->message_header[own->message_header_bytes++] = *data++;
			size--;
			if (own->message_header_bytes < sizeof(own->message_header))
				continue;
			begin_message(apps, own, app, side);
		}
		if (!own->is_done)
			taken = feed_message(apps, reader, app, side, data, size);
		data += taken;
		size -= taken;
		if (own->message_left == 0)
			own->message_header_bytes = 0;
	}
}

static bool is_record(const uint8_t header[5])
{
	return header[0] >= RECORD_CHANGE_CIPHER && header[0] <= RECORD_HEARTBEAT &&
	       header[1] == 3 && ((unsigned)header[3] << 8 | header[4]) <= RECORD_MAX;
}

/* False when the side has said what it says in the open, or makes no sense. */
static bool begin_record(struct sn_apps *apps, struct sn_tls_reader *reader, unsigned side)
{
	struct sn_tls_side_reader *own = &reader->side[side];
	const uint8_t *header = own->record_header;

	if (!is_record(header)) {
		give_up(apps, own, SN_APP_TLS_MALFORMED);
		return false;
	}
	own->record_left = (uint16_t)(header[3] << 8 | header[4]);
	own->record_header_bytes = 0;
	/* After a HelloRetryRequest it is sent for the sake of middleboxes and means nothing. */
	if (header[0] == RECORD_CHANGE_CIPHER && !reader->is_tls13)
		own->is_done = true;
	return !own->is_done;
}

static void feed_records(struct sn_apps *apps, struct sn_tls_reader *reader, struct sn_app_tcp *app,
			 unsigned side, const uint8_t *data, size_t size)
{
	struct sn_tls_side_reader *own = &reader->side[side];

	while (size > 0 && !own->is_done) {
		size_t taken;

		if (own->record_left == 0) {
			own->record_header[own->record_header_bytes++] = *data++;
			size--;
			if (own->record_header_bytes == sizeof(own->record_header) &&
			    !begin_record(apps, reader, side))
				return;
			continue;
		}
		taken = SN_MIN(size, own->record_left);
		if (own->record_header[0] == RECORD_HANDSHAKE)
			feed_handshake(apps, reader, app, side, data, taken);
		own->record_left = (uint16_t)(own->record_left - taken);
		data += taken;
		size -= taken;
	}
}

/* Such hellos are short; one that does not lie in its segment is left alone. */
static void feed_ssl2(struct sn_apps *apps, struct sn_tls_side_reader *reader,
		      struct sn_app_tcp *app, const uint8_t *data, size_t size)
{
	size_t length = (size_t)(data[0] & 0x7f) << 8 | data[1];
	struct sn_tls_client_hello hello;
	struct sn_rd body;

	reader->is_done = true;
	sn_rd_init(&body, data + 2, SN_MIN(length, size - 2));
	if (sn_tls_client_hello2(body, &hello) == 0)
		tell_client_hello(apps, app, &hello);
	else
		app_refuse(apps, SN_APP_TLS_MALFORMED);
}

void sn_tls_reader_feed(struct sn_apps *apps, struct sn_tls_reader *reader, struct sn_app_tcp *app,
			unsigned side, const uint8_t *data, size_t size)
{
	struct sn_tls_side_reader *own = &reader->side[side];
	struct sn_rd payload;

	if (own->is_done || size == 0)
		return;
	sn_rd_init(&payload, data, size);
	if (own->is_lost && !sn_tls_opens(side, payload))
		return;
	own->is_lost = false;
	if (side == SN_CLIENT && own->record_left == 0 && own->record_header_bytes == 0 &&
	    is_ssl2_hello(data, size))
		feed_ssl2(apps, own, app, data, size);
	else
		feed_records(apps, reader, app, side, data, size);
}

void sn_tls_reader_gap(struct sn_apps *apps, struct sn_tls_reader *reader, unsigned side)
{
	struct sn_tls_side_reader *own = &reader->side[side];

	if (own->is_done)
		return;
	drop_message(apps, own);
	*own = (struct sn_tls_side_reader){.is_lost = true};
}
