/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clickhouse_http: one request after the other to a ClickHouse server, and what its
 * answers mean.
 *
 * Internal to store/clickhouse*.  Blocks; one thread.  A connection is kept for the next
 * request.  libcurl repeats a request on a new connection when a kept one turns out to be
 * dead; of a statement that changes something the server may have got a part by then, so its
 * body cannot be rewound and the request fails instead.
 *
 * Errors of the server stand in the body: with a status of their own, or, when it had begun
 * to answer, behind status 200, with a header or without.  All are recognised.
 */
#ifndef SONDE_STORE_CLICKHOUSE_HTTP_H
#define SONDE_STORE_CLICKHOUSE_HTTP_H

#include "store/clickhouse.h"

#include "base/buf.h"

/* Codes of ClickHouse that we have to know (ErrorCodes.cpp). */
enum {
	SN_CLICKHOUSE_DUPLICATE_COLUMN = 44,
	SN_CLICKHOUSE_UNKNOWN_TABLE = 60,
	SN_CLICKHOUSE_TIMEOUT_EXCEEDED = 159,
};

struct sn_clickhouse_http;

/* -EINVAL: `options` cannot be used.  The database of the URL: `database`, to be freed. */
int sn_clickhouse_http_create(const struct sn_clickhouse_options *options,
			      struct sn_clickhouse_http **http, char **database,
			      struct sn_err *err);
void sn_clickhouse_http_destroy(struct sn_clickhouse_http *http);
/* The URL without the password. */
const char *sn_clickhouse_http_place(const struct sn_clickhouse_http *http);

/* Adds the next part of the body to `out`; it must come to `more_bytes` in the end. */
typedef void sn_clickhouse_more_fn(struct sn_buf *out, void *ctx);
/* A piece of a good answer; negative: breaks off, and is what the request returns. */
typedef int sn_clickhouse_data_fn(struct sn_str piece, void *ctx, struct sn_err *err);

struct sn_clickhouse_request {
	struct sn_str sql;    /* the body, or its beginning */
	const char *settings; /* "name=value&name=value"; may be NULL */
	bool changes;         /* something on the server */
	uint64_t more_bytes;  /* of the body behind `sql` */
	sn_clickhouse_more_fn *more;
	sn_clickhouse_data_fn *data; /* NULL: the answer is of no interest */
	void *ctx;
	int code; /* out: of the server's error; 0 if it told none */
};

/* 0 or as in clickhouse.h; -ECANCELED: options->stop became true. */
int sn_clickhouse_http_run(struct sn_clickhouse_http *http, struct sn_clickhouse_request *request,
			   struct sn_err *err);

/*
 * An error in the server's words, from its code to its end: its number, and the reason in `reason`
 * (within the text).  False if the text holds none.
 */
bool sn_clickhouse_error(struct sn_str text, int *code, struct sn_str *reason);

#endif
