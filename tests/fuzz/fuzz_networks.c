/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text is refused with its line, or a list that holds the first and the last address of each
 * network that stands in it in the form ADDRESS/LENGTH; the same for stations.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "meter/view/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_hold(const struct sn_networks *networks, uint8_t ip[16], unsigned bits,
		      uint8_t family, bool last)
{
	uint64_t address[2];

	for (unsigned i = bits; i < (family == 6 ? 128U : 32U); i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		ip[i / 8] = (uint8_t)(last ? ip[i / 8] | bit : ip[i / 8] & ~bit);
	}
	memcpy(address, ip, sizeof(address));
	if (!sn_networks_has(networks, address, family))
		abort();
}

static void check_line(const struct sn_networks *networks, struct sn_str line)
{
	struct sn_str length = line, address;
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16] = {0}, family;
	uint64_t bits;

	sn_str_split(&length, '/', &address);
	if (length.p == NULL || address.n >= sizeof(text) ||
	    memchr(address.p, '\0', address.n) != NULL)
		return;
	memcpy(text, address.p, address.n);
	text[address.n] = '\0';
	family = strchr(text, ':') != NULL ? 6 : 4;
	if (inet_pton(family == 6 ? AF_INET6 : AF_INET, text, ip) != 1 ||
	    sn_parse_u64(length, 0, family == 6 ? 128 : 32, &bits) != 0)
		return;
	must_hold(networks, ip, (unsigned)bits, family, true);
	must_hold(networks, ip, (unsigned)bits, family, false);
}

static void check_error(const struct sn_err *err)
{
	if (err->code >= 0 || strstr(err->text, "line ") == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_str text = {(const char *)data, size}, line;
	struct sn_err err = {0};
	struct sn_networks *networks = sn_networks_parse(text, "input", &err);
	struct sn_stations *stations;

	if (networks == NULL)
		check_error(&err);
	err = (struct sn_err){0};
	stations = sn_stations_parse(text, "input", &err);
	if (stations == NULL)
		check_error(&err);
	sn_stations_destroy(stations);
	while (networks != NULL && text.n > 0 && sn_str_split(&text, '\n', &line))
		check_line(networks, line);
	sn_networks_destroy(networks);
	return 0;
}
