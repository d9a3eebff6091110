/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp_internal: what the look at a TCP flow keeps while it lasts.
 *
 * Three things happen to a segment: it is counted (HTTP), classified (classify.c,
 * by how segments begin, as Tstat does, repeated ones included), and its fresh
 * bytes go to the reader of its protocol, in order.
 */
#ifndef SONDE_METER_APP_TCP_INTERNAL_H
#define SONDE_METER_APP_TCP_INTERNAL_H

#include "meter/app/app_internal.h"
#include "meter/app/dns.h"
#include "meter/app/http_internal.h"
#include "meter/app/tcp.h"
#include "meter/app/tls.h"

struct sn_dns_reader;

struct sn_tcp_parser_side {
	uint32_t next;        /* offset behind the bytes that were read */
	uint16_t first_bytes; /* payload of its first segment; saturates; 0: none yet */
	bool started;         /* `next` is valid */
	bool is_random;       /* that segment looks encrypted */
};

struct sn_tcp_parser {
	struct sn_tcp_parser_side side[2];
	int64_t client_ns; /* last payload of the client */
	uint8_t candidate; /* enum sn_tcp_word: what the flow began like */
	bool is_weak;      /* the candidate is for people only: con_t has stricter rules */
	bool is_settled;   /* the class is known */
	struct sn_tls_reader *tls;
	struct sn_http_reader *http;
	struct sn_dns_reader *dns;
};

/* A segment with payload. */
struct sn_tcp_segment {
	const struct sn_tcp_flow *flow;
	struct sn_app_tcp *app;
	unsigned side;
	struct sn_str text; /* what was captured of it */
	uint32_t bytes;     /* of payload by the headers */
	uint32_t offset;    /* of its first byte of payload; 1 is the first of all */
	uint32_t fresh;     /* bytes that were not seen before */
	int64_t time_ns;
};

/* classify.c: what the beginning of the segment says; may settle the class. */
void sn_tcp_classify(struct sn_tcp_parser *parser, const struct sn_tcp_segment *segment);

/* dns_tcp.c: messages behind their lengths (RFC 1035 section 4.2.2). */
#define SN_DNS_TCP_MAX 16384 /* of a message in several segments; the rest is not looked at */
struct sn_dns_tcp_side {
	uint8_t length[2], length_bytes;
	uint32_t left; /* of the current message */
	uint8_t *text; /* what came of it; NULL: nothing */
	uint16_t bytes, room;
};
struct sn_dns_reader {
	struct sn_dns_tcp_side side[2];
	int64_t asked_ns; /* of the last question */
	bool is_over;
};
struct sn_dns_reader *sn_dns_reader_create(struct sn_apps *apps);
void sn_dns_reader_destroy(struct sn_apps *apps, struct sn_dns_reader *reader); /* NULL is fine */
void sn_dns_reader_feed(struct sn_apps *apps, struct sn_dns_reader *reader,
			const struct sn_flow *flow, unsigned side, const uint8_t *data, size_t size,
			int64_t time_ns);

#endif
