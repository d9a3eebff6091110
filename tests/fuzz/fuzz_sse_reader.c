/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event stream in pieces.  The first byte is the size of a piece; the rest is
 * read twice, in pieces and whole, and must give the same events.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const char *event, const char *id, struct sn_str data, void *ctx)
{
	struct sn_buf *seen = ctx;

	sn_buf_adds(seen, event);
	sn_buf_addc(seen, '\0');
	sn_buf_adds(seen, id != NULL ? id : "-");
	sn_buf_addc(seen, '\0');
	sn_buf_add(seen, data.p, data.n);
	sn_buf_addc(seen, '\0');
}

static int read_in_pieces(const char *text, size_t size, size_t piece, struct sn_buf *seen)
{
	struct sn_sse_reader *reader = sn_sse_reader_create(take, seen);
	int result = 0;

	for (size_t at = 0; at < size && result == 0; at += piece)
		result = sn_sse_reader_feed(reader,
					    (struct sn_str){text + at, SN_MIN(piece, size - at)});
	sn_sse_reader_destroy(reader);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_buf whole = {0}, pieces = {0};

	if (size < 2)
		return 0;
	if (read_in_pieces((const char *)data + 1, size - 1, size, &whole) == 0) {
		if (read_in_pieces((const char *)data + 1, size - 1, data[0] + 1U, &pieces) != 0)
			abort();
		if (whole.n != pieces.n || (whole.n > 0 && memcmp(whole.p, pieces.p, whole.n) != 0))
			abort();
	}
	sn_buf_finish(&whole);
	sn_buf_finish(&pieces);
	return 0;
}
