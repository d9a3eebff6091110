/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define DOUBLE_TEXT_MAX 32
/* Whole numbers below 2^53 are exact in a double and written as integers. */
#define EXACT_INTEGER_MAX 9007199254740992.0

void sn_jw_init(struct sn_jw *jw, struct sn_buf *out)
{
	*jw = (struct sn_jw){.out = out};
}

static void before_value(struct sn_jw *jw)
{
	if (jw->after_key)
		jw->after_key = false;
	else if (jw->need_comma[jw->depth])
		sn_buf_addc(jw->out, ',');
	jw->need_comma[jw->depth] = true;
}

static void open_level(struct sn_jw *jw, char bracket)
{
	before_value(jw);
	assert(jw->depth + 1 < SN_JSON_DEPTH_MAX);
	jw->need_comma[++jw->depth] = false;
	sn_buf_addc(jw->out, bracket);
}

static void close_level(struct sn_jw *jw, char bracket)
{
	assert(jw->depth > 0 && !jw->after_key);
	jw->depth--;
	sn_buf_addc(jw->out, bracket);
}

void sn_jw_object(struct sn_jw *jw)
{
	open_level(jw, '{');
}

void sn_jw_object_end(struct sn_jw *jw)
{
	close_level(jw, '}');
}

void sn_jw_array(struct sn_jw *jw)
{
	open_level(jw, '[');
}

void sn_jw_array_end(struct sn_jw *jw)
{
	close_level(jw, ']');
}

void sn_jw_key(struct sn_jw *jw, const char *key)
{
	assert(!jw->after_key);
	sn_jw_cstr(jw, key);
	sn_buf_addc(jw->out, ':');
	jw->after_key = true;
}

void sn_jw_null(struct sn_jw *jw)
{
	before_value(jw);
	sn_buf_add(jw->out, "null", 4);
}

void sn_jw_bool(struct sn_jw *jw, bool value)
{
	before_value(jw);
	sn_buf_adds(jw->out, value ? "true" : "false");
}

void sn_jw_i64(struct sn_jw *jw, int64_t value)
{
	before_value(jw);
	sn_buf_add_i64(jw->out, value);
}

void sn_jw_u64(struct sn_jw *jw, uint64_t value)
{
	before_value(jw);
	sn_buf_add_u64(jw->out, value);
}

void sn_jw_double(struct sn_jw *jw, double value)
{
	char text[DOUBLE_TEXT_MAX];

	if (!isfinite(value)) {
		sn_jw_null(jw);
		return;
	}
	before_value(jw);
	if (fabs(value) < EXACT_INTEGER_MAX && value == trunc(value) &&
	    !(value == 0 && signbit(value))) {
		sn_buf_add_i64(jw->out, (int64_t)value);
		return;
	}
	/* 15 digits are always kept by a double; 17 always tell one double from all others. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	sn_buf_adds(jw->out, value == 0 ? "-0.0" : text);
}

static void add_escaped_byte(struct sn_buf *out, uint8_t byte)
{
	static const char shorts[] = "b\bf\fn\nr\rt\t\"\"\\\\";
	static const char hex[] = "0123456789abcdef";

	for (const char *s = shorts; *s != '\0'; s += 2) {
		if ((uint8_t)s[1] == byte) {
			sn_buf_addc(out, '\\');
			sn_buf_addc(out, s[0]);
			return;
		}
	}
	sn_buf_add(out, "\\u00", 4);
	sn_buf_addc(out, hex[byte >> 4]);
	sn_buf_addc(out, hex[byte & 15]);
}

static bool needs_care(uint8_t byte)
{
	return byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\';
}

void sn_json_escape(struct sn_buf *out, struct sn_str text)
{
	const uint8_t *p = (const uint8_t *)text.p;
	size_t i = 0, plain = 0; /* [plain, i) is to be copied as it is */

	while (i < text.n) {
		size_t length;

		if (!needs_care(p[i])) {
			i++;
			continue;
		}
		length = p[i] >= 0x80 ? sn_utf8_length(text.p + i, text.n - i) : 0;
		if (length > 0) {
			i += length;
			continue;
		}
		sn_buf_add(out, p + plain, i - plain);
		if (p[i] >= 0x80)
			sn_buf_add(out, "\xef\xbf\xbd", 3);
		else
			add_escaped_byte(out, p[i]);
		plain = ++i;
	}
	sn_buf_add(out, p + plain, text.n - plain);
}

void sn_jw_str(struct sn_jw *jw, struct sn_str value)
{
	before_value(jw);
	sn_buf_addc(jw->out, '"');
	sn_json_escape(jw->out, value);
	sn_buf_addc(jw->out, '"');
}

void sn_jw_cstr(struct sn_jw *jw, const char *value)
{
	if (value == NULL)
		sn_jw_null(jw);
	else
		sn_jw_str(jw, sn_str(value));
}

void sn_jw_time(struct sn_jw *jw, int64_t unix_ns)
{
	char text[SN_TIME_TEXT_MAX];

	sn_jw_cstr(jw, sn_format_time(unix_ns, text, sizeof(text)));
}

void sn_jw_kcstr(struct sn_jw *jw, const char *key, const char *value)
{
	sn_jw_key(jw, key);
	sn_jw_cstr(jw, value);
}

void sn_jw_ku64(struct sn_jw *jw, const char *key, uint64_t value)
{
	sn_jw_key(jw, key);
	sn_jw_u64(jw, value);
}

void sn_jw_ki64(struct sn_jw *jw, const char *key, int64_t value)
{
	sn_jw_key(jw, key);
	sn_jw_i64(jw, value);
}

void sn_jw_kdouble(struct sn_jw *jw, const char *key, double value)
{
	sn_jw_key(jw, key);
	sn_jw_double(jw, value);
}

void sn_jw_kbool(struct sn_jw *jw, const char *key, bool value)
{
	sn_jw_key(jw, key);
	sn_jw_bool(jw, value);
}

void sn_jw_ktime(struct sn_jw *jw, const char *key, int64_t unix_ns)
{
	sn_jw_key(jw, key);
	sn_jw_time(jw, unix_ns);
}

/* Reading --------------------------------------------------------------- */

json_t *sn_json_parse(const void *data, size_t size, struct sn_err *err)
{
	json_error_t error;
	json_t *json = json_loadb(size > 0 ? data : "", size, JSON_REJECT_DUPLICATES, &error);

	if (json == NULL)
		sn_err_set(err, -EINVAL, "not valid JSON: line %d, column %d: %s", error.line,
			   error.column, error.text);
	return json;
}

void sn_cleanup_json(json_t **json)
{
	json_decref(*json);
}

static int wrong_type(const char *key, const char *expected, struct sn_err *err)
{
	return sn_err_set(err, -EINVAL, "member '%s' is not %s", key, expected);
}

static int find_member(const json_t *object, const char *key, const json_t **member,
		       struct sn_err *err)
{
	if (!json_is_object(object))
		return sn_err_set(err, -EINVAL, "not an object where member '%s' is expected", key);
	*member = json_object_get(object, key);
	if (*member == NULL)
		return sn_err_set(err, -ENOENT, "member '%s' is missing", key);
	return 0;
}

int sn_json_get_str(const json_t *object, const char *key, const char **value, struct sn_err *err)
{
	const json_t *member;
	int rc = find_member(object, key, &member, err);

	if (rc != 0)
		return rc;
	if (!json_is_string(member))
		return wrong_type(key, "a text", err);
	*value = json_string_value(member);
	return 0;
}

int sn_json_get_i64(const json_t *object, const char *key, int64_t *value, struct sn_err *err)
{
	const json_t *member;
	int rc = find_member(object, key, &member, err);

	if (rc != 0)
		return rc;
	if (!json_is_integer(member))
		return wrong_type(key, "a whole number", err);
	*value = json_integer_value(member);
	return 0;
}

int sn_json_get_double(const json_t *object, const char *key, double *value, struct sn_err *err)
{
	const json_t *member;
	int rc = find_member(object, key, &member, err);

	if (rc != 0)
		return rc;
	if (!json_is_number(member))
		return wrong_type(key, "a number", err);
	*value = json_number_value(member);
	return 0;
}

int sn_json_get_bool(const json_t *object, const char *key, bool *value, struct sn_err *err)
{
	const json_t *member;
	int rc = find_member(object, key, &member, err);

	if (rc != 0)
		return rc;
	if (!json_is_boolean(member))
		return wrong_type(key, "true or false", err);
	*value = json_is_true(member);
	return 0;
}
