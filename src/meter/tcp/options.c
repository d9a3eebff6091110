/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/options.h"

enum { END = 0, NOP = 1, MSS = 2, SCALE = 3, SACK_PERMITTED = 4, SACK = 5, TIMESTAMPS = 8 };

static void read_one(struct sn_tcp_options *options, uint8_t kind, struct sn_rd *rd, size_t size)
{
	if (kind == MSS && size == 2) {
		options->mss = sn_rd_u16be(rd);
		options->has_mss = sn_rd_ok(rd);
	} else if (kind == SCALE && size == 1) {
		uint8_t shift = sn_rd_u8(rd);

		options->scale = SN_MIN(shift, SN_TCP_SCALE_MAX);
		options->has_scale = sn_rd_ok(rd);
	} else if (kind == TIMESTAMPS && size == 8) {
		options->tsval = sn_rd_u32be(rd);
		options->tsecr = sn_rd_u32be(rd);
		options->has_timestamps = true; /* 0 if they were not captured */
	} else {
		options->has_sack_permitted |= kind == SACK_PERMITTED;
		options->has_sack |= kind == SACK;
		sn_rd_skip(rd, size);
	}
}

void sn_tcp_options_read(struct sn_tcp_options *options, const struct sn_decoded *packet)
{
	struct sn_rd rd = packet->tcp_options;

	*options = (struct sn_tcp_options){0};
	while (sn_rd_left(&rd) > 0) {
		uint8_t kind = sn_rd_u8(&rd), length;

		if (kind == NOP)
			continue;
		if (kind == END)
			return;
		length = sn_rd_u8(&rd);
		if (length < 2)
			return;
		read_one(options, kind, &rd, length - 2U);
	}
}
