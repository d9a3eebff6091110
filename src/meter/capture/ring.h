/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring: packets of a network interface through a memory-mapped ring that the
 * kernel fills block by block (AF_PACKET, TPACKET_V3; packet(7)).
 *
 * Either opens its own socket (CAP_NET_RAW) or takes one that somebody with the
 * right to do so has opened and bound to an interface; the ring itself needs no
 * privilege.  Time stamps are the kernel's, nanoseconds of Unix time.  On a
 * loopback interface the copy of each packet that leaves is left out, so that
 * every packet is seen once.
 *
 * Several rings may share an interface in a fanout group: one thread each.  Which
 * ring a packet comes to depends on the outer IP addresses only, both directions
 * alike, so that all packets of a flow come to one ring: its fragments, and what
 * travels in one tunnel, too.  The kernel's own hash takes the ports in, which
 * spreads the traffic of few hosts better; for that it puts IPv4 datagrams
 * together first, which hides their fragments, and tears those of IPv6 and flows
 * in tunnels over UDP apart: it has to be asked for.  A ring that is full never
 * rolls over into another one: a loss is counted, a flow in two places is not.
 */
#ifndef SONDE_METER_CAPTURE_RING_H
#define SONDE_METER_CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "meter/capture/losses.h"
#include "meter/capture/packet.h"

#define SN_RING_BUFFER_MIN     (512 * 1024)
#define SN_RING_BUFFER_DEFAULT (8 * 1024 * 1024)
#define SN_RING_BUFFER_MAX     (1024 * 1024 * 1024)
#define SN_RING_GROUP_MAX      64

struct sn_ring;

struct sn_ring_options {
	const char *interface; /* NULL: that of `fd` */
	int fd;                /* a bound packet socket, taken over; negative: open one */
	const char *filter;    /* pcap-filter(7); NULL: everything */
	uint32_t snaplen;      /* bytes kept of each packet */
	size_t buffer_bytes;   /* rounded to blocks */
	bool promiscuous;
	bool by_ports; /* of a group: the kernel's hash of addresses and ports */
};

/* Packets as the kernel counted them since the ring was opened. */
struct sn_ring_stats {
	uint64_t seen;    /* passed the filter, dropped ones included */
	uint64_t dropped; /* no room in the ring: lost to us, not on the network */
	uint64_t stalls;  /* times the kernel found the ring full */
};

#define SN_RING_BATCH 64
/* At most SN_RING_BATCH packets; their bytes are valid until it returns. */
typedef void sn_ring_packets_fn(const struct sn_packet *packets, size_t count, void *ctx);

/* -EPERM (names the capability), -ENODEV, -ENOTSUP (kind of interface), -EINVAL (filter, fd). */
int sn_ring_open(const struct sn_ring_options *options, struct sn_ring **ring, struct sn_err *err);
/*
 * `count` rings, 1 to SN_RING_GROUP_MAX, that share the interface; the buffer of each is that of
 * the options.  A descriptor in the options becomes the first; the others are opened.
 */
int sn_ring_open_group(const struct sn_ring_options *options, unsigned count,
		       struct sn_ring **rings, struct sn_err *err);
void sn_ring_close(struct sn_ring *ring); /* NULL is fine */

/* Poll it for input.  It reports an error once when the interface goes down. */
int sn_ring_fd(const struct sn_ring *ring);
const char *sn_ring_interface(const struct sn_ring *ring);
int sn_ring_link(const struct sn_ring *ring); /* a DLT_ value */

/*
 * Another filter from now on, in one step: no packet is judged by none.  From any thread; NULL or
 * empty: everything.  -EINVAL, and the old one stays.
 */
int sn_ring_set_filter(struct sn_ring *ring, const char *expression, struct sn_err *err);
/* Hands over the packets of the blocks that are ready, at most one turn of the ring. */
size_t sn_ring_drain(struct sn_ring *ring, sn_ring_packets_fn *fn, void *ctx);
/*
 * Lets nothing in any more, waits until the kernel hands over the block in use (about 0.1 s), and
 * hands over all that is left.  What is counted afterwards is exact: each packet that came in and
 * was not dropped has been handed over.
 */
void sn_ring_finish(struct sn_ring *ring, sn_ring_packets_fn *fn, void *ctx);
/* Ask before the ring is closed; `stats` holds the sums since it was opened. */
int sn_ring_read_stats(struct sn_ring *ring, struct sn_ring_stats *stats);
/*
 * The same as losses.  What the interface itself dropped since then is added to those of the first
 * ring of a group only.
 */
int sn_ring_read_losses(struct sn_ring *ring, struct sn_capture_losses *losses);
/* False once the interface does not exist any more; while it is only down it is still there. */
bool sn_ring_alive(const struct sn_ring *ring);

#endif
