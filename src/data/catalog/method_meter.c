/* SPDX-License-Identifier: Apache-2.0 */
/* What a node's meters do besides flows: logs as Tstat's, and switching what is logged. */
#include "base/util.h"
#include "data/method.h"

#define INTERFACE                                                                                  \
	{                                                                                          \
		.name = "interface", .letter = 'i', .type = SN_PARAM_TEXT, .argument = "NAME",     \
		.required = true, .help = "interface to meter"                                     \
	}

static const struct sn_param tstat_params[] = {
	INTERFACE,
	{.name = "filter",
	 .letter = 'f',
	 .type = SN_PARAM_TEXT,
	 .argument = "EXPRESSION",
	 .help = "capture filter (pcap-filter(7))"},
	{.name = "datasets",
	 .type = SN_PARAM_TEXT,
	 .default_text = "tstat_tcp_complete,tstat_tcp_nocomplete,tstat_udp_complete,"
			 "tstat_http_complete",
	 .argument = "NAMES",
	 .help = "datasets whose rows are collected, too, with commas between; traffic: the series "
		 "of the link"},
	{.name = "max-flows",
	 .type = SN_PARAM_COUNT,
	 .default_text = "100000",
	 .min = 16,
	 .max = 100000000,
	 .argument = "N",
	 .help = "flows in memory; when full the one that is longest idle is reported and leaves"},
};

const struct sn_method sn_method_tstat = {
	.name = "tstat",
	.title = "Tstat logs",
	.help = "Passive metering of an interface into the logs that Tstat writes, by the hour.",
	.program = "sonde-meter",
	.verb = NULL,
	.dataset = &sn_dataset_tstat_tcp_complete,
	.params = tstat_params,
	.param_count = SN_COUNT(tstat_params),
};

static const struct sn_param switch_params[] = {
	{.name = "switch",
	 .type = SN_PARAM_TEXT,
	 .argument = "NAME=VALUE",
	 .required = true,
	 .help = "what to change, with commas between: log_http_complete=1"},
	{.name = "interface",
	 .letter = 'i',
	 .type = SN_PARAM_TEXT,
	 .argument = "NAME",
	 .help = "interface whose meter is meant (default: that of the only meter)"},
};

const struct sn_method sn_method_meter_switch = {
	.name = "meter-switch",
	.title = "Meter settings",
	.help = "Changes what a running meter logs, for as long as the measurement lasts; no rows.",
	.program = "sonde-meter",
	.verb = NULL,
	.dataset = &sn_dataset_tstat_tcp_complete,
	.params = switch_params,
	.param_count = SN_COUNT(switch_params),
};
