/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/tcp/anomaly.h"

#include <math.h>

#define US(ns) ((double)(ns) / 1000)
/* Without round trips of both sides (times in microseconds). */
#define RTO_DEFAULT 500e3
#define RTT_DEFAULT 5e3
#define RTO_MIN     100e3
#define RTT_MIN     1e3
#define DUPLICATES  3

struct limits {
	double mean, min, rto; /* round trip of the whole path, microseconds */
	bool valid;
};

static double average(const struct sn_tcp_rtt *rtt)
{
	return rtt->sum_us / (rtt->count + 0.0001); /* Tstat divides so */
}

/* Standard deviation of the samples of both sides together. */
static double deviation(const struct sn_tcp_rtt *a, const struct sn_tcp_rtt *b)
{
	double n = (double)a->count + b->count;
	double sum = a->sum_us + b->sum_us, sum2 = a->sum2_us + b->sum2_us;

	return n > 2 ? sqrt(fmax(0, (sum2 - sum * sum / n) / (n - 1))) : 0;
}

static struct limits limits_of(const struct sn_tcp *tcp)
{
	const struct sn_tcp_rtt *a = &tcp->side[0].rtt, *b = &tcp->side[1].rtt;
	double mean = average(a) + average(b);

	if (a->count == 0 || b->count == 0)
		return (struct limits){.min = RTT_DEFAULT, .rto = RTO_DEFAULT, .mean = mean};
	return (struct limits){
		.mean = mean,
		.min = fmax(RTT_MIN, (double)a->min_us + b->min_us),
		.rto = fmax(RTO_MIN, mean + 4 * deviation(a, b)),
		.valid = true,
	};
}

/* Since what this one stands for was sent, negative: unknown. */
static double recovery_of(const struct sn_tcp_suspect *suspect, const struct limits *limits)
{
	const struct sn_segment *since = suspect->seen;

	if (since == NULL)
		since = suspect->previous;
	if (since == NULL && !limits->valid)
		since = suspect->next;
	return since != NULL ? US(sn_segment_age(since, suspect->time_ns)) : -1;
}

static enum sn_tcp_anomaly repeated(const struct sn_segment *seen, bool fast, bool timeout)
{
	if (fast)
		return seen->acked ? SN_TCP_NEEDLESS_FAST : SN_TCP_FAST;
	if (timeout)
		return seen->acked ? SN_TCP_NEEDLESS_RTO : SN_TCP_RTO;
	return SN_TCP_UNKNOWN;
}

enum sn_tcp_anomaly sn_tcp_anomaly_of(const struct sn_tcp *tcp,
				      const struct sn_tcp_suspect *suspect,
				      const struct sn_decoded *packet, unsigned side)
{
	const struct sn_segment *seen = suspect->seen, *previous = suspect->previous;
	struct limits limits = limits_of(tcp);
	double recovery = recovery_of(suspect, &limits);
	bool fast =
		previous != NULL && suspect->previous_acks > DUPLICATES && recovery < limits.rto;

	if (packet->payload_bytes == 1 && tcp->inner[side ^ 1U].closed_window &&
	    sn_tcp_has_handshake(tcp))
		return SN_TCP_FLOW_CONTROL;
	if (recovery < limits.mean && previous != NULL && previous->anomaly != SN_TCP_ANOMALIES)
		return previous->anomaly;
	if (seen != NULL && packet->has_ip_id && seen->ip_id == packet->ip_id)
		return SN_TCP_DUPLICATE;
	if (seen != NULL)
		return repeated(seen, fast, recovery > limits.rto);
	if (fast)
		return SN_TCP_FAST;
	if (recovery > limits.rto)
		return SN_TCP_RTO;
	return suspect->next != NULL &&
			       US(sn_segment_age(suspect->next, suspect->time_ns)) < limits.min
		       ? SN_TCP_REORDER
		       : SN_TCP_UNKNOWN;
}
