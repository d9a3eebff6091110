/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_internal: what the files of the client share.
 *
 *   client.c    the client, messages and their answers
 *   discover.c  following the pages of a listing
 */
#ifndef SONDE_PEER_CLIENT_INTERNAL_H
#define SONDE_PEER_CLIENT_INTERNAL_H

#include "base/list.h"
#include "net/http_client.h"
#include "peer/client.h"

struct sn_peer_client {
	struct sn_loop *loop;
	const struct sn_mp_registries *registries;
	struct sn_http_client *http;
	char *url;
	char *forged_header, *authorisation; /* header lines, or NULL */
	int write_flags;
	struct sn_list sends, discoveries;
};

#define SN_PEER_PROOFS_MAX 2

/*
 * Adds what says who we are to a request for `url`, and the NULL behind; `headers` has room for
 * SN_PEER_PROOFS_MAX + 1.  A forged identity is for plain HTTP, the authorisation for whom we were
 * told to talk to and nobody that a link leads to.
 */
void sn_peer_client_prove(const struct sn_peer_client *client, const char *url,
			  const char **headers);
/* Lets go of all that are under way; no callbacks. */
void sn_peer_discoveries_drop(struct sn_peer_client *client);

#endif
