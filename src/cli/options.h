/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: rows of option tables as the verbs of `sonde` write them.  Each file
 * has a `struct options` of its own, which these macros refer to.
 */
#ifndef SONDE_CLI_OPTIONS_H
#define SONDE_CLI_OPTIONS_H

#include <stddef.h>

#include "base/cli.h"

#define SN_OPT(name_, letter_, type_, member_, argument_, help_)                                   \
	.name = (name_), .letter = (letter_), .type = (type_),                                     \
	.offset = offsetof(struct options, member_), .argument = (argument_), .help = (help_)

#define SN_OPTION_JSON                                                                             \
	{                                                                                          \
		SN_OPT("json", 'j', SN_OPT_FLAG, json, NULL, "JSON, one object per line")          \
	}

#endif
