/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: the side that fetches (MATH): lists and files of one stream of one probe.
 *
 * Blocking, for a thread of its own: a link has a loop and a connection that is kept.  Any
 * thread may stop it; what runs then ends with -ECANCELED, and so does all that comes after.
 *
 * A file is fetched into a part file, and a part that is there already is gone on with:
 * by its digest, which has to be right at the end, or with a peer that lists none, by what
 * the peer calls the file's state (ETag or Last-Modified, kept beside the part).  When this
 * returns 0 the file is whole, verified and on disk.
 *
 * Nothing that the peer says is believed: a body ends at the size that was listed or at
 * `file_max`, a list at its limits, and a peer that sends nothing or next to nothing is left.
 */
#ifndef SONDE_TRANSFER_LINK_H
#define SONDE_TRANSFER_LINK_H

#include "transfer/list.h"
#include "transfer/tree.h"

#define SN_MATH_RATE_MIN 1024 /* bytes per second, on the whole, after the patience */

struct sn_math_link;

struct sn_math_link_config { /* texts are copied */
	const char *url;     /* "https://host:port"; without a scheme it is http */
	const char *stream;
	const char *ca_file, *cert_file, *key_file; /* may be NULL */
	uint64_t file_max;                          /* bytes; 0: no limit but the disk */
	uint64_t patience_ns;                       /* without a byte; 0: 30 s */
	const char *user_agent;
};

int sn_math_link_open(const struct sn_math_link_config *config, struct sn_math_link **link,
		      struct sn_err *err);
void sn_math_link_close(struct sn_math_link *link); /* NULL is fine */
void sn_math_link_stop(struct sn_math_link *link);  /* from any thread */

struct sn_math_listing {
	char token[SN_MATH_TOKEN_SIZE]; /* for the next time; "" from an old peer */
	size_t entries, refused;        /* refused: their paths were no good */
	uint64_t pending;               /* files that will be listed once their digests are known */
	char reason[160];               /* of the first refusal */
};

/*
 * The list, all of it or what was added since `token` (NULL or ""), at most `limit` entries of
 * a peer that can do that.  -EINVAL, -E2BIG: no list; -ENOENT: no such stream; what `fn`
 * returned; or what the transport had.
 */
int sn_math_link_list(struct sn_math_link *link, const char *token, size_t limit,
		      sn_math_entry_fn *fn, void *ctx, struct sn_math_listing *listing,
		      struct sn_err *err);

struct sn_math_fetched {
	uint64_t size, taken; /* taken: over the wire, this time */
	char sha256[SN_MATH_DIGEST_SIZE];
};

/*
 * -ESTALE: it changed after it was listed; -ENOENT: it is not there any more; -EBADMSG: not what
 * was listed (the part is removed); -EMSGSIZE: larger than it may be; -ENOSPC and others of the
 * part file; what the transport had: the part is kept for the next time.
 */
int sn_math_link_fetch(struct sn_math_link *link, const struct sn_math_entry *entry,
		       const char *part, struct sn_math_fetched *fetched, struct sn_err *err);

/* Removes a part and what is beside it. */
void sn_math_part_remove(const char *part);

#endif
