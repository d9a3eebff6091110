/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing: what a server lists its capabilities with: HTML pages whose links are
 * followed (dialect A), or JSON: a capability, an envelope, an array, or an object
 * of them by the name of who offers them (dialect B).
 *
 * Pure: text in, links and messages out.  The pages are other people's, so that the
 * reader of links takes anything and never goes further than one pass over the text.
 */
#ifndef SONDE_PEER_LISTING_H
#define SONDE_PEER_LISTING_H

#include "mplane/codec.h"

#define SN_PEER_LINK_MAX   2048              /* bytes of one link, longer ones are passed over */
#define SN_PEER_HTML_MAX   (4 * 1024 * 1024) /* of one page; what is behind is not looked at */
#define SN_PEER_OWNERS_MAX 10000             /* members of an object of dialect B */

/* `href` of every <a>, character references decoded, with a NUL behind; at most `limit` of them. */
typedef void sn_peer_link_fn(struct sn_str href, void *ctx);
void sn_peer_links(struct sn_str html, size_t limit, sn_peer_link_fn *fn, void *ctx);

/* Appends `link` with mplane-http(s):// written as http(s)://. */
void sn_peer_link_plain(const char *link, struct sn_buf *out);
/*
 * Appends the absolute URL of `link` as seen on the page `base`, without fragment
 * (RFC 3986, section 5).  -EXDEV when it leaves the scheme, host or port of `base`,
 * -EINVAL when it is no http(s) link.
 */
int sn_peer_link_resolve(const char *base, const char *link, struct sn_buf *out);
/* The same, wherever it leads. */
int sn_peer_link_absolute(const char *base, const char *link, struct sn_buf *out);

/*
 * An envelope with the messages of `json` in one flat list, whatever their kinds; NULL with the
 * reason.  What is no good is left out and reported in `skipped` (may be NULL).
 */
struct sn_mp_message *sn_peer_listing_read(const struct sn_mp_registries *registries,
					   const void *json, size_t size, struct sn_buf *skipped,
					   struct sn_err *err);

#endif
