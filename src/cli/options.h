/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: rows of option tables as the verbs of `sonde` write them.  Each file
 * has a `struct options` of its own, which these macros refer to.
 */
#ifndef SONDE_CLI_OPTIONS_H
#define SONDE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cli.h"

#define SN_OPT(name_, letter_, type_, member_, argument_, help_)                                   \
	.name = (name_), .letter = (letter_), .type = (type_),                                     \
	.offset = offsetof(struct options, member_), .argument = (argument_), .help = (help_)

#define SN_OPTION_JSON                                                                             \
	{                                                                                          \
		SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line")          \
	}

/*
 * The time that is said with `--option`, in the forms of sn_parse_when(); NULL leaves both alone.
 * SN_EXIT_OK, or SN_EXIT_USAGE after the reason.
 */
int sn_option_time(const char *option, const char *text, bool *given, int64_t *unix_ns);

#endif
