/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_ledger: which files are in a store, by the SHA-256 of their bytes.
 *
 * A small SQLite file, "imports.db", beside the day files.  It says how an import was
 * begun, so that one that was cut off is gone on with in the same way, and how it ended.
 * It is a memory, not a promise: that rows are there once is the ledger of the day
 * files (store.h), and without this file an import finds all its parts stored.
 */
#ifndef SONDE_EXCHANGE_IMPORT_LEDGER_H
#define SONDE_EXCHANGE_IMPORT_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SN_IMPORT_DIGEST_SIZE  65  /* SHA-256 as hex digits */
#define SN_IMPORT_OPTIONS_SIZE 512 /* all that decides which rows a file gives, as text */

struct sn_import_entry {
	char options[SN_IMPORT_OPTIONS_SIZE];
	int64_t latest_ns; /* rows from after that were bad when it was begun */
	bool done;
	uint64_t rows, bad, parts;
	int32_t first_day, last_day; /* of the rows; since 1970-01-01 */
};

struct sn_import_ledger;

/* `dir`: of the store. */
int sn_import_ledger_open(const char *dir, struct sn_import_ledger **ledger, struct sn_err *err);
void sn_import_ledger_close(struct sn_import_ledger *ledger);

/* -ENOENT if that file was never begun. */
int sn_import_ledger_find(struct sn_import_ledger *ledger, const char *digest,
			  struct sn_import_entry *entry, struct sn_err *err);
/* Notes options and `latest_ns`, once; an entry that is there stays as it is, but not done. */
int sn_import_ledger_begin(struct sn_import_ledger *ledger, const char *digest, const char *name,
			   uint64_t bytes, const struct sn_import_entry *entry, int64_t now_ns,
			   struct sn_err *err);
int sn_import_ledger_end(struct sn_import_ledger *ledger, const char *digest,
			 const struct sn_import_entry *entry, int64_t now_ns, struct sn_err *err);
/* Nothing of it was stored: as if it had not been begun. */
int sn_import_ledger_forget(struct sn_import_ledger *ledger, const char *digest,
			    struct sn_err *err);

#endif
