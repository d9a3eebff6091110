/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: what has become of each task, over restarts: iterations.json.
 *
 * It is written after the rows of what it calls complete are in the spool, never
 * before.  A crash in between leaves rows that it does not know of; they are looked
 * for at the next start, in the batches from `next_batch` on (recover.h), and count
 * as complete.
 *
 * A task that has come to its end stays here until the hub does not list it any
 * more, so that it is not run again, and its report is sent until the hub has it.
 */
#ifndef SONDE_NODE_TASKS_JOURNAL_H
#define SONDE_NODE_TASKS_JOURNAL_H

#include "base/err.h"
#include "node/tasks/course.h"
#include "node/tasks/set.h"

#define SN_JOURNAL_FILE_MAX   (4 * 1024 * 1024)
#define SN_JOURNAL_STREAM_MAX 64

enum sn_final { SN_FINAL_NONE, SN_FINAL_DONE, SN_FINAL_FAILED };

struct sn_record {
	char id[SN_TASK_ID_MAX];
	struct sn_course course;
	bool begun;     /* a process was started for it, once */
	bool succeeded; /* an iteration went well */
	enum sn_final final;
	char error[SN_ERR_TEXT_MAX]; /* of the last iteration that went wrong, or of the whole */
	uint64_t behind;             /* final: its rows are in batches below this number */
	bool settled;                /* final: `behind` is known */
	bool reported;               /* final: the hub knows, or does not want to */
	uint64_t reported_ns;        /* monotonic; 0: in another life */
	bool told_running;           /* in this life; not kept */
	bool listed;                 /* for sn_journal_prune() */
};

struct sn_journal {
	char stream[SN_JOURNAL_STREAM_MAX]; /* of the spool that `next_batch` is of */
	uint64_t next_batch;
	struct sn_record **items;
	size_t count;
};

/* Zeroed is empty. -EINVAL leaves it so. */
int sn_journal_parse(const void *data, size_t size, struct sn_journal *journal, struct sn_err *err);
void sn_journal_format(const struct sn_journal *journal, struct sn_buf *out);
void sn_journal_finish(struct sn_journal *journal);

struct sn_record *sn_journal_find(const struct sn_journal *journal, const char *id);
/* A new one if there is none. */
struct sn_record *sn_journal_get(struct sn_journal *journal, const char *id, int64_t now_ns);
/* As if it had never been there. */
void sn_journal_forget(struct sn_journal *journal, const char *id);
/* Forgets all that are not `listed`. */
void sn_journal_prune(struct sn_journal *journal);

#endif
