/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_internal: what the files of the tree share.
 *
 *   tree.c         what is known, and the answers
 *   tree_scan.c    looking a directory through
 *   tree_digest.c  SHA-256 of files, and the file that keeps them
 */
#ifndef SONDE_TRANSFER_TREE_INTERNAL_H
#define SONDE_TRANSFER_TREE_INTERNAL_H

#include <stdatomic.h>

#include "transfer/tree.h"

struct sn_math_file {
	char *path;
	int64_t time_s;
	uint64_t size, inode;
	int64_t mtime_ns;
	uint64_t number; /* in the order of appearance; 0: it has not appeared */
	bool digested;
	uint8_t digest[32];
};

struct sn_math_files { /* by time, then path */
	struct sn_math_file **items;
	size_t count, room;
};

struct sn_math_scan {
	const struct sn_math_tree_config *config;
	const atomic_bool *stop;
	int64_t now_ns;
	struct sn_math_files files;
	size_t newest;
	struct sn_err err; /* of what could not be read; the rest was */
};

int sn_math_file_order(const struct sn_math_file *a, const struct sn_math_file *b);
int sn_math_file_compare(const void *a, const void *b); /* of pointers, for qsort() */
void sn_math_file_free(struct sn_math_file *file);
void sn_math_files_add(struct sn_math_files *files, struct sn_math_file *file);

/* All files of `dir` that belong to the tree, in order; -ECANCELED, or `dir` cannot be read. */
int sn_math_scan(int dir, struct sn_math_scan *scan);

/* 0: `file` has its digest; -ESTALE: it changed meanwhile; -ECANCELED. */
int sn_math_digest(int dir, struct sn_math_file *file, const atomic_bool *stop);

/* Digests of before. */
struct sn_math_digests;
struct sn_math_digests *sn_math_digests_open(const char *path, struct sn_err *err);
void sn_math_digests_close(struct sn_math_digests *digests);
bool sn_math_digests_find(const struct sn_math_digests *digests, struct sn_math_file *file);
void sn_math_digests_add(struct sn_math_digests *digests, const struct sn_math_file *file);

#endif
