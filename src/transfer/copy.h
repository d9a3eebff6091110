/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy: a stream's files into a directory, as they are (MATH's handler "copy").
 *
 * What is there already is known from a journal in the directory, .math-<stream>, a line
 * "digest size path" for each file, written after the file has its name; so a copy that was
 * killed goes on where it was.  A file that changed at the other side is fetched again.
 */
#ifndef SONDE_TRANSFER_COPY_H
#define SONDE_TRANSFER_COPY_H

#include "transfer/link.h"

struct sn_math_copy;

struct sn_math_copy_config { /* borrowed */
	struct sn_math_link *link;
	const char *stream, *directory;
	bool local_time;
	int64_t start_s; /* older ones are left out; SN_MATH_TIME_UNKNOWN: none are */
	/* A file is there; may be NULL. */
	void (*on_file)(const char *path, const struct sn_math_fetched *fetched, void *ctx);
	/* Something of the list was left out; may be NULL. */
	void (*on_problem)(const char *text, void *ctx);
	void *ctx;
};

int sn_math_copy_open(const struct sn_math_copy_config *config, struct sn_math_copy **copy,
		      struct sn_err *err);
void sn_math_copy_close(struct sn_math_copy *copy); /* NULL is fine */

/* Fetches until nothing new is listed.  What could not be fetched was told, and is counted. */
int sn_math_copy_run(struct sn_math_copy *copy, uint64_t *failed, struct sn_err *err);

#endif
