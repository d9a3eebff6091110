/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "probe/icmp.h"

static const struct sn_icmp_token token = {7, 0x01020304, 0x1122334455667788};

/* What a host makes of a request: another type, the rest as it came. */
static size_t answer(const struct sn_icmp_request *request, uint8_t *out, bool ip_header)
{
	static const uint8_t ip[20] = {0x45, 0, 0,   0, 0, 0, 0x40, 0, 61, 1,
				       0,    0, 192, 0, 2, 9, 192,  0, 2,  1};
	size_t at = ip_header ? sizeof(ip) : 0;
	uint16_t checksum;

	memcpy(out, ip, at);
	memcpy(out + at, request->bytes, request->size);
	out[at] = request->family == AF_INET6 ? 129 : 0;
	memset(out + at + 2, 0, 2);
	checksum = sn_icmp_checksum(out + at, request->size);
	memcpy(out + at + 2, &checksum, sizeof(checksum));
	return at + request->size;
}

static void checksum_is_that_of_rfc_1071(void **state)
{
	/* The example of RFC 1071, section 3: the words sum up to ddf2. */
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(sn_icmp_checksum(data, sizeof(data)), htons((uint16_t)~0xddf2));
	/* An odd byte at the end counts as the upper half of a word. */
	assert_int_equal(sn_icmp_checksum("\x12\x34\x56", 3), htons((uint16_t) ~(0x1234 + 0x5600)));
	assert_int_equal(sn_icmp_checksum("", 0), 0xffff);
}

static void request_has_the_bytes_of_rfc_792(void **state)
{
	struct sn_icmp_request request;
	static const uint8_t head[] = {8, 0};
	static const uint8_t tail[] = {0xab, 0xcd, 0x12, 0x34, 0,    0,    0,    7,    1,  2, 3, 4,
				       0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 16, 17};

	(void)state;
	sn_icmp_request_init(&request, AF_INET, 18);
	sn_icmp_request_stamp(&request, 0xabcd, 0x1234, &token);
	assert_int_equal(request.size, 26);
	assert_memory_equal(request.bytes, head, sizeof(head));
	assert_memory_equal(request.bytes + 4, tail, sizeof(tail));
	sn_icmp_request_finish(&request);
}

static void checksum_stays_right_when_a_request_is_stamped_again(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 56, 1473, SN_ICMP_PAYLOAD_MAX};
	struct sn_icmp_request request;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(sizes); i++) {
		sn_icmp_request_init(&request, AF_INET, sizes[i]);
		for (uint32_t n = 0; n < 70000; n += 4999) {
			struct sn_icmp_token other = {n, ~n, n * 0x9e3779b97f4a7c15};

			sn_icmp_request_stamp(&request, (uint16_t)(n * 31), (uint16_t)n, &other);
			assert_int_equal(sn_icmp_checksum(request.bytes, request.size), 0);
		}
		sn_icmp_request_finish(&request);
	}
}

static void reply_gives_back_what_was_sent(void **state)
{
	static const struct {
		int family;
		bool ip_header;
	} kinds[] = {{AF_INET, true}, {AF_INET, false}, {AF_INET6, false}};
	uint8_t bytes[128];

	(void)state;
	for (size_t i = 0; i < SN_COUNT(kinds); i++) {
		struct sn_icmp_request request;
		struct sn_icmp_reply reply;
		size_t size;

		sn_icmp_request_init(&request, kinds[i].family, 56);
		sn_icmp_request_stamp(&request, 0xfffe, 0x8001, &token);
		size = answer(&request, bytes, kinds[i].ip_header);
		assert_int_equal(sn_icmp_parse_reply(kinds[i].family, kinds[i].ip_header, bytes,
						     size, &reply),
				 0);
		assert_int_equal(reply.id, 0xfffe);
		assert_int_equal(reply.seq, 0x8001);
		assert_int_equal(reply.payload_size, 56);
		assert_true(reply.has_token);
		assert_memory_equal(&reply.token, &token, sizeof(token));
		assert_int_equal(reply.has_ip_header, kinds[i].ip_header);
		if (kinds[i].ip_header) {
			assert_int_equal(reply.ttl, 61);
			assert_int_equal(ntohl(reply.local.s_addr), 0xc0000201);
		}
		sn_icmp_request_finish(&request);
	}
}

static void small_payloads_carry_no_token(void **state)
{
	struct sn_icmp_request request;
	struct sn_icmp_reply reply;
	uint8_t bytes[64];
	size_t size;

	(void)state;
	assert_false(sn_icmp_has_token(SN_ICMP_TOKEN_SIZE - 1));
	assert_true(sn_icmp_has_token(SN_ICMP_TOKEN_SIZE));
	sn_icmp_request_init(&request, AF_INET, SN_ICMP_TOKEN_SIZE - 1);
	sn_icmp_request_stamp(&request, 1, 2, &token);
	size = answer(&request, bytes, true);
	assert_int_equal(sn_icmp_parse_reply(AF_INET, true, bytes, size, &reply), 0);
	assert_false(reply.has_token);
	assert_int_equal(reply.seq, 2);
	sn_icmp_request_finish(&request);
}

static void every_cut_and_every_flipped_bit_of_a_raw_reply_is_refused(void **state)
{
	struct sn_icmp_request request;
	struct sn_icmp_reply reply;
	uint8_t bytes[128], exact[128];
	size_t size;

	(void)state;
	sn_icmp_request_init(&request, AF_INET, 20);
	sn_icmp_request_stamp(&request, 3, 4, &token);
	size = answer(&request, bytes, true);
	for (size_t cut = 0; cut < size; cut++) {
		memcpy(exact, bytes, cut);
		assert_true(sn_icmp_parse_reply(AF_INET, true, exact, cut, &reply) != 0);
	}
	/* From the ICMP header on: the kernel has checked the IP header. */
	for (size_t bit = 20 * 8; bit < size * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(sn_icmp_parse_reply(AF_INET, true, bytes, size, &reply) != 0);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(sn_icmp_parse_reply(AF_INET, true, bytes, size, &reply), 0);
	sn_icmp_request_finish(&request);
}

static void bad_ip_headers_are_refused(void **state)
{
	struct sn_icmp_reply reply;
	uint8_t bytes[60] = {0x45};

	(void)state;
	bytes[0] = 0x65; /* version 6 */
	assert_int_equal(sn_icmp_parse_reply(AF_INET, true, bytes, sizeof(bytes), &reply),
			 -EBADMSG);
	bytes[0] = 0x44; /* 16 bytes of header */
	assert_int_equal(sn_icmp_parse_reply(AF_INET, true, bytes, sizeof(bytes), &reply),
			 -EBADMSG);
	bytes[0] = 0x4f; /* 60 bytes: nothing is left for ICMP */
	assert_int_equal(sn_icmp_parse_reply(AF_INET, true, bytes, sizeof(bytes), &reply),
			 -EBADMSG);
}

static void other_messages_are_no_replies(void **state)
{
	static const uint8_t unreachable[16] = {3, 1}, request[16] = {8}, request6[16] = {128};
	struct sn_icmp_reply reply;

	(void)state;
	assert_int_equal(sn_icmp_parse_reply(AF_INET, false, unreachable, 16, &reply), -ENOMSG);
	assert_int_equal(sn_icmp_parse_reply(AF_INET, false, request, 16, &reply), -ENOMSG);
	assert_int_equal(sn_icmp_parse_reply(AF_INET6, false, request6, 16, &reply), -ENOMSG);
}

static void quoted_request_is_recognised(void **state)
{
	static const uint8_t quote[8] = {8, 0, 0xde, 0xad, 0x12, 0x34, 0x00, 0x09};
	static const uint8_t quote6[8] = {128, 0, 0, 0, 0x12, 0x34, 0x00, 0x0a};
	uint16_t id, seq;

	(void)state;
	assert_int_equal(sn_icmp_parse_quote(AF_INET, quote, 8, &id, &seq), 0);
	assert_int_equal(id, 0x1234);
	assert_int_equal(seq, 9);
	assert_int_equal(sn_icmp_parse_quote(AF_INET6, quote6, 8, &id, &seq), 0);
	assert_int_equal(seq, 10);
	assert_int_equal(sn_icmp_parse_quote(AF_INET, quote, 7, &id, &seq), -EBADMSG);
	assert_int_equal(sn_icmp_parse_quote(AF_INET, quote6, 8, &id, &seq), -ENOMSG);
}

static void errors_have_names(void **state)
{
	(void)state;
	assert_string_equal(sn_icmp_error_text(AF_INET, 3, 1), "destination host unreachable");
	assert_string_equal(sn_icmp_error_text(AF_INET, 11, 0), "time to live exceeded");
	assert_string_equal(sn_icmp_error_text(AF_INET, 3, 200), "destination unreachable");
	assert_string_equal(sn_icmp_error_text(AF_INET6, 1, 0), "no route to destination");
	assert_string_equal(sn_icmp_error_text(AF_INET6, 3, 0), "hop limit exceeded");
	assert_string_equal(sn_icmp_error_text(AF_INET6, 99, 0), "unknown ICMP error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_is_that_of_rfc_1071),
		cmocka_unit_test(request_has_the_bytes_of_rfc_792),
		cmocka_unit_test(checksum_stays_right_when_a_request_is_stamped_again),
		cmocka_unit_test(reply_gives_back_what_was_sent),
		cmocka_unit_test(small_payloads_carry_no_token),
		cmocka_unit_test(every_cut_and_every_flipped_bit_of_a_raw_reply_is_refused),
		cmocka_unit_test(bad_ip_headers_are_refused),
		cmocka_unit_test(other_messages_are_no_replies),
		cmocka_unit_test(quoted_request_is_recognised),
		cmocka_unit_test(errors_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
