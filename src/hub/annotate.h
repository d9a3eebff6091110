/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotate: rows get origin network and country of their addresses, from local MMDB files
 * (net/enrich.h), when they are stored (data/annotation.h says which columns).
 *
 * What a row has of its own stays: it was said by somebody nearer.  Private and other special
 * addresses belong nowhere.  Rows that were told something have the databases and their days
 * in the column `annotation`, so that it can be known later what said so.  Rows that are
 * stored already are not touched when the databases change.
 *
 * The databases can be read again at any time; broken ones change nothing, the last good
 * ones go on.
 */
#ifndef SONDE_HUB_ANNOTATE_H
#define SONDE_HUB_ANNOTATE_H

#include <jansson.h>

#include "base/conf.h"
#include "base/err.h"
#include "data/batch.h"
#include "data/columns.h"

struct sn_annotator;

/* `files` is borrowed; nothing is read yet.  From any thread, all of these. */
struct sn_annotator *sn_annotator_create(const struct sn_conf_texts *files);
void sn_annotator_destroy(struct sn_annotator *annotator); /* NULL is fine */
/* Reads the files, which takes as long as the disk.  An error keeps what there was. */
int sn_annotator_load(struct sn_annotator *annotator, struct sn_err *err);
/* What is wrong, or "". */
void sn_annotator_problem(struct sn_annotator *annotator, char *out, size_t size);
/* {"files", "version", "loaded", "problem"}: version is what rows have in `annotation`. */
json_t *sn_annotator_json(struct sn_annotator *annotator);

/* What one thread has found; to be asked by it only. */
struct sn_annotations;
struct sn_annotations *sn_annotations_create(struct sn_annotator *annotator);
void sn_annotations_destroy(struct sn_annotations *annotations);
void sn_annotate_batch(struct sn_annotations *annotations, struct sn_batch *batch);
void sn_annotate_columns(struct sn_annotations *annotations, struct sn_columns *columns);

#endif
