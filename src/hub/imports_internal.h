/* SPDX-License-Identifier: Apache-2.0 */
/* imports_internal: a job between the loop (imports.c) and its thread (imports_run.c). */
#ifndef SONDE_HUB_IMPORTS_INTERNAL_H
#define SONDE_HUB_IMPORTS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "base/rand.h"
#include "exchange/importer.h"
#include "hub/derived.h"
#include "hub/hub.h"
#include "hub/imports.h"

struct sn_imports {
	struct sn_hub *hub;
	struct sn_list jobs; /* waiting and running, oldest first */
	unsigned running, waiting;
	uv_async_t *wake; /* threads have something to say */
	bool closing;
};

/* What a thread wants of the loop: rows of an mPlane message. */
struct sn_import_ask {
	const json_t *message; /* NULL: nothing is asked */
	struct sn_derived_rows rows;
	struct sn_err err;
	bool answered;
};

struct sn_import_job {
	struct sn_list link;
	struct sn_imports *imports;
	/* Set before the thread starts, then only read. */
	char id[SN_ULID_SIZE], upload[SN_ULID_SIZE], digest[SN_IMPORT_DIGEST_SIZE];
	char *name, *path, *node, *store_dir;
	enum sn_form form;
	const struct sn_dataset *dataset;
	bool strict;
	int64_t created_ns;

	pthread_t thread;
	bool running;
	atomic_bool stop, ended;
	bool cancelled; /* by a person; loop */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	/* Under the lock. */
	struct sn_import_report report;
	struct sn_import_ask ask;
	/* The thread's, and the loop's once it has ended. */
	int rc;
	struct sn_err err;
	struct sn_annotations *annotations; /* the thread's */
	struct sn_buf bad;                  /* lines that wait to be put into quarantine */
	struct sn_buf head;                 /* lines that stand before all others */
	uint64_t bad_line, bad_count, bad_bytes;
	char bad_reason[SN_IMPORT_REASON_MAX];
};

/* imports_run.c: the thread. */
void *sn_import_run(void *job);
/* On the loop: answers what threads ask. */
void sn_import_answer(struct sn_import_job *job);
/* Items of quarantine run again, on a thread. */
int sn_import_retry(const struct sn_quarantine_copy *copy, size_t *rows, void *hub,
		    struct sn_err *err);

#endif
