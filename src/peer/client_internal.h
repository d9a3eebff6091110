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
	char *url, *forged_header;
	int write_flags;
	struct sn_list sends, discoveries;
};

/* Lets go of all that are under way; no callbacks. */
void sn_peer_discoveries_drop(struct sn_peer_client *client);

#endif
