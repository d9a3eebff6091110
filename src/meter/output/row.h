/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row: a flow as a row of dataset `flow`.
 */
#ifndef SONDE_METER_OUTPUT_ROW_H
#define SONDE_METER_OUTPUT_ROW_H

#include "data/batch.h"
#include "meter/flow/flow.h"

/* Adds one row.  `source` is the text of the column `interface`; NULL leaves it null. */
void sn_flow_row(struct sn_batch *batch, const struct sn_flow *flow, enum sn_flow_end end,
		 const char *source);

const char *sn_flow_end_name(enum sn_flow_end end);
const char *sn_flow_protocol_name(uint8_t protocol); /* "tcp", "udp", "icmp", "icmp6" */

#define SN_FLOW_ADDRESS_MAX 46
/* Address of one side in canonical text (RFC 5952); `out` holds SN_FLOW_ADDRESS_MAX bytes. */
struct sn_str sn_flow_side_text(const struct sn_flow *flow, unsigned side, char *out);
/* The same for an address as in struct sn_decoded. */
struct sn_str sn_flow_address_text(uint8_t family, const uint64_t address[2], char *out);

#endif
