/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "demo/host/dns.h"

static struct sn_dns_record records[4];
static const struct sn_dns_zone zone = {"sonde.example", records, 4};

static int load_records(void **state SN_UNUSED)
{
	static const char *const texts[] = {
		"content.sonde.example 203.0.113.18",
		"Content.Sonde.Example 2001:db8:0:10::2",
		"v4only.sonde.example 192.0.2.1",
		"v4only.sonde.example 192.0.2.2",
	};

	for (size_t i = 0; i < SN_COUNT(texts); i++)
		if (sn_dns_record_parse(texts[i], &records[i], NULL) != 0)
			return -1;
	return 0;
}

/* Asks, answers, reads: what a client sees. */
static int resolve(const char *name, uint16_t type, uint8_t address[16])
{
	struct sn_buf query = {0}, reply = {0};
	int code = sn_dns_query_write(0x1234, name, type, &query);

	if (code == 0)
		code = sn_dns_answer(&zone, query.p, query.n, &reply);
	if (code == 0)
		code = sn_dns_reply_parse(reply.p, reply.n, 0x1234, type, address);
	sn_buf_finish(&query);
	sn_buf_finish(&reply);
	return code;
}

static void both_families_resolve(void **state SN_UNUSED)
{
	uint8_t address[16], expected[16];

	assert_int_equal(resolve("content.sonde.example", SN_DNS_A, address), 0);
	assert_memory_equal(address, "\xcb\x00\x71\x12", 4);
	assert_int_equal(resolve("content.sonde.example", SN_DNS_AAAA, address), 0);
	inet_pton(AF_INET6, "2001:db8:0:10::2", expected);
	assert_memory_equal(address, expected, 16);
}

static void case_does_not_matter(void **state SN_UNUSED)
{
	uint8_t address[16];

	assert_int_equal(resolve("CONTENT.sonde.EXAMPLE", SN_DNS_A, address), 0);
}

static void an_absent_name_or_address_is_told_apart_from_an_error(void **state SN_UNUSED)
{
	uint8_t address[16];

	assert_int_equal(resolve("nobody.sonde.example", SN_DNS_A, address), -ENOENT);
	assert_int_equal(resolve("v4only.sonde.example", SN_DNS_AAAA, address), -ENOENT);
	assert_int_equal(resolve("www.elsewhere.example", SN_DNS_A, address), -EPROTO);
	assert_int_equal(resolve("badsonde.example", SN_DNS_A, address), -EPROTO);
}

/* The exact bytes (RFC 1035 section 4.1) of a question and its answer. */
static void the_bytes_on_the_wire_are_as_in_the_rfc(void **state SN_UNUSED)
{
	static const char query_bytes[] = "\xab\xcd\x01\x00\0\1\0\0\0\0\0\0"
					  "\6v4only\5sonde\7example\0\0\1\0\1";
	static const char reply_bytes[] =
		"\xab\xcd\x85\x00\0\1\0\2\0\0\0\0"
		"\6v4only\5sonde\7example\0\0\1\0\1"
		"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\2";
	struct sn_buf query = {0}, reply = {0};

	assert_int_equal(sn_dns_query_write(0xabcd, "v4only.sonde.example", SN_DNS_A, &query), 0);
	assert_int_equal(query.n, sizeof(query_bytes) - 1);
	assert_memory_equal(query.p, query_bytes, query.n);
	assert_int_equal(sn_dns_answer(&zone, query.p, query.n, &reply), 0);
	assert_int_equal(reply.n, sizeof(reply_bytes) - 1);
	assert_memory_equal(reply.p, reply_bytes, reply.n);
	sn_buf_finish(&query);
	sn_buf_finish(&reply);
}

static unsigned answer_code(const char *query, size_t size)
{
	struct sn_buf reply = {0};
	unsigned rcode;

	assert_int_equal(sn_dns_answer(&zone, query, size, &reply), 0);
	assert_true(reply.n >= 12 && (reply.p[2] & 0x80) != 0);
	rcode = (unsigned)reply.p[3] & 0xf;
	sn_buf_finish(&reply);
	return rcode;
}

static void what_is_no_question_gets_an_error_or_nothing(void **state SN_UNUSED)
{
	static const char answer[] = "\0\1\x80\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	static const char status[] = "\0\1\x10\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	static const char two[] = "\0\1\0\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1";
	static const char cut[] = "\0\1\0\0\0\1\0\0\0\0\0\0\1a\0\0\1";
	static const char pointer[] = "\0\1\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1";
	static const char odd[] = "\0\1\0\0\0\1\0\0\0\0\0\0\3a.b\0\0\1\0\1";
	static const char chaos[] = "\0\1\0\0\0\1\0\0\0\0\0\0"
				    "\7content\5sonde\7example\0\0\1\0\3";
	struct sn_buf out = {0};

	for (size_t i = 0; i < 12; i++)
		assert_int_equal(sn_dns_answer(&zone, status, i, &out), -EPROTO);
	assert_int_equal(sn_dns_answer(&zone, answer, sizeof(answer) - 1, &out), -EPROTO);
	assert_int_equal(out.n, 0);
	assert_int_equal(answer_code(status, sizeof(status) - 1), 4);
	assert_int_equal(answer_code(two, sizeof(two) - 1), 1);
	assert_int_equal(answer_code(cut, sizeof(cut) - 1), 1);
	assert_int_equal(answer_code(pointer, sizeof(pointer) - 1), 1);
	assert_int_equal(answer_code(odd, sizeof(odd) - 1), 1);
	assert_int_equal(answer_code(chaos, sizeof(chaos) - 1), 5);
}

static void a_name_is_at_most_253_characters_of_labels_of_63(void **state SN_UNUSED)
{
	struct sn_buf out = {0};
	char name[300];

	memset(name, 'a', sizeof(name));
	name[63] = '\0';
	assert_int_equal(sn_dns_query_write(1, name, SN_DNS_A, &out), 0);
	name[63] = 'a';
	name[64] = '\0';
	assert_int_equal(sn_dns_query_write(1, name, SN_DNS_A, &out), -EINVAL);
	for (size_t i = 1; i < sizeof(name); i += 2)
		name[i - 1] = 'a', name[i] = '.';
	name[253] = '\0';
	assert_int_equal(sn_dns_query_write(1, name, SN_DNS_A, &out), 0);
	name[253] = '.', name[254] = 'a', name[255] = '\0';
	assert_int_equal(sn_dns_query_write(1, name, SN_DNS_A, &out), -EINVAL);
	assert_int_equal(sn_dns_query_write(1, "", SN_DNS_A, &out), -EINVAL);
	assert_int_equal(sn_dns_query_write(1, "a..b", SN_DNS_A, &out), -EINVAL);
	assert_int_equal(sn_dns_query_write(1, "a b", SN_DNS_A, &out), -EINVAL);
	sn_buf_finish(&out);
}

static void a_truncated_answer_is_an_error_at_every_length(void **state SN_UNUSED)
{
	struct sn_buf query = {0}, reply = {0};
	uint8_t address[16];

	sn_dns_query_write(7, "content.sonde.example", SN_DNS_A, &query);
	sn_dns_answer(&zone, query.p, query.n, &reply);
	for (size_t size = 0; size < reply.n; size++)
		assert_int_equal(sn_dns_reply_parse(reply.p, size, 7, SN_DNS_A, address), -EPROTO);
	assert_int_equal(sn_dns_reply_parse(reply.p, reply.n, 8, SN_DNS_A, address), -EAGAIN);
	assert_int_equal(sn_dns_reply_parse(query.p, query.n, 7, SN_DNS_A, address), -EAGAIN);
	assert_int_equal(sn_dns_reply_parse(reply.p, reply.n, 7, SN_DNS_A, address), 0);
	sn_buf_finish(&query);
	sn_buf_finish(&reply);
}

static void an_answer_never_grows_beyond_a_message(void **state SN_UNUSED)
{
	static struct sn_dns_record many[200];
	struct sn_dns_zone large = {"sonde.example", many, SN_COUNT(many)};
	struct sn_buf query = {0}, reply = {0};
	uint8_t address[16];

	for (size_t i = 0; i < SN_COUNT(many); i++)
		many[i] = records[1];
	sn_dns_query_write(7, "content.sonde.example", SN_DNS_AAAA, &query);
	assert_int_equal(sn_dns_answer(&large, query.p, query.n, &reply), 0);
	assert_true(reply.n <= SN_DNS_MESSAGE_MAX && reply.n > SN_DNS_MESSAGE_MAX - 28);
	assert_int_equal(sn_dns_reply_parse(reply.p, reply.n, 7, SN_DNS_AAAA, address), 0);
	sn_buf_finish(&query);
	sn_buf_finish(&reply);
}

static void a_record_needs_a_name_and_an_address(void **state SN_UNUSED)
{
	static const char *const bad[] = {
		"", "name", " 192.0.2.1", "name 192.0.2.300", "name ", "name 192.0.2.1 "};
	struct sn_dns_record record;
	struct sn_err err;

	for (size_t i = 0; i < SN_COUNT(bad); i++)
		assert_int_equal(sn_dns_record_parse(bad[i], &record, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_resolve),
		cmocka_unit_test(case_does_not_matter),
		cmocka_unit_test(an_absent_name_or_address_is_told_apart_from_an_error),
		cmocka_unit_test(the_bytes_on_the_wire_are_as_in_the_rfc),
		cmocka_unit_test(what_is_no_question_gets_an_error_or_nothing),
		cmocka_unit_test(a_name_is_at_most_253_characters_of_labels_of_63),
		cmocka_unit_test(a_truncated_answer_is_an_error_at_every_length),
		cmocka_unit_test(an_answer_never_grows_beyond_a_message),
		cmocka_unit_test(a_record_needs_a_name_and_an_address),
	};

	return cmocka_run_group_tests(tests, load_records, NULL);
}
