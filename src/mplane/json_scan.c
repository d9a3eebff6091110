/* SPDX-License-Identifier: Apache-2.0 */
#include "mplane/json_scan.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/utf8.h"

struct check {
	const char *start, *p, *end;
	uint64_t objects; /* bit per open level: an object; otherwise an array */
	unsigned depth, depth_max;
	const char *reason;
};

/* Check ------------------------------------------------------------------ */

static bool refuse(struct check *check, const char *reason)
{
	check->reason = reason;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_blanks(struct check *check)
{
	while (check->p < check->end && is_blank(*check->p))
		check->p++;
}

static bool take(struct check *check, char c)
{
	if (check->p == check->end || *check->p != c)
		return false;
	check->p++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take_digits(struct check *check)
{
	const char *first = check->p;

	while (check->p < check->end && is_digit(*check->p))
		check->p++;
	return check->p > first;
}

static bool take_number(struct check *check)
{
	take(check, '-');
	if (!take(check, '0') && !take_digits(check))
		return refuse(check, "a number without digits");
	if (take(check, '.') && !take_digits(check))
		return refuse(check, "a decimal point without digits behind it");
	if (take(check, 'e') || take(check, 'E')) {
		if (!take(check, '+'))
			take(check, '-');
		if (!take_digits(check))
			return refuse(check, "an exponent without digits");
	}
	return true;
}

/* The value of four hex digits at `p`; -1 if they are not. */
static int hex4(const char *p, const char *end)
{
	uint8_t bytes[2];

	if (end - p < 4 || sn_unhex((struct sn_str){p, 4}, bytes, sizeof(bytes)) != 0)
		return -1;
	return bytes[0] << 8 | bytes[1];
}

static bool is_high(int code)
{
	return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low(int code)
{
	return code >= 0xdc00 && code <= 0xdfff;
}

/* Behind "\u"; characters beyond the first plane are two of them (RFC 8259, section 7). */
static bool take_unicode(struct check *check)
{
	int code = hex4(check->p, check->end);

	if (code < 0)
		return refuse(check, "\\u without four hex digits");
	if (code == 0)
		return refuse(check, "a zero byte in a string");
	check->p += 4;
	if (is_low(code))
		return refuse(check, "half of a surrogate pair");
	if (!is_high(code))
		return true;
	if (!take(check, '\\') || !take(check, 'u') || !is_low(hex4(check->p, check->end)))
		return refuse(check, "half of a surrogate pair");
	check->p += 4;
	return true;
}

static bool take_escape(struct check *check)
{
	char c = check->p < check->end ? *check->p : '\0';

	if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
		return refuse(check, "an unknown escape in a string");
	check->p++;
	return c != 'u' || take_unicode(check);
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Behind the quote. */
static bool take_string(struct check *check)
{
	for (;;) {
		size_t length;

		while (check->p < check->end && is_plain(*check->p))
			check->p++;
		if (check->p == check->end)
			return refuse(check, "a string without an end");
		if (take(check, '"'))
			return true;
		if (take(check, '\\')) {
			if (!take_escape(check))
				return false;
			continue;
		}
		if ((unsigned char)*check->p < 0x20)
			return refuse(check, "a control character in a string");
		length = sn_utf8_length(check->p, (size_t)(check->end - check->p));
		if (length == 0)
			return refuse(check, "not UTF-8");
		check->p += length;
	}
}

static bool take_word(struct check *check, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(check->end - check->p) < length || memcmp(check->p, word, length) != 0)
		return refuse(check, "neither a value nor a bracket");
	check->p += length;
	return true;
}

/* Behind '{' or ',': the name of a member and its colon. */
static bool take_key(struct check *check)
{
	skip_blanks(check);
	if (!take(check, '"'))
		return refuse(check, "a member without a name in quotes");
	if (!take_string(check))
		return false;
	skip_blanks(check);
	return take(check, ':') || refuse(check, "no ':' behind the name of a member");
}

static bool in_object(const struct check *check)
{
	return check->objects >> check->depth & 1;
}

/* Takes '[' or '{'.  `closed`: and at once the bracket that ends it. */
static bool open_level(struct check *check, bool object, bool *closed)
{
	if (check->depth == check->depth_max)
		return refuse(check, "brackets nested too deep");
	check->p++;
	skip_blanks(check);
	*closed = take(check, object ? '}' : ']');
	if (*closed)
		return true;
	check->depth++;
	check->objects &= ~(1ULL << check->depth);
	check->objects |= (uint64_t)object << check->depth;
	return !object || take_key(check);
}

/* `complete`: the value is at its end; otherwise its first item follows. */
static bool take_value(struct check *check, bool *complete)
{
	*complete = true;
	skip_blanks(check);
	switch (check->p < check->end ? *check->p : '\0') {
	case '{':
	case '[':
		return open_level(check, *check->p == '{', complete);
	case '"':
		check->p++;
		return take_string(check);
	case 't':
		return take_word(check, "true");
	case 'f':
		return take_word(check, "false");
	case 'n':
		return take_word(check, "null");
	case '-':
		return take_number(check);
	default:
		if (check->p < check->end && is_digit(*check->p))
			return take_number(check);
		return refuse(check, check->p == check->end ? "the text ends too early"
							    : "neither a value nor a bracket");
	}
}

/* Behind a complete value: closes levels until one goes on. */
static bool close_levels(struct check *check)
{
	while (check->depth > 0) {
		skip_blanks(check);
		if (take(check, ','))
			return !in_object(check) || take_key(check);
		if (!take(check, in_object(check) ? '}' : ']'))
			return refuse(check, check->p == check->end ? "the text ends too early"
								    : "no ',' between values");
		check->depth--;
	}
	return true;
}

static bool check_all(struct check *check)
{
	bool complete;

	do {
		if (!take_value(check, &complete) || (complete && !close_levels(check)))
			return false;
	} while (check->depth > 0);
	skip_blanks(check);
	return check->p == check->end || refuse(check, "something behind the end");
}

int sn_js_check(struct sn_str text, unsigned depth_max, struct sn_err *err)
{
	struct check check = {.start = text.p, .p = text.p, .end = text.p + text.n};
	unsigned line = 1;
	const char *line_start = text.p;

	assert(depth_max < SN_JS_DEPTH_MAX);
	check.depth_max = depth_max;
	if (text.n > 0 && check_all(&check))
		return 0;
	if (text.n == 0)
		return sn_err_set(err, -EINVAL, "not valid JSON: the text is empty");
	for (const char *p = text.p; p < check.p; p++) {
		if (*p == '\n') {
			line++;
			line_start = p + 1;
		}
	}
	return sn_err_set(err, -EINVAL, "not valid JSON: line %u, column %zu: %s", line,
			  (size_t)(check.p - line_start) + 1, check.reason);
}

/* Walk ------------------------------------------------------------------- */

static const char *behind_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* From the opening quote to behind the closing one. */
static const char *behind_string(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p + 1;
}

static bool ends_word(char c)
{
	return c == ',' || c == ']' || c == '}' || is_blank(c);
}

static const char *behind_value(const char *p)
{
	unsigned depth = 0;

	if (*p == '"')
		return behind_string(p);
	if (*p != '{' && *p != '[') {
		while (!ends_word(*p))
			p++;
		return p;
	}
	do {
		if (*p == '"') {
			p = behind_string(p);
			continue;
		}
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		p++;
	} while (depth > 0);
	return p;
}

const char *sn_js_root(struct sn_str text)
{
	return behind_blanks(text.p);
}

enum sn_js_type sn_js_type(const char *value)
{
	switch (*value) {
	case '{':
		return SN_JS_OBJECT;
	case '[':
		return SN_JS_ARRAY;
	case '"':
		return SN_JS_STRING;
	case 'n':
		return SN_JS_NULL;
	case 't':
	case 'f':
		return SN_JS_BOOLEAN;
	default:
		return SN_JS_NUMBER;
	}
}

struct sn_js_walk sn_js_inside(const char *value)
{
	assert(*value == '{' || *value == '[');
	return (struct sn_js_walk){behind_blanks(value + 1)};
}

bool sn_js_next(struct sn_js_walk *walk, const char **key, const char **value)
{
	const char *p = walk->at;

	if (*p == ']' || *p == '}')
		return false;
	if (*p == ',')
		p = behind_blanks(p + 1);
	if (key != NULL) {
		*key = p;
		p = behind_blanks(behind_string(p));
		p = behind_blanks(p + 1);
	}
	*value = p;
	walk->at = behind_blanks(behind_value(p));
	return true;
}

/* Texts ------------------------------------------------------------------ */

static void add_utf8(struct sn_buf *out, unsigned code)
{
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	unsigned length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	char bytes[4];

	for (unsigned i = length; --i > 0; code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	bytes[0] = (char)(lead[length] | code);
	sn_buf_add(out, bytes, length);
}

/* Of an escape, from behind the backslash; returns what follows it. */
static const char *add_escaped(struct sn_buf *out, const char *p)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *letter = strchr(from, *p);
	int code;

	if (*p != 'u') {
		sn_buf_addc(out, letter != NULL ? to[letter - from] : *p);
		return p + 1;
	}
	code = hex4(p + 1, p + 5);
	p += 5;
	if (is_high(code)) {
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(p + 2, p + 6) - 0xdc00);
		p += 6;
	}
	add_utf8(out, (unsigned)code);
	return p;
}

struct sn_str sn_js_string(const char *value, struct sn_buf *scratch)
{
	const char *p = value + 1, *plain = p;

	while (*p != '"' && *p != '\\')
		p++;
	if (*p == '"')
		return (struct sn_str){plain, (size_t)(p - plain)};
	sn_buf_clear(scratch);
	while (*p != '"') {
		if (*p != '\\') {
			p++;
			continue;
		}
		sn_buf_add(scratch, plain, (size_t)(p - plain));
		p = plain = add_escaped(scratch, p + 1);
	}
	sn_buf_add(scratch, plain, (size_t)(p - plain));
	return sn_buf_str(scratch);
}

struct sn_str sn_js_word(const char *value)
{
	return (struct sn_str){value, (size_t)(behind_value(value) - value)};
}
