/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: what there is to import below a directory, in the order of names.
 *
 * Links are not followed, hidden names and files whose names are of no known form are passed
 * over and counted.
 */
#ifndef SONDE_EXCHANGE_FILES_H
#define SONDE_EXCHANGE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define SN_FILES_MAX       1000000
#define SN_FILES_DEPTH_MAX 32

struct sn_files { /* zeroed is empty */
	char **paths;
	size_t count, capacity;
	size_t other; /* files of no known form */
};

/*
 * A file as it is, a directory with all below it.  `leave_newest`: of each directory the file that
 * changed last is left out, as whoever writes logs goes on with it.  -ENOENT, -E2BIG.
 */
int sn_files_add(struct sn_files *files, const char *path, bool leave_newest, struct sn_err *err);
void sn_files_finish(struct sn_files *files);

/* Pure: does the name say that it can be imported? */
bool sn_files_is_known(const char *name);

#endif
