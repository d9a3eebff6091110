/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "net/prefix.h"

static struct sn_prefixes set;

static int finish(void **state)
{
	(void)state;
	sn_prefixes_finish(&set);
	return 0;
}

static void take(const char *text)
{
	struct sn_err err = {0};

	sn_prefixes_finish(&set);
	if (sn_prefixes_parse(&set, sn_str(text), "list", &err) != 0)
		fail_msg("%s", err.text);
}

/* The network that holds it, or "free". */
static const char *holder(const char *text)
{
	static char out[SN_PREFIX_TEXT_MAX];
	const struct sn_prefix *found;
	struct sn_addr addr;

	assert_int_equal(sn_addr_parse(sn_str(text), 0, &addr), 0);
	found = sn_prefixes_find(&set, &addr);
	return found != NULL ? sn_prefix_format(found, out, sizeof(out)) : "free";
}

/* `text` written back, or "refused". */
static const char *round_trip(const char *text)
{
	static char out[SN_PREFIX_TEXT_MAX];
	struct sn_prefix prefix;
	int error = sn_prefix_parse(sn_str(text), &prefix);

	if (error != 0)
		return error == -ERANGE ? "bits" : "refused";
	return sn_prefix_format(&prefix, out, sizeof(out));
}

static void networks_are_read_and_written(void **state)
{
	static const char *const bad[] = {
		"",     "/8",          "192.0.2.0/",     "192.0.2.0/33", "192.0.2/24",
		"host", "10.0.0.0/8x", "2001:db8::/129", "192.0.2.1/-1", "fe80::1%lo",
		" ::1", "::/ 1",
	};

	(void)state;
	assert_string_equal(round_trip("192.0.2.0/24"), "192.0.2.0/24");
	assert_string_equal(round_trip("192.0.2.7"), "192.0.2.7");
	assert_string_equal(round_trip("192.0.2.7/32"), "192.0.2.7");
	assert_string_equal(round_trip("0.0.0.0/0"), "0.0.0.0/0");
	assert_string_equal(round_trip("2001:0DB8::/33"), "2001:db8::/33");
	assert_string_equal(round_trip("::"), "::");
	assert_string_equal(round_trip("192.0.2.1/31"), "bits");
	assert_string_equal(round_trip("2001:db8:8000::/32"), "bits");
	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_string_equal(round_trip(bad[i]), "refused");
	assert_int_equal(sn_prefix_parse((struct sn_str){"1.2.3.4\0", 8}, &(struct sn_prefix){0}),
			 -EINVAL);
}

static void an_address_is_found_in_its_network(void **state)
{
	(void)state;
	assert_string_equal(holder("192.0.2.1"), "free");
	take("# of others\n192.0.2.0/24\r\n\n  2001:db8:1::/48\n198.51.100.7");
	assert_string_equal(holder("192.0.2.0"), "192.0.2.0/24");
	assert_string_equal(holder("192.0.2.255"), "192.0.2.0/24");
	assert_string_equal(holder("192.0.1.255"), "free");
	assert_string_equal(holder("192.0.3.0"), "free");
	assert_string_equal(holder("198.51.100.7"), "198.51.100.7");
	assert_string_equal(holder("198.51.100.6"), "free");
	assert_string_equal(holder("198.51.100.8"), "free");
	assert_string_equal(holder("2001:db8:1:ffff::1"), "2001:db8:1::/48");
	assert_string_equal(holder("2001:db8:2::"), "free");
}

static void the_widest_of_nested_networks_counts(void **state)
{
	(void)state;
	take("10.1.0.0/16\n10.1.2.0/24\n10.0.0.0/8\n10.255.0.0/16\n10.0.0.0/8\n11.0.0.0/8\n");
	assert_int_equal(set.counts[0], 2);
	assert_string_equal(holder("10.1.2.3"), "10.0.0.0/8");
	assert_string_equal(holder("10.255.255.255"), "10.0.0.0/8");
	assert_string_equal(holder("11.0.0.0"), "11.0.0.0/8");
	assert_string_equal(holder("12.0.0.0"), "free");
	take("0.0.0.0/0");
	assert_string_equal(holder("255.255.255.255"), "0.0.0.0/0");
}

static void ipv4_inside_ipv6_is_seen_through(void **state)
{
	(void)state;
	take("192.0.2.0/24");
	assert_string_equal(holder("::ffff:192.0.2.1"), "192.0.2.0/24");
	assert_string_equal(holder("64:ff9b::c000:201"), "192.0.2.0/24");
	assert_string_equal(holder("2002:c000:201::1"), "192.0.2.0/24");
	assert_string_equal(holder("::192.0.2.1"), "free");
	assert_string_equal(holder("::ffff:192.0.3.1"), "free");
	take("::ffff:192.0.2.0/120");
	assert_string_equal(holder("192.0.2.9"), "192.0.2.0/24");
	assert_string_equal(holder("::ffff:192.0.2.9"), "192.0.2.0/24");
	/* All of IPv6 is no IPv4. */
	take("::/0");
	assert_string_equal(holder("192.0.2.9"), "free");
	assert_string_equal(holder("::ffff:192.0.2.9"), "::/0");
}

static void a_bad_line_is_named_and_nothing_is_kept(void **state)
{
	struct sn_err err = {0};

	(void)state;
	assert_int_equal(sn_prefixes_parse(&set, SN_STR("::1\n\n10.0.0.1/8\n"), "list", &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "'list', line 3"));
	assert_non_null(strstr(err.text, "10.0.0.1/8"));
	assert_int_equal(set.counts[0] + set.counts[1], 0);
	assert_string_equal(holder("::1"), "free");
}

static void a_file_is_named_when_it_cannot_be_read(void **state)
{
	char path[] = "/tmp/sonde-prefix-test-XXXXXX";
	int fd = mkstemp(path);
	struct sn_err err = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "192.0.2.0/24\n", 13), 13);
	close(fd);
	assert_int_equal(sn_prefixes_load(&set, path, &err), 0);
	assert_string_equal(holder("192.0.2.1"), "192.0.2.0/24");
	sn_prefixes_finish(&set);
	unlink(path);
	assert_int_equal(sn_prefixes_load(&set, path, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
}

static void one_network_more_than_the_limit_is_refused(void **state)
{
	struct sn_buf text = {0};
	struct sn_err err = {0};

	(void)state;
	for (unsigned i = 0; i < SN_PREFIXES_MAX; i++)
		sn_buf_addf(&text, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	assert_int_equal(sn_prefixes_parse(&set, sn_buf_str(&text), "list", &err), 0);
	assert_int_equal(set.counts[0], SN_PREFIXES_MAX);
	sn_prefixes_finish(&set);
	sn_buf_adds(&text, "::1\n");
	assert_int_equal(sn_prefixes_parse(&set, sn_buf_str(&text), "list", &err), -E2BIG);
	sn_buf_finish(&text);
}

/* The same question asked of each network, one after the other. */
static bool is_in_any(const struct sn_prefix *all, size_t count, uint32_t host)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t mask = all[i].bits > 0 ? UINT32_MAX << (32 - all[i].bits) : 0, net;

		memcpy(&net, all[i].addr, 4);
		if ((host & mask) == ntohl(net))
			return true;
	}
	return false;
}

static void any_set_answers_like_a_walk_over_all_of_it(void **state)
{
	struct sn_prefix all[200];
	struct sn_prng prng;

	(void)state;
	sn_prng_seed(&prng, 7);
	for (int round = 0; round < 50; round++) {
		struct sn_buf text = {0};

		for (size_t i = 0; i < SN_COUNT(all); i++) {
			unsigned bits = 8 + (unsigned)(sn_prng_u64(&prng) % 25);
			uint32_t net = htonl((10u << 24 | (uint32_t)(sn_prng_u64(&prng) & 0xffff)) &
					     UINT32_MAX << (32 - bits));
			char out[SN_PREFIX_TEXT_MAX];

			all[i] = (struct sn_prefix){.bits = SN_MAX(bits, 17u)};
			memcpy(all[i].addr, &net, 4);
			sn_buf_addf(&text, "%s\n", sn_prefix_format(&all[i], out, sizeof(out)));
		}
		take(sn_buf_cstr(&text));
		sn_buf_finish(&text);
		for (unsigned i = 0; i < 2000; i++) {
			uint32_t host = 10u << 24 | (uint32_t)(sn_prng_u64(&prng) & 0x1ffff);
			struct sn_addr addr = {.length = sizeof(addr.in)};

			addr.in.sin_family = AF_INET;
			addr.in.sin_addr.s_addr = htonl(host);
			assert_int_equal(sn_prefixes_find(&set, &addr) != NULL,
					 is_in_any(all, SN_COUNT(all), host));
		}
	}
}

static void ten_thousand_addresses_cost_next_to_nothing(void **state)
{
	struct sn_buf text = {0};
	struct sn_addr addr = {.length = sizeof(addr.in)};
	uint64_t begin_ns, found = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		sn_buf_addf(&text, "10.%u.%u.0/25\n", i >> 8, i & 255);
	take(sn_buf_cstr(&text));
	sn_buf_finish(&text);
	addr.in.sin_family = AF_INET;
	begin_ns = test_cpu_ns();
	for (uint32_t i = 0; i < 10000; i++) {
		addr.in.sin_addr.s_addr = htonl(10u << 24 | i * 251);
		found += sn_prefixes_find(&set, &addr) != NULL;
	}
	assert_true(found > 4000 && found < 6000);
	/* Some milliseconds under the sanitizers; one alone. */
	assert_true(test_cpu_ns() - begin_ns < 200 * (uint64_t)SN_NS_PER_MS);
}

#define TEST(name) cmocka_unit_test_teardown(name, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(networks_are_read_and_written),
		TEST(an_address_is_found_in_its_network),
		TEST(the_widest_of_nested_networks_counts),
		TEST(ipv4_inside_ipv6_is_seen_through),
		TEST(a_bad_line_is_named_and_nothing_is_kept),
		TEST(a_file_is_named_when_it_cannot_be_read),
		TEST(one_network_more_than_the_limit_is_refused),
		TEST(any_set_answers_like_a_walk_over_all_of_it),
		TEST(ten_thousand_addresses_cost_next_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
