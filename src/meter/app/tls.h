/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/tls: what the open part of a TLS handshake tells.
 *
 * Hellos of SSL 2 style (RFC 5246 appendix E.2), SSL 3 (RFC 6101), TLS 1.0 to 1.2
 * (RFC 5246) and TLS 1.3 (RFC 8446), with server name (RFC 6066), ALPN (RFC
 * 7301), NPN (draft-agl-tls-nextprotoneg), encrypted Client Hello (RFC 9849); of
 * drafts of TLS 1.3 up to 21 the server's version only;
 * the subject's common name of the first certificate (RFC 5280).  The message
 * parsers know nothing of TCP, so QUIC uses them, too (RFC 9001).
 *
 * Above them a reader per flow puts records and messages together: a message may
 * lie in several records, a record in several segments; only a message that does
 * not lie in one segment is copied.
 */
#ifndef SONDE_METER_APP_TLS_H
#define SONDE_METER_APP_TLS_H

#include "meter/app/app_internal.h"
#include "meter/app/tcp.h"

#define SN_TLS_MESSAGE_MAX  16384 /* of a message that is put together; per side */
#define SN_TLS_VERSIONS_MAX 16    /* told of a client's list: 79 characters */

/* Everything in it points into the message. */
struct sn_tls_client_hello {
	uint16_t version; /* legacy_version */
	bool ssl2;        /* SSL 2 style: none of the rest is there */
	bool has_session, has_psk, has_early_data, has_npn;
	struct sn_str server_name; /* as sent; empty: none */
	struct sn_rd alpn;         /* names with a length byte each */
	struct sn_rd versions;     /* two bytes each; empty: no supported_versions */
	struct sn_rd quic;         /* transport parameters (RFC 9001 section 8.2) */
	bool has_alpn, has_ech, has_quic;
	uint16_t ech_bytes;
};

struct sn_tls_server_hello {
	uint16_t version; /* chosen; from supported_versions where it is there */
	bool is_retry;    /* HelloRetryRequest */
	bool has_psk, has_alpn, has_npn;
	struct sn_rd alpn, npn;
};

/* `body` is the message behind its four bytes of header.  0 or -EBADMSG. */
int sn_tls_client_hello(struct sn_rd body, struct sn_tls_client_hello *hello);
int sn_tls_server_hello(struct sn_rd body, struct sn_tls_server_hello *hello);
/* The message of SSL 2 style behind its two bytes of length. */
int sn_tls_client_hello2(struct sn_rd body, struct sn_tls_client_hello *hello);

/* The next name of a list; false at its end.  Names are not checked. */
bool sn_tls_next_name(struct sn_rd *list, struct sn_str *name);
/* Tstat's bits of c_npnalpn and s_npnalpn. */
uint8_t sn_tls_alpn_bits(bool has_alpn, struct sn_rd list);
uint8_t sn_tls_npn_bits(bool has_npn, struct sn_rd list);
/* Letters, digits, "-", "_", "*" and ".": what a host name is made of, and not empty. */
bool sn_tls_is_name(struct sn_str text);
/* "8a8a,0304,0303" or, without a list, "0303"; terminated. */
#define SN_TLS_VERSIONS_TEXT (5 * SN_TLS_VERSIONS_MAX)
struct sn_str sn_tls_versions(const struct sn_tls_client_hello *hello,
			      char text[SN_TLS_VERSIONS_TEXT]);

/* app/certificate.c: the subject's first common name; empty if there is none or it is damaged. */
struct sn_str sn_certificate_name(struct sn_rd certificate);

/* Does a client's (server's) handshake begin with these bytes of a segment? */
bool sn_tls_opens(unsigned side, struct sn_rd payload);

/* One side of a handshake.  Offsets count within the record, the message. */
struct sn_tls_side_reader {
	uint8_t record_header[5], record_header_bytes;
	uint8_t message_header[4], message_header_bytes;
	bool is_done;
	bool is_lost; /* bytes are missing: waits for a segment that opens a handshake */
	uint16_t record_left;
	uint32_t message_left; /* still to come */
	uint8_t *message;      /* what came of it; NULL: it is skipped */
	uint16_t message_bytes, message_room;
};

/* Reader of one flow. */
struct sn_tls_reader {
	struct sn_tls_side_reader side[2];
	bool is_tls13;
};
struct sn_tls_reader *sn_tls_reader_create(struct sn_apps *apps);
void sn_tls_reader_destroy(struct sn_apps *apps, struct sn_tls_reader *reader); /* NULL is fine */
/* The next bytes that `side` has sent; what they tell goes into `app` and its `tls`. */
void sn_tls_reader_feed(struct sn_apps *apps, struct sn_tls_reader *reader, struct sn_app_tcp *app,
			unsigned side, const uint8_t *data, size_t size);
/* Bytes are missing: the side is read again from the next segment that opens a handshake. */
void sn_tls_reader_gap(struct sn_apps *apps, struct sn_tls_reader *reader, unsigned side);
/* Nothing more can be learnt. */
bool sn_tls_reader_is_done(const struct sn_tls_reader *reader);

#endif
