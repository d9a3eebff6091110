/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "meter/capture/ring.h"
#include "netns.h"

#define RINGS      3
#define HOSTS      60
#define WAIT_TURNS (TEST_PATIENCE_MS / 10)

static const char *no_netns;
static int sender = -1;
static struct sn_ring *rings[RINGS];
static struct sn_err err;

/* The number in the last two bytes of a frame tells who saw it, and how often. */
static uint8_t seen_by[4096], seen_times[4096];
static size_t seen_count, seen_per_ring[RINGS];

static void keep(const struct sn_packet *packets, size_t count, void *ctx)
{
	unsigned ring = *(unsigned *)ctx;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *end = packets[i].data + packets[i].captured;
		unsigned number = end[-2] << 8U | end[-1];

		assert_true(number < SN_COUNT(seen_by));
		assert_int_equal(packets[i].link, DLT_EN10MB);
		seen_by[number] = (uint8_t)ring;
		seen_times[number]++;
		seen_count++;
		seen_per_ring[ring]++;
	}
}

static void drain(void)
{
	for (unsigned i = 0; i < RINGS; i++)
		if (rings[i] != NULL)
			sn_ring_drain(rings[i], keep, &i);
}

static void drain_until(size_t count)
{
	for (int turn = 0; turn < WAIT_TURNS && seen_count < count; turn++) {
		usleep(10000);
		drain();
	}
	usleep(100000); /* more than there should be would come now */
	drain();
}

static int start(void **state SN_UNUSED)
{
	memset(seen_times, 0, sizeof(seen_times));
	memset(seen_per_ring, 0, sizeof(seen_per_ring));
	seen_count = 0;
	if (no_netns == NULL && sender < 0)
		sender = packet_socket("vb", 0);
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	for (unsigned i = 0; i < RINGS; i++)
		sn_ring_close(rings[i]);
	memset(rings, 0, sizeof(rings));
	return 0;
}

static void open_group(bool by_ports, const char *filter)
{
	struct sn_ring_options options = {.interface = "va",
					  .fd = -1,
					  .filter = filter,
					  .snaplen = 262144,
					  .buffer_bytes = SN_RING_BUFFER_MIN,
					  .by_ports = by_ports};

	if (no_netns != NULL) {
		print_message("skipped: %s\n", no_netns);
		skip();
	}
	if (sn_ring_open_group(&options, RINGS, rings, &err) != 0)
		fail_msg("%s", err.text);
}

static void send_unwatched(struct frame *f, unsigned number)
{
	f->bytes[f->n - 2] = (uint8_t)(number >> 8);
	f->bytes[f->n - 1] = (uint8_t)number;
	assert_true(send_frame(sender, f));
}

/* The kernel fills a block for some milliseconds only: few frames fill a ring that nobody reads. */
static void send_numbered(struct frame *f, unsigned number)
{
	drain();
	send_unwatched(f, number);
}

static void send_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport,
		     unsigned number)
{
	struct frame f = udp_frame(src, sport, dst, dport, 100);

	send_numbered(&f, number);
}

static void send_both_ways(bool v6, unsigned host, unsigned number)
{
	char address[64];

	const char *server = v6 ? "2001:db8::1" : "192.0.2.1";

	if (v6)
		snprintf(address, sizeof(address), "2001:db8:1::%x", host);
	else
		snprintf(address, sizeof(address), "198.51.100.%u", host);
	send_udp(address, (uint16_t)(1000 + host), server, 53, number);
	send_udp(server, 53, address, (uint16_t)(1000 + host), number + 1);
}

static void expect_each_once(size_t count)
{
	assert_int_equal(seen_count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(seen_times[i], 1);
}

static void expect_pairs(size_t count)
{
	expect_each_once(count);
	for (size_t i = 0; i < count; i += 2)
		assert_int_equal(seen_by[i], seen_by[i + 1]);
	/* Far from even would be a hash that does not mix. */
	for (unsigned i = 0; i < RINGS; i++)
		assert_true(seen_per_ring[i] > count / RINGS / 3);
}

static void both_directions_of_a_flow_come_to_one_ring(void **state SN_UNUSED)
{
	open_group(false, NULL);
	for (unsigned i = 0; i < HOSTS; i++) {
		send_both_ways(false, i, 4 * i);
		send_both_ways(true, i, 4 * i + 2);
	}
	drain_until((size_t)4 * HOSTS);
	expect_pairs((size_t)4 * HOSTS);
}

static void the_hash_of_the_kernel_keeps_them_together_too(void **state SN_UNUSED)
{
	open_group(true, NULL);
	for (unsigned i = 0; i < HOSTS; i++)
		send_both_ways(false, i, 2 * i);
	drain_until((size_t)2 * HOSTS);
	expect_pairs((size_t)2 * HOSTS);
}

static void send_tagged(unsigned host, bool back, unsigned tags, unsigned number)
{
	char address[32];
	struct frame f = {.n = 0};

	snprintf(address, sizeof(address), "198.51.100.%u", host);
	put_ethernet(&f, tags > 0 ? 0x88a8 : 0x0800);
	for (unsigned i = 1; i <= tags; i++)
		put_vlan(&f, (uint16_t)i, i < tags ? 0x8100 : 0x0800);
	put_ipv4(&f, back ? "192.0.2.1" : address, back ? address : "192.0.2.1", SN_PROTO_UDP, 0,
		 0);
	put_udp(&f, 1, 2, 60);
	frame_seal(&f);
	send_numbered(&f, number);
}

static void tags_are_looked_behind(void **state SN_UNUSED)
{
	for (unsigned tags = 1; tags <= 3; tags++) {
		start(NULL);
		open_group(false, NULL);
		for (unsigned i = 0; i < HOSTS; i++) {
			send_tagged(i, false, tags, 2 * i);
			send_tagged(i, true, tags, 2 * i + 1);
		}
		drain_until((size_t)2 * HOSTS);
		expect_pairs((size_t)2 * HOSTS);
		stop(NULL);
	}
}

static void fragments_come_to_the_ring_of_their_flow(void **state SN_UNUSED)
{
	open_group(false, NULL);
	for (unsigned i = 0; i < HOSTS; i++) {
		struct frame later = {.n = 0};
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u", i);
		send_udp(address, 7, "192.0.2.1", 9, 2 * i);
		put_ethernet(&later, 0x0800);
		put_ipv4(&later, address, "192.0.2.1", SN_PROTO_UDP, 1, 185);
		put_zeros(&later, 60);
		frame_seal(&later);
		send_numbered(&later, 2 * i + 1);
	}
	drain_until((size_t)2 * HOSTS);
	expect_pairs((size_t)2 * HOSTS);
}

static void the_filter_holds_for_all_rings(void **state SN_UNUSED)
{
	open_group(false, "udp port 53");
	for (unsigned i = 0; i < HOSTS; i++) {
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u", i);
		send_udp(address, 7, "192.0.2.1", 53, i);
		send_udp(address, 7, "192.0.2.1", 54, 4000);
	}
	drain_until(HOSTS);
	expect_each_once(HOSTS);
	assert_int_equal(seen_times[4000], 0);
}

static void what_is_no_ip_comes_to_one_ring(void **state SN_UNUSED)
{
	open_group(false, NULL);
	for (unsigned i = 0; i < 20; i++) {
		struct frame f = {.n = 0};

		put_ethernet(&f, 0x0806);
		put_zeros(&f, i);
		put16(&f, 0);
		send_numbered(&f, i);
	}
	drain_until(20);
	expect_each_once(20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(seen_by[i], 0);
}

static void drops_are_counted_exactly_over_all_rings(void **state SN_UNUSED)
{
	enum { SENT = 4000 };
	struct sn_capture_losses losses;
	uint64_t packets = 0, drops = 0;
	size_t before;

	open_group(false, NULL);
	for (unsigned i = 0; i < SENT; i++) {
		struct frame f;
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u", i % 250);
		f = udp_frame(address, 1, "192.0.2.1", 2, 1400);
		send_unwatched(&f, i);
	}
	do {
		before = seen_count;
		usleep(100000);
		drain();
	} while (seen_count > before);
	for (unsigned i = 0; i < RINGS; i++) {
		assert_int_equal(sn_ring_read_losses(rings[i], &losses), 0);
		assert_string_equal(losses.interface, "va");
		assert_int_equal(losses.packets, seen_per_ring[i]);
		packets += losses.packets;
		drops += losses.kernel_drops;
	}
	assert_int_equal(packets, seen_count);
	assert_int_equal(packets + drops, SENT);
	assert_true(drops > 1000);
}

static void count(const struct sn_packet *packets SN_UNUSED, size_t count, void *ctx)
{
	*(size_t *)ctx += count;
}

static void drain_others(struct sn_ring *others[RINGS], size_t *saw)
{
	for (unsigned i = 0; i < RINGS; i++)
		sn_ring_drain(others[i], count, saw);
}

static void groups_of_two_programs_do_not_meet(void **state SN_UNUSED)
{
	struct sn_ring_options options = {
		.interface = "va", .fd = -1, .snaplen = 262144, .buffer_bytes = SN_RING_BUFFER_MIN};
	struct sn_ring *others[RINGS];
	size_t others_saw = 0;

	open_group(false, NULL);
	assert_int_equal(sn_ring_open_group(&options, RINGS, others, &err), 0);
	for (unsigned i = 0; i < HOSTS; i++) {
		send_both_ways(false, i, 2 * i);
		drain_others(others, &others_saw);
	}
	drain_until((size_t)2 * HOSTS);
	expect_pairs((size_t)2 * HOSTS);
	drain_others(others, &others_saw);
	assert_int_equal(others_saw, 2 * HOSTS);
	for (unsigned i = 0; i < RINGS; i++)
		sn_ring_close(others[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_directions_of_a_flow_come_to_one_ring),
		TEST(the_hash_of_the_kernel_keeps_them_together_too),
		TEST(tags_are_looked_behind),
		TEST(fragments_come_to_the_ring_of_their_flow),
		TEST(the_filter_holds_for_all_rings),
		TEST(what_is_no_ip_comes_to_one_ring),
		TEST(drops_are_counted_exactly_over_all_rings),
		TEST(groups_of_two_programs_do_not_meet),
	};

	no_netns = enter_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
