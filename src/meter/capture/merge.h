/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge: several captures of the same time as one, in the order of their time stamps.
 *
 * The order within a file is kept, also where its clock goes back; packets of the same time come in
 * the order of the files.  Each packet tells in `source` which file it is from.
 */
#ifndef SONDE_METER_CAPTURE_MERGE_H
#define SONDE_METER_CAPTURE_MERGE_H

#include <stddef.h>

#include "base/err.h"
#include "meter/capture/file.h"

/* Each needs a descriptor and a window of half a megabyte. */
#define SN_CAPTURE_MERGE_MAX 1024

struct sn_capture_merge;

/*
 * Takes the files over, which are open and unread; `source` of the packets of the first is
 * `first_source`, and so on.  -E2BIG: too many.
 */
int sn_capture_merge_create(struct sn_capture_file *const *files, size_t count,
			    uint16_t first_source, struct sn_capture_merge **merge,
			    struct sn_err *err);
void sn_capture_merge_destroy(struct sn_capture_merge *merge); /* NULL is fine */

/* As sn_capture_file_share(), for all that can; the pool gets as many more windows as it needs. */
void sn_capture_merge_share(struct sn_capture_merge *merge, struct sn_windows *windows);

/*
 * As sn_capture_file_read().  After an error call again: the file it names is left out from where
 * it is damaged, the others go on.
 */
int sn_capture_merge_read(struct sn_capture_merge *merge, struct sn_packet *packets, int max,
			  struct sn_err *err);

/* For progress: the sums over the files. */
uint64_t sn_capture_merge_offset(const struct sn_capture_merge *merge);
uint64_t sn_capture_merge_size(const struct sn_capture_merge *merge); /* 0: one is unknown */

#endif
