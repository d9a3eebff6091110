/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_row: a result as a row of dataset ping (data/catalog/ping.c).
 *
 * What is not known stays null.
 */
#ifndef SONDE_PROBE_REPORT_ROW_H
#define SONDE_PROBE_REPORT_ROW_H

#include "data/batch.h"
#include "probe/report.h"

void sn_report_row_add(struct sn_batch *batch, const struct sn_ping_result *result,
		       const struct sn_report_setting *setting);

#endif
