/* SPDX-License-Identifier: Apache-2.0 */
#include "data/json_read.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

int sn_jr_refuse_at(struct sn_jr *jr, const char *p, const char *reason)
{
	return sn_err_set(jr->err, -EINVAL, "column %zu: %s", (size_t)(p - jr->start) + 1, reason);
}

int sn_jr_refuse(struct sn_jr *jr, const char *reason)
{
	return sn_jr_refuse_at(jr, jr->p, reason);
}

/* Strings ---------------------------------------------------------------- */

/* Printable ASCII but for the quote and the backslash. */
static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Eight bytes at once; marks may be wrong behind the first one, which is all that is asked. */
static bool all_plain(const char *p)
{
	const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
	uint64_t word, quote, backslash;

	memcpy(&word, p, sizeof(word));
	quote = word ^ ('"' * ones);
	backslash = word ^ ('\\' * ones);
	return ((word | ((word - 0x20 * ones) & ~word) | ((quote - ones) & ~quote) |
		 ((backslash - ones) & ~backslash)) &
		high) == 0;
}

static const char *skip_plain(const char *p, const char *end)
{
	while (end - p >= 8 && all_plain(p))
		p += 8;
	while (p < end && is_plain(*p))
		p++;
	return p;
}

/* The four digits behind "\u"; -1 if they are not. */
static int take_hex4(struct sn_jr *jr)
{
	uint8_t bytes[2];

	if (jr->end - jr->p < 4 || sn_unhex((struct sn_str){jr->p, 4}, bytes, sizeof(bytes)) != 0)
		return -1;
	jr->p += 4;
	return bytes[0] << 8 | bytes[1];
}

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

/* Behind "\u"; pairs of surrogates are one character (RFC 8259, section 7). */
static int decode_unicode(struct sn_jr *jr, const char *escape)
{
	int code = take_hex4(jr), low;

	if (code < 0)
		return sn_jr_refuse_at(jr, escape, "\\u without four hex digits");
	if (code == 0)
		return sn_jr_refuse_at(jr, escape, "a zero byte in a string");
	if (code >= 0xdc00 && code <= 0xdfff)
		return sn_jr_refuse_at(jr, escape, "half of a surrogate pair");
	if (code >= 0xd800 && code <= 0xdbff) {
		low = sn_jr_take(jr, '\\') && sn_jr_take(jr, 'u') ? take_hex4(jr) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return sn_jr_refuse_at(jr, escape, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(&jr->decoded, (unsigned)code);
	return 0;
}

static int decode_escape(struct sn_jr *jr)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *escape = jr->p++, *found;

	if (sn_jr_take(jr, 'u'))
		return decode_unicode(jr, escape);
	found = jr->p < jr->end ? memchr(from, *jr->p, sizeof(from) - 1) : NULL;
	if (found == NULL)
		return sn_jr_refuse_at(jr, escape, "an unknown escape");
	sn_buf_addc(&jr->decoded, to[found - from]);
	jr->p++;
	return 0;
}

/* Where the next decoded string begins. */
static size_t begin_decoded(struct sn_jr *jr)
{
	if (!jr->keep)
		sn_buf_clear(&jr->decoded);
	else if (jr->decoded.n == 0) /* escapes only shrink: with room for all, none ever moves */
		sn_buf_reserve(&jr->decoded, (size_t)(jr->end - jr->start));
	return jr->decoded.n;
}

int sn_jr_string(struct sn_jr *jr, struct sn_str *text)
{
	const char *from = ++jr->p;
	size_t begin = 0;
	bool copied = false;

	for (;;) {
		size_t length;

		jr->p = skip_plain(jr->p, jr->end);
		if (jr->p == jr->end)
			return sn_jr_refuse(jr, "a string without an end");
		if (*jr->p == '"')
			break;
		if (*jr->p == '\\') {
			if (!copied)
				begin = begin_decoded(jr);
			copied = true;
			sn_buf_add(&jr->decoded, from, (size_t)(jr->p - from));
			if (decode_escape(jr) != 0)
				return -EINVAL;
			from = jr->p;
			continue;
		}
		if ((unsigned char)*jr->p < 0x20)
			return sn_jr_refuse(jr, "a control character in a string");
		length = sn_utf8_length(jr->p, (size_t)(jr->end - jr->p));
		if (length == 0)
			return sn_jr_refuse(jr, "bytes that are not UTF-8");
		jr->p += length;
	}
	*text = (struct sn_str){from, (size_t)(jr->p++ - from)};
	if (copied) {
		sn_buf_add(&jr->decoded, text->p, text->n);
		*text = (struct sn_str){jr->decoded.p + begin, jr->decoded.n - begin};
	}
	return 0;
}

/* Other values ----------------------------------------------------------- */

int sn_jr_number(struct sn_jr *jr, struct sn_number *number)
{
	struct sn_str rest = {jr->p, (size_t)(jr->end - jr->p)};
	size_t length = sn_number_scan(rest, number);

	if (length == 0)
		return sn_jr_refuse(jr, "not a JSON value");
	jr->p += length;
	return 0;
}

static int skip_value(struct sn_jr *jr, unsigned depth);

static int skip_member(struct sn_jr *jr, unsigned depth)
{
	struct sn_str name;

	if (!sn_jr_at(jr, '"'))
		return sn_jr_refuse(jr, "not a member's name in quotes");
	if (sn_jr_string(jr, &name) != 0)
		return -EINVAL;
	sn_jr_blanks(jr);
	if (!sn_jr_take(jr, ':'))
		return sn_jr_refuse(jr, "no ':' behind a member's name");
	sn_jr_blanks(jr);
	return skip_value(jr, depth);
}

/* Behind the opening bracket, to behind `close`. */
static int skip_nested(struct sn_jr *jr, char close, unsigned depth)
{
	if (depth == SN_JR_DEPTH_MAX)
		return sn_jr_refuse(jr, "too many values inside each other");
	sn_jr_blanks(jr);
	if (sn_jr_take(jr, close))
		return 0;
	do {
		int rc;

		sn_jr_blanks(jr);
		rc = close == '}' ? skip_member(jr, depth + 1) : skip_value(jr, depth + 1);
		if (rc != 0)
			return rc;
		sn_jr_blanks(jr);
	} while (sn_jr_take(jr, ','));
	return sn_jr_take(jr, close)
		       ? 0
		       : sn_jr_refuse(jr, close == '}' ? "neither ',' nor '}' behind a value"
						       : "neither ',' nor ']' behind a value");
}

static int skip_value(struct sn_jr *jr, unsigned depth)
{
	struct sn_number number;
	struct sn_str text;

	if (sn_jr_at(jr, '"'))
		return sn_jr_string(jr, &text);
	if (sn_jr_take(jr, '{'))
		return skip_nested(jr, '}', depth);
	if (sn_jr_take(jr, '['))
		return skip_nested(jr, ']', depth);
	if (sn_jr_word(jr, SN_STR("true")) || sn_jr_word(jr, SN_STR("false")) ||
	    sn_jr_word(jr, SN_STR("null")))
		return 0;
	return sn_jr_number(jr, &number);
}

int sn_jr_skip(struct sn_jr *jr, struct sn_str *text)
{
	const char *start = jr->p;
	int rc = skip_value(jr, 0);

	*text = (struct sn_str){start, (size_t)(jr->p - start)};
	return rc;
}
