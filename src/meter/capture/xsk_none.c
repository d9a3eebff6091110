/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libxdp: there is nothing to open, so the rest is never called. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "meter/capture/xsk.h"

int sn_xsk_open(const struct sn_ring_options *options, struct sn_xsk **xsk SN_UNUSED,
		struct sn_err *err)
{
	return sn_err_set(err, -ENOTSUP,
			  "cannot use AF_XDP on '%s': this program was built without libxdp",
			  options->interface);
}

void sn_xsk_close(struct sn_xsk *xsk)
{
	assert(xsk == NULL);
}

int sn_xsk_fd(const struct sn_xsk *xsk SN_UNUSED)
{
	abort();
}

const char *sn_xsk_interface(const struct sn_xsk *xsk SN_UNUSED)
{
	abort();
}

int sn_xsk_link(const struct sn_xsk *xsk SN_UNUSED)
{
	abort();
}

int sn_xsk_set_filter(struct sn_xsk *xsk SN_UNUSED, const char *expression SN_UNUSED,
		      struct sn_err *err SN_UNUSED)
{
	abort();
}

size_t sn_xsk_drain(struct sn_xsk *xsk SN_UNUSED, sn_ring_packets_fn *fn SN_UNUSED,
		    void *ctx SN_UNUSED)
{
	abort();
}

void sn_xsk_finish(struct sn_xsk *xsk SN_UNUSED, sn_ring_packets_fn *fn SN_UNUSED,
		   void *ctx SN_UNUSED)
{
	abort();
}

int sn_xsk_read_losses(struct sn_xsk *xsk SN_UNUSED, struct sn_capture_losses *losses SN_UNUSED)
{
	abort();
}

bool sn_xsk_alive(struct sn_xsk *xsk SN_UNUSED)
{
	abort();
}
