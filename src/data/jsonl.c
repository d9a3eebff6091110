/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Lines.  The reader goes over a line once, without a tree and, but for
 * texts with escapes, without copies: it is what every row of every node passes.
 */
#include "data/codec.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "data/scalar.h"

/* Writing ---------------------------------------------------------------- */

static void write_value(struct sn_buf *out, const struct sn_value *value)
{
	switch (value->type) {
	case SN_TYPE_BOOL:
		sn_buf_adds(out, value->b ? "true" : "false");
		break;
	case SN_TYPE_I64:
		sn_buf_add_i64(out, value->i);
		break;
	case SN_TYPE_F64:
		sn_scalar_add_f64(out, value->f);
		break;
	case SN_TYPE_TEXT:
		sn_buf_addc(out, '"');
		sn_json_escape(out, value->s);
		sn_buf_addc(out, '"');
		break;
	case SN_TYPE_TIME:
		sn_buf_addc(out, '"');
		sn_scalar_add_time(out, value->i);
		sn_buf_addc(out, '"');
		break;
	case SN_TYPE_NULL:
		break;
	}
}

static bool has_value(const struct sn_value *value)
{
	return value->type != SN_TYPE_NULL && (value->type != SN_TYPE_F64 || isfinite(value->f));
}

void sn_jsonl_write_row(struct sn_buf *out, const struct sn_dataset *dataset,
			const struct sn_value *row)
{
	char before = '{';

	for (size_t i = 0; i < dataset->column_count; i++) {
		if (!has_value(&row[i]))
			continue;
		sn_buf_addc(out, before);
		sn_buf_addc(out, '"');
		sn_buf_adds(out, dataset->columns[i].name);
		sn_buf_add(out, "\":", 2);
		write_value(out, &row[i]);
		before = ',';
	}
	sn_buf_adds(out, before == '{' ? "{}\n" : "}\n");
}

void sn_jsonl_write(struct sn_buf *out, const struct sn_batch *batch)
{
	for (size_t i = 0; i < sn_batch_rows(batch); i++)
		sn_jsonl_write_row(out, sn_batch_dataset(batch), sn_batch_row(batch, i));
}

/* Reading ---------------------------------------------------------------- */

struct scanner {
	const char *start, *p, *end;
	struct sn_batch *batch;
	const struct sn_column *columns;
	size_t column_count;
	size_t expected; /* column that comes next if the writer kept our order */
	uint64_t seen[SN_DATASET_COLUMNS_MAX / 64];
	struct sn_buf decoded; /* the string read last, if it had escapes */
	struct sn_err *err;
};

/* `p` is the place that is to blame; places count from 1. */
static int refuse_at(struct scanner *scanner, const char *p, const char *reason)
{
	return sn_err_set(scanner->err, -EINVAL, "column %zu: %s", (size_t)(p - scanner->start) + 1,
			  reason);
}

static int refuse(struct scanner *scanner, const char *reason)
{
	return refuse_at(scanner, scanner->p, reason);
}

/* Only names of our own get into messages, never bytes of the input. */
static int refuse_member(struct scanner *scanner, const char *p, int column, const char *reason)
{
	return sn_err_set(scanner->err, -EINVAL, "column %zu: '%s' %s",
			  (size_t)(p - scanner->start) + 1, scanner->columns[column].name, reason);
}

static void skip_blanks(struct scanner *scanner)
{
	while (scanner->p < scanner->end && (*scanner->p == ' ' || *scanner->p == '\t' ||
					     *scanner->p == '\r' || *scanner->p == '\n'))
		scanner->p++;
}

static bool take(struct scanner *scanner, char c)
{
	if (scanner->p == scanner->end || *scanner->p != c)
		return false;
	scanner->p++;
	return true;
}

static bool take_word(struct scanner *scanner, struct sn_str word)
{
	if ((size_t)(scanner->end - scanner->p) < word.n || memcmp(scanner->p, word.p, word.n) != 0)
		return false;
	scanner->p += word.n;
	return true;
}

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
static int take_hex4(struct scanner *scanner)
{
	uint8_t bytes[2];

	if (scanner->end - scanner->p < 4 ||
	    sn_unhex((struct sn_str){scanner->p, 4}, bytes, sizeof(bytes)) != 0)
		return -1;
	scanner->p += 4;
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
static int decode_unicode(struct scanner *scanner, const char *escape)
{
	int code = take_hex4(scanner), low;

	if (code < 0)
		return refuse_at(scanner, escape, "\\u without four hex digits");
	if (code == 0)
		return refuse_at(scanner, escape, "a zero byte in a string");
	if (code >= 0xdc00 && code <= 0xdfff)
		return refuse_at(scanner, escape, "half of a surrogate pair");
	if (code >= 0xd800 && code <= 0xdbff) {
		low = take(scanner, '\\') && take(scanner, 'u') ? take_hex4(scanner) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return refuse_at(scanner, escape, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(&scanner->decoded, (unsigned)code);
	return 0;
}

static int decode_escape(struct scanner *scanner)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *escape = scanner->p++, *found;

	if (take(scanner, 'u'))
		return decode_unicode(scanner, escape);
	found = scanner->p < scanner->end ? memchr(from, *scanner->p, sizeof(from) - 1) : NULL;
	if (found == NULL)
		return refuse_at(scanner, escape, "an unknown escape");
	sn_buf_addc(&scanner->decoded, to[found - from]);
	scanner->p++;
	return 0;
}

/* At the opening quote.  `text` is borrowed until the next string. */
static int read_string(struct scanner *scanner, struct sn_str *text)
{
	const char *from = ++scanner->p;
	bool copied = false;

	for (;;) {
		size_t length;

		scanner->p = skip_plain(scanner->p, scanner->end);
		if (scanner->p == scanner->end)
			return refuse(scanner, "a string without an end");
		if (*scanner->p == '"')
			break;
		if (*scanner->p == '\\') {
			if (!copied)
				sn_buf_clear(&scanner->decoded);
			copied = true;
			sn_buf_add(&scanner->decoded, from, (size_t)(scanner->p - from));
			if (decode_escape(scanner) != 0)
				return -EINVAL;
			from = scanner->p;
			continue;
		}
		if ((unsigned char)*scanner->p < 0x20)
			return refuse(scanner, "a control character in a string");
		length = sn_utf8_length(scanner->p, (size_t)(scanner->end - scanner->p));
		if (length == 0)
			return refuse(scanner, "bytes that are not UTF-8");
		scanner->p += length;
	}
	*text = (struct sn_str){from, (size_t)(scanner->p++ - from)};
	if (copied) {
		sn_buf_add(&scanner->decoded, text->p, text->n);
		*text = sn_buf_str(&scanner->decoded);
	}
	return 0;
}

static int read_number(struct scanner *scanner, struct sn_number *number)
{
	struct sn_str rest = {scanner->p, (size_t)(scanner->end - scanner->p)};
	size_t length = sn_number_scan(rest, number);

	if (length == 0)
		return refuse(scanner, "not a JSON value");
	scanner->p += length;
	return 0;
}

static int read_bool(struct scanner *scanner, int column)
{
	bool value = take_word(scanner, SN_STR("true"));

	if (!value && !take_word(scanner, SN_STR("false")))
		return refuse_member(scanner, scanner->p, column, "is not true or false");
	sn_batch_set_bool(scanner->batch, column, value);
	return 0;
}

static bool at_number(const struct scanner *scanner)
{
	return scanner->p < scanner->end &&
	       (*scanner->p == '-' || (*scanner->p >= '0' && *scanner->p <= '9'));
}

static int read_i64(struct scanner *scanner, int column)
{
	const char *start = scanner->p;
	struct sn_number number;
	int64_t value;
	int rc;

	if (!at_number(scanner))
		return refuse_member(scanner, start, column, "is not an integer");
	if (read_number(scanner, &number) != 0)
		return -EINVAL;
	rc = sn_number_i64(&number, &value);
	if (rc != 0)
		return refuse_member(scanner, start, column,
				     rc == -ERANGE ? "does not fit into 64 bits"
						   : "is not an integer");
	sn_batch_set_i64(scanner->batch, column, value);
	return 0;
}

static int read_f64(struct scanner *scanner, int column)
{
	const char *start = scanner->p;
	struct sn_number number;
	double value;

	if (!at_number(scanner))
		return refuse_member(scanner, start, column, "is not a number");
	if (read_number(scanner, &number) != 0)
		return -EINVAL;
	if (sn_number_f64(&number, &value) != 0)
		return refuse_member(scanner, start, column, "is too large or has too many digits");
	sn_batch_set_f64(scanner->batch, column, value);
	return 0;
}

static int read_text(struct scanner *scanner, int column)
{
	const char *start = scanner->p;
	struct sn_str text;

	if (start == scanner->end || *start != '"')
		return refuse_member(scanner, start, column, "is not a text");
	if (read_string(scanner, &text) != 0)
		return -EINVAL;
	if (text.n > SN_TEXT_MAX)
		return refuse_member(scanner, start, column, "is too long");
	sn_batch_set_text(scanner->batch, column, text);
	return 0;
}

static int read_time(struct scanner *scanner, int column)
{
	const char *start = scanner->p;
	struct sn_str text;
	int64_t value;

	if (start == scanner->end || *start != '"')
		return refuse_member(scanner, start, column, "is not a time");
	if (read_string(scanner, &text) != 0)
		return -EINVAL;
	if (sn_time_scan(text, &value) != 0)
		return refuse_member(scanner, start, column, "is not a time (RFC 3339)");
	sn_batch_set_time(scanner->batch, column, value);
	return 0;
}

/* A member that we do not know: anything flat. */
static int skip_value(struct scanner *scanner)
{
	struct sn_number number;
	struct sn_str text;

	if (scanner->p < scanner->end && *scanner->p == '"')
		return read_string(scanner, &text);
	if (take_word(scanner, SN_STR("true")) || take_word(scanner, SN_STR("false")))
		return 0;
	return read_number(scanner, &number);
}

static int read_value(struct scanner *scanner, int column)
{
	static int (*const readers[])(struct scanner *, int) = {
		[SN_TYPE_BOOL] = read_bool, [SN_TYPE_I64] = read_i64,   [SN_TYPE_F64] = read_f64,
		[SN_TYPE_TEXT] = read_text, [SN_TYPE_TIME] = read_time,
	};

	if (scanner->p < scanner->end && (*scanner->p == '{' || *scanner->p == '['))
		return refuse(scanner, "a nested value");
	if (take_word(scanner, SN_STR("null")))
		return 0;
	return column >= 0 ? readers[scanner->columns[column].type](scanner, column)
			   : skip_value(scanner);
}

/* Members mostly come in the order of the columns, so the search starts where it ended. */
static int find_column(struct scanner *scanner, struct sn_str name)
{
	for (size_t i = 0, at = scanner->expected; i < scanner->column_count; i++, at++) {
		const char *candidate;

		if (at == scanner->column_count)
			at = 0;
		candidate = scanner->columns[at].name;
		if (strncmp(candidate, name.p, name.n) == 0 && candidate[name.n] == '\0') {
			scanner->expected = at + 1 < scanner->column_count ? at + 1 : 0;
			return (int)at;
		}
	}
	return -1;
}

static int read_member(struct scanner *scanner)
{
	const char *start = scanner->p;
	struct sn_str name;
	int column;

	if (start == scanner->end || *start != '"')
		return refuse(scanner, "not a member's name in quotes");
	if (read_string(scanner, &name) != 0)
		return -EINVAL;
	column = find_column(scanner, name);
	if (column >= 0) {
		uint64_t bit = UINT64_C(1) << (column % 64);

		if ((scanner->seen[column / 64] & bit) != 0)
			return refuse_member(scanner, start, column, "is given twice");
		scanner->seen[column / 64] |= bit;
	}
	skip_blanks(scanner);
	if (!take(scanner, ':'))
		return refuse(scanner, "no ':' behind a member's name");
	skip_blanks(scanner);
	return read_value(scanner, column);
}

static int read_object(struct scanner *scanner)
{
	skip_blanks(scanner);
	if (!take(scanner, '{'))
		return refuse(scanner, "not an object");
	skip_blanks(scanner);
	if (!take(scanner, '}')) {
		do {
			skip_blanks(scanner);
			if (read_member(scanner) != 0)
				return -EINVAL;
			skip_blanks(scanner);
		} while (take(scanner, ','));
		if (!take(scanner, '}'))
			return refuse(scanner, "neither ',' nor '}' behind a value");
	}
	skip_blanks(scanner);
	if (scanner->p != scanner->end)
		return refuse(scanner, "bytes behind the object");
	return 0;
}

int sn_jsonl_read_row(struct sn_batch *batch, struct sn_str line, struct sn_err *err)
{
	const struct sn_dataset *dataset = sn_batch_dataset(batch);
	struct scanner scanner = {
		.start = line.p,
		.p = line.p,
		.end = line.p + line.n,
		.batch = batch,
		.columns = dataset->columns,
		.column_count = dataset->column_count,
		.err = err,
	};
	int rc;

	if (line.n > SN_JSONL_LINE_MAX)
		return sn_err_set(err, -EINVAL, "column %d: the line is too long",
				  SN_JSONL_LINE_MAX + 1);
	sn_batch_add_row(batch);
	rc = read_object(&scanner);
	if (rc != 0)
		sn_batch_drop_row(batch);
	sn_buf_finish(&scanner.decoded);
	return rc;
}

const struct sn_dataset *sn_jsonl_dataset(struct sn_str line, const struct sn_dataset *otherwise)
{
	static const char start[] = "{\"dataset\":\"";
	char name[64];
	const char *end;

	if (!sn_str_has_prefix(line, start))
		return otherwise;
	line.p += sizeof(start) - 1;
	line.n -= sizeof(start) - 1;
	end = memchr(line.p, '"', line.n);
	if (end == NULL || (size_t)(end - line.p) >= sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(end - line.p), line.p);
	return sn_catalog_find(name);
}

int sn_jsonl_read(struct sn_batch *batch, struct sn_str text, size_t rows_max, struct sn_err *err)
{
	struct sn_str line;

	for (size_t number = 1; text.n > 0; number++) {
		const char *feed = memchr(text.p, '\n', text.n);

		line.p = text.p;
		line.n = feed != NULL ? (size_t)(feed - text.p) : text.n;
		text.p += line.n + (feed != NULL);
		text.n -= line.n + (feed != NULL);
		if (number > rows_max)
			return sn_err_set(err, -E2BIG, "line %zu: more than %zu rows", number,
					  rows_max);
		if (sn_jsonl_read_row(batch, line, err) != 0) {
			if (err != NULL)
				sn_err_wrap(err, "line %zu", number);
			return -EINVAL;
		}
	}
	return 0;
}
