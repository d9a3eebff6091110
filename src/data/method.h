/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method: what can be asked of a node, as declarations.
 *
 * A method has a name, the program that runs it, parameters with types, ranges
 * and defaults, and the dataset of its rows.  The row here is the single source
 * for the CLI's options, the validation of tasks by hub and node, the API's
 * schema and the form in the browser.  How it is run is the program's business
 * (probe/methods.c, meter/).
 *
 * A node starts `<program> <verb> --json --<param> <value> ... [TARGET...]` and
 * reads rows as JSON Lines.
 */
#ifndef SONDE_DATA_METHOD_H
#define SONDE_DATA_METHOD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/dataset.h"

enum sn_param_type { /* text forms as in base/str.h */
		     SN_PARAM_TEXT,
		     SN_PARAM_FLAG,
		     SN_PARAM_COUNT,    /* integer */
		     SN_PARAM_DURATION, /* min and max in nanoseconds */
		     SN_PARAM_SIZE,     /* bytes */
		     SN_PARAM_TARGETS,  /* list of host names or addresses: the positional arguments
					 */
};

struct sn_param {
	const char *name; /* also the long option */
	char letter;
	enum sn_param_type type;
	const char *default_text; /* NULL: none */
	uint64_t min, max;
	const char *argument, *help;
	bool required;
};

struct sn_method {
	const char *name, *title, *help;
	const char *program; /* "sonde-probe", "sonde-meter" */
	const char *verb;    /* first argument, or NULL */
	const struct sn_dataset *dataset;
	const struct sn_param *params;
	size_t param_count;
	/* What parameters that have passed sn_method_check() ask for together; NULL: no matter. */
	int (*fits)(const json_t *parameters, struct sn_err *err);
};

extern const struct sn_method sn_method_ping;                          /* catalog/method_ping.c */
extern const struct sn_method sn_method_flow;                          /* catalog/method_flow.c */
extern const struct sn_method sn_method_tstat, sn_method_meter_switch; /* catalog/method_meter.c */

extern const struct sn_method *const sn_methods[];
extern const size_t sn_method_count;
const struct sn_method *sn_method_find(const char *name);
const struct sn_param *sn_method_param(const struct sn_method *method, const char *name);

/*
 * A task's parameters (JSON object; values as text, numbers or booleans) held
 * against the declaration: unknown names, wrong types and values out of range are
 * refused with the name, the reason and the nearest known name.
 */
int sn_method_check(const struct sn_method *method, const json_t *parameters, struct sn_err *err);

/*
 * Can what checked parameters ask for together be done at all?  -EINVAL names one of them and the
 * reason, as the program itself would have.
 */
int sn_method_fits(const struct sn_method *method, const json_t *parameters, struct sn_err *err);
/*
 * Of checked parameters a count, or a time in nanoseconds; its default, or 0, where there is none.
 * `name` is one that the method has.
 */
uint64_t sn_method_value(const struct sn_method *method, const json_t *parameters,
			 const char *name);

#define SN_METHOD_TARGETS_MAX 10000
#define SN_METHOD_ARGV_MAX    (SN_METHOD_TARGETS_MAX + 64)
/*
 * The command line for checked parameters: NULL-terminated, malloc'ed like each of its
 * strings; argv[0] is `program_path`.  Values never start with '-' (refused by check).
 */
char **sn_method_argv(const struct sn_method *method, const json_t *parameters,
		      const char *program_path);
void sn_method_argv_free(char **argv);

#endif
