/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/methods.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "probe/ping.h"

const struct sn_probe_method sn_probe_methods[] = {
	{&sn_method_ping, sn_probe_ping,
	 "sonde-probe ping 192.0.2.1 example.net\n"
	 "sonde-probe ping --json --period 10s --targets hosts.txt"},
};
const size_t sn_probe_method_count = SN_COUNT(sn_probe_methods);

/* Values ---------------------------------------------------------------------------------- */

static size_t index_of(const struct sn_method *method, const char *name)
{
	const struct sn_param *param = sn_method_param(method, name);

	assert(param != NULL);
	return (size_t)(param - method->params);
}

static const char *given_or_default(const struct sn_probe_request *request, const char *name)
{
	size_t i = index_of(request->method, name);
	const char *given = request->options->values[i];

	return given != NULL ? given : request->method->params[i].default_text;
}

static int read_duration(struct sn_str text, uint64_t *value)
{
	int64_t ns = 0;
	int rc = sn_parse_duration(text, &ns);

	*value = (uint64_t)ns;
	return rc;
}

static int read_count(struct sn_str text, uint64_t *value)
{
	return sn_parse_u64(text, 0, UINT64_MAX, value);
}

static void show_number(uint64_t value, char *out, size_t size)
{
	snprintf(out, size, "%" PRIu64, value);
}

static void show_duration(uint64_t value, char *out, size_t size)
{
	sn_format_duration((int64_t)value, out, size);
}

static const struct {
	int (*read)(struct sn_str text, uint64_t *value);
	void (*show)(uint64_t value, char *out, size_t size);
	const char *expected;
} number_types[] = {
	[SN_PARAM_COUNT] = {read_count, show_number, "a whole number"},
	[SN_PARAM_SIZE] = {sn_parse_size, show_number, "a size like 64 or 10kB"},
	[SN_PARAM_DURATION] = {read_duration, show_duration, "a time like 250ms, 10s or 1h30m"},
};

static int out_of_range(const struct sn_param *param, const char *text, struct sn_err *err)
{
	char low[SN_DURATION_TEXT_MAX], high[SN_DURATION_TEXT_MAX];

	number_types[param->type].show(param->min, low, sizeof(low));
	number_types[param->type].show(param->max, high, sizeof(high));
	return sn_err_set(err, -ERANGE, "option '--%s': '%s' is out of range (allowed: %s to %s)",
			  param->name, text, low, high);
}

int sn_probe_number(const struct sn_probe_request *request, const char *name, uint64_t *value,
		    struct sn_err *err)
{
	const struct sn_param *param = sn_method_param(request->method, name);
	const char *text = given_or_default(request, name);
	int rc;

	assert(param->type < SN_COUNT(number_types) && number_types[param->type].read != NULL);
	if (text == NULL)
		return -ENOENT;
	rc = number_types[param->type].read(sn_str(text), value);
	if (rc == -ERANGE || (rc == 0 && (param->min != 0 || param->max != 0) &&
			      (*value < param->min || *value > param->max)))
		return out_of_range(param, text, err);
	if (rc != 0)
		return sn_err_set(err, -EINVAL, "option '--%s': '%s' is not %s", name, text,
				  number_types[param->type].expected);
	return 0;
}

static bool is_choice(const struct sn_param *param, const char *text)
{
	struct sn_str rest = sn_str(param->argument), choice;

	while (sn_str_split(&rest, '|', &choice)) {
		if (sn_str_eqc(choice, text))
			return true;
	}
	return false;
}

int sn_probe_text(const struct sn_probe_request *request, const char *name, const char **value,
		  struct sn_err *err)
{
	const struct sn_param *param = sn_method_param(request->method, name);

	*value = given_or_default(request, name);
	if (*value == NULL || strchr(param->argument, '|') == NULL || is_choice(param, *value))
		return 0;
	return sn_err_set(err, -EINVAL, "option '--%s': '%s' is not one of %s", name, *value,
			  param->argument);
}

int sn_probe_never(const struct sn_probe_request *request, struct sn_prefixes *never,
		   struct sn_err *err)
{
	const char *file = request->options->never;

	return file != NULL ? sn_prefixes_load(never, file, err) : 0;
}

/* Command line ---------------------------------------------------------------------------- */

#define OPTION(member) offsetof(struct sn_probe_options, member)

static const struct sn_opt common_options[] = {
	{.name = "targets",
	 .letter = 'f',
	 .type = SN_OPT_TEXT,
	 .offset = OPTION(targets),
	 .argument = "FILE",
	 .help = "read targets from FILE (- is standard input), one a line, at most 1,000,000",
	 .group = "Targets and output"},
	{.name = "never-probe",
	 .type = SN_OPT_TEXT,
	 .offset = OPTION(never),
	 .argument = "FILE",
	 .help = "send nothing to addresses in the networks of FILE, one a line"},
	{.name = "json",
	 .type = SN_OPT_FLAG,
	 .offset = OPTION(json),
	 .help = "one JSON object per run and target on standard output"},
	{.name = "csv",
	 .type = SN_OPT_FLAG,
	 .offset = OPTION(csv),
	 .help = "the same rows as CSV with a header"},
	{.name = "quiet",
	 .letter = 'q',
	 .type = SN_OPT_FLAG,
	 .offset = OPTION(quiet),
	 .help = "for people: only the summary at the end"},
	{.name = "socket",
	 .type = SN_OPT_TEXTS,
	 .offset = OPTION(sockets),
	 .argument = "FD",
	 .help = "use this open ICMP socket instead of opening one; may be given twice"},
};

/* Values stay text until the method reads them: only so "not given" and 0 differ. */
static struct sn_opt option_for(const struct sn_method *method, size_t index)
{
	const struct sn_param *param = &method->params[index];
	bool flag = param->type == SN_PARAM_FLAG;
	const char *help = param->help;

	if (param->default_text != NULL)
		help = sn_xasprintf("%s (default %s)", param->help, param->default_text);
	return (struct sn_opt){
		.name = param->name,
		.letter = param->letter,
		.type = flag ? SN_OPT_FLAG : SN_OPT_TEXT,
		.offset = flag ? OPTION(flags) + index * sizeof(bool)
			       : OPTION(values) + index * sizeof(const char *),
		.argument = flag ? NULL : param->argument,
		.help = help,
		.group = "Options",
	};
}

static const struct sn_probe_method *method_of(const struct sn_verb *verb)
{
	for (size_t i = 0; i < sn_probe_method_count; i++) {
		if (strcmp(sn_probe_methods[i].method->verb, verb->path) == 0)
			return &sn_probe_methods[i];
	}
	return NULL;
}

static int run_method(const struct sn_verb *verb, void *options, int argc, char **argv)
{
	const struct sn_probe_method *method = method_of(verb);
	struct sn_probe_request request = {
		.options = options, .target_count = argc, .targets = argv};

	assert(method != NULL);
	request.method = method->method;
	if (request.options->json && request.options->csv)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "cannot print both JSON and CSV (choose --json or --csv)");
	return method->run(&request);
}

static struct sn_verb verb_for(const struct sn_probe_method *row)
{
	const struct sn_method *method = row->method;
	struct sn_opt *options =
		sn_new_n(struct sn_opt, method->param_count + SN_COUNT(common_options));
	const char *arguments = "";
	size_t count = 0;

	assert(method->param_count <= SN_PROBE_PARAMS_MAX);
	for (size_t i = 0; i < method->param_count; i++) {
		if (method->params[i].type == SN_PARAM_TARGETS)
			arguments = sn_xasprintf("[%s...]", method->params[i].argument);
		else
			options[count++] = option_for(method, i);
	}
	memcpy(options + count, common_options, sizeof(common_options));
	count += SN_COUNT(common_options);
	return (struct sn_verb){
		.path = method->verb,
		.arguments = arguments,
		.help = method->help,
		.examples = row->examples,
		.options = options,
		.option_count = count,
		.options_size = sizeof(struct sn_probe_options),
		.max_args = -1,
		.run = run_method,
	};
}

const struct sn_program *sn_probe_program(void)
{
	static struct sn_program program = {
		.name = "sonde-probe",
		.summary = "Active measurements from this machine.",
	};
	static struct sn_verb *verbs;

	if (verbs == NULL) {
		verbs = sn_new_n(struct sn_verb, sn_probe_method_count);
		for (size_t i = 0; i < sn_probe_method_count; i++)
			verbs[i] = verb_for(&sn_probe_methods[i]);
		program.verbs = verbs;
		program.verb_count = sn_probe_method_count;
	}
	return &program;
}
