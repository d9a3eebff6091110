/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample trace of the Crypto-PAn distribution of its authors (IPv4), and what several other
 * implementations agree on for IPv6.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/rand.h"
#include "base/util.h"
#include "meter/view/privacy.h"

static const uint8_t sample_key[SN_PRIVACY_KEY_BYTES] = {
	21,  34,  23,  141, 51,  164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
	216, 152, 143, 131, 121, 121, 101, 39,  98, 87, 76, 45, 42, 132, 34,  2};

struct vector {
	const char *real, *told;
};

static void check(struct sn_cryptopan *pan, const struct vector *vector)
{
	bool v6 = strchr(vector->real, ':') != NULL;
	uint8_t ip[16], out[16];
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, vector->real, ip), 1);
	sn_cryptopan_encrypt(pan, ip, v6 ? 16 : 4, out);
	inet_ntop(v6 ? AF_INET6 : AF_INET, out, text, sizeof(text));
	assert_string_equal(text, vector->told);
}

static void sample_trace_of_its_authors_is_reproduced(void **state SN_UNUSED)
{
	static const struct vector vectors[] = {
		{"128.11.68.132", "135.242.180.132"},   {"129.118.74.4", "134.136.186.123"},
		{"130.132.252.244", "133.68.164.234"},  {"141.223.7.43", "141.167.8.160"},
		{"141.233.145.108", "141.129.237.235"}, {"152.163.225.39", "151.140.114.167"},
		{"156.29.3.236", "147.225.12.42"},      {"165.247.96.84", "162.9.99.234"},
		{"166.107.77.190", "160.132.178.185"},  {"192.102.249.13", "252.138.62.131"},
		{"192.215.32.125", "252.43.47.189"},    {"192.233.80.103", "252.25.108.8"},
		{"192.41.57.43", "252.222.221.184"},    {"193.150.244.223", "253.169.52.216"},
		{"195.205.63.100", "255.186.223.5"},    {"198.200.171.101", "249.199.68.213"},
		{"198.26.132.101", "249.36.123.202"},   {"198.36.213.5", "249.7.21.132"},
		{"198.51.77.238", "249.18.186.254"},    {"199.217.79.101", "248.38.184.213"},
		{"202.49.198.20", "245.206.7.234"},     {"203.12.160.252", "244.248.163.4"},
		{"204.184.162.189", "243.192.77.90"},   {"204.202.136.230", "243.178.4.198"},
		{"204.29.20.4", "243.33.20.123"},       {"205.178.38.67", "242.108.198.51"},
		{"205.188.147.153", "242.96.16.101"},   {"207.105.49.5", "241.118.205.138"},
		{"208.147.89.59", "227.237.98.191"},    {"209.12.231.7", "226.243.167.8"},
		{"212.120.124.31", "228.135.163.231"},  {"216.148.237.145", "235.84.194.111"},
		{"24.0.250.221", "100.15.198.226"},     {"38.15.67.68", "64.3.66.187"},
		{"4.3.88.225", "124.60.155.63"},        {"63.14.55.111", "95.9.215.7"},
		{"64.14.118.196", "0.255.183.58"},      {"64.39.15.238", "0.219.7.41"},
		{"10.185.25.118", "117.161.29.118"},
	};
	struct sn_cryptopan *pan = sn_cryptopan_create(sample_key);

	/* Twice: the first 16 bits come from memory then. */
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < SN_COUNT(vectors); i++)
			check(pan, &vectors[i]);
	}
	sn_cryptopan_destroy(pan);
}

static void other_implementations_agree_on_ipv6(void **state SN_UNUSED)
{
	static const struct vector vectors[] = {
		{"::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"},
		{"::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"},
		{"::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"},
		{"2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"},
		{"2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"},
	};
	static const struct vector of_another_key[] = {
		{"192.0.2.1", "192.0.125.244"},
		{"2001:db8::1", "27fe:8bc7:fee:1e:1e1f:f0fe:f0e1:83fd"},
	};
	struct sn_cryptopan *pan = sn_cryptopan_create(sample_key);

	for (size_t i = 0; i < SN_COUNT(vectors); i++)
		check(pan, &vectors[i]);
	sn_cryptopan_destroy(pan);
	pan = sn_cryptopan_create((const uint8_t *)"32-char-str-for-AES-key-and-pad.");
	for (size_t i = 0; i < SN_COUNT(of_another_key); i++)
		check(pan, &of_another_key[i]);
	sn_cryptopan_destroy(pan);
}

static unsigned common_bits(const uint8_t *a, const uint8_t *b)
{
	unsigned bits = 0;

	while (bits < 128 && ((a[bits / 8] ^ b[bits / 8]) >> (7 - bits % 8) & 1) == 0)
		bits++;
	return bits;
}

static void common_prefixes_stay_exactly_as_long(void **state SN_UNUSED)
{
	struct sn_cryptopan *pan = sn_cryptopan_create(sample_key);
	struct sn_prng prng;

	sn_prng_seed(&prng, 7);
	for (unsigned i = 0; i < 300; i++) {
		unsigned flip = (unsigned)(sn_prng_u64(&prng) % 128);
		uint8_t a[16], b[16], told_a[16], told_b[16];

		for (unsigned at = 0; at < 16; at++)
			a[at] = (uint8_t)sn_prng_u64(&prng);
		memcpy(b, a, sizeof(b));
		b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
		sn_cryptopan_encrypt(pan, a, 16, told_a);
		sn_cryptopan_encrypt(pan, b, 16, told_b);
		assert_int_equal(common_bits(told_a, told_b), flip);
	}
	sn_cryptopan_destroy(pan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_trace_of_its_authors_is_reproduced),
		cmocka_unit_test(other_implementations_agree_on_ipv6),
		cmocka_unit_test(common_prefixes_stay_exactly_as_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
