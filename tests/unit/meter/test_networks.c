/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rand.h"
#include "base/util.h"
#include "meter/decode/decode.h"
#include "meter/view/networks.h"

static struct sn_networks *parse(const char *text)
{
	struct sn_err err = {0};
	struct sn_networks *networks = sn_networks_parse(sn_str(text), "nets", &err);

	if (networks == NULL)
		fail_msg("%s", err.text);
	return networks;
}

static void address_of(const char *text, uint64_t address[2], uint8_t *family)
{
	*family = strchr(text, ':') != NULL ? 6 : 4;
	memset(address, 0, 16);
	assert_int_equal(inet_pton(*family == 6 ? AF_INET6 : AF_INET, text, address), 1);
}

static bool has(const struct sn_networks *networks, const char *text)
{
	uint64_t address[2];
	uint8_t family;

	address_of(text, address, &family);
	return sn_networks_has(networks, address, family);
}

static void every_form_of_a_network_is_understood(void **state SN_UNUSED)
{
	struct sn_networks *networks = parse("# ours\n"
					     "10.0.0.0/8\r\n"
					     "  172.16.0.0/255.240.0.0   # with a mask\n"
					     "\n"
					     "192.0.2.0\n"
					     "# a mask may stand on its own line\n"
					     "255.255.255.128\n"
					     "fc00::/7\n"
					     "2001:db8::\n"
					     "ffff:ffff::\n"
					     "198.51.100.7/32");

	assert_true(has(networks, "10.255.255.255"));
	assert_false(has(networks, "11.0.0.0"));
	assert_true(has(networks, "172.31.255.255"));
	assert_false(has(networks, "172.32.0.0"));
	assert_true(has(networks, "192.0.2.127"));
	assert_false(has(networks, "192.0.2.128"));
	assert_true(has(networks, "fdff::1"));
	assert_false(has(networks, "fe00::1"));
	assert_true(has(networks, "2001:db8:ffff::"));
	assert_false(has(networks, "2001:db9::"));
	assert_true(has(networks, "198.51.100.7"));
	assert_false(has(networks, "198.51.100.6"));
	sn_networks_destroy(networks);
}

static void host_bits_of_a_network_do_not_matter(void **state SN_UNUSED)
{
	struct sn_networks *networks = parse("192.0.2.77/24");

	assert_true(has(networks, "192.0.2.0"));
	assert_false(has(networks, "192.0.3.77"));
	sn_networks_destroy(networks);
}

static void length_zero_is_everything_of_one_family(void **state SN_UNUSED)
{
	struct sn_networks *networks = parse("0.0.0.0/0");

	assert_true(has(networks, "0.0.0.0"));
	assert_true(has(networks, "255.255.255.255"));
	assert_false(has(networks, "::"));
	sn_networks_destroy(networks);
}

/* The reference takes such a line for everything. */
static void zero_address_keeps_its_length(void **state SN_UNUSED)
{
	struct sn_networks *networks = parse("0.0.0.0/8");

	assert_true(has(networks, "0.1.2.3"));
	assert_false(has(networks, "1.1.2.3"));
	sn_networks_destroy(networks);
}

static void empty_list_holds_nothing(void **state SN_UNUSED)
{
	struct sn_networks *networks = parse("# nothing\n");

	assert_false(has(networks, "192.0.2.1"));
	assert_false(has(networks, "::1"));
	sn_networks_destroy(networks);
}

static void refuse(const char *text, const char *reason)
{
	struct sn_err err = {0};

	assert_null(sn_networks_parse(sn_str(text), "nets", &err));
	if (strstr(err.text, reason) == NULL)
		fail_msg("'%s' is not '%s'", err.text, reason);
	assert_true(err.code < 0);
}

static void refusals_name_the_line_and_the_reason(void **state SN_UNUSED)
{
	refuse("10.0.0.0/8\nfoo\n", "cannot use 'nets', line 2: 'foo' is no network");
	refuse("10.0.0.0/33", "line 1: prefix length '33' is above 32");
	refuse("::/129", "prefix length '129' is above 128");
	refuse("10.0.0.0/255.0.255.0", "its ones are not all at the front");
	refuse("10.0.0.0/ffff::", "mask of the other address family");
	refuse("10.0.0.0/", "neither a prefix length nor a mask");
	refuse("10.0.0.0\n\n192.0.2.0/24\n", "line 3: '192.0.2.0/24' is neither");
	refuse("\n10.0.0.0\n", "line 2: an address without its mask");
	refuse("10.0.0/8", "is no network");
	refuse("10.0.0.0.0/8", "is no network");
}

static void nul_bytes_are_refused(void **state SN_UNUSED)
{
	struct sn_err err = {0};
	struct sn_str text = {"10.0.0.0\0/8", 11};

	assert_null(sn_networks_parse(text, "nets", &err));
}

static void list_may_be_as_long_as_the_limit_and_no_longer(void **state SN_UNUSED)
{
	struct sn_buf text = {0};
	struct sn_networks *networks;
	struct sn_err err;

	for (unsigned i = 0; i < SN_NETWORKS_MAX; i++)
		sn_buf_addf(&text, "%u.%u.%u.0/24\n", i >> 16, i >> 8 & 255, i & 255);
	networks = parse(sn_buf_cstr(&text));
	assert_true(has(networks, "1.134.159.9"));
	assert_false(has(networks, "1.134.160.9"));
	sn_networks_destroy(networks);
	sn_buf_adds(&text, "9.9.9.9/32\n");
	assert_null(sn_networks_parse(sn_buf_str(&text), "nets", &err));
	assert_int_equal(err.code, -E2BIG);
	assert_non_null(strstr(err.text, "line 100001: more than 100000 networks"));
	sn_buf_finish(&text);
}

/* Many random networks beside a plain search through them. */
struct plain {
	uint8_t ip[16];
	unsigned family, bits;
};

static bool plain_has(const struct plain *plain, size_t count, const uint8_t *ip, unsigned family)
{
	for (size_t i = 0; i < count; i++) {
		unsigned bit = 0;

		while (bit < plain[i].bits &&
		       ((plain[i].ip[bit / 8] ^ ip[bit / 8]) >> (7 - bit % 8) & 1) == 0)
			bit++;
		if (plain[i].family == family && bit == plain[i].bits)
			return true;
	}
	return false;
}

/* Few values per byte, so that they lie in each other and beside each other. */
static void random_ip(struct sn_prng *prng, unsigned family, uint8_t ip[16])
{
	memset(ip, 0, 16);
	for (unsigned i = 0; i < (family == 6 ? 16U : 4U); i++)
		ip[i] = (uint8_t)(sn_prng_u64(prng) % 4 * 85 + (sn_prng_u64(prng) % 9 == 0));
}

static void trie_answers_like_a_plain_search(void **state SN_UNUSED)
{
	struct sn_prng prng;
	struct plain plain[400];
	struct sn_buf text = {0};
	struct sn_networks *networks;
	char word[INET6_ADDRSTRLEN];

	sn_prng_seed(&prng, 4);
	for (size_t i = 0; i < SN_COUNT(plain); i++) {
		plain[i].family = sn_prng_u64(&prng) % 2 == 0 ? 4 : 6;
		random_ip(&prng, plain[i].family, plain[i].ip);
		plain[i].bits =
			4 + (unsigned)(sn_prng_u64(&prng) % (plain[i].family == 6 ? 125 : 29));
		inet_ntop(plain[i].family == 6 ? AF_INET6 : AF_INET, plain[i].ip, word,
			  sizeof(word));
		sn_buf_addf(&text, "%s/%u\n", word, plain[i].bits);
	}
	networks = parse(sn_buf_cstr(&text));
	for (unsigned i = 0; i < 20000; i++) {
		unsigned family = i % 2 == 0 ? 4 : 6;
		uint8_t ip[16];
		uint64_t address[2];

		random_ip(&prng, family, ip);
		if (i % 5 == 0) {
			const struct plain *near = &plain[sn_prng_u64(&prng) % SN_COUNT(plain)];

			family = near->family;
			memcpy(ip, near->ip, 16);
			ip[family == 6 ? 15 : 3] ^= (uint8_t)(i & 1);
		}
		memcpy(address, ip, 16);
		assert_int_equal(sn_networks_has(networks, address, (uint8_t)family),
				 plain_has(plain, SN_COUNT(plain), ip, family));
	}
	sn_networks_destroy(networks);
	sn_buf_finish(&text);
}

/* Stations ------------------------------------------------------------------------------ */

static void stations_are_found_by_any_spelling(void **state SN_UNUSED)
{
	struct sn_err err = {0};
	struct sn_stations *stations = sn_stations_parse(SN_STR("# router\n02:00:5E:10:00:01\r\n"
								"02-00-5e-10-00-ff # printer\n"),
							 "macs", &err);

	assert_non_null(stations);
	assert_true(sn_stations_has(stations, (const uint8_t *)"\x02\x00\x5e\x10\x00\x01"));
	assert_true(sn_stations_has(stations, (const uint8_t *)"\x02\x00\x5e\x10\x00\xff"));
	assert_false(sn_stations_has(stations, (const uint8_t *)"\x02\x00\x5e\x10\x00\x02"));
	sn_stations_destroy(stations);
	assert_null(sn_stations_parse(SN_STR("02:00:5e:10:00:01\n02:00:5e:10:00\n"), "macs", &err));
	assert_string_equal(err.text, "cannot use 'macs', line 2: '02:00:5e:10:00' is no station "
				      "address like '02:00:5e:10:00:01'");
	assert_null(sn_stations_parse(SN_STR("02:00:5e:10:00:0g"), "macs", &err));
	assert_null(sn_stations_parse(SN_STR("02.00.5e.10.00.01"), "macs", &err));
}

static void stations_have_a_limit(void **state SN_UNUSED)
{
	struct sn_buf text = {0};
	struct sn_stations *stations;
	struct sn_err err;

	for (unsigned i = 0; i < SN_STATIONS_MAX; i++)
		sn_buf_addf(&text, "02:00:00:00:%02x:%02x\n", i >> 8, i & 255);
	stations = sn_stations_parse(sn_buf_str(&text), "macs", &err);
	assert_non_null(stations);
	assert_true(sn_stations_has(stations, (const uint8_t *)"\x02\x00\x00\x00\x03\xff"));
	sn_stations_destroy(stations);
	sn_buf_adds(&text, "04:00:00:00:00:00\n");
	assert_null(sn_stations_parse(sn_buf_str(&text), "macs", &err));
	assert_int_equal(err.code, -E2BIG);
	sn_buf_finish(&text);
}

static void check_inside(const struct sn_inside *inside, const struct sn_decoded *packet,
			 bool source, bool destination)
{
	bool s = !source, d = !destination;

	sn_inside_of(inside, packet, &s, &d);
	assert_int_equal(s, source);
	assert_int_equal(d, destination);
}

static void stations_go_before_networks_and_without_lists_all_are_inside(void **state SN_UNUSED)
{
	struct sn_networks *networks = parse("192.0.2.0/24");
	struct sn_err err;
	struct sn_stations *stations = sn_stations_parse(SN_STR("02:00:00:00:00:02"), "macs", &err);
	/* Destination first, as on the wire. */
	const uint8_t ends[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct sn_decoded packet = {.family = 4};

	inet_pton(AF_INET, "198.51.100.1", packet.src);
	inet_pton(AF_INET, "192.0.2.1", packet.dst);
	check_inside(&(struct sn_inside){0}, &packet, true, true);
	check_inside(&(struct sn_inside){.internal = networks}, &packet, false, true);
	packet.stations = ends;
	check_inside(&(struct sn_inside){.internal = networks, .stations = stations}, &packet, true,
		     false);
	packet.stations = NULL;
	check_inside(&(struct sn_inside){.stations = stations}, &packet, false, false);
	sn_stations_destroy(stations);
	sn_networks_destroy(networks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_a_network_is_understood),
		cmocka_unit_test(host_bits_of_a_network_do_not_matter),
		cmocka_unit_test(length_zero_is_everything_of_one_family),
		cmocka_unit_test(zero_address_keeps_its_length),
		cmocka_unit_test(empty_list_holds_nothing),
		cmocka_unit_test(refusals_name_the_line_and_the_reason),
		cmocka_unit_test(nul_bytes_are_refused),
		cmocka_unit_test(list_may_be_as_long_as_the_limit_and_no_longer),
		cmocka_unit_test(trie_answers_like_a_plain_search),
		cmocka_unit_test(stations_are_found_by_any_spelling),
		cmocka_unit_test(stations_have_a_limit),
		cmocka_unit_test(stations_go_before_networks_and_without_lists_all_are_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
