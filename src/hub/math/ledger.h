/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: which files of a stream are here, and how far it is; a SQLite file per stream.
 *
 * A file is known by path and digest, not by its time: one that comes late is fetched, too,
 * and one that changed is seen to have changed.  What is noted is noted once its rows are in
 * the store; a file whose import was cut off is imported again, which the store's ledger makes
 * harmless.
 *
 * Belongs to the stream's thread.
 */
#ifndef SONDE_HUB_MATH_LEDGER_H
#define SONDE_HUB_MATH_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "transfer/list.h"

enum sn_math_outcome {
	SN_MATH_IMPORTED,
	SN_MATH_DAMAGED, /* the rows before the damage are stored */
	SN_MATH_REFUSED, /* nothing is */
};

struct sn_math_note {
	const char *path, *sha256; /* "" for one that never came */
	uint64_t size, rows, bad_lines;
	int64_t time_s;
	enum sn_math_outcome outcome;
	const char *reason; /* of the last two; NULL */
};

struct sn_math_totals {
	uint64_t files, bad_files, rows, bad_lines, bytes, late;
	int64_t position_s; /* time of the newest file; SN_MATH_TIME_UNKNOWN: none yet */
};

struct sn_math_ledger;

int sn_math_ledger_open(const char *path, struct sn_math_ledger **ledger, struct sn_err *err);
void sn_math_ledger_close(struct sn_math_ledger *ledger); /* NULL is fine */
/* The file and what SQLite has beside it. */
void sn_math_ledger_remove(const char *path);

enum sn_math_known { SN_MATH_UNKNOWN, SN_MATH_KNOWN, SN_MATH_CHANGED };
/* Without a digest: by the path alone. */
int sn_math_ledger_find(struct sn_math_ledger *ledger, const struct sn_math_entry *entry,
			enum sn_math_known *known, struct sn_err *err);
/* Before rows of that content go into the store; `again`: it was begun before, and not noted. */
int sn_math_ledger_begin(struct sn_math_ledger *ledger, const char *sha256, bool *again,
			 struct sn_err *err);
/* File and position at once; `totals` are brought up to date. */
int sn_math_ledger_note(struct sn_math_ledger *ledger, const struct sn_math_note *note,
			int64_t now_ns, struct sn_math_totals *totals, struct sn_err *err);
int sn_math_ledger_totals(struct sn_math_ledger *ledger, struct sn_math_totals *totals,
			  struct sn_err *err);

#endif
