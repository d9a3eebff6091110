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

#endif
