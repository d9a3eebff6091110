/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: the client's role towards a component or supervisor that listens: reads
 * capabilities (JSON, or HTML pages whose links it follows, boundedly and on one host),
 * sends specifications, redemptions and interrupts.
 */
#ifndef SONDE_PEER_CLIENT_H
#define SONDE_PEER_CLIENT_H

#include "base/loop.h"
#include "mplane/codec.h"

#define SN_PEER_PAGES_MAX      10000              /* followed links of one discovery */
#define SN_PEER_FETCHES_MAX    8                  /* of them at once */
#define SN_PEER_DISCOVER_BYTES (64 * 1024 * 1024) /* of all pages together */
#define SN_PEER_DISCOVER_NS    (120 * SN_NS_PER_S)

struct sn_peer_client;
struct sn_peer_client_config {
	struct sn_loop *loop;
	const struct sn_mp_registries *registries;
	const char *url; /* where capabilities are, and messages go that have no link */
	const char *ca_file, *cert_file, *key_file;
	const char *forged_identity; /* plain HTTP only; may be NULL */
	/* A header line "Authorization: ...", for a hub of ours; or NULL.  Only `url`'s host and
	 * port get it, wherever links lead. */
	const char *authorisation;
	bool no_name_check; /* old PKIs without names: the chain is still verified */
	int write_flags;
};
struct sn_peer_client *sn_peer_client_create(const struct sn_peer_client_config *config);
void sn_peer_client_destroy(struct sn_peer_client *client); /* no more calls */

/*
 * Called once, never inside the call that it answers; the client may be destroyed there.
 * `message` is borrowed; NULL and the reason.  An exception is a message, too, unless it came with
 * a status that says so.
 */
typedef void sn_peer_message_fn(const struct sn_mp_message *message, const struct sn_err *err,
				void *ctx);
/*
 * An envelope of capabilities and withdrawals.  A linked page that is not there (any more) is
 * passed over; one that cannot be reached ends the discovery, so that half a list is never taken
 * for the whole.
 */
void sn_peer_client_discover(struct sn_peer_client *client, sn_peer_message_fn *fn, void *ctx);
/*
 * To `link` if it is not empty (mplane-http(s) is http(s); it may be relative), else to the
 * client's URL.  A link from HTTPS to plain HTTP is refused.  Redemptions and interrupts go to
 * the client's URL with servers of the reference implementation.
 */
void sn_peer_client_send(struct sn_peer_client *client, const struct sn_mp_message *message,
			 const char *link, sn_peer_message_fn *fn, void *ctx);

#endif
