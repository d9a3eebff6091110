/* SPDX-License-Identifier: Apache-2.0 */
/* cli_internal: what the parser, the help and the completion share. */
#ifndef SONDE_BASE_CLI_INTERNAL_H
#define SONDE_BASE_CLI_INTERNAL_H

#include "base/cli.h"
#include "base/str.h"

/* Whether `path` is `words` or begins with it and a blank: "node list" below "node". */
bool sn_cli_below(const char *path, struct sn_str words);
/* The verbs below `words`, a line each; how many there were. */
size_t sn_cli_print_verbs(const struct sn_program *program, struct sn_str words, FILE *out);

/* `--watch`: what is drawn again and again (cli_watch.c). */
#define SN_CLI_WATCH_DEFAULT "2s"
#define SN_CLI_WATCH_HELP    "draw again and again, every TIME (" SN_CLI_WATCH_DEFAULT ")"
#define SN_CLI_WATCH_MIN_NS  (100 * SN_NS_PER_MS)
#define SN_CLI_WATCH_MAX_NS  (3600 * SN_NS_PER_S)

struct sn_cli_watched {
	const struct sn_verb *verb;
	void *options;
	int argc;
	char **argv;
	int64_t period_ns;
};

/* Until Ctrl-C; returns an exit code. */
int sn_cli_watch(const struct sn_cli_watched *watched);

#endif
