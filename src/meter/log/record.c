/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/log/record.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "meter/log/number.h"

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

/*
 * Texts come from the network: what would end the field or the line becomes "_".  Blanks inside
 * answers of DNS are tabs already, which the other logs separate nothing with.
 */
static char *put_text(char *p, struct sn_str text, char separator)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool bad = c == (unsigned char)separator || (c < ' ' && c != '\t') || c == 0x7f;

		*p++ = bad ? '_' : (char)c;
	}
	return p;
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

static char *put_field(char *p, const union sn_field *field, enum sn_tstat_type type,
		       char separator)
{
	switch (type) {
	case SN_TSTAT_TYPE_INTEGER:
	case SN_TSTAT_TYPE_FLAG:
		/* Most are 0 or 1. */
		if ((uint64_t)field->i >= 10)
			return sn_put_i64(p, field->i);
		*p = (char)('0' + field->i);
		return p + 1;
	case SN_TSTAT_TYPE_TEXT:
		if (field->s.n > 0)
			return put_text(p, field->s, separator);
		*p = '-';
		return p + 1;
	default:
		return put_real(p, field->f, type);
	}
}

/* Room for all fields at once: numbers as long as they can be, texts as long as they are. */
static size_t room_for(const struct sn_record *record)
{
	const struct sn_tstat_table *table = record->table;
	size_t room = table->count * (SN_NUMBER_MAX + 1);

	for (size_t i = 0; i < table->count; i++)
		if (table->columns[i].type == SN_TSTAT_TYPE_TEXT)
			room += record->fields[i].s.n;
	return room;
}

void sn_record_write(const struct sn_record *record, uint8_t level, struct sn_buf *out)
{
	const struct sn_tstat_table *table = record->table;
	char *p;

	assert(record->count >= table->count);
	sn_buf_reserve(out, room_for(record));
	p = out->p + out->n;
	for (size_t i = 0; i < table->count; i++) {
		const struct sn_tstat_column *column = &table->columns[i];

		if (!sn_tstat_in_level(column, level))
			continue;
		p = put_field(p, &record->fields[i], column->type, table->separator);
		*p++ = table->separator;
	}
	p[-1] = '\n'; /* instead of the last separator */
	out->n = (size_t)(p - out->p);
}
