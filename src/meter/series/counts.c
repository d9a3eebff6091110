/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/series/counts.h"

#include <string.h>

#include "base/util.h"

static const uint8_t protocols[2][3] = {{6, 17, 1}, {6, 17, 58}};
static const uint8_t anomaly_codes[SN_COUNTS_ANOMALIES] = {
	[SN_TCP_RTO] = 1,           [SN_TCP_FAST] = 2,         [SN_TCP_REORDER] = 3,
	[SN_TCP_DUPLICATE] = 4,     [SN_TCP_FLOW_CONTROL] = 5, [SN_TCP_NEEDLESS_RTO] = 6,
	[SN_TCP_NEEDLESS_FAST] = 7, [SN_TCP_UNKNOWN] = 63,     [SN_TCP_ANOMALIES] = 0,
};

/* Only what goes in or out has a cloud or none. */
static void add_rate(struct sn_sheet *sheet, unsigned set, unsigned direction, unsigned cloud,
		     int bin, uint64_t bytes)
{
	if (bin == SN_CLASS_NONE)
		return;
	sn_sheet_add_bytes(sheet, set + direction, bin, bytes);
	if (direction != SN_TRAFFIC_LOC)
		sn_sheet_add_bytes(
			sheet, set + direction + (cloud ? SN_TRAFFIC_CLOUD : SN_TRAFFIC_NO_CLOUD),
			bin, bytes);
}

/* Bytes and packets by protocol -------------------------------------------- */

static void settle_l3_class(const struct sn_counts *counts, struct sn_sheet *sheet,
			    unsigned direction, unsigned cloud, unsigned class_)
{
	uint64_t bytes = counts->l3[direction][cloud][class_].bytes;
	uint64_t packets = counts->l3[direction][cloud][class_].packets;
	unsigned version = class_ / SN_L3_IPV6, kind = class_ % SN_L3_IPV6;
	int l3 = (int)(version * 3 + SN_MIN(kind, 2U));

	if (packets == 0)
		return;
	if (kind != SN_L3_OTHER) {
		add_rate(sheet, SN_HISTOGRAM_IP_BITRATE_IN, direction, cloud, (int)kind, bytes);
		sn_sheet_add_many(
			sheet,
			(version ? SN_HISTOGRAM_IP6_PROTOCOL_IN : SN_HISTOGRAM_IP_PROTOCOL_IN) +
				direction,
			protocols[version][kind], packets);
	}
	add_rate(sheet, SN_HISTOGRAM_IP_BITRATE_IN, direction, cloud, 3, bytes);
	sn_sheet_add_bytes(sheet, SN_HISTOGRAM_L3_BITRATE_IN + direction, l3, bytes);
	sn_sheet_add_many(sheet, SN_HISTOGRAM_L3_PROTOCOL_IN + direction, l3, packets);
}

static void settle_l3(const struct sn_counts *counts, struct sn_sheet *sheet, unsigned direction)
{
	for (unsigned cloud = 0; cloud < 2; cloud++)
		for (unsigned class_ = 0; class_ < SN_L3_CLASSES; class_++)
			settle_l3_class(counts, sheet, direction, cloud, class_);
}

/* Fields of the IP header -------------------------------------------------- */

static void settle_values(struct sn_sheet *sheet, unsigned id, const uint32_t *counts,
			  unsigned count)
{
	for (unsigned value = 0; value < count; value++)
		sn_sheet_add_many(sheet, id, value, counts[value]);
}

/* Packets longer than the range: how many lie behind it, and what their lengths add up to. */
static void settle_longer(struct sn_sheet *sheet, unsigned id, const struct sn_samples *longer)
{
	struct sn_samples *samples = &sheet->samples[id];

	if (longer->count == 0)
		return;
	sn_sheet_add_many(sheet, id, longer->max, longer->count);
	samples->sum += longer->sum - longer->max * (double)longer->count;
	samples->sum2 += longer->sum2 - longer->max * longer->max * (double)longer->count;
	samples->min = SN_MIN(samples->min, longer->min);
}

static void settle_ip(const struct sn_counts *counts, struct sn_sheet *sheet, unsigned direction)
{
	for (unsigned version = 0; version < 2; version++) {
		unsigned length =
			(version ? SN_HISTOGRAM_IP6_PLEN_IN : SN_HISTOGRAM_IP_LEN_IN) + direction;

		settle_values(sheet, length, counts->ip[version][direction].lengths,
			      SN_COUNTS_LENGTHS - 1);
		settle_longer(sheet, length, &counts->ip[version][direction].longer);
		settle_values(sheet,
			      (version ? SN_HISTOGRAM_IP6_HOP_LIMIT_IN : SN_HISTOGRAM_IP_TTL_IN) +
				      direction,
			      counts->ip[version][direction].ttl, 256);
		settle_values(
			sheet,
			(version ? SN_HISTOGRAM_IP6_PROTOCOL_IN : SN_HISTOGRAM_IP_PROTOCOL_IN) +
				direction,
			counts->others[version][direction], 256);
	}
	settle_values(sheet, SN_HISTOGRAM_IP_TOS_IN + direction, counts->ip[0][direction].tos, 256);
	settle_values(sheet, SN_HISTOGRAM_ICMPV6_TYPE_IN + direction,
		      counts->icmp6_types[direction], 256);
}

/* Applications ------------------------------------------------------------- */

static void settle_classes(const struct sn_counts *counts, struct sn_sheet *sheet,
			   unsigned direction, unsigned cloud)
{
	for (unsigned class_ = 0; class_ < SN_CLASSES; class_++) {
		uint64_t bytes = counts->tcp_bytes[direction][cloud][class_];
		struct sn_class_bins bins = sn_class_bins(class_);

		if (bytes == 0)
			continue;
		add_rate(sheet, SN_HISTOGRAM_TCP_BITRATE_IN, direction, cloud, bins.l7, bytes);
		add_rate(sheet, SN_HISTOGRAM_HTTP_BITRATE_IN, direction, cloud, bins.http, bytes);
		add_rate(sheet, SN_HISTOGRAM_VIDEO_RATE_IN, direction, cloud, bins.video, bytes);
		if (bins.web != SN_CLASS_NONE)
			sn_sheet_add_bytes(sheet, SN_HISTOGRAM_WEB_BITRATE_IN + direction, bins.web,
					   bytes);
		if (bins.tls != SN_CLASS_NONE)
			sn_sheet_add_bytes(sheet, SN_HISTOGRAM_TLS_BITRATE_IN + direction, bins.tls,
					   bytes);
	}
	for (int l7 = 0; l7 < SN_L7_COUNT; l7++)
		add_rate(sheet, SN_HISTOGRAM_UDP_BITRATE_IN, direction, cloud, l7,
			 counts->udp_bytes[direction][cloud][l7]);
}

static void settle_anomalies(const struct sn_counts *counts, struct sn_sheet *sheet,
			     unsigned direction)
{
	for (unsigned side = 0; side < 2; side++)
		for (unsigned i = 0; i < SN_COUNTS_ANOMALIES; i++) {
			uint32_t count = counts->anomalies[direction][side][i];

			sn_sheet_add_many(sheet, SN_HISTOGRAM_TCP_ANOMALIES_IN + direction,
					  anomaly_codes[i], count);
			sn_sheet_add_many(sheet, SN_HISTOGRAM_TCP_ANOMALIES_C2S + side,
					  anomaly_codes[i], count);
		}
}

void sn_counts_settle(struct sn_counts *counts, struct sn_sheet *sheet)
{
	if (counts->packets == 0)
		return;
	for (unsigned direction = 0; direction < SN_TRAFFIC_NEITHER; direction++) {
		settle_l3(counts, sheet, direction);
		settle_ip(counts, sheet, direction);
		settle_classes(counts, sheet, direction, 0);
		settle_classes(counts, sheet, direction, 1);
		settle_anomalies(counts, sheet, direction);
	}
	sn_sheet_add_many(sheet, SN_HISTOGRAM_PROFILE_TRASH, 0, counts->trash);
	sn_sheet_add_many(sheet, SN_HISTOGRAM_L4_FLOW_NUMBER, 0, counts->tcp_flows);
	sn_sheet_add_many(sheet, SN_HISTOGRAM_L4_FLOW_NUMBER, 1, counts->udp_flows);
	memset(counts, 0, sizeof(*counts));
}
