/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: allocation that does not fail.
 *
 * Out of memory ends the program (it runs under supervision and keeps its
 * promises on disk).  Whoever allocates by a number that came from outside
 * checks a named limit first.
 */
#ifndef SONDE_BASE_MEM_H
#define SONDE_BASE_MEM_H

#include <stddef.h>

#include "base/util.h"

void *sn_xmalloc(size_t size);
void *sn_xcalloc(size_t count, size_t size); /* zeroed; aborts on overflow */
void *sn_xrealloc(void *ptr, size_t count, size_t size);
char *sn_xstrdup(const char *text);
char *sn_xstrndup(const char *text, size_t length);
char *sn_xasprintf(const char *format, ...) SN_PRINTF(1, 2);
void *sn_xmemdup(const void *data, size_t size);

#define sn_new(type)          ((type *)sn_xcalloc(1, sizeof(type)))
#define sn_new_n(type, count) ((type *)sn_xcalloc((count), sizeof(type)))

#endif
