/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/privilege.h"
#include "meter/capture/ring.h"
#include "netns.h"

#define WAIT_TURNS (TEST_PATIENCE_MS / 10)

static const char *no_netns;
static int sender = -1;
static struct sn_ring *ring;
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
		seen[seen_count].captured = packets[i].captured;
		seen[seen_count].length = packets[i].length;
		seen[seen_count++].time_ns = packets[i].time_ns;
	}
}

static void drain_until(size_t count)
{
	for (int turn = 0; turn < WAIT_TURNS && seen_count < count; turn++) {
		usleep(10000);
		sn_ring_drain(ring, keep, NULL);
	}
}

static int start(void **state SN_UNUSED)
{
	seen_count = 0;
	if (no_netns == NULL && sender < 0)
		sender = packet_socket("vb", 0);
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	sn_ring_close(ring);
	ring = NULL;
	return 0;
}

static void need_netns(void)
{
	if (no_netns == NULL)
		return;
	print_message("skipped: %s\n", no_netns);
	skip();
}

static struct sn_ring_options options_of(const char *interface)
{
	return (struct sn_ring_options){
		.interface = interface, .fd = -1, .snaplen = 262144, .buffer_bytes = 1024 * 1024};
}

static void open_ring(const struct sn_ring_options *options)
{
	if (sn_ring_open(options, &ring, &err) != 0)
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
	struct sn_ring_stats stats;
	int64_t before_ns = sn_wall_ns();

	need_netns();
	open_ring(&options);
	assert_int_equal(sn_ring_link(ring), DLT_EN10MB);
	assert_string_equal(sn_ring_interface(ring), "va");
	for (uint16_t i = 0; i < 500; i++) {
		send_udp(53, (uint16_t)(i * 2));
		sn_ring_drain(ring, keep, NULL); /* blocks go with time, full or not */
	}
	drain_until(500);
	assert_int_equal(seen_count, 500);
	for (uint16_t i = 0; i < 500; i++) {
		assert_int_equal(seen[i].captured, 14 + 28 + 2 * i);
		assert_int_equal(seen[i].length, 14 + 28 + 2 * i);
		assert_true(seen[i].time_ns >= before_ns - SN_NS_PER_S);
		assert_true(seen[i].time_ns <= sn_wall_ns());
	}
	assert_int_equal(sn_ring_read_stats(ring, &stats), 0);
	assert_int_equal(stats.seen, 500);
	assert_int_equal(stats.dropped, 0);
}

static void the_filter_works_in_the_kernel(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");
	struct sn_ring_stats stats;

	need_netns();
	options.filter = "udp port 53";
	open_ring(&options);
	for (int i = 0; i < 10; i++) {
		send_udp(53, 10);
		send_udp(54, 10);
	}
	drain_until(10);
	usleep(100000);
	sn_ring_drain(ring, keep, NULL);
	sn_ring_read_stats(ring, &stats);
	assert_int_equal(seen_count, 10);
	assert_int_equal(stats.seen, 10);
}

static void the_filter_can_be_changed(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");

	need_netns();
	options.filter = "udp port 53";
	open_ring(&options);
	send_udp(54, 10);
	assert_int_equal(sn_ring_set_filter(ring, "udp port 54", &err), 0);
	send_udp(53, 10);
	send_udp(54, 20);
	assert_int_equal(sn_ring_set_filter(ring, "udp prot 54", &err), -EINVAL);
	send_udp(54, 30);
	assert_int_equal(sn_ring_set_filter(ring, "", &err), 0);
	send_udp(55, 40);
	drain_until(3);
	assert_int_equal(seen_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(seen[i].length, 42 + 10 * (i + 2));
}

static void a_wrong_filter_is_refused_with_its_reason(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");

	need_netns();
	options.filter = "udp prot 53";
	assert_int_equal(sn_ring_open(&options, &ring, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'udp prot 53'"));
}

static void the_snap_length_cuts_bytes_and_not_lengths(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");

	need_netns();
	options.snaplen = 64;
	open_ring(&options);
	send_udp(53, 1000);
	drain_until(1);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].captured, 64);
	assert_int_equal(seen[0].length, 1042);
}

static void a_socket_handed_over_is_used(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of(NULL);

	need_netns();
	options.fd = packet_socket("va", ETH_P_ALL);
	send_udp(1, 1); /* what came before the ring is gone */
	open_ring(&options);
	assert_string_equal(sn_ring_interface(ring), "va");
	send_udp(53, 100);
	drain_until(1);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].length, 142);
}

static void a_wrong_descriptor_is_refused(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("vb");

	need_netns();
	options.fd = packet_socket("va", ETH_P_ALL);
	assert_int_equal(sn_ring_open(&options, &ring, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is bound to 'va'"));

	options.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_int_equal(sn_ring_open(&options, &ring, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not bound to an interface"));

	options.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sn_ring_open(&options, &ring, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not a raw packet socket"));

	options.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(sn_ring_open(&options, &ring, &err), -ENOTSOCK);
}

static void packets_on_loopback_are_seen_once(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("lo");
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(9),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sn_ring_stats stats;

	need_netns();
	options.filter = "udp";
	open_ring(&options);
	for (int i = 0; i < 20; i++)
		sendto(fd, "12345", 5, 0, (struct sockaddr *)&address, sizeof(address));
	drain_until(20);
	usleep(100000);
	sn_ring_drain(ring, keep, NULL);
	assert_int_equal(seen_count, 20);
	assert_int_equal(seen[0].length, 14 + 28 + 5);
	assert_int_equal(sn_ring_read_stats(ring, &stats), 0);
	assert_int_equal(stats.seen, 20);
	close(fd);
}

/* Without a link layer: the packet begins with IP. */
static void a_tunnel_device_delivers_raw_ip(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("tn0");
	struct ifreq request = {.ifr_name = "tn0", .ifr_flags = IFF_TUN | IFF_NO_PI};
	struct frame f = udp_frame("192.0.2.1", 1, "192.0.2.2", 2, 50);
	int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	need_netns();
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request) != 0) {
		print_message("skipped: no tunnel device can be made here\n");
		skip();
	}
	assert_true(run_ip("link set tn0 up"));
	open_ring(&options);
	assert_int_equal(sn_ring_link(ring), DLT_RAW);
	assert_int_equal(write(tun, f.bytes + f.ip, f.n - f.ip), f.n - f.ip);
	drain_until(1);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0].length, 78);
	close(tun);
}

static void what_the_kernel_drops_is_counted(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("va");
	struct sn_ring_stats stats;
	size_t before;

	need_netns();
	options.buffer_bytes = SN_RING_BUFFER_MIN;
	open_ring(&options);
	for (int i = 0; i < 2000; i++)
		send_udp(53, 1400);
	do {
		before = seen_count;
		usleep(100000);
		sn_ring_drain(ring, keep, NULL);
	} while (seen_count > before);
	assert_int_equal(sn_ring_read_stats(ring, &stats), 0);
	assert_int_equal(stats.seen, 2000);
	assert_true(stats.dropped > 1000);
	assert_int_equal(seen_count + stats.dropped, 2000);
	/* The sums stay though the kernel starts again from 0. */
	assert_int_equal(sn_ring_read_stats(ring, &stats), 0);
	assert_int_equal(stats.seen, 2000);
}

static void a_missing_interface_is_named(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("nosuch0");

	need_netns();
	assert_int_equal(sn_ring_open(&options, &ring, &err), -ENODEV);
	assert_non_null(strstr(err.text, "'nosuch0': no such interface"));
	options.interface = "a-name-that-is-too-long-for-linux";
	assert_int_equal(sn_ring_open(&options, &ring, &err), -ENODEV);
}

/* In a child, because what is dropped does not come back. */
static int in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int capture_after_drop(void)
{
	struct sn_ring_options options = options_of("lo");

	if (sn_privilege_drop("sonde-meter", &err) != 0)
		return 10;
	if (sn_ring_open(&options, &ring, &err) != -EPERM)
		return 11;
	return strstr(err.text, "CAP_NET_RAW") != NULL ? 0 : 12;
}

static void without_privilege_the_capability_is_named(void **state SN_UNUSED)
{
	assert_int_equal(in_child(capture_after_drop), 0);
}

static void an_interface_that_is_down_is_alive_one_that_is_gone_is_not(void **state SN_UNUSED)
{
	struct sn_ring_options options = options_of("vc");

	need_netns();
	assert_true(run_ip("link add vc type veth peer name vd"));
	assert_true(run_ip("link set vc up"));
	open_ring(&options);
	assert_true(sn_ring_alive(ring));
	assert_true(run_ip("link set vc down"));
	assert_true(sn_ring_alive(ring));
	assert_true(run_ip("link del vc"));
	assert_false(sn_ring_alive(ring));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_arrive_whole_and_with_their_time),
		TEST(the_filter_works_in_the_kernel),
		TEST(the_filter_can_be_changed),
		TEST(a_wrong_filter_is_refused_with_its_reason),
		TEST(the_snap_length_cuts_bytes_and_not_lengths),
		TEST(a_socket_handed_over_is_used),
		TEST(a_wrong_descriptor_is_refused),
		TEST(packets_on_loopback_are_seen_once),
		TEST(a_tunnel_device_delivers_raw_ip),
		TEST(what_the_kernel_drops_is_counted),
		TEST(a_missing_interface_is_named),
		TEST(without_privilege_the_capability_is_named),
		TEST(an_interface_that_is_down_is_alive_one_that_is_gone_is_not),
	};

	no_netns = enter_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
