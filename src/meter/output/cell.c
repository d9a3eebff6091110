/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/cell.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "meter/log/number.h"
#include "meter/log/words.h"
#include "meter/view/view.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Times and texts are quoted, whatever they are. */
static void make_key(const struct sn_column *column, struct sn_cell_key *key)
{
	bool quoted = column->type == SN_TYPE_TEXT || column->type == SN_TYPE_TIME;
	int n = snprintf(key->text, sizeof(key->text), ",\"%s\":%s", column->name,
			 quoted ? "\"" : "");

	assert(n <= SN_CELL_KEY_MAX);
	key->n = (uint8_t)n;
}

void sn_cell_writer_init(struct sn_cell_writer *writer, const struct sn_dataset *dataset,
			 bool with_name)
{
	*writer = (struct sn_cell_writer){.dataset = dataset};
	writer->keys = sn_new_n(struct sn_cell_key, dataset->column_count);
	for (size_t i = 0; i < dataset->column_count; i++)
		make_key(&dataset->columns[i], &writer->keys[i]);
	for (size_t i = 0; i < SN_CELL_SECONDS_KEPT; i++)
		writer->seconds[i].second = INT64_MIN;
	if (with_name)
		sn_buf_addf(&writer->head, "{\"dataset\":\"%s\"", dataset->name);
	else
		sn_buf_adds(&writer->head, "{");
	writer->room =
		writer->head.n + 2 + dataset->column_count * (SN_CELL_KEY_MAX + SN_NUMBER_MAX + 2);
}

void sn_cell_writer_finish(struct sn_cell_writer *writer)
{
	free(writer->keys);
	sn_buf_finish(&writer->head);
}

/* Numbers ----------------------------------------------------------------- */

/* Zeros at the end of a fraction say nothing. */
static char *trim(char *p)
{
	while (p[-1] == '0')
		p--;
	return p[-1] == '.' ? p - 1 : p;
}

static char *put_seconds(char *p, int64_t ns)
{
	uint64_t magnitude = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint32_t nanos = (uint32_t)(magnitude % SN_NS_PER_S);

	if (ns < 0)
		*p++ = '-';
	p = sn_put_u64(p, magnitude / SN_NS_PER_S);
	if (nanos == 0)
		return p;
	*p++ = '.';
	return trim(sn_put_nine(p, nanos));
}

/* Rows of one second share its text, and flows that end together began in a few. */
static char *put_time(struct sn_cell_writer *writer, char *p, int64_t unix_ns)
{
	int64_t second = unix_ns / SN_NS_PER_S, nanos = unix_ns % SN_NS_PER_S;
	char text[SN_TIME_TEXT_MAX], *kept;
	size_t i;

	if (nanos < 0) {
		nanos += SN_NS_PER_S;
		second--;
	}
	i = (uint64_t)second % SN_CELL_SECONDS_KEPT;
	kept = writer->seconds[i].text;
	if (second != writer->seconds[i].second) {
		sn_format_time(unix_ns, text, sizeof(text));
		memcpy(kept, text, sizeof(writer->seconds[i].text));
		writer->seconds[i].second = second;
	}
	memcpy(p, kept, sizeof(writer->seconds[i].text));
	p = sn_put_nine(p + sizeof(writer->seconds[i].text), (uint32_t)nanos);
	*p++ = 'Z';
	return p;
}

/* Everything but texts and times. */
static char *put_plain(char *p, const struct sn_cell *cell)
{
	switch (cell->kind) {
	case SN_CELL_BOOL:
		memcpy(p, cell->i != 0 ? "true" : "false", 5);
		return p + (cell->i != 0 ? 4 : 5);
	case SN_CELL_INTEGER:
		if ((uint64_t)cell->i >= 10)
			return sn_put_i64(p, cell->i);
		*p = (char)('0' + cell->i);
		return p + 1;
	case SN_CELL_SECONDS:
		return put_seconds(p, cell->i);
	case SN_CELL_FIXED:
		return trim(sn_put_fixed(p, cell->f, 6));
	case SN_CELL_ADDRESS:
		return sn_view_address_put(p, cell->a);
	default:
		return p;
	}
}

static bool is_there(const struct sn_cell *cell)
{
	return cell->kind != SN_CELL_NONE && (cell->kind != SN_CELL_FIXED || isfinite(cell->f));
}

/* JSON -------------------------------------------------------------------- */

static bool is_plain_text(struct sn_str text)
{
	for (; text.n >= SN_WORD_BYTES; text.p += SN_WORD_BYTES, text.n -= SN_WORD_BYTES) {
		uint64_t word = sn_word_load(text.p);

		if ((sn_word_below(word, ' ') | sn_word_has(word, '"') | sn_word_has(word, '\\') |
		     (word & SN_WORD_HIGH)) != 0)
			return false;
	}
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < ' ' || c >= 0x80 || c == '"' || c == '\\')
			return false;
	}
	return true;
}

/* No reader takes a zero byte; it came from the network and means nothing. */
static void add_json_odd_text(struct sn_buf *out, struct sn_str text)
{
	const char *zero;

	while ((zero = memchr(text.p, '\0', text.n)) != NULL) {
		size_t n = (size_t)(zero - text.p);

		sn_json_escape(out, (struct sn_str){text.p, n});
		sn_buf_adds(out, REPLACEMENT);
		text.p += n + 1;
		text.n -= n + 1;
	}
	sn_json_escape(out, text);
}

/* Behind the opening quote; `room` stays free behind the text. */
static char *put_json_text(struct sn_buf *out, char *p, struct sn_str text, size_t room)
{
	out->n = (size_t)(p - out->p);
	sn_buf_reserve(out, text.n + 1 + room);
	if (is_plain_text(text)) {
		memcpy(out->p + out->n, text.p, text.n);
		out->n += text.n;
	} else {
		add_json_odd_text(out, text);
		sn_buf_reserve(out, 1 + room);
	}
	p = out->p + out->n;
	*p++ = '"';
	return p;
}

static char *put_json_value(struct sn_cell_writer *writer, const struct sn_cell *cell,
			    struct sn_buf *out, char *p)
{
	switch (cell->kind) {
	case SN_CELL_TEXT:
		return put_json_text(out, p, cell->s, writer->room);
	case SN_CELL_WORD:
		assert(cell->s.n <= SN_NUMBER_MAX);
		memcpy(p, cell->s.p, cell->s.n);
		p[cell->s.n] = '"';
		return p + cell->s.n + 1;
	case SN_CELL_TIME:
		p = put_time(writer, p, cell->i);
		*p++ = '"';
		return p;
	case SN_CELL_ADDRESS:
		p = sn_view_address_put(p, cell->a);
		*p++ = '"';
		return p;
	default:
		return put_plain(p, cell);
	}
}

/* There is room for the whole row from the start, and keys are copied whole: of a known length. */
void sn_cell_write_json(struct sn_cell_writer *writer, const struct sn_cell *cells,
			struct sn_buf *out)
{
	unsigned skip = writer->head.n == 1; /* the comma, behind the brace */
	char *p;

	sn_buf_reserve(out, writer->room);
	p = out->p + out->n;
	memcpy(p, writer->head.p, writer->head.n);
	p += writer->head.n;
	for (size_t i = 0; i < writer->dataset->column_count; i++) {
		const struct sn_cell_key *key = &writer->keys[i];

		if (!is_there(&cells[i]))
			continue;
		memcpy(p, key->text + skip, SN_CELL_KEY_MAX);
		p = put_json_value(writer, &cells[i], out, p + key->n - skip);
		skip = 0;
	}
	*p++ = '}';
	*p++ = '\n';
	out->n = (size_t)(p - out->p);
}

/* CSV (RFC 4180) -------------------------------------------------------------- */

static bool needs_quotes(struct sn_str text)
{
	if (text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ')
		return true;
	return !is_plain_text(text) || memchr(text.p, ',', text.n) != NULL;
}

/* Zeros and bytes that are not UTF-8 become U+FFFD, quotes are doubled. */
static void add_csv_text(struct sn_buf *out, struct sn_str text)
{
	if (!needs_quotes(text)) {
		sn_buf_add(out, text.p, text.n);
		return;
	}
	sn_buf_addc(out, '"');
	for (size_t i = 0; i < text.n;) {
		size_t length = sn_utf8_length(text.p + i, text.n - i);

		if (length == 0 || text.p[i] == '\0')
			sn_buf_adds(out, REPLACEMENT);
		else if (text.p[i] == '"')
			sn_buf_adds(out, "\"\"");
		else
			sn_buf_add(out, text.p + i, length);
		i += length > 0 ? length : 1;
	}
	sn_buf_addc(out, '"');
}

void sn_cell_write_csv(struct sn_cell_writer *writer, const struct sn_cell *cells,
		       struct sn_buf *out)
{
	for (size_t i = 0; i < writer->dataset->column_count; i++) {
		const struct sn_cell *cell = &cells[i];
		char *p;

		sn_buf_reserve(out, SN_NUMBER_MAX + 3);
		p = out->p + out->n;
		if (i > 0)
			*p++ = ',';
		if (cell->kind == SN_CELL_TIME)
			p = put_time(writer, p, cell->i);
		else if (is_there(cell))
			p = put_plain(p, cell);
		out->n = (size_t)(p - out->p);
		if (cell->kind == SN_CELL_TEXT || cell->kind == SN_CELL_WORD)
			add_csv_text(out, cell->s);
	}
	sn_buf_add(out, "\r\n", 2);
}
