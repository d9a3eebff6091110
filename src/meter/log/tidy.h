/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidy: old directories of logs: removed, kept, compressed.
 *
 * Internal to log/.  Nothing but directories with names of Tstat's form is touched.
 */
#ifndef SONDE_METER_LOG_TIDY_H
#define SONDE_METER_LOG_TIDY_H

#include "meter/log/epoch.h"

/* The directory and all in it; absent is fine.  Links are removed, not followed. */
int sn_tidy_remove(int parent, const char *name);
/*
 * `present` and the newest others by name stay, `keep` in all.  Others may have names of a later
 * time: each change of what is logged takes the next minute, and clocks are set back.
 */
int sn_tidy_keep(int parent, const char *present, unsigned keep);

/*
 * Files of finished directories become FILE.gz, a piece of the work with each call: so many bytes,
 * of one file or of several small ones.
 */
#define SN_TIDY_PIECE (256 * 1024)

struct sn_tidy;
struct sn_tidy *sn_tidy_create(int parent); /* borrowed */
/* What is not done stays uncompressed; call sn_tidy_work() until it is false before. */
void sn_tidy_destroy(struct sn_tidy *tidy); /* NULL is fine */
void sn_tidy_add(struct sn_tidy *tidy, const char *name);
/* One piece; false when there is nothing to do.  A file that cannot be compressed stays as it is.
 */
bool sn_tidy_work(struct sn_tidy *tidy);

#endif
