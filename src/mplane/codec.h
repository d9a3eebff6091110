/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec: mPlane messages as JSON, version 1.
 *
 * Written: keys sorted, version 1, every value a string unless the reader is known
 * to take native numbers and booleans; absent cells "*"; exceptions carry the token
 * in both places.  Read: everything that existing peers send (any key order, unknown
 * keys, no version, token or label, bare messages and arrays, nested envelopes,
 * null, native values, elements that no registry knows).
 */
#ifndef SONDE_MPLANE_CODEC_H
#define SONDE_MPLANE_CODEC_H

#include "mplane/message.h"

#define SN_MP_MEDIA_TYPE "application/x-mplane+json" /* exactly; peers refuse parameters */

enum sn_mp_read {                        /* or-ed */
		  SN_MP_READ_STRICT = 1, /* elements must be known */
};

/*
 * NULL with the reason and the place ("contents 3: parameter 'destination.ip4': ...").  In an
 * envelope a content that is no good is left out and reported in `skipped` (may be NULL; one line
 * each, appended), so that one bad message does not silence the others.
 */
struct sn_mp_message *sn_mp_decode(const struct sn_mp_registries *registries, const void *json,
				   size_t size, int flags, struct sn_buf *skipped,
				   struct sn_err *err);

/*
 * The form of client messages in the older dialect: {"<name of a peer>": MESSAGE or [MESSAGE...],
 * ...}.  `fn` is called for each name and takes the message over (an envelope for a list); what is
 * no good goes to `skipped`.  0 or negative with the reason when the whole is refused, which can be
 * after some calls.
 */
typedef void sn_mp_named_fn(const char *name, struct sn_mp_message *message, void *ctx);
int sn_mp_decode_named(const struct sn_mp_registries *registries, const void *json, size_t size,
		       int flags, sn_mp_named_fn *fn, void *ctx, struct sn_buf *skipped,
		       struct sn_err *err);

enum sn_mp_write {                       /* or-ed */
		   SN_MP_NATIVES = 1,    /* numbers and booleans as JSON's own */
		   SN_MP_NO_PREFIX = 2,  /* networks as ranges: for the reference implementation */
		   SN_MP_INDENT = 4,     /* two blanks a level, for people */
		   SN_MP_BARE_ARRAY = 8, /* an envelope as an array: peers of before May 2015 */
};

/* What to send to a peer of unknown kind. */
#define SN_MP_WRITE_SAFE (SN_MP_NO_PREFIX)

void sn_mp_encode(const struct sn_mp_message *message, int flags, struct sn_buf *out);

#endif
