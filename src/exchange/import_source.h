/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_source: the readers of all forms behind one face.
 *
 * Internal to exchange/: importer.c reads through it.
 */
#ifndef SONDE_EXCHANGE_IMPORT_SOURCE_H
#define SONDE_EXCHANGE_IMPORT_SOURCE_H

#include "exchange/file_form.h"
#include "exchange/intake.h"
#include "exchange/mplane_file.h"

struct sn_import_source;

struct sn_import_source_spec {
	const char *path, *name;
	struct sn_form_found found;
	const struct sn_dataset *dataset;
	const char *node;
	bool strict;
	sn_mplane_derive_fn *derive;
	void *ctx;
	const struct sn_intake *intake; /* borrowed, as the texts are */
};

/* -EINVAL for what cannot be read in this form; strict ones have been gone through once. */
int sn_import_source_open(const struct sn_import_source_spec *spec,
			  struct sn_import_source **source, struct sn_err *err);
void sn_import_source_close(struct sn_import_source *source);
/* 1 more, 0 the end, negative as the readers say. */
int sn_import_source_read(struct sn_import_source *source, size_t rows_max, struct sn_err *err);
const struct sn_intake_counts *sn_import_source_counts(const struct sn_import_source *source);
uint64_t sn_import_source_taken(const struct sn_import_source *source);      /* bytes of the file */
const char *sn_import_source_dataset(const struct sn_import_source *source); /* NULL: many */

#endif
