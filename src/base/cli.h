/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: options and verbs from tables, over getopt_long.
 *
 * The table yields the parser, `--help`, the bash completion and the man page's
 * option list.  A mistyped word gets a suggestion.  Exit codes are the same for
 * every program (interfaces of the design).
 */
#ifndef SONDE_BASE_CLI_H
#define SONDE_BASE_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

enum sn_exit {
	SN_EXIT_OK = 0,
	SN_EXIT_FAILED = 1, /* the measurement or request failed */
	SN_EXIT_USAGE = 2,
	SN_EXIT_DENIED = 3,
	SN_EXIT_UNREACHABLE = 4,
	SN_EXIT_PARTIAL = 5,
};

enum sn_opt_type {
	SN_OPT_FLAG,     /* bool */
	SN_OPT_TEXT,     /* const char *, borrowed from argv */
	SN_OPT_TEXTS,    /* struct sn_opt_texts, may be given several times */
	SN_OPT_U64,      /* uint64_t with min and max */
	SN_OPT_DOUBLE,   /* double */
	SN_OPT_DURATION, /* int64_t nanoseconds with min and max */
	SN_OPT_SIZE,     /* uint64_t bytes */
	SN_OPT_RATIO,    /* double, 0..1 */
	SN_OPT_RATE,     /* uint64_t bits per second */
};

struct sn_opt_texts {
	const char *items[64];
	unsigned count;
};

struct sn_opt {
	const char *name; /* long name without dashes */
	char letter;      /* 0: none */
	enum sn_opt_type type;
	size_t offset;
	const char *argument; /* name of the value in --help: "N", "TIME" */
	const char *help;
	uint64_t min, max; /* both 0: no limit */
	const char *group; /* heading in --help; NULL continues the one before */
};

struct sn_verb;
/* `argv[0]` is the first positional argument. Returns an exit code. */
typedef int sn_verb_fn(const struct sn_verb *verb, void *options, int argc, char **argv);

struct sn_verb {
	const char *path;      /* "ping", "node list"; "" for a program without verbs */
	const char *arguments; /* "HOST..." */
	const char *help;      /* one line */
	const char *examples;  /* two real ones, a line each; may be NULL */
	const struct sn_opt *options;
	size_t option_count, options_size;
	int min_args, max_args; /* max_args < 0: any number */
	sn_verb_fn *run;
	const char *complete; /* what a positional completes to: "node", "link", "file", or NULL */
	bool watch;           /* shows how things are: takes `--watch[=TIME]` */
};

struct sn_program {
	const char *name, *summary;
	const struct sn_verb *verbs;
	size_t verb_count;
};

/* Parses, prints help or usage errors, runs the verb; returns the exit code. `--version` too. */
int sn_cli_main(const struct sn_program *program, int argc, char **argv);
/* "sonde: cannot X: reason (what to do)" on standard error; returns `exit_code`. */
int sn_cli_fail(int exit_code, const char *format, ...) SN_PRINTF(2, 3);
/* Name of the running program, for messages. */
const char *sn_cli_program(void);
void sn_cli_print_help(const struct sn_program *program, const struct sn_verb *verb, FILE *out);
void sn_cli_print_bash_completion(const struct sn_program *program, FILE *out);
/* The exit code that fits a negative errno: -EACCES is DENIED, -ECONNREFUSED UNREACHABLE, -EDOM (an
 * argument that can mean nothing) USAGE, ... */
int sn_cli_exit_code(int error);

#endif
