/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/decode/decode.h"
#include "meter/view/networks.h"

#define STATION_TEXT 17 /* "02:00:5e:10:00:01" */

struct sn_stations {
	uint64_t macs[SN_STATIONS_MAX]; /* in order */
	size_t count;
};

static uint64_t mac_number(const uint8_t mac[6])
{
	uint64_t number = 0;

	for (int i = 0; i < 6; i++)
		number = number << 8 | mac[i];
	return number;
}

static int parse_station(struct sn_str text, uint64_t *number)
{
	uint8_t mac[6];

	if (text.n != STATION_TEXT)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac); i++) {
		const char *at = text.p + 3 * i;

		if (sn_unhex((struct sn_str){at, 2}, &mac[i], 1) != 0 ||
		    (i > 0 && at[-1] != ':' && at[-1] != '-'))
			return -EINVAL;
	}
	*number = mac_number(mac);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int read_station(struct sn_stations *stations, struct sn_str line, struct sn_err *err)
{
	if (stations->count == SN_STATIONS_MAX)
		return sn_err_set(err, -E2BIG, "more than %d stations", SN_STATIONS_MAX);
	if (parse_station(line, &stations->macs[stations->count]) != 0)
		return sn_err_set(err, -EINVAL,
				  "'%.*s' is no station address like '02:00:5e:10:00:01'",
				  (int)SN_MIN(line.n, 60U), line.p);
	stations->count++;
	return 0;
}

struct sn_stations *sn_stations_parse(struct sn_str text, const char *name, struct sn_err *err)
{
	struct sn_stations *stations = sn_new(struct sn_stations);
	struct sn_str line, part;
	unsigned number = 0;

	while (text.n > 0 && sn_str_split(&text, '\n', &line)) {
		number++;
		sn_str_split(&line, '#', &part);
		part = sn_str_trim(part);
		if (part.n == 0 || read_station(stations, part, err) == 0)
			continue;
		sn_err_wrap(err, "cannot use '%s', line %u", name, number);
		sn_stations_destroy(stations);
		return NULL;
	}
	qsort(stations->macs, stations->count, sizeof(stations->macs[0]), by_number);
	return stations;
}

void sn_stations_destroy(struct sn_stations *stations)
{
	free(stations);
}

bool sn_stations_has(const struct sn_stations *stations, const uint8_t mac[6])
{
	uint64_t number = mac_number(mac);

	return bsearch(&number, stations->macs, stations->count, sizeof(stations->macs[0]),
		       by_number) != NULL;
}

void sn_inside_of(const struct sn_inside *inside, const struct sn_decoded *packet, bool *source,
		  bool *destination)
{
	if (inside->stations != NULL) {
		const uint8_t *stations = packet->stations;

		*destination = stations != NULL && sn_stations_has(inside->stations, stations);
		*source = stations != NULL && sn_stations_has(inside->stations, stations + 6);
		return;
	}
	*source = *destination = inside->internal == NULL;
	if (inside->internal != NULL) {
		*source = sn_networks_has(inside->internal, packet->src, packet->family);
		*destination = sn_networks_has(inside->internal, packet->dst, packet->family);
	}
}
