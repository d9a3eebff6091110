/* SPDX-License-Identifier: Apache-2.0 */
/* A row for a prepared statement with a parameter per column: what the store is measured beside. */
#ifndef SONDE_TESTS_BENCH_BIND_ROW_H
#define SONDE_TESTS_BENCH_BIND_ROW_H

#include <sqlite3.h>

#include "data/batch.h"

static inline void bind_row(sqlite3_stmt *insert, const struct sn_value *row, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		int index = (int)i + 1;

		if (row[i].type == SN_TYPE_TEXT)
			sqlite3_bind_text(insert, index, row[i].s.p, (int)row[i].s.n,
					  SQLITE_STATIC);
		else if (row[i].type == SN_TYPE_F64)
			sqlite3_bind_double(insert, index, row[i].f);
		else if (row[i].type == SN_TYPE_NULL)
			sqlite3_bind_null(insert, index);
		else
			sqlite3_bind_int64(insert, index, row[i].i);
	}
}

#endif
