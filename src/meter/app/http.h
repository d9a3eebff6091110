/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/http: messages of HTTP/1.x (RFC 9112) found in the payload of a TCP flow.
 *
 * Read byte by byte across segments: pipelined messages are all found, a header
 * may begin and end anywhere, names are compared without case.  Bodies are
 * skipped by their length or chunk, else until the next method or status line at
 * the start of a segment.
 */
#ifndef SONDE_METER_APP_HTTP_H
#define SONDE_METER_APP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define SN_HTTP_LINE_MAX    8192
#define SN_HTTP_HEADERS_MAX 128

enum sn_http_field {
	SN_HTTP_HOST,
	SN_HTTP_REFERER,
	SN_HTTP_USER_AGENT,
	SN_HTTP_COOKIE,
	SN_HTTP_DNT,
	SN_HTTP_CONTENT_LENGTH,
	SN_HTTP_CONTENT_TYPE,
	SN_HTTP_SERVER,
	SN_HTTP_RANGE,
	SN_HTTP_LOCATION,
	SN_HTTP_SET_COOKIE,
	SN_HTTP_CONTENT_RANGE,
	SN_HTTP_FIELDS
};

/* Texts are valid during the call; without characters below blank. */
struct sn_http_message {
	unsigned side; /* sender: SN_CLIENT a request, SN_SERVER a response */
	bool is_request;
	int64_t time_ns;                      /* of the segment that it begins in */
	struct sn_str method, target;         /* request */
	struct sn_str status;                 /* response: three digits */
	struct sn_str fields[SN_HTTP_FIELDS]; /* empty: absent; the first of its name */
	bool cut; /* it was longer than the limit or packets are missing */
};

#endif
