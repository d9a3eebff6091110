/* SPDX-License-Identifier: Apache-2.0 */
#include "main/meter/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/util.h"
#include "data/method.h"
#include "meter/capture/ring.h"
#include "meter/output/summary.h"

#define SNAPLEN_MIN  64
#define PACKET_MAX   262144
#define TOP_DEFAULT  10
#define SEGMENTS_MAX 65535
#define YEAR_NS      (366 * 86400 * SN_NS_PER_S)
#define IPFIX_ID_MAX UINT32_MAX

#define OPT(name_, letter_, type_, member_, argument_, help_)                                      \
	.name = name_, .letter = letter_, .type = type_,                                           \
	.offset = offsetof(struct meter_options, member_), .argument = argument_, .help = help_

/* Where the parameters that the method declares go. */
static const struct {
	const char *name;
	size_t offset;
} method_members[] = {
	{"interface", offsetof(struct meter_options, interface)},
	{"filter", offsetof(struct meter_options, filter)},
	{"active-timeout", offsetof(struct meter_options, active_ns)},
	{"idle-timeout", offsetof(struct meter_options, idle_ns)},
	{"max-flows", offsetof(struct meter_options, max_flows)},
};

static const struct sn_opt own_options[] = {
	{OPT("max-segments", 0, SN_OPT_U64, max_segments, "N",
	     "segments remembered per direction of a connection"),
	 .min = 1, .max = SEGMENTS_MAX},
	{OPT("no-tunnels", 0, SN_OPT_FLAG, no_tunnels, NULL,
	     "meter tunnels themselves, not what is in them")},
	{OPT("globals-conf", 'G', SN_OPT_TEXT, globals_conf, "FILE",
	     "limits and timeouts as Tstat's globals.conf")},

	{OPT("read", 'r', SN_OPT_TEXTS, files, "FILE",
	     "meter a capture file, also compressed; - is standard input"),
	 .group = "Input"},
	{OPT("workers", 'w', SN_OPT_U64, workers, "N", "threads that meter (1)"), .min = 1,
	 .max = SN_RING_GROUP_MAX},
	{OPT("capture-fd", 0, SN_OPT_U64, capture_fd, "N",
	     "use this descriptor, a bound packet socket"),
	 .min = 3, .max = 65535},
	{OPT("af-xdp", 0, SN_OPT_FLAG, af_xdp, NULL, "capture by AF_XDP where the kernel can")},
	{OPT("promiscuous", 'p', SN_OPT_FLAG, promiscuous, NULL,
	     "also see frames for other stations")},
	{OPT("snaplen", 's', SN_OPT_SIZE, snaplen, "BYTES", "look at no more of each packet"),
	 .min = SNAPLEN_MIN, .max = PACKET_MAX},
	{OPT("buffer", 'B', SN_OPT_SIZE, buffer_bytes, "SIZE", "capture ring in the kernel"),
	 .min = SN_RING_BUFFER_MIN, .max = SN_RING_BUFFER_MAX},
	{OPT("packets", 'n', SN_OPT_U64, packets, "N", "stop after this many packets"), .min = 1,
	 .max = UINT64_MAX},
	{OPT("duration", 'd', SN_OPT_DURATION, duration_ns, "TIME", "stop after this time"),
	 .min = SN_NS_PER_MS, .max = INT64_MAX},

	{OPT("internal", 'N', SN_OPT_TEXT, internal, "FILE", "networks that are inside"),
	 .group = "Inside and outside"},
	{OPT("internal-stations", 'M', SN_OPT_TEXT, stations, "FILE",
	     "MAC addresses that are inside; then networks are not asked")},
	{OPT("cloud", 'C', SN_OPT_TEXT, cloud, "FILE", "networks with series of their own")},
	{OPT("mmdb", 0, SN_OPT_TEXTS, mmdb, "FILE",
	     "MaxMind database of origin networks or countries; several")},

	{OPT("privacy", 0, SN_OPT_TEXT, privacy, "FILE", "which field is told how"),
	 .group = "Privacy"},
	{OPT("privacy-key", 0, SN_OPT_TEXT, privacy_key, "FILE",
	     "its key, made when missing (default: a random one)")},
	{OPT("rotate-key", 0, SN_OPT_DURATION, rotate_key_ns, "TIME", "a new random key so often"),
	 .min = SN_NS_PER_S, .max = YEAR_NS},
	{OPT("anonymise", 'Y', SN_OPT_TEXT, anonymise, "FILE",
	     "Tstat's way: encrypt addresses in these networks")},
	{OPT("exempt", 'W', SN_OPT_TEXT, exempt, "FILE", "but not in these")},
	{OPT("key-value", 0, SN_OPT_TEXT, key_value, "TEXT", "with this key")},
	{OPT("key-file", 0, SN_OPT_TEXT, key_file, "FILE",
	     "with the key on the first line of this file")},
	{OPT("key-base64", 0, SN_OPT_TEXT, key_base64, "FILE", "with the key in this file")},
	{OPT("encrypt-names", 0, SN_OPT_FLAG, encrypt_names, NULL, "encrypt names, too")},
	{OPT("strict", '0', SN_OPT_FLAG, strict, NULL, "no URLs, no identifiers of videos")},

	{OPT("format", 0, SN_OPT_TEXT, format, "FORMAT", "summary, json, csv or tstat"),
	 .group = "Output"},
	{OPT("json", 'j', SN_OPT_FLAG, json, NULL, "the same as --format json")},
	{OPT("csv", 0, SN_OPT_FLAG, csv, NULL, "the same as --format csv")},
	{OPT("datasets", 0, SN_OPT_TEXT, datasets, "NAMES",
	     "rows of these datasets, with commas between (flow)")},
	{OPT("output", 'o', SN_OPT_TEXT, output, "FILE",
	     "write rows here and the summary to standard output")},
	{OPT("directory", 'D', SN_OPT_TEXT, directory, "DIR", "write Tstat's logs here")},
	{OPT("runtime-conf", 'T', SN_OPT_TEXT, runtime_conf, "FILE",
	     "which logs and columns, as Tstat's runtime.conf; read again when it changes")},
	{OPT("gzip", 'Z', SN_OPT_FLAG, gzip, NULL, "compress the logs")},
	{OPT("keep", 0, SN_OPT_U64, keep, "N", "keep so many newest directories of logs (all)"),
	 .min = 1, .max = 1000000},
	{OPT("top", 0, SN_OPT_U64, top, "N", "lines in the lists of the summary"), .min = 1,
	 .max = SN_SUMMARY_TOP_MAX},

	{OPT("series", 0, SN_OPT_TEXT, series, "STEPS",
	     "rows of dataset traffic, each 1s, 1m, 5m (with commas between)"),
	 .group = "Series"},
	{OPT("rrd-conf", 'R', SN_OPT_TEXT, rrd_conf, "FILE", "which metrics, as Tstat's rrd.conf")},
	{OPT("histograms", 'H', SN_OPT_FLAG, histograms, NULL,
	     "histogram files in the directories of the logs")},
	{OPT("global-histograms", 'g', SN_OPT_FLAG, global, NULL, "those of the whole run, too")},

	{OPT("ipfix", 0, SN_OPT_TEXT, ipfix, "WHERE",
	     "send flows as IPFIX to udp:, tcp: or tls:HOST:PORT, or to file:PATH"),
	 .group = "Export"},
	{OPT("ipfix-domain", 0, SN_OPT_U64, ipfix_domain, "N", "observation domain (1)"), .min = 1,
	 .max = IPFIX_ID_MAX},
	{OPT("enterprise", 0, SN_OPT_U64, enterprise, "N",
	     "number for elements of our own: round trips, losses, names (none)"),
	 .min = 1, .max = IPFIX_ID_MAX},
	{OPT("uniflow", 0, SN_OPT_FLAG, uniflow, NULL, "two records for each flow")},
	{OPT("ipfix-ca", 0, SN_OPT_TEXT, ipfix_ca, "FILE",
	     "who may sign the collector's certificate")},
	{OPT("ipfix-cert", 0, SN_OPT_TEXT, ipfix_cert, "FILE", "our certificate")},
	{OPT("ipfix-key", 0, SN_OPT_TEXT, ipfix_key, "FILE", "its key")},

	{OPT("control", 0, SN_OPT_TEXT, control, "SOCKET",
	     "answer here while running: settings, counts, metrics"),
	 .group = "Control"},
	{OPT("metrics", 0, SN_OPT_TEXT, metrics, "ADDRESS:PORT",
	     "numbers for Prometheus on loopback while running")},
	{OPT("switch", 0, SN_OPT_TEXTS, switches, "NAME=VALUE",
	     "do not meter: change this (more with commas) at the meter behind --control, for as "
	     "long as we run")},
};
_Static_assert(SN_COUNT(own_options) + SN_COUNT(method_members) <= METER_OPTIONS_MAX,
	       "the table is large enough");

static enum sn_opt_type option_type(enum sn_param_type type)
{
	static const enum sn_opt_type types[] = {
		[SN_PARAM_TEXT] = SN_OPT_TEXT, [SN_PARAM_FLAG] = SN_OPT_FLAG,
		[SN_PARAM_COUNT] = SN_OPT_U64, [SN_PARAM_DURATION] = SN_OPT_DURATION,
		[SN_PARAM_SIZE] = SN_OPT_SIZE, [SN_PARAM_TARGETS] = SN_OPT_TEXTS,
	};

	return types[type];
}

static size_t method_offset(const char *name)
{
	for (size_t i = 0; i < SN_COUNT(method_members); i++)
		if (strcmp(method_members[i].name, name) == 0)
			return method_members[i].offset;
	fprintf(stderr, "sonde-meter: no place for parameter '%s'\n", name);
	abort();
}

size_t meter_options_table(struct sn_opt *table)
{
	size_t count = 0;

	for (size_t i = 0; i < sn_method_flow.param_count; i++) {
		const struct sn_param *param = &sn_method_flow.params[i];

		table[count++] = (struct sn_opt){
			.name = param->name,
			.letter = param->letter,
			.type = option_type(param->type),
			.offset = method_offset(param->name),
			.argument = param->argument,
			.help = param->help,
			.min = param->min,
			.max = param->max,
			.group = i == 0 ? "Metering" : NULL,
		};
	}
	for (size_t i = 0; i < SN_COUNT(own_options); i++)
		table[count++] = own_options[i];
	return count;
}

/* Defaults ------------------------------------------------------------------ */

static const char *method_default(const char *name)
{
	return sn_method_param(&sn_method_flow, name)->default_text;
}

/* Declared defaults are for a live interface; of a file people want one row per connection. */
static void default_timeouts(struct meter_options *options, bool live)
{
	bool as_tstat = options->directory != NULL;

	if (options->idle_ns == 0 && live && !as_tstat)
		sn_parse_duration(sn_str(method_default("idle-timeout")), &options->idle_ns);
	if (options->active_ns == 0 && live && !as_tstat)
		sn_parse_duration(sn_str(method_default("active-timeout")), &options->active_ns);
}

void meter_options_default(struct meter_options *options, bool live)
{
	default_timeouts(options, live);
	if (options->max_flows == 0)
		sn_parse_u64(sn_str(method_default("max-flows")), 1, UINT64_MAX,
			     &options->max_flows);
	if (options->snaplen == 0)
		options->snaplen = PACKET_MAX;
	if (options->buffer_bytes == 0)
		options->buffer_bytes = SN_RING_BUFFER_DEFAULT;
	/* Who writes logs has there what the lists would tell. */
	if (options->top == 0 && options->directory == NULL)
		options->top = TOP_DEFAULT;
	if (options->workers == 0)
		options->workers = 1;
	if (options->ipfix_domain == 0)
		options->ipfix_domain = 1;
}

/* Checks ---------------------------------------------------------------------- */

static const char *const formats[] = {
	[METER_SUMMARY] = "summary",
	[METER_JSON] = "json",
	[METER_CSV] = "csv",
	[METER_TSTAT] = "tstat",
};

enum meter_format meter_options_format(const struct meter_options *options)
{
	if (options->json)
		return METER_JSON;
	if (options->csv)
		return METER_CSV;
	for (size_t i = 0; options->format != NULL && i < SN_COUNT(formats); i++)
		if (strcmp(options->format, formats[i]) == 0)
			return (enum meter_format)i;
	return METER_SUMMARY;
}

bool meter_options_want_traffic(const struct meter_options *options)
{
	struct sn_str rest = sn_str(options->datasets != NULL ? options->datasets : ""), name;

	while (rest.n > 0 && sn_str_split(&rest, ',', &name))
		if (sn_str_eqc(sn_str_trim(name), "traffic"))
			return true;
	return false;
}

static bool is_format(const char *name)
{
	for (size_t i = 0; i < SN_COUNT(formats); i++)
		if (strcmp(name, formats[i]) == 0)
			return true;
	return false;
}

static const char *format_problem(const struct meter_options *o)
{
	enum meter_format format = meter_options_format(o);

	if ((int)o->json + o->csv + (o->format != NULL) > 1)
		return "options '--format', '--json' and '--csv' exclude each other (rows beside "
		       "logs or a summary: '--output FILE')";
	if (format == METER_TSTAT && o->directory == NULL)
		return "format tstat needs '--directory DIR'";
	if ((o->runtime_conf != NULL || o->gzip || o->keep > 0 || o->histograms) &&
	    o->directory == NULL)
		return "'--runtime-conf', '--gzip', '--keep' and '--histograms' need '--directory "
		       "DIR'";
	if (o->global && !o->histograms)
		return "'--global-histograms' goes with '--histograms'";
	if (o->datasets != NULL && format != METER_JSON && format != METER_CSV && o->output == NULL)
		return "'--datasets' goes with '--json', '--csv' or '--output FILE'";
	if (o->rrd_conf != NULL && o->series == NULL && o->directory == NULL &&
	    !meter_options_want_traffic(o))
		return "'--rrd-conf' goes with '--series', '--datasets traffic' or '--histograms'";
	return NULL;
}

static const char *privacy_problem(const struct meter_options *o)
{
	if (o->anonymise == NULL &&
	    (o->exempt != NULL || o->key_value != NULL || o->key_file != NULL ||
	     o->key_base64 != NULL || o->encrypt_names))
		return "'--exempt', '--key-value', '--key-file', '--key-base64' and "
		       "'--encrypt-names' go with "
		       "'--anonymise'";
	if ((o->key_value != NULL) + (o->key_file != NULL) + (o->key_base64 != NULL) > 1)
		return "options '--key-value', '--key-file' and '--key-base64' exclude each other";
	if (o->privacy != NULL && o->anonymise != NULL)
		return "options '--privacy' and '--anonymise' exclude each other";
	if (o->privacy_key != NULL && o->rotate_key_ns > 0)
		return "a key from a file is not rotated: leave '--privacy-key' or '--rotate-key' "
		       "out";
	return NULL;
}

static const char *problem(const struct meter_options *o, bool live, size_t files)
{
	const char *text = format_problem(o);

	if (o->switches.count > 0)
		return o->control == NULL ? "'--switch' needs '--control SOCKET'" : NULL;
	if (live && files > 0)
		return "cannot meter files and an interface in one run";
	if (!live && files == 0)
		return "nothing to meter (give --interface NAME or --read FILE)";
	if (o->ipfix == NULL && (o->uniflow || o->enterprise > 0 || o->ipfix_ca != NULL))
		return "'--uniflow', '--enterprise' and '--ipfix-ca' go with '--ipfix'";
	if (text == NULL)
		text = privacy_problem(o);
	return text;
}

int meter_options_check(const struct meter_options *options, bool live, size_t files)
{
	const char *text;

	if (options->format != NULL && !is_format(options->format)) {
		const char *near = sn_suggest(options->format, formats, SN_COUNT(formats));

		return sn_cli_fail(SN_EXIT_USAGE,
				   near != NULL ? "no format is called '%s' (did you mean '%s'?)"
						: "no format is called '%s' (summary, json, csv or "
						  "tstat)%s",
				   options->format, near != NULL ? near : "");
	}
	text = problem(options, live, files);
	return text == NULL ? SN_EXIT_OK : sn_cli_fail(SN_EXIT_USAGE, "%s", text);
}
