/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The loop's logger allocates; this one must not. */
static void *checked(void *ptr)
{
	if (ptr == NULL) {
		fputs("<3>mem: out of memory\n", stderr);
		abort();
	}
	return ptr;
}

void *sn_xmalloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *sn_xcalloc(size_t count, size_t size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *sn_xrealloc(void *ptr, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		checked(NULL);
	return checked(realloc(ptr, total > 0 ? total : 1));
}

char *sn_xstrdup(const char *text)
{
	return checked(strdup(text));
}

char *sn_xstrndup(const char *text, size_t length)
{
	return checked(strndup(text, length));
}

char *sn_xasprintf(const char *format, ...)
{
	char *text;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	return checked(length < 0 ? NULL : text);
}

void *sn_xmemdup(const void *data, size_t size)
{
	void *copy = sn_xmalloc(size);

	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}
