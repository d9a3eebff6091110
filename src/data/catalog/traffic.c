/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "data/dataset.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"interface", SN_TYPE_TEXT, "", "interface or capture file"},
	{"step_seconds", SN_TYPE_I64, "s", "length of the step: 1, 60 or 300"},
	{"metric", SN_TYPE_TEXT, "", "histogram of Tstat that the value is of: ip_bitrate_in, ..."},
	{"stat", SN_TYPE_TEXT, "",
	 "avg, min, max, var, stdev or hit of its samples, idxN what lies at N, idxoth what lies "
	 "elsewhere, prcN their percentile"},
	{"label", SN_TYPE_TEXT, "", "word for N of idxN: tcp, tls, dns, ..."},
	{"value", SN_TYPE_F64, "", "in the unit of the metric; rates in bit/s"},
};

const struct sn_dataset sn_dataset_traffic = {
	.name = "traffic",
	.version = 1,
	.title = "Traffic",
	.help = "The series of a link: one value of one metric in one step.",
	.columns = columns,
	.column_count = SN_COUNT(columns),
	.key = "metric",
	.chart = "value",
};
