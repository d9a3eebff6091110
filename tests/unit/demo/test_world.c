/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world's table must make sense before anybody builds it: names, addresses,
 * routes that really lead from everybody to everybody.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"
#include "demo/impair/shape.h"
#include "demo/world/build.h"
#include "demo/world/world.h"

#define HOPS_MAX 8

static const int families[] = {AF_INET, AF_INET6};

struct prefix {
	uint8_t address[16];
	unsigned length;
};

static bool parse(const char *text, int family, struct prefix *out)
{
	char copy[64];
	char *slash;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	out->length = family == AF_INET ? 32 : 128;
	if (slash != NULL) {
		out->length = (unsigned)atoi(slash + 1);
		*slash = '\0';
	}
	memset(out->address, 0, sizeof(out->address));
	return inet_pton(family, copy, out->address) == 1;
}

static bool covers(const struct prefix *prefix, const uint8_t address[16])
{
	for (unsigned bit = 0; bit < prefix->length; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		if ((prefix->address[bit / 8] & mask) != (address[bit / 8] & mask))
			return false;
	}
	return true;
}

static const char *address_text(const struct sn_world_end *end, int family)
{
	return family == AF_INET ? end->ip4 : end->ip6;
}

static void names_are_unique_and_known(void **state SN_UNUSED)
{
	for (size_t i = 0; i < sn_world_host_count; i++)
		assert_ptr_equal(sn_world_find(sn_world_hosts[i].name), &sn_world_hosts[i]);
	for (size_t i = 0; i < sn_world_link_count; i++) {
		assert_ptr_equal(sn_world_find_link(sn_world_links[i].name), &sn_world_links[i]);
		assert_non_null(sn_world_find(sn_world_links[i].a.host));
		assert_non_null(sn_world_find(sn_world_links[i].b.host));
		assert_true(strlen(sn_world_links[i].a.interface) < 16);
	}
	assert_null(sn_world_find("nobody"));
	assert_null(sn_world_find_link("nothing"));
}

static void there_are_four_nodes_at_real_places(void **state SN_UNUSED)
{
	unsigned nodes = 0;

	for (size_t i = 0; i < sn_world_host_count; i++) {
		const struct sn_world_host *host = &sn_world_hosts[i];

		if (host->role != SN_WORLD_NODE)
			continue;
		nodes++;
		assert_non_null(host->place);
		assert_true(host->latitude > -60 && host->latitude < 75);
		assert_true(host->longitude > -180 && host->longitude < 180);
	}
	assert_int_equal(nodes, 4);
}

static void a_leaf_has_one_link_with_a_stable_name(void **state SN_UNUSED)
{
	for (size_t i = 0; i < sn_world_link_count; i++) {
		unsigned links = 0;

		if (!sn_world_links[i].leaf)
			continue;
		assert_string_equal(sn_world_links[i].a.interface, "op0");
		for (size_t j = 0; j < sn_world_link_count; j++)
			links += strcmp(sn_world_links[j].a.host, sn_world_links[i].a.host) == 0 ||
				 strcmp(sn_world_links[j].b.host, sn_world_links[i].a.host) == 0;
		assert_int_equal(links, 1);
	}
}

static void addresses_are_for_documentation_and_given_once(void **state SN_UNUSED)
{
	static const char *const ranges4[] = {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"};
	struct prefix seen[64];
	unsigned count = 0;

	for (size_t i = 0; i < sn_world_link_count; i++)
		for (size_t f = 0; f < SN_COUNT(families); f++)
			for (int e = 0; e < 2; e++) {
				const struct sn_world_end *end =
					e == 0 ? &sn_world_links[i].a : &sn_world_links[i].b;
				struct prefix own, range;
				bool inside = false;

				assert_true(
					parse(address_text(end, families[f]), families[f], &own));
				for (size_t r = 0; r < SN_COUNT(ranges4); r++) {
					parse(families[f] == AF_INET ? ranges4[r] : "2001:db8::/32",
					      families[f], &range);
					inside = inside || covers(&range, own.address);
				}
				assert_true(inside);
				for (unsigned k = 0; k < count; k++)
					assert_true(memcmp(seen[k].address, own.address, 16) != 0);
				seen[count++] = own;
			}
}

static void both_ends_of_a_link_are_in_one_network(void **state SN_UNUSED)
{
	for (size_t i = 0; i < sn_world_link_count; i++)
		for (size_t f = 0; f < SN_COUNT(families); f++) {
			struct prefix a, b;

			parse(address_text(&sn_world_links[i].a, families[f]), families[f], &a);
			parse(address_text(&sn_world_links[i].b, families[f]), families[f], &b);
			assert_int_equal(a.length, b.length);
			assert_true(covers(&a, b.address));
		}
}

static void every_shape_is_understood(void **state SN_UNUSED)
{
	for (size_t i = 0; i < sn_world_link_count; i++) {
		struct sn_str rest = sn_str(sn_world_links[i].shape), part;
		struct sn_impair_shape shape = {0};
		struct sn_err err;

		while (sn_str_split(&rest, ',', &part)) {
			if (sn_str_has_prefix(part, "ab.") || sn_str_has_prefix(part, "ba."))
				part = (struct sn_str){part.p + 3, part.n - 3};
			if (sn_impair_shape_parse(&shape, part, &err) != 0)
				fail_msg("%s: %s", sn_world_links[i].name, err.text);
		}
		assert_true(shape.delay_ns > 0);
	}
}

/* Who is at the other end of the link on which `host` reaches `address` directly, or NULL. */
static const char *neighbour(const char *host, int family, const uint8_t address[16])
{
	for (size_t i = 0; i < sn_world_link_count; i++) {
		const struct sn_world_link *link = &sn_world_links[i];
		const struct sn_world_end *near = strcmp(link->a.host, host) == 0   ? &link->a
						  : strcmp(link->b.host, host) == 0 ? &link->b
										    : NULL;
		const struct sn_world_end *far = near == &link->a ? &link->b : &link->a;
		struct prefix own, other;

		if (near == NULL)
			continue;
		parse(address_text(near, family), family, &own);
		parse(address_text(far, family), family, &other);
		if (covers(&own, address))
			return memcmp(other.address, address, 16) == 0 ? far->host : NULL;
	}
	return NULL;
}

static const char *default_gateway(const char *host, int family)
{
	for (size_t i = 0; i < sn_world_link_count; i++)
		if (sn_world_links[i].leaf && strcmp(sn_world_links[i].a.host, host) == 0)
			return address_text(&sn_world_links[i].b, family);
	return NULL;
}

/* Longest prefix wins; NULL if nothing matches. */
static const char *next_hop(const char *host, int family, const uint8_t address[16])
{
	const char *best = default_gateway(host, family);
	unsigned best_length = 0;
	struct prefix gateway;

	if (neighbour(host, family, address) != NULL)
		return neighbour(host, family, address);
	for (size_t i = 0; i < sn_world_route_count; i++) {
		const struct sn_world_route *route = &sn_world_routes[i];
		bool is_ip6 = strchr(route->gateway, ':') != NULL;
		struct prefix prefix = {.length = 0};

		if (strcmp(route->host, host) != 0 || is_ip6 != (family == AF_INET6))
			continue;
		if (strcmp(route->destination, "default") != 0)
			assert_true(parse(route->destination, family, &prefix));
		if (covers(&prefix, address) && (best == NULL || prefix.length > best_length)) {
			best = route->gateway;
			best_length = prefix.length;
		}
	}
	if (best == NULL || !parse(best, family, &gateway))
		return NULL;
	return neighbour(host, family, gateway.address);
}

static void expect_path(const char *from, const char *to, int family)
{
	char text[SN_WORLD_ADDRESS_MAX];
	const char *at = from;
	struct prefix address;

	assert_true(parse(sn_world_address(to, family, text), family, &address));
	for (int hop = 0; at != NULL && strcmp(at, to) != 0; hop++) {
		if (hop == HOPS_MAX)
			fail_msg("from %s to %s the packet goes round", from, to);
		at = next_hop(at, family, address.address);
	}
	if (at == NULL)
		fail_msg("no way from %s to %s", from, to);
}

static void everybody_reaches_everybody_in_both_families(void **state SN_UNUSED)
{
	for (size_t i = 0; i < sn_world_link_count; i++)
		for (size_t j = 0; j < sn_world_link_count; j++)
			for (size_t f = 0; f < SN_COUNT(families); f++)
				if (i != j && sn_world_links[i].leaf && sn_world_links[j].leaf)
					expect_path(sn_world_links[i].a.host,
						    sn_world_links[j].a.host, families[f]);
}

static void every_gateway_is_a_neighbour(void **state SN_UNUSED)
{
	for (size_t i = 0; i < sn_world_route_count; i++) {
		int family = strchr(sn_world_routes[i].gateway, ':') != NULL ? AF_INET6 : AF_INET;
		struct prefix gateway;

		assert_true(parse(sn_world_routes[i].gateway, family, &gateway));
		if (neighbour(sn_world_routes[i].host, family, gateway.address) == NULL)
			fail_msg("'%s' is no neighbour of %s", sn_world_routes[i].gateway,
				 sn_world_routes[i].host);
	}
}

static void namespaces_are_named_after_hosts(void **state SN_UNUSED)
{
	char netns[SN_PRIV_NAME_MAX];

	assert_string_equal(sn_world_netns("sonde-demo-", "node-1", netns), "sonde-demo-node-1");
	for (size_t i = 0; i < sn_world_host_count; i++)
		assert_true(strlen(sn_world_netns("sonde-demo-abcd-", sn_world_hosts[i].name,
						  netns)) < SN_PRIV_NAME_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_unique_and_known),
		cmocka_unit_test(there_are_four_nodes_at_real_places),
		cmocka_unit_test(a_leaf_has_one_link_with_a_stable_name),
		cmocka_unit_test(addresses_are_for_documentation_and_given_once),
		cmocka_unit_test(both_ends_of_a_link_are_in_one_network),
		cmocka_unit_test(every_shape_is_understood),
		cmocka_unit_test(everybody_reaches_everybody_in_both_families),
		cmocka_unit_test(every_gateway_is_a_neighbour),
		cmocka_unit_test(namespaces_are_named_after_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
