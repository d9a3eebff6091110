/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client_internal: what the files of the HTTP client share.
 *
 *   http_client.c        the client in the loop, requests from start to end
 *   http_client_setup.c  a request's options
 *   http_client_error.c  why there was no answer, in words
 *   sse_reader.c, url.c  stand alone
 */
#ifndef SONDE_NET_HTTP_CLIENT_INTERNAL_H
#define SONDE_NET_HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/list.h"
#include "net/http_client.h"

struct sn_http_pool; /* http_client.c */

struct sn_http_client {
	struct sn_loop *loop;
	char *ca_file, *cert_file, *key_file, *unix_socket, *user_agent;
	bool insecure, no_name_check;

	struct sn_list pools; /* the first one takes new requests */
	struct sn_list fetches;
	/* While libcurl calls us it must not be called: what came then waits here. */
	struct sn_list starting, doomed;
	bool in_curl;
	unsigned depth; /* of our own calls on the stack */
	bool destroyed; /* inside one of them */
};

enum sn_http_fetch_state { SN_HTTP_FETCH_RUNNING, SN_HTTP_FETCH_ENDING, SN_HTTP_FETCH_DOOMED };

struct sn_http_fetch {
	struct sn_list link; /* in fetches, starting or doomed */
	struct sn_http_client *client;
	struct sn_http_pool *pool; /* NULL until it is started */
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	void *request_body;
	enum sn_http_fetch_state state;

	sn_http_data_fn *on_data;
	sn_http_done_fn *on_done;
	void *ctx;

	struct sn_buf body;
	size_t header_bytes;
	bool stopped_by_caller, too_large;
	char detail[CURL_ERROR_SIZE];

	struct sn_timer idle_timer;
	uint64_t idle_ns, active_ns;
	curl_off_t uploaded; /* when the idle timer looked last */
};

/* False for a method, URL or header that must not be sent. */
bool sn_http_fetch_is_usable(const struct sn_http_fetch_spec *spec);
/* Sets everything that `spec` and the client's configuration say. */
void sn_http_fetch_prepare(struct sn_http_fetch *fetch, const struct sn_http_fetch_spec *spec);

/* What is known about a request that brought no complete answer. */
struct sn_http_failure {
	CURL *easy;
	CURLcode code;
	const char *detail; /* libcurl's own words; may be "" */
	const char *url, *unix_socket, *ca_file;
	bool has_certificate;   /* of our own */
	bool stopped_by_caller; /* on_data broke off */
	bool too_large;         /* body or header over its limit */
};

/* One full sentence for people into `err`; returns the negative errno. */
int sn_http_client_explain(const struct sn_http_failure *failure, struct sn_err *err);

/* "https://host:port" of `url`: the rest may hold secrets and is not for messages. */
void sn_http_client_origin(const char *url, char *out, size_t size);

#endif
