/* SPDX-License-Identifier: Apache-2.0 */
/*
 * networks: lists of prefixes in Tstat's files (-N internal, -C cloud, -Y to
 * anonymise, -W exempt from that): a line each, "#" comments, a.b.c.d/len,
 * a.b.c.d/m.m.m.m, v6::/len, or two lines address and mask; and of station
 * addresses (-M).
 *
 * Look-up cost does not grow with the list.
 */
#ifndef SONDE_METER_VIEW_NETWORKS_H
#define SONDE_METER_VIEW_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define SN_NETWORKS_MAX 100000
#define SN_STATIONS_MAX 1024

struct sn_networks;
/* NULL on errors, which name the line. */
struct sn_networks *sn_networks_parse(struct sn_str text, const char *name, struct sn_err *err);
void sn_networks_destroy(struct sn_networks *networks); /* NULL is fine */
/* `address` as in struct sn_decoded. */
bool sn_networks_has(const struct sn_networks *networks, const uint64_t address[2], uint8_t family);

struct sn_stations;
struct sn_stations *sn_stations_parse(struct sn_str text, const char *name, struct sn_err *err);
void sn_stations_destroy(struct sn_stations *stations);
bool sn_stations_has(const struct sn_stations *stations, const uint8_t mac[6]);

/* Who is inside: by station (then networks are not asked), by network, or, without lists, all. */
struct sn_inside {
	const struct sn_networks *internal, *cloud; /* NULL: no list */
	const struct sn_stations *stations;
};
struct sn_decoded;
/* Of the packet's source and destination. */
void sn_inside_of(const struct sn_inside *inside, const struct sn_decoded *packet, bool *source,
		  bool *destination);

#endif
