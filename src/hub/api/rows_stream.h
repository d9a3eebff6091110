/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows_stream: all rows that a question asks for, in one of the forms of
 * exchange/rows_writer.h, as fast as the client takes them (hub/streams.h).
 *
 * The store is read in pages.  A page is one transaction, and as rows are written
 * while it is open, a slow client may hold it up for a second only: then it is
 * closed, and the next one goes on behind the last row.
 */
#ifndef SONDE_HUB_API_ROWS_STREAM_H
#define SONDE_HUB_API_ROWS_STREAM_H

#include "exchange/rows_writer.h"
#include "hub/api/rows.h"

struct sn_rows_stream {
	enum sn_export_form form;
	enum sn_export_packing packing;
	uint64_t limit;   /* UINT64_MAX: all */
	const char *file; /* name for browsers to save it; NULL: none */
};

/* Answers the request; `rows` is taken over. */
void sn_rows_stream(struct sn_hub *hub, struct sn_http_request *request, struct sn_rows_query *rows,
		    const struct sn_rows_stream *stream);

#endif
