/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor: where a page of rows ended, as text that people hand back to us.
 *
 * It holds the last row's place and a mark of the query that it belongs to, so
 * that it is refused by any other query.  Exactly one text stands for a cursor.
 */
#ifndef SONDE_STORE_CURSOR_H
#define SONDE_STORE_CURSOR_H

#include "store/store.h"

struct sn_cursor {
	uint32_t mark; /* of dataset, order and filters; see sn_cursor_mark() */
	int64_t time_ns, rowid;
};

#define SN_CURSOR_TEXT_SIZE 43

char *sn_cursor_encode(const struct sn_cursor *cursor, char out[SN_CURSOR_TEXT_SIZE]);
/* 0, or -EINVAL for anything that sn_cursor_encode() does not write. */
int sn_cursor_decode(struct sn_str text, struct sn_cursor *cursor);
/* The time range is left out: "the last hour" moves between two pages. */
uint32_t sn_cursor_mark(const struct sn_query *query);

#endif
