/* SPDX-License-Identifier: Apache-2.0 */
/* Files into a store, whole way, beside the import of the sqlite3 program. */
#ifndef SONDE_TESTS_BENCH_IMPORT_STORE_H
#define SONDE_TESTS_BENCH_IMPORT_STORE_H

#include "base/str.h"
#include "data/tstat/columns.h"

struct bench_imported {
	double seconds;       /* of processor time; of two at once: of the clock */
	double bytes_per_row; /* in the day files, journals emptied */
};

/* `name`: of the file, which says its form. */
struct bench_imported bench_import(const char *name, struct sn_str text, size_t rows);
/* The same text twice, two days apart, by two processes or one after the other: clock time. */
double bench_import_two(const char *name, struct sn_str first, struct sn_str second, bool at_once);
/* A table with the columns and types of the log, filled by `.import`; negative without sqlite3. */
struct bench_imported bench_sqlite3(const struct sn_tstat_table *table, struct sn_str text,
				    size_t rows);

#endif
