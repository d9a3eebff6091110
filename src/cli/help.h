/* SPDX-License-Identifier: Apache-2.0 */
/* help: `sonde help TOPIC` opens the manual page about it, or prints the help of a verb. */
#ifndef SONDE_CLI_HELP_H
#define SONDE_CLI_HELP_H

#include "base/cli.h"

/*
 * The file of the manual page for `topic` ("node" finds sonde-node, "sonde" itself),
 * beside the installed programs or in the source tree they were built from;
 * malloc'ed, NULL when there is none.
 */
char *sn_help_page(const char *self_dir, const char *topic);
/* argv[0] is the topic. */
int sn_help_run(const struct sn_program *program, int argc, char **argv);

#endif
