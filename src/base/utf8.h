/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8: well-formed UTF-8 (RFC 3629, section 4) and nothing else: no overlong
 * forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef SONDE_BASE_UTF8_H
#define SONDE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Length of the well-formed sequence at `p`, 0 if there is none.  `left` is at least 1. */
size_t sn_utf8_length(const char *p, size_t left);
bool sn_utf8_valid(struct sn_str text);
/* The largest length up to `max` that does not cut a sequence in two. */
size_t sn_utf8_cut(struct sn_str text, size_t max);

#endif
