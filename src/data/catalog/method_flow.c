/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "data/method.h"

static const struct sn_param params[] = {
	{.name = "interface",
	 .letter = 'i',
	 .type = SN_PARAM_TEXT,
	 .argument = "NAME",
	 .required = true,
	 .help = "interface to meter"},
	{.name = "filter",
	 .letter = 'f',
	 .type = SN_PARAM_TEXT,
	 .argument = "EXPRESSION",
	 .help = "capture filter (pcap-filter(7))"},
	{.name = "active-timeout",
	 .type = SN_PARAM_DURATION,
	 .default_text = "5s",
	 .min = 1 * SN_NS_PER_S,
	 .max = 86400 * SN_NS_PER_S,
	 .argument = "TIME",
	 .help = "report a flow that is still open after this long, then go on counting afresh"},
	{.name = "idle-timeout",
	 .type = SN_PARAM_DURATION,
	 .default_text = "10s",
	 .min = 1 * SN_NS_PER_S,
	 .max = 86400 * SN_NS_PER_S,
	 .argument = "TIME",
	 .help = "a flow without packets for this long is over"},
	{.name = "max-flows",
	 .type = SN_PARAM_COUNT,
	 .default_text = "100000",
	 .min = 16,
	 .max = 100000000,
	 .argument = "N",
	 .help = "flows in memory; when full the one that is longest idle is reported and leaves"},
};

const struct sn_method sn_method_flow = {
	.name = "flow",
	.title = "Flow meter",
	.help = "Passive metering of an interface into bidirectional flows.",
	.program = "sonde-meter",
	.verb = NULL,
	.dataset = &sn_dataset_flow,
	.params = params,
	.param_count = SN_COUNT(params),
};
