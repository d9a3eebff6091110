/* SPDX-License-Identifier: Apache-2.0 */
#include "base/util.h"
#include "data/method.h"
#include "data/ping_load.h"

static const struct sn_param params[] = {
	{.name = "targets",
	 .type = SN_PARAM_TARGETS,
	 .argument = "TARGET",
	 .required = true,
	 .help = "host names or addresses to ask"},
	{.name = "count",
	 .letter = 'c',
	 .type = SN_PARAM_COUNT,
	 .default_text = "5",
	 .min = 1,
	 .max = 65535,
	 .argument = "N",
	 .help = "echo requests per run and target"},
	{.name = "interval",
	 .letter = 'i',
	 .type = SN_PARAM_DURATION,
	 .default_text = "200ms",
	 .min = 1 * SN_NS_PER_MS,
	 .max = 3600 * SN_NS_PER_S,
	 .argument = "TIME",
	 .help = "time between two requests to one target"},
	{.name = "timeout",
	 .letter = 'W',
	 .type = SN_PARAM_DURATION,
	 .default_text = "1s",
	 .min = 1 * SN_NS_PER_MS,
	 .max = 60 * SN_NS_PER_S,
	 .argument = "TIME",
	 .help = "how long a reply may take; later ones count as lost"},
	{.name = "size",
	 .letter = 's',
	 .type = SN_PARAM_SIZE,
	 .default_text = "56",
	 .max = 65000,
	 .argument = "BYTES",
	 .help = "ICMP payload of each request"},
	{.name = "ttl",
	 .letter = 't',
	 .type = SN_PARAM_COUNT,
	 .default_text = "64",
	 .min = 1,
	 .max = 255,
	 .argument = "N",
	 .help = "hop limit"},
	{.name = "family",
	 .letter = 'F',
	 .type = SN_PARAM_TEXT,
	 .argument = "4|6",
	 .help = "IP version to use; without it what the name resolves to first"},
	{.name = "interface",
	 .letter = 'I',
	 .type = SN_PARAM_TEXT,
	 .argument = "NAME",
	 .help = "send and receive only on this interface"},
	{.name = "source",
	 .letter = 'S',
	 .type = SN_PARAM_TEXT,
	 .argument = "ADDRESS",
	 .help = "source address"},
	{.name = "period",
	 .letter = 'p',
	 .type = SN_PARAM_DURATION,
	 .min = 100 * SN_NS_PER_MS,
	 .max = 86400 * SN_NS_PER_S,
	 .argument = "TIME",
	 .help = "start a run at each multiple of this time, for ever; without it one run"},
};

static int fits(const json_t *parameters, struct sn_err *err)
{
	const json_t *targets = json_object_get(parameters, "targets");
	struct sn_ping_load load = {
		.targets = json_is_array(targets) ? json_array_size(targets) : 1,
		.count = sn_method_value(&sn_method_ping, parameters, "count"),
		.interval_ns = sn_method_value(&sn_method_ping, parameters, "interval"),
		.period_ns = sn_method_value(&sn_method_ping, parameters, "period"),
	};

	return sn_ping_load_check(&load, err) == 0 ? 0 : sn_err_wrap(err, "parameter 'count'");
}

const struct sn_method sn_method_ping = {
	.name = "ping",
	.title = "Ping",
	.help = "ICMP echo: loss and round-trip delay to many targets.",
	.program = "sonde-probe",
	.verb = "ping",
	.dataset = &sn_dataset_ping,
	.params = params,
	.param_count = SN_COUNT(params),
	.fits = fits,
};
