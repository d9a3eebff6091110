/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of RTP and RTCP in a flow of UDP that is over: one sample each. */
#include "base/util.h"
#include "meter/app/rtp.h"
#include "meter/series/internal.h"

/* The protocol numbers of Tstat's log_mm_complete. */
enum { MEDIA_RTP = 3, MEDIA_RTCP = 4 };

static double mean(const struct sn_rtp_range *range)
{
	return range->count > 0 ? range->sum / (double)range->count : 0;
}

static double seconds_of(const struct sn_rtp_stream *stream)
{
	return (double)(stream->last_ns - stream->first_ns) / (double)SN_NS_PER_S;
}

static double bits_per_second(const struct sn_rtp_stream *stream)
{
	double seconds = seconds_of(stream);

	return seconds > 0 ? (double)stream->bytes * 8 / seconds : 0;
}

/* A jitter that is not known gives no sample. */
static void add_jitter(struct sn_sheet *sheet, unsigned id, const struct sn_rtp_jitter *jitter,
		       double scale)
{
	if (jitter->count > 0)
		sn_sheet_add(sheet, id, jitter->now * scale);
}

/* Of the packets that were sent as the sequence numbers tell. */
static double per_mille(uint64_t part, const struct sn_rtp_stream *stream)
{
	double sent = (double)(stream->packets + stream->lost);

	return sent > 0 ? (double)part * 1000 / sent : 0;
}

static void count_rtp(struct sn_sheet *sheet, const struct sn_rtp_stream *stream,
		      unsigned direction)
{
	double packets = (double)stream->packets, bytes = (double)stream->bytes;
	double seconds = seconds_of(stream);
	const struct {
		enum sn_histogram_id id;
		double value;
	} values[] = {
		{SN_HISTOGRAM_MM_TOT_TIME_IN, seconds},
		{SN_HISTOGRAM_MM_TOT_TIME_S_IN, seconds * 1000},
		{SN_HISTOGRAM_MM_CL_P_IN, packets},
		{SN_HISTOGRAM_MM_CL_P_S_IN, packets},
		{SN_HISTOGRAM_MM_CL_B_IN, bytes},
		{SN_HISTOGRAM_MM_CL_B_S_IN, bytes},
		{SN_HISTOGRAM_MM_AVG_BITRATE_IN, bits_per_second(stream) / 1000},
		{SN_HISTOGRAM_MM_AVG_IPG_IN, mean(&stream->gap_ms) * 10},
		{SN_HISTOGRAM_MM_N_OOS_IN, (double)stream->out_of_sequence},
		{SN_HISTOGRAM_MM_P_OOS_IN, per_mille(stream->out_of_sequence, stream)},
		{SN_HISTOGRAM_MM_P_DUP_IN, per_mille(stream->duplicates, stream)},
		{SN_HISTOGRAM_MM_P_LOST_IN, per_mille(stream->lost, stream)},
		{SN_HISTOGRAM_MM_P_LATE_IN, per_mille(stream->late, stream)},
	};

	for (size_t i = 0; i < SN_COUNT(values); i++)
		sn_sheet_add(sheet, values[i].id + direction, values[i].value);
	add_jitter(sheet, SN_HISTOGRAM_MM_AVG_JITTER_IN + direction,
		   &stream->jitter[SN_RTP_CLOCK_OWN], 10);
	for (unsigned i = 0; i < stream->type_count; i++)
		sn_sheet_add(sheet, SN_HISTOGRAM_MM_RTP_PT_IN + direction, stream->types[i].type);
}

static void count_rtcp(struct sn_sheet *sheet, const struct sn_rtp_stream *stream,
		       unsigned direction)
{
	const struct {
		enum sn_histogram_id id;
		double value;
	} values[] = {
		{SN_HISTOGRAM_RTCP_CL_P_IN, (double)stream->packets},
		{SN_HISTOGRAM_RTCP_CL_B_IN, (double)stream->bytes},
		{SN_HISTOGRAM_RTCP_AVG_INTER_IN, mean(&stream->gap_ms)},
		{SN_HISTOGRAM_RTCP_BT_IN, bits_per_second(stream)},
		{SN_HISTOGRAM_RTCP_T_LOST_IN, (double)stream->reported_lost},
		{SN_HISTOGRAM_RTCP_MM_CL_P_IN, (double)stream->report_packets},
		{SN_HISTOGRAM_RTCP_MM_CL_B_IN, (double)stream->report_bytes},
	};

	for (size_t i = 0; i < SN_COUNT(values); i++)
		sn_sheet_add(sheet, values[i].id + direction, values[i].value);
	if (stream->rtt_ms.count > 0)
		sn_sheet_add(sheet, SN_HISTOGRAM_RTCP_RTT_IN + direction, mean(&stream->rtt_ms));
	if (stream->reported_fraction.count > 0)
		sn_sheet_add(sheet, SN_HISTOGRAM_RTCP_F_LOST_IN + direction,
			     mean(&stream->reported_fraction) * 1000);
	if (seconds_of(stream) > 0)
		sn_sheet_add(sheet, SN_HISTOGRAM_RTCP_MM_BT_IN + direction,
			     (double)stream->report_bytes * 8 / seconds_of(stream) / 1000);
}

static bool is_multicast(const uint64_t address[2], uint8_t family)
{
	const uint8_t *ip = (const uint8_t *)address;

	return family == 4 ? ip[0] >> 4 == 14 : ip[0] == 0xff;
}

void sn_traffic_count_media(struct sn_sheet *sheet, const struct sn_udp_flow *udp,
			    const unsigned direction[2])
{
	const struct sn_flow *flow = &udp->flow;

	if (udp->app == NULL || udp->app->rtp == NULL)
		return;
	for (const struct sn_rtp_stream *stream = udp->app->rtp->first; stream != NULL;
	     stream = stream->next) {
		unsigned side = stream->side, where = direction[side];

		sn_sheet_add(sheet, SN_HISTOGRAM_MM_TYPE_IN + where,
			     stream->rtcp ? MEDIA_RTCP : MEDIA_RTP);
		sn_sheet_add(sheet, SN_HISTOGRAM_MM_UNI_MULTI_IN + where,
			     is_multicast(sn_flow_address(flow, !side), flow->key.family));
		if (stream->rtcp)
			count_rtcp(sheet, stream, where);
		else
			count_rtp(sheet, stream, where);
	}
}
