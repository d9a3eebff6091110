/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/path.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/utf8.h"

#define END ".out"

int sn_math_path_check(struct sn_str path, struct sn_err *err)
{
	struct sn_str rest = path, segment;
	unsigned depth = 0;

	if (path.n == 0 || path.n > SN_MATH_PATH_MAX)
		return sn_err_set(err, -EINVAL, "a path is empty or longer than %d bytes",
				  SN_MATH_PATH_MAX);
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c < ' ' || c == 0x7f || c == '\\')
			return sn_err_set(err, -EINVAL,
					  "a path has a control character or a backslash");
	}
	if (!sn_utf8_valid(path))
		return sn_err_set(err, -EINVAL, "a path is not UTF-8");
	if (path.p[0] == '/')
		return sn_err_set(err, -EINVAL, "'%.*s': the path is absolute",
				  (int)SN_MIN(path.n, 120), path.p);
	if (path.p[path.n - 1] == '/')
		return sn_err_set(err, -EINVAL, "'%.*s': the path ends with a slash",
				  (int)SN_MIN(path.n, 120), path.p);
	while (sn_str_split(&rest, '/', &segment)) {
		if (segment.n == 0 || segment.p[0] == '.')
			return sn_err_set(
				err, -EINVAL,
				"'%.*s': a part of the path is empty or begins with a dot",
				(int)SN_MIN(path.n, 120), path.p);
		if (++depth > SN_MATH_DEPTH_MAX)
			return sn_err_set(err, -EINVAL, "a path has more than %d parts",
					  SN_MATH_DEPTH_MAX);
	}
	return 0;
}

bool sn_math_stream_is_good(struct sn_str name)
{
	if (name.n == 0 || name.n > SN_MATH_STREAM_MAX || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* The same moment as RFC 3339 has it, so that one reader knows what a calendar allows. */
static int from_utc(const unsigned part[6], int64_t *unix_s)
{
	char text[40];
	int64_t ns;

	snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02uZ", part[0], part[1], part[2],
		 part[3], part[4], part[5]);
	if (sn_parse_time(sn_str(text), 0, &ns) != 0)
		return -EINVAL;
	*unix_s = ns / SN_NS_PER_S;
	return 0;
}

static int from_parts(const unsigned part[6], bool local_time, int64_t *unix_s)
{
	struct tm tm = {
		.tm_year = (int)part[0] - 1900,
		.tm_mon = (int)part[1] - 1,
		.tm_mday = (int)part[2],
		.tm_hour = (int)part[3],
		.tm_min = (int)part[4],
		.tm_sec = (int)part[5],
		.tm_isdst = -1,
	};

	if (from_utc(part, unix_s) != 0)
		return -EINVAL;
	if (local_time)
		*unix_s = (int64_t)mktime(&tm);
	return 0;
}

int sn_math_directory_time(struct sn_str name, bool local_time, int64_t *unix_s)
{
	unsigned part[6] = {0}, count = 0;
	struct sn_str rest = name, text;
	size_t end = strlen(END);

	if (name.n < end || memcmp(name.p + name.n - end, END, end) != 0)
		return -EINVAL;
	rest.n -= end;
	while (sn_str_split(&rest, '_', &text)) {
		uint64_t value;

		if (count == 6 || text.n != (count == 0 ? 4 : 2) ||
		    sn_parse_u64(text, 0, 9999, &value) != 0)
			return -EINVAL;
		part[count++] = (unsigned)value;
	}
	return count >= 5 ? from_parts(part, local_time, unix_s) : -EINVAL;
}

struct sn_str sn_math_path_name(struct sn_str path)
{
	const char *slash = memrchr(path.p, '/', path.n);

	if (slash == NULL)
		return path;
	return (struct sn_str){slash + 1, (size_t)(path.p + path.n - slash - 1)};
}

int64_t sn_math_path_time(struct sn_str path, bool local_time)
{
	size_t name = sn_math_path_name(path).n;
	struct sn_str directory;
	int64_t unix_s;

	if (name == path.n)
		return SN_MATH_TIME_UNKNOWN;
	directory = sn_math_path_name((struct sn_str){path.p, path.n - name - 1});
	return sn_math_directory_time(directory, local_time, &unix_s) == 0 ? unix_s
									   : SN_MATH_TIME_UNKNOWN;
}

const char *sn_math_type_names(const char *type)
{
	static const struct {
		const char *type, *names;
	} special[] = {
		{"tstat", NULL},
		{"mawi_wide", NULL},
		{"log_tcp_complete_v15", "log_tcp_complete"},
	};

	for (size_t i = 0; i < SN_COUNT(special); i++) {
		if (strcmp(type, special[i].type) == 0)
			return special[i].names;
	}
	return type;
}

int sn_math_start_time(const char *text, bool local_time, int64_t *unix_s)
{
	unsigned part[6];
	int64_t ns;
	int end = -1;

	if (sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u%n", &part[0], &part[1], &part[2], &part[3],
		   &part[4], &part[5], &end) == 6 &&
	    end > 0 && text[end] == '\0')
		return from_parts(part, local_time, unix_s);
	if (sn_parse_time(sn_str(text), 0, &ns) != 0)
		return -EINVAL;
	*unix_s = ns / SN_NS_PER_S;
	return 0;
}
