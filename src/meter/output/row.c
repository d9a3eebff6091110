/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/row.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/util.h"

#define COLUMNS(X)                                                                                 \
	X(c_ip)                                                                                    \
	X(c_port)                                                                                  \
	X(s_ip)                                                                                    \
	X(s_port)                                                                                  \
	X(protocol)                                                                                \
	X(interface)                                                                               \
	X(last_time)                                                                               \
	X(duration_seconds)                                                                        \
	X(c_packets)                                                                               \
	X(s_packets)                                                                               \
	X(c_bytes)                                                                                 \
	X(s_bytes)                                                                                 \
	X(c_payload_bytes)                                                                         \
	X(s_payload_bytes)                                                                         \
	X(handshake_rtt_seconds)                                                                   \
	X(s_handshake_rtt_seconds)                                                                 \
	X(c_handshake_rtt_seconds)                                                                 \
	X(tcp_flags)                                                                               \
	X(state)                                                                                   \
	X(end)

enum {
#define ENUM(name) COL_##name,
	COLUMNS(ENUM)
#undef ENUM
		COL_COUNT
};

/* Positions in the declaration, found by name once: the declaration may grow and move. */
static const int *positions(void)
{
	static const char *const names[] = {
#define NAME(name) #name,
		COLUMNS(NAME)
#undef NAME
	};
	static int found[COL_COUNT];
	static bool done;

	for (size_t i = 0; !done && i < COL_COUNT; i++) {
		found[i] = sn_dataset_column(&sn_dataset_flow, names[i]);
		assert(found[i] >= 0);
	}
	done = true;
	return found;
}

const char *sn_flow_end_name(enum sn_flow_end end)
{
	static const char *const names[] = {
		[SN_END_CLOSED] = "closed", [SN_END_IDLE] = "idle", [SN_END_ACTIVE] = "active",
		[SN_END_FULL] = "full",     [SN_END_END] = "end",
	};

	return names[end];
}

const char *sn_flow_protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case SN_PROTO_TCP:
		return "tcp";
	case SN_PROTO_UDP:
		return "udp";
	case SN_PROTO_ICMP:
		return "icmp";
	default:
		return "icmp6";
	}
}

/* inet_ntop(3) goes through printf; this is the most frequent text of all. */
static struct sn_str ipv4_text(const uint8_t address[4], char *out)
{
	char *p = out;

	for (int i = 0; i < 4; i++) {
		unsigned value = address[i];

		if (value >= 100)
			*p++ = (char)('0' + value / 100);
		if (value >= 10)
			*p++ = (char)('0' + value / 10 % 10);
		*p++ = (char)('0' + value % 10);
		*p++ = '.';
	}
	*--p = '\0';
	return (struct sn_str){out, (size_t)(p - out)};
}

struct sn_str sn_flow_address_text(uint8_t family, const uint64_t address[2], char *out)
{
	uint8_t bytes[16];

	memcpy(bytes, address, sizeof(bytes));
	if (family == 4)
		return ipv4_text(bytes, out);
	inet_ntop(AF_INET6, bytes, out, SN_FLOW_ADDRESS_MAX);
	return sn_str(out);
}

struct sn_str sn_flow_side_text(const struct sn_flow *flow, unsigned side, char *out)
{
	return sn_flow_address_text(flow->key.family, sn_flow_address(flow, side), out);
}

static bool is_icmp(const struct sn_flow *flow)
{
	return flow->key.protocol == SN_PROTO_ICMP || flow->key.protocol == SN_PROTO_ICMP6;
}

static void set_text(struct sn_batch *batch, int column, const char *text)
{
	sn_batch_set_text(batch, column, sn_str(text));
}

static void set_ends(struct sn_batch *batch, const int *at, const struct sn_flow *flow)
{
	char text[SN_FLOW_ADDRESS_MAX];
	uint16_t server_port = sn_flow_port(flow, SN_SERVER);

	sn_batch_set_text(batch, at[COL_c_ip], sn_flow_side_text(flow, SN_CLIENT, text));
	sn_batch_set_text(batch, at[COL_s_ip], sn_flow_side_text(flow, SN_SERVER, text));
	if (!is_icmp(flow) ||
	    sn_decode_icmp_has_id(flow->key.protocol, (uint8_t)(server_port >> 8)))
		sn_batch_set_i64(batch, at[COL_c_port], sn_flow_port(flow, SN_CLIENT));
	sn_batch_set_i64(batch, at[COL_s_port], server_port);
	set_text(batch, at[COL_protocol], sn_flow_protocol_name(flow->key.protocol));
}

static void set_counters(struct sn_batch *batch, const int *at, const struct sn_flow *flow)
{
	struct sn_flow_side c = sn_flow_period(flow, SN_CLIENT);
	struct sn_flow_side s = sn_flow_period(flow, SN_SERVER);

	sn_batch_set_i64(batch, at[COL_c_packets], (int64_t)c.packets);
	sn_batch_set_i64(batch, at[COL_s_packets], (int64_t)s.packets);
	sn_batch_set_i64(batch, at[COL_c_bytes], (int64_t)c.bytes);
	sn_batch_set_i64(batch, at[COL_s_bytes], (int64_t)s.bytes);
	sn_batch_set_i64(batch, at[COL_c_payload_bytes], (int64_t)c.payload);
	sn_batch_set_i64(batch, at[COL_s_payload_bytes], (int64_t)s.payload);
}

static void set_rtt(struct sn_batch *batch, int column, int64_t rtt_ns)
{
	if (rtt_ns != SN_TCP_RTT_NONE)
		sn_batch_set_f64(batch, column, (double)rtt_ns / SN_NS_PER_S);
}

static const char *state_of(const struct sn_tcp *tcp, enum sn_flow_end end)
{
	if (tcp->reset)
		return "reset";
	if (!sn_tcp_has_handshake(tcp))
		return "partial";
	return end == SN_END_CLOSED ? "complete" : "open";
}

static void set_tcp(struct sn_batch *batch, const int *at, const struct sn_tcp *tcp,
		    int64_t first_ns, enum sn_flow_end end)
{
	static const char letters[] = "FSRPAUEC";
	char flags[sizeof(letters)];
	size_t n = 0;

	/* Interim reports tell each round trip once. */
	if (tcp->synack_ns >= first_ns)
		set_rtt(batch, at[COL_s_handshake_rtt_seconds], sn_tcp_server_rtt(tcp));
	if (tcp->handshake_ns >= first_ns) {
		set_rtt(batch, at[COL_handshake_rtt_seconds], sn_tcp_handshake_rtt(tcp));
		set_rtt(batch, at[COL_c_handshake_rtt_seconds], sn_tcp_client_rtt(tcp));
	}
	for (unsigned i = 0; i < 8; i++)
		if ((tcp->flags >> i & 1) != 0)
			flags[n++] = letters[i];
	sn_batch_set_text(batch, at[COL_tcp_flags], (struct sn_str){flags, n});
	set_text(batch, at[COL_state], state_of(tcp, end));
}

void sn_flow_row(struct sn_batch *batch, const struct sn_flow *flow, enum sn_flow_end end,
		 const char *source)
{
	const int *at = positions();
	const struct sn_tcp_flow *tcp = sn_flow_tcp(flow);
	int64_t first_ns = sn_flow_period_first_ns(flow);

	sn_batch_add_row(batch);
	sn_batch_set_time(batch, SN_COL_TIME, first_ns);
	set_ends(batch, at, flow);
	if (source != NULL)
		set_text(batch, at[COL_interface], source);
	sn_batch_set_time(batch, at[COL_last_time], flow->last_ns);
	sn_batch_set_f64(batch, at[COL_duration_seconds],
			 (double)SN_MAX(flow->last_ns - first_ns, 0) / SN_NS_PER_S);
	set_counters(batch, at, flow);
	if (tcp != NULL)
		set_tcp(batch, at, &tcp->tcp, first_ns, end);
	set_text(batch, at[COL_end], sn_flow_end_name(end));
}
