/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/cli_internal.h"

#define LEFT_MAX    30 /* a longer left column pushes its help to the next line */
#define SCREEN_COLS 100

/* "  left      help", the help broken at blanks into its own column. */
static void print_two(FILE *out, const char *left, int width, const char *help)
{
	int room = SCREEN_COLS - width - 4;
	size_t n;

	fprintf(out, "  %-*s", width, left);
	if ((int)strlen(left) > width)
		fprintf(out, "\n  %-*s", width, "");
	while ((int)(n = strlen(help)) > room) {
		for (n = (size_t)room; n > 0 && help[n] != ' '; n--)
			;
		if (n == 0)
			break;
		fprintf(out, "  %.*s\n  %-*s", (int)n, help, width, "");
		help += n + 1;
	}
	fprintf(out, "  %s\n", help);
}

static void verb_left(const struct sn_verb *verb, char *out, size_t size)
{
	const char *arguments = verb->arguments != NULL ? verb->arguments : "";

	snprintf(out, size, "%s%s%s", verb->path, *arguments != '\0' ? " " : "", arguments);
}

static void option_left(const struct sn_opt *opt, char *out, size_t size)
{
	char letter[8] = "    ";

	if (opt->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
	snprintf(out, size, "%s--%s%s%s", letter, opt->name, opt->argument != NULL ? " " : "",
		 opt->argument != NULL ? opt->argument : "");
}

static int fit(int width, const char *left)
{
	int n = (int)strlen(left);

	return n > width && n <= LEFT_MAX ? n : width;
}

size_t sn_cli_print_verbs(const struct sn_program *program, struct sn_str words, FILE *out)
{
	char left[128];
	int width = 8;
	size_t count = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < program->verb_count; i++) {
			const struct sn_verb *verb = &program->verbs[i];

			/* Without help: an internal one. */
			if (!sn_cli_below(verb->path, words) || verb->help == NULL ||
			    verb->path[0] == '\0')
				continue;
			verb_left(verb, left, sizeof(left));
			if (pass == 0) {
				width = fit(width, left);
				count++;
			} else {
				print_two(out, left, width, verb->help);
			}
		}
	}
	return count;
}

static void print_options(const struct sn_verb *verb, FILE *out)
{
	char left[128];
	const char *group = verb->option_count > 0 ? verb->options[0].group : NULL;
	int width = fit(12, verb->watch ? "    --watch[=TIME]" : "");

	for (size_t i = 0; i < verb->option_count; i++) {
		option_left(&verb->options[i], left, sizeof(left));
		width = fit(width, left);
	}
	fprintf(out, "\n%s:\n", group != NULL ? group : "Options");
	for (size_t i = 0; i < verb->option_count; i++) {
		const struct sn_opt *opt = &verb->options[i];

		if (i > 0 && opt->group != NULL &&
		    (group == NULL || strcmp(group, opt->group) != 0))
			fprintf(out, "%s:\n", opt->group);
		if (opt->group != NULL)
			group = opt->group;
		option_left(opt, left, sizeof(left));
		print_two(out, left, width, opt->help);
	}
	if (verb->watch)
		print_two(out, "    --watch[=TIME]", width, SN_CLI_WATCH_HELP);
	print_two(out, "-h, --help", width, "show this help");
}

static void print_examples(const char *examples, FILE *out)
{
	struct sn_str rest = sn_str(examples), line;

	fputs("\nExamples:\n", out);
	while (sn_str_split(&rest, '\n', &line)) {
		line = sn_str_trim(line);
		if (line.n > 0)
			fprintf(out, "  %.*s\n", (int)line.n, line.p);
	}
}

static void print_verb_help(const struct sn_program *program, const struct sn_verb *verb, FILE *out)
{
	char left[128];

	verb_left(verb, left, sizeof(left));
	fprintf(out, "Usage: %s%s%.*s [OPTIONS]%s%s\n", program->name,
		verb->path[0] != '\0' ? " " : "", (int)strlen(verb->path), verb->path,
		verb->arguments != NULL && verb->arguments[0] != '\0' ? " " : "",
		verb->arguments != NULL ? verb->arguments : "");
	if (verb->help != NULL)
		fprintf(out, "%s\n", verb->help);
	print_options(verb, out);
	if (verb->examples != NULL)
		print_examples(verb->examples, out);
}

static const struct sn_verb *plain_verb(const struct sn_program *program)
{
	for (size_t i = 0; i < program->verb_count; i++) {
		if (program->verbs[i].path[0] == '\0')
			return &program->verbs[i];
	}
	return NULL;
}

void sn_cli_print_help(const struct sn_program *program, const struct sn_verb *verb, FILE *out)
{
	const struct sn_verb *plain = plain_verb(program);

	if (verb != NULL) {
		print_verb_help(program, verb, out);
		return;
	}
	fprintf(out, "%s: %s\n\n", program->name, program->summary);
	if (plain != NULL)
		print_verb_help(program, plain, out);
	else
		fprintf(out, "Usage: %s COMMAND [OPTIONS] [ARGUMENTS]\n", program->name);
	if (program->verb_count > (plain != NULL)) {
		fputs("\nCommands:\n", out);
		sn_cli_print_verbs(program, SN_STR(""), out);
		fprintf(out,
			"\n'%s COMMAND --help' tells more of one; '%s --version' the version.\n",
			program->name, program->name);
	}
}
