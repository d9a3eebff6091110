/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: a capture filter expression (pcap-filter(7)) as a BPF program, run on
 * packets of files or attached to a packet socket.
 */
#ifndef SONDE_METER_CAPTURE_FILTER_H
#define SONDE_METER_CAPTURE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "meter/capture/packet.h"

struct sn_filter {
	void *code; /* instructions as libpcap and the kernel have them alike */
	unsigned length;
};

/*
 * `link` is a DLT_ value.  NULL or empty text lets everything pass.  Packets that
 * pass are cut to `snaplen` by the kernel.  -EINVAL with libpcap's reason.
 */
int sn_filter_init(struct sn_filter *filter, const char *expression, int link, uint32_t snaplen,
		   struct sn_err *err);
void sn_filter_finish(struct sn_filter *filter); /* harmless on zeroed */

bool sn_filter_match(const struct sn_filter *filter, const struct sn_packet *packet);
/* Puts the program into the kernel for the socket `fd`; packets queued before are thrown away. */
int sn_filter_attach(const struct sn_filter *filter, int fd, struct sn_err *err);

/*
 * One expression for packets of several link types: compiled for each when its first packet comes.
 */
#define SN_FILTER_LINKS_MAX 16

struct sn_filter_set {
	const char *expression; /* borrowed; NULL or empty: everything passes */
	size_t count;
	struct {
		int link;
		bool refused; /* it cannot be said for this link type: nothing passes */
		struct sn_filter filter;
	} links[SN_FILTER_LINKS_MAX];
};

/* Compiled for `link` at once, so that a mistake in the text is told before anything is read. */
int sn_filter_set_init(struct sn_filter_set *set, const char *expression, int link,
		       struct sn_err *err);
void sn_filter_set_finish(struct sn_filter_set *set); /* harmless on zeroed */
bool sn_filter_set_match(struct sn_filter_set *set, const struct sn_packet *packet);

#endif
