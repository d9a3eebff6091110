/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: what all mPlane roles share on HTTP: paths, reading a body as a message,
 * answering with one.
 *
 * Two dialects are in use, which differ only in the paths of clients; both can be
 * served on one port.  Exceptions are answered with status 200 by default, because
 * the reference implementation's client reads nothing else.
 */
#ifndef SONDE_PEER_PEER_H
#define SONDE_PEER_PEER_H

#include "mplane/codec.h"
#include "net/http_server.h"

#define SN_PEER_PORT            1228 /* a component that listens */
#define SN_PEER_IDENTITY_HEADER "Forged-MPlane-Identity"
#define SN_PEER_UNAUTHENTICATED "Identity.Unauthenticated.Default"
#define SN_PEER_PATH_REGISTER   "/register/capability"
#define SN_PEER_PATH_WORK       "/show/specification"
#define SN_PEER_PATH_RESULT     "/register/result"
#define SN_PEER_PATH_CAPABILITY "/capability"

/* The names of who asks, as policies know them; NULL-terminated texts. */
#define SN_PEER_NAMES_MAX 8
struct sn_peer_names {
	char text[SN_PEER_NAMES_MAX][SN_PKI_NAME_MAX + 8];
	const char *list[SN_PEER_NAMES_MAX + 1];
	unsigned count;
};
/*
 * From the verified certificate: "user:x", "node:x", "hub:x" of our URIs, the dotted
 * distinguished name, "dns:" and the first DNS name.  Without TLS: the forged identity if given,
 * else SN_PEER_UNAUTHENTICATED; one that looks like ours ("user:x") or holds blanks is not
 * taken.  TLS without a verified certificate has no name: count is 0.  The first one is who it is
 * in logs and keys.
 */
void sn_peer_names_of(const struct sn_http_request *request, struct sn_peer_names *names);

/* Is its body declared as JSON?  Otherwise it has been answered with 415: what a web page can have
 * its reader's browser send without asking first is not JSON. */
bool sn_peer_sends_json(struct sn_http_request *request);
/* NULL after it has answered (415 for another media type, 400 with an exception for what cannot
 * be read).  Any media type that ends in json is taken. */
struct sn_mp_message *sn_peer_read(struct sn_http_request *request,
				   const struct sn_mp_registries *registries,
				   struct sn_buf *skipped);
void sn_peer_answer(struct sn_http_request *request, const struct sn_mp_message *message,
		    int write_flags);
void sn_peer_refuse(struct sn_http_request *request, const char *token, const char *format, ...)
	SN_PRINTF(3, 4); /* 200 with an exception */
/* Does it ask for messages (Accept), so that an envelope serves it better than a page? */
bool sn_peer_wants_messages(const struct sn_http_request *request);
/* The page of links that clients of dialect A follow, and the one for people. */
void sn_peer_answer_listing(struct sn_http_request *request,
			    const struct sn_mp_message *const *capabilities, size_t count,
			    bool in_full);

#endif
