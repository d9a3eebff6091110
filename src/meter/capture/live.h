/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: packets of a network interface, by a ring (capture/ring.h) or by AF_XDP (capture/xsk.h).
 *
 * AF_XDP is for interfaces that do nothing but capture: what it takes never reaches the system.
 * Where it cannot be had, a ring takes its place and the reason is told.
 */
#ifndef SONDE_METER_CAPTURE_LIVE_H
#define SONDE_METER_CAPTURE_LIVE_H

#include "meter/capture/ring.h"

struct sn_live;

struct sn_live_options {
	struct sn_ring_options ring; /* also for AF_XDP: interface, filter, snaplen, buffer */
	bool xdp;                    /* take packets away from the system by AF_XDP */
};

/*
 * `count` sources that share the interface: as sn_ring_open_group(); AF_XDP has one only (any
 * more are left NULL), whose packets are to be shared out with sn_workers_give().  Returns how many
 * were opened.  `fallback` says why it is not AF_XDP, its code is 0 if it is or need not be.
 */
int sn_live_open(const struct sn_live_options *options, unsigned count, struct sn_live **lives,
		 struct sn_err *fallback, struct sn_err *err);
void sn_live_close(struct sn_live *live); /* NULL is fine */

bool sn_live_is_xdp(const struct sn_live *live);
/* All as those of ring.h. */
int sn_live_fd(const struct sn_live *live);
const char *sn_live_interface(const struct sn_live *live);
int sn_live_link(const struct sn_live *live);
size_t sn_live_drain(struct sn_live *live, sn_ring_packets_fn *fn, void *ctx);
void sn_live_finish(struct sn_live *live, sn_ring_packets_fn *fn, void *ctx);
int sn_live_read_losses(struct sn_live *live, struct sn_capture_losses *losses);
/* Takes the error away that a poll on the descriptor may have reported. */
bool sn_live_alive(struct sn_live *live);
/* Another filter from now on, from any thread; NULL or empty: everything.  -EINVAL. */
int sn_live_set_filter(struct sn_live *live, const char *expression, struct sn_err *err);

#endif
