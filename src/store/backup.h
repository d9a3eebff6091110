/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup: the whole state of a hub in another directory, while it runs, and back.
 *
 *   BACKUP/manifest.json        what belongs to it: path, kind, bytes, SHA-256, mode of each file
 *   BACKUP/data/<run>/<path>    the files; one that has not changed stays where an earlier run put
 *                               it
 *   BACKUP/run.jsonl            what a run has copied so far; gone when it is over
 *
 * Databases are copied with SQLite's backup interface in one read transaction: each is as it was
 * at one moment, and nobody who writes waits.  Rows that were acknowledged when a run begins are in
 * it; of those that come meanwhile some are.  The manifest is written last and at once: a run that
 * was interrupted leaves the backup before it as it was, and the next one goes on from what this
 * one has copied.  Keys, tokens and databases have mode 0600 as in the state, the directories 0700:
 * whoever can read a backup can be the hub.
 *
 * A restored day file goes on with numbers of rows and ids of blocks that the original has not
 * given: what it got after the backup may be elsewhere under those.
 *
 * Any thread, one run per directory.
 */
#ifndef SONDE_STORE_BACKUP_H
#define SONDE_STORE_BACKUP_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"

#define SN_BACKUP_FILES_MAX    1000000
#define SN_BACKUP_MANIFEST_MAX (256 << 20) /* bytes */
#define SN_BACKUP_PATH_MAX     512

enum sn_backup_kind { SN_BACKUP_DAY, SN_BACKUP_CONTROL, SN_BACKUP_FILE, SN_BACKUP_POLICY };

struct sn_backup_entry {
	char *path;  /* in the state, or "policy" for a file that is outside of it */
	char *place; /* in the backup */
	enum sn_backup_kind kind;
	uint64_t bytes;
	char sha256[65];
	mode_t mode;
	char stamp[64]; /* sizes and times of change of the original */
};

struct sn_manifest {
	uint64_t run; /* number of the run that wrote it */
	int64_t made_ns;
	struct sn_backup_entry *entries;
	size_t count;
	struct sn_map *by_path; /* to the number of the entry, from 1 */
};

/* -ENOENT: there is none; -EINVAL: it is none, or refers to something that it may not. */
int sn_manifest_read(const char *directory, struct sn_manifest *manifest, struct sn_err *err);
int sn_manifest_write(const char *directory, const struct sn_manifest *manifest,
		      struct sn_err *err);
void sn_manifest_finish(struct sn_manifest *manifest);
/* A copy of `entry`. */
struct sn_backup_entry *sn_manifest_add(struct sn_manifest *manifest,
					const struct sn_backup_entry *entry);
struct sn_backup_entry *sn_manifest_find(const struct sn_manifest *manifest, const char *path);

/* How far it is, to be read by other threads, and how it is ended: then the call is -ECANCELED. */
struct sn_backup_watch {
	_Atomic uint64_t done, total; /* bytes */
	atomic_bool stop;
};

struct sn_backup_options {
	const char *state, *directory;
	const char *policy; /* a file outside of the state; NULL */
	bool full;          /* copy what has not changed, too */
};

struct sn_backup_sum {
	uint64_t files, bytes;         /* of the backup */
	uint64_t copied, copied_bytes; /* by this run */
};

/* -ENOTEMPTY: the directory holds something else; -EEXIST: it is in the state, or around it. */
int sn_backup_make(const struct sn_backup_options *options, struct sn_backup_watch *watch,
		   struct sn_backup_sum *sum, struct sn_err *err);

struct sn_restore_options {
	const char *directory, *state;
	bool force;   /* what is in the state now is moved to <state>.before-<time> */
	bool dry_run; /* verify only */
};

/*
 * Verifies all digests, then makes the state beside its place and renames it there.  -EUCLEAN: a
 * file is not what the manifest says; -ENOTEMPTY: the state holds something; -EAGAIN: a hub is
 * running on it.  `aside` (may be NULL) receives where the former state is, malloc'ed, or NULL.
 */
int sn_restore(const struct sn_restore_options *options, struct sn_backup_watch *watch,
	       struct sn_backup_sum *sum, char **aside, struct sn_err *err);

/* Internal to backup*.c and restore.c ------------------------------------------------------ */

json_t *sn_backup_entry_json(const struct sn_backup_entry *entry);
/* An entry as a line of JSON takes the place of the one of its path; a line that is none is
 * nothing. */
void sn_backup_entry_take(struct sn_str line, struct sn_manifest *manifest);
/* Copies a file, and gives size and digest of what was copied. */
int sn_backup_copy(const char *from, const char *to, mode_t mode, struct sn_backup_watch *watch,
		   struct sn_backup_entry *entry, struct sn_err *err);
int sn_backup_digest(const char *path, struct sn_backup_watch *watch, uint64_t *bytes,
		     char sha256[65], struct sn_err *err);

#endif
