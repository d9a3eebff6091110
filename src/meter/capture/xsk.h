/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xsk: packets of a network interface through AF_XDP: a program of 20 instructions at
 * the driver puts them into memory of ours, before the kernel has made packets of them.
 *
 * What is taken this way never reaches the system: this is for interfaces at a mirror
 * port or a tap, not for the one that the machine is reached by.  All receive queues
 * are taken together; packets come in the order of the queues.  Works with every
 * driver (the kernel copies then) and needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF
 * to open, nothing afterwards; the program leaves the interface when it is closed.
 *
 * Time stamps are those of the program, nanoseconds of Unix time; where the driver has
 * no room for them, those of the drain.  Packets longer than SN_XSK_PACKET_MAX, as
 * offloading makes them, are dropped and counted (ethtool -K IF gro off lro off).
 * There is no filter in the kernel: packets are dropped before they are chosen.
 */
#ifndef SONDE_METER_CAPTURE_XSK_H
#define SONDE_METER_CAPTURE_XSK_H

#include "meter/capture/ring.h"

#define SN_XSK_PACKET_MAX 3584 /* a page without the room that drivers keep in front */
#define SN_XSK_QUEUES_MAX 64

struct sn_xsk;

/*
 * Of the options: interface (not NULL), filter, snaplen, buffer_bytes (of all queues).  -ENOTSUP:
 * not in this build, this kernel or for this interface; -EPERM; -ENODEV; -EBUSY: there is another
 * program at the interface.
 */
int sn_xsk_open(const struct sn_ring_options *options, struct sn_xsk **xsk, struct sn_err *err);
void sn_xsk_close(struct sn_xsk *xsk); /* NULL is fine */

/* All as those of ring.h. */
int sn_xsk_fd(const struct sn_xsk *xsk);
const char *sn_xsk_interface(const struct sn_xsk *xsk);
int sn_xsk_link(const struct sn_xsk *xsk);
int sn_xsk_set_filter(struct sn_xsk *xsk, const char *expression, struct sn_err *err);
size_t sn_xsk_drain(struct sn_xsk *xsk, sn_ring_packets_fn *fn, void *ctx);
/* What comes from now on goes to the system. */
void sn_xsk_finish(struct sn_xsk *xsk, sn_ring_packets_fn *fn, void *ctx);
int sn_xsk_read_losses(struct sn_xsk *xsk, struct sn_capture_losses *losses);
bool sn_xsk_alive(struct sn_xsk *xsk);

#endif
