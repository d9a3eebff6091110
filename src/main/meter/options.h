/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: the command line of sonde-meter.
 *
 * Parameters that its methods declare (data/catalog/method_flow.c) come from
 * there, so that a task's parameter and an option are the same thing; the rest is
 * the table in options.c.
 */
#ifndef SONDE_MAIN_METER_OPTIONS_H
#define SONDE_MAIN_METER_OPTIONS_H

#include "base/cli.h"

#define METER_OPTIONS_MAX 96

enum meter_format { METER_SUMMARY, METER_JSON, METER_CSV, METER_TSTAT };

struct meter_options {
	/* Input */
	struct sn_opt_texts files;
	const char *interface, *filter;
	uint64_t capture_fd, snaplen, buffer_bytes, packets, workers;
	int64_t duration_ns;
	bool promiscuous, af_xdp;
	/* Metering */
	int64_t active_ns, idle_ns; /* 0: not given */
	uint64_t max_flows, max_segments;
	bool no_tunnels;
	const char *globals_conf;
	/* Who is inside, and how addresses and names are told */
	const char *internal, *stations, *cloud;
	const char *privacy, *privacy_key, *anonymise, *exempt, *key_value, *key_file, *key_base64;
	int64_t rotate_key_ns;
	bool encrypt_names, strict;
	struct sn_opt_texts mmdb;
	/* Output */
	const char *format, *datasets, *output, *directory, *runtime_conf, *level;
	uint64_t top, keep;
	bool json, csv, gzip;
	/* Export */
	const char *ipfix, *ipfix_ca, *ipfix_cert, *ipfix_key;
	uint64_t ipfix_domain, enterprise;
	bool uniflow;
	/* Series, control */
	const char *series, *rrd_conf, *control, *metrics;
	bool histograms, global;
	/* A lease on another meter's settings instead of metering */
	struct sn_opt_texts switches;
};

/* The rows of the table in METER_OPTIONS_MAX places; how many there are. */
size_t meter_options_table(struct sn_opt *table);
/* What was not given; `live`: of an interface. */
void meter_options_default(struct meter_options *options, bool live);
/* SN_EXIT_OK, or SN_EXIT_USAGE after it has said why. */
int meter_options_check(const struct meter_options *options, bool live, size_t files);
enum meter_format meter_options_format(const struct meter_options *options);
/* Dataset `traffic` is named. */
bool meter_options_want_traffic(const struct meter_options *options);

/* --switch (switch.c): an exit code. */
int meter_switch(const struct meter_options *options);

#endif
