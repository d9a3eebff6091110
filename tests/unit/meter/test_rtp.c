/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <math.h>
#include <string.h>

#include "base/util.h"
#include "meter/app/rtp_internal.h"

#define MS SN_NS_PER_MS

static void add(struct sn_rtp_stream *stream, uint16_t sequence, uint32_t timestamp,
		int64_t time_ns)
{
	struct sn_rtp_header header = {
		.type = 8, .sequence = sequence, .timestamp = timestamp, .bytes = 160};

	sn_rtp_stream_add(stream, &header, time_ns);
}

static void add_in_order(struct sn_rtp_stream *stream, const uint16_t *sequences, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(stream, sequences[i], 160U * sequences[i], (int64_t)i * 20 * MS);
}
#define ADD(stream, ...)                                                                           \
	add_in_order(stream, (const uint16_t[]){__VA_ARGS__},                                      \
		     sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void assert_counts(const struct sn_rtp_stream *stream, unsigned lost, unsigned disordered,
			  unsigned duplicates, unsigned late)
{
	assert_int_equal(stream->lost, lost);
	assert_int_equal(stream->out_of_sequence, disordered);
	assert_int_equal(stream->duplicates, duplicates);
	assert_int_equal(stream->late, late);
}

static void a_gap_is_a_loss(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	ADD(&stream, 10, 11, 14, 15);
	assert_counts(&stream, 2, 0, 0, 0);
	assert_int_equal(stream.packets, 4);
	assert_int_equal(stream.bytes, 640);
}

static void what_comes_late_is_no_loss(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	ADD(&stream, 10, 13, 12, 11, 14);
	assert_counts(&stream, 0, 2, 0, 0);
}

static void what_comes_twice_hides_no_loss(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	ADD(&stream, 10, 11, 11, 13, 10, 13);
	assert_counts(&stream, 1, 0, 3, 0);
}

static void what_is_behind_the_window_is_late(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	ADD(&stream, 100, 140, 108, 109);
	assert_counts(&stream, 37, 1, 0, 1);
}

static void sequence_numbers_wrap(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	ADD(&stream, 65533, 65534, 1, 0, 2);
	assert_counts(&stream, 1, 1, 0, 0);
}

static void a_large_step_is_a_restart_that_forgets_no_loss(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	ADD(&stream, 10, 12, 40000, 40001, 40003);
	assert_counts(&stream, 2, 0, 0, 0);
	ADD(&stream, 20);
	assert_counts(&stream, 2, 0, 0, 0);
}

/* RFC 3550 section 6.4.1, by hand: |D| = 5 ms, then 3 ms. */
static void jitter_is_that_of_rfc_3550(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};
	const struct sn_rtp_jitter *own = &stream.jitter[SN_RTP_CLOCK_OWN];

	add(&stream, 1, 0, 0);
	assert_int_equal(own->count, 0);
	add(&stream, 2, 160, 25 * MS);
	assert_true(fabs(own->now - 5.0 / 16) < 1e-9);
	add(&stream, 3, 320, 42 * MS);
	assert_true(fabs(own->now - (5.0 / 16 + (3 - 5.0 / 16) / 16)) < 1e-9);
	assert_true(fabs(own->min - 5.0 / 16) < 1e-9);
	assert_true(own->max == own->now);
	assert_true(stream.jitter[SN_RTP_CLOCK_8K].now == own->now);
	/* 160 ticks of 90 kHz are 1.78 ms. */
	assert_true(stream.jitter[SN_RTP_CLOCK_90K].max > 2);
	assert_int_equal(stream.gap_ms.count, 2);
	assert_true(stream.gap_ms.sum == 42);
}

static void types_without_a_clock_have_no_jitter_of_their_own(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};
	struct sn_rtp_header header = {.type = 111, .sequence = 1};

	sn_rtp_stream_add(&stream, &header, 0);
	header.sequence = 2;
	sn_rtp_stream_add(&stream, &header, 20 * MS);
	assert_int_equal(stream.jitter[SN_RTP_CLOCK_OWN].count, 0);
	assert_int_equal(stream.jitter[SN_RTP_CLOCK_8K].count, 1);
	assert_int_equal(sn_rtp_clock(0), 8000);
	assert_int_equal(sn_rtp_clock(34), 90000);
	assert_int_equal(sn_rtp_clock(35), 0);
	assert_int_equal(sn_rtp_clock(96), 0);
}

static void so_many_payload_types_are_told_apart(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.packets = 0};

	for (unsigned i = 0; i <= SN_RTP_TYPES; i++) {
		struct sn_rtp_header header = {.type = (uint8_t)(96 + i), .sequence = (uint16_t)i};

		sn_rtp_stream_add(&stream, &header, 0);
	}
	assert_int_equal(stream.type_count, SN_RTP_TYPES);
	assert_int_equal(stream.types[SN_RTP_TYPES - 1].type, 96 + SN_RTP_TYPES - 1);
	assert_int_equal(stream.packets, SN_RTP_TYPES + 1);
}

static bool read_header(const uint8_t *bytes, size_t captured, uint32_t size,
			struct sn_rtp_header *header)
{
	struct sn_rd rd;

	sn_rd_init(&rd, bytes, captured);
	return sn_rtp_read(rd, size, header);
}

static void headers_are_read_behind_sources_and_extension(void **state SN_UNUSED)
{
	static const uint8_t packet[] = {
		0x92, 0xe0, 0x12, 0x34, 0, 0, 0, 5, 1, 2, 3, 4, /* two sources, marker, 96 */
		9,    9,    9,    9,    8, 8, 8, 8,             /* sources */
		0xbe, 0xde, 0,    1,    7, 7, 7, 7,             /* extension of one word */
		1,    2,    3,
	};
	struct sn_rtp_header header;

	assert_true(read_header(packet, sizeof(packet), sizeof(packet), &header));
	assert_true(header.marker);
	assert_int_equal(header.type, 96);
	assert_int_equal(header.sequence, 0x1234);
	assert_int_equal(header.timestamp, 5);
	assert_int_equal(header.ssrc, 0x01020304);
	assert_int_equal(header.bytes, 3);
	/* A short capture changes nothing as long as the headers are there. */
	assert_true(read_header(packet, 24, 1000, &header));
	assert_int_equal(header.bytes, 1000 - 28);
	assert_false(read_header(packet, 23, 1000, &header));
	assert_false(read_header(packet, sizeof(packet), 27, &header));
}

static void what_cannot_be_rtp_is_refused(void **state SN_UNUSED)
{
	uint8_t packet[12] = {0x80, 0};
	struct sn_rtp_header header;

	assert_true(read_header(packet, 12, 12, &header));
	assert_false(read_header(packet, 11, 11, &header));
	packet[0] = 0x40;
	assert_false(read_header(packet, 12, 12, &header));
	packet[0] = 0x80;
	packet[1] = 72; /* RTCP in disguise (RFC 5761) */
	assert_false(read_header(packet, 12, 12, &header));
}

/* Reports -------------------------------------------------------------------- */

static void put32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A sender report of `ssrc` without blocks; NTP middle bits 0xaabbccdd. */
static size_t sender_report(uint8_t *out, uint32_t ssrc)
{
	memset(out, 0, 28);
	out[0] = 0x80, out[1] = 200, out[3] = 6;
	put32(out + 4, ssrc);
	put32(out + 10, 0xaabbccdd);
	put32(out + 20, 1000);
	put32(out + 24, 160000);
	return 28;
}

/* A receiver report with one block about `about`. */
static size_t receiver_report(uint8_t *out, uint32_t about, uint32_t losses, uint32_t delay)
{
	memset(out, 0, 32);
	out[0] = 0x81, out[1] = 201, out[3] = 7;
	put32(out + 4, 2);
	put32(out + 8, about);
	put32(out + 12, losses);
	put32(out + 24, 0xaabbccdd);
	put32(out + 28, delay);
	return 32;
}

static void add_report(struct sn_rtp_stream *stream, struct sn_rtp_stream *all,
		       const uint8_t *bytes, size_t captured, size_t size, int64_t time_ns)
{
	struct sn_rd rd;

	sn_rd_init(&rd, bytes, captured);
	sn_rtcp_stream_add(stream, all, rd, (uint32_t)size, time_ns);
}

static void reports_tell_losses_and_round_trips(void **state SN_UNUSED)
{
	struct sn_rtp_stream receiver = {.rtcp = true, .side = 1, .ssrc = 2};
	struct sn_rtp_stream sender = {.rtcp = true, .side = 0, .ssrc = 1, .next = &receiver};
	uint8_t report[64];
	size_t size = sender_report(report, 1);

	add_report(&sender, &sender, report, size, size, 100 * MS);
	assert_int_equal(sender.report_packets, 1000);
	assert_int_equal(sender.report_bytes, 160000);
	/* Half a second later, of which the receiver kept it for a quarter. */
	size = receiver_report(report, 1, 0x40000005, 65536 / 4);
	add_report(&receiver, &sender, report, size, size, 600 * MS);
	assert_int_equal(receiver.reported_lost, 5);
	assert_true(receiver.reported_fraction.max == 0.25);
	assert_int_equal(receiver.rtt_ms.count, 1);
	assert_true(fabs(receiver.rtt_ms.max - 250) < 1e-6);
	/* Of a stream that nobody has seen, and with a count below zero. */
	size = receiver_report(report, 77, 0x00ffffff, 0);
	add_report(&receiver, &sender, report, size, size, 700 * MS);
	assert_int_equal(receiver.rtt_ms.count, 1);
	assert_int_equal(receiver.reported_lost, 0);
	assert_int_equal(receiver.types[0].type, 201);
	assert_int_equal(receiver.types[0].packets, 2);
}

static void damaged_and_encrypted_reports_tell_nothing(void **state SN_UNUSED)
{
	struct sn_rtp_stream stream = {.rtcp = true};
	uint8_t report[64] = {0};
	size_t size = sender_report(report, 1);

	add_report(&stream, &stream, report, size, size + 14, 0); /* cut off */
	assert_int_equal(stream.truncated, 1);
	add_report(&stream, &stream, report, size + 14, size + 14, 0); /* SRTCP */
	assert_int_equal(stream.truncated, 1);
	assert_int_equal(stream.report_packets, 0);
	report[3] = 60; /* longer than the datagram */
	add_report(&stream, &stream, report, size, size, 0);
	assert_int_equal(stream.report_packets, 0);
	assert_int_equal(stream.packets, 3);
	assert_int_equal(stream.bytes, 3 * size + 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gap_is_a_loss),
		cmocka_unit_test(what_comes_late_is_no_loss),
		cmocka_unit_test(what_comes_twice_hides_no_loss),
		cmocka_unit_test(what_is_behind_the_window_is_late),
		cmocka_unit_test(sequence_numbers_wrap),
		cmocka_unit_test(a_large_step_is_a_restart_that_forgets_no_loss),
		cmocka_unit_test(jitter_is_that_of_rfc_3550),
		cmocka_unit_test(types_without_a_clock_have_no_jitter_of_their_own),
		cmocka_unit_test(so_many_payload_types_are_told_apart),
		cmocka_unit_test(headers_are_read_behind_sources_and_extension),
		cmocka_unit_test(what_cannot_be_rtp_is_refused),
		cmocka_unit_test(reports_tell_losses_and_round_trips),
		cmocka_unit_test(damaged_and_encrypted_reports_tell_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
