/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink: requests from the node to its hub, with the node's identity.
 *
 * A hub may be reached under several URLs; after a request that found nobody the
 * next one is used.  What an answer means, and what is to be told to people about
 * it, is decided here once.
 */
#ifndef SONDE_NODE_AGENT_UPLINK_H
#define SONDE_NODE_AGENT_UPLINK_H

#include <stdbool.h>

#include "net/http_client.h"

struct sn_uplink;

struct sn_uplink_config {
	struct sn_loop *loop;
	const char *const *urls; /* without a slash at the end; at least one */
	unsigned url_count;
	const char *ca_file, *identity_file; /* certificate and key in one file */
};

/* Everything is copied. */
struct sn_uplink *sn_uplink_create(const struct sn_uplink_config *config);
void sn_uplink_destroy(struct sn_uplink *uplink); /* cancels all requests */
const char *sn_uplink_url(const struct sn_uplink *uplink);
/* As sn_http_fetch(), but `spec->url` is a path.  NULL if the URL is unusable. */
struct sn_http_fetch *sn_uplink_fetch(struct sn_uplink *uplink,
				      const struct sn_http_fetch_spec *spec);
/* The identity file was replaced: new connections use it. */
void sn_uplink_renewed(struct sn_uplink *uplink);

#define SN_PROBLEM_CODE_MAX 64
/*
 * 0 for a status of 2xx or 304.  Otherwise a negative errno (-EACCES for 401 and
 * 403), the reason in `err`, and in `code` the problem's stable name or "".
 */
int sn_uplink_check(const struct sn_http_answer *answer, char code[SN_PROBLEM_CODE_MAX],
		    struct sn_err *err);
/* The same, and takes note of what it means for the way to the hub. */
int sn_uplink_judge(struct sn_uplink *uplink, const struct sn_http_answer *answer,
		    char code[SN_PROBLEM_CODE_MAX], struct sn_err *err);
/* The hub said that our identity was revoked, and nothing else since. */
bool sn_uplink_revoked(const struct sn_uplink *uplink);

#endif
