/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meter/capture/file.h"
#include "meter/decode/spread.h"
#include "packets.h"

#define LEVELS 12

/* A frame made from the outside; levels are closed all at once, which fills their lengths in. */
static struct frame f;
static struct {
	size_t at;
	enum { LEVEL_IPV4, LEVEL_IPV6, LEVEL_UDP, LEVEL_GTP } kind;
} levels[LEVELS];
static size_t level_count;
static struct sn_decoded decoded;

static int start(void **state SN_UNUSED)
{
	f = (struct frame){.n = 0};
	level_count = 0;
	return 0;
}

static void begin(int kind)
{
	assert_true(level_count < LEVELS);
	levels[level_count].at = f.n;
	levels[level_count++].kind = kind;
}

static void outer_ethernet(uint16_t type)
{
	put_ethernet(&f, type);
}

static void add_ipv4(const char *src, const char *dst, uint8_t protocol)
{
	begin(LEVEL_IPV4);
	put_ipv4(&f, src, dst, protocol, 0x4242, 0);
}

static void add_ipv6(const char *src, const char *dst, uint8_t next)
{
	begin(LEVEL_IPV6);
	put_ipv6(&f, src, dst, next);
}

static void add_udp(uint16_t sport, uint16_t dport)
{
	begin(LEVEL_UDP);
	put_udp(&f, sport, dport, 0);
}

/* The outside of most: 198.51.100.1 and 2 are the ends of the tunnel. */
static void add_outer(uint8_t protocol)
{
	outer_ethernet(0x0800);
	add_ipv4("198.51.100.1", "198.51.100.2", protocol);
}

static void add_outer_udp(uint16_t dport)
{
	add_outer(SN_PROTO_UDP);
	add_udp(50000, dport);
}

/* The inside of most: 40 bytes of payload. */
static void add_inner(void)
{
	add_ipv4("192.0.2.1", "192.0.2.2", SN_PROTO_UDP);
	add_udp(1000, 2000);
	for (int i = 0; i < 40; i++)
		put8(&f, (unsigned)i);
}

static void set16(size_t at, size_t value)
{
	f.bytes[at] = (uint8_t)(value >> 8);
	f.bytes[at + 1] = (uint8_t)value;
}

static void close_levels(void)
{
	for (size_t i = 0; i < level_count; i++) {
		size_t at = levels[i].at, length = f.n - at;

		switch (levels[i].kind) {
		case LEVEL_IPV4:
			set16(at + 2, length);
			break;
		case LEVEL_IPV6:
			set16(at + 4, length - 40);
			break;
		case LEVEL_UDP:
			set16(at + 4, length);
			break;
		case LEVEL_GTP:
			set16(at + 2, length - 8);
			break;
		}
	}
	level_count = 0;
}

/* The bytes end where a sanitizer sees a read behind them. */
static enum sn_skip decode_link(int link, unsigned tunnels_max)
{
	struct sn_packet packet;
	uint8_t *exact;
	enum sn_skip skip;

	close_levels();
	packet = frame_packet(&f);
	exact = malloc(f.n > 0 ? f.n : 1);
	memcpy(exact, f.bytes, f.n);
	packet.data = exact;
	packet.link = (uint16_t)link;
	skip = sn_decode(link, tunnels_max, &packet, &decoded);
	if (decoded.payload.p != NULL)
		decoded.payload = (struct sn_rd){.p = f.bytes + (decoded.payload.p - exact),
						 .end = f.bytes + (decoded.payload.end - exact)};
	free(exact);
	return skip;
}

static enum sn_skip decode(void)
{
	return decode_link(DLT_EN10MB, SN_DECODE_TUNNELS_MAX);
}

static void expect_address(const uint64_t address[2], int family, const char *text)
{
	uint8_t wanted[16] = {0};

	inet_pton(family, text, wanted);
	assert_memory_equal(address, wanted, sizeof(wanted));
}

static void expect_inner(unsigned tunnels)
{
	assert_int_equal(decode(), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "192.0.2.1");
	expect_address(decoded.dst, AF_INET, "192.0.2.2");
	assert_int_equal(decoded.src_port, 1000);
	assert_int_equal(decoded.dst_port, 2000);
	assert_int_equal(decoded.ip_bytes, 68);
	assert_int_equal(decoded.payload_bytes, 40);
	assert_int_equal(decoded.udp_length, 48);
	assert_int_equal(sn_rd_left(&decoded.payload), 40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(decoded.payload.p[i], i);
	assert_int_equal(decoded.tunnels, tunnels);
	assert_non_null(decoded.stations);
	assert_true(decoded.has_ip_id && decoded.ip_id == 0x4242 && decoded.ttl == 64);
}

static void expect_outer_udp(uint16_t dport)
{
	assert_int_equal(decode(), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "198.51.100.1");
	assert_int_equal(decoded.src_port, 50000);
	assert_int_equal(decoded.dst_port, dport);
	assert_int_equal(decoded.tunnels, 0);
	assert_int_equal(decoded.ip_bytes, f.n - 14);
	assert_int_equal(decoded.payload_bytes, f.n - 14 - 28);
	assert_int_equal(sn_rd_left(&decoded.payload), f.n - 14 - 28);
}

static void ip_in_ip_in_all_four_ways(void **state SN_UNUSED)
{
	add_outer(4);
	add_inner();
	expect_inner(1);

	start(NULL);
	outer_ethernet(0x86dd);
	add_ipv6("2001:db8::1", "2001:db8::2", 4);
	add_inner();
	expect_inner(1);

	for (int variant = 0; variant < 2; variant++) {
		start(NULL);
		if (variant == 0) {
			add_outer(41);
		} else {
			outer_ethernet(0x86dd);
			add_ipv6("2001:db8::1", "2001:db8::2", 41);
		}
		add_ipv6("2001:db8:1::1", "2001:db8:1::2", SN_PROTO_UDP);
		add_udp(5, 6);
		assert_int_equal(decode(), SN_SKIP_NONE);
		expect_address(decoded.dst, AF_INET6, "2001:db8:1::2");
		assert_int_equal(decoded.family, 6);
		assert_int_equal(decoded.ip_bytes, 48);
		assert_false(decoded.has_ip_id);
	}
}

/* RFC 2784, RFC 2890: each flag adds a field of four bytes. */
static void every_flag_of_gre_is_understood(void **state SN_UNUSED)
{
	static const uint16_t flags[] = {0, 0x8000, 0x2000, 0x1000, 0xa000, 0x9000, 0x3000, 0xb000};
	static const size_t sizes[] = {0, 4, 4, 4, 8, 8, 8, 12};

	for (size_t i = 0; i < SN_COUNT(flags); i++) {
		start(NULL);
		add_outer(47);
		put16(&f, flags[i]);
		put16(&f, 0x0800);
		put_zeros(&f, sizes[i]);
		add_inner();
		expect_inner(1);
	}
}

static void gre_bridges_ethernet_with_its_tags(void **state SN_UNUSED)
{
	add_outer(47);
	put16(&f, 0);
	put16(&f, 0x6558);
	outer_ethernet(0x8100);
	put_vlan(&f, 7, 0x8100);
	put_vlan(&f, 8, 0x0800);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_outer(47);
	put16(&f, 0);
	put16(&f, 0x8847);
	put32(&f, 0x000101ff); /* MPLS, bottom of the stack */
	add_inner();
	expect_inner(1);
}

static void all_versions_of_erspan_are_mirrors(void **state SN_UNUSED)
{
	add_outer(47);
	put16(&f, 0);
	put16(&f, 0x88be); /* type I: nothing of its own */
	outer_ethernet(0x0800);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_outer(47);
	put16(&f, 0x1000);
	put16(&f, 0x88be);
	put32(&f, 1); /* sequence number */
	put_zeros(&f, 8);
	outer_ethernet(0x0800);
	add_inner();
	expect_inner(1);

	for (unsigned more = 0; more < 2; more++) {
		start(NULL);
		add_outer(47);
		put16(&f, 0x1000);
		put16(&f, 0x22eb);
		put32(&f, 1);
		put_zeros(&f, 11);
		put8(&f, more);
		put_zeros(&f, more * 8);
		outer_ethernet(0x0800);
		add_inner();
		expect_inner(1);
	}
}

/* RFC 2637: key always, sequence number with payload, acknowledgement sometimes. */
static void pptp_is_ppp_in_gre(void **state SN_UNUSED)
{
	static const char *const protocols[] = {"\xff\x03\x00\x21", "\x00\x21", "\xff\x03\x21",
						"\x21"};
	static const size_t sizes[] = {4, 2, 3, 1};

	for (unsigned i = 0; i < 8; i++) {
		bool acknowledged = i >= 4;

		start(NULL);
		add_outer(47);
		put16(&f, acknowledged ? 0x3081 : 0x3001);
		put16(&f, 0x880b);
		put_zeros(&f, acknowledged ? 12 : 8);
		put(&f, protocols[i % 4], sizes[i % 4]);
		add_inner();
		expect_inner(1);
	}

	start(NULL);
	add_outer(47);
	put16(&f, 0x2081); /* an acknowledgement only */
	put16(&f, 0x880b);
	put_zeros(&f, 8);
	assert_int_equal(decode(), SN_SKIP_PROTOCOL);
}

static void gre_that_leads_nowhere_is_a_protocol(void **state SN_UNUSED)
{
	static const uint16_t headers[][2] = {
		{0x4000, 0x0800}, /* source routing */
		{0x0002, 0x0800}, /* version 2 */
		{0x0000, 0x0806}, /* ARP */
		{0x0001, 0x0800}, /* version 1 is for PPP */
		{0x0000, 0x0000}, /* keepalive */
	};

	for (size_t i = 0; i < SN_COUNT(headers); i++) {
		start(NULL);
		add_outer(47);
		put16(&f, headers[i][0]);
		put16(&f, headers[i][1]);
		add_inner();
		assert_int_equal(decode(), SN_SKIP_PROTOCOL);
		expect_address(decoded.src, AF_INET, "198.51.100.1");
	}
}

static void add_vxlan(uint8_t flags)
{
	add_outer_udp(4789);
	put8(&f, flags);
	put_zeros(&f, 3);
	put32(&f, 0x00abcd00);
	outer_ethernet(0x0800);
	add_inner();
}

static void vxlan_is_entered_when_its_flags_say_so(void **state SN_UNUSED)
{
	static const uint8_t bad[] = {0x00, 0x80, 0x0c, 0x09, 0x18, 0xff};

	add_vxlan(0x08);
	expect_inner(1);
	start(NULL);
	add_vxlan(0x88); /* with a group policy */
	expect_inner(1);
	for (size_t i = 0; i < SN_COUNT(bad); i++) {
		start(NULL);
		add_vxlan(bad[i]);
		expect_outer_udp(4789);
	}
}

static void what_is_no_flow_inside_leaves_the_datagram(void **state SN_UNUSED)
{
	add_outer_udp(4789); /* ARP in VXLAN */
	put32(&f, 0x08000000);
	put32(&f, 0);
	outer_ethernet(0x0806);
	put_zeros(&f, 28);
	expect_outer_udp(4789);

	start(NULL); /* OSPF */
	add_outer_udp(4789);
	put32(&f, 0x08000000);
	put32(&f, 0);
	outer_ethernet(0x0800);
	add_ipv4("192.0.2.1", "192.0.2.2", 89);
	put_zeros(&f, 20);
	expect_outer_udp(4789);

	start(NULL); /* lengths that lie */
	add_vxlan(0x08);
	close_levels();
	f.bytes[14 + 20 + 8 + 8 + 14 + 3]++;
	expect_outer_udp(4789);

	start(NULL); /* another protocol on the port */
	add_outer_udp(2152);
	for (int i = 0; i < 50; i++)
		put8(&f, (unsigned)i * 37);
	expect_outer_udp(2152);
	start(NULL);
	add_outer_udp(6081);
	expect_outer_udp(6081);
}

static void add_gtp(uint8_t flags, uint8_t type)
{
	add_outer_udp(2152);
	begin(LEVEL_GTP);
	put8(&f, flags);
	put8(&f, type);
	put16(&f, 0);
	put32(&f, 0x12345678);
}

/* 3GPP TS 29.281 section 5. */
static void gtp_carries_packets_behind_options_and_extensions(void **state SN_UNUSED)
{
	add_gtp(0x30, 255);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_gtp(0x32, 255); /* sequence number: all four bytes are there */
	put32(&f, 0x00010000);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_gtp(0x34, 255);
	put32(&f, 0x00000085); /* next: PDU session container */
	put32(&f, 0x01100585); /* four bytes, and another one */
	put32(&f, 0x02000000); /* eight bytes, the last one */
	put32(&f, 0);
	add_inner();
	expect_inner(1);

	start(NULL);
	add_gtp(0x30, 255);
	add_ipv6("2001:db8::1", "2001:db8::2", SN_PROTO_ICMP6);
	put_icmp(&f, 128, 0, 9, 20);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.protocol, SN_PROTO_ICMP6);
	assert_int_equal(decoded.src_port, 9);
}

static void gtp_of_other_kinds_is_a_datagram(void **state SN_UNUSED)
{
	static const uint8_t headers[][2] = {
		{0x30, 1},   /* echo request */
		{0x50, 255}, /* version 2 */
		{0x20, 255}, /* GTP' */
	};

	for (size_t i = 0; i < SN_COUNT(headers); i++) {
		start(NULL);
		add_gtp(headers[i][0], headers[i][1]);
		add_inner();
		expect_outer_udp(2152);
	}
	start(NULL); /* an extension header of no length would never end */
	add_gtp(0x34, 255);
	put32(&f, 0x00000085);
	put32(&f, 0);
	add_inner();
	expect_outer_udp(2152);
	start(NULL); /* more of them than anybody needs */
	add_gtp(0x34, 255);
	put32(&f, 0x00000085);
	for (int i = 0; i < 20; i++)
		put32(&f, i < 19 ? 0x01000085 : 0x01000000);
	add_inner();
	expect_outer_udp(2152);
	start(NULL); /* longer than it says */
	add_gtp(0x30, 255);
	add_inner();
	close_levels();
	f.bytes[14 + 28 + 3] -= 4;
	expect_outer_udp(2152);
}

static void add_geneve(unsigned options, uint8_t flags, uint16_t type)
{
	add_outer_udp(6081);
	put8(&f, options);
	put8(&f, flags);
	put16(&f, type);
	put32(&f, 0x00abcd00);
	put_zeros(&f, options * 4);
}

/* RFC 8926 section 3.4. */
static void geneve_is_entered_behind_its_options(void **state SN_UNUSED)
{
	add_geneve(0, 0, 0x6558);
	outer_ethernet(0x0800);
	add_inner();
	expect_inner(1);
	start(NULL);
	add_geneve(5, 0x40, 0x0800); /* critical options are for those who end the tunnel */
	add_inner();
	expect_inner(1);
	start(NULL);
	add_geneve(0, 0x80, 0x0800); /* a control packet */
	add_inner();
	expect_outer_udp(6081);
	start(NULL);
	add_geneve(0x40, 0, 0x0800); /* version 1 */
	expect_outer_udp(6081);
}

static void pppoe_with_both_families(void **state SN_UNUSED)
{
	outer_ethernet(0x8864);
	put(&f, "\x11\x00\x00\x01\x00\x46\x00\x21", 8);
	add_inner();
	expect_inner(0);
	start(NULL);
	outer_ethernet(0x8864);
	put(&f, "\x11\x00\x00\x01\x00\x32\x00\x57", 8);
	add_ipv6("2001:db8::1", "2001:db8::2", SN_PROTO_UDP);
	add_udp(5, 6);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.family, 6);
	assert_int_equal(decoded.dst_port, 6);
}

static void ethernet_over_mpls_has_a_control_word(void **state SN_UNUSED)
{
	outer_ethernet(0x8847);
	put32(&f, 0x000101ff);
	put32(&f, 0);
	outer_ethernet(0x8100);
	put_vlan(&f, 7, 0x0800);
	add_inner();
	expect_inner(0);
}

static void teredo_is_the_flow_that_it_is(void **state SN_UNUSED)
{
	add_outer_udp(3544);
	add_ipv6("2001:db8::1", "2001:db8::2", SN_PROTO_UDP);
	add_udp(5, 6);
	expect_outer_udp(3544);
}

static void tunnels_in_tunnels_up_to_the_limit(void **state SN_UNUSED)
{
	for (unsigned depth = 1; depth <= SN_DECODE_TUNNELS_MAX + 1; depth++) {
		start(NULL);
		add_outer(depth > 1 ? 47 : 4);
		for (unsigned i = 1; i < depth; i++) {
			put32(&f, 0x00000800);
			add_ipv4("203.0.113.1", "203.0.113.2", i < depth - 1 ? 47 : 4);
		}
		add_inner();
		if (depth <= SN_DECODE_TUNNELS_MAX)
			expect_inner(depth);
		else
			assert_int_equal(decode(), SN_SKIP_TUNNELS);
	}
	/* Whoever asks for more does not get it. */
	assert_int_equal(decode_link(DLT_EN10MB, 100), SN_SKIP_TUNNELS);
}

static void beyond_the_limit_a_datagram_is_a_datagram(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_ipv4("203.0.113.1", "203.0.113.2", SN_PROTO_UDP);
	add_udp(50000, 4789);
	put32(&f, 0x08000000);
	put32(&f, 0);
	outer_ethernet(0x0800);
	add_inner();
	assert_int_equal(decode_link(DLT_EN10MB, 1), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "203.0.113.1");
	assert_int_equal(decoded.dst_port, 4789);
	assert_int_equal(decoded.tunnels, 1);
	expect_inner(2);
}

static void without_tunnels_the_outside_is_metered(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_inner();
	assert_int_equal(decode_link(DLT_EN10MB, 0), SN_SKIP_PROTOCOL);
	start(NULL);
	add_vxlan(0x08);
	assert_int_equal(decode_link(DLT_EN10MB, 0), SN_SKIP_NONE);
	assert_int_equal(decoded.dst_port, 4789);
}

static void a_short_snap_length_changes_no_count(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_inner();
	close_levels();
	f.wire_extra = 30;
	f.n -= 30;
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.payload_bytes, 40);
	assert_int_equal(decoded.ip_bytes, 68);
	assert_int_equal(sn_rd_left(&decoded.payload), 10);
	/* Not even the ports are left. */
	f.wire_extra += 20;
	f.n -= 20;
	assert_int_equal(decode(), SN_SKIP_TRUNCATED);
	/* Of a tunnel over UDP the outside is left. */
	start(NULL);
	add_vxlan(0x08);
	close_levels();
	f.wire_extra = 60;
	f.n -= 60;
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.dst_port, 4789);
	assert_int_equal(decoded.payload_bytes, 8 + 14 + 68);
}

static void padding_is_not_payload(void **state SN_UNUSED)
{
	add_outer(4);
	add_ipv4("192.0.2.1", "192.0.2.2", SN_PROTO_UDP);
	add_udp(1, 2);
	put16(&f, 0xabcd);
	close_levels();
	put_zeros(&f, 30);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.payload_bytes, 2);
	assert_int_equal(sn_rd_left(&decoded.payload), 2);
}

static void fragments_inside_are_fragments(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	begin(LEVEL_IPV4);
	put_ipv4(&f, "192.0.2.1", "192.0.2.2", SN_PROTO_UDP, 77, 185);
	put_zeros(&f, 100);
	assert_int_equal(decode(), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET, "192.0.2.1");
	assert_true(decoded.fragmented && !decoded.has_transport);
	assert_int_equal(decoded.fragment_id, 77);
	assert_int_equal(decoded.payload_bytes, 100);
}

/* The first one holds the headers, which tell the whole length; the others have no flow. */
static void fragments_of_a_tunnel_are_counted_once(void **state SN_UNUSED)
{
	add_outer(47);
	put32(&f, 0x00000800);
	add_inner();
	close_levels();
	f.n -= 24; /* the outer packet ends here, the rest is in another */
	set16(14 + 2, f.n - 14);
	f.bytes[14 + 6] = 0x20;
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_int_equal(decoded.ip_bytes, 68);
	assert_int_equal(decoded.payload_bytes, 40);
	assert_int_equal(sn_rd_left(&decoded.payload), 16);
	assert_false(decoded.fragmented);

	start(NULL);
	add_outer(47);
	put_zeros(&f, 24);
	close_levels();
	set16(14 + 6, 8);
	assert_int_equal(decode(), SN_SKIP_FRAGMENT);
	start(NULL);
	add_outer(SN_PROTO_UDP);
	put_zeros(&f, 24);
	close_levels();
	set16(14 + 6, 8);
	assert_int_equal(decode(), SN_SKIP_NONE);
	assert_false(decoded.has_transport);
}

static void every_link_type_may_carry_tunnels(void **state SN_UNUSED)
{
	add_ipv4("198.51.100.1", "198.51.100.2", 4);
	add_inner();
	assert_int_equal(decode_link(DLT_RAW, 4), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 1000);
	assert_null(decoded.stations);
}

/* Sharing packets out ------------------------------------------------------------ */

static uint32_t spread(unsigned tunnels_max)
{
	struct sn_packet packet;

	close_levels();
	packet = frame_packet(&f);
	packet.link = DLT_EN10MB;
	return sn_decode_spread(&packet, tunnels_max);
}

static void packets_of_a_flow_have_one_number(void **state SN_UNUSED)
{
	uint32_t wanted, outside;

	outer_ethernet(0x0800);
	add_inner();
	wanted = spread(4);

	start(NULL); /* the other direction, another port */
	outer_ethernet(0x0800);
	add_ipv4("192.0.2.2", "192.0.2.1", SN_PROTO_TCP);
	put_zeros(&f, 20);
	assert_int_equal(spread(4), wanted);

	start(NULL); /* a later fragment */
	outer_ethernet(0x0800);
	begin(LEVEL_IPV4);
	put_ipv4(&f, "192.0.2.1", "192.0.2.2", SN_PROTO_UDP, 77, 185);
	put_zeros(&f, 100);
	assert_int_equal(spread(4), wanted);

	start(NULL); /* behind tags */
	outer_ethernet(0x8100);
	put_vlan(&f, 7, 0x8100);
	put_vlan(&f, 8, 0x0800);
	add_inner();
	assert_int_equal(spread(4), wanted);

	start(NULL); /* in tunnels, if they are entered */
	add_outer(47);
	put32(&f, 0x00000800);
	add_ipv4("203.0.113.1", "203.0.113.2", 4);
	add_inner();
	assert_int_equal(spread(4), wanted);
	outside = spread(0);
	assert_int_not_equal(outside, wanted);
	start(NULL);
	outer_ethernet(0x0800);
	add_ipv4("198.51.100.2", "198.51.100.1", SN_PROTO_TCP);
	put_zeros(&f, 20);
	assert_int_equal(spread(4), outside);

	start(NULL);
	add_vxlan(0x08);
	assert_int_equal(spread(4), wanted);
	assert_int_equal(spread(0), outside);
	start(NULL);
	add_vxlan(0xff); /* not one */
	assert_int_equal(spread(4), outside);
}

static void flows_are_spread_evenly(void **state SN_UNUSED)
{
	enum { BINS = 8, FLOWS = 8000 };
	unsigned bins[BINS] = {0};

	for (unsigned i = 0; i < FLOWS; i++) {
		char address[32];

		start(NULL);
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 250, i % 250);
		outer_ethernet(0x0800);
		add_ipv4(address, "192.0.2.1", SN_PROTO_TCP);
		put_zeros(&f, 20);
		bins[(uint64_t)spread(4) * BINS >> 32]++;
	}
	for (int i = 0; i < BINS; i++)
		assert_in_range(bins[i], FLOWS / BINS * 8 / 10, FLOWS / BINS * 12 / 10);
}

/* Beside another program ----------------------------------------------------------- */

static bool tshark_is_here(void)
{
	return system("tshark --version >/dev/null 2>&1") == 0;
}

/* The `wanted`-th number (from 1) of a list with commas between. */
static unsigned long pick(const char *list, unsigned wanted)
{
	for (; wanted > 1 && strchr(list, ',') != NULL; wanted--)
		list = strchr(list, ',') + 1;
	return strtoul(list, NULL, 10);
}

/*
 * "eth:ethertype:ip:gre:ip:udp:..." and the lengths of all IPv4 and IPv6 headers: the length of the
 * packet that the first transport header is in; 0 if there is none.  What comes behind is quoted by
 * ICMP, or payload.
 */
static unsigned long metered_bytes(char *line)
{
	char *protocols = strsep(&line, "\t"), *v4 = strsep(&line, "\t"), *v6 = line, *word;
	unsigned n4 = 0, n6 = 0;
	bool is_v6 = false;

	while ((word = strsep(&protocols, ":")) != NULL) {
		if (strcmp(word, "ip") == 0 || strcmp(word, "ipv6") == 0) {
			is_v6 = word[2] != '\0';
			n4 += !is_v6;
			n6 += is_v6;
		}
		if (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0 ||
		    strcmp(word, "icmp") == 0 || strcmp(word, "icmpv6") == 0)
			return is_v6 ? 40 + pick(v6, n6) : pick(v4, n4);
	}
	return 0;
}

/* Copies the packets of a capture into one file, so that the other program starts only once. */
static void append_capture(const char *name, FILE *out)
{
	struct sn_capture_file *file = NULL;
	struct sn_packet packet;
	struct sn_err err;
	char path[256];

	snprintf(path, sizeof(path), "%s/pcap/%s", SN_TEST_DATA, name);
	if (sn_capture_file_open(path, &file, &err) != 0)
		fail_msg("%s", err.text);
	while (sn_capture_file_read(file, &packet, 1, &err) == 1) {
		uint32_t header[] = {0, 0, packet.captured, packet.length};

		fwrite(header, sizeof(header), 1, out);
		fwrite(packet.data, packet.captured, 1, out);
	}
	sn_capture_file_close(file);
}

static void write_captures(char *path)
{
	static const char *const captures[] = {"gre-in-gre.pcap",
					       "6in4.pcap",
					       "teredo.pcap",
					       "vlan-mpls.pcap",
					       "http-qinq.pcap",
					       "pppoe.pcap",
					       "http-vlan.pcap",
					       "mixed.pcap",
					       "ipv6-http-atomic-frag.pcap",
					       "ipv4-fragments.pcap",
					       "web-wikipedia.pcap",
					       "ipv6-fragmented-dns.pcap",
					       "ftp-ipv6.pcap",
					       "tcp-truncated-header.pcap"};
	uint32_t header[] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, 1};
	FILE *out = fdopen(mkstemp(path), "wb");

	assert_non_null(out);
	fwrite(header, sizeof(header), 1, out);
	for (size_t i = 0; i < SN_COUNT(captures); i++)
		append_capture(captures[i], out);
	assert_int_equal(fclose(out), 0);
}

static FILE *ask_tshark(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "tshark -n -r '%s' -o ip.defragment:false -o ipv6.defragment:false -T fields "
		 "-e frame.protocols -e ip.len -e ipv6.plen 2>/dev/null",
		 path);
	return popen(command, "r");
}

static void each_packet_of_real_captures_agrees_with_tshark(void **state SN_UNUSED)
{
	char path[] = "/tmp/sonde-test-XXXXXX", line[4096];
	struct sn_capture_file *file = NULL;
	unsigned long packets = 0, metered = 0;
	struct sn_packet packet;
	struct sn_err err;
	FILE *theirs;

	if (!tshark_is_here()) {
		print_message("skipped: there is no tshark to compare with\n");
		skip();
	}
	write_captures(path);
	theirs = ask_tshark(path);
	assert_non_null(theirs);
	assert_int_equal(sn_capture_file_open(path, &file, &err), 0);
	while (sn_capture_file_read(file, &packet, 1, &err) == 1) {
		bool ours = sn_decode(packet.link, SN_DECODE_TUNNELS_MAX, &packet, &decoded) ==
				    SN_SKIP_NONE &&
			    decoded.has_transport;

		packets++;
		metered += ours;
		assert_non_null(fgets(line, sizeof(line), theirs));
		if (metered_bytes(line) != (ours ? decoded.ip_bytes : 0))
			fail_msg("packet %lu: %u bytes here, there: %s", packets,
				 ours ? decoded.ip_bytes : 0, line);
	}
	assert_null(fgets(line, sizeof(line), theirs));
	pclose(theirs);
	sn_capture_file_close(file);
	unlink(path);
	print_message("%lu packets, %lu metered\n", packets, metered);
	assert_true(metered > 1000);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ip_in_ip_in_all_four_ways),
		TEST(every_flag_of_gre_is_understood),
		TEST(gre_bridges_ethernet_with_its_tags),
		TEST(all_versions_of_erspan_are_mirrors),
		TEST(pptp_is_ppp_in_gre),
		TEST(gre_that_leads_nowhere_is_a_protocol),
		TEST(vxlan_is_entered_when_its_flags_say_so),
		TEST(what_is_no_flow_inside_leaves_the_datagram),
		TEST(gtp_carries_packets_behind_options_and_extensions),
		TEST(gtp_of_other_kinds_is_a_datagram),
		TEST(geneve_is_entered_behind_its_options),
		TEST(pppoe_with_both_families),
		TEST(ethernet_over_mpls_has_a_control_word),
		TEST(teredo_is_the_flow_that_it_is),
		TEST(tunnels_in_tunnels_up_to_the_limit),
		TEST(beyond_the_limit_a_datagram_is_a_datagram),
		TEST(without_tunnels_the_outside_is_metered),
		TEST(a_short_snap_length_changes_no_count),
		TEST(padding_is_not_payload),
		TEST(fragments_inside_are_fragments),
		TEST(fragments_of_a_tunnel_are_counted_once),
		TEST(every_link_type_may_carry_tunnels),
		TEST(packets_of_a_flow_have_one_number),
		TEST(flows_are_spread_evenly),
		TEST(each_packet_of_real_captures_agrees_with_tshark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
