/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/live.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "meter/capture/xsk.h"

struct sn_live {
	struct sn_ring *ring;
	struct sn_xsk *xsk; /* instead */
};

static struct sn_live *make(struct sn_ring *ring, struct sn_xsk *xsk)
{
	struct sn_live *live = sn_new(struct sn_live);

	live->ring = ring;
	live->xsk = xsk;
	return live;
}

static int open_rings(const struct sn_live_options *options, unsigned count, struct sn_live **lives,
		      struct sn_err *err)
{
	struct sn_ring *rings[SN_RING_GROUP_MAX];
	int result = sn_ring_open_group(&options->ring, count, rings, err);

	if (result < 0)
		return result;
	for (unsigned i = 0; i < count; i++)
		lives[i] = make(rings[i], NULL);
	return (int)count;
}

static int open_xdp(const struct sn_live_options *options, struct sn_live **live,
		    struct sn_err *err)
{
	struct sn_xsk *xsk = NULL;
	int result;

	/* A packet socket that was handed over is one, and cannot become another. */
	if (options->ring.fd >= 0)
		return sn_err_set(err, -ENOTSUP,
				  "cannot use AF_XDP: the capture socket that was handed over is a "
				  "packet socket");
	result = sn_xsk_open(&options->ring, &xsk, err);
	if (result == 0)
		*live = make(NULL, xsk);
	return result;
}

int sn_live_open(const struct sn_live_options *options, unsigned count, struct sn_live **lives,
		 struct sn_err *fallback, struct sn_err *err)
{
	assert(count > 0 && count <= SN_RING_GROUP_MAX);
	*fallback = (struct sn_err){0};
	for (unsigned i = 0; i < count; i++)
		lives[i] = NULL;
	if (options->xdp && open_xdp(options, &lives[0], fallback) == 0)
		return 1;
	return open_rings(options, count, lives, err);
}

void sn_live_close(struct sn_live *live)
{
	if (live == NULL)
		return;
	sn_ring_close(live->ring);
	sn_xsk_close(live->xsk);
	free(live);
}

bool sn_live_is_xdp(const struct sn_live *live)
{
	return live->xsk != NULL;
}

int sn_live_fd(const struct sn_live *live)
{
	return live->xsk != NULL ? sn_xsk_fd(live->xsk) : sn_ring_fd(live->ring);
}

const char *sn_live_interface(const struct sn_live *live)
{
	return live->xsk != NULL ? sn_xsk_interface(live->xsk) : sn_ring_interface(live->ring);
}

int sn_live_link(const struct sn_live *live)
{
	return live->xsk != NULL ? sn_xsk_link(live->xsk) : sn_ring_link(live->ring);
}

size_t sn_live_drain(struct sn_live *live, sn_ring_packets_fn *fn, void *ctx)
{
	return live->xsk != NULL ? sn_xsk_drain(live->xsk, fn, ctx)
				 : sn_ring_drain(live->ring, fn, ctx);
}

void sn_live_finish(struct sn_live *live, sn_ring_packets_fn *fn, void *ctx)
{
	if (live->xsk != NULL)
		sn_xsk_finish(live->xsk, fn, ctx);
	else
		sn_ring_finish(live->ring, fn, ctx);
}

int sn_live_read_losses(struct sn_live *live, struct sn_capture_losses *losses)
{
	return live->xsk != NULL ? sn_xsk_read_losses(live->xsk, losses)
				 : sn_ring_read_losses(live->ring, losses);
}

bool sn_live_alive(struct sn_live *live)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (live->xsk != NULL)
		return sn_xsk_alive(live->xsk);
	/* It is told once that the interface went down, and poll(2) does not wait until it is. */
	getsockopt(sn_ring_fd(live->ring), SOL_SOCKET, SO_ERROR, &error, &size);
	return sn_ring_alive(live->ring);
}

int sn_live_set_filter(struct sn_live *live, const char *expression, struct sn_err *err)
{
	return live->xsk != NULL ? sn_xsk_set_filter(live->xsk, expression, err)
				 : sn_ring_set_filter(live->ring, expression, err);
}
