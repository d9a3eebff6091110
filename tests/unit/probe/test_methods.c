/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "probe/methods.h"

static struct sn_probe_request request_with(struct sn_probe_options *options, const char *name,
					    const char *value)
{
	for (size_t i = 0; i < sn_method_ping.param_count; i++) {
		if (strcmp(sn_method_ping.params[i].name, name) == 0)
			options->values[i] = value;
	}
	return (struct sn_probe_request){.method = &sn_method_ping, .options = options};
}

static int number(const char *name, const char *text, uint64_t *value, struct sn_err *err)
{
	struct sn_probe_options options = {0};
	struct sn_probe_request request = request_with(&options, name, text);

	return sn_probe_number(&request, name, value, err);
}

static void every_method_of_this_program_is_bound_to_its_declaration(void **state)
{
	size_t ours = 0;

	(void)state;
	for (size_t i = 0; i < sn_method_count; i++)
		ours += strcmp(sn_methods[i]->program, "sonde-probe") == 0;
	assert_int_equal(sn_probe_method_count, ours);
	for (size_t i = 0; i < sn_probe_method_count; i++) {
		assert_ptr_equal(sn_probe_methods[i].method,
				 sn_method_find(sn_probe_methods[i].method->name));
		assert_non_null(sn_probe_methods[i].run);
	}
}

static void every_parameter_is_an_option_with_its_default_in_the_help(void **state)
{
	const struct sn_verb *verb = &sn_probe_program()->verbs[0];

	(void)state;
	assert_string_equal(verb->path, "ping");
	for (size_t i = 0; i < sn_method_ping.param_count; i++) {
		const struct sn_param *param = &sn_method_ping.params[i];
		bool found = false;

		for (size_t j = 0; j < verb->option_count; j++) {
			const struct sn_opt *opt = &verb->options[j];

			if (strcmp(opt->name, param->name) != 0 || opt->letter != param->letter)
				continue;
			found = true;
			if (param->default_text != NULL)
				assert_non_null(strstr(opt->help, param->default_text));
		}
		/* The positional targets share their name with the option for a file of them. */
		assert_true(found || param->type == SN_PARAM_TARGETS);
	}
}

static void no_letter_or_name_is_used_twice(void **state)
{
	const struct sn_verb *verb = &sn_probe_program()->verbs[0];

	(void)state;
	for (size_t i = 0; i < verb->option_count; i++) {
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(verb->options[i].name, verb->options[j].name);
			if (verb->options[i].letter != 0)
				assert_int_not_equal(verb->options[i].letter,
						     verb->options[j].letter);
		}
	}
}

static void values_have_their_defaults(void **state)
{
	struct sn_err err;
	uint64_t value;

	(void)state;
	assert_int_equal(number("count", NULL, &value, &err), 0);
	assert_int_equal(value, 5);
	assert_int_equal(number("interval", NULL, &value, &err), 0);
	assert_int_equal(value, 200 * SN_NS_PER_MS);
	assert_int_equal(number("size", NULL, &value, &err), 0);
	assert_int_equal(value, 56);
	assert_int_equal(number("period", NULL, &value, &err), -ENOENT);
}

static void values_at_the_limits_pass_and_beyond_do_not(void **state)
{
	static const struct {
		const char *name, *text;
		int rc;
	} cases[] = {
		{"count", "1", 0},
		{"count", "0", -ERANGE},
		{"count", "65535", 0},
		{"count", "65536", -ERANGE},
		{"size", "0", 0},
		{"size", "65000", 0},
		{"size", "65001", -ERANGE},
		{"interval", "1ms", 0},
		{"interval", "0", -ERANGE},
		{"interval", "1h", 0},
		{"interval", "61m", -ERANGE},
		{"ttl", "255", 0},
		{"ttl", "256", -ERANGE},
		{"period", "99ms", -ERANGE},
		{"count", "5x", -EINVAL},
		{"interval", "5", -EINVAL},
		{"count", "", -EINVAL},
		{"count", "18446744073709551616", -ERANGE},
	};
	struct sn_err err;
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++) {
		assert_int_equal(number(cases[i].name, cases[i].text, &value, &err), cases[i].rc);
		if (cases[i].rc != 0)
			assert_non_null(strstr(err.text, cases[i].name));
	}
}

static void choice_is_one_of_its_words(void **state)
{
	struct sn_probe_options options = {0};
	struct sn_probe_request request = request_with(&options, "family", "6");
	struct sn_err err;
	const char *value;

	(void)state;
	assert_int_equal(sn_probe_text(&request, "family", &value, &err), 0);
	assert_string_equal(value, "6");
	request = request_with(&options, "family", "4|6");
	assert_int_equal(sn_probe_text(&request, "family", &value, &err), -EINVAL);
	request = request_with(&options, "family", NULL);
	assert_int_equal(sn_probe_text(&request, "family", &value, &err), 0);
	assert_null(value);
}

/* The exit code of the program with standard error thrown away. */
static int run(const char *const *words)
{
	char *argv[8];
	int argc = 0, code, saved = dup(2);

	assert_non_null(freopen("/dev/null", "w", stderr));
	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	argv[argc] = NULL;
	code = sn_cli_main(sn_probe_program(), argc, argv);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	return code;
}

static void networks_are_an_option_of_every_method_with_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sn_probe_method_count; i++) {
		const struct sn_verb *verb = &sn_probe_program()->verbs[i];
		bool found = false;

		for (size_t j = 0; j < verb->option_count; j++)
			found |= strcmp(verb->options[j].name, "never-probe") == 0;
		assert_true(found);
	}
}

static void networks_are_read_or_the_file_is_named(void **state)
{
	struct sn_probe_options options = {0};
	struct sn_probe_request request = request_with(&options, "count", NULL);
	struct sn_prefixes never = {0};
	struct sn_err err;

	(void)state;
	assert_int_equal(sn_probe_never(&request, &never, &err), 0);
	assert_int_equal(never.counts[0] + never.counts[1], 0);
	options.never = "/nonexistent/never.txt";
	assert_int_equal(sn_probe_never(&request, &never, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/never.txt"));
}

static void wrong_usage_is_refused_before_anything_is_opened(void **state)
{
	static const char *const cases[][8] = {
		{"sonde-probe", "ping", NULL},
		{"sonde-probe", "ping", "--count", "0", "::1", NULL},
		{"sonde-probe", "ping", "--json", "--csv", "::1", NULL},
		{"sonde-probe", "ping", "--family", "5", "::1", NULL},
		{"sonde-probe", "ping", "--source", "nowhere", "::1", NULL},
		{"sonde-probe", "ping", "--source", "192.0.2.1", "-F", "6", "::1", NULL},
		{"sonde-probe", "ping", "--period", "500ms", "::1", NULL},
		{"sonde-probe", "ping", "--targets", "/nonexistent/hosts", NULL},
		{"sonde-probe", "ping", "--never-probe", "/nonexistent/never", "::1", NULL},
		{"sonde-probe", "ping", "a b", NULL},
		{"sonde-probe", "pong", "::1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(cases); i++)
		assert_int_equal(run(cases[i]), SN_EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_of_this_program_is_bound_to_its_declaration),
		cmocka_unit_test(every_parameter_is_an_option_with_its_default_in_the_help),
		cmocka_unit_test(no_letter_or_name_is_used_twice),
		cmocka_unit_test(values_have_their_defaults),
		cmocka_unit_test(values_at_the_limits_pass_and_beyond_do_not),
		cmocka_unit_test(choice_is_one_of_its_words),
		cmocka_unit_test(networks_are_an_option_of_every_method_with_targets),
		cmocka_unit_test(networks_are_read_or_the_file_is_named),
		cmocka_unit_test(wrong_usage_is_refused_before_anything_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
