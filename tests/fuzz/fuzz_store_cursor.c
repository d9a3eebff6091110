/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is taken as a cursor is the one text for its place. */
#include <assert.h>
#include <string.h>

#include "store/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size};
	struct sn_cursor cursor, again;
	char encoded[SN_CURSOR_TEXT_SIZE];

	if (sn_cursor_decode(text, &cursor) != 0)
		return 0;
	sn_cursor_encode(&cursor, encoded);
	assert(sn_str_eqc(text, encoded));
	assert(sn_cursor_decode(sn_str(encoded), &again) == 0);
	assert(again.mark == cursor.mark && again.time_ns == cursor.time_ns &&
	       again.rowid == cursor.rowid);
	return 0;
}
