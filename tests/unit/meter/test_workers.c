/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "image.h"
#include "meter/capture/merge.h"
#include "meter/capture/window.h"
#include "meter/workers.h"
#include "netns.h"

#define WORKERS 3
#define HOSTS   100
#define LARGE   SN_CAPTURE_PACKET_MAX

/* What one of them saw; written on its thread only, read when it has finished. */
static struct seen {
	atomic_size_t packets;
	size_t bytes, calls;
	uint8_t hosts[HOSTS]; /* how many packets of each */
	int64_t last_ns, advanced_ns;
	unsigned out_of_order, finished;
	uint16_t source;
	int link;
} seen[WORKERS];

static const char *no_netns;
static struct sn_workers *workers;
static struct sn_err err;
static int result_of_packets; /* what the function answers from now on */
static atomic_bool hold;      /* they wait */

static int take_packets(void *ctx, int link, const struct sn_packet *packets, size_t count,
			uint16_t source)
{
	struct seen *mine = ctx;

	while (atomic_load(&hold))
		usleep(1000);
	mine->calls++;
	mine->link = link;
	mine->source = source;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = packets[i].data;

		mine->packets++;
		mine->bytes += packets[i].captured;
		mine->out_of_order += packets[i].time_ns < mine->last_ns;
		mine->last_ns = packets[i].time_ns;
		/* The host is in the last byte of one of the two addresses. */
		if (packets[i].captured >= 34)
			mine->hosts[(p[26] == 192 ? p[33] : p[29]) % HOSTS]++;
	}
	return result_of_packets;
}

static int take_advance(void *ctx, int64_t now_ns)
{
	((struct seen *)ctx)->advanced_ns = now_ns;
	return 0;
}

static int take_finish(void *ctx, struct sn_err *reason)
{
	((struct seen *)ctx)->finished++;
	return result_of_packets < 0 ? sn_err_set(reason, result_of_packets, "last words") : 0;
}

static const struct sn_workers_ops ops = {take_packets, take_advance, take_finish};

static int start(void **state SN_UNUSED)
{
	memset(seen, 0, sizeof(seen));
	result_of_packets = 0;
	hold = false;
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	atomic_store(&hold, false);
	sn_workers_destroy(workers);
	workers = NULL;
	return 0;
}

static void create(const struct sn_workers_options *options, struct sn_live *const *lives)
{
	void *ctxs[] = {&seen[0], &seen[1], &seen[2]};

	if (sn_workers_create(options, &ops, ctxs, lives, &workers, &err) != 0)
		fail_msg("%s", err.text);
}

static struct frame frame_of(unsigned host, bool back, int64_t time_ns)
{
	char address[32];
	struct frame f;

	snprintf(address, sizeof(address), "198.51.100.%u", host);
	f = back ? udp_frame("192.0.2.1", 53, address, 1000, 20)
		 : udp_frame(address, 1000, "192.0.2.1", 53, 20);
	f.time_ns = time_ns;
	return f;
}

static int give(const struct frame *f)
{
	struct sn_packet packet = frame_packet(f);

	packet.link = DLT_EN10MB;
	return sn_workers_give(workers, &packet, 1);
}

static void a_flow_has_one_worker_and_keeps_its_order(void **state SN_UNUSED)
{
	enum { ROUNDS = 100 };
	struct sn_workers_options options = {.count = WORKERS, .tunnels_max = 4};
	size_t total = 0;

	create(&options, NULL);
	for (int round = 0; round < ROUNDS; round++)
		for (unsigned host = 0; host < HOSTS; host++) {
			struct frame f = frame_of(host, round % 2 == 1, round * SN_NS_PER_MS);

			assert_int_equal(give(&f), 0);
		}
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	for (unsigned host = 0; host < HOSTS; host++) {
		unsigned owners = 0;

		for (int i = 0; i < WORKERS; i++) {
			owners += seen[i].hosts[host] == ROUNDS;
			assert_true(seen[i].hosts[host] == ROUNDS || seen[i].hosts[host] == 0);
		}
		assert_int_equal(owners, 1);
	}
	for (int i = 0; i < WORKERS; i++) {
		total += seen[i].packets;
		assert_int_equal(seen[i].out_of_order, 0);
		assert_int_equal(seen[i].finished, 1);
		assert_int_equal(seen[i].link, DLT_EN10MB);
		/* None has less than half of its share. */
		assert_true(seen[i].packets > ROUNDS * HOSTS / WORKERS / 2);
	}
	assert_int_equal(total, ROUNDS * HOSTS);
	assert_int_equal(sn_workers_dropped(workers), 0);
}

static void packets_of_other_links_and_sources_are_not_mixed(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = 1};
	struct frame f = frame_of(1, false, 1);
	struct sn_packet packet = frame_packet(&f);

	create(&options, NULL);
	for (uint16_t i = 0; i < 9; i++) {
		packet.link = DLT_EN10MB;
		packet.source = i / 3;
		assert_int_equal(sn_workers_give(workers, &packet, 1), 0);
	}
	packet.link = DLT_LINUX_SLL;
	assert_int_equal(sn_workers_give(workers, &packet, 1), 0);
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	assert_int_equal(seen[0].packets, 10);
	assert_int_equal(seen[0].calls, 4);
	assert_int_equal(seen[0].source, 2);
	assert_int_equal(seen[0].link, DLT_LINUX_SLL);
}

static void packets_of_every_size_are_copied(void **state SN_UNUSED)
{
	static uint8_t bytes[LARGE];
	struct sn_workers_options options = {.count = 2};
	size_t sum = 0;

	create(&options, NULL);
	for (uint32_t i = 0; i < 400; i++) {
		struct sn_packet packet = {.data = bytes,
					   .captured = i * 661 % (LARGE + 1),
					   .length = LARGE,
					   .link = DLT_RAW};

		packet.captured = i == 399 ? LARGE : packet.captured;
		sum += packet.captured;
		assert_int_equal(sn_workers_give(workers, &packet, 1), 0);
	}
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	assert_int_equal(seen[0].packets + seen[1].packets, 400);
	assert_int_equal(seen[0].bytes + seen[1].bytes, sum);
}

/* Nothing is ready when they start, so this fails if a queue does not hold up its writer. */
static void a_full_queue_holds_up_or_loses(void **state SN_UNUSED)
{
	enum { SENT = 20000 };
	struct frame f = frame_of(1, false, 1);

	for (int variant = 0; variant < 2; variant++) {
		struct sn_workers_options options = {
			.count = 2, .queue_packets = 4096, .drop = variant == 1};

		start(NULL);
		create(&options, NULL);
		atomic_store(&hold, options.drop);
		for (int i = 0; i < SENT; i++)
			assert_int_equal(give(&f), 0);
		atomic_store(&hold, false);
		assert_int_equal(sn_workers_finish(workers, &err), 0);
		assert_int_equal(seen[0].packets + seen[1].packets + sn_workers_dropped(workers),
				 SENT);
		if (options.drop)
			assert_int_equal(sn_workers_dropped(workers), SENT - 4096);
		else
			assert_int_equal(sn_workers_dropped(workers), 0);
		stop(NULL);
	}
}

static void wait_for(atomic_size_t *count, size_t wanted)
{
	test_until(atomic_load(count) >= wanted, usleep(2000));
	assert_int_equal(atomic_load(count), wanted);
}

static void time_brings_what_waits_to_the_workers(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = 1};
	struct frame f = frame_of(1, false, 1);

	create(&options, NULL);
	give(&f);
	usleep(20000);
	assert_int_equal(seen[0].packets, 0);
	assert_int_equal(sn_workers_advance(workers, 12345), 0);
	wait_for(&seen[0].packets, 1);
	f.time_ns = SN_WORKERS_DELAY_NS;
	give(&f);
	f.time_ns = 2 * SN_WORKERS_DELAY_NS + 1;
	give(&f); /* which shows that the one before has waited for long enough */
	wait_for(&seen[0].packets, 2);
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	assert_int_equal(seen[0].packets, 3);
	assert_int_equal(seen[0].advanced_ns, 12345);
}

static void the_first_error_is_told_and_nobody_hangs(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = WORKERS, .queue_packets = 500};
	struct frame f = frame_of(1, false, 1);
	int result = 0, i = 0;

	result_of_packets = -ENOSPC;
	create(&options, NULL);
	for (; i < 100000 && result == 0; i++)
		result = give(&f);
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(sn_workers_check(workers, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space left"));
	for (i = 0; i < 5000; i++) /* whoever goes on nevertheless */
		assert_int_equal(give(&f), -ENOSPC);
	assert_int_equal(sn_workers_finish(workers, &err), -ENOSPC);
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(seen[i].finished, 1);
}

static void an_error_at_the_end_is_told(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = 1};

	create(&options, NULL);
	result_of_packets = -EIO;
	assert_int_equal(sn_workers_finish(workers, &err), -EIO);
	assert_string_equal(err.text, "last words");
}

static atomic_int signals_of_worker;

static int look_at_signals(void *ctx, int link SN_UNUSED, const struct sn_packet *packets SN_UNUSED,
			   size_t count SN_UNUSED, uint16_t source SN_UNUSED)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	signals_of_worker = sigismember(&set, SIGTERM) && sigismember(&set, SIGINT);
	((struct seen *)ctx)->packets++;
	return 0;
}

static void signals_are_for_the_caller(void **state SN_UNUSED)
{
	static const struct sn_workers_ops looking = {look_at_signals, take_advance, take_finish};
	struct sn_workers_options options = {.count = 1, .pin = true};
	struct frame f = frame_of(1, false, 1);
	void *ctx = &seen[0];
	sigset_t set;

	assert_int_equal(sn_workers_create(&options, &looking, &ctx, NULL, &workers, &err), 0);
	give(&f);
	sn_workers_advance(workers, 1);
	wait_for(&seen[0].packets, 1);
	assert_int_equal(signals_of_worker, 1);
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	assert_false(sigismember(&set, SIGTERM));
}

/* Files ------------------------------------------------------------------- */

static atomic_uint wrong_bytes;

static int check_bytes(void *ctx, int link SN_UNUSED, const struct sn_packet *packets, size_t count,
		       uint16_t source SN_UNUSED)
{
	struct seen *mine = ctx;

	for (size_t i = 0; i < count; i++) {
		uint32_t first = packets[i].data[0];

		assert_true(packets[i].captured > 0);
		for (uint32_t k = 1; k < packets[i].captured; k++)
			if (packets[i].data[k] != (uint8_t)(first + k))
				atomic_fetch_add(&wrong_bytes, 1);
		mine->out_of_order += packets[i].time_ns < mine->last_ns;
		mine->last_ns = packets[i].time_ns;
	}
	mine->packets += count;
	return 0;
}

static const struct sn_workers_ops checking = {check_bytes, take_advance, take_finish};

/* The bytes of packet n begin with n. */
static struct sn_capture_file *numbered_file(uint32_t first, uint32_t step, uint32_t count)
{
	struct sn_capture_file *file = NULL;
	struct image image = {.big_endian = false};

	add_classic_header(&image, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < count; i++) {
		add32(&image, first + i * step);
		add32(&image, 0);
		add32(&image, 700);
		add32(&image, 700);
		for (uint32_t k = 0; k < 700; k++)
			sn_buf_addc(&image.bytes, (char)(i + k));
	}
	if (sn_capture_file_open_fd(bytes_to_file(image.bytes.p, image.bytes.n), "x", &file,
				    &err) != 0)
		fail_msg("%s", err.text);
	sn_buf_finish(&image.bytes);
	return file;
}

/* Far more than all windows together, so that they are used again and again. */
static void expect_whole_packets(struct sn_capture_file **files, size_t count, size_t packets,
				 const struct sn_workers_options *options)
{
	void *ctxs[] = {&seen[0], &seen[1], &seen[2]};
	struct sn_capture_merge *merge = NULL;
	struct sn_packet batch[100];
	size_t total = 0;
	int n;

	assert_int_equal(sn_capture_merge_create(files, count, 0, &merge, &err), 0);
	assert_int_equal(sn_workers_create(options, &checking, ctxs, NULL, &workers, &err), 0);
	sn_capture_merge_share(merge, sn_workers_windows(workers));
	while ((n = sn_capture_merge_read(merge, batch, 100, &err)) > 0) {
		for (int i = 0; i < n; i++)
			assert_int_not_equal(batch[i].window, 0);
		assert_int_equal(sn_workers_give(workers, batch, (size_t)n), 0);
	}
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	sn_capture_merge_destroy(merge);
	for (int i = 0; i < WORKERS; i++) {
		total += seen[i].packets;
		assert_int_equal(seen[i].out_of_order, 0);
	}
	assert_int_equal(total, packets);
	assert_int_equal(wrong_bytes, 0);
}

static void bytes_in_windows_stay_until_the_worker_is_done(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = WORKERS};
	struct sn_capture_file *files[] = {numbered_file(0, 0, 40000)};

	expect_whole_packets(files, 1, 40000, &options);
}

static void so_they_do_when_files_are_merged(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = WORKERS};
	struct sn_capture_file *files[12];

	for (uint32_t i = 0; i < 12; i++)
		files[i] = numbered_file(i, 12, 2500);
	expect_whole_packets(files, 12, 30000, &options);
}

/* Sources of their own ------------------------------------------------------ */

/* Workers that wait for the processor must not lose what the test counts. */
#define RING_BYTES (16 * 1024 * 1024)

static struct sn_live *lives[WORKERS];

static void open_lives(const char *interface)
{
	struct sn_live_options options = {.ring = {.interface = interface,
						   .fd = -1,
						   .snaplen = 262144,
						   .buffer_bytes = RING_BYTES}};
	struct sn_err reason;

	if (no_netns != NULL) {
		print_message("skipped: %s\n", no_netns);
		skip();
	}
	if (sn_live_open(&options, WORKERS, lives, &reason, &err) != WORKERS)
		fail_msg("%s", err.text);
}

static void close_lives(void)
{
	for (int i = 0; i < WORKERS; i++) {
		sn_live_close(lives[i]);
		lives[i] = NULL;
	}
}

static void each_worker_watches_its_ring(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = WORKERS};
	size_t total = 0;
	int sender;

	open_lives("va");
	sender = packet_socket("vb", 0);
	create(&options, lives);
	for (int round = 0; round < 4; round++)
		for (unsigned host = 0; host < HOSTS; host++) {
			struct frame f = frame_of(host, round % 2 == 1, 0);

			assert_true(send_frame(sender, &f));
		}
	close(sender);
	/* At once: what is in the rings is taken. */
	assert_int_equal(sn_workers_finish(workers, &err), 0);
	close_lives();
	for (int i = 0; i < WORKERS; i++) {
		total += seen[i].packets;
		assert_int_equal(seen[i].finished, 1);
		assert_true(seen[i].advanced_ns > 0);
	}
	assert_int_equal(total, 4 * HOSTS);
	for (unsigned host = 0; host < HOSTS; host++)
		assert_true(seen[0].hosts[host] == 4 || seen[1].hosts[host] == 4 ||
			    seen[2].hosts[host] == 4);
}

static void an_interface_that_goes_is_told(void **state SN_UNUSED)
{
	struct sn_workers_options options = {.count = WORKERS};
	int result = 0;

	if (no_netns == NULL)
		assert_true(run_ip("link add vc type veth peer name vd") &&
			    run_ip("link set vc up") && run_ip("link set vd up"));
	open_lives("vc");
	create(&options, lives);
	usleep(20000);
	assert_int_equal(sn_workers_check(workers, &err), 0);
	assert_true(run_ip("link set vc down") && run_ip("link set vc up"));
	usleep(20000);
	assert_int_equal(sn_workers_check(workers, &err), 0);
	assert_true(run_ip("link del vc"));
	test_until(result != 0, (usleep(10000), result = sn_workers_check(workers, &err)));
	assert_int_equal(result, -ENODEV);
	assert_non_null(strstr(err.text, "'vc' is gone"));
	assert_int_equal(sn_workers_finish(workers, &err), -ENODEV);
	close_lives();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_has_one_worker_and_keeps_its_order),
		TEST(packets_of_other_links_and_sources_are_not_mixed),
		TEST(packets_of_every_size_are_copied),
		TEST(a_full_queue_holds_up_or_loses),
		TEST(time_brings_what_waits_to_the_workers),
		TEST(the_first_error_is_told_and_nobody_hangs),
		TEST(an_error_at_the_end_is_told),
		TEST(signals_are_for_the_caller),
		TEST(bytes_in_windows_stay_until_the_worker_is_done),
		TEST(so_they_do_when_files_are_merged),
		TEST(each_worker_watches_its_ring),
		TEST(an_interface_that_goes_is_told),
	};

	no_netns = enter_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
