/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_job: a question about rows that is answered on a worker thread.
 *
 * Reading a store can take seconds, and the loop has nodes waiting for their
 * acknowledgement.  The job owns the question, the answer's text and, while it
 * runs, a store to read from; it frees itself when it has answered.
 */
#ifndef SONDE_HUB_API_ROWS_JOB_H
#define SONDE_HUB_API_ROWS_JOB_H

#include <stdatomic.h>

#include "hub/api/rows.h"
#include "hub/readers.h"
#include "hub/work.h"

struct sn_rows_job;
/*
 * On the thread: appends the answer (JSON) to job->text.  0, or a negative errno with
 * the reason in job->err: -EINVAL becomes `bad-cursor`, -EFBIG `too-many-rows`.
 */
typedef int sn_rows_job_fn(struct sn_rows_job *job);

struct sn_rows_job {
	struct sn_work work;
	struct sn_hub *hub;
	struct sn_http_request *request; /* of the loop; NULL once the client has gone away */
	struct sn_reader reader;
	sn_rows_job_fn *read;
	struct sn_rows_query *rows; /* may be NULL */
	char *cursor;               /* may be NULL */
	struct sn_buf text;
	struct sn_err err;
	atomic_bool gone; /* nobody waits any more: row functions return non-zero then */
	bool any;         /* an item was written */
	/* What single questions need besides. */
	char node[SN_ULID_SIZE];
	int64_t since_ns;
	unsigned points;
	void *question; /* freed with the job */
};

/* `rows` is taken over.  Fill in the rest, then start. */
struct sn_rows_job *sn_rows_job_create(struct sn_hub *hub, struct sn_http_request *request,
				       struct sn_rows_query *rows, sn_rows_job_fn *read);
void sn_rows_job_start(struct sn_rows_job *job);

#endif
