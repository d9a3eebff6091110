/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotate_files: the hub's MMDB files, read at start, on SIGHUP, and when another file has
 * taken the place of one.  Reading goes through the whole of a file and is done on a thread.
 */
#ifndef SONDE_HUB_ANNOTATE_FILES_H
#define SONDE_HUB_ANNOTATE_FILES_H

#include "base/err.h"

struct sn_hub;

/* Makes hub->annotator.  Files that cannot be used are a problem of the hub, no error here. */
int sn_annotate_open(struct sn_hub *hub, struct sn_err *err);
void sn_annotate_close(struct sn_hub *hub);
/* From time to time: are they still the same? */
void sn_annotate_look(struct sn_hub *hub);

#endif
