/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <stdlib.h>

#include "lib/decoded.h"
#include "meter/decode/internal.h"
#include "packets.h"

static struct sn_decoded decoded;

/* The bytes end where a sanitizer sees a read behind them. */
static enum sn_skip decode(int link, const struct frame *f)
{
	struct sn_packet packet = frame_packet(f);
	uint8_t *exact = malloc(f->n > 0 ? f->n : 1);
	enum sn_skip skip;

	memcpy(exact, f->bytes, f->n);
	packet.data = exact;
	skip = sn_decode(link, SN_DECODE_TUNNELS_MAX, &packet, &decoded);
	free(exact);
	return skip;
}

static void expect_address(const uint64_t address[2], int family, const char *text)
{
	uint8_t wanted[16] = {0};

	inet_pton(family, text, wanted);
	assert_memory_equal(address, wanted, sizeof(wanted));
}

static void put_udp_packet(struct frame *f)
{
	put_ipv4(f, "192.0.2.1", "198.51.100.2", SN_PROTO_UDP, 7, 0);
	put_udp(f, 1000, 53, 30);
	frame_seal(f);
}

static void expect_udp_packet(void)
{
	expect_address(decoded.src, AF_INET, "192.0.2.1");
	expect_address(decoded.dst, AF_INET, "198.51.100.2");
	assert_int_equal(decoded.family, 4);
	assert_int_equal(decoded.protocol, SN_PROTO_UDP);
	assert_int_equal(decoded.src_port, 1000);
	assert_int_equal(decoded.dst_port, 53);
	assert_int_equal(decoded.ip_bytes, 58);
	assert_int_equal(decoded.payload_bytes, 30);
	assert_true(decoded.has_transport);
	assert_false(decoded.fragmented);
}

static void udp_in_ethernet_is_read(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x0800);
	put_udp_packet(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	expect_udp_packet();
}

static void ethernet_padding_is_not_payload(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x0800);
	put_udp_packet(&f);
	put_zeros(&f, 18);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	expect_udp_packet();
}

static void every_link_type_leads_to_ip(void **state SN_UNUSED)
{
	static const struct {
		int link;
		const char *header;
		size_t size;
	} links[] = {
		{DLT_LINUX_SLL, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\x00", 16},
		{DLT_LINUX_SLL2, "\x08\x00\0\0\0\0\0\1\0\1\0\6\2\0\0\0\0\1\0\0", 20},
		{DLT_RAW, "", 0},
		{DLT_IPV4, "", 0},
		{DLT_NULL, "\2\0\0\0", 4},
		{DLT_NULL, "\0\0\0\2", 4},
		{DLT_LOOP, "\0\0\0\2", 4},
		{DLT_PPP, "\xff\x03\x00\x21", 4},
		{DLT_PPP, "\x00\x21", 2},
		{DLT_PPP_ETHER, "\x11\0\0\1\0\x3c\x00\x21", 8},
	};

	for (size_t i = 0; i < SN_COUNT(links); i++) {
		struct frame f = {.n = 0};

		put(&f, links[i].header, links[i].size);
		put_udp_packet(&f);
		assert_true(sn_decode_supports(links[i].link));
		assert_int_equal(decode(links[i].link, &f), SN_SKIP_NONE);
		expect_udp_packet();
	}
	assert_false(sn_decode_supports(DLT_IEEE802_11));
}

static void tags_of_all_kinds_are_taken_off(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x88a8);
	put_vlan(&f, 100, 0x8100);
	put_vlan(&f, 200, 0x8847);
	put32(&f, 0x000120ff); /* label 18, not the bottom */
	put32(&f, 0x000101ff); /* label 16, bottom */
	put_udp_packet(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	expect_udp_packet();
}

static void pppoe_session_is_entered(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x8864);
	put(&f, "\x11\x00\x00\x01\x00\x3c\x00\x21", 8);
	put_udp_packet(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	expect_udp_packet();
}

static void snap_header_is_read(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 66);
	put(&f, "\xaa\xaa\x03\0\0\0\x08\0", 8);
	put_udp_packet(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	expect_udp_packet();
}

static enum sn_skip decode_with_tags(int count)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, count > 0 ? 0x8100 : 0x0800);
	for (int i = 1; i <= count; i++)
		put_vlan(&f, 1, i < count ? 0x8100 : 0x0800);
	put_udp_packet(&f);
	return decode(DLT_EN10MB, &f);
}

static void the_limit_of_tags_holds(void **state SN_UNUSED)
{
	assert_int_equal(decode_with_tags(SN_DECODE_TAGS_MAX), SN_SKIP_NONE);
	assert_int_equal(decode_with_tags(SN_DECODE_TAGS_MAX + 1), SN_SKIP_BAD_LINK);
}

static void arp_and_spanning_tree_are_not_ip(void **state SN_UNUSED)
{
	struct frame arp = {.n = 0}, stp = {.n = 0};

	put_ethernet(&arp, 0x0806);
	put_zeros(&arp, 28);
	assert_int_equal(decode(DLT_EN10MB, &arp), SN_SKIP_NOT_IP);
	put_ethernet(&stp, 38);
	put(&stp, "\x42\x42\x03", 3);
	put_zeros(&stp, 35);
	assert_int_equal(decode(DLT_EN10MB, &stp), SN_SKIP_NOT_IP);
}

static void ipv4_options_are_skipped(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x0800);
	put_ipv4(&f, "192.0.2.1", "198.51.100.2", SN_PROTO_UDP, 7, 0);
	f.bytes[f.ip] = 0x47;
	put_zeros(&f, 8);
	put_udp(&f, 1000, 53, 30);
	frame_seal(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 1000);
	assert_int_equal(decoded.ip_bytes, 66);
	assert_int_equal(decoded.payload_bytes, 30);
}

static void tcp_fields_and_options_are_read(void **state SN_UNUSED)
{
	struct frame f = tcp_frame("2001:db8::1", "2001:db8::2",
				   &(struct segment){.sport = 40000,
						     .dport = 443,
						     .seq = 0x01020304,
						     .ack = 0xfffefdfc,
						     .flags = SN_TCP_ACK | SN_TCP_PSH,
						     .payload = 100,
						     .timestamps = true});

	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	expect_address(decoded.src, AF_INET6, "2001:db8::1");
	assert_int_equal(decoded.family, 6);
	assert_int_equal(decoded.ip_bytes, 40 + 32 + 100);
	assert_int_equal(decoded.payload_bytes, 100);
	assert_int_equal(decoded.tcp_seq, 0x01020304);
	assert_int_equal(decoded.tcp_ack, 0xfffefdfc);
	assert_int_equal(decoded.tcp_flags, SN_TCP_ACK | SN_TCP_PSH);
	assert_int_equal(decoded.tcp_options.end - decoded.tcp_options.p, 12);
}

static void a_short_snap_length_changes_no_count(void **state SN_UNUSED)
{
	struct frame f = tcp_frame("192.0.2.1", "192.0.2.2",
				   &(struct segment){.sport = 1, .dport = 2, .payload = 1000});

	f.wire_extra = 1000;
	f.n -= 1000;
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	assert_int_equal(decoded.payload_bytes, 1000);
	assert_int_equal(decoded.ip_bytes, 1040);
}

static void cut_before_the_ports_is_truncated(void **state SN_UNUSED)
{
	struct frame whole = tcp_frame("192.0.2.1", "192.0.2.2",
				       &(struct segment){.sport = 1, .dport = 2, .payload = 10});

	for (size_t n = 0; n < 14 + 20 + 20; n++) {
		struct frame f = whole;

		f.wire_extra = (uint32_t)(f.n - n);
		f.n = n;
		assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_TRUNCATED);
	}
}

static void the_same_cut_on_the_wire_is_malformed(void **state SN_UNUSED)
{
	struct frame whole =
		tcp_frame("2001:db8::1", "2001:db8::2", &(struct segment){.sport = 1, .dport = 2});

	for (size_t n = 0; n < whole.n; n++) {
		struct frame f = whole;
		enum sn_skip skip;

		f.n = n;
		skip = decode(DLT_EN10MB, &f);
		assert_true(skip == SN_SKIP_BAD_LINK || skip == SN_SKIP_BAD_IP);
	}
}

static void nonsense_in_the_ip_header_is_refused(void **state SN_UNUSED)
{
	struct frame good = udp_frame("192.0.2.1", 1, "192.0.2.2", 2, 4), f;

	f = good;
	f.bytes[f.ip] = 0x55; /* version 5 */
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_BAD_IP);
	f = good;
	f.bytes[f.ip] = 0x44; /* header of 16 bytes */
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_BAD_IP);
	f = good;
	f.bytes[f.ip + 3] = 19; /* shorter than the header */
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_BAD_IP);
	f = good;
	f.bytes[f.ip + 3]++; /* longer than the frame */
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_BAD_IP);
}

static void nonsense_in_the_transport_header_is_refused(void **state SN_UNUSED)
{
	struct frame udp = udp_frame("192.0.2.1", 1, "192.0.2.2", 2, 4);
	struct frame tcp = tcp_frame("192.0.2.1", "192.0.2.2", &(struct segment){.payload = 4});

	udp.bytes[udp.ip + 25] = 7; /* shorter than its header */
	assert_int_equal(decode(DLT_EN10MB, &udp), SN_SKIP_BAD_TRANSPORT);
	udp.bytes[udp.ip + 25] = 13; /* longer than the packet */
	assert_int_equal(decode(DLT_EN10MB, &udp), SN_SKIP_BAD_TRANSPORT);
	udp.bytes[udp.ip + 25] = 12;
	assert_int_equal(decode(DLT_EN10MB, &udp), SN_SKIP_NONE);

	tcp.bytes[tcp.ip + 32] = 4 << 4; /* header of 16 bytes */
	assert_int_equal(decode(DLT_EN10MB, &tcp), SN_SKIP_BAD_TRANSPORT);
	tcp.bytes[tcp.ip + 32] = 7 << 4; /* header of 28 bytes in 24 */
	assert_int_equal(decode(DLT_EN10MB, &tcp), SN_SKIP_BAD_TRANSPORT);
	tcp.bytes[tcp.ip + 32] = 6 << 4;
	assert_int_equal(decode(DLT_EN10MB, &tcp), SN_SKIP_NONE);
}

static void other_protocols_have_their_own_reason(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ip(&f, "192.0.2.1", "192.0.2.2", 47);
	put_zeros(&f, 8);
	frame_seal(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_PROTOCOL);
}

static void length_zero_of_offloading_means_the_frame(void **state SN_UNUSED)
{
	struct frame f = tcp_frame("192.0.2.1", "192.0.2.2",
				   &(struct segment){.sport = 1, .dport = 2, .payload = 500});

	f.bytes[f.ip + 2] = f.bytes[f.ip + 3] = 0;
	f.wire_extra = 70000;
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	assert_int_equal(decoded.ip_bytes, 540 + 70000);
	assert_int_equal(decoded.payload_bytes, 500 + 70000);
}

static void ipv4_fragments_are_told_apart(void **state SN_UNUSED)
{
	struct frame first = {.n = 0}, later = {.n = 0};

	put_ethernet(&first, 0x0800);
	put_ipv4(&first, "192.0.2.1", "192.0.2.2", SN_PROTO_UDP, 0x1234, 0x2000);
	put_udp(&first, 5, 6, 1472);
	frame_seal(&first);
	first.bytes[first.ip + 24] = 0x10; /* UDP length 4104: the whole datagram */
	first.bytes[first.ip + 25] = 0x08;
	assert_int_equal(decode(DLT_EN10MB, &first), SN_SKIP_NONE);
	assert_true(decoded.fragmented && decoded.has_transport);
	assert_int_equal(decoded.fragment_id, 0x1234);
	assert_int_equal(decoded.src_port, 5);
	assert_int_equal(decoded.payload_bytes, 1472);

	put_ethernet(&later, 0x0800);
	put_ipv4(&later, "192.0.2.1", "192.0.2.2", SN_PROTO_UDP, 0x1234, 185);
	put_zeros(&later, 100);
	frame_seal(&later);
	assert_int_equal(decode(DLT_EN10MB, &later), SN_SKIP_NONE);
	assert_true(decoded.fragmented);
	assert_false(decoded.has_transport);
	assert_int_equal(decoded.fragment_offset, 1480);
	assert_int_equal(decoded.payload_bytes, 100);
	assert_int_equal(decoded.src_port, 0);
}

static void ipv6_fragments_are_told_apart(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, "2001:db8::1", "2001:db8::2", 44);
	put_ipv6_fragment(&f, SN_PROTO_UDP, 1480, 0xabcdef01);
	put_zeros(&f, 100);
	frame_seal(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	assert_true(decoded.fragmented);
	assert_false(decoded.has_transport);
	assert_int_equal(decoded.fragment_offset, 1480);
	assert_int_equal(decoded.fragment_id, 0xabcdef01);
	assert_int_equal(decoded.ip_bytes, 148);
	assert_int_equal(decoded.payload_bytes, 100);
}

static void an_atomic_fragment_is_whole(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, "2001:db8::1", "2001:db8::2", 44);
	put_ipv6_fragment(&f, SN_PROTO_UDP, 0, 1);
	put_udp(&f, 7, 8, 20);
	frame_seal(&f);
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	assert_false(decoded.fragmented);
	assert_int_equal(decoded.dst_port, 8);
	assert_int_equal(decoded.payload_bytes, 20);
}

static enum sn_skip decode_with_extensions(int count)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, "2001:db8::1", "2001:db8::2", count > 0 ? 60 : SN_PROTO_UDP);
	for (int i = 1; i <= count; i++) {
		put8(&f, i < count ? 60 : SN_PROTO_UDP);
		put8(&f, 1); /* 16 bytes */
		put_zeros(&f, 14);
	}
	put_udp(&f, 7, 8, 20);
	frame_seal(&f);
	return decode(DLT_EN10MB, &f);
}

static void ipv6_extensions_are_skipped_up_to_the_limit(void **state SN_UNUSED)
{
	assert_int_equal(decode_with_extensions(1), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 7);
	assert_int_equal(decoded.payload_bytes, 20);
	assert_int_equal(decode_with_extensions(SN_DECODE_EXTENSIONS_MAX), SN_SKIP_NONE);
	assert_int_equal(decoded.payload_bytes, 20);
	assert_int_equal(decode_with_extensions(SN_DECODE_EXTENSIONS_MAX + 1), SN_SKIP_EXTENSIONS);
}

static void an_extension_longer_than_the_packet_is_refused(void **state SN_UNUSED)
{
	struct frame f = {.n = 0};

	put_ethernet(&f, 0x86dd);
	put_ipv6(&f, "2001:db8::1", "2001:db8::2", 0);
	put8(&f, SN_PROTO_UDP);
	put8(&f, 2); /* says 24 bytes */
	put_zeros(&f, 6);
	put_udp(&f, 7, 8, 0);
	frame_seal(&f);
	put_zeros(&f, 100); /* padding that it would reach into */
	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_BAD_IP);
}

static void echo_and_its_reply_share_ports(void **state SN_UNUSED)
{
	struct frame request = icmp_frame("192.0.2.1", "192.0.2.2", 8, 0, 77, 56);
	struct frame reply = icmp_frame("192.0.2.2", "192.0.2.1", 0, 0, 77, 56);

	assert_int_equal(decode(DLT_EN10MB, &request), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 77);
	assert_int_equal(decoded.dst_port, 8 * 256);
	assert_false(decoded.reply);
	assert_int_equal(decoded.payload_bytes, 56);
	assert_int_equal(decode(DLT_EN10MB, &reply), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 77);
	assert_int_equal(decoded.dst_port, 8 * 256);
	assert_true(decoded.reply);
}

static void an_error_message_has_no_identifier(void **state SN_UNUSED)
{
	struct frame f = icmp_frame("2001:db8::2", "2001:db8::1", 1, 4, 0x5555, 48);

	assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
	assert_int_equal(decoded.src_port, 0);
	assert_int_equal(decoded.dst_port, 256 + 4);
	assert_false(sn_decode_icmp_has_id(SN_PROTO_ICMP6, 1));
	assert_true(sn_decode_icmp_has_id(SN_PROTO_ICMP6, 128));
	assert_false(sn_decode_icmp_has_id(SN_PROTO_ICMP, 128));
}

/* The short way of plain packets ---------------------------------------------- */

static void expect_both_ways_alike(const struct frame *f, unsigned tunnels_max)
{
	struct sn_packet packet = frame_packet(f);
	struct sn_decoded one, other;
	uint8_t *exact = malloc(f->n > 0 ? f->n : 1);

	memcpy(exact, f->bytes, f->n);
	packet.data = exact;
	/* What is left over from another packet must not show. */
	memset(&one, 0xa5, sizeof(one));
	memset(&other, 0x5a, sizeof(other));
	assert_int_equal(sn_decode(DLT_EN10MB, tunnels_max, &packet, &one),
			 sn_decode_any(DLT_EN10MB, tunnels_max, false, &packet, &other));
	assert_true(same_decoded(&one, &other));
	free(exact);
}

/* What is around the IP header of a plain packet. */
enum around {
	NOTHING,
	A_TAG,
	TWO_TAGS,
	IN_GRE,
	IN_IP,
	GRE_IN_GRE,
	GRE_IN_IPV6,
	AROUNDS,
};

static void put_tunnel(struct frame *f, bool v6, uint8_t protocol, size_t *at)
{
	put16(f, v6 ? 0x86dd : 0x0800);
	*at = f->n;
	if (v6)
		put_ipv6(f, "2001:db8::a", "2001:db8::b", protocol);
	else
		put_ipv4(f, "198.51.100.1", "198.51.100.2", protocol, 7, 0);
	if (protocol == 47)
		put16(f, 0); /* its type follows */
}

/* Up to the type of what is inside; where the headers of tunnels are, goes to `outer`. */
static void put_around(struct frame *f, enum around around, uint16_t type, size_t outer[2])
{
	static const uint8_t stations[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	bool in_ip = around == IN_IP;

	put(f, stations, sizeof(stations));
	for (unsigned tags = around; tags > 0 && around <= TWO_TAGS; tags--) {
		put16(f, 0x8100);
		put16(f, 7);
	}
	if (around >= IN_GRE)
		put_tunnel(f, around == GRE_IN_IPV6,
			   !in_ip           ? 47
			   : type == 0x86dd ? 41
					    : 4,
			   &outer[0]);
	if (around == GRE_IN_GRE)
		put_tunnel(f, false, 47, &outer[1]);
	if (!in_ip)
		put16(f, type);
}

static void put_plain_transport(struct frame *f, uint8_t protocol)
{
	static const struct segment segment = {.sport = 1000,
					       .dport = 80,
					       .seq = 0x01020304,
					       .ack = 0x05060708,
					       .flags = SN_TCP_ACK,
					       .payload = 9,
					       .timestamps = true};

	if (protocol == SN_PROTO_TCP)
		put_tcp(f, &segment);
	else if (protocol == SN_PROTO_UDP)
		put_udp(f, 1000, 4789, 9);
	else
		put_icmp(f, protocol == SN_PROTO_ICMP ? 0 : 128, 0, 77, 9);
}

/* TCP with options, UDP and ICMP, in both families, with everything around that is plain. */
static struct frame plain_frame(unsigned kind)
{
	static const uint8_t protocols[2][3] = {{SN_PROTO_TCP, SN_PROTO_UDP, SN_PROTO_ICMP},
						{SN_PROTO_TCP, SN_PROTO_UDP, SN_PROTO_ICMP6}};
	bool v6 = kind % 2 != 0;
	uint8_t protocol = protocols[v6][kind / 2 % 3];
	struct frame f = {.n = 0};
	size_t outer[2] = {0};

	put_around(&f, kind / 6, v6 ? 0x86dd : 0x0800, outer);
	if (v6)
		put_ipv6(&f, "2001:db8::1", "2001:db8::2", protocol);
	else
		put_ipv4(&f, "192.0.2.1", "192.0.2.2", protocol, 7, 0);
	put_plain_transport(&f, protocol);
	frame_seal(&f);
	for (size_t i = 0; i < SN_COUNT(outer); i++) {
		f.ip = outer[i] > 0 ? outer[i] : f.ip;
		frame_seal(&f);
	}
	return f;
}

#define PLAIN_KINDS (6 * AROUNDS)

static void plain_packets_are_read_as_all_others(void **state SN_UNUSED)
{
	for (unsigned kind = 0; kind < PLAIN_KINDS; kind++) {
		struct frame f = plain_frame(kind);

		assert_int_equal(decode(DLT_EN10MB, &f), SN_SKIP_NONE);
		assert_int_equal(decoded.payload_bytes, 9);
		assert_int_equal(decoded.tunnels, kind / 6 == GRE_IN_GRE ? 2 : kind / 6 >= IN_GRE);
		for (unsigned tunnels_max = 0; tunnels_max < 4; tunnels_max++)
			expect_both_ways_alike(&f, tunnels_max);
		put_zeros(&f, 5); /* padding of the frame */
		expect_both_ways_alike(&f, SN_DECODE_TUNNELS_MAX);
	}
}

static void plain_packets_with_any_other_byte_too(void **state SN_UNUSED)
{
	for (unsigned kind = 0; kind < PLAIN_KINDS; kind++) {
		struct frame f = plain_frame(kind);

		for (size_t at = 12; at < f.n; at++) {
			uint8_t before = f.bytes[at];

			for (unsigned value = 0; value < 256; value++) {
				f.bytes[at] = (uint8_t)value;
				expect_both_ways_alike(&f, SN_DECODE_TUNNELS_MAX);
			}
			f.bytes[at] = before;
		}
	}
}

static void plain_packets_cut_anywhere_too(void **state SN_UNUSED)
{
	for (unsigned kind = 0; kind < PLAIN_KINDS; kind++) {
		struct frame f = plain_frame(kind);

		for (size_t whole = f.n; f.n > 0; f.n--) {
			f.wire_extra = 0;
			expect_both_ways_alike(&f, SN_DECODE_TUNNELS_MAX);
			f.wire_extra = (uint32_t)(whole - f.n);
			expect_both_ways_alike(&f, SN_DECODE_TUNNELS_MAX);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_in_ethernet_is_read),
		cmocka_unit_test(ethernet_padding_is_not_payload),
		cmocka_unit_test(every_link_type_leads_to_ip),
		cmocka_unit_test(tags_of_all_kinds_are_taken_off),
		cmocka_unit_test(pppoe_session_is_entered),
		cmocka_unit_test(snap_header_is_read),
		cmocka_unit_test(the_limit_of_tags_holds),
		cmocka_unit_test(arp_and_spanning_tree_are_not_ip),
		cmocka_unit_test(ipv4_options_are_skipped),
		cmocka_unit_test(tcp_fields_and_options_are_read),
		cmocka_unit_test(a_short_snap_length_changes_no_count),
		cmocka_unit_test(cut_before_the_ports_is_truncated),
		cmocka_unit_test(the_same_cut_on_the_wire_is_malformed),
		cmocka_unit_test(nonsense_in_the_ip_header_is_refused),
		cmocka_unit_test(nonsense_in_the_transport_header_is_refused),
		cmocka_unit_test(other_protocols_have_their_own_reason),
		cmocka_unit_test(length_zero_of_offloading_means_the_frame),
		cmocka_unit_test(ipv4_fragments_are_told_apart),
		cmocka_unit_test(ipv6_fragments_are_told_apart),
		cmocka_unit_test(an_atomic_fragment_is_whole),
		cmocka_unit_test(ipv6_extensions_are_skipped_up_to_the_limit),
		cmocka_unit_test(an_extension_longer_than_the_packet_is_refused),
		cmocka_unit_test(echo_and_its_reply_share_ports),
		cmocka_unit_test(an_error_message_has_no_identifier),
		cmocka_unit_test(plain_packets_are_read_as_all_others),
		cmocka_unit_test(plain_packets_with_any_other_byte_too),
		cmocka_unit_test(plain_packets_cut_anywhere_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
