/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_internal: the reader of HTTP/1.x messages, the parser of one header and
 * what kind of content a request asks for.
 *
 * The reader keeps no byte of a body and none of a header that lies in one
 * segment; a header that goes on is collected in scratch memory.
 */
#ifndef SONDE_METER_APP_HTTP_INTERNAL_H
#define SONDE_METER_APP_HTTP_INTERNAL_H

#include "meter/app/app_internal.h"
#include "meter/app/http.h"
#include "meter/app/tcp.h"

/* http_message.c --------------------------------------------------------- */

/* What follows a header, besides what struct sn_http_message tells. */
struct sn_http_framing {
	struct sn_str version;           /* "HTTP/1.1"; empty in requests without one */
	struct sn_str transfer, upgrade; /* values of Transfer-Encoding, Upgrade */
};
/* `header` may lack its end.  Fills in what the text tells; false when it begins like neither. */
bool sn_http_parse(unsigned side, struct sn_str header, struct sn_http_message *message,
		   struct sn_http_framing *framing);

/* GET, POST, ...: one of those that Tstat counts, with as much behind it as Tstat asks for. */
bool sn_http_is_tstat_method(struct sn_str text);
/* May a message of `side` begin so?  `text` may be shorter than a start line. */
bool sn_http_may_begin(unsigned side, struct sn_str text);
/* Does one surely begin here? */
bool sn_http_begins(unsigned side, struct sn_str text);

/* http_class.c ------------------------------------------------------------ */

/* http_t of a request as Tstat prints it. */
uint8_t sn_http_request_type(const struct sn_http_message *request);
/* The same, when the response says what kind of content it is. */
uint8_t sn_http_response_type(uint8_t type, const struct sn_http_message *response);
/* The video that a YouTube URL names; empty: none. */
struct sn_str sn_http_video_id(uint8_t type, struct sn_str target);
/* Tstat's codes of containers, by a Content-Type and by how a body begins; 0: no video. */
uint8_t sn_http_video_declared(struct sn_str content_type);
uint8_t sn_http_video_found(struct sn_str body);

/* http.c ------------------------------------------------------------------ */

struct sn_http_side_reader {
	uint8_t state;
	bool leads;
	uint32_t bytes, room; /* of `text` */
	uint32_t line, at;    /* where the current line begins; what was searched for its end */
	uint16_t lines;
	uint32_t split;
	char *text;    /* header that began in an earlier segment; NULL: none */
	uint64_t left; /* of a body or chunk */
	int64_t begin_ns, split_ns;
};

struct sn_http_reader {
	struct sn_http_side_reader side[2];
	/* Requests that wait for their responses, the oldest in the lowest bit. */
	uint64_t heads, connects;
	uint8_t waiting;
	bool has_request, has_response; /* their headers were read */
	bool wants_body;                /* the beginning of the first response's body */
	bool is_over;                   /* a tunnel, or another protocol from here on */
};

struct sn_http_feed { /* what a segment brings */
	const struct sn_flow *flow;
	struct sn_app_tcp *app;
	unsigned side;
	const uint8_t *data;
	size_t size;
	bool leads; /* the segment begins with them */
	int64_t time_ns;
};

struct sn_http_reader *sn_http_reader_create(struct sn_apps *apps);
void sn_http_reader_destroy(struct sn_apps *apps, struct sn_http_reader *reader); /* NULL is fine */
void sn_http_reader_feed(struct sn_apps *apps, struct sn_http_reader *reader,
			 const struct sn_http_feed *feed);
/* All requests have their responses and nothing has begun: a new reader would know as much. */
bool sn_http_reader_is_idle(const struct sn_http_reader *reader);
/* `missing` bytes of `side` were not captured. */
void sn_http_reader_gap(struct sn_apps *apps, struct sn_http_reader *reader,
			const struct sn_http_feed *feed, uint32_t missing);
/* No more bytes will come: tells of headers that did not end. */
void sn_http_reader_end(struct sn_apps *apps, struct sn_http_reader *reader,
			const struct sn_flow *flow, struct sn_app_tcp *app);

#endif
