/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_stream: all rows that a question asks for, as JSON Lines or CSV, as fast as
 * the client takes them and without holding them.
 *
 * It runs on the loop in small steps: the time asked for is cut into slices whose
 * length follows how long one takes, so that a filter that nothing passes does not
 * keep the loop from its nodes.
 */
#ifndef SONDE_HUB_API_ROWS_STREAM_H
#define SONDE_HUB_API_ROWS_STREAM_H

#include "hub/api/rows.h"

/* Answers the request; `rows` is taken over. */
void sn_rows_stream(struct sn_hub *hub, struct sn_http_request *request, struct sn_rows_query *rows,
		    bool csv);

/* Pure: the length of the next slice after one of this length took so long. */
int64_t sn_rows_next_slice(int64_t slice_ns, uint64_t took_ns);

#endif
