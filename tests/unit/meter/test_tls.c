/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>

#include "app_flow.h"
#include "meter/app/tls.h"
#include "tls_build.h"

#define RECORD 16384

static const char *const h2_and_http[] = {"h2", "http/1.1"};

static void put_versions(struct sn_buf *b, const uint16_t *versions, size_t count)
{
	size_t extension = tls_extension(b, 43), list = tls_open(b, 1);

	for (size_t i = 0; i < count; i++)
		tls_u16(b, versions[i]);
	tls_close(b, list, 1);
	tls_close(b, extension, 2);
}

static void put_browser_hello(struct sn_buf *b)
{
	static const uint16_t versions[] = {0x8a8a, 0x0304, 0x0303};
	struct tls_hello hello = tls_begin_hello(b, 1, 0x0303, "session");

	tls_empty_extension(b, 0x8a8a);
	tls_server_name(b, "www.example.org");
	tls_alpn(b, h2_and_http, 2);
	put_versions(b, versions, SN_COUNT(versions));
	tls_empty_extension(b, 0xfe0d);
	tls_end_hello(b, hello);
}

/* A Server Hello of TLS 1.2. */
static void put_server_hello(struct sn_buf *b)
{
	struct tls_hello hello = tls_begin_hello(b, 2, 0x0303, "");

	tls_alpn(b, h2_and_http + 1, 1);
	tls_end_hello(b, hello);
}

static void say_records(struct talk *talk, unsigned side, const struct sn_buf *messages,
			size_t record, size_t segment)
{
	struct sn_buf records = {0};

	tls_records(&records, 22, messages, record);
	talk_slowly(talk, side, records.p, records.n, segment);
	sn_buf_finish(&records);
}

static void a_hello_tells_names_protocols_and_versions(void **state SN_UNUSED)
{
	struct talk talk;
	struct sn_buf hello = {0};
	const struct sn_app_tcp *app;

	talk_init(&talk, 443);
	put_browser_hello(&hello);
	say_records(&talk, SN_CLIENT, &hello, RECORD, RECORD);
	app = talk.flow.app;
	assert_string_equal(name_or_none(app->tls->server_name), "www.example.org");
	assert_string_equal(name_or_none(app->tls->client_versions), "8a8a,0304,0303");
	assert_string_equal(name_or_none(app->tls->alpn), "h2");
	assert_int_equal(app->tls->side[SN_CLIENT].npn_alpn, 32 | 128);
	assert_int_equal(app->tls_session, 1);
	assert_true(app->tls_ech);
	assert_int_equal(app->con_type, 0); /* nobody has answered */
	sn_buf_finish(&hello);
	talk_finish(&talk);
}

/* Whatever records and segments cut the handshake into, the same is found. */
static void a_handshake_may_be_cut_anywhere(void **state SN_UNUSED)
{
	static const size_t sizes[] = {1, 2, 7, 100, 1000, RECORD};
	struct sn_buf hello = {0}, answer = {0};

	put_browser_hello(&hello);
	put_server_hello(&answer);
	tls_certificate(&answer, "Some Issuer", "*.example.org", 3000);
	for (size_t i = 0; i < SN_COUNT(sizes); i++) {
		for (size_t j = 0; j < SN_COUNT(sizes); j++) {
			struct talk talk;
			const struct sn_app_tcp *app;

			talk_init(&talk, 443);
			say_records(&talk, SN_CLIENT, &hello, sizes[i], sizes[j]);
			say_records(&talk, SN_SERVER, &answer, sizes[i], sizes[j]);
			app = talk.flow.app;
			/* The first 50 packets are looked at. */
			if (sizes[j] >= 100 && sizes[i] >= 100) {
				assert_string_equal(name_or_none(app->tls->server_name),
						    "www.example.org");
				assert_int_equal(app->tls_version, 0x0303);
				assert_string_equal(name_or_none(app->tls->certificate_name),
						    "*.example.org");
				assert_string_equal(name_or_none(app->tls->alpn), "http/1.1");
				assert_int_equal(app->tls->side[SN_SERVER].npn_alpn, 32);
			}
			talk_finish(&talk);
		}
	}
	sn_buf_finish(&hello);
	sn_buf_finish(&answer);
}

/* The reader itself has no limit of packets. */
static void a_reader_takes_single_bytes(void **state SN_UNUSED)
{
	struct talk talk;
	struct sn_app_tls tls = {0};
	struct sn_app_tcp app = {.tls = &tls};
	struct sn_tls_reader *reader;
	struct sn_buf messages = {0}, records = {0};

	talk_init(&talk, 443);
	reader = sn_tls_reader_create(talk.apps);
	put_server_hello(&messages);
	tls_certificate(&messages, "Some Issuer", "www.example.org", 10);
	tls_records(&records, 22, &messages, 5);
	for (size_t i = 0; i < records.n; i++)
		sn_tls_reader_feed(talk.apps, reader, &app, SN_SERVER,
				   (const uint8_t *)records.p + i, 1);
	assert_int_equal(app.tls_version, 0x0303);
	assert_string_equal(name_or_none(tls.certificate_name), "www.example.org");
	sn_tls_reader_destroy(talk.apps, reader);
	sn_buf_finish(&messages);
	sn_buf_finish(&records);
	talk_finish(&talk);
}

/* A hello of exactly `bytes` behind its header. */
static void put_hello_of(struct sn_buf *b, size_t bytes)
{
	struct tls_hello hello = tls_begin_hello(b, 1, 0x0303, "");
	size_t padding;

	tls_server_name(b, "www.example.org");
	padding = tls_extension(b, 21);
	while (b->n - hello.message < bytes)
		tls_u8(b, 0);
	tls_close(b, padding, 2);
	tls_end_hello(b, hello);
}

static void a_hello_beyond_the_limit_is_refused(void **state SN_UNUSED)
{
	for (size_t over = 0; over < 2; over++) {
		struct talk talk;
		struct sn_buf hello = {0};

		talk_init(&talk, 443);
		put_hello_of(&hello, SN_TLS_MESSAGE_MAX + over);
		say_records(&talk, SN_CLIENT, &hello, RECORD, 1460);
		assert_string_equal(name_or_none(talk.flow.app->tls->server_name),
				    over ? "-" : "www.example.org");
		assert_int_equal(sn_apps_refused(talk.apps, SN_APP_TLS_TOO_LONG), over);
		sn_buf_finish(&hello);
		talk_finish(&talk);
	}
}

static void the_first_certificate_of_a_long_list_is_enough(void **state SN_UNUSED)
{
	struct talk talk;
	struct sn_buf hello = {0}, answer = {0};

	talk_init(&talk, 443);
	put_browser_hello(&hello);
	put_server_hello(&answer);
	tls_certificate(&answer, "Some Issuer", "www.example.org", 40000);
	say_records(&talk, SN_CLIENT, &hello, RECORD, RECORD);
	say_records(&talk, SN_SERVER, &answer, RECORD, 1460);
	assert_string_equal(name_or_none(talk.flow.app->tls->certificate_name), "www.example.org");
	assert_int_equal(sn_apps_refused(talk.apps, SN_APP_TLS_TOO_LONG), 0);
	sn_buf_finish(&hello);
	sn_buf_finish(&answer);
	talk_finish(&talk);
}

static void scratch_memory_is_bounded(void **state SN_UNUSED)
{
	struct talk talk;
	struct sn_buf hello = {0};

	talk_init(&talk, 443);
	talk.apps->scratch_bytes = SN_APP_SCRATCH_MAX - 100;
	put_browser_hello(&hello);
	say_records(&talk, SN_CLIENT, &hello, RECORD, 60);
	assert_null(talk.flow.app->tls->server_name);
	assert_int_equal(sn_apps_refused(talk.apps, SN_APP_TLS_TOO_LONG), 1);
	talk.apps->scratch_bytes -= SN_APP_SCRATCH_MAX - 100;
	sn_buf_finish(&hello);
	talk_finish(&talk);
}

static void old_hellos_are_hellos(void **state SN_UNUSED)
{
	/* SSL 2 style: 3 ciphers, no session, a challenge of 16 bytes; asks for TLS 1.0. */
	static const char ssl2[] = "\x80\x22\x01\x03\x01\x00\x09\x00\x00\x00\x10"
				   "\0\0\x04\0\0\x05\0\0\x0a"
				   "0123456789abcdef";
	struct talk talk;
	struct sn_buf answer = {0};

	talk_init(&talk, 443);
	talk_say(&talk, SN_CLIENT, ssl2, sizeof(ssl2) - 1);
	put_server_hello(&answer);
	say_records(&talk, SN_SERVER, &answer, RECORD, RECORD);
	assert_int_equal(talk.flow.app->con_type, SN_CON_TLS);
	assert_null(talk.flow.app->tls->client_versions);
	assert_int_equal(sn_apps_refused(talk.apps, SN_APP_TLS_MALFORMED), 0);
	talk_finish(&talk);

	/* SSL 3: no extensions at all. */
	talk_init(&talk, 443);
	sn_buf_clear(&answer);
	tls_begin_hello(&answer, 1, 0x0300, "");
	answer.n -= 2;
	tls_close(&answer, 4, 3);
	say_records(&talk, SN_CLIENT, &answer, RECORD, RECORD);
	assert_string_equal(name_or_none(talk.flow.app->tls->client_versions), "0300");
	sn_buf_finish(&answer);
	talk_finish(&talk);
}

static void a_list_of_versions_is_told_up_to_a_limit(void **state SN_UNUSED)
{
	uint16_t versions[SN_TLS_VERSIONS_MAX + 1];
	char text[SN_TLS_VERSIONS_TEXT];

	for (size_t i = 0; i < SN_COUNT(versions); i++)
		versions[i] = (uint16_t)(0x0300 + i);
	for (size_t count = SN_TLS_VERSIONS_MAX; count <= SN_TLS_VERSIONS_MAX + 1; count++) {
		struct sn_buf hello = {0};
		struct sn_tls_client_hello parsed;
		struct tls_hello at = tls_begin_hello(&hello, 1, 0x0303, "");
		struct sn_rd body;

		put_versions(&hello, versions, count);
		tls_end_hello(&hello, at);
		sn_rd_init(&body, hello.p + 4, hello.n - 4);
		assert_int_equal(sn_tls_client_hello(body, &parsed), 0);
		assert_int_equal(sn_tls_versions(&parsed, text).n, 5 * SN_TLS_VERSIONS_MAX - 1);
		assert_memory_equal(text + 75, "030f", 4);
		sn_buf_finish(&hello);
	}
}

static void what_is_no_name_is_not_told(void **state SN_UNUSED)
{
	static const char *const bad[] = {"a b", "x\ny", "\xc3\xa4.example", "a/b", ""};

	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		struct talk talk;
		struct sn_buf hello = {0};
		struct tls_hello at = tls_begin_hello(&hello, 1, 0x0303, "");

		tls_server_name(&hello, bad[i]);
		tls_end_hello(&hello, at);
		talk_init(&talk, 443);
		say_records(&talk, SN_CLIENT, &hello, RECORD, RECORD);
		assert_null(talk.flow.app->tls->server_name);
		sn_buf_finish(&hello);
		talk_finish(&talk);
	}
	assert_true(sn_tls_is_name(SN_STR("*.a-b_c.example")));
}

static void a_retry_and_resumption_set_their_bits(void **state SN_UNUSED)
{
	static const uint8_t retry[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
					0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
					0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
					0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
	struct talk talk;
	struct sn_buf hello = {0}, answer = {0};
	struct tls_hello at = tls_begin_hello(&hello, 1, 0x0303, "");

	tls_empty_extension(&hello, 42);
	tls_empty_extension(&hello, 41);
	tls_empty_extension(&hello, 0x3374);
	tls_end_hello(&hello, at);
	talk_init(&talk, 443);
	say_records(&talk, SN_CLIENT, &hello, RECORD, RECORD);
	assert_int_equal(talk.flow.app->tls_session, 2 | 4);
	assert_int_equal(talk.flow.app->tls->side[SN_CLIENT].npn_alpn, 1);

	at = tls_begin_hello(&answer, 2, 0x0303, "");
	memcpy(answer.p + 6, retry, sizeof(retry));
	tls_u16(&answer, 43);
	tls_u16(&answer, 2);
	tls_u16(&answer, 0x0304);
	tls_end_hello(&answer, at);
	say_records(&talk, SN_SERVER, &answer, RECORD, RECORD);
	assert_int_equal(talk.flow.app->tls_session, 2 | 4 | 16);
	talk_say(&talk, SN_SERVER, "\x14\x03\x03\x00\x01\x01", 6);

	sn_buf_clear(&answer);
	at = tls_begin_hello(&answer, 2, 0x0303, "");
	tls_u16(&answer, 43);
	tls_u16(&answer, 2);
	tls_u16(&answer, 0x0304);
	tls_empty_extension(&answer, 41);
	tls_end_hello(&answer, at);
	say_records(&talk, SN_SERVER, &answer, RECORD, RECORD);
	assert_int_equal(talk.flow.app->tls_session, 2 | 4 | 8 | 16);
	assert_int_equal(talk.flow.app->tls_version, 0x0304);
	sn_buf_finish(&hello);
	sn_buf_finish(&answer);
	talk_finish(&talk);
}

static void reading_goes_on_behind_a_gap_where_a_handshake_begins(void **state SN_UNUSED)
{
	struct talk talk;
	struct sn_buf hello = {0}, records = {0};

	talk_init(&talk, 443);
	put_browser_hello(&hello);
	tls_records(&records, 22, &hello, RECORD);
	talk_say(&talk, SN_CLIENT, records.p, 50);
	talk.next[SN_CLIENT] += 10; /* lost */
	talk_say(&talk, SN_CLIENT, records.p + 60, records.n - 60);
	assert_null(talk.flow.app->tls->server_name);
	talk_say(&talk, SN_CLIENT, records.p, records.n);
	assert_string_equal(name_or_none(talk.flow.app->tls->server_name), "www.example.org");
	sn_buf_finish(&hello);
	sn_buf_finish(&records);
	talk_finish(&talk);
}

static void repeated_segments_are_read_once(void **state SN_UNUSED)
{
	struct talk talk;
	struct sn_buf hello = {0}, records = {0};

	talk_init(&talk, 443);
	put_browser_hello(&hello);
	tls_records(&records, 22, &hello, RECORD);
	talk_say(&talk, SN_CLIENT, records.p, 50);
	talk_say_at(&talk, SN_CLIENT, 1, records.p, 50, 50);
	/* Begins before what was read and goes beyond it. */
	talk_say_at(&talk, SN_CLIENT, 21, records.p + 20, 60, 60);
	talk_say(&talk, SN_CLIENT, records.p + 80, records.n - 80);
	assert_string_equal(name_or_none(talk.flow.app->tls->server_name), "www.example.org");
	sn_buf_finish(&hello);
	sn_buf_finish(&records);
	talk_finish(&talk);
}

/* A damaged hello is counted, wherever the damage is; and nothing is read beyond its end. */
static void every_lying_length_is_survived(void **state SN_UNUSED)
{
	struct sn_buf hello = {0};
	uint64_t refused = 0;

	put_browser_hello(&hello);
	for (size_t at = 0; at < hello.n; at++) {
		struct talk talk;
		char saved = hello.p[at];

		hello.p[at] = (char)0xff;
		talk_init(&talk, 443);
		say_records(&talk, SN_CLIENT, &hello, RECORD, RECORD);
		refused += sn_apps_refused(talk.apps, SN_APP_TLS_MALFORMED) +
			   sn_apps_refused(talk.apps, SN_APP_TLS_TOO_LONG);
		talk_finish(&talk);
		hello.p[at] = saved;
	}
	assert_true(refused > 5);
	for (size_t n = 0; n + 4 < hello.n; n++) {
		struct sn_tls_client_hello parsed;
		uint8_t *copy = test_malloc(n + 1);
		struct sn_rd body;

		memcpy(copy, hello.p + 4, n);
		sn_rd_init(&body, copy, n);
		assert_int_equal(sn_tls_client_hello(body, &parsed),
				 n == 2 + 32 + 8 + 4 + 2 ? 0 : -EBADMSG);
		test_free(copy);
	}
	sn_buf_finish(&hello);
}

static struct sn_str name_of(const struct sn_buf *certificate)
{
	struct sn_rd rd;

	sn_rd_init(&rd, certificate->p, certificate->n);
	return sn_certificate_name(rd);
}

static void a_certificate_tells_its_subject_not_its_issuer(void **state SN_UNUSED)
{
	struct sn_buf b = {0};

	der_certificate(&b, "Issuer", "www.example.org");
	assert_true(sn_str_eqc(name_of(&b), "www.example.org"));
	sn_buf_clear(&b);
	der_certificate(&b, "Issuer", NULL);
	assert_int_equal(name_of(&b).n, 0);
	sn_buf_finish(&b);
}

static void a_damaged_certificate_tells_nothing(void **state SN_UNUSED)
{
	struct sn_buf b = {0};

	der_certificate(&b, "Issuer", "www.example.org");
	for (size_t n = 0; n < b.n; n++) {
		struct sn_buf cut = {.p = b.p, .n = n};

		assert_int_equal(name_of(&cut).n, 0);
	}
	for (size_t at = 0; at < b.n; at++) {
		char saved = b.p[at];

		b.p[at] ^= (char)0x80;
		name_of(&b);
		b.p[at] = saved;
	}
	sn_buf_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_tells_names_protocols_and_versions),
		cmocka_unit_test(a_handshake_may_be_cut_anywhere),
		cmocka_unit_test(a_reader_takes_single_bytes),
		cmocka_unit_test(a_hello_beyond_the_limit_is_refused),
		cmocka_unit_test(the_first_certificate_of_a_long_list_is_enough),
		cmocka_unit_test(scratch_memory_is_bounded),
		cmocka_unit_test(old_hellos_are_hellos),
		cmocka_unit_test(a_list_of_versions_is_told_up_to_a_limit),
		cmocka_unit_test(what_is_no_name_is_not_told),
		cmocka_unit_test(a_retry_and_resumption_set_their_bits),
		cmocka_unit_test(reading_goes_on_behind_a_gap_where_a_handshake_begins),
		cmocka_unit_test(repeated_segments_are_read_once),
		cmocka_unit_test(every_lying_length_is_survived),
		cmocka_unit_test(a_certificate_tells_its_subject_not_its_issuer),
		cmocka_unit_test(a_damaged_certificate_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
