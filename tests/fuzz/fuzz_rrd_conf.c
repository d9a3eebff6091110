/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is refused with the line that is wrong, or asks for values that exist; a
 * board made with it tells them of a packet.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "meter/series/rrd_conf.h"
#include "meter/series/series.h"

/* A board is big: only some texts are also tried on one. */
#define TRIED(size) ((size) % 16 == 0)
#define SMALL       200 /* values of such a text */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct sn_rrd_conf *conf, const struct sn_rrd_value *value)
{
	if (value->histogram >= SN_HISTOGRAMS || value->stat[0] == '\0' || value->steps == 0 ||
	    value->steps > 7 || strlen(value->stat) >= SN_RRD_STAT_MAX || value->label == NULL)
		abort();
	if (value->kind == SN_RRD_INDEX && value->what >= sn_histograms[value->histogram].count)
		abort();
	if (value->kind == SN_RRD_OTHER && value->first + value->count > conf->count)
		abort();
	if (value->kind == SN_RRD_PERCENTILE && !(value->percent > 0 && value->percent <= 100))
		abort();
}

static void tell(const struct sn_traffic_value *value, void *ctx)
{
	if (isinf(value->value))
		abort();
	++*(size_t *)ctx;
}

static void try_on_board(const char *text, size_t values)
{
	size_t told = 0;
	struct sn_traffic_options options = {
		.rrd_conf = text, .steps = 1, .value = tell, .ctx = &told};
	struct sn_decoded packet = {.family = 4, .protocol = 47, .ip_bytes = 100, .ttl = 64};
	struct sn_traffic_board *board;
	struct sn_traffic *traffic;

	if (sn_traffic_board_create(&options, &board, NULL) != 0)
		abort();
	traffic = sn_traffic_create(board);
	sn_traffic_packet(traffic, &packet, NULL, 0, NULL, 0);
	sn_traffic_destroy(traffic);
	sn_traffic_board_destroy(board);
	if (told > values)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size};
	struct sn_rrd_conf conf;
	struct sn_err err = {0};

	if (sn_rrd_conf_parse(text, "rrd.conf", &conf, &err) != 0) {
		if (err.code >= 0 || err.text[0] == '\0' || conf.count != 0)
			abort();
		return 0;
	}
	for (size_t i = 0; i < conf.count; i++)
		check(&conf, &conf.values[i]);
	if (TRIED(size) && conf.count <= SMALL && memchr(data, 0, size) == NULL) {
		sn_autofree char *copy = sn_xstrndup((const char *)data, size);

		try_on_board(copy, conf.count);
	}
	sn_rrd_conf_finish(&conf);
	return 0;
}
