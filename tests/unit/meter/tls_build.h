/* SPDX-License-Identifier: Apache-2.0 */
/* Hand-made TLS handshakes: lengths are filled in when what they count has been put. */
#ifndef SONDE_TESTS_METER_TLS_BUILD_H
#define SONDE_TESTS_METER_TLS_BUILD_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static inline void tls_u8(struct sn_buf *b, unsigned value)
{
	sn_buf_addc(b, (char)value);
}

static inline void tls_u16(struct sn_buf *b, unsigned value)
{
	tls_u8(b, value >> 8);
	tls_u8(b, value & 0xff);
}

/* Leaves `bytes` for a length; tls_close() fills it in. */
static inline size_t tls_open(struct sn_buf *b, unsigned bytes)
{
	while (bytes-- > 0)
		tls_u8(b, 0);
	return b->n;
}

static inline void tls_close(struct sn_buf *b, size_t start, unsigned bytes)
{
	size_t length = b->n - start;

	for (unsigned i = 1; i <= bytes; i++, length >>= 8)
		b->p[start - i] = (char)length;
}

static inline void tls_text(struct sn_buf *b, const char *text, unsigned length_bytes)
{
	size_t start = tls_open(b, length_bytes);

	sn_buf_adds(b, text);
	tls_close(b, start, length_bytes);
}

static inline size_t tls_extension(struct sn_buf *b, unsigned type)
{
	tls_u16(b, type);
	return tls_open(b, 2);
}

static inline void tls_server_name(struct sn_buf *b, const char *name)
{
	size_t extension = tls_extension(b, 0), list = tls_open(b, 2);

	tls_u8(b, 0);
	tls_text(b, name, 2);
	tls_close(b, list, 2);
	tls_close(b, extension, 2);
}

static inline void tls_alpn(struct sn_buf *b, const char *const *names, size_t count)
{
	size_t extension = tls_extension(b, 16), list = tls_open(b, 2);

	for (size_t i = 0; i < count; i++)
		tls_text(b, names[i], 1);
	tls_close(b, list, 2);
	tls_close(b, extension, 2);
}

static inline void tls_empty_extension(struct sn_buf *b, unsigned type)
{
	tls_close(b, tls_extension(b, type), 2);
}

/* The message up to where extensions begin; `type` 1 is a client's, 2 a server's hello. */
struct tls_hello {
	size_t message, extensions;
};

static inline struct tls_hello tls_begin_hello(struct sn_buf *b, unsigned type, unsigned version,
					       const char *session)
{
	struct tls_hello hello;

	tls_u8(b, type);
	hello.message = tls_open(b, 3);
	tls_u16(b, version);
	for (int i = 0; i < 32; i++)
		tls_u8(b, 0x40);
	tls_text(b, session, 1);
	if (type == 1) {
		tls_u16(b, 2);
		tls_u16(b, 0x1301);
		tls_u8(b, 1);
		tls_u8(b, 0);
	} else {
		tls_u16(b, 0x1301);
		tls_u8(b, 0);
	}
	hello.extensions = tls_open(b, 2);
	return hello;
}

static inline void tls_end_hello(struct sn_buf *b, struct tls_hello hello)
{
	tls_close(b, hello.extensions, 2);
	tls_close(b, hello.message, 3);
}

/* `content` as records of at most `most` bytes. */
static inline void tls_records(struct sn_buf *out, unsigned type, const struct sn_buf *content,
			       size_t most)
{
	for (size_t at = 0; at < content->n; at += most) {
		size_t size = content->n - at < most ? content->n - at : most;

		tls_u8(out, type);
		tls_u16(out, 0x0303);
		tls_u16(out, (unsigned)size);
		sn_buf_add(out, content->p + at, size);
	}
}

/* A certificate message with one certificate, whose subject has `name` for a common name. */
static inline size_t der_open(struct sn_buf *b, unsigned tag)
{
	tls_u8(b, tag);
	tls_u8(b, 0x82);
	return tls_open(b, 2);
}

static inline void der_name(struct sn_buf *b, const char *name)
{
	size_t subject = der_open(b, 0x30), set = der_open(b, 0x31), pair = der_open(b, 0x30);

	sn_buf_add(b, "\x06\x03\x55\x04\x0a\x0c\x04Home", 11); /* the organisation */
	tls_close(b, pair, 2);
	tls_close(b, set, 2);
	if (name != NULL) {
		set = der_open(b, 0x31);
		pair = der_open(b, 0x30);
		sn_buf_add(b, "\x06\x03\x55\x04\x03\x13", 6);
		tls_text(b, name, 1);
		tls_close(b, pair, 2);
		tls_close(b, set, 2);
	}
	tls_close(b, subject, 2);
}

static inline void der_certificate(struct sn_buf *b, const char *issuer, const char *subject)
{
	size_t whole = der_open(b, 0x30), tbs = der_open(b, 0x30);

	sn_buf_add(b, "\xa0\x03\x02\x01\x02", 5); /* version 3 */
	sn_buf_add(b, "\x02\x01\x07", 3);         /* serial number */
	sn_buf_add(b, "\x30\x03\x06\x01\x2a", 5); /* algorithm */
	der_name(b, issuer);
	sn_buf_add(b, "\x30\x00", 2); /* validity */
	der_name(b, subject);
	tls_close(b, tbs, 2);
	tls_close(b, whole, 2);
}

static inline void tls_certificate(struct sn_buf *b, const char *issuer, const char *subject,
				   size_t padding)
{
	size_t message, list, certificate;

	tls_u8(b, 11);
	message = tls_open(b, 3);
	list = tls_open(b, 3);
	certificate = tls_open(b, 3);
	der_certificate(b, issuer, subject);
	tls_close(b, certificate, 3);
	certificate = tls_open(b, 3); /* the issuer's */
	while (padding-- > 0)
		tls_u8(b, 0);
	tls_close(b, certificate, 3);
	tls_close(b, list, 3);
	tls_close(b, message, 3);
}

#endif
