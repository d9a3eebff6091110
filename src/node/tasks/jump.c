/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tasks/jump.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Of the year 2255: the kernel counts to 2262. */
#define NEVER_S 9000000000

/* A timer that does not come to its time, only to its cancellation: timerfd_create(2). */
static int arm(int fd)
{
	struct itimerspec never = {.it_value.tv_sec = NEVER_S};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void jumped(struct sn_io *io, int events SN_UNUSED)
{
	struct sn_jump *jump = sn_container_of(io, struct sn_jump, io);
	uint64_t expirations;

	if (read(io->fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
		return;
	/* Armed anew it has taken the jump, too: what comes next is another one. */
	if (arm(io->fd) != 0 && errno != ECANCELED)
		sn_io_stop(io);
	jump->fn(jump->ctx);
}

void sn_jump_start(struct sn_jump *jump, struct sn_loop *loop, void (*fn)(void *ctx), void *ctx)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	*jump = (struct sn_jump){.fn = fn, .ctx = ctx};
	if (fd < 0)
		return;
	if (arm(fd) != 0) {
		close(fd);
		return;
	}
	jump->fd_plus_1 = fd + 1;
	sn_io_init(&jump->io, loop, fd, jumped);
	sn_io_start(&jump->io, SN_IO_READ);
}

void sn_jump_stop(struct sn_jump *jump)
{
	sn_io_stop(&jump->io);
	if (jump->fd_plus_1 > 0)
		close(jump->fd_plus_1 - 1);
	*jump = (struct sn_jump){0};
}
