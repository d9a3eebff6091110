/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of one SYN, which are kept small, beside the same ones kept whole from the beginning. */
#include "lib/test.h"

#include "base/rand.h"
#include "meter/meter.h"
#include "meter/series/series.h"
#include "packets.h"

#define S  SN_NS_PER_S
#define T0 (1700000000 * S)
#define A  "192.0.2.1"
#define B  "192.0.2.2"

enum { SYN = SN_TCP_SYN, ACK = SN_TCP_ACK, FIN = SN_TCP_FIN, RST = SN_TCP_RST, PSH = SN_TCP_PSH };
enum { SMALL, WHOLE, METERS };

static int64_t active_ns; /* 0: no reports in between */
static struct sn_traffic_board *board;
static struct sn_traffic *traffic;
static struct {
	struct sn_meter *meter;
	struct sn_tcp_flow flows[64];
	struct sn_tcp_trouble troubles[64][2];
	enum sn_flow_end ends[64];
	struct sn_flow_side periods[64][2];
	int64_t begins_ns[64];
	size_t count;
} run[METERS];

static void keep(const struct sn_flow *flow, enum sn_flow_end end, void *ctx)
{
	unsigned i = *(const unsigned *)ctx;

	assert_true(run[i].count < SN_COUNT(run[i].flows));
	run[i].flows[run[i].count] = *sn_flow_as_tcp(flow);
	for (unsigned side = 0; side < 2; side++)
		run[i].troubles[run[i].count][side] =
			*sn_tcp_trouble(&run[i].flows[run[i].count].tcp, side);
	for (unsigned side = 0; side < 2; side++)
		run[i].periods[run[i].count][side] = sn_flow_period(flow, side);
	run[i].begins_ns[run[i].count] = sn_flow_period_first_ns(flow);
	run[i].flows[run[i].count].tcp.trouble = NULL;
	run[i].ends[run[i].count++] = end;
}

static void start(size_t max_flows)
{
	static const unsigned number[METERS] = {SMALL, WHOLE};
	struct sn_traffic_options series = {.rrd_conf = ""};
	struct sn_meter_options options;
	struct sn_err err;

	assert_int_equal(sn_traffic_board_create(&series, &board, &err), 0);
	traffic = sn_traffic_create(board);
	sn_meter_options_default(&options);
	options.max_flows = max_flows;
	for (unsigned i = 0; i < METERS; i++) {
		options.active_ns = active_ns;
		/* Else one that is whole is reported while it waits for its second packet. */
		options.active_lazily = true;
		/* Series want flows whole. */
		options.series = i == WHOLE ? traffic : NULL;
		run[i].count = 0;
		run[i].meter = sn_meter_create(&options, keep, (void *)(uintptr_t)&number[i]);
	}
}

static int without_reports(void **state SN_UNUSED)
{
	active_ns = 0;
	return 0;
}

static int with_reports(void **state SN_UNUSED)
{
	active_ns = 5 * S;
	return 0;
}

static int stop(void **state SN_UNUSED)
{
	for (unsigned i = 0; i < METERS; i++) {
		sn_meter_destroy(run[i].meter);
		run[i].meter = NULL;
	}
	sn_traffic_destroy(traffic);
	sn_traffic_board_destroy(board);
	return 0;
}

static void give(struct frame f, int64_t time_ns)
{
	struct sn_packet packet;

	f.time_ns = time_ns;
	packet = frame_packet(&f);
	for (unsigned i = 0; i < METERS; i++)
		sn_meter_packets(run[i].meter, DLT_EN10MB, &packet, 1, 3);
}

static void expect_equal_flows(size_t i)
{
	const struct sn_tcp_flow *a = &run[SMALL].flows[i], *b = &run[WHOLE].flows[i];

	assert_memory_equal(&a->flow.key, &b->flow.key, sizeof(a->flow.key));
	assert_memory_equal(a->flow.side, b->flow.side, sizeof(a->flow.side));
	assert_int_equal(a->flow.first_ns, b->flow.first_ns);
	assert_int_equal(a->flow.last_ns, b->flow.last_ns);
	assert_int_equal(a->flow.source, b->flow.source);
	assert_int_equal(a->flow.client_is_high, b->flow.client_is_high);
	assert_int_equal(a->flow.mid_stream, b->flow.mid_stream);
	assert_int_equal(a->flow.half_open, false);
	assert_memory_equal(&a->tcp, &b->tcp, sizeof(a->tcp));
	assert_memory_equal(run[SMALL].troubles[i], run[WHOLE].troubles[i],
			    sizeof(run[SMALL].troubles[i]));
	assert_int_equal(run[SMALL].ends[i], run[WHOLE].ends[i]);
	assert_memory_equal(run[SMALL].periods[i], run[WHOLE].periods[i],
			    sizeof(run[SMALL].periods[i]));
	assert_int_equal(run[SMALL].begins_ns[i], run[WHOLE].begins_ns[i]);
}

/* Reports what is left. */
static void expect_equal_reports(void)
{
	for (unsigned i = 0; i < METERS; i++)
		sn_meter_flush(run[i].meter);
	assert_int_equal(run[SMALL].count, run[WHOLE].count);
	for (size_t i = 0; i < run[SMALL].count; i++)
		expect_equal_flows(i);
	run[SMALL].count = run[WHOLE].count = 0;
}

/* A SYN with options of `words` times four bytes: MSS, SACK permitted, stamps, shift, NOPs. */
static struct frame syn_frame(const char *src, const char *dst, uint16_t port, unsigned words)
{
	static const uint8_t options[40] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0,
					    0, 0, 1, 3,   3, 7, 1, 1,  1, 1, 1, 1, 1, 1,
					    1, 1, 1, 1,   1, 1, 1, 1,  1, 1, 1, 1};
	struct frame f = {.n = 0};

	put_ip(&f, src, dst, SN_PROTO_TCP);
	put16(&f, port);
	put16(&f, 443);
	put32(&f, 0xfffffff0);
	put32(&f, 0);
	put8(&f, (5 + words) << 4);
	put8(&f, SYN | 0xc0); /* with ECN (RFC 3168) */
	put16(&f, 29200);
	put32(&f, 0);
	put(&f, options, words * 4);
	frame_seal(&f);
	return f;
}

static void an_unanswered_syn_is_reported_in_full(void **state SN_UNUSED)
{
	const struct sn_tcp_side *client;

	start(1000);
	for (unsigned words = 0; words <= 10; words++) {
		give(syn_frame(A, B, (uint16_t)(1000 + words), words), T0);
		give(syn_frame("2001:db8::1", "2001:db8::2", (uint16_t)(1000 + words), words), T0);
	}
	give(syn_frame(A, B, 2000, 5), T0 + S);
	for (unsigned i = 0; i < METERS; i++)
		sn_meter_advance(run[i].meter, T0 + 60 * S);
	assert_int_equal(run[SMALL].count, 23);
	assert_int_equal(run[SMALL].ends[22], SN_END_IDLE);
	client = &run[SMALL].flows[22].tcp.side[SN_CLIENT];
	assert_int_equal(client->n.syn, 1);
	assert_int_equal(client->mss, 1460);
	assert_int_equal(client->window_scale, 7);
	assert_int_equal(client->window_max, 29200);
	assert_int_equal(client->ttl_min, 64);
	assert_true(client->has_timestamps && client->has_sack && client->has_scale);
	assert_int_equal(run[SMALL].flows[22].flow.side[SN_CLIENT].packets, 1);
	assert_int_equal(run[SMALL].flows[22].flow.side[SN_CLIENT].bytes, 60);
	expect_equal_reports();
}

/* Segments as nobody sends them, on two connections with times that jump. */
static void give_any_segment(struct sn_prng *prng, int64_t *time_ns)
{
	static const uint8_t flags[] = {SYN, SYN,       SYN,       SYN | ACK, ACK,
					ACK, ACK | PSH, FIN | ACK, RST,       SYN | FIN};
	uint64_t random = sn_prng_u64(prng);
	bool back = random & 1, first = random & 2;
	struct segment segment = {
		.sport = back    ? 80
			 : first ? 1000
				 : 1001,
		.dport = back ? first ? 1000 : 1001 : 80,
		.seq = 100 + (random >> 8) % 3,
		.ack = 100 + (random >> 16) % 3,
		.flags = flags[(random >> 24) % SN_COUNT(flags)],
		.payload = (random >> 32) % 4 == 0 ? 10 : 0,
		.timestamps = (random >> 34) & 1,
		.tsval = (random >> 35) % 3,
		.tsecr = (random >> 37) % 3,
	};

	*time_ns += (random >> 40) % 64 == 0 ? 12 * S : SN_NS_PER_MS;
	give(back ? tcp_frame(B, A, &segment) : tcp_frame(A, B, &segment), *time_ns);
}

static void whatever_follows_a_syn_meets_a_whole_connection(void **state SN_UNUSED)
{
	int64_t time_ns = T0;
	struct sn_prng prng;

	sn_prng_seed(&prng, 7);
	start(2);
	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned i = 0; i < 10; i++)
			give_any_segment(&prng, &time_ns);
		expect_equal_reports();
		time_ns += S;
	}
}

/* With packets in one batch the flow of the second is looked for before there is the first. */
static void a_batch_may_hold_the_whole_handshake(void **state SN_UNUSED)
{
	struct frame frames[8];
	struct sn_packet packets[SN_COUNT(frames)];

	start(1000);
	for (unsigned i = 0; i < SN_COUNT(frames); i += 2) {
		struct segment answer = {.sport = 443,
					 .dport = (uint16_t)(1000 + i),
					 .seq = 7,
					 .ack = 0xfffffff1,
					 .flags = SYN | ACK};

		frames[i] = syn_frame(A, B, answer.dport, 5);
		frames[i + 1] = tcp_frame(B, A, &answer);
		frames[i].time_ns = frames[i + 1].time_ns = T0;
	}
	for (unsigned i = 0; i < SN_COUNT(frames); i++)
		packets[i] = frame_packet(&frames[i]);
	for (unsigned i = 0; i < METERS; i++) {
		sn_meter_packets(run[i].meter, DLT_EN10MB, packets, 5, 0);
		sn_meter_packets(run[i].meter, DLT_EN10MB, packets + 5, 3, 0);
	}
	expect_equal_reports();
}

static void give_segment(bool back, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload,
			 int64_t time_ns)
{
	give(exchange_frame(!back, 443, flags, seq, ack, payload), time_ns);
}

/* Its first period begins with the SYN; one without an answer has no period but its whole. */
static void periods_are_those_of_a_whole_connection(void **state SN_UNUSED)
{
	start(1000);
	give(syn_frame(A, B, 1000, 5), T0);
	give_segment(true, SYN | ACK, 5000, 0xfffffff1, 0, T0 + S);
	give_segment(false, ACK, 0xfffffff1, 5001, 0, T0 + S + 1);
	give_segment(false, PSH | ACK, 0xfffffff1, 5001, 100, T0 + 4 * S);
	give_segment(true, PSH | ACK, 5001, 85, 50, T0 + 5 * S + 1);
	give_segment(false, FIN | ACK, 85, 5051, 0, T0 + 7 * S);
	assert_int_equal(run[SMALL].count, 1);
	assert_int_equal(run[SMALL].ends[0], SN_END_ACTIVE);
	assert_int_equal(run[SMALL].begins_ns[0], T0);
	assert_int_equal(run[SMALL].periods[0][SN_CLIENT].packets, 3);
	expect_equal_reports();
}

static void a_scan_is_reported_once(void **state SN_UNUSED)
{
	start(1000);
	give(syn_frame(A, B, 1000, 5), T0);
	for (unsigned i = 0; i < METERS; i++)
		sn_meter_advance(run[i].meter, T0 + 60 * S);
	assert_int_equal(run[SMALL].count, 1);
	assert_int_equal(run[SMALL].ends[0], SN_END_IDLE);
	assert_int_equal(run[SMALL].begins_ns[0], T0);
	assert_int_equal(run[SMALL].periods[0][SN_CLIENT].packets, 1);
}

static void a_scan_takes_little_memory(void **state SN_UNUSED)
{
	enum { FLOWS = 60000 };
	struct sn_meter_stats stats[METERS];

	start(FLOWS);
	for (unsigned i = 0; i < FLOWS; i++)
		give(syn_frame(A, B, (uint16_t)(1000 + i), 5), T0);
	for (unsigned i = 0; i < METERS; i++)
		sn_meter_read_stats(run[i].meter, &stats[i]);
	assert_int_equal(stats[SMALL].flows, FLOWS);
	assert_in_range(stats[SMALL].memory_peak_bytes / FLOWS, 128, 175);
	assert_in_range(stats[WHOLE].memory_peak_bytes / FLOWS, 500, 2000);
}

int main(void)
{
#define BOTH(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, without_reports, stop),                              \
		cmocka_unit_test_setup_teardown(name, with_reports, stop)
	const struct CMUnitTest tests[] = {
		BOTH(an_unanswered_syn_is_reported_in_full),
		BOTH(whatever_follows_a_syn_meets_a_whole_connection),
		BOTH(a_batch_may_hold_the_whole_handshake),
		BOTH(a_scan_takes_little_memory),
		cmocka_unit_test_setup_teardown(periods_are_those_of_a_whole_connection,
						with_reports, stop),
		cmocka_unit_test_setup_teardown(a_scan_is_reported_once, with_reports, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
