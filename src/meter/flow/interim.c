/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/interim.h"

/* Zero: nothing was in flight. */
static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

void sn_interim_begin(struct sn_interim *interim)
{
	struct sn_tcp_flow *tcp = sn_flow_tcp(interim->flow);

	interim->running = false;
	for (unsigned i = 0; i < 2; i++) {
		interim->side[i] = interim->flow->side[i];
		interim->later_fragments[i] = interim->flow->later_fragments[i];
		if (tcp == NULL)
			continue;

		struct sn_tcp_side *side = &tcp->tcp.side[i];

		interim->tcp[i] = side->n;
		interim->more[i].rtt_sum_us = side->rtt.sum_us;
		interim->more[i].rtt_count = side->rtt.count;
		interim->more[i].sacks = sn_tcp_trouble(&tcp->tcp, i)->sacks;
		interim->more[i].before_max = side->flight_max;
		interim->more[i].before_min = side->flight_min;
		side->flight_max = side->flight_min = 0;
	}
}

void sn_interim_complete(struct sn_interim *interim)
{
	struct sn_tcp_flow *tcp = sn_flow_tcp(interim->flow);

	for (unsigned i = 0; tcp != NULL && i < 2; i++) {
		struct sn_tcp_side *side = &tcp->tcp.side[i];

		interim->more[i].flight_max = side->flight_max;
		interim->more[i].flight_min = side->flight_min;
		side->flight_max = SN_MAX(side->flight_max, interim->more[i].before_max);
		side->flight_min = smaller(side->flight_min, interim->more[i].before_min);
	}
}
