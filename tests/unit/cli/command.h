/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde` as a test calls it: a command line, an exit code, what was printed. */
#ifndef SONDE_TESTS_UNIT_CLI_COMMAND_H
#define SONDE_TESTS_UNIT_CLI_COMMAND_H

/* What the last run printed, to both streams. */
extern char said[16384];

/* Runs `sonde <words>`, which have no blanks within, in a child; its exit code. */
int run(const char *words);

#endif
