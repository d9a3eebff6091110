/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "up"
#include "cli/up/child.h"

#include <signal.h>

#include "base/log.h"
#include "base/util.h"

uint64_t sn_child_backoff(uint64_t before_ns, uint64_t ran_ns)
{
	if (before_ns == 0 || ran_ns >= (uint64_t)SN_CHILD_STEADY_NS)
		return SN_CHILD_BACKOFF_MIN_NS;
	return SN_MIN(before_ns * 2, (uint64_t)SN_CHILD_BACKOFF_MAX_NS);
}

static void start_later(struct sn_child *child)
{
	uint64_t ran_ns = sn_loop_now(child->loop) - child->started_ns;

	child->backoff_ns = sn_child_backoff(child->backoff_ns, ran_ns);
	sn_timer_in(&child->timer, child->backoff_ns);
}

static void child_ended(struct sn_proc *proc, int status, void *ctx)
{
	struct sn_child *child = ctx;

	child->status = status;
	child->proc = NULL;
	sn_proc_destroy(proc);
	if (child->keep && !child->stopping)
		start_later(child);
	/* Last: the owner may finish us. */
	if (child->on_end != NULL)
		child->on_end(child, child->ctx);
}

static void child_line(struct sn_proc *proc SN_UNUSED, struct sn_str line, int error SN_UNUSED,
		       void *ctx)
{
	struct sn_child *child = ctx;

	child->on_line(child, line, child->ctx);
}

int sn_child_start(struct sn_child *child, struct sn_err *err)
{
	const struct sn_proc_spec spec = {
		.argv = child->argv,
		.on_line = child->on_line != NULL ? child_line : NULL,
		.on_exit = child_ended,
		.ctx = child,
	};

	child->stopping = false;
	child->started_ns = sn_loop_now(child->loop);
	return sn_proc_start(child->loop, &spec, &child->proc, err);
}

static void start_again(struct sn_timer *timer)
{
	struct sn_child *child = sn_container_of(timer, struct sn_child, timer);
	struct sn_err err = {0};
	char how[64];

	/* Not when it ended: with a Ctrl-C all end at once, and nobody is to worry. */
	sn_warn("%s ended (%s); starting it again", child->name,
		sn_proc_describe(child->status, how, sizeof(how)));
	if (sn_child_start(child, &err) == 0)
		return;
	sn_error("%s", err.text);
	child->backoff_ns = sn_child_backoff(child->backoff_ns, 0);
	sn_timer_in(&child->timer, child->backoff_ns);
}

void sn_child_init(struct sn_child *child, struct sn_loop *loop, const char *name)
{
	*child = (struct sn_child){.loop = loop, .name = name};
	sn_timer_init(&child->timer, loop, start_again);
}

void sn_child_stop(struct sn_child *child)
{
	child->stopping = true;
	sn_timer_stop(&child->timer);
	if (child->proc != NULL)
		(void)sn_proc_signal(child->proc, SIGTERM);
}

bool sn_child_runs(const struct sn_child *child)
{
	return child->proc != NULL;
}

void sn_child_finish(struct sn_child *child)
{
	sn_timer_stop(&child->timer);
	sn_proc_destroy(child->proc);
	child->proc = NULL;
}
