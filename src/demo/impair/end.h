/* SPDX-License-Identifier: Apache-2.0 */
/*
 * end: where frames of a link come from and go to: a TAP device, a network
 * interface (packet socket), or a descriptor that was handed over.
 *
 * A packet socket sees what offloading left: frames merged beyond the MTU and
 * checksums not yet filled in.  Such frames carry a virtio header that says so, and
 * so does a TAP device that we open ourselves; both ends of a link must speak
 * alike (sn_end_fit()).
 */
#ifndef SONDE_DEMO_IMPAIR_END_H
#define SONDE_DEMO_IMPAIR_END_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define SN_END_HEADER    10                      /* struct virtio_net_hdr */
#define SN_END_FRAME_MAX (SN_END_HEADER + 65550) /* header, 64 KiB of IP, Ethernet */

struct sn_end {
	int fd; /* owned */
	bool is_tap, is_socket;
	unsigned header; /* bytes before each frame: 0 or SN_END_HEADER */
};

/* "tap:op0" (made, set up, gone with us), "if:veth0", "fd:5" (taken over). */
int sn_end_open(struct sn_end *end, struct sn_str text, struct sn_err *err);
void sn_end_close(struct sn_end *end); /* harmless twice */
/* Whether frames of one can go to the other unchanged. */
int sn_end_fit(const struct sn_end *a, const struct sn_end *b, struct sn_err *err);
/* Size, 0 or negative: nothing there. */
ssize_t sn_end_read(const struct sn_end *end, void *frame, size_t size);
bool sn_end_write(const struct sn_end *end, const void *frame, size_t size);
void sn_end_set_carrier(const struct sn_end *end, bool on); /* TAP only; else nothing */

#endif
