/* SPDX-License-Identifier: Apache-2.0 */
/* What of packets and flows is counted in which series. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "meter/series/classes.h"
#include "series_board.h"

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

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_without_a_beginning_are_trash),
		TEST(packets_of_no_flow_are_counted_by_their_header),
		TEST(lengths_beyond_the_range_keep_the_average_exact),
		TEST(the_cloud_is_told_apart),
		TEST(only_the_end_of_a_flow_makes_samples),
		TEST(a_client_that_gives_up_is_noticed),
		TEST(offers_of_mptcp_are_read_from_the_options),
		TEST(classes_follow_what_is_known_of_the_application),
		TEST(services_are_known_by_their_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
