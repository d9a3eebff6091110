/* SPDX-License-Identifier: Apache-2.0 */
#include "node/backoff.h"

#include "base/rand.h"
#include "base/util.h"

uint64_t sn_backoff_next(struct sn_backoff *backoff)
{
	uint64_t span_ns = SN_MAX(backoff->span_ns, backoff->min_ns);

	span_ns = SN_MIN(span_ns, backoff->max_ns);
	backoff->span_ns = SN_MIN(2 * span_ns, backoff->max_ns);
	return span_ns / 2 + sn_random_below(span_ns / 2 + 1);
}

void sn_backoff_reset(struct sn_backoff *backoff)
{
	backoff->span_ns = 0;
}
