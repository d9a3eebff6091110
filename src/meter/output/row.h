/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row: a flow as a row of dataset `flow`, a record of Tstat's logs as a row of the
 * dataset that goes with it; and words for what is in them.
 */
#ifndef SONDE_METER_OUTPUT_ROW_H
#define SONDE_METER_OUTPUT_ROW_H

#include "meter/output/cell.h"
#include "meter/view/view.h"

struct sn_record; /* log/record.h */

/* Fill all cells of a row; `cells` holds as many as the dataset has columns. */
void sn_row_flow(const struct sn_view_flow *view, struct sn_cell *cells);
/* Into the row of `record->table->dataset`; `time_ns`: when it began. */
void sn_row_tstat(const struct sn_record *record, int64_t time_ns, struct sn_cell *cells);

const char *sn_flow_end_name(enum sn_flow_end end);
const char *sn_flow_protocol_name(uint8_t protocol); /* "tcp", "udp", "icmp", "icmp6" */

#endif
