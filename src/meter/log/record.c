/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/log/record.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "meter/log/number.h"
#include "meter/log/words.h"

void sn_record_printf(struct sn_record *record, const char *format, ...)
{
	char *at = record->text + record->text_used;
	size_t room = sizeof(record->text) - record->text_used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(at, room, format, args);
	va_end(args);
	n = SN_MAX(n, 0);
	if ((size_t)n >= room)
		n = room > 0 ? (int)room - 1 : 0;
	record->text_used += (size_t)n;
	sn_record_s(record, (struct sn_str){at, (size_t)n});
}

/* The field is what lies in `text` from the end of the last one on. */
static void take_text(struct sn_record *record, size_t n)
{
	char *at = record->text + record->text_used;

	record->text_used += n;
	sn_record_s(record, (struct sn_str){at, n});
}

void sn_record_copy(struct sn_record *record, struct sn_str text)
{
	size_t n = SN_MIN(text.n, sizeof(record->text) - record->text_used);

	if (n > 0)
		memcpy(record->text + record->text_used, text.p, n);
	take_text(record, n);
}

void sn_record_decimal(struct sn_record *record, uint64_t value)
{
	char text[SN_NUMBER_MAX];

	sn_record_copy(record, (struct sn_str){text, (size_t)(sn_put_u64(text, value) - text)});
}

void sn_record_hex(struct sn_record *record, const char *prefix, uint32_t value, unsigned digits)
{
	char text[16];
	size_t n = strlen(prefix);

	assert(n + digits <= sizeof(text) && digits <= 8);
	memcpy(text, prefix, n);
	for (unsigned left = digits; left > 0; left--)
		text[n++] = "0123456789abcdef"[value >> 4 * (left - 1) & 15];
	sn_record_copy(record, (struct sn_str){text, n});
}

/* Lines ------------------------------------------------------------------- */

/* Four fields of 0 at once; they are most of what lines of short flows hold. */
#define ZEROS 4

struct line {
	char *p;
	char separator;
	char zeros[2 * ZEROS]; /* "0 0 0 0 " */
};

/*
 * Texts come from the network: what would end the field or the line becomes "_".  Blanks inside
 * answers of DNS are tabs already, which the other logs separate nothing with.
 */
static char *put_bytes(char *p, struct sn_str text, char separator)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool bad = c == (unsigned char)separator || (c < ' ' && c != '\t') || c == 0x7f;

		*p++ = bad ? '_' : (char)c;
	}
	return p;
}

static char *put_text(char *p, struct sn_str text, char separator)
{
	while (text.n >= SN_WORD_BYTES) {
		uint64_t word = sn_word_load(text.p);

		if ((sn_word_below(word, ' ') | sn_word_has(word, separator) |
		     sn_word_has(word, 0x7f)) != 0)
			put_bytes(p, (struct sn_str){text.p, SN_WORD_BYTES}, separator);
		else
			memcpy(p, &word, sizeof(word));
		p += SN_WORD_BYTES;
		text.p += SN_WORD_BYTES;
		text.n -= SN_WORD_BYTES;
	}
	return put_bytes(p, text, separator);
}

static void put_integers(struct line *line, const union sn_field *field, size_t count)
{
	char *p = line->p;

	while (count > 0) {
		if (count >= ZEROS && (field[0].i | field[1].i | field[2].i | field[3].i) == 0) {
			memcpy(p, line->zeros, sizeof(line->zeros));
			p += sizeof(line->zeros);
			field += ZEROS;
			count -= ZEROS;
			continue;
		}
		if ((uint64_t)field->i < 10)
			*p++ = (char)('0' + field->i);
		else
			p = sn_put_i64(p, field->i);
		*p++ = line->separator;
		field++;
		count--;
	}
	line->p = p;
}

static void put_texts(struct line *line, const union sn_field *field, size_t count)
{
	char *p = line->p;

	for (size_t i = 0; i < count; i++) {
		if (field[i].s.n > 0)
			p = put_text(p, field[i].s, line->separator);
		else
			*p++ = '-';
		*p++ = line->separator;
	}
	line->p = p;
}

static char *put_real(char *p, double value, enum sn_tstat_type type)
{
	if (isnan(value)) {
		memcpy(p, "0.0", 3);
		return p + 3;
	}
	if (type == SN_TSTAT_TYPE_GENERAL)
		return sn_put_general(p, value);
	return sn_put_fixed(p, value, type == SN_TSTAT_TYPE_MILLI ? 3 : 6);
}

static void put_reals(struct line *line, const union sn_field *field, size_t count,
		      enum sn_tstat_type type)
{
	static const char zero[8] = {'0', '.', '0', '0', '0', '0', '0', '0'};
	bool six = type != SN_TSTAT_TYPE_GENERAL && type != SN_TSTAT_TYPE_MILLI;
	char *p = line->p;

	for (size_t i = 0; i < count; i++) {
		/* By its bits: -0 is another. */
		if (six && field[i].i == 0) {
			memcpy(p, zero, sizeof(zero));
			p += sizeof(zero);
		} else {
			p = put_real(p, field[i].f, type);
		}
		*p++ = line->separator;
	}
	line->p = p;
}

static uint8_t kind_of(enum sn_tstat_type type)
{
	switch (type) {
	case SN_TSTAT_TYPE_FLAG:
		return SN_TSTAT_TYPE_INTEGER;
	case SN_TSTAT_TYPE_SECONDS:
	case SN_TSTAT_TYPE_NUMBER:
		return SN_TSTAT_TYPE_MS;
	default:
		return (uint8_t)type;
	}
}

static void make_form(struct sn_record_form *form, const struct sn_tstat_table *table,
		      uint8_t level)
{
	struct sn_record_run *run = NULL;

	*form = (struct sn_record_form){.table = table, .level = level};
	for (size_t i = 0; i < table->count; i++) {
		uint8_t kind = kind_of(table->columns[i].type);

		if (!sn_tstat_in_level(&table->columns[i], level))
			continue;
		if (run == NULL || run->type != kind || (size_t)run->first + run->fields != i) {
			assert(form->count < SN_RECORD_RUNS_MAX);
			run = &form->runs[form->count++];
			*run = (struct sn_record_run){.type = kind, .first = (uint8_t)i};
		}
		run->fields++;
	}
}

static const struct sn_record_form *form_of(struct sn_record *record, uint8_t level)
{
	const struct sn_tstat_table *table = record->table;
	size_t i = table == &sn_tstat_http_responses ? SN_TSTAT_LOGS
						     : (size_t)(table - sn_tstat_tables);
	struct sn_record_form *form = &record->forms[i];

	if (form->table == NULL || form->level != level)
		make_form(form, table, level);
	return form;
}

/* Room for all fields at once: numbers as long as they can be, texts as long as they are. */
static size_t room_for(const struct sn_record *record, const struct sn_record_form *form)
{
	size_t room = record->table->count * (SN_NUMBER_MAX + 1);

	for (size_t i = 0; i < form->count; i++) {
		const struct sn_record_run *run = &form->runs[i];

		for (size_t at = 0; run->type == SN_TSTAT_TYPE_TEXT && at < run->fields; at++)
			room += record->fields[run->first + at].s.n;
	}
	return room;
}

void sn_record_write(struct sn_record *record, uint8_t level, struct sn_buf *out)
{
	const struct sn_record_form *form = form_of(record, level);
	struct line line = {.separator = record->table->separator};

	assert(record->count >= record->table->count);
	for (size_t i = 0; i < sizeof(line.zeros); i += 2) {
		line.zeros[i] = '0';
		line.zeros[i + 1] = line.separator;
	}
	sn_buf_reserve(out, room_for(record, form));
	line.p = out->p + out->n;
	for (size_t i = 0; i < form->count; i++) {
		const struct sn_record_run *run = &form->runs[i];
		const union sn_field *field = &record->fields[run->first];

		if (run->type == SN_TSTAT_TYPE_INTEGER)
			put_integers(&line, field, run->fields);
		else if (run->type == SN_TSTAT_TYPE_TEXT)
			put_texts(&line, field, run->fields);
		else
			put_reals(&line, field, run->fields, (enum sn_tstat_type)run->type);
	}
	line.p[-1] = '\n'; /* instead of the last separator */
	out->n = (size_t)(line.p - out->p);
}
