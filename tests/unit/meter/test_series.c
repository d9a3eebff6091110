/* SPDX-License-Identifier: Apache-2.0 */
/* Steps and workers, driven by hand-made packets. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/util.h"
#include "data/codec.h"
#include "meter/series/classes.h"
#include "meter/series/rows.h"
#include "meter/series/series.h"

#define S          SN_NS_PER_S
#define T0         (1700000100 * S) /* a whole step of 300 s */
#define VALUES_MAX 4096

/* What the board told ------------------------------------------------------ */

static struct told {
	struct sn_traffic_value value;
} told[VALUES_MAX];
static size_t told_count;

static void tell(const struct sn_traffic_value *value, void *ctx SN_UNUSED)
{
	assert_true(told_count < VALUES_MAX);
	told[told_count++].value = *value;
}

/* The value of the step of `seconds` that begins at `begin_ns`; NULL if it was not told. */
static const struct sn_traffic_value *find(unsigned seconds, int64_t begin_ns, const char *metric,
					   const char *stat)
{
	for (size_t i = 0; i < told_count; i++) {
		const struct sn_traffic_value *value = &told[i].value;

		if (value->step_seconds == seconds && value->begin_ns == begin_ns &&
		    strcmp(value->metric, metric) == 0 && strcmp(value->stat, stat) == 0)
			return value;
	}
	return NULL;
}

static void assert_told(unsigned seconds, int64_t begin_ns, const char *metric, const char *stat,
			double expected)
{
	const struct sn_traffic_value *value = find(seconds, begin_ns, metric, stat);

	if (value == NULL)
		fail_msg("%s.%s of the step at +%g s is not told", metric, stat,
			 (double)(begin_ns - T0) / S);
	if (value->value != expected && !(isnan(value->value) && isnan(expected)))
		fail_msg("%s.%s of the step at +%g s is %g, not %g", metric, stat,
			 (double)(begin_ns - T0) / S, value->value, expected);
}

/* Board and workers -------------------------------------------------------- */

static struct sn_traffic_board *board;
static struct sn_traffic *workers[4];
static struct sn_err err;

static void open_board(const char *conf, unsigned steps)
{
	struct sn_traffic_options options = {
		.interface = "eth0", .rrd_conf = conf, .steps = steps, .value = tell};

	told_count = 0;
	if (sn_traffic_board_create(&options, &board, &err) != 0)
		fail_msg("%s", err.text);
	workers[0] = sn_traffic_create(board);
}

static void close_board(void)
{
	for (size_t i = 0; i < SN_COUNT(workers); i++) {
		sn_traffic_destroy(workers[i]);
		workers[i] = NULL;
	}
	sn_traffic_board_destroy(board);
	board = NULL;
}

static int teardown(void **state SN_UNUSED)
{
	close_board();
	return 0;
}

static void flush(struct sn_traffic *worker)
{
	struct sn_sink sink = sn_traffic_sink(worker);

	assert_int_equal(sink.ops->flush(sink.sink, &err), 0);
}

static void finish(void)
{
	for (size_t i = 0; i < SN_COUNT(workers) && workers[i] != NULL; i++)
		flush(workers[i]);
	assert_int_equal(sn_traffic_board_finish(board, &err), 0);
}

static void advance(struct sn_traffic *worker, int64_t now_ns)
{
	struct sn_sink sink = sn_traffic_sink(worker);

	assert_int_equal(sink.ops->advance(sink.sink, now_ns), 0);
}

/* Packets ------------------------------------------------------------------ */

static struct sn_tcp_flow tcp_flow;
static struct sn_udp_flow udp_flow;

static void begin_flows(bool client_internal, bool server_internal)
{
	memset(&tcp_flow, 0, sizeof(tcp_flow));
	memset(&udp_flow, 0, sizeof(udp_flow));
	tcp_flow.flow.key = (struct sn_flow_key){.family = 4, .protocol = SN_PROTO_TCP};
	udp_flow.flow.key = (struct sn_flow_key){.family = 4, .protocol = SN_PROTO_UDP};
	tcp_flow.flow.client_internal = udp_flow.flow.client_internal = client_internal;
	tcp_flow.flow.server_internal = udp_flow.flow.server_internal = server_internal;
}

static void send_udp(struct sn_traffic *worker, unsigned side, uint32_t bytes, int64_t time_ns)
{
	struct sn_decoded packet = {.family = 4,
				    .protocol = SN_PROTO_UDP,
				    .has_transport = true,
				    .src_port = 5353,
				    .dst_port = 53,
				    .ttl = 64,
				    .ip_bytes = bytes,
				    .payload_bytes = bytes - 28};

	udp_flow.flow.side[side].packets++;
	sn_traffic_packet(worker, &packet, &udp_flow.flow, side, NULL, time_ns);
}

static void send_tcp(struct sn_traffic *worker, unsigned side, uint8_t flags, uint32_t bytes,
		     int64_t time_ns)
{
	struct sn_decoded packet = {.family = 4,
				    .protocol = SN_PROTO_TCP,
				    .has_transport = true,
				    .src_port = 40000,
				    .dst_port = 443,
				    .tcp_flags = flags,
				    .ttl = 64,
				    .ip_bytes = bytes,
				    .payload_bytes = bytes - 40};
	struct sn_tcp_verdict verdict = {.anomaly = SN_TCP_ANOMALIES};

	tcp_flow.flow.side[side].packets++;
	sn_traffic_packet(worker, &packet, &tcp_flow.flow, side, &verdict, time_ns);
}

static void end_flow(struct sn_traffic *worker, const struct sn_flow *flow, enum sn_flow_end end)
{
	struct sn_view_flow view = {.flow = flow, .end = end};
	struct sn_sink sink = sn_traffic_sink(worker);

	assert_int_equal(sink.ops->flow(sink.sink, &view), 0);
}

static const char rates[] = "ip_bitrate_in idx:1,3\nip_bitrate_out idx:1,3\nip_bitrate_loc idx:3\n";

/* Steps -------------------------------------------------------------------- */

static void each_direction_has_its_rate(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	send_udp(workers[0], SN_SERVER, 250, T0 + S / 2);
	send_udp(workers[0], SN_CLIENT, 500, T0 + S);
	begin_flows(true, true);
	send_udp(workers[0], SN_SERVER, 125, T0 + S);
	begin_flows(false, false);
	send_udp(workers[0], SN_SERVER, 9999, T0 + S);
	advance(workers[0], T0 + 2 * S);
	assert_told(1, T0, "ip_bitrate_out", "idx1", 8000);
	assert_told(1, T0, "ip_bitrate_in", "idx3", 2000);
	assert_told(1, T0, "ip_bitrate_loc", "idx3", 0);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 4000);
	assert_told(1, T0 + S, "ip_bitrate_in", "idx3", 0);
	assert_told(1, T0 + S, "ip_bitrate_loc", "idx3", 1000);
}

static void longer_steps_add_shorter_ones_up(void **state SN_UNUSED)
{
	open_board(rates, 7);
	begin_flows(true, false);
	for (int i = 0; i <= 300; i++)
		send_udp(workers[0], SN_CLIENT, 750, T0 + i * S);
	assert_told(1, T0 + 299 * S, "ip_bitrate_out", "idx3", 6000);
	assert_told(60, T0 + 240 * S, "ip_bitrate_out", "idx3", 6000);
	assert_told(300, T0, "ip_bitrate_out", "idx3", 6000);
	assert_int_equal(told_count, 5 * (300 + 5 + 1));
}

static void a_step_is_told_with_its_bounds(void **state SN_UNUSED)
{
	const struct sn_traffic_value *value;

	open_board("steps 60\nudp_bitrate_out idx:36", 7);
	begin_flows(true, false);
	udp_flow.type[SN_CLIENT] = SN_UDP_DNS;
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 7 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 67 * S);
	value = find(60, T0, "udp_bitrate_out", "idx36");
	assert_non_null(value);
	assert_int_equal(told_count, 1);
	assert_true(value->time_ns == T0 + 60 * S);
	assert_string_equal(value->interface, "eth0");
	assert_string_equal(value->label, "dns");
	assert_false(value->empty);
}

static void the_first_and_the_last_step_have_their_true_length(void **state SN_UNUSED)
{
	open_board(rates, 2);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 50 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 60 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 64 * S);
	finish();
	assert_told(60, T0, "ip_bitrate_out", "idx3", 800);
	assert_told(60, T0 + 60 * S, "ip_bitrate_out", "idx3", 4000);
}

static void rates_over_no_time_cannot_be_told(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	finish();
	assert_told(1, T0, "ip_bitrate_out", "idx3", NAN);
}

static void steps_without_packets_are_not_told(void **state SN_UNUSED)
{
	struct timespec begin, end;
	int64_t years = 10LL * 365 * 86400 * S;

	open_board(rates, 7);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + years);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	assert_int_equal(told_count, 3 * 5);
	assert_true((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 <
		    100);
	advance(workers[0], T0 + 2 * years);
	assert_told(1, T0 + years, "ip_bitrate_out", "idx3", 8000);
	assert_int_equal(told_count, 6 * 5);
}

static void packets_that_are_a_little_late_stay_in_the_present_step(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + S);
	send_udp(workers[0], SN_CLIENT, 500, T0 + S / 2);
	advance(workers[0], T0 + 2 * S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 8000);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 12000);
}

static void a_clock_that_goes_back_begins_anew(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 9000 * S);
	send_udp(workers[0], SN_CLIENT, 2000, T0);
	send_udp(workers[0], SN_CLIENT, 3000, T0 + 1 * S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 2 * S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 16000);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 24000);
	assert_told(1, T0 + 9000 * S, "ip_bitrate_out", "idx3", NAN);
}

static void times_before_1970_have_steps_too(void **state SN_UNUSED)
{
	open_board(rates, 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, -2 * S);
	send_udp(workers[0], SN_CLIENT, 1000, -S / 2);
	advance(workers[0], 0);
	assert_told(1, -2 * S, "ip_bitrate_out", "idx3", 8000);
	assert_told(1, -S, "ip_bitrate_out", "idx3", 8000);
}

/* Workers ------------------------------------------------------------------ */

static void workers_add_up(void **state SN_UNUSED)
{
	open_board(rates, 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	send_udp(workers[1], SN_CLIENT, 2000, T0 + S / 4);
	send_udp(workers[0], SN_CLIENT, 1, T0 + S);
	assert_int_equal(told_count, 0); /* the other may have more */
	send_udp(workers[1], SN_CLIENT, 4000, T0 + S / 2);
	advance(workers[1], T0 + S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 56000);
}

static void the_slowest_is_not_waited_for_without_end(void **state SN_UNUSED)
{
	const int64_t open = SN_TRAFFIC_OPEN_MAX;
	struct sn_traffic_stats stats;

	open_board(rates, 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[1], SN_CLIENT, 500, T0);
	for (int i = 0; i <= open; i++)
		send_udp(workers[0], SN_CLIENT, 1000, T0 + i * S);
	assert_int_equal(told_count, 0);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + (open + 1) * S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 8000);
	/* What it tells now is in the oldest step that is open. */
	advance(workers[1], T0 + (open + 1) * S);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 12000);
	sn_traffic_board_stats(board, &stats);
	assert_int_equal(stats.late, 1);
	assert_int_equal(stats.steps[0], open + 1);
}

static void workers_may_be_years_apart(void **state SN_UNUSED)
{
	const int64_t years = 10LL * 365 * 86400 * S;

	open_board(rates, 7);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	for (int i = 0; i < 3; i++)
		send_udp(workers[0], SN_CLIENT, 1000, T0 + i * years);
	for (int i = 0; i < 3; i++)
		send_udp(workers[1], SN_CLIENT, 500, T0 + i * years);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 12000);
	assert_told(300, T0 + years, "ip_bitrate_out", "idx3", 40);
}

static void a_worker_that_is_idle_holds_nobody_up(void **state SN_UNUSED)
{
	open_board(rates, 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 1000, T0);
	advance(workers[1], T0 + S);
	send_udp(workers[0], SN_CLIENT, 1000, T0 + S);
	assert_told(1, T0, "ip_bitrate_out", "idx3", 8000);
	sn_traffic_destroy(workers[1]);
	workers[1] = NULL;
	send_udp(workers[0], SN_CLIENT, 1000, T0 + 2 * S);
	assert_told(1, T0 + S, "ip_bitrate_out", "idx3", 8000);
}

static void a_clock_that_goes_back_in_one_worker_after_the_other_loses_nothing(
	void **state SN_UNUSED)
{
	double hits = 0;

	open_board("ip_ttl_out hit", 1);
	workers[1] = sn_traffic_create(board);
	begin_flows(true, false);
	for (int i = 0; i < 4; i++)
		send_udp(workers[i % 2], SN_CLIENT, 100, T0 + 5000 * S);
	send_udp(workers[0], SN_CLIENT, 100, T0);
	for (int i = 0; i < 40; i++)
		send_udp(workers[1], SN_CLIENT, 100, T0 + (5000 + i) * S);
	send_udp(workers[1], SN_CLIENT, 100, T0 + 1 * S);
	send_udp(workers[0], SN_CLIENT, 100, T0 + 2 * S);
	finish();
	for (size_t i = 0; i < told_count; i++)
		hits += told[i].value.value;
	assert_true(hits == 4 + 1 + 40 + 2);
}

struct run {
	pthread_t thread;
	struct sn_traffic *traffic;
	unsigned seed;
};

static void *count_in_thread(void *ctx)
{
	struct run *run = ctx;
	struct sn_udp_flow flow = {
		.flow = {.key = {.family = 4, .protocol = SN_PROTO_UDP}, .client_internal = true}};
	struct sn_decoded packet = {
		.family = 4, .protocol = SN_PROTO_UDP, .ip_bytes = 100, .ttl = 64};
	int64_t now_ns = T0;

	for (int i = 0; i < 20000; i++) {
		now_ns += rand_r(&run->seed) % 3000000;
		flow.flow.side[0].packets++;
		sn_traffic_packet(run->traffic, &packet, &flow.flow, SN_CLIENT, NULL, now_ns);
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state SN_UNUSED)
{
	struct run runs[SN_COUNT(workers)];
	double hits = 0;

	open_board("ip_ttl_out hit", 1);
	for (unsigned i = 0; i < SN_COUNT(workers); i++) {
		if (i > 0)
			workers[i] = sn_traffic_create(board);
		runs[i] = (struct run){.traffic = workers[i], .seed = i};
		assert_int_equal(pthread_create(&runs[i].thread, NULL, count_in_thread, &runs[i]),
				 0);
	}
	for (unsigned i = 0; i < SN_COUNT(workers); i++)
		pthread_join(runs[i].thread, NULL);
	finish();
	for (size_t i = 0; i < told_count; i++)
		hits += told[i].value.value;
	assert_true(hits == 20000 * SN_COUNT(workers));
}

/* What is counted ---------------------------------------------------------- */

static void segments_without_a_beginning_are_trash(void **state SN_UNUSED)
{
	open_board("profile_trash idx:0\nL4_flow_number idx:0\ntcp_bitrate_out idx:49", 1);
	begin_flows(true, false);
	tcp_flow.flow.mid_stream = true;
	send_tcp(workers[0], SN_CLIENT, SN_TCP_ACK, 1000, T0);
	begin_flows(true, false);
	send_tcp(workers[0], SN_CLIENT, SN_TCP_SYN, 40, T0 + 1);
	tcp_flow.flow.closed = true;
	send_tcp(workers[0], SN_CLIENT, SN_TCP_ACK, 1000, T0 + 2);
	advance(workers[0], T0 + S);
	assert_told(1, T0, "profile_trash", "idx0", 2);
	assert_told(1, T0, "L4_flow_number", "idx0", 1);
	assert_told(1, T0, "tcp_bitrate_out", "idx49", 320);
}

static void packets_of_no_flow_are_counted_by_their_header(void **state SN_UNUSED)
{
	struct sn_decoded gre = {.family = 4, .protocol = 47, .ip_bytes = 100, .ttl = 1};

	open_board("ip_protocol_loc idx:47,other\nip_bitrate_loc idx:0,3", 1);
	sn_traffic_packet(workers[0], &gre, NULL, 0, NULL, T0);
	advance(workers[0], T0 + S);
	assert_told(1, T0, "ip_protocol_loc", "idx47", 1);
	assert_told(1, T0, "ip_protocol_loc", "idxoth", 0);
	assert_told(1, T0, "ip_bitrate_loc", "idx3", 800);
}

static void lengths_beyond_the_range_keep_the_average_exact(void **state SN_UNUSED)
{
	open_board("ip_len_out avg min max idx:1504", 1);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 100, T0);
	send_udp(workers[0], SN_CLIENT, 9000, T0);
	send_udp(workers[0], SN_CLIENT, 1504, T0);
	advance(workers[0], T0 + S);
	assert_told(1, T0, "ip_len_out", "avg", 10604.0 / 3);
	assert_told(1, T0, "ip_len_out", "min", 100);
	assert_told(1, T0, "ip_len_out", "max", 9000);
	assert_told(1, T0, "ip_len_out", "idx1504", 2);
}

static void the_cloud_is_told_apart(void **state SN_UNUSED)
{
	struct sn_networks *cloud = sn_networks_parse(SN_STR("192.0.2.0/24\n"), "cloud", &err);
	struct sn_inside inside = {.cloud = cloud};
	struct sn_traffic_options options = {.rrd_conf = "udp_bitrate_c_out idx:49\n"
							 "udp_bitrate_nc_out idx:49",
					     .steps = 1,
					     .value = tell,
					     .inside = &inside};
	struct sn_decoded packet = {
		.family = 4, .protocol = SN_PROTO_UDP, .has_transport = true, .ip_bytes = 100};

	assert_non_null(cloud);
	told_count = 0;
	assert_int_equal(sn_traffic_board_create(&options, &board, &err), 0);
	workers[0] = sn_traffic_create(board);
	begin_flows(true, false);
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", packet.dst), 1);
	for (int i = 0; i < 3; i++) {
		udp_flow.flow.side[SN_CLIENT].packets++;
		sn_traffic_packet(workers[0], &packet, &udp_flow.flow, SN_CLIENT, NULL, T0);
	}
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 200, T0);
	advance(workers[0], T0 + S);
	assert_told(1, T0, "udp_bitrate_c_out", "idx49", 2400);
	assert_told(1, T0, "udp_bitrate_nc_out", "idx49", 1600);
	close_board();
	sn_networks_destroy(cloud);
}

static void only_the_end_of_a_flow_makes_samples(void **state SN_UNUSED)
{
	open_board("udp_cl_p_out hit avg\nudp_cl_b_s_in avg\ntcp_interrupted hit\ntcp_cl_p_c2s hit",
		   4);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 100, T0);
	send_tcp(workers[0], SN_CLIENT, SN_TCP_SYN, 40, T0);
	udp_flow.side[SN_SERVER].bytes = 77;
	end_flow(workers[0], &udp_flow.flow, SN_END_ACTIVE);
	end_flow(workers[0], &udp_flow.flow, SN_END_IDLE);
	tcp_flow.tcp.side[0].has_syn = tcp_flow.tcp.side[1].has_syn = true;
	end_flow(workers[0], &tcp_flow.flow, SN_END_CLOSED);
	end_flow(workers[0], &tcp_flow.flow, SN_END_END); /* not complete */
	tcp_flow.flow.mid_stream = true;
	end_flow(workers[0], &tcp_flow.flow, SN_END_IDLE);
	begin_flows(false, false);
	end_flow(workers[0], &udp_flow.flow, SN_END_IDLE);
	finish();
	assert_told(300, T0, "udp_cl_p_out", "hit", 1);
	assert_told(300, T0, "udp_cl_p_out", "avg", 1);
	assert_told(300, T0, "udp_cl_b_s_in", "avg", 77);
	assert_told(300, T0, "tcp_interrupted", "hit", 2);
	assert_told(300, T0, "tcp_cl_p_c2s", "hit", 1);
}

static void end_impatiently(int64_t after_ms, bool fin)
{
	struct sn_tcp_side *client = &tcp_flow.tcp.side[0], *server = &tcp_flow.tcp.side[1];

	begin_flows(true, false);
	client->n.rst = 1;
	client->rtt = (struct sn_tcp_rtt){.sum_us = 50000, .sum2_us = 2.5e9, .count = 1};
	server->n.data = 5;
	server->n.fin = fin;
	server->last_data_ns = T0;
	tcp_flow.flow.last_ns = T0 + after_ms * SN_NS_PER_MS;
	end_flow(workers[0], &tcp_flow.flow, SN_END_CLOSED);
}

static void a_client_that_gives_up_is_noticed(void **state SN_UNUSED)
{
	open_board("tcp_interrupted idx:0,1", 4);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 100, T0);
	end_impatiently(40, false);
	end_impatiently(60, false);
	end_impatiently(40, true);
	finish();
	assert_told(300, T0, "tcp_interrupted", "idx1", 1);
	assert_told(300, T0, "tcp_interrupted", "idx0", 2);
}

static void offer_mptcp(const char *options, size_t size)
{
	struct sn_decoded syn = {.family = 4,
				 .protocol = SN_PROTO_TCP,
				 .has_transport = true,
				 .tcp_flags = SN_TCP_SYN,
				 .ip_bytes = 60};
	struct sn_tcp_verdict verdict = {.anomaly = SN_TCP_ANOMALIES};

	begin_flows(true, false);
	sn_rd_init(&syn.tcp_options, options, size);
	tcp_flow.flow.side[0].packets = 1;
	tcp_flow.tcp.side[0].has_syn = tcp_flow.tcp.side[1].has_syn = true;
	sn_traffic_packet(workers[0], &syn, &tcp_flow.flow, SN_CLIENT, &verdict, T0);
	end_flow(workers[0], &tcp_flow.flow, SN_END_CLOSED);
}

static void offers_of_mptcp_are_read_from_the_options(void **state SN_UNUSED)
{
	open_board("tcp_opts_MPTCP idx:2,4", 4);
	offer_mptcp("\x02\x04\x05\xb4\x01\x1e\x04\x01\x00", 9);
	offer_mptcp("\x01\x1e\x04\x11\x00", 5); /* MP_JOIN */
	offer_mptcp("\x1e", 1);
	offer_mptcp("\x1e\x02", 2);
	offer_mptcp("\x05\x00\x1e\x04\x01\x00", 6);
	offer_mptcp("\x05\xff\x1e\x04\x01\x00", 6);
	offer_mptcp("\x00\x1e\x04\x01\x00", 5);
	finish();
	assert_told(300, T0, "tcp_opts_MPTCP", "idx2", 1);
	assert_told(300, T0, "tcp_opts_MPTCP", "idx4", 6);
}

static void classes_follow_what_is_known_of_the_application(void **state SN_UNUSED)
{
	struct sn_app_tcp app = {0};
	struct sn_class_bins bins;

	assert_int_equal(sn_class_tcp(NULL), SN_L7_UNKNOWN);
	assert_int_equal(sn_class_tcp(&app), SN_L7_UNKNOWN);
	app.con_type = SN_CON_SSH;
	assert_int_equal(sn_class_tcp(&app), 37);
	app = (struct sn_app_tcp){.con_type = SN_CON_P2P, .p2p_type = 9};
	assert_int_equal(sn_class_tcp(&app), 15);
	app = (struct sn_app_tcp){.con_type = SN_CON_HTTP, .http_type = 1 + 14, .video_found = 2};
	bins = sn_class_bins(sn_class_tcp(&app));
	assert_int_equal(bins.l7, SN_L7_HTTP);
	assert_int_equal(bins.http, 14);
	assert_int_equal(bins.web, 2);
	assert_int_equal(bins.video, 2);
	app.video_found = 0;
	assert_int_equal(sn_class_bins(sn_class_tcp(&app)).video, 11);
	app = (struct sn_app_tcp){.con_type = SN_CON_TLS};
	bins = sn_class_bins(sn_class_tcp(&app));
	assert_int_equal(bins.l7, SN_L7_TLS);
	assert_int_equal(bins.tls, 0);
	assert_int_equal(bins.http, SN_CLASS_NONE);
	for (unsigned class_ = 0; class_ < SN_CLASSES; class_++)
		assert_in_range(sn_class_bins(class_).l7, 0, SN_L7_COUNT - 1);
	assert_int_equal(sn_class_udp(SN_UDP_DNS), 36);
	assert_int_equal(sn_class_udp(SN_UDP_FIRST_RTP), SN_L7_UNKNOWN);
	assert_int_equal(sn_class_udp(200), SN_L7_UNKNOWN);
}

static void services_are_known_by_their_domain(void **state SN_UNUSED)
{
	assert_int_equal(sn_class_tls_service(SN_STR("www.google.com")), 1);
	assert_int_equal(sn_class_tls_service(SN_STR("GOOGLE.com")), 1);
	assert_int_equal(sn_class_tls_service(SN_STR("*.youtube.com")), 2);
	assert_int_equal(sn_class_tls_service(SN_STR("telegraph-ash.instagram.com")), 8);
	assert_int_equal(sn_class_tls_service(SN_STR("notgoogle.com")), 0);
	assert_int_equal(sn_class_tls_service(SN_STR("google.com.example")), 0);
	assert_int_equal(sn_class_tls_service(SN_STR("com")), 0);
	assert_int_equal(sn_class_tls_service((struct sn_str){0}), 0);
}

/* Files -------------------------------------------------------------------- */

static char directory[64];

static int open_files(void)
{
	snprintf(directory, sizeof(directory), "/tmp/sonde-series-XXXXXX");
	assert_non_null(mkdtemp(directory));
	return open(directory, O_RDONLY | O_DIRECTORY);
}

static void assert_file(const char *name, const char *expected)
{
	char *path = sn_fs_join(directory, name);
	struct sn_buf text = {0};

	if (sn_fs_read(path, 65536, &text, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(sn_buf_cstr(&text), expected);
	sn_buf_finish(&text);
	free(path);
}

static bool exists(const char *name)
{
	char *path = sn_fs_join(directory, name);
	bool there = sn_fs_exists(path);

	free(path);
	return there;
}

static void closed_steps_write_histogram_files(void **state SN_UNUSED)
{
	struct sn_traffic_options options = {
		.rrd_conf = "", .steps = 0, .tstat_steps = true, .global = true};
	struct sn_traffic_stats stats;
	int fd = open_files();
	char *absent = sn_fs_join(directory, "000/ip_len_in");

	assert_int_equal(sn_traffic_board_create(&options, &board, &err), 0);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, T0);
	workers[0] = sn_traffic_create(board);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 17 * S);
	send_udp(workers[0], SN_CLIENT, 1600, T0 + 317 * S);
	send_udp(workers[0], SN_CLIENT, 100, T0 + 317 * S + 1); /* more than 300 s: the last */
	send_udp(workers[0], SN_CLIENT, 100, T0 + 319 * S + 1);
	finish();
	assert_file("000/ip_len_out", "#IP packet length [byte] - outgoing packets\n"
				      "#RANGE: min=0 bin_size=4 max=1504\n48 1\n100 1\n1504 1\n");
	assert_file("000/ip_bitrate_out", "#IP bitrate [bit/s] - outgoing packets\n"
					  "#RANGE: min=0 bin_size=1 max=4\n1 46\n3 46\n");
	assert_file("LAST/ip_bitrate_out", "#IP bitrate [bit/s] - outgoing packets\n"
					   "#RANGE: min=0 bin_size=1 max=4\n1 400\n3 400\n");
	assert_file("GLOBAL/udp_port_dst_out",
		    "#UDP destination port - outgoing datagrams\n"
		    "#RANGE: min=0 bin_size=1 max=65536\n#SAMPLES: 4\n53 1.000000 1.000000\n");
	assert_file("GLOBAL/ip_len_out",
		    "#IP packet length [byte] - outgoing packets\n"
		    "#RANGE: min=0 bin_size=4 max=1504\n#SAMPLES: 4\n48 0.250000 0.250000\n"
		    "100 0.500000 0.750000\n1504 0.250000 1.000000\n");
	assert_false(sn_fs_exists(absent));
	sn_traffic_board_stats(board, &stats);
	assert_true(stats.files > 20);
	assert_int_equal(stats.late, 0);
	close_board();
	close(fd);
	free(absent);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

static void files_that_are_switched_off_and_on_go_on_in_their_directory(void **state SN_UNUSED)
{
	int fd = open_files();
	char *second = sn_fs_join(directory, "001"), *third = sn_fs_join(directory, "002");

	open_board("", 4);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, T0);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, T0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 300 * S);
	sn_traffic_board_histograms(board, false);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 600 * S);
	assert_false(sn_fs_exists(second));
	sn_traffic_board_histograms(board, true);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 900 * S);
	assert_true(sn_fs_exists(second));
	assert_false(sn_fs_exists(third));
	close_board();
	close(fd);
	free(second);
	free(third);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

/* The step that was open when a new directory began belongs to the old one. */
static void a_step_is_written_where_it_began(void **state SN_UNUSED)
{
	int first, second;
	char *before, *after;

	open_board("", 4);
	sn_traffic_board_histograms(board, true);
	first = open_files();
	before = sn_xstrdup(directory);
	sn_traffic_board_directory(board, first, T0);
	second = open_files();
	after = sn_xstrdup(directory);
	begin_flows(true, false);
	for (int i = 0; i < 2; i++)
		send_udp(workers[0], SN_CLIENT, 50, T0 + i * 300 * S);
	sn_traffic_board_directory(board, second, T0 + 310 * S);
	for (int i = 2; i < 4; i++)
		send_udp(workers[0], SN_CLIENT, 50, T0 + i * 300 * S);
	snprintf(directory, sizeof(directory), "%s", before);
	assert_true(exists("000/ip_len_out") && exists("001/ip_len_out") && !exists("002"));
	snprintf(directory, sizeof(directory), "%s", after);
	assert_true(exists("000/ip_len_out") && !exists("001"));
	/* What somebody has removed is nobody's loss. */
	assert_int_equal(sn_fs_remove_tree(before, &err), 0);
	assert_int_equal(sn_fs_remove_tree(after, &err), 0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 1200 * S);
	finish();
	close_board();
	close(first);
	close(second);
	free(before);
	free(after);
}

static void files_that_cannot_be_written_are_an_error(void **state SN_UNUSED)
{
	struct sn_sink sink;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	open_board("", 4);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, fd, T0);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, T0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 300 * S);
	sink = sn_traffic_sink(workers[0]);
	assert_int_equal(sink.ops->flush(sink.sink, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "cannot write histogram '000'"));
	assert_int_equal(sn_traffic_board_finish(board, &err), -ENOTDIR);
	close(fd);
}

static void a_live_run_goes_on_without_files_and_writes_again_when_it_can(void **state SN_UNUSED)
{
	struct sn_traffic_options options = {.rrd_conf = "", .steps = 4, .keep_going = true};
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = open_files();
	struct sn_traffic_stats stats;

	assert_int_equal(sn_traffic_board_create(&options, &board, &err), 0);
	workers[0] = sn_traffic_create(board);
	sn_traffic_board_histograms(board, true);
	sn_traffic_board_directory(board, none, T0);
	begin_flows(true, false);
	send_udp(workers[0], SN_CLIENT, 50, T0);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 300 * S);
	flush(workers[0]);
	sn_traffic_board_stats(board, &stats);
	assert_true(stats.lost_files > 0 && stats.files == 0);
	sn_traffic_board_directory(board, fd, T0 + 300 * S);
	send_udp(workers[0], SN_CLIENT, 50, T0 + 600 * S);
	flush(workers[0]);
	assert_true(exists("000/ip_len_out"));
	/* That something is missing is said at the end. */
	assert_int_equal(sn_traffic_board_finish(board, &err), -ENOTDIR);
	close_board();
	close(none);
	close(fd);
	assert_int_equal(sn_fs_remove_tree(directory, &err), 0);
}

/* Rows --------------------------------------------------------------------- */

static struct sn_buf written;

static int keep(struct sn_str text, void *ctx SN_UNUSED)
{
	sn_buf_add(&written, text.p, text.n);
	return 0;
}

static int break_down(struct sn_str text SN_UNUSED, void *ctx SN_UNUSED)
{
	return -EPIPE;
}

static void values_become_rows_of_their_dataset(void **state SN_UNUSED)
{
	struct sn_traffic_rows *rows = sn_traffic_rows_create(true, keep, NULL);
	struct sn_traffic_value value = {.begin_ns = T0,
					 .time_ns = T0 + 60 * S,
					 .step_seconds = 60,
					 .interface = "eth0",
					 .metric = "tcp_bitrate_in",
					 .stat = "idx33",
					 .label = "tls",
					 .value = 12345};
	struct sn_batch *batch = sn_batch_create(&sn_dataset_traffic);

	sn_traffic_rows_add(&value, rows);
	value.value = NAN;
	sn_traffic_rows_add(&value, rows);
	value.value = 0;
	value.empty = true;
	sn_traffic_rows_add(&value, rows);
	assert_int_equal(written.n, 0);
	assert_int_equal(sn_traffic_rows_flush(rows, &err), 0);
	assert_string_equal(
		sn_buf_cstr(&written),
		"{\"dataset\":\"traffic\",\"time\":\"2023-11-14T22:15:00.000000000Z\","
		"\"interface\":\"eth0\",\"step_seconds\":60,\"metric\":\"tcp_bitrate_in\","
		"\"stat\":\"idx33\",\"label\":\"tls\",\"value\":12345}\n");
	assert_ptr_equal(sn_jsonl_dataset(sn_buf_str(&written), NULL), &sn_dataset_traffic);
	assert_int_equal(sn_jsonl_read(batch, sn_buf_str(&written), 10, &err), 0);
	assert_int_equal(sn_batch_rows(batch), 1);
	sn_batch_destroy(batch);
	sn_buf_finish(&written);
	sn_traffic_rows_destroy(rows);
}

static void a_writer_that_fails_is_told_at_the_flush(void **state SN_UNUSED)
{
	struct sn_traffic_rows *rows = sn_traffic_rows_create(false, break_down, NULL);
	struct sn_traffic_value value = {.metric = "ip_ttl_in", .stat = "avg", .label = ""};

	sn_traffic_rows_add(&value, rows);
	assert_int_equal(sn_traffic_rows_flush(rows, &err), -EPIPE);
	assert_int_equal(sn_traffic_rows_flush(rows, &err), -EPIPE);
	sn_traffic_rows_destroy(rows);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_direction_has_its_rate),
		TEST(longer_steps_add_shorter_ones_up),
		TEST(a_step_is_told_with_its_bounds),
		TEST(the_first_and_the_last_step_have_their_true_length),
		TEST(rates_over_no_time_cannot_be_told),
		TEST(steps_without_packets_are_not_told),
		TEST(packets_that_are_a_little_late_stay_in_the_present_step),
		TEST(a_clock_that_goes_back_begins_anew),
		TEST(times_before_1970_have_steps_too),
		TEST(workers_add_up),
		TEST(the_slowest_is_not_waited_for_without_end),
		TEST(workers_may_be_years_apart),
		TEST(a_worker_that_is_idle_holds_nobody_up),
		TEST(a_clock_that_goes_back_in_one_worker_after_the_other_loses_nothing),
		TEST(nothing_is_lost_between_threads),
		TEST(segments_without_a_beginning_are_trash),
		TEST(packets_of_no_flow_are_counted_by_their_header),
		TEST(lengths_beyond_the_range_keep_the_average_exact),
		TEST(the_cloud_is_told_apart),
		TEST(only_the_end_of_a_flow_makes_samples),
		TEST(a_client_that_gives_up_is_noticed),
		TEST(offers_of_mptcp_are_read_from_the_options),
		TEST(classes_follow_what_is_known_of_the_application),
		TEST(services_are_known_by_their_domain),
		TEST(closed_steps_write_histogram_files),
		TEST(a_step_is_written_where_it_began),
		TEST(files_that_are_switched_off_and_on_go_on_in_their_directory),
		TEST(files_that_cannot_be_written_are_an_error),
		TEST(a_live_run_goes_on_without_files_and_writes_again_when_it_can),
		TEST(values_become_rows_of_their_dataset),
		TEST(a_writer_that_fails_is_told_at_the_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
