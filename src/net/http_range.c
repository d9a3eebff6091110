/* SPDX-License-Identifier: Apache-2.0 */
/* Files in parts: RFC 9110, sections 13 (conditions) and 14 (ranges). */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/http_server_internal.h"

#define UNIT "bytes="

static bool read_number(struct sn_str text, uint64_t *value)
{
	return sn_parse_u64(text, 0, INT64_MAX, value) == 0;
}

enum sn_http_range sn_http_range_read(const char *header, uint64_t size, uint64_t *offset,
				      uint64_t *length)
{
	struct sn_str text = sn_str(header), first;
	uint64_t from, to = UINT64_MAX;

	*offset = 0;
	*length = size;
	if (header == NULL || strncasecmp(header, UNIT, strlen(UNIT)) != 0)
		return SN_HTTP_RANGE_ALL;
	text = sn_str_trim(sn_str(header + strlen(UNIT)));
	if (memchr(text.p, ',', text.n) != NULL || memchr(text.p, '-', text.n) == NULL)
		return SN_HTTP_RANGE_ALL;
	sn_str_split(&text, '-', &first);
	if (first.n == 0) { /* so many at the end */
		if (!read_number(text, &to))
			return SN_HTTP_RANGE_ALL;
		if (to == 0 || size == 0)
			return SN_HTTP_RANGE_NONE;
		*offset = to < size ? size - to : 0;
		*length = size - *offset;
		return SN_HTTP_RANGE_PART;
	}
	if (!read_number(first, &from) || (text.n > 0 && (!read_number(text, &to) || to < from)))
		return SN_HTTP_RANGE_ALL;
	if (from >= size)
		return SN_HTTP_RANGE_NONE;
	*offset = from;
	*length = SN_MIN(to, size - 1) - from + 1;
	return SN_HTTP_RANGE_PART;
}

static bool names(const char *header, const char *etag)
{
	return strcmp(header, "*") == 0 || (etag != NULL && strstr(header, etag) != NULL);
}

void sn_http_reply_file(struct sn_http_request *request, const char *content_type, int fd,
			uint64_t size, const char *etag)
{
	const char *match = sn_http_header(request, "If-Match");
	const char *if_range = sn_http_header(request, "If-Range");
	const char *range = sn_http_header(request, "Range");
	uint64_t offset, length;
	char text[80];

	if (match != NULL && !names(match, etag)) {
		close(fd);
		sn_http_problem(request, 412, "changed", "The file is another one by now",
				"it changed after it was listed; ask for the list again");
		return;
	}
	if (if_range != NULL && (etag == NULL || strcmp(if_range, etag) != 0))
		range = NULL;
	sn_http_set_header(request, "Accept-Ranges", "bytes");
	if (etag != NULL)
		sn_http_set_header(request, "ETag", etag);
	switch (sn_http_range_read(range, size, &offset, &length)) {
	case SN_HTTP_RANGE_ALL:
		sn_http_reply_part(request, 200, content_type, fd, 0, size);
		return;
	case SN_HTTP_RANGE_PART:
		snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)offset,
			 (unsigned long long)(offset + length - 1), (unsigned long long)size);
		sn_http_set_header(request, "Content-Range", text);
		sn_http_reply_part(request, 206, content_type, fd, offset, length);
		return;
	case SN_HTTP_RANGE_NONE:
		close(fd);
		snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
		sn_http_set_header(request, "Content-Range", text);
		sn_http_problem(request, 416, "no-such-part", "The file has no such part",
				"it has %llu bytes", (unsigned long long)size);
	}
}
