/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde` as a test calls it: a command line, an exit code, what was printed. */
#ifndef SONDE_TESTS_UNIT_CLI_COMMAND_H
#define SONDE_TESTS_UNIT_CLI_COMMAND_H

/* What the last run printed, to both streams. */
extern char said[16384];

/* Runs `sonde` with these words, NULL behind the last, in a child; its exit code. */
int run_words(const char *const *words);
/* The same with words that have no blanks within, as one text. */
int run(const char *line);

#endif
