/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the whole meter: decoding, fragments, flows, TCP, rows.
 *
 * Input: one byte for the link type, then per packet two bytes of captured length,
 * two of bytes that were not captured, two of milliseconds since the packet before
 * (signed), all little-endian, and the captured bytes.
 */
#include <pcap/dlt.h>
#include <stdlib.h>

#include "base/buf.h"
#include "data/codec.h"
#include "meter/meter.h"
#include "meter/output/row.h"
#include "meter/view/view.h"

#define BATCH_MAX 64

static const int links[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_RAW,  DLT_NULL,
			    DLT_LOOP,   DLT_PPP,       DLT_PPP_ETHER,  DLT_IPV4, DLT_IPV6};

struct sums {
	uint64_t packets;
	struct sn_viewer *viewer;
	struct sn_cell_writer writer;
	struct sn_batch *batch;
	struct sn_buf line;
};

/* What is told of the flow can be read back. */
static void check_row(struct sums *sums, const struct sn_view_flow *view)
{
	struct sn_cell cells[SN_DATASET_COLUMNS_MAX];

	sn_row_flow(view, cells);
	sn_buf_clear(&sums->line);
	sn_cell_write_json(&sums->writer, cells, &sums->line);
	sn_batch_clear(sums->batch);
	if (sn_jsonl_read_row(sums->batch, sn_str_trim(sn_buf_str(&sums->line)), NULL) < 0)
		abort();
}

static void take(const struct sn_flow *flow, enum sn_flow_end end, void *ctx)
{
	struct sums *sums = ctx;

	if (end != SN_END_ACTIVE)
		sums->packets += sn_flow_packets(flow);
	check_row(sums, sn_viewer_flow(sums->viewer, flow, end, "fuzz"));
	if (flow->first_ns > flow->last_ns)
		abort();
}

static bool read_packet(struct sn_rd *rd, int64_t *time_ns, struct sn_packet *packet)
{
	uint16_t captured = sn_rd_u16le(rd), missing = sn_rd_u16le(rd);

	*time_ns += (int16_t)sn_rd_u16le(rd) * SN_NS_PER_MS;
	*packet = (struct sn_packet){
		.time_ns = *time_ns,
		.data = sn_rd_bytes(rd, captured),
		.captured = captured,
		.length = (uint32_t)captured + missing,
	};
	return sn_rd_ok(rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_meter_options options;
	struct sn_viewer_options view = {.community_id = true};
	struct sums sums = {.batch = sn_batch_create(&sn_dataset_flow),
			    .viewer = sn_viewer_create(&view)};
	struct sn_meter *meter;
	struct sn_packet packets[BATCH_MAX];
	int64_t time_ns = 1700000000 * SN_NS_PER_S;
	struct sn_meter_stats stats;
	struct sn_rd rd;
	size_t count = 0;

	sn_cell_writer_init(&sums.writer, &sn_dataset_flow, false);
	sn_meter_options_default(&options);
	options.active_ns = 5 * SN_NS_PER_S;
	options.max_flows = 16;
	meter = sn_meter_create(&options, take, &sums);
	sn_rd_init(&rd, data, size);

	int link = links[sn_rd_u8(&rd) % SN_COUNT(links)];

	while (read_packet(&rd, &time_ns, &packets[count]))
		if (++count == BATCH_MAX) {
			sn_meter_packets(meter, link, packets, count, 0);
			count = 0;
		}
	sn_meter_packets(meter, link, packets, count, 0);
	sn_meter_flush(meter);
	sn_meter_read_stats(meter, &stats);
	/* Each packet is in exactly one flow or has a reason. */
	for (size_t i = 1; i < SN_SKIP_COUNT; i++)
		sums.packets += stats.skipped[i].packets;
	if (sums.packets != stats.all.packets || stats.flows != 0)
		abort();
	sn_meter_destroy(meter);
	sn_batch_destroy(sums.batch);
	sn_viewer_destroy(sums.viewer);
	sn_cell_writer_finish(&sums.writer);
	sn_buf_finish(&sums.line);
	return 0;
}
