/* SPDX-License-Identifier: Apache-2.0 */
#define SN_MODULE "demo"
#include "demo/run/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define RESTART_DELAY_NS (300 * SN_NS_PER_MS)
#define QUICK_NS         (2 * SN_NS_PER_S) /* an end that soon counts as "at once" */
#define QUICK_ENDS_MAX   5

static int start(struct sn_demo_child *child, struct sn_err *err)
{
	child->started_ns = sn_loop_now(child->loop);
	child->proc = NULL;
	child->pid = 0;
	int code = child->start(child, err);

	if (code == 0 && child->proc != NULL)
		child->pid = sn_proc_pid(child->proc);
	return code;
}

static void ended(struct sn_demo_child *child)
{
	bool quick = sn_loop_now(child->loop) - child->started_ns < QUICK_NS;

	child->pid = 0;
	child->quick_ends = quick ? child->quick_ends + 1 : 0;
	if (child->stopping)
		return;
	if (child->quick_ends >= QUICK_ENDS_MAX)
		child->given_up(child, child->ctx);
	else
		sn_timer_in(&child->timer, RESTART_DELAY_NS);
}

static void restart(struct sn_timer *timer)
{
	struct sn_demo_child *child = sn_container_of(timer, struct sn_demo_child, timer);
	struct sn_err err;

	/* Not before: an end that Ctrl-C brought to all of us is no news. */
	sn_warn("%s ended%s, starting it again; see '%s'", child->name, child->last_end,
		child->log);
	child->restarts++;
	if (start(child, &err) == 0)
		return;
	sn_warn("cannot restart %s: %s", child->name, err.text);
	ended(child);
}

int sn_demo_child_run(struct sn_demo_child *child, struct sn_err *err)
{
	sn_timer_init(&child->timer, child->loop, restart);
	return start(child, err);
}

void sn_demo_child_exited(struct sn_proc *proc, int status, void *ctx)
{
	struct sn_demo_child *child = ctx;
	char text[48];

	snprintf(child->last_end, sizeof(child->last_end), " (%s)",
		 sn_proc_describe(status, text, sizeof(text)));
	sn_proc_destroy(proc);
	child->proc = NULL;
	ended(child);
}

bool sn_demo_child_alive(struct sn_demo_child *child)
{
	if (child->pid == 0 || child->priv == NULL)
		return child->pid != 0;
	return sn_priv_process_signal(child->priv, child->pid, 0, NULL) != -ESRCH;
}

void sn_demo_child_check(struct sn_demo_child *child)
{
	if (child->priv == NULL || child->pid == 0 || sn_demo_child_alive(child))
		return;
	ended(child);
}

void sn_demo_child_stop(struct sn_demo_child *child)
{
	child->stopping = true;
	sn_timer_stop(&child->timer);
	if (child->proc != NULL)
		sn_proc_signal(child->proc, SIGTERM);
	else if (child->pid != 0)
		sn_priv_process_signal(child->priv, child->pid, SIGTERM, NULL);
}

void sn_demo_child_finish(struct sn_demo_child *child)
{
	child->stopping = true;
	sn_timer_stop(&child->timer);
	sn_proc_destroy(child->proc);
	child->proc = NULL;
	child->pid = 0;
	free(child->log);
	child->log = NULL;
}
