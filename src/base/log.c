/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES  2048
#define LIMIT_WINDOW_NS (60 * SN_NS_PER_S)
#define LIMIT_LINES     10
#define LEVEL_COUNT     8
#define COLOUR_PLAIN    "\033[0m"

static const struct {
	const char *name;
	const char *colour;
} levels[LEVEL_COUNT] = {
	[SN_LOG_ERROR] = {"error", "\033[31m"}, [SN_LOG_WARNING] = {"warning", "\033[33m"},
	[SN_LOG_NOTICE] = {"notice", ""},       [SN_LOG_INFO] = {"info", ""},
	[SN_LOG_DEBUG] = {"debug", "\033[2m"},
};

static enum sn_log_level max_level = SN_LOG_NOTICE;

void sn_log_set_level(enum sn_log_level level)
{
	max_level = level;
}

int sn_log_set_level_name(const char *name)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++) {
		if (levels[i].name != NULL && strcmp(levels[i].name, name) == 0) {
			max_level = (enum sn_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Text from outside may be part of a line; it must not be able to start another one. */
static void defuse(char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

static void write_line(const char *line, size_t size)
{
	while (size > 0) {
		ssize_t done = write(STDERR_FILENO, line, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		line += done;
		size -= (size_t)done;
	}
}

void sn_log(enum sn_log_level level, const char *module, const char *format, ...)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 128];
	int saved_errno = errno;
	va_list args;
	int length;

	if (level > max_level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	defuse(text);
	if (isatty(STDERR_FILENO))
		length = snprintf(line, sizeof(line), "%s%.64s: %s%s\n", levels[level].colour,
				  module, text, *levels[level].colour ? COLOUR_PLAIN : "");
	else
		length = snprintf(line, sizeof(line), "<%d>%.64s: %s\n", level, module, text);
	write_line(line, (size_t)length);
	errno = saved_errno;
}

int sn_log_limit_pass(struct sn_log_limit *limit, unsigned *held)
{
	long long now_ns = (long long)sn_mono_ns();

	*held = 0;
	if (limit->passed == 0 || now_ns - limit->window_start_ns >= LIMIT_WINDOW_NS) {
		*held = limit->held;
		*limit = (struct sn_log_limit){.window_start_ns = now_ns, .passed = 1};
		return 1;
	}
	if (limit->passed >= LIMIT_LINES) {
		limit->held++;
		return 0;
	}
	limit->passed++;
	return 1;
}
