/* SPDX-License-Identifier: Apache-2.0 */
/* client_internal: what single calls (client.c) and event streams (follow.c) share. */
#ifndef SONDE_CLI_CLIENT_INTERNAL_H
#define SONDE_CLI_CLIENT_INTERNAL_H

#include "cli/client.h"

#define URL_SHOWN_MAX 200 /* characters of a URL in a message */

struct sn_client {
	struct sn_loop *loop;
	bool owns_loop;
	struct sn_http_client *http;
	struct sn_place place;
	char *authorisation; /* a header line, or NULL */
};

/* Run the loop until `*done`, which its setter follows with sn_client_wake(); -EINTR on Ctrl-C. */
int sn_client_wait(struct sn_client *client, const bool *done);
void sn_client_wake(struct sn_client *client);

/* A hub that was started again has another token for its machine: true if there is a new one. */
bool sn_client_refresh(struct sn_client *client);

/* Fill `err` and return its code, for an answer that is a refusal, or for none. */
int sn_client_refused(const struct sn_client *client, const struct sn_http_answer *answer,
		      struct sn_err *err);
int sn_client_unreachable(const struct sn_client *client, const struct sn_http_answer *answer,
			  struct sn_err *err);

#endif
