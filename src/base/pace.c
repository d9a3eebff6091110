/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pace.h"

#include <assert.h>
#include <errno.h>

#include "base/util.h"

uint64_t sn_pace_next(uint64_t due_ns, uint64_t interval_ns, uint64_t now_ns, uint64_t *missed)
{
	assert(interval_ns > 0);

	*missed = 0;
	if (now_ns < due_ns)
		return due_ns;

	*missed = (now_ns - due_ns) / interval_ns;
	return due_ns + (*missed + 1) * interval_ns;
}

static void pace_fire(struct sn_timer *timer)
{
	struct sn_pace *pace = sn_container_of(timer, struct sn_pace, timer);
	uint64_t missed;

	/* The timer may be early by the clock's granularity; never run early. */
	if (sn_loop_now(timer->loop) < pace->due_ns) {
		sn_timer_at(timer, pace->due_ns);
		return;
	}

	pace->due_ns =
		sn_pace_next(pace->due_ns, pace->interval_ns, sn_loop_now(timer->loop), &missed);
	sn_timer_at(timer, pace->due_ns);

	/* Last, because the callback is allowed to free us. */
	pace->fn(pace, missed, pace->ctx);
}

int sn_pace_start(struct sn_pace *pace, struct sn_loop *loop, uint64_t first_ns,
		  uint64_t interval_ns, sn_pace_fn *fn, void *ctx)
{
	assert(fn != NULL);

	if (interval_ns == 0)
		return -EINVAL;

	*pace = (struct sn_pace){
		.fn = fn,
		.ctx = ctx,
		.due_ns = first_ns,
		.interval_ns = interval_ns,
	};
	sn_timer_init(&pace->timer, loop, pace_fire);
	sn_timer_at(&pace->timer, first_ns);
	return 0;
}

void sn_pace_stop(struct sn_pace *pace)
{
	if (pace->interval_ns == 0)
		return;

	sn_timer_stop(&pace->timer);
	pace->interval_ns = 0;
}
