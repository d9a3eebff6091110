/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs: files the way durable programs need them.
 *
 * A path has one writer at a time: the temporary file of sn_fs_write_atomic() is
 * the path with ".tmp" behind it, so that a crash leaves at most one of them.
 */
#ifndef SONDE_BASE_FS_H
#define SONDE_BASE_FS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Whole file, refused above `max` bytes (-EFBIG); appended to `out`. */
int sn_fs_read(const char *path, size_t max, struct sn_buf *out, struct sn_err *err);
/* Temporary file, fsync, rename, fsync of the directory: the old or the new content, never a mix.
 */
int sn_fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode,
		       struct sn_err *err);
int sn_fs_mkdirs(const char *path, mode_t mode, struct sn_err *err);
/* Removes a tree below `path` (links are removed, not followed); absent is fine. */
int sn_fs_remove_tree(const char *path, struct sn_err *err);
bool sn_fs_exists(const char *path);
int sn_fs_sync_dir(const char *path, struct sn_err *err);
int64_t sn_fs_free_bytes(const char *path); /* space for unprivileged users; negative errno */
char *sn_fs_join(const char *dir, const char *name); /* malloc'ed */
/* Directory of the running program, malloc'ed: sibling programs are found there. */
char *sn_fs_self_dir(void);
/*
 * Exclusive lock file; the descriptor, or -EAGAIN with a text that names the holder's pid.  Waits
 * for one that is about to let go: 100 ms, and 2 s if the process that the file names is dead.
 * -ELOOP for a link: what it leads to would be overwritten.
 */
int sn_fs_lock(const char *path, struct sn_err *err);

#endif
