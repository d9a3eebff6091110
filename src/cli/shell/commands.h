/* SPDX-License-Identifier: Apache-2.0 */
/* commands: the verbs of `sonde shell`, one row each. */
#ifndef SONDE_CLI_SHELL_COMMANDS_H
#define SONDE_CLI_SHELL_COMMANDS_H

#include "cli/shell/session.h"

/* What a word that follows a command can be, for completion. */
enum sn_shell_words {
	SN_WORDS_NONE,
	SN_WORDS_CAPABILITY,
	SN_WORDS_PARAMETER,
	SN_WORDS_MEASUREMENT
};

struct sn_shell_command {
	const char *name, *arguments, *help;
	bool needs_argument;
	enum sn_shell_words words;
	/* `rest`: what follows the name, trimmed. */
	int (*run)(struct sn_shell *shell, const char *rest, struct sn_err *err);
};

extern const struct sn_shell_command sn_shell_commands[];
extern const size_t sn_shell_command_count;

/* Runs one line; 0, negative errno (said in `err`), or SN_SHELL_LEAVE. Blank lines and '#' are
 * fine. */
#define SN_SHELL_LEAVE 1
int sn_shell_line(struct sn_shell *shell, const char *line, struct sn_err *err);

/* Word number `i` that could stand there and begins with `start`; malloc'ed, NULL behind the last.
 */
char *sn_shell_candidate(const struct sn_shell *shell, enum sn_shell_words words, const char *start,
			 size_t i);

#endif
