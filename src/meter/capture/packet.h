/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet: one captured frame on its way into the meter, wherever it came from.
 */
#ifndef SONDE_METER_CAPTURE_PACKET_H
#define SONDE_METER_CAPTURE_PACKET_H

#include <stddef.h>
#include <stdint.h>

struct sn_packet {
	int64_t time_ns;     /* Unix time */
	const uint8_t *data; /* borrowed from the source until its next packet */
	uint32_t captured;   /* bytes at `data` */
	uint32_t length;     /* bytes on the wire, never below `captured` */
	uint16_t link;       /* DLT_ value: the interfaces of one pcapng file may differ */
	uint16_t source;     /* which of several inputs that are read at the same time; else 0 */
	uint32_t window;     /* where `data` is, capture/window.h; 0: in no window */
};

/*
 * How many packets at the front have the same link and source: what sn_meter_packets() takes in
 * one call.  All of them, unless interfaces of different kinds or several files are mixed.
 */
static inline size_t sn_packet_run(const struct sn_packet *packets, size_t count)
{
	size_t n = 1;

	while (n < count && packets[n].link == packets[0].link &&
	       packets[n].source == packets[0].source)
		n++;
	return count > 0 ? n : 0;
}

#endif
