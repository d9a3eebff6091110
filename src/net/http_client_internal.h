/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client_internal: what http_client.c and http_client_error.c share.
 */
#ifndef SONDE_NET_HTTP_CLIENT_INTERNAL_H
#define SONDE_NET_HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"

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
