/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape: the kind of record that a flow needs, as a small number: address families
 * as told (either end may be dropped), protocol, who is internal, whether
 * networks or countries are known, and, of two records per flow, which one it is.  Each shape has
 * its template, so a value that does not exist is not in the record, and what was done to an
 * address can be said per template (RFC 6235, section 7).
 */
#ifndef SONDE_METER_IPFIX_SHAPE_H
#define SONDE_METER_IPFIX_SHAPE_H

#include "meter/view/view.h"

#define SN_IPFIX_SHAPES 576

enum sn_ipfix_kind { SN_IPFIX_TCP, SN_IPFIX_UDP, SN_IPFIX_ICMP, SN_IPFIX_ICMP6, SN_IPFIX_KINDS };

struct sn_ipfix_shape {
	unsigned from; /* side whose packets are "forward" */
	enum sn_ipfix_kind kind;
	uint8_t family[2]; /* SN_CLIENT, SN_SERVER; 0: dropped */
	bool internal[2];
	bool origins; /* network or country of an end is known */
};

/* `from`: SN_CLIENT, or SN_SERVER for the way back in a record of its own. */
uint16_t sn_ipfix_shape_of(const struct sn_view_flow *view, unsigned from);
void sn_ipfix_shape_read(uint16_t number, struct sn_ipfix_shape *shape);

#endif
