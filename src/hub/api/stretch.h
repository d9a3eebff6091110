/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stretch: questions about all rows of a stretch of time: what charts and lists of
 * the weightiest are made of.
 */
#ifndef SONDE_HUB_API_STRETCH_H
#define SONDE_HUB_API_STRETCH_H

#include "hub/api/rows_job.h"

#define SN_STRETCH_ROWS_MAX 2000000

/* As sn_rows_read(), from the oldest, with both ends: the last hour if none are given. */
struct sn_rows_query *sn_stretch_read(struct sn_hub *hub, struct sn_http_request *request);
/* On the job's thread: every row; -EFBIG beyond the limit. */
int sn_stretch_each(struct sn_rows_job *job, void (*fn)(const struct sn_value *row, void *ctx),
		    void *ctx);

#endif
