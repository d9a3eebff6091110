/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

SN_PRINTF(3, 0)
static int fill(struct sn_err *err, int code, const char *format, va_list args)
{
	assert(code < 0);
	if (err == NULL)
		return code;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, args);
	return code;
}

static void append(struct sn_err *err, const char *text)
{
	size_t used = strlen(err->text);

	snprintf(err->text + used, sizeof(err->text) - used, ": %s", text);
}

int sn_err_set(struct sn_err *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, format, args);
	va_end(args);
	return code;
}

int sn_err_sys(struct sn_err *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, format, args);
	va_end(args);
	if (err != NULL)
		append(err, strerror(-code));
	return code;
}

int sn_err_wrap(struct sn_err *err, const char *format, ...)
{
	char inner[SN_ERR_TEXT_MAX];
	va_list args;

	if (err == NULL)
		return -EIO;
	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	append(err, inner);
	return err->code;
}
