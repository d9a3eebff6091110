/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in tests, readable: single quotes stand for double ones. */
#ifndef SONDE_TESTS_MPLANE_QUOTED_H
#define SONDE_TESTS_MPLANE_QUOTED_H

#include "base/mem.h"

static inline char *quoted(const char *text)
{
	char *copy = sn_xstrdup(text);

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

#endif
