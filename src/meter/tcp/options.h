/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: what the options of a TCP segment say (RFC 9293 section 3.1, RFC 7323,
 * RFC 2018).
 */
#ifndef SONDE_METER_TCP_OPTIONS_H
#define SONDE_METER_TCP_OPTIONS_H

#include "meter/decode/decode.h"

#define SN_TCP_SCALE_MAX 14 /* RFC 7323 section 2.3: larger shifts count as this */

struct sn_tcp_options {
	bool has_mss, has_scale, has_timestamps, has_sack_permitted, has_sack;
	uint8_t scale;
	uint16_t mss;
	uint32_t tsval, tsecr;
};

/* Options up to the first that makes no sense. */
void sn_tcp_options_read(struct sn_tcp_options *options, const struct sn_decoded *packet);

#endif
