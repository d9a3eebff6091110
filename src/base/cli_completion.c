/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/cli_internal.h"

/*
 * The script is one function: a case over the words typed so far gives the next
 * words of longer paths, the options, and what completes a positional argument.
 * Names that only the hub knows are asked of `<program> complete KIND`, if the
 * program has that verb.
 */

static bool has_verb(const struct sn_program *program, const char *path)
{
	for (size_t i = 0; i < program->verb_count; i++) {
		if (strcmp(program->verbs[i].path, path) == 0)
			return true;
	}
	return false;
}

/* `program` as part of a shell function's name. */
static void print_name(const char *program, FILE *out)
{
	for (; *program != '\0'; program++)
		fputc(*program == '-' ? '_' : *program, out);
}

static void print_next_words(const struct sn_program *program, struct sn_str words, FILE *out)
{
	struct sn_str last = {"", 0};

	for (size_t i = 0; i < program->verb_count; i++) {
		const char *path = program->verbs[i].path;
		struct sn_str word;

		if (!sn_cli_below(path, words) || path[words.n] == '\0' ||
		    program->verbs[i].help == NULL)
			continue;
		path += words.n + (words.n > 0);
		word = (struct sn_str){path, strcspn(path, " ")};
		/* Tables keep the verbs of one noun together, so this shows each word once. */
		if (!sn_str_eq(word, last))
			fprintf(out, "%.*s ", (int)word.n, word.p);
		last = word;
	}
}

static void print_options(const struct sn_verb *verb, FILE *out)
{
	for (size_t i = 0; i < verb->option_count; i++)
		fprintf(out, "--%s ", verb->options[i].name);
	if (verb->watch)
		fputs("--watch ", out);
	fputs("--help", out);
}

static void print_positional(const struct sn_program *program, const struct sn_verb *verb,
			     FILE *out)
{
	if (verb->complete == NULL)
		return;
	if (strcmp(verb->complete, "file") == 0)
		fputs("\t\tfiles=1\n", out);
	else if (has_verb(program, "complete"))
		fprintf(out, "\t\twords=\"$words $(%s complete %s 2>/dev/null)\"\n", program->name,
			verb->complete);
}

/* Options whose value is a file, for which the shell knows best. */
static void print_file_options(const struct sn_program *program, FILE *out)
{
	fputs("\tcase \"$prev\" in\n", out);
	for (size_t i = 0; i < program->verb_count; i++) {
		const struct sn_verb *verb = &program->verbs[i];

		for (size_t j = 0; j < verb->option_count; j++) {
			const char *argument = verb->options[j].argument;

			if (argument != NULL &&
			    (strcmp(argument, "FILE") == 0 || strcmp(argument, "DIR") == 0))
				fprintf(out,
					"\t--%s) COMPREPLY=($(compgen -f -- \"$cur\")); return "
					";;\n",
					verb->options[j].name);
		}
	}
	fputs("\tesac\n", out);
}

static void print_case(const struct sn_program *program, const struct sn_verb *verb, FILE *out)
{
	fprintf(out, "\t\"%s\")\n\t\twords=\"", verb->path);
	print_next_words(program, sn_str(verb->path), out);
	print_options(verb, out);
	fputs("\"\n", out);
	print_positional(program, verb, out);
	fputs("\t\t;;\n", out);
}

/* Words that lead to verbs without being one: "node". */
static void print_noun_cases(const struct sn_program *program, FILE *out)
{
	struct sn_str last = {"", 0};

	for (size_t i = 0; i < program->verb_count; i++) {
		const char *path = program->verbs[i].path;
		struct sn_str noun = {path, strcspn(path, " ")};
		char text[64];

		if (path[noun.n] == '\0' || sn_str_eq(noun, last))
			continue;
		last = noun;
		snprintf(text, sizeof(text), "%.*s", (int)noun.n, noun.p);
		if (has_verb(program, text))
			continue;
		fprintf(out, "\t\"%s\") words=\"", text);
		print_next_words(program, noun, out);
		fputs("--help\" ;;\n", out);
	}
}

void sn_cli_print_bash_completion(const struct sn_program *program, FILE *out)
{
	fprintf(out, "# bash completion for %s\n_", program->name);
	print_name(program->name, out);
	fputs("()\n{\n"
	      "\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
	      "\tlocal path=\"\" try words=\"\" files=\"\" i\n"
	      "\tlocal known=\"",
	      out);
	/* Between bars, so that a whole path can be looked for. */
	for (size_t i = 0; i < program->verb_count; i++) {
		const char *path = program->verbs[i].path;
		size_t noun = strcspn(path, " ");

		fprintf(out, "|%s", path);
		if (path[noun] != '\0')
			fprintf(out, "|%.*s", (int)noun, path);
	}
	fputs("|\"\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\ttry=\"${path:+$path }${COMP_WORDS[i]}\"\n"
	      "\t\tcase \"$known\" in *\"|$try|\"*) path=\"$try\" ;; *) break ;; esac\n"
	      "\tdone\n",
	      out);
	print_file_options(program, out);
	fputs("\tcase \"$path\" in\n", out);
	for (size_t i = 0; i < program->verb_count; i++)
		print_case(program, &program->verbs[i], out);
	if (!has_verb(program, "")) {
		fputs("\t\"\") words=\"", out);
		print_next_words(program, SN_STR(""), out);
		fputs("--help --version\" ;;\n", out);
	}
	print_noun_cases(program, out);
	fputs("\tesac\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	      "\tif [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n"
	      "}\ncomplete -o filenames -F _",
	      out);
	print_name(program->name, out);
	fprintf(out, " %s\n", program->name);
}
