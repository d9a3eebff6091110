/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: the side that has log files and lets repositories fetch them (MATH).
 *
 *	GET /ListDir/<stream>   the list (transfer/list.h); 405 for any other stream
 *	GET /<path>             a file that is in the list; parts of it by Range
 *
 * With "Accept: application/x-math-list+json" the list has details, `since` (a token that an
 * earlier answer had in its header Sonde-List) leaves out what was in that one, and `limit`
 * ends it after so many entries; then Sonde-List says up to where, for the next. Sonde-List-Pending
 * is how many files are not listed yet because their digests are still computed.
 *
 * With TLS only those may ask whom the list of identities names ("hub:<id>",
 * "org.mplane.X.Clients.repo", "dns:repo.example.net"; "*" is anybody with a certificate of
 * the CA).  Plain HTTP serves whoever reaches it: this machine, unless told otherwise.
 */
#ifndef SONDE_TRANSFER_PROBE_H
#define SONDE_TRANSFER_PROBE_H

#include "base/loop.h"
#include "net/http_server.h"
#include "transfer/tree.h"

#define SN_MATH_PORT 3001

struct sn_math_probe;

struct sn_math_probe_config { /* borrowed until the probe is destroyed */
	struct sn_loop *loop;
	struct sn_math_tree *tree;
	const char *stream;
	struct sn_addr listen;
	const struct sn_http_tls *tls; /* NULL: plain */
	bool plain_anywhere;
	const char *const *allowed;
	unsigned allowed_count;
	/* Somebody was refused; may be NULL. */
	void (*on_refusal)(const char *who, const char *from, void *ctx);
	void *ctx;
};

int sn_math_probe_create(const struct sn_math_probe_config *config, struct sn_math_probe **probe,
			 struct sn_addr *bound, struct sn_err *err);
void sn_math_probe_destroy(struct sn_math_probe *probe); /* NULL is fine */

#endif
