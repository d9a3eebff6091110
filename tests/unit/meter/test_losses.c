/* SPDX-License-Identifier: Apache-2.0 */
/* A live run that is stopped while a flood goes on: each packet was metered or is counted lost. */
#include "lib/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "meter/session.h"
#include "netns.h"

#define WORKERS      2
#define HOSTS        40
#define NAMES_BYTES  65536
#define DURATION_NS  (300 * SN_NS_PER_MS)
#define FLOOD_MAX_NS (20 * (uint64_t)SN_NS_PER_S)

static const char *no_netns;
static struct sn_err err;

/* A flood -------------------------------------------------------------------- */

static pthread_t flooder;
static atomic_bool enough;
static atomic_size_t flooded;

static void *flood(void *arg SN_UNUSED)
{
	uint64_t end_ns = sn_mono_ns() + FLOOD_MAX_NS;
	struct frame frames[HOSTS];
	int sender = packet_socket("vb", 0);

	for (unsigned host = 0; host < HOSTS; host++) {
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u", host);
		frames[host] = udp_frame(address, 1000, "192.0.2.1", 5353, 64);
	}
	for (size_t i = 0; !atomic_load(&enough) && sn_mono_ns() < end_ns; i++)
		flooded += send_frame(sender, &frames[i % HOSTS]);
	close(sender);
	return NULL;
}

static int start(void **state SN_UNUSED)
{
	enough = false;
	flooded = 0;
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	if (flooder != 0) {
		enough = true;
		pthread_join(flooder, NULL);
		flooder = 0;
	}
	return 0;
}

/* Runs ------------------------------------------------------------------------- */

static void watch(bool xdp, unsigned workers, struct sn_session_stats *stats)
{
	struct sn_live_options live = {
		.ring = {.interface = "va",
			 .fd = -1,
			 .snaplen = 128,
			 .buffer_bytes = xdp ? SN_RING_BUFFER_DEFAULT : SN_RING_BUFFER_MIN},
		.xdp = xdp,
	};
	struct sn_orders_values values = {0};
	struct sn_name_pool *names = sn_name_pool_create(NAMES_BYTES);
	struct sn_orders orders;
	struct sn_session_options options = {
		.workers = workers,
		.worker = {.names = names, .orders = &orders},
		.duration_ns = DURATION_NS,
	};
	struct sn_live *lives[WORKERS] = {NULL};
	struct sn_session *session;
	struct sn_err reason;
	int count;

	sn_orders_init(&orders, &values);
	sn_meter_options_default(&options.worker.meter);
	options.worker.meter.dns_cache = sn_dns_cache_create(names, HOSTS);
	count = sn_live_open(&live, workers, lives, &reason, &err);
	assert_true(count > 0);
	assert_int_equal(sn_session_create(&options, &session, &err), 0);
	assert_int_equal(pthread_create(&flooder, NULL, flood, NULL), 0);
	assert_int_equal(sn_session_watch(session, lives, (size_t)count, &err), 0);
	assert_int_equal(sn_session_finish(session, &err), 0);
	sn_session_read_stats(session, stats);
	sn_session_destroy(session);
	for (int i = 0; i < count; i++)
		sn_live_close(lives[i]);
	sn_dns_cache_destroy(options.worker.meter.dns_cache);
	sn_orders_finish(&orders);
	sn_name_pool_destroy(names);
	if (reason.code != 0) {
		print_message("skipped: %s\n", reason.text);
		skip();
	}
}

static void expect_exact(bool xdp, unsigned workers)
{
	struct sn_session_stats stats;

	if (no_netns != NULL) {
		print_message("skipped: %s\n", no_netns);
		skip();
	}
	watch(xdp, workers, &stats);
	assert_int_equal(stats.losses_count, 1);
	assert_true(stats.losses[0].packets > 0);
	assert_int_equal(stats.worker.meter.all.packets + stats.losses[0].own_drops,
			 stats.losses[0].packets);
	/* One may be sent and not yet counted. */
	assert_true(stats.losses[0].packets + stats.losses[0].kernel_drops <= flooded + 1);
	/* The flood went on after the end. */
	assert_false(atomic_load(&enough));
}

static void a_ring_that_is_stopped_loses_nothing_uncounted(void **state SN_UNUSED)
{
	expect_exact(false, 1);
}

static void rings_of_workers_that_are_stopped_lose_nothing_uncounted(void **state SN_UNUSED)
{
	expect_exact(false, WORKERS);
}

static void af_xdp_that_is_stopped_loses_nothing_uncounted(void **state SN_UNUSED)
{
	expect_exact(true, 1);
}

static void af_xdp_shared_out_that_is_stopped_loses_nothing_uncounted(void **state SN_UNUSED)
{
	expect_exact(true, WORKERS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_ring_that_is_stopped_loses_nothing_uncounted),
		TEST(rings_of_workers_that_are_stopped_lose_nothing_uncounted),
		TEST(af_xdp_that_is_stopped_loses_nothing_uncounted),
		TEST(af_xdp_shared_out_that_is_stopped_loses_nothing_uncounted),
	};

	no_netns = enter_netns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
