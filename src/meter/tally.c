/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tally.h"

const char *const sn_tally_names[SN_TALLY_KINDS] = {
	[SN_TALLY_TCP] = "tcp",
	[SN_TALLY_UDP] = "udp",
	[SN_TALLY_ICMP] = "icmp",
	[SN_TALLY_ICMP6] = "icmp6",
};

static enum sn_tally_protocol kind_of(uint8_t protocol)
{
	switch (protocol) {
	case SN_PROTO_TCP:
		return SN_TALLY_TCP;
	case SN_PROTO_UDP:
		return SN_TALLY_UDP;
	case SN_PROTO_ICMP6:
		return SN_TALLY_ICMP6;
	default:
		return SN_TALLY_ICMP;
	}
}

static void add(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static int take_flow(void *sink, const struct sn_view_flow *view)
{
	struct sn_tally *tally = sink;
	struct sn_tally_count *count = &tally->kinds[kind_of(view->flow->key.protocol)];
	const struct sn_flow_side *client = &view->period[SN_CLIENT];
	const struct sn_flow_side *server = &view->period[SN_SERVER];

	add(&count->reports[view->end], 1);
	add(&count->packets, client->packets + server->packets);
	add(&count->bytes, client->bytes + server->bytes);
	return 0;
}

static const struct sn_sink_ops ops = {.flow = take_flow};

struct sn_sink sn_tally_sink(struct sn_tally *tally)
{
	return (struct sn_sink){.ops = &ops, .sink = tally};
}
