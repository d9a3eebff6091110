/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: what an mPlane peer's HTTP answer means, and how long to wait when there is none.
 */
#ifndef SONDE_PEER_ANSWER_H
#define SONDE_PEER_ANSWER_H

#include "mplane/codec.h"
#include "net/http_client.h"

bool sn_peer_answer_is_json(const struct sn_http_answer *answer);
/*
 * Why this is no answer to build on, in words: what went wrong on the way, or the status and what
 * the exception (or problem) in the body says.  Returns the code: -EACCES, -ENOENT, -EINVAL,
 * -EAGAIN by status, else -EIO.
 */
int sn_peer_answer_error(const struct sn_http_answer *answer, struct sn_err *err);

/* Half to the whole of a span that doubles from `first_ns` with each failure in a row. */
uint64_t sn_peer_backoff(uint64_t first_ns, unsigned failures, uint64_t max_ns);

#endif
