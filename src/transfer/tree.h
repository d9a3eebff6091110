/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: the log files below a directory, in the order of their times, with their digests.
 *
 * A thread looks the directory through again and again and computes SHA-256 of what is new;
 * everybody else asks what it knows, at any time and from any thread.  Files are found in
 * directories called YYYY_MM_DD_HH_MM.out (transfer/path.h); links are not followed.  Those
 * of the newest directory are still being written: they are no part of the tree until a
 * newer one is there, or, if so asked, until they have stood still for a while.
 *
 * A file appears in the list with details once its digest is known.  Entries are numbered in
 * the order of their appearance, so that whoever has read the list needs only what was added
 * since: a token says up to where.  A file that changes appears again.
 *
 * Digests are kept by (path, size, time of change, inode), and with a file to keep them in,
 * over restarts, too.
 */
#ifndef SONDE_TRANSFER_TREE_H
#define SONDE_TRANSFER_TREE_H

#include "base/buf.h"
#include "base/err.h"
#include "transfer/list.h"

#define SN_MATH_TREE_MAX   2000000 /* files */
#define SN_MATH_TOKEN_SIZE 40

struct sn_math_tree;

struct sn_math_tree_config { /* texts are copied */
	const char *directory;
	const char *names;   /* files whose name begins with it; NULL: all */
	const char *digests; /* file that keeps them; NULL: none */
	bool local_time;
	int64_t start_s;      /* older ones are left out; SN_MATH_TIME_UNKNOWN: none are */
	uint64_t interval_ns; /* between two looks; 0: a second */
	uint64_t settle_ns;   /* newest ones count, too, after so long without a change; 0: never */
	void (*on_problem)(const char *text, void *ctx); /* from the thread; may be NULL */
	void *ctx;
};

/* Looks once, without digests, so that the list is there when this returns. */
int sn_math_tree_create(const struct sn_math_tree_config *config, struct sn_math_tree **tree,
			struct sn_err *err);
void sn_math_tree_destroy(struct sn_math_tree *tree); /* NULL is fine */

struct sn_math_tree_stats {
	size_t files, digested, newest; /* newest: left out because they may grow */
	uint64_t bytes;
};
void sn_math_tree_stats(struct sn_math_tree *tree, struct sn_math_tree_stats *stats);

/* Where a reader of the list stands; zeroed: at the beginning. */
struct sn_math_cursor {
	bool detailed; /* wants objects */
	bool changes;  /* what was added behind `number`, instead of all in the order of time */
	uint64_t number, upto;
	int64_t time_s;
	char path[SN_MATH_PATH_MAX + 1];
	bool begun;
	size_t left; /* entries that it still wants */
	bool more;   /* there were more than it wanted */
};
/* Sets it up; `since` is a token of before (NULL: none; one that is no good: all), `limit` 0: all.
 * `token` says how far this list goes; only lists with details have one. */
void sn_math_tree_begin(struct sn_math_tree *tree, bool detailed, const char *since, size_t limit,
			struct sn_math_cursor *cursor);
/* Appends up to `count` entries: 1 for more, 0 at the end. */
int sn_math_tree_read(struct sn_math_tree *tree, struct sn_math_cursor *cursor, size_t count,
		      struct sn_buf *out);
/* How far a list of changes went that is read to its end. */
void sn_math_tree_token(struct sn_math_tree *tree, const struct sn_math_cursor *cursor,
			char token[SN_MATH_TOKEN_SIZE]);

struct sn_math_opened {
	int fd;
	uint64_t size;
	int64_t mtime_ns;
	char sha256[SN_MATH_DIGEST_SIZE]; /* "" if not known, or of another state of the file */
};
/* Only what is in the list; -ENOENT, or why it cannot be opened. */
int sn_math_tree_open(struct sn_math_tree *tree, struct sn_str path, struct sn_math_opened *opened);

/* Opens `path` beneath `dir`, no link followed on the way: a regular file or -ENOENT, -ELOOP... */
int sn_math_open_beneath(int dir, struct sn_str path);

#endif
