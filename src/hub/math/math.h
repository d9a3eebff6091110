/* SPDX-License-Identifier: Apache-2.0 */
/*
 * math: the streams of logs that the hub fetches from probes (MATH), each by a thread of its
 * own (worker.h).
 *
 * Which streams there are is in the control database; what is here of each, in a ledger below
 * STATE/math.  A stream is added by a person, or by a probe that announces itself; a name that
 * is known already stays what it was.
 *
 * Belongs to the loop.
 */
#ifndef SONDE_HUB_MATH_MATH_H
#define SONDE_HUB_MATH_MATH_H

#include <jansson.h>

#include "base/err.h"
#include "hub/math/worker.h"

#define SN_MATH_STREAMS_MAX 256                  /* a thread each */
#define SN_MATH_LABEL       "tstat-exporter_log" /* what announcing is, to the policy */

struct sn_hub;
struct sn_math;

int sn_math_open(struct sn_hub *hub, struct sn_math **math, struct sn_err *err);
/* Ends the threads and waits for them.  NULL is fine. */
void sn_math_close(struct sn_math *math);
/* Once a second: those that have ended, a certificate that was renewed. */
void sn_math_tick(struct sn_math *math);

struct sn_math_order {
	const char *stream, *type, *url; /* url: with or without a scheme */
	int64_t start_s;                 /* SN_MATH_TIME_UNKNOWN: from the beginning */
	bool local_time;
	const char *by; /* who asked */
};
/*
 * 0, with `id`; 1 when the stream is there already, whatever else was asked for; -EINVAL with
 * "member: reason", -E2BIG, or trouble of our own.
 */
int sn_math_add(struct sn_math *math, const struct sn_math_order *order, int64_t *id,
		struct sn_err *err);
int sn_math_remove(struct sn_math *math, int64_t id, struct sn_err *err); /* -ENOENT */
/* Who added it; NULL if there is none such. */
const char *sn_math_owner(const struct sn_math *math, int64_t id);

/* Each stream, by id. */
struct sn_math_view {
	int64_t id, start_s, created_ns;
	const char *stream, *type, *url, *by;
	bool local_time;
	struct sn_math_status status;
};
typedef void sn_math_view_fn(const struct sn_math_view *view, void *ctx);
void sn_math_each(struct sn_math *math, sn_math_view_fn *fn, void *ctx);

#endif
