/* SPDX-License-Identifier: Apache-2.0 */
/*
 * methods: the methods that this program runs.
 *
 * The declarations (name, parameters, dataset) are in data/catalog/; a row here binds
 * one of them to the function that runs it.  Options, defaults, ranges and help come
 * from the declaration; what all methods share (--json, --csv, ...) is added here.
 * A new method is one row, its declaration and its own file.
 */
#ifndef SONDE_PROBE_METHODS_H
#define SONDE_PROBE_METHODS_H

#include <stdbool.h>

#include "base/cli.h"
#include "data/method.h"
#include "net/prefix.h"

#define SN_PROBE_PARAMS_MAX 32

struct sn_probe_options {
	const char *values[SN_PROBE_PARAMS_MAX]; /* by parameter; NULL: not given */
	bool flags[SN_PROBE_PARAMS_MAX];
	bool json, csv, quiet;
	const char *targets;         /* file of targets, "-" for standard input */
	struct sn_opt_texts sockets; /* descriptors of open sockets */
	const char *never;           /* file of networks that nothing may be sent to */
};

/* What was asked for; borrowed for the time of the run. */
struct sn_probe_request {
	const struct sn_method *method;
	const struct sn_probe_options *options;
	int target_count;
	char **targets;
};

/* Returns an exit code (base/cli.h). */
typedef int sn_probe_run_fn(const struct sn_probe_request *request);

struct sn_probe_method {
	const struct sn_method *method;
	sn_probe_run_fn *run;
	const char *examples;
};

extern const struct sn_probe_method sn_probe_methods[];
extern const size_t sn_probe_method_count;

/*
 * A count, size or duration (nanoseconds) as given or by default; -ENOENT if it is
 * neither, else -EINVAL or -ERANGE with a text for people.
 */
int sn_probe_number(const struct sn_probe_request *request, const char *param, uint64_t *value,
		    struct sn_err *err);
/* A text as given or by default, `*value` NULL if neither; one of "a|b" if it is a choice. */
int sn_probe_text(const struct sn_probe_request *request, const char *param, const char **value,
		  struct sn_err *err);

/*
 * The networks of --never-probe, empty without it.  To be read before privileges are given up;
 * each address is held against them before anything is sent to it.
 */
int sn_probe_never(const struct sn_probe_request *request, struct sn_prefixes *never,
		   struct sn_err *err);

/* The command line: one verb for each method. Built once, never freed. */
const struct sn_program *sn_probe_program(void);

#endif
