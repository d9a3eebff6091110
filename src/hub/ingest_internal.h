/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the loop's side of the ingest (ingest.c) and its thread (ingest_writer.c).
 *
 * A job belongs to one of them at a time: to the loop until sn_writer_put(), to the thread
 * until sn_writer_take() gives it back.  What is only the loop's (request, node, done) the
 * thread does not touch.
 */
#ifndef SONDE_HUB_INGEST_INTERNAL_H
#define SONDE_HUB_INGEST_INTERNAL_H

#include "base/list.h"
#include "hub/ingest.h"

#define SN_STREAM_SIZE 33 /* 32 hex digits */

struct sn_ingest_job {
	struct sn_list link;

	/* The loop's. */
	struct sn_http_request *request; /* NULL once the sender has gone away */
	struct sn_node *node;            /* NULL: of none of ours */
	sn_ingest_done_fn *done;         /* of sn_ingest_put() */
	void *ctx;

	/* What came. */
	char *source; /* node's id */
	char *stream;
	uint64_t seq;
	uint8_t digest[32]; /* as claimed */
	char *dataset;      /* "ping/1"; NULL with a batch from the start */
	uint64_t rows_claimed;
	struct sn_buf body; /* with a dataset */

	/* What became of it. */
	struct sn_batch *batch;
	size_t rows;
	enum sn_ingest_result result;
	int64_t quarantined; /* number of the item */
	struct sn_err err;   /* the reason, unless it is stored */
};
void sn_ingest_job_destroy(struct sn_ingest_job *job);

struct sn_writer;

/* What a group cost, for the loop's statistics. */
struct sn_writer_news {
	struct sn_list jobs; /* in the order in which they were put in */
	uint64_t commits;
	double commit_seconds;
	bool any_commit, failing; /* the last one */
};

/* `news` is called on the thread when there is something to take. */
int sn_writer_start(const struct sn_ingest_config *config, void (*news)(void *ctx), void *ctx,
		    struct sn_writer **writer, struct sn_err *err);
/* Ends when all that was put in is done; what is not taken yet can be taken still. */
void sn_writer_stop(struct sn_writer *writer);
void sn_writer_destroy(struct sn_writer *writer);
void sn_writer_put(struct sn_writer *writer, struct sn_ingest_job *job);
void sn_writer_take(struct sn_writer *writer, struct sn_writer_news *news);

#endif
