/* SPDX-License-Identifier: Apache-2.0 */
#include "data/method.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/scalar.h"

#define VALUE_MAX      4096 /* bytes of one parameter's text */
#define HOST_BYTES_MAX 253  /* RFC 1035, section 2.3.4, without the root's dot */
#define LABEL_MAX      63
#define NUMBER_MAX     32 /* an integer as text */

const struct sn_param *sn_method_param(const struct sn_method *method, const char *name)
{
	for (size_t i = 0; i < method->param_count; i++)
		if (strcmp(method->params[i].name, name) == 0)
			return &method->params[i];
	return NULL;
}

/* Checks ----------------------------------------------------------------- */

/* Where a check stands, for its message. */
struct check {
	const struct sn_param *param;
	struct sn_err *err;
};

static int refuse(const struct check *check, const char *reason)
{
	return sn_err_set(check->err, -EINVAL, "parameter '%s' %s", check->param->name, reason);
}

static bool has_bound(const struct sn_param *param)
{
	return param->min != 0 || param->max != 0;
}

/* A bound as one would write it. */
static const char *bound_text(const struct sn_param *param, uint64_t bound, char *out, size_t size)
{
	if (param->type == SN_PARAM_DURATION)
		return sn_format_duration((int64_t)bound, out, size);
	snprintf(out, size, "%" PRIu64, bound);
	return out;
}

static int check_range(const struct check *check, uint64_t value)
{
	const struct sn_param *param = check->param;
	char min[SN_DURATION_TEXT_MAX], max[SN_DURATION_TEXT_MAX];

	if (!has_bound(param) || (value >= param->min && (param->max == 0 || value <= param->max)))
		return 0;
	bound_text(param, param->min, min, sizeof(min));
	bound_text(param, param->max, max, sizeof(max));
	if (param->max == 0)
		return sn_err_set(check->err, -ERANGE, "parameter '%s' is less than %s",
				  param->name, min);
	return sn_err_set(check->err, -ERANGE, "parameter '%s' is outside of %s to %s", param->name,
			  min, max);
}

static int check_number(const struct check *check, int rc, uint64_t value, const char *reason)
{
	if (rc == -ERANGE)
		return check_range(check, UINT64_MAX) != 0 ? -ERANGE : refuse(check, reason);
	return rc != 0 ? refuse(check, reason) : check_range(check, value);
}

static int check_count(const struct check *check, struct sn_str text)
{
	uint64_t value = 0;
	int rc = sn_parse_u64(text, 0, UINT64_MAX, &value);

	return check_number(check, rc, value, "is not a whole number");
}

static int check_size(const struct check *check, struct sn_str text)
{
	uint64_t value = 0;
	int rc = sn_parse_size(text, &value);

	return check_number(check, rc, value, "is not a size (write it like 64 or 10kB)");
}

static int check_duration(const struct check *check, struct sn_str text)
{
	int64_t value = 0;
	int rc = sn_parse_duration(text, &value);

	return check_number(check, rc, (uint64_t)value,
			    "is not a time (write it with its unit, like \"200ms\" or \"10s\")");
}

/* "4|6" as the name of an argument is the list of what it may be. */
static int check_choice(const struct check *check, struct sn_str text)
{
	struct sn_str rest = sn_str(check->param->argument), choice;

	while (sn_str_split(&rest, '|', &choice))
		if (sn_str_eq(choice, text))
			return 0;
	return sn_err_set(check->err, -EINVAL, "parameter '%s' is none of %s", check->param->name,
			  check->param->argument);
}

static int check_text(const struct check *check, struct sn_str text)
{
	if (text.n == 0)
		return refuse(check, "is empty");
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return refuse(check, "has a control character");
	if (check->param->argument != NULL && strchr(check->param->argument, '|') != NULL)
		return check_choice(check, text);
	return 0;
}

static int check_flag(const struct check *check, struct sn_str text)
{
	bool value;

	return sn_parse_bool(text, &value) == 0 ? 0 : refuse(check, "is not true or false");
}

/* The rule that keeps a value from being read as an option by the program it is handed to. */
static int check_value(const struct check *check, struct sn_str text)
{
	static int (*const checks[])(const struct check *, struct sn_str) = {
		[SN_PARAM_TEXT] = check_text,         [SN_PARAM_FLAG] = check_flag,
		[SN_PARAM_COUNT] = check_count,       [SN_PARAM_SIZE] = check_size,
		[SN_PARAM_DURATION] = check_duration,
	};

	if (text.n > VALUE_MAX)
		return refuse(check, "is too long");
	if (text.n > 0 && text.p[0] == '-')
		return refuse(check, "begins with '-'");
	return checks[check->param->type](check, text);
}

/* Targets ---------------------------------------------------------------- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits and inner hyphens (RFC 952, RFC 1123 section 2.1). */
static bool is_label(struct sn_str label)
{
	if (label.n == 0 || label.n > LABEL_MAX || !is_alnum(label.p[0]) ||
	    !is_alnum(label.p[label.n - 1]))
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

static bool is_host_name(struct sn_str name)
{
	struct sn_str label;
	uint64_t number;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > HOST_BYTES_MAX || name.p[name.n - 1] == '.')
		return false;
	do {
		if (!sn_str_split(&name, '.', &label) || !is_label(label))
			return false;
	} while (name.n > 0);
	/* "10.1.300.4" and "1.2" are spoilt addresses, not names (RFC 1123, section 2.1). */
	return sn_parse_u64(label, 0, UINT64_MAX, &number) == -EINVAL;
}

static bool is_interface(struct sn_str name)
{
	if (name.n == 0 || name.n >= IF_NAMESIZE)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!is_alnum(name.p[i]) && memchr(".-_", name.p[i], 3) == NULL)
			return false;
	return true;
}

/* "fe80::1%eth0": the zone is the name of an interface. */
static bool is_ipv6(char *text)
{
	struct in6_addr address;
	char *zone = strchr(text, '%');

	if (zone != NULL) {
		*zone++ = '\0';
		if (!is_interface(sn_str(zone)))
			return false;
	}
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_target(struct sn_str text)
{
	char copy[HOST_BYTES_MAX + 2];
	struct in_addr address;

	if (text.n == 0 || text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return inet_pton(AF_INET, copy, &address) == 1 || is_host_name(text) || is_ipv6(copy);
}

static int check_target(const struct check *check, size_t index, const json_t *target)
{
	if (!json_is_string(target))
		return sn_err_set(check->err, -EINVAL, "parameter '%s': number %zu is not a text",
				  check->param->name, index + 1);
	if (!is_target((struct sn_str){json_string_value(target), json_string_length(target)}))
		return sn_err_set(
			check->err, -EINVAL,
			"parameter '%s': number %zu is neither an address nor a host name",
			check->param->name, index + 1);
	return 0;
}

static int check_targets(const struct check *check, const json_t *value)
{
	size_t count = json_array_size(value);

	if (json_is_string(value))
		return check_target(check, 0, value);
	if (!json_is_array(value))
		return refuse(check, "is not a list of targets");
	if (count == 0)
		return refuse(check, "is empty");
	if (count > SN_METHOD_TARGETS_MAX)
		return sn_err_set(check->err, -E2BIG, "parameter '%s' has %zu targets, at most %d",
				  check->param->name, count, SN_METHOD_TARGETS_MAX);
	for (size_t i = 0; i < count; i++) {
		int rc = check_target(check, i, json_array_get(value, i));

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Parameters ------------------------------------------------------------- */

/*
 * The text of a scalar; `number` holds it if it is one.  Jansson's texts end with
 * a zero byte and hold none (it refuses them when reading).
 */
static bool scalar_text(const json_t *value, char number[NUMBER_MAX], struct sn_str *text)
{
	if (json_is_string(value)) {
		*text = (struct sn_str){json_string_value(value), json_string_length(value)};
		return true;
	}
	if (json_is_integer(value)) {
		snprintf(number, NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		*text = sn_str(number);
		return true;
	}
	if (json_is_boolean(value)) {
		*text = json_is_true(value) ? SN_STR("true") : SN_STR("false");
		return true;
	}
	return false;
}

static int check_param(const struct sn_param *param, const json_t *value, struct sn_err *err)
{
	struct check check = {param, err};
	char number[NUMBER_MAX];
	struct sn_str text;

	if (param->type == SN_PARAM_TARGETS)
		return check_targets(&check, value);
	if (json_is_boolean(value) && param->type != SN_PARAM_FLAG)
		return refuse(&check, "is a truth value where none is meant");
	if (!scalar_text(value, number, &text))
		return refuse(&check, json_is_real(value) ? "is a fraction without a unit"
							  : "is neither a text nor a number");
	return check_value(&check, text);
}

/* The name came from outside: it is shown only if it is a plain word. */
static int unknown_param(const struct sn_method *method, const char *name, struct sn_err *err)
{
	const char *names[64], *near;
	size_t count = SN_MIN(method->param_count, SN_COUNT(names));

	for (const char *p = name; *p != '\0'; p++)
		if (!is_alnum(*p) && *p != '-' && *p != '_')
			name = "?";
	for (size_t i = 0; i < count; i++)
		names[i] = method->params[i].name;
	near = sn_suggest(name, names, count);
	if (near != NULL)
		return sn_err_set(err, -EINVAL, "unknown parameter '%.40s' (did you mean '%s'?)",
				  name, near);
	return sn_err_set(err, -EINVAL, "method '%s' has no parameter '%.40s'", method->name, name);
}

int sn_method_check(const struct sn_method *method, const json_t *parameters, struct sn_err *err)
{
	json_t *object = (json_t *)parameters; /* Jansson's iterator takes no const */
	const char *name;
	json_t *value;

	if (!json_is_object(parameters))
		return sn_err_set(err, -EINVAL, "the parameters are not an object");
	json_object_foreach (object, name, value) {
		const struct sn_param *param = sn_method_param(method, name);
		int rc = param != NULL ? check_param(param, value, err)
				       : unknown_param(method, name, err);

		if (rc != 0)
			return rc;
	}
	for (size_t i = 0; i < method->param_count; i++) {
		const struct sn_param *param = &method->params[i];

		if (param->required && json_object_get(parameters, param->name) == NULL)
			return sn_err_set(err, -EINVAL, "parameter '%s' is missing (%s)",
					  param->name, param->help);
	}
	return 0;
}

int sn_method_fits(const struct sn_method *method, const json_t *parameters, struct sn_err *err)
{
	return method->fits != NULL ? method->fits(parameters, err) : 0;
}

uint64_t sn_method_value(const struct sn_method *method, const json_t *parameters, const char *name)
{
	const struct sn_param *param = sn_method_param(method, name);
	const json_t *given = json_object_get(parameters, name);
	char number[NUMBER_MAX];
	struct sn_str text = {"", 0};
	int64_t time_ns = 0;
	uint64_t value = 0;

	assert(param != NULL);
	if (given != NULL)
		scalar_text(given, number, &text);
	else if (param->default_text != NULL)
		text = sn_str(param->default_text);
	if (param->type == SN_PARAM_DURATION)
		return sn_parse_duration(text, &time_ns) == 0 ? (uint64_t)time_ns : 0;
	return sn_parse_u64(text, 0, UINT64_MAX, &value) == 0 ? value : 0;
}

/* Command line ----------------------------------------------------------- */

struct argv {
	char **items;
	size_t count;
};

static void add(struct argv *argv, const char *text)
{
	assert(argv->count < SN_METHOD_ARGV_MAX);
	argv->items[argv->count++] = sn_xstrdup(text);
}

static void add_option(struct argv *argv, const struct sn_param *param, const json_t *value)
{
	char number[NUMBER_MAX];
	struct sn_str text;
	bool checked = scalar_text(value, number, &text), flag = false;

	assert(checked);
	if (param->type == SN_PARAM_FLAG && (sn_parse_bool(text, &flag) != 0 || !flag))
		return;
	assert(argv->count < SN_METHOD_ARGV_MAX);
	argv->items[argv->count++] = sn_xasprintf("--%s", param->name);
	if (param->type != SN_PARAM_FLAG)
		add(argv, text.p);
}

static void add_targets(struct argv *argv, const json_t *value)
{
	if (json_is_string(value))
		add(argv, json_string_value(value));
	for (size_t i = 0; i < json_array_size(value); i++)
		add(argv, json_string_value(json_array_get(value, i)));
}

char **sn_method_argv(const struct sn_method *method, const json_t *parameters,
		      const char *program_path)
{
	struct argv argv = {.items = sn_new_n(char *, SN_METHOD_ARGV_MAX + 1)};

	add(&argv, program_path);
	if (method->verb != NULL)
		add(&argv, method->verb);
	add(&argv, "--json");
	for (int targets = 0; targets <= 1; targets++) {
		for (size_t i = 0; i < method->param_count; i++) {
			const struct sn_param *param = &method->params[i];
			const json_t *value = json_object_get(parameters, param->name);

			if (value == NULL || (param->type == SN_PARAM_TARGETS) != targets)
				continue;
			if (targets)
				add_targets(&argv, value);
			else
				add_option(&argv, param, value);
		}
	}
	return argv.items;
}

void sn_method_argv_free(char **argv)
{
	for (char **item = argv; argv != NULL && *item != NULL; item++)
		free(*item);
	free(argv);
}
