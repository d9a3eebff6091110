/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cli.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli_internal.h"
#include "base/mem.h"
#include "base/str.h"

#define LONG_BASE   256 /* getopt values of long options: behind all letters */
#define WATCH_VALUE 1   /* no letter is that */
#define OPTIONS_MAX 64
#define WORDS_MAX   3 /* of a verb's path */
#define PATH_TEXT   80

static const char *running_program = "sonde";

const char *sn_cli_program(void)
{
	return running_program;
}

int sn_cli_fail(int exit_code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", running_program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return exit_code;
}

int sn_cli_exit_code(int error)
{
	static const struct {
		int error, code;
	} codes[] = {
		{0, SN_EXIT_OK},
		{-EDOM, SN_EXIT_USAGE},
		{-EACCES, SN_EXIT_DENIED},
		{-EPERM, SN_EXIT_DENIED},
		{-EKEYREJECTED, SN_EXIT_DENIED},
		{-ECONNREFUSED, SN_EXIT_UNREACHABLE},
		{-ECONNRESET, SN_EXIT_UNREACHABLE},
		{-ECONNABORTED, SN_EXIT_UNREACHABLE},
		{-ENETUNREACH, SN_EXIT_UNREACHABLE},
		{-EHOSTUNREACH, SN_EXIT_UNREACHABLE},
		{-ENETDOWN, SN_EXIT_UNREACHABLE},
		{-EHOSTDOWN, SN_EXIT_UNREACHABLE},
		{-ETIMEDOUT, SN_EXIT_UNREACHABLE},
		{-ENOTCONN, SN_EXIT_UNREACHABLE},
	};

	for (size_t i = 0; i < SN_COUNT(codes); i++) {
		if (codes[i].error == error)
			return codes[i].code;
	}
	return SN_EXIT_FAILED;
}

/* Which verb ------------------------------------------------------------------------ */

bool sn_cli_below(const char *path, struct sn_str words)
{
	return strncmp(path, words.p, words.n) == 0 &&
	       (words.n == 0 || path[words.n] == '\0' || path[words.n] == ' ');
}

static const struct sn_verb *find_verb(const struct sn_program *program, const char *path)
{
	for (size_t i = 0; i < program->verb_count; i++) {
		if (strcmp(program->verbs[i].path, path) == 0)
			return &program->verbs[i];
	}
	return NULL;
}

/* Longest path that the words begin with; stores how many words it took. */
static const struct sn_verb *match_verb(const struct sn_program *program, int argc, char **argv,
					int *taken)
{
	char path[PATH_TEXT] = "";
	const struct sn_verb *best = find_verb(program, "");

	*taken = 0;
	for (int i = 0; i < argc && i < WORDS_MAX && argv[i][0] != '-'; i++) {
		const struct sn_verb *verb;
		size_t n = strlen(path);

		if (n + strlen(argv[i]) + 2 > sizeof(path))
			break;
		snprintf(path + n, sizeof(path) - n, "%s%s", n > 0 ? " " : "", argv[i]);
		verb = find_verb(program, path);
		if (verb != NULL) {
			best = verb;
			*taken = i + 1;
		}
	}
	return best;
}

/* The word `index` of each verb below `words` that is nearest to `word`. */
static const char *suggest_word(const struct sn_program *program, struct sn_str words,
				const char *word, char *buffer, size_t size)
{
	sn_autofree char **candidates = sn_new_n(char *, program->verb_count + 1);
	const char *near;
	size_t count = 0;

	for (size_t i = 0; i < program->verb_count; i++) {
		const char *path = program->verbs[i].path;

		if (!sn_cli_below(path, words) || path[words.n] == '\0')
			continue;
		path += words.n + (words.n > 0);
		candidates[count++] = sn_xstrndup(path, strcspn(path, " "));
	}
	near = sn_suggest(word, (const char *const *)candidates, count);
	if (near != NULL)
		snprintf(buffer, size, "%s", near);
	for (size_t i = 0; i < count; i++)
		free(candidates[i]);
	return near != NULL ? buffer : NULL;
}

static int unknown_verb(const struct sn_program *program, int argc, char **argv)
{
	/* "node lst": the first word leads somewhere, the second does not. */
	struct sn_str first = sn_str(argv[0]);
	char near[PATH_TEXT];
	bool group = false;
	const char *word = argv[0];

	for (size_t i = 0; i < program->verb_count; i++)
		group |= sn_cli_below(program->verbs[i].path, first);
	if (group && (argc < 2 || argv[1][0] == '-')) {
		fprintf(stderr, "%s: '%s' needs one of these verbs:\n", program->name, argv[0]);
		sn_cli_print_verbs(program, first, stderr);
		return SN_EXIT_USAGE;
	}
	if (group)
		word = argv[1];
	if (suggest_word(program, group ? first : SN_STR(""), word, near, sizeof(near)) != NULL)
		return sn_cli_fail(SN_EXIT_USAGE,
				   "unknown command '%s%s%s' (did you mean '%s%s%s'?)",
				   group ? argv[0] : "", group ? " " : "", word,
				   group ? argv[0] : "", group ? " " : "", near);
	return sn_cli_fail(SN_EXIT_USAGE, "unknown command '%s%s%s' (see '%s --help')",
			   group ? argv[0] : "", group ? " " : "", word, program->name);
}

/* Options --------------------------------------------------------------------------- */

static void *member(const struct sn_opt *opt, void *options)
{
	return (char *)options + opt->offset;
}

static bool limited(const struct sn_opt *opt)
{
	return opt->min != 0 || opt->max != 0;
}

static int set_flag(const struct sn_opt *opt SN_UNUSED, const char *text SN_UNUSED, void *value)
{
	*(bool *)value = true;
	return 0;
}

static int set_text(const struct sn_opt *opt SN_UNUSED, const char *text, void *value)
{
	*(const char **)value = text;
	return 0;
}

static int set_texts(const struct sn_opt *opt SN_UNUSED, const char *text, void *value)
{
	struct sn_opt_texts *texts = value;

	if (texts->count >= SN_COUNT(texts->items))
		return -E2BIG;
	texts->items[texts->count++] = text;
	return 0;
}

static int check_range(const struct sn_opt *opt, uint64_t value)
{
	return limited(opt) && (value < opt->min || value > opt->max) ? -ERANGE : 0;
}

static int set_u64(const struct sn_opt *opt, const char *text, void *value)
{
	uint64_t number;
	int error = sn_parse_u64(sn_str(text), 0, UINT64_MAX, &number);

	if (error == 0)
		error = check_range(opt, number);
	if (error == 0)
		*(uint64_t *)value = number;
	return error;
}

static int set_double(const struct sn_opt *opt, const char *text, void *value)
{
	return limited(opt)
		       ? sn_parse_double(sn_str(text), (double)opt->min, (double)opt->max, value)
		       : sn_parse_double(sn_str(text), -1e308, 1e308, value);
}

static int set_duration(const struct sn_opt *opt, const char *text, void *value)
{
	int64_t ns;
	int error = sn_parse_duration(sn_str(text), &ns);

	if (error == 0)
		error = check_range(opt, (uint64_t)ns);
	if (error == 0)
		*(int64_t *)value = ns;
	return error;
}

static int set_size(const struct sn_opt *opt, const char *text, void *value)
{
	uint64_t bytes;
	int error = sn_parse_size(sn_str(text), &bytes);

	if (error == 0)
		error = check_range(opt, bytes);
	if (error == 0)
		*(uint64_t *)value = bytes;
	return error;
}

static int set_ratio(const struct sn_opt *opt SN_UNUSED, const char *text, void *value)
{
	return sn_parse_ratio(sn_str(text), value);
}

static int set_rate(const struct sn_opt *opt, const char *text, void *value)
{
	uint64_t bits;
	int error = sn_parse_rate(sn_str(text), &bits);

	if (error == 0)
		error = check_range(opt, bits);
	if (error == 0)
		*(uint64_t *)value = bits;
	return error;
}

static void show_number(uint64_t value, char *out, size_t size)
{
	snprintf(out, size, "%llu", (unsigned long long)value);
}

static void show_duration(uint64_t value, char *out, size_t size)
{
	sn_format_duration((int64_t)value, out, size);
}

static const struct {
	int (*set)(const struct sn_opt *opt, const char *text, void *value);
	const char *expected;
	void (*show_limit)(uint64_t value, char *out, size_t size);
} opt_types[] = {
	[SN_OPT_FLAG] = {set_flag, "", NULL},
	[SN_OPT_TEXT] = {set_text, "a text", NULL},
	[SN_OPT_TEXTS] = {set_texts, "a text", NULL},
	[SN_OPT_U64] = {set_u64, "a whole number", show_number},
	[SN_OPT_DOUBLE] = {set_double, "a number", show_number},
	[SN_OPT_DURATION] = {set_duration, "a time like 250ms, 10s or 1h30m", show_duration},
	[SN_OPT_SIZE] = {set_size, "a size like 64kB, 10MB or 2GiB", show_number},
	[SN_OPT_RATIO] = {set_ratio, "a share like 1% or 0.01", NULL},
	[SN_OPT_RATE] = {set_rate, "a rate like 500kbit or 20Mbit", show_number},
};

static int bad_value(const struct sn_opt *opt, const char *text, int error)
{
	char low[SN_DURATION_TEXT_MAX], high[SN_DURATION_TEXT_MAX];

	if (error == -E2BIG)
		return sn_cli_fail(SN_EXIT_USAGE, "option '--%s' is given too often (at most %zu)",
				   opt->name, SN_COUNT(((struct sn_opt_texts *)0)->items));
	if (error != -ERANGE)
		return sn_cli_fail(SN_EXIT_USAGE, "option '--%s': '%s' is not %s", opt->name, text,
				   opt_types[opt->type].expected);
	if (!limited(opt) || opt_types[opt->type].show_limit == NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "option '--%s': '%s' is out of range", opt->name,
				   text);
	opt_types[opt->type].show_limit(opt->min, low, sizeof(low));
	opt_types[opt->type].show_limit(opt->max, high, sizeof(high));
	return sn_cli_fail(SN_EXIT_USAGE, "option '--%s': '%s' is out of range (allowed: %s to %s)",
			   opt->name, text, low, high);
}

/* The tables in the form that getopt_long wants; zeroed before. */
struct getopt_form {
	struct option longs[OPTIONS_MAX + 3];
	char letters[2 * OPTIONS_MAX + 4];
};

static void build_form(const struct sn_verb *verb, struct getopt_form *form)
{
	size_t count = verb->option_count;
	char *letter = form->letters;

	assert(count <= OPTIONS_MAX);
	*letter++ = ':'; /* tell a missing value from an unknown option, and print nothing */
	*letter++ = 'h';
	for (size_t i = 0; i < count; i++) {
		const struct sn_opt *opt = &verb->options[i];

		form->longs[i] = (struct option){
			.name = opt->name,
			.has_arg = opt->type == SN_OPT_FLAG ? no_argument : required_argument,
			.val = LONG_BASE + (int)i,
		};
		if (opt->letter != 0) {
			*letter++ = opt->letter;
			if (opt->type != SN_OPT_FLAG)
				*letter++ = ':';
		}
	}
	form->longs[count++] = (struct option){.name = "help", .val = 'h'};
	if (verb->watch)
		form->longs[count] = (struct option){
			.name = "watch", .has_arg = optional_argument, .val = WATCH_VALUE};
}

static const struct sn_opt *find_opt(const struct sn_verb *verb, int value)
{
	if (value >= LONG_BASE && value < LONG_BASE + (int)verb->option_count)
		return &verb->options[value - LONG_BASE];
	for (size_t i = 0; i < verb->option_count; i++) {
		if (verb->options[i].letter == value && value != 0)
			return &verb->options[i];
	}
	return NULL;
}

static const char *suggest_option(const struct sn_verb *verb, const char *word)
{
	sn_autofree const char **names = sn_new_n(const char *, verb->option_count + 3);
	sn_autofree char *name = sn_xstrndup(word, strcspn(word, "="));

	for (size_t i = 0; i < verb->option_count; i++)
		names[i] = verb->options[i].name;
	names[verb->option_count] = "help";
	names[verb->option_count + 1] = "version";
	names[verb->option_count + 2] = "watch";
	return sn_suggest(name, names, verb->option_count + (verb->watch ? 3 : 2));
}

static int bad_option(const struct sn_program *program, const struct sn_verb *verb,
		      const char *word)
{
	const char *near = strncmp(word, "--", 2) == 0 ? suggest_option(verb, word + 2) : NULL;
	const char *blank = verb->path[0] != '\0' ? " " : "";

	if (optopt > 0 && optopt < LONG_BASE && strncmp(word, "--", 2) != 0)
		return sn_cli_fail(SN_EXIT_USAGE, "unknown option '-%c' (see '%s%s%s --help')",
				   optopt, program->name, blank, verb->path);
	if (optopt >= LONG_BASE && find_opt(verb, optopt) != NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "option '--%s' takes no value",
				   find_opt(verb, optopt)->name);
	if (near != NULL)
		return sn_cli_fail(SN_EXIT_USAGE, "unknown option '%s' (did you mean '--%s'?)",
				   word, near);
	return sn_cli_fail(SN_EXIT_USAGE, "unknown option '%s' (see '%s%s%s --help')", word,
			   program->name, blank, verb->path);
}

static int missing_value(const struct sn_verb *verb, int value)
{
	const struct sn_opt *opt = find_opt(verb, value);

	assert(opt != NULL);
	return sn_cli_fail(SN_EXIT_USAGE, "option '--%s' needs a value: %s", opt->name,
			   opt_types[opt->type].expected);
}

static int read_watch(const char *text, int64_t *period_ns)
{
	const struct sn_opt opt = {.name = "watch",
				   .type = SN_OPT_DURATION,
				   .min = SN_CLI_WATCH_MIN_NS,
				   .max = SN_CLI_WATCH_MAX_NS};
	int error;

	if (text == NULL)
		text = SN_CLI_WATCH_DEFAULT;
	error = opt_types[opt.type].set(&opt, text, period_ns);
	return error == 0 ? -1 : bad_value(&opt, text, error);
}

/*
 * -1 to go on, else the exit code; leaves optind at the first positional argument.  `watch_ns`
 * stays 0 if the verb is to be run once.
 */
static int parse_options(const struct sn_program *program, const struct sn_verb *verb,
			 void *options, int64_t *watch_ns, int argc, char **argv)
{
	struct getopt_form form = {0};
	const struct sn_opt *opt;
	int value, error;

	build_form(verb, &form);
	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((value = getopt_long(argc, argv, form.letters, form.longs, NULL)) != -1) {
		opt = find_opt(verb, value);
		if (opt == NULL && value == 'h') {
			sn_cli_print_help(program, verb, stdout);
			return SN_EXIT_OK;
		}
		if (value == ':')
			return missing_value(verb, optopt);
		if (opt == NULL && value == WATCH_VALUE) {
			error = read_watch(optarg, watch_ns);
			if (error >= 0)
				return error;
			continue;
		}
		if (opt == NULL)
			return bad_option(program, verb, argv[optind - 1]);
		error = opt_types[opt->type].set(opt, optarg, member(opt, options));
		if (error != 0)
			return bad_value(opt, optarg, error);
	}
	return -1;
}

static int check_arguments(const struct sn_program *program, const struct sn_verb *verb, int argc,
			   char **argv)
{
	const char *blank = verb->path[0] != '\0' ? " " : "";

	if (argc < verb->min_args)
		return sn_cli_fail(SN_EXIT_USAGE, "an argument is missing (usage: %s%s%s %s)",
				   program->name, blank, verb->path, verb->arguments);
	if (verb->max_args == 0 && argc > 0 && verb->path[0] == '\0' && program->verb_count > 1)
		return unknown_verb(program, argc, argv);
	if (verb->max_args >= 0 && argc > verb->max_args)
		return sn_cli_fail(SN_EXIT_USAGE, "unexpected argument '%s' (see '%s%s%s --help')",
				   argv[verb->max_args], program->name, blank, verb->path);
	return -1;
}

static int run_verb(const struct sn_program *program, const struct sn_verb *verb, int argc,
		    char **argv)
{
	void *options = sn_xcalloc(1, verb->options_size > 0 ? verb->options_size : 1);
	struct sn_cli_watched watched = {.verb = verb, .options = options};
	int code = parse_options(program, verb, options, &watched.period_ns, argc, argv);

	if (code < 0)
		code = check_arguments(program, verb, argc - optind, argv + optind);
	watched.argc = argc - optind;
	watched.argv = argv + optind;
	if (code < 0)
		code = watched.period_ns > 0 ? sn_cli_watch(&watched)
					     : verb->run(verb, options, watched.argc, watched.argv);
	free(options);
	return code;
}

/* What every program answers by itself ------------------------------------------------- */

static int print_version(const struct sn_program *program)
{
	printf("%s %s\n", program->name, SONDE_VERSION);
	return SN_EXIT_OK;
}

static int help_on(const struct sn_program *program, int argc, char **argv)
{
	int taken;
	const struct sn_verb *verb = match_verb(program, argc, argv, &taken);

	if (argc == 0) {
		sn_cli_print_help(program, NULL, stdout);
		return SN_EXIT_OK;
	}
	if (taken > 0) {
		sn_cli_print_help(program, verb, stdout);
		return SN_EXIT_OK;
	}
	if (sn_cli_print_verbs(program, sn_str(argv[0]), stdout) > 0)
		return SN_EXIT_OK;
	return unknown_verb(program, argc, argv);
}

/* A program that is only its options has the one verb "" and nothing to list. */
static bool has_verbs(const struct sn_program *program)
{
	return program->verb_count > 1 || find_verb(program, "") == NULL;
}

int sn_cli_main(const struct sn_program *program, int argc, char **argv)
{
	const struct sn_verb *verb;
	const char *first = argc > 1 ? argv[1] : "";
	int taken = 0;

	running_program = program->name;
	if (strcmp(first, "--version") == 0)
		return print_version(program);
	verb = argc > 1 ? match_verb(program, argc - 1, argv + 1, &taken) : find_verb(program, "");
	if (strcmp(first, "help") == 0 && taken == 0)
		return help_on(program, argc - 2, argv + 2);
	if ((strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) && has_verbs(program))
		return help_on(program, 0, NULL);

	if (verb == NULL && argc > 2 && strcmp(argv[2], "--help") == 0)
		return help_on(program, 1, argv + 1);
	if (verb == NULL && argc < 2) {
		sn_cli_print_help(program, NULL, stderr);
		return SN_EXIT_USAGE;
	}
	if (verb == NULL && first[0] == '-')
		return sn_cli_fail(
			SN_EXIT_USAGE,
			"option '%s' before the command (write it behind; see '%s --help')", first,
			program->name);
	if (verb == NULL)
		return unknown_verb(program, argc - 1, argv + 1);
	/* getopt takes argv[0] for the program's name. */
	return run_verb(program, verb, argc - taken, argv + taken);
}
