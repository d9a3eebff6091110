/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet: one captured frame on its way into the meter, wherever it came from.
 */
#ifndef SONDE_METER_CAPTURE_PACKET_H
#define SONDE_METER_CAPTURE_PACKET_H

#include <stdint.h>

struct sn_packet {
	int64_t time_ns;     /* Unix time */
	const uint8_t *data; /* borrowed from the source until its next packet */
	uint32_t captured;   /* bytes at `data` */
	uint32_t length;     /* bytes on the wire, never below `captured` */
};

#endif
