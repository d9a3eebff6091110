/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/app/dns.h"

struct message {
	uint8_t bytes[70000];
	size_t n;
};

static void put(struct message *m, const void *bytes, size_t size)
{
	memcpy(m->bytes + m->n, bytes, size);
	m->n += size;
}

static void put16(struct message *m, unsigned value)
{
	uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(m, bytes, 2);
}

static void put_header(struct message *m, unsigned flags, unsigned questions, unsigned answers,
		       unsigned additionals)
{
	put16(m, 0x1234);
	put16(m, flags);
	put16(m, questions);
	put16(m, answers);
	put16(m, 0);
	put16(m, additionals);
}

static void put_name(struct message *m, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		uint8_t size = (uint8_t)n;

		put(m, &size, 1);
		put(m, name, n);
		name += n + (name[n] == '.');
	}
	put(m, "", 1);
}

static void put_question(struct message *m, const char *name, unsigned type)
{
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
}

/* Its name is the question's. */
static void put_record(struct message *m, unsigned type, unsigned ttl, const void *data,
		       size_t size)
{
	put16(m, 0xc00c);
	put16(m, type);
	put16(m, 1);
	put16(m, 0);
	put16(m, ttl);
	put16(m, (unsigned)size);
	put(m, data, size);
}

/* What was told, a line each. */
static char told[200000];
static unsigned events, addresses;

static void tell_event(const struct sn_dns_event *event, void *ctx SN_UNUSED)
{
	static const char *const entries[] = {"REQ", "RESP", "ERR", "EMPTY"};
	char type[16], class_[16];

	events++;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s %.*s %u %s %s [%.*s] %u\n",
		 entries[event->entry], (int)event->name.n, event->name.p, event->ttl_seconds,
		 sn_dns_class_name(event->class_, class_), sn_dns_type_name(event->type, type),
		 (int)event->answer.n, event->answer.p, event->additionals);
}

static void tell_address(struct sn_str name, const uint64_t address[2], uint8_t family,
			 void *ctx SN_UNUSED)
{
	const uint8_t *bytes = (const uint8_t *)address;

	addresses++;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s is %u:%u.%u\n",
		 (int)name.n, name.p, family, bytes[0], bytes[3]);
}

static int read_part(const struct message *m, size_t captured)
{
	struct sn_dns_listener listener = {.event = tell_event, .address = tell_address};
	struct sn_dns_input input = {.bytes = (uint32_t)m->n};
	sn_autofree uint8_t *copy = sn_xmemdup(m->bytes, SN_MAX(captured, (size_t)1));

	told[0] = '\0';
	events = addresses = 0;
	sn_rd_init(&input.message, copy, captured);
	return sn_dns_read(&input, &listener);
}

static int read_message(const struct message *m)
{
	return read_part(m, m->n);
}

static void a_query_is_told_with_its_question(void **state SN_UNUSED)
{
	struct message m = {.n = 0};
	struct sn_rd rd;

	put_header(&m, 0x0100, 1, 0, 0);
	put_question(&m, "www.example.org", 65);
	sn_rd_init(&rd, m.bytes, m.n);
	assert_true(sn_dns_looks_right(rd));
	assert_int_equal(read_message(&m), 0);
	assert_string_equal(told, "REQ www.example.org. 0 IN HTTPS [] 0\n");
}

static void answers_name_addresses_by_what_was_asked(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_header(&m, 0x8180, 1, 2, 1);
	put_question(&m, "www.example.org", 1);
	put_record(&m, 5, 60,
		   "\x03"
		   "cdn"
		   "\xc0\x10",
		   6);
	put_record(&m, 1, 30, "\xc0\x00\x02\x07", 4);
	put(&m, "\0\0\x29\x10\0\0\0\0\0\0\0", 11); /* EDNS is not told of */
	assert_int_equal(read_message(&m), 0);
	assert_string_equal(told, "www.example.org is 4:192.7\n"
				  "RESP www.example.org. 60 IN CNAME [cdn.example.org.] 0\n"
				  "RESP www.example.org. 30 IN A [192.0.2.7] 0\n");
}

static void errors_and_empty_answers_are_told_once(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_header(&m, 0x8183, 1, 0, 0);
	put_question(&m, "nowhere.example", 28);
	assert_int_equal(read_message(&m), 0);
	assert_string_equal(told, "ERR nowhere.example. 0 IN AAAA [NXDOMAIN] 0\n");
	m.bytes[3] = 0x80;
	assert_int_equal(read_message(&m), 0);
	assert_string_equal(told, "EMPTY nowhere.example. 0 IN AAAA [] 0\n");
}

struct form {
	unsigned type;
	const char *data;
	size_t size;
	const char *text;
};
#define DATA(literal) (literal), sizeof(literal) - 1

/* Pointers to 0x0c lead to "a.b.". */
static const struct form forms[] = {
	{15, DATA("\0\x0a\2mx\xc0\x0c"), "10 mx.a.b."},
	{16, DATA("\5hello\3a\"b\1\x07"), "\"hello\" \"a\\\"b\" \"\\007\""},
	{6, DATA("\1n\0\1r\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"), "n. r. 1 2 3 4 5"},
	{12, DATA("\4x\0.y\0"), "x\\000\\.y."},
	{28, DATA("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1"},
	{33, DATA("\0\1\0\2\x13\xc4\3sip\xc0\x0c"), "1 2 5060 sip.a.b."},
	{35, DATA("\0\1\0\2\1S\7SIP+D2U\0\xc0\x0c"), "1 2 \"S\" \"SIP+D2U\" \"\" a.b."},
	{43, DATA("\x30\x39\x08\x02\xab\xcd"), "12345 8 2 ABCD"},
	{48, DATA("\1\1\3\x08\1\2\3\4"), "257 3 8 AQIDBA=="},
	{46, DATA("\0\1\x08\2\0\0\0\x3c\x60\0\0\0\x5f\0\0\0\x12\x34\0\xff"),
	 "A 8 2 60 20210114082536 20200704040520 4660 . /w=="},
	{47, DATA("\1z\0\0\6\x40\0\0\0\0\3"), "z. A RRSIG NSEC"},
	{257, DATA("\0\5issueca.example"), "0 issue \"ca.example\""},
	{64, DATA("\0\0\1p\0"), "0 p."},
	{65,
	 DATA("\0\1\0\0\1\0\6\2h3\2h2\0\2\0\0\0\3\0\2\x01\xbb\0\4\0\x08\1\2\3\4\5\6\7\x08"
	      "\0\5\0\2\1\2\x02\x00\0\1x"),
	 "1 . alpn=h3,h2 no-default-alpn port=443 ipv4hint=1.2.3.4,5.6.7.8 ech=AQI= key512=\"x\""},
	{65280, DATA("\1\2\xff"), "\\# 3 0102FF"},
	{1, DATA("\1\2\3"), "\\# 3 010203"}, /* no address */
	{1, DATA("\1\2\3\4\5"), "\\# 5 0102030405"},
	{10, "", 0, "\\# 0"},
	{33, DATA("\0\1\0\2"), "\\# 4 00010002"},
	{5, DATA("\xc0\xff"), "\\# 2 C0FF"}, /* points behind itself */
};

static void data_of_records_is_written_as_people_do(void **state SN_UNUSED)
{
	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		struct message m = {.n = 0};
		char expected[512], type[16];

		put_header(&m, 0x8180, 1, 1, 0);
		put_question(&m, "a.b", 255);
		put_record(&m, forms[i].type, 7, forms[i].data, forms[i].size);
		assert_int_equal(read_message(&m), 0);
		snprintf(expected, sizeof(expected), "RESP a.b. 7 IN %s [%s] 0\n",
			 sn_dns_type_name((uint16_t)forms[i].type, type), forms[i].text);
		assert_string_equal(strstr(told, "RESP"), expected);
	}
}

static void pointers_that_do_not_lead_back_are_refused(void **state SN_UNUSED)
{
	static const uint8_t targets[] = {12, 13, 14, 200}; /* itself, inside, forward, outside */

	for (size_t i = 0; i < SN_COUNT(targets); i++) {
		struct message m = {.n = 0};

		put_header(&m, 0x0100, 1, 0, 0);
		put16(&m, 0xc000 | targets[i]);
		put16(&m, 1);
		put16(&m, 1);
		assert_int_equal(read_message(&m), -EBADMSG);
		assert_int_equal(events, 0);
	}
}

/* A label, then a pointer to the label: it goes back, but for ever. */
static void names_that_go_round_are_refused(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_header(&m, 0x0100, 1, 0, 0);
	put(&m, "\1a\xc0\x0c\0\1\0\1", 8);
	assert_int_equal(read_message(&m), -EBADMSG);
}

/* Each pointer leads to the one before. */
static void put_chain(struct message *m, unsigned pointers)
{
	size_t at;

	put_header(m, 0x8180, 0, 1, 0);
	put(m, "", 1); /* the answer's name; its data holds the chain */
	put16(m, 10);
	put16(m, 1);
	put16(m, 0);
	put16(m, 0);
	at = m->n;
	put16(m, 0);
	put(m, "\1x", 3);
	for (unsigned i = 0; i < pointers - 1; i++)
		put16(m, 0xc000 | (unsigned)(i == 0 ? m->n - 3 : m->n - 2));
	m->bytes[at + 1] = (uint8_t)(m->n - at - 2);
	m->bytes[7] = 2;
	put16(m, 0xc000 | (unsigned)(m->n - 2));
	put16(m, 10);
	put16(m, 1);
	put16(m, 0);
	put16(m, 0);
	put16(m, 0);
}

static void so_many_pointers_and_no_more(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_chain(&m, SN_DNS_POINTERS_MAX);
	assert_int_equal(read_message(&m), 0);
	assert_non_null(strstr(told, "RESP x. 0 IN NULL"));
	m.n = 0;
	put_chain(&m, SN_DNS_POINTERS_MAX + 1);
	assert_int_equal(read_message(&m), -EBADMSG);
}

static void names_of_255_bytes_and_no_more(void **state SN_UNUSED)
{
	char name[256];

	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 50 == 49 ? '.' : 'n';
	for (unsigned more = 0; more < 2; more++) {
		struct message m = {.n = 0};

		/* As many characters in labels and dots, one length byte before and one behind. */
		name[253 + more] = '\0';
		put_header(&m, 0x0100, 1, 0, 0);
		put_question(&m, name, 1);
		assert_int_equal(read_message(&m), more == 0 ? 0 : -EBADMSG);
		name[253 + more] = 'n';
	}
}

static void counts_that_lie_are_refused(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_header(&m, 0x8180, 1, 3, 0);
	put_question(&m, "a.b", 1);
	put_record(&m, 1, 30, "\xc0\x00\x02\x07", 4);
	assert_int_equal(read_message(&m), -EBADMSG);
	assert_int_equal(events, 0);
	assert_int_equal(addresses, 1);
}

static void what_was_cut_off_is_not_called_malformed(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_header(&m, 0x8180, 1, 2, 0);
	put_question(&m, "a.b", 1);
	put_record(&m, 1, 30, "\xc0\x00\x02\x07", 4);
	put_record(&m, 1, 30, "\xc0\x00\x02\x08", 4);
	assert_int_equal(read_part(&m, m.n - 1), -ENODATA);
	assert_string_equal(told, "a.b is 4:192.7\n");
	for (size_t captured = 0; captured < m.n; captured++)
		assert_int_equal(read_part(&m, captured), -ENODATA);
}

static void names_come_from_ordinary_answers_only(void **state SN_UNUSED)
{
	struct message m = {.n = 0};
	unsigned count;

	for (count = 30; count <= 31; count++) {
		m.n = 0;
		put_header(&m, 0x8180, 1, count, 0);
		put_question(&m, "a.b", 1);
		for (unsigned i = 0; i < count; i++)
			put_record(&m, 1, 30, "\xc0\x00\x02\x07", 4);
		assert_int_equal(read_message(&m), 0);
		assert_int_equal(addresses, count == 30 ? 30 : 0);
	}
	m.n = 0;
	put_header(&m, 0x8180, 1, 1, 0);
	put_question(&m, "a.b", 15);
	put_record(&m, 1, 30, "\xc0\x00\x02\x07", 4);
	assert_int_equal(read_message(&m), 0);
	assert_int_equal(addresses, 0);
	assert_int_equal(events, 1);
}

static void so_many_records_are_told_of_and_no_more(void **state SN_UNUSED)
{
	struct message m = {.n = 0};

	put_header(&m, 0x8180, 1, SN_DNS_RECORDS_MAX + 1, 0);
	put_question(&m, "a.b", 1);
	for (unsigned i = 0; i <= SN_DNS_RECORDS_MAX; i++)
		put_record(&m, 1, 30, "\xc0\x00\x02\x07", 4);
	assert_int_equal(read_message(&m), 0);
	assert_int_equal(events, SN_DNS_RECORDS_MAX);
}

static void long_data_is_cut(void **state SN_UNUSED)
{
	struct message m = {.n = 0};
	static uint8_t data[60000];

	put_header(&m, 0x8180, 1, 1, 0);
	put_question(&m, "a.b", 1);
	memset(data, 0xff, sizeof(data));
	put_record(&m, 10, 30, data, sizeof(data));
	assert_int_equal(read_message(&m), 0);
	assert_true(strlen(told) > SN_DNS_DATA_MAX);
	assert_true(strlen(told) < SN_DNS_DATA_MAX + 100);
}

static void what_is_no_dns_does_not_look_right(void **state SN_UNUSED)
{
	static const struct {
		const char *bytes;
		size_t size;
	} others[] = {
		{DATA("\0\1\0\x60\x21\x12\xa4\x42xxxxxxxxxxxxxxxx")},     /* STUN */
		{DATA("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}, /* nothing */
		{DATA("\2\2\0\0\0\2\0\0\xc0\xa8\0\0\0\0\0\0\0\0")},       /* RIP */
		{DATA("\x12\x34\1\0\0\1\0\0\0\0\0\0\0")},                 /* cut question */
		{DATA("\x12\x34\1\0\0\1\0\0\0\0\0")},
		{DATA("\x12\x34\x78\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1")}, /* opcode 15 */
	};

	for (size_t i = 0; i < SN_COUNT(others); i++) {
		struct sn_rd rd;

		sn_rd_init(&rd, others[i].bytes, others[i].size);
		assert_false(sn_dns_looks_right(rd));
	}
}

static void numbers_without_a_name_get_one(void **state SN_UNUSED)
{
	char scratch[16];

	assert_string_equal(sn_dns_type_name(65280, scratch), "TYPE65280");
	assert_string_equal(sn_dns_type_name(1, scratch), "A");
	assert_string_equal(sn_dns_type_name(257, scratch), "CAA");
	assert_string_equal(sn_dns_class_name(4, scratch), "HS");
	assert_string_equal(sn_dns_class_name(5, scratch), "CLASS5");
	assert_string_equal(sn_dns_class_name(256, scratch), "CLASS256");
	assert_string_equal(sn_dns_rcode_name(3, scratch), "NXDOMAIN");
	assert_string_equal(sn_dns_rcode_name(15, scratch), "RCODE15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_told_with_its_question),
		cmocka_unit_test(answers_name_addresses_by_what_was_asked),
		cmocka_unit_test(errors_and_empty_answers_are_told_once),
		cmocka_unit_test(data_of_records_is_written_as_people_do),
		cmocka_unit_test(pointers_that_do_not_lead_back_are_refused),
		cmocka_unit_test(names_that_go_round_are_refused),
		cmocka_unit_test(so_many_pointers_and_no_more),
		cmocka_unit_test(names_of_255_bytes_and_no_more),
		cmocka_unit_test(counts_that_lie_are_refused),
		cmocka_unit_test(what_was_cut_off_is_not_called_malformed),
		cmocka_unit_test(names_come_from_ordinary_answers_only),
		cmocka_unit_test(so_many_records_are_told_of_and_no_more),
		cmocka_unit_test(long_data_is_cut),
		cmocka_unit_test(what_is_no_dns_does_not_look_right),
		cmocka_unit_test(numbers_without_a_name_get_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
