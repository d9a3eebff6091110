/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_day: the files of one day's dump, made at once or not at all.
 *
 *   DIR/2026/03/01/ping_2026-03-01.csv ...   a file per dataset that has rows, and form
 *   DIR/2026/03/01/SHA256SUMS                for sha256sum -c
 *   DIR/2026/03/01/index.json                what it has, which revision, of how many rows
 *
 * A day is written into a directory of another name, synced, and put in the place of
 * the one before in one step: whoever looks sees the one revision or the other, after
 * a crash, too.  What a crash leaves is removed by the next sn_dump_scan().
 */
#ifndef SONDE_HUB_DUMP_DAY_H
#define SONDE_HUB_DUMP_DAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "exchange/rows_writer.h"
#include "store/store.h"

#define SN_DUMP_FORMS_MAX   8
#define SN_DUMP_FORM_SIZE   16
#define SN_DUMP_NAME_SIZE   128
#define SN_DUMP_SHA256_SIZE 65
#define SN_DUMP_FILES_MAX   8192
#define SN_DUMP_DAY_SIZE    11 /* "2026-03-01" */

struct sn_dump_form { /* "csv", "csv.gz", "jsonl.zst", "parquet", "monroe" */
	char name[SN_DUMP_FORM_SIZE];
	enum sn_export_form form;
	enum sn_export_packing packing;
};
int sn_dump_form_parse(const char *text, struct sn_dump_form *form); /* -EINVAL */
int sn_dump_at_parse(const char *text, int64_t *ns);                 /* "02:00"; -EINVAL */

struct sn_dump_file {
	char dataset[64], form[SN_DUMP_FORM_SIZE], name[SN_DUMP_NAME_SIZE];
	uint64_t bytes, rows;
	char sha256[SN_DUMP_SHA256_SIZE];
};

struct sn_dump_day {       /* zeroed is none */
	int32_t day;       /* since 1970-01-01 */
	unsigned revision; /* from 1 */
	uint64_t rows;     /* of the day, of all datasets, when it was made */
	int64_t made_ns;
	struct sn_dump_file *files;
	size_t count;
};
void sn_dump_day_finish(struct sn_dump_day *day);
/* "2026-03-01"; "DIR/2026/03/01", malloc'ed. */
const char *sn_dump_day_text(int32_t day, char out[SN_DUMP_DAY_SIZE]);
int sn_dump_day_parse(struct sn_str text, int32_t *day); /* -EINVAL */
char *sn_dump_path(const char *dir, int32_t day);

struct sn_dump_plan {
	const char *dir;
	const struct sn_dataset *const *datasets;
	size_t dataset_count;
	const struct sn_dump_form *forms;
	size_t form_count;
	int64_t now_ns;
	const atomic_bool *stop; /* ends it with -ECANCELED */
};

/*
 * 0: made, `made` is filled in; 1: it would have the same files as `before` (may be NULL), which
 * stay; only the number of rows is noted.  On error nothing is left, and what was there before
 * stays.
 */
int sn_dump_make(const struct sn_dump_plan *plan, struct sn_store *store, int32_t day,
		 uint64_t rows, const struct sn_dump_day *before, struct sn_dump_day *made,
		 struct sn_err *err);

/* Every day below `dir`, which need not exist; what `fn` gets is its own.  Non-zero ends it. */
typedef int sn_dump_day_fn(struct sn_dump_day *day, void *ctx);
int sn_dump_scan(const char *dir, sn_dump_day_fn *fn, void *ctx, struct sn_err *err);
int sn_dump_remove(const char *dir, int32_t day, struct sn_err *err);

#endif
