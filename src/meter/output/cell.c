/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/output/cell.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "meter/log/number.h"
#include "meter/view/view.h"

#define NANO_DIGITS 9
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void sn_cell_writer_init(struct sn_cell_writer *writer, const struct sn_dataset *dataset,
			 bool with_name)
{
	*writer = (struct sn_cell_writer){.dataset = dataset, .second = INT64_MIN};
	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_buf_addf(&writer->keys, "\"%s\":", dataset->columns[i].name);
		writer->key_ends[i] = (uint16_t)writer->keys.n;
	}
	if (with_name)
		sn_buf_addf(&writer->head, "{\"dataset\":\"%s\"", dataset->name);
	else
		sn_buf_adds(&writer->head, "{");
}

void sn_cell_writer_finish(struct sn_cell_writer *writer)
{
	sn_buf_finish(&writer->keys);
	sn_buf_finish(&writer->head);
}

/* Numbers ----------------------------------------------------------------- */

static char *put_nine(char *p, uint32_t nanos)
{
	for (int i = NANO_DIGITS - 1; i >= 0; i--, nanos /= 10)
		p[i] = (char)('0' + nanos % 10);
	return p + NANO_DIGITS;
}

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

	if (ns < 0)
		*p++ = '-';
	p = sn_put_u64(p, magnitude / SN_NS_PER_S);
	*p++ = '.';
	return trim(put_nine(p, (uint32_t)(magnitude % SN_NS_PER_S)));
}

/* Rows of one second share its text. */
static char *put_time(struct sn_cell_writer *writer, char *p, int64_t unix_ns)
{
	int64_t second = unix_ns / SN_NS_PER_S, nanos = unix_ns % SN_NS_PER_S;
	char text[SN_TIME_TEXT_MAX];

	if (nanos < 0) {
		nanos += SN_NS_PER_S;
		second--;
	}
	if (second != writer->second) {
		sn_format_time(unix_ns, text, sizeof(text));
		memcpy(writer->second_text, text, sizeof(writer->second_text));
		writer->second = second;
	}
	memcpy(p, writer->second_text, sizeof(writer->second_text));
	p = put_nine(p + sizeof(writer->second_text), (uint32_t)nanos);
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
		return sn_put_i64(p, cell->i);
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

static void add_json_text(struct sn_buf *out, struct sn_str text)
{
	sn_buf_reserve(out, text.n + 2);
	out->p[out->n++] = '"';
	if (is_plain_text(text)) {
		memcpy(out->p + out->n, text.p, text.n);
		out->n += text.n;
	} else {
		add_json_odd_text(out, text);
	}
	sn_buf_addc(out, '"');
}

void sn_cell_write_json(struct sn_cell_writer *writer, const struct sn_cell *cells,
			struct sn_buf *out)
{
	size_t start = 0;
	char *p;

	sn_buf_add(out, writer->head.p, writer->head.n);
	for (size_t i = 0; i < writer->dataset->column_count; i++) {
		const struct sn_cell *cell = &cells[i];
		size_t key = writer->key_ends[i] - start;

		if (is_there(cell)) {
			sn_buf_reserve(out, key + SN_NUMBER_MAX + 2);
			p = out->p + out->n;
			if (out->p[out->n - 1] != '{')
				*p++ = ',';
			memcpy(p, writer->keys.p + start, key);
			p += key;
			if (cell->kind == SN_CELL_TIME) {
				*p++ = '"';
				p = put_time(writer, p, cell->i);
				*p++ = '"';
			} else if (cell->kind == SN_CELL_ADDRESS) {
				*p++ = '"';
				p = sn_view_address_put(p, cell->a);
				*p++ = '"';
			} else {
				p = put_plain(p, cell);
			}
			out->n = (size_t)(p - out->p);
			if (cell->kind == SN_CELL_TEXT)
				add_json_text(out, cell->s);
		}
		start = writer->key_ends[i];
	}
	sn_buf_add(out, "}\n", 2);
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
		if (cell->kind == SN_CELL_TEXT)
			add_csv_text(out, cell->s);
	}
	sn_buf_add(out, "\r\n", 2);
}
