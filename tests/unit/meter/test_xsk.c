/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include "base/clock.h"
#include "meter/capture/live.h"
#include "meter/capture/xsk.h"
#include "netns.h"

#define WAIT_TURNS (TEST_PATIENCE_MS / 10)

static const char *no_xdp;
static int sender = -1;
static struct sn_xsk *xsk;
static struct sn_err err;

static struct {
	uint32_t captured, length;
	int64_t time_ns;
} seen[8192];
static size_t seen_count;

static void keep(const struct sn_packet *packets, size_t count, void *ctx SN_UNUSED)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(seen_count < SN_COUNT(seen));
		assert_int_equal(packets[i].link, DLT_EN10MB);
		seen[seen_count].captured = packets[i].captured;
		seen[seen_count].length = packets[i].length;
		seen[seen_count++].time_ns = packets[i].time_ns;
	}
}

static void drain_until(size_t count)
{
	for (int turn = 0; turn < WAIT_TURNS && seen_count < count; turn++) {
		usleep(10000);
		sn_xsk_drain(xsk, keep, NULL);
	}
}

static struct sn_ring_options options_of(const char *interface)
{
	return (struct sn_ring_options){.interface = interface,
					.fd = -1,
					.snaplen = 262144,
					.buffer_bytes = 16 * 1024 * 1024};
}

static int start(void **state SN_UNUSED)
{
	seen_count = 0;
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	sn_xsk_close(xsk);
	xsk = NULL;
	return 0;
}

static void need_xdp(void)
{
	if (no_xdp == NULL)
		return;
	print_message("skipped: %s\n", no_xdp);
	skip();
}

static void open_xsk(const struct sn_ring_options *options)
{
	if (sn_xsk_open(options, &xsk, &err) != 0)
		fail_msg("%s", err.text);
}

static void send_udp(uint16_t dport, uint16_t payload)
{
	struct frame f = udp_frame("192.0.2.1", 1000, "192.0.2.2", dport, payload);

	assert_true(send_frame(sender, &f));
}

static void frames_arrive_whole_and_with_their_time(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");
	struct sn_capture_losses losses;
	int64_t before_ns, after_ns;

	need_xdp();
	open_xsk(&options);
	assert_int_equal(sn_xsk_link(xsk), DLT_EN10MB);
	assert_string_equal(sn_xsk_interface(xsk), "va");
	before_ns = sn_wall_ns();
	for (uint16_t i = 0; i < 500; i++)
		send_udp(53, (uint16_t)(i * 2));
	after_ns = sn_wall_ns();
	usleep(200000); /* the stamps are not those of the drain */
	drain_until(500);
	assert_int_equal(seen_count, 500);
	for (uint16_t i = 0; i < 500; i++) {
		assert_int_equal(seen[i].captured, 14 + 28 + 2 * i);
		assert_int_equal(seen[i].length, 14 + 28 + 2 * i);
		assert_true(seen[i].time_ns >= before_ns - SN_NS_PER_MS);
		assert_true(seen[i].time_ns <= after_ns + 100 * SN_NS_PER_MS);
		assert_true(i == 0 || seen[i].time_ns >= seen[i - 1].time_ns);
	}
	assert_int_equal(sn_xsk_read_losses(xsk, &losses), 0);
	assert_string_equal(losses.interface, "va");
	assert_int_equal(losses.packets, 500);
	assert_int_equal(losses.kernel_drops, 0);
}

/* Each frame of memory is used many times. */
static void the_ring_goes_round_and_round(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");

	need_xdp();
	options.buffer_bytes = SN_RING_BUFFER_MIN;
	open_xsk(&options);
	for (size_t turn = 1; turn <= 40; turn++) {
		for (int i = 0; i < 200; i++)
			send_udp(53, 100);
		drain_until(turn * 200);
		assert_int_equal(seen_count, turn * 200);
	}
}

static void the_filter_and_the_snap_length_are_ours(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");

	need_xdp();
	options.filter = "udp port 53";
	options.snaplen = 64;
	open_xsk(&options);
	for (int i = 0; i < 10; i++) {
		send_udp(53, 1000);
		send_udp(54, 10);
	}
	drain_until(10);
	usleep(100000);
	sn_xsk_drain(xsk, keep, NULL);
	assert_int_equal(seen_count, 10);
	assert_int_equal(seen[0].captured, 64);
	assert_int_equal(seen[0].length, 1042);
	assert_int_equal(sn_xsk_set_filter(xsk, "udp port 54", &err), 0);
	send_udp(53, 1000);
	send_udp(54, 20);
	drain_until(11);
	assert_int_equal(seen_count, 11);
	assert_int_equal(seen[10].length, 62);
	stop(NULL);
	options.filter = "udp prot 53";
	assert_int_equal(sn_xsk_open(&options, &xsk, &err), -EINVAL);
}

static void what_is_dropped_is_counted_exactly(void **state SN_UNUSED)
{
	enum { SENT = 3000 };
	struct sn_ring_options options = options_of("va");
	struct sn_capture_losses losses;
	size_t before;

	need_xdp();
	options.buffer_bytes = SN_RING_BUFFER_MIN;
	open_xsk(&options);
	for (int i = 0; i < SENT; i++)
		send_udp(53, 500);
	do {
		before = seen_count;
		usleep(100000);
		sn_xsk_drain(xsk, keep, NULL);
	} while (seen_count > before);
	assert_int_equal(sn_xsk_read_losses(xsk, &losses), 0);
	assert_int_equal(losses.packets, seen_count);
	assert_true(losses.kernel_drops > 1000);
	assert_int_equal(losses.packets + losses.kernel_drops, SENT);
}

static void after_it_is_closed_the_system_gets_packets_again(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");
	struct sn_ring *ring = NULL;

	need_xdp();
	open_xsk(&options);
	assert_int_equal(sn_ring_open(&options, &ring, &err), 0);
	for (int i = 0; i < 10; i++)
		send_udp(53, 10);
	drain_until(10);
	usleep(100000);
	assert_int_equal(seen_count, 10);
	assert_int_equal(sn_ring_drain(ring, keep, NULL), 0); /* taken away */
	stop(NULL);
	usleep(100000);
	for (int i = 0; i < 10; i++)
		send_udp(53, 10);
	for (int turn = 0; turn < WAIT_TURNS && seen_count < 20; turn++) {
		usleep(10000);
		sn_ring_drain(ring, keep, NULL);
	}
	sn_ring_close(ring);
	assert_int_equal(seen_count, 20);
}

static void all_queues_are_taken_together(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("qa");

	need_xdp();
	if (!run_ip("link add qa numrxqueues 4 numtxqueues 4 type veth peer name qb numrxqueues 4 "
		    "numtxqueues 4") ||
	    !run_ip("link set qa up") || !run_ip("link set qb up")) {
		print_message("skipped: an interface with several queues cannot be made here\n");
		skip();
	}

	int other = packet_socket("qb", 0);

	open_xsk(&options);
	for (uint16_t i = 0; i < 200; i++) {
		struct frame f = udp_frame("192.0.2.1", i, "192.0.2.2", 53, 60);

		assert_true(send_frame(other, &f));
	}
	drain_until(200);
	assert_int_equal(seen_count, 200);
	close(other);
	assert_true(sn_xsk_alive(xsk));
	assert_true(run_ip("link del qa"));
	assert_false(sn_xsk_alive(xsk));
}

static void what_cannot_be_is_refused_with_its_reason(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("nosuch0");

	need_xdp();
	assert_int_equal(sn_xsk_open(&options, &xsk, &err), -ENODEV);
	assert_non_null(strstr(err.text, "'nosuch0': no such interface"));
	options.interface = "lo";
	assert_int_equal(sn_xsk_open(&options, &xsk, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "no Ethernet"));
	options.interface = "va";
	open_xsk(&options);

	struct sn_xsk *second = NULL;

	assert_int_equal(sn_xsk_open(&options, &second, &err), -EBUSY);
}

static void a_ring_takes_its_place_where_it_cannot_be(void **state SN_UNUSED)
{
	struct sn_live_options options = {.ring = options_of("lo"), .xdp = true};
	struct sn_live *lives[2];
	struct sn_err reason;

	need_xdp();
	assert_int_equal(sn_live_open(&options, 2, lives, &reason, &err), 2);
	assert_int_equal(reason.code, -ENOTSUP);
	assert_non_null(strstr(reason.text, "AF_XDP"));
	for (int i = 0; i < 2; i++) {
		assert_false(sn_live_is_xdp(lives[i]));
		assert_string_equal(sn_live_interface(lives[i]), "lo");
		assert_true(sn_live_alive(lives[i]));
		sn_live_close(lives[i]);
	}
	options.ring.interface = "va";
	assert_int_equal(sn_live_open(&options, 2, lives, &reason, &err), 1);
	assert_int_equal(reason.code, 0);
	assert_true(sn_live_is_xdp(lives[0]));
	assert_null(lives[1]);
	for (int i = 0; i < 10; i++)
		send_udp(53, 10);
	for (int turn = 0; turn < WAIT_TURNS && seen_count < 10; turn++) {
		usleep(10000);
		sn_live_drain(lives[0], keep, NULL);
	}
	assert_int_equal(seen_count, 10);
	assert_int_equal(sn_live_link(lives[0]), DLT_EN10MB);
	sn_live_close(lives[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

/* Root of a user namespace has no right to AF_XDP. */
static const char *find_xdp(void)
{
	static char reason[SN_ERR_TEXT_MAX];
	struct sn_ring_options options = options_of("va");
	const char *no_netns = enter_netns();

	if (no_netns != NULL)
		return no_netns;
	sender = packet_socket("vb", 0);
	if (sn_xsk_open(&options, &xsk, &err) == 0)
		return NULL;
	snprintf(reason, sizeof(reason), "%s", err.text);
	return err.code == -EPERM || err.code == -ENOTSUP ? reason : NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_arrive_whole_and_with_their_time),
		TEST(the_ring_goes_round_and_round),
		TEST(the_filter_and_the_snap_length_are_ours),
		TEST(what_is_dropped_is_counted_exactly),
		TEST(after_it_is_closed_the_system_gets_packets_again),
		TEST(all_queues_are_taken_together),
		TEST(what_cannot_be_is_refused_with_its_reason),
		TEST(a_ring_takes_its_place_where_it_cannot_be),
	};

	no_xdp = find_xdp();
	stop(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
