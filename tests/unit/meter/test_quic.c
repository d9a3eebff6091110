/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/app/quic.h"
#include "quic_seal.h"

#define PLAIN_BYTES 1162 /* RFC 9001 appendix A.2: padded to a datagram of 1200 bytes */

static void from_hex(const char *hex, uint8_t *out, size_t size)
{
	assert_int_equal(sn_unhex((struct sn_str){hex, 2 * size}, out, size), 0);
	assert_int_equal(strlen(hex), 2 * size);
}

static void assert_hex(const uint8_t *bytes, const char *hex)
{
	uint8_t expected[64];
	size_t size = strlen(hex) / 2;

	from_hex(hex, expected, size);
	assert_memory_equal(bytes, expected, size);
}

static void assert_keys(uint32_t version, bool server, const char *key, const char *iv,
			const char *hp)
{
	struct sn_quic_keys keys;

	assert_true(sn_quic_initial_keys(version, &quic_id, server, &keys));
	assert_hex(keys.key, key);
	assert_hex(keys.iv, iv);
	assert_hex(keys.hp, hp);
}

static void keys_are_those_of_rfc_9001_and_9369(void **state SN_UNUSED)
{
	assert_keys(SN_QUIC_V1, false, "1f369613dd76d5467730efcbe3b1a22d",
		    "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2");
	assert_keys(SN_QUIC_V1, true, "cf3a5331653c364c88f0f379b6067e37",
		    "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314");
	assert_keys(SN_QUIC_V2, false, "8b1a0bc121284290a29e0971b5cd045d",
		    "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9");
	assert_keys(SN_QUIC_V2, true, "82db637861d55e1d011f19ea71d5d2a7",
		    "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a");
}

static struct sn_quic_packet first_packet(const uint8_t *datagram, size_t size)
{
	struct sn_quic_packet packet;
	struct sn_rd rd;

	sn_rd_init(&rd, datagram, size);
	assert_true(sn_quic_next_packet(&rd, &packet));
	return packet;
}

/* The client's Initial packet of appendix A.2 begins and ends as printed there. */
static void client_packets_of_the_rfcs_are_opened(void **state SN_UNUSED)
{
	static const struct {
		uint32_t version;
		const char *begin, *end;
	} cases[] = {
		{SN_QUIC_V1, "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
		 "e221af44860018ab0856972e194cd934"},
		{SN_QUIC_V2, "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
		 "a18b2faa745b6fe189cf772a9f84cbfc"},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		uint8_t plain[PLAIN_BYTES] = {0}, datagram[1500], opened[SN_QUIC_PACKET_MAX];
		struct sn_quic_packet packet;
		struct sn_quic_keys keys;
		size_t size;

		quic_put_crypto(plain, quic_hello, 0, sizeof(quic_hello));
		size = quic_seal(cases[i].version, &quic_id, &quic_id, 2, plain, sizeof(plain),
				 datagram);
		assert_int_equal(size, 1200);
		assert_hex(datagram, cases[i].begin);
		assert_hex(datagram + size - 16, cases[i].end);

		packet = first_packet(datagram, size);
		assert_int_equal(packet.type, SN_QUIC_INITIAL);
		assert_int_equal(packet.destination.size, 8);
		sn_quic_initial_keys(cases[i].version, &packet.destination, false, &keys);
		assert_int_equal(sn_quic_open(&keys, &packet, opened), PLAIN_BYTES);
		assert_memory_equal(opened, plain, PLAIN_BYTES);
		datagram[600] ^= 1;
		assert_int_equal(sn_quic_open(&keys, &packet, opened), -EBADMSG);
	}
}

/* Appendix A.3 of both: a packet number of two bytes. */
static void server_packets_of_the_rfcs_are_opened(void **state SN_UNUSED)
{
	static const struct {
		uint32_t version;
		const char *packet;
	} cases[] = {
		{SN_QUIC_V1,
		 "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a"
		 "1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9"
		 "c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d"
		 "20398c276456cbc42158407dd074ee"},
		{SN_QUIC_V2,
		 "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d"
		 "9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4c"
		 "fa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a"
		 "3e2c43edd9ce7ca84bed8521e2e140"},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		uint8_t datagram[135], opened[SN_QUIC_PACKET_MAX];
		struct sn_quic_packet packet;
		struct sn_quic_keys keys;

		from_hex(cases[i].packet, datagram, sizeof(datagram));
		packet = first_packet(datagram, sizeof(datagram));
		assert_int_equal(packet.destination.size, 0);
		sn_quic_initial_keys(cases[i].version, &quic_id, true, &keys);
		assert_int_equal(sn_quic_open(&keys, &packet, opened), 99);
		assert_hex(opened, "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825dd");
	}
}

static void assert_facts(const struct sn_quic_crypto *crypto)
{
	struct sn_quic_facts facts;
	struct sn_rd message;

	assert_true(sn_quic_hello(crypto, &message));
	assert_int_equal(sn_quic_read_hello(message, &facts), 0);
	assert_true(sn_str_eqc(facts.server_name, "example.com"));
	assert_true(sn_str_eqc(facts.alpn, "alpn"));
	assert_int_equal(facts.agent.n, 0);
	assert_int_equal(facts.ech_bytes, 0);
}

static int add(struct sn_quic_crypto *crypto, size_t from, size_t to)
{
	uint8_t frames[512];
	struct sn_rd rd;

	sn_rd_init(&rd, frames, quic_put_crypto(frames, quic_hello, from, to));
	return sn_quic_add_frames(crypto, rd);
}

static void a_hello_in_pieces_is_put_together_in_any_order(void **state SN_UNUSED)
{
	static const unsigned orders[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}};
	static const size_t cuts[] = {0, 3, 70, 71, sizeof(quic_hello)};

	for (size_t o = 0; o < SN_COUNT(orders); o++) {
		uint8_t bytes[SN_QUIC_HELLO_MAX];
		struct sn_quic_crypto crypto = {.bytes = bytes};
		struct sn_rd message;

		memset(bytes, 0xee, sizeof(bytes));
		for (unsigned i = 0; i < 4; i++) {
			unsigned piece = orders[o][i];

			assert_false(sn_quic_hello(&crypto, &message));
			assert_int_equal(add(&crypto, cuts[piece], cuts[piece + 1]), 0);
		}
		assert_facts(&crypto);
		assert_int_equal(crypto.count, 1);
	}
}

static void pieces_may_come_twice_and_overlap(void **state SN_UNUSED)
{
	uint8_t bytes[SN_QUIC_HELLO_MAX];
	struct sn_quic_crypto crypto = {.bytes = bytes};

	assert_int_equal(add(&crypto, 100, 200), 0);
	assert_int_equal(add(&crypto, 0, 50), 0);
	assert_int_equal(crypto.count, 2);
	assert_int_equal(add(&crypto, 120, 150), 0);
	assert_int_equal(add(&crypto, 30, 110), 0);
	assert_int_equal(crypto.count, 1);
	assert_int_equal(add(&crypto, 150, sizeof(quic_hello)), 0);
	assert_facts(&crypto);
}

static void limits_of_a_hello_are_kept(void **state SN_UNUSED)
{
	uint8_t bytes[SN_QUIC_HELLO_MAX], frame[] = {6, 0x60, 0x00, 0x01, 0xaa};
	struct sn_quic_crypto crypto = {.bytes = bytes};
	struct sn_rd rd;

	/* Offset 8192, then 8191, with one byte. */
	sn_rd_init(&rd, frame, sizeof(frame));
	assert_int_equal(sn_quic_add_frames(&crypto, rd), -EBADMSG);
	frame[1] = 0x5f, frame[2] = 0xff;
	assert_int_equal(sn_quic_add_frames(&crypto, rd), 0);
	/* One piece is there; each of these adds a hole. */
	for (size_t i = 0; i < SN_QUIC_PIECES_MAX - 1; i++)
		assert_int_equal(add(&crypto, 4 * i, 4 * i + 1), 0);
	assert_int_equal(add(&crypto, 200, 201), -EBADMSG);
	assert_int_equal(add(&crypto, 1, 4), 0);
	assert_int_equal(add(&crypto, 200, 201), 0);
}

static void frames_that_do_not_belong_are_refused(void **state SN_UNUSED)
{
	static const struct {
		uint8_t frames[8];
		size_t size;
		int result;
	} cases[] = {
		{{0, 1, 0, 1}, 4, 0},                 /* PADDING, PING */
		{{2, 5, 0, 1, 0, 1, 1}, 7, 0},        /* ACK with a range */
		{{3, 5, 0, 0, 0, 1, 2, 3}, 8, 0},     /* ACK with ECN */
		{{2, 5, 0, 0x3f, 0, 1}, 6, -EBADMSG}, /* ACK cut off */
		{{0x1c, 0xff, 0xff}, 3, 0},           /* CONNECTION_CLOSE ends it */
		{{8, 0, 0}, 3, -EBADMSG},             /* STREAM */
		{{6, 0, 9, 1}, 4, -EBADMSG},          /* CRYPTO cut off */
		{{6, 0, 0}, 3, 0},                    /* empty CRYPTO */
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		uint8_t bytes[SN_QUIC_HELLO_MAX];
		struct sn_quic_crypto crypto = {.bytes = bytes};
		struct sn_rd rd;

		sn_rd_init(&rd, cases[i].frames, cases[i].size);
		assert_int_equal(sn_quic_add_frames(&crypto, rd), cases[i].result);
		assert_int_equal(crypto.count, 0);
	}
}

static void packets_that_share_a_datagram_are_told_apart(void **state SN_UNUSED)
{
	static const uint8_t datagram[] = {
		0xc0, 0,    0,    0,    1,    1, 0xaa, 0, 0,    3, 1, 2, 3,    /* Initial */
		0xd0, 0,    0,    0,    1,    1, 0xaa, 0, 2,    1, 2,          /* 0-RTT */
		0xe0, 0,    0,    0,    1,    1, 0xaa, 0, 1,    9,             /* Handshake */
		0xd0, 0x6b, 0x33, 0x43, 0xcf, 1, 0xaa, 0, 0,    1, 7,          /* Initial of 2 */
		0xc0, 0x6b, 0x33, 0x43, 0xcf, 1, 0xaa, 1, 0xbb, 1, 2, 3, 4, 5, /* Retry of 2 */
	};
	static const enum sn_quic_type types[] = {SN_QUIC_INITIAL, SN_QUIC_ZERO_RTT,
						  SN_QUIC_HANDSHAKE, SN_QUIC_INITIAL,
						  SN_QUIC_RETRY};
	struct sn_quic_packet packet;
	struct sn_rd rd;

	sn_rd_init(&rd, datagram, sizeof(datagram));
	for (size_t i = 0; i < SN_COUNT(types); i++) {
		assert_true(sn_quic_next_packet(&rd, &packet));
		assert_int_equal(packet.type, types[i]);
	}
	assert_false(sn_quic_next_packet(&rd, &packet));
}

static void headers_that_lie_are_refused(void **state SN_UNUSED)
{
	static const struct {
		uint8_t bytes[32];
		size_t size;
	} cases[] = {
		{{0xc0, 0, 0, 0, 1, 1, 0xaa, 0, 0, 4, 1, 2, 3}, 13}, /* length beyond the end */
		{{0xc0, 0, 0, 0, 1, 1, 0xaa, 0, 9, 3, 1, 2, 3}, 13}, /* token beyond the end */
		{{0xc0, 0, 0, 0, 1, 21}, 32},                        /* id too long */
		{{0xc0, 0, 0, 0, 3, 1, 0xaa, 0, 0, 3, 1, 2, 3}, 13}, /* unknown version */
		{{0x40, 0, 0, 0, 1, 1, 0xaa, 0, 0, 3, 1, 2, 3}, 13}, /* short header */
		{{0x80, 0, 0, 0, 1, 1, 0xaa, 0, 0, 3, 1, 2, 3}, 13}, /* fixed bit is clear */
		{{0xc0, 0, 0, 0}, 4},
	};

	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		struct sn_quic_packet packet;
		struct sn_rd rd;

		sn_rd_init(&rd, cases[i].bytes, cases[i].size);
		assert_false(sn_quic_next_packet(&rd, &packet));
	}
}

static void packets_without_room_for_a_sample_are_refused(void **state SN_UNUSED)
{
	uint8_t datagram[64] = {0xc0, 0, 0, 0, 1, 1, 0xaa, 0, 0, 19}, plain[SN_QUIC_PACKET_MAX];
	struct sn_quic_packet packet = first_packet(datagram, sizeof(datagram));
	struct sn_quic_keys keys;

	sn_quic_initial_keys(SN_QUIC_V1, &packet.destination, false, &keys);
	assert_int_equal(sn_quic_open(&keys, &packet, plain), -EBADMSG);
	packet.size = SN_QUIC_PACKET_MAX + 1;
	assert_int_equal(sn_quic_open(&keys, &packet, plain), -EMSGSIZE);
}

/* CHLO with SNI and UAID behind a header of Q043. */
static size_t google_datagram(uint8_t *out)
{
	static const uint8_t header[] = {0x0d, 1, 2, 3, 4, 5, 6, 7, 8, 'Q', '0', '4',  '3', 1, 9,
					 9,    9, 9, 9, 9, 9, 9, 9, 9, 9,   9,   0xa0, 1,   4, 0};
	static const uint8_t chlo[] = {'C', 'H', 'L', 'O', 2,   0,   0,   0,   'S', 'N', 'I', 0,
				       7,   0,   0,   0,   'U', 'A', 'I', 'D', 10,  0,   0,   0,
				       'g', '.', 'c', 'o', '.', 'u', 'k', 'C', 'h', 'r'};

	memcpy(out, header, sizeof(header));
	memcpy(out + sizeof(header), chlo, sizeof(chlo));
	return sizeof(header) + sizeof(chlo);
}

static void the_hello_of_google_is_read(void **state SN_UNUSED)
{
	uint8_t datagram[128];
	size_t size = google_datagram(datagram);
	struct sn_quic_facts facts;
	struct sn_rd rd, message;

	sn_rd_init(&rd, datagram, size);
	assert_int_equal(sn_quic_google_version(rd), 0x51303433);
	assert_true(sn_quic_google_hello(rd, &message));
	assert_int_equal(sn_quic_read_hello(message, &facts), 0);
	assert_true(sn_str_eqc(facts.server_name, "g.co.uk"));
	assert_true(sn_str_eqc(facts.agent, "Chr"));
	sn_rd_init(&rd, datagram, size - 1);
	assert_false(sn_quic_google_hello(rd, &message));
}

static void datagrams_that_only_resemble_google_are_not(void **state SN_UNUSED)
{
	uint8_t datagram[128];
	struct sn_rd rd;

	sn_rd_init(&rd, datagram, google_datagram(datagram));
	datagram[0] = 0x0c; /* no version */
	assert_int_equal(sn_quic_google_version(rd), 0);
	datagram[0] = 0x0d;
	datagram[10] = 'x';
	assert_int_equal(sn_quic_google_version(rd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_rfc_9001_and_9369),
		cmocka_unit_test(client_packets_of_the_rfcs_are_opened),
		cmocka_unit_test(server_packets_of_the_rfcs_are_opened),
		cmocka_unit_test(a_hello_in_pieces_is_put_together_in_any_order),
		cmocka_unit_test(pieces_may_come_twice_and_overlap),
		cmocka_unit_test(limits_of_a_hello_are_kept),
		cmocka_unit_test(frames_that_do_not_belong_are_refused),
		cmocka_unit_test(packets_that_share_a_datagram_are_told_apart),
		cmocka_unit_test(headers_that_lie_are_refused),
		cmocka_unit_test(packets_without_room_for_a_sample_are_refused),
		cmocka_unit_test(the_hello_of_google_is_read),
		cmocka_unit_test(datagrams_that_only_resemble_google_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
