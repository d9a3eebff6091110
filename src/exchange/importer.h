/* SPDX-License-Identifier: Apache-2.0 */
/*
 * importer: a file of others into a store, exactly once.
 *
 * A file is known by the SHA-256 of its bytes.  Its rows go into the store in parts
 * (parts.h), each as a batch of the store's ledger, so an import that was killed at any
 * point is gone on with by starting it again: parts that are there are passed over.  The
 * same file a second time stores nothing and is told as a duplicate, by whatever name.
 *
 * Bad lines do not stop an import: they are counted, the first ones reported, all of
 * them handed out.  Rows of times far off (clocks that were never set, numbers of another
 * unit) are bad lines.  A file that changes while it is read is refused (-EAGAIN).
 *
 * Blocking; one importer per thread.  Memory does not grow with the file.
 */
#ifndef SONDE_EXCHANGE_IMPORTER_H
#define SONDE_EXCHANGE_IMPORTER_H

#include <jansson.h>

#include "exchange/file_form.h"
#include "exchange/import_ledger.h"
#include "exchange/intake.h"

#define SN_IMPORT_SAMPLES_MAX 10 /* bad lines with their reason in a report */
#define SN_IMPORT_REASON_MAX  160
/* Rows from before that, or from more than so much after the import began, are far off. */
#define SN_IMPORT_OLDEST_NS (631152000 * SN_NS_PER_S) /* 1990-01-01 */
#define SN_IMPORT_AHEAD_NS  (86400 * SN_NS_PER_S)
#define SN_IMPORT_BUSY_NS   (60 * SN_NS_PER_S) /* how long a locked file is waited for */

enum sn_import_phase { SN_IMPORT_DIGEST, SN_IMPORT_ROWS, SN_IMPORT_DONE };

struct sn_import_report {
	enum sn_import_phase phase;
	char digest[SN_IMPORT_DIGEST_SIZE];
	enum sn_form form;
	const char *dataset;   /* that all rows have by their form; NULL: each says */
	uint64_t bytes, taken; /* of the file; in the phase at hand */
	struct sn_intake_counts counts;
	uint64_t parts, parts_known; /* written or found; of these, in the store before */
	int64_t first_ns, last_ns;   /* of the rows; INT64_MAX and INT64_MIN if there are none */
	bool duplicate;              /* the file was in the store already */
	bool resumed;                /* it had been begun */
	unsigned sample_count;
	struct {
		uint64_t line;
		char reason[SN_IMPORT_REASON_MAX];
	} samples[SN_IMPORT_SAMPLES_MAX];
};

struct sn_import_options {
	enum sn_form form;
	const char *name; /* what the file is called; NULL: as its path says */
	/*
	 * Of CSV and JSON Lines; of MONROE's records without a DataId.  NULL: as the name of the
	 * file says.
	 */
	const struct sn_dataset *dataset;
	const char *node;   /* for rows of Tstat's logs; NULL: none */
	bool strict;        /* MONROE: sn_monroe_options */
	const char *digest; /* of the file, if it is known; then it is nobody's but the caller's */
	int64_t now_ns;     /* wall clock */

	/* Both may be NULL.  Non-zero ends the import: -ECANCELED, to be gone on with. */
	int (*progress)(const struct sn_import_report *report, void *ctx);
	void (*bad)(const struct sn_bad_line *bad, void *ctx);
	/* Fills in what rows lack before they are stored, never their times; may be NULL. */
	void (*annotate)(struct sn_columns *rows, void *ctx);
	/*
	 * Rows of an mPlane result or envelope, to `intake`, and their number; the datasets of
	 * mPlane are the hub's.  -EINVAL: it cannot be read.  NULL: files of mPlane are refused.
	 */
	int (*derive)(const json_t *message, const struct sn_intake *intake, size_t *rows,
		      void *ctx, struct sn_err *why);
	void *ctx;
};

struct sn_importer;

/* `dir`: of the store; NULL: files are read and nothing is stored. */
int sn_importer_open(const char *dir, struct sn_importer **importer, struct sn_err *err);
void sn_importer_close(struct sn_importer *importer);

/*
 * 0 when all of the file is in the store (report->duplicate: it was before).  What was found of it
 * is in `report` after errors, too: -EINVAL (no form, not this form, or begun in another way),
 * -EAGAIN (it changes), -EBADMSG and -ENODATA (damaged, cut: the rows before are stored), -EFBIG
 * (unpacks to too much), -ECANCELED, and errors of reading and storing.
 */
int sn_importer_file(struct sn_importer *importer, const char *path,
		     const struct sn_import_options *options, struct sn_import_report *report,
		     struct sn_err *err);

/* SHA-256 of a file; `progress` as above, with `report` kept up to date. */
int sn_import_digest(const char *path, const struct sn_import_options *options,
		     struct sn_import_report *report, struct sn_err *err);

#endif
