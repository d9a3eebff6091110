/* SPDX-License-Identifier: Apache-2.0 */
/*
 * losses: what a capture missed, and who lost it.  Each place counts for itself, so that own drops
 * are never taken for those of the network.
 */
#ifndef SONDE_METER_CAPTURE_LOSSES_H
#define SONDE_METER_CAPTURE_LOSSES_H

#include <stdint.h>

#define SN_LOSSES_NAME_MAX 64 /* with the NUL; longer names are cut */

struct sn_capture_losses {
	char interface[SN_LOSSES_NAME_MAX];
	uint64_t packets;         /* that reached us */
	uint64_t kernel_drops;    /* no room in the ring of the socket; isb_osdrop of pcapng */
	uint64_t interface_drops; /* in the interface, before the kernel; isb_ifdrop of pcapng */
	uint64_t own_drops;       /* no room in the queue to a worker */
};

#endif
