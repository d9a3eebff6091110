/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/http: messages of HTTP/1.x (RFC 9112) found in the payload of a TCP flow.
 *
 * Read across segments: pipelined messages are all found, a header may begin and
 * end anywhere, names are compared without case.  Bodies are skipped by their
 * length or chunk, else until the next method or status line at the start of a
 * segment.  After CONNECT or an upgrade there are no more messages.
 */
#ifndef SONDE_METER_APP_HTTP_H
#define SONDE_METER_APP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define SN_HTTP_LINE_MAX    8192
#define SN_HTTP_HEADERS_MAX 128
#define SN_HTTP_HEAD_MAX    32768 /* bytes of one message's header, all lines */

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

/*
 * Texts are valid during the call; without characters below blank.  A value is what stands behind
 * the colon and one blank: further blanks around it are still there (sn_str_trim()), as Tstat's
 * log has them.
 */
struct sn_http_message {
	unsigned side; /* sender: SN_CLIENT a request, SN_SERVER a response */
	bool is_request;
	int64_t time_ns;                      /* of the segment that it begins in */
	struct sn_str method, target;         /* request */
	struct sn_str status;                 /* response: three digits */
	struct sn_str fields[SN_HTTP_FIELDS]; /* empty: absent; the first of its name */
	bool cut; /* it was longer than the limit or packets are missing */
	/*
	 * How it lay in segments, for a log that has one record per segment (Tstat's).  Where a
	 * text lies is its distance from the start of `header`: one that ends behind `split` was
	 * cut by the end of a segment, one that begins at or behind it came in a later one.
	 */
	struct sn_str header; /* all of it, as it was; for such comparisons, not to be told */
	uint32_t split;       /* bytes of the header in its first segment; 0: all */
	int64_t split_ns;     /* time of the segment that went on with it */
	bool leads;           /* it begins where its segment begins */
	bool is_tstat; /* a response, or a request with one of the methods that Tstat knows */
};

#endif
