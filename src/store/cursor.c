/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cursor.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define VERSION 1
#define BYTES   ((SN_CURSOR_TEXT_SIZE - 1) / 2)

static void put(uint8_t **p, uint64_t value, size_t size)
{
	while (size-- > 0)
		*(*p)++ = (uint8_t)(value >> 8 * size);
}

char *sn_cursor_encode(const struct sn_cursor *cursor, char out[SN_CURSOR_TEXT_SIZE])
{
	uint8_t bytes[BYTES], *p = bytes;

	put(&p, VERSION, 1);
	put(&p, cursor->mark, 4);
	put(&p, (uint64_t)cursor->time_ns, 8);
	put(&p, (uint64_t)cursor->rowid, 8);
	return sn_hex(bytes, sizeof(bytes), out);
}

int sn_cursor_decode(struct sn_str text, struct sn_cursor *cursor)
{
	char again[SN_CURSOR_TEXT_SIZE];
	uint8_t bytes[BYTES];
	struct sn_rd rd;

	if (sn_unhex(text, bytes, sizeof(bytes)) != 0)
		return -EINVAL;
	sn_rd_init(&rd, bytes, sizeof(bytes));
	if (sn_rd_u8(&rd) != VERSION)
		return -EINVAL;
	cursor->mark = sn_rd_u32be(&rd);
	cursor->time_ns = (int64_t)sn_rd_u64be(&rd);
	cursor->rowid = (int64_t)sn_rd_u64be(&rd);
	/* Digits in capitals would be a second text for it. */
	sn_cursor_encode(cursor, again);
	return memcmp(again, text.p, text.n) == 0 && cursor->rowid > 0 ? 0 : -EINVAL;
}

/* FNV-1a: the same in every process, unlike sn_hash(). */
static uint32_t mix(uint32_t mark, const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		mark = (mark ^ p[i]) * 16777619u;
	return mark;
}

static uint32_t mix_number(uint32_t mark, uint64_t number)
{
	uint8_t bytes[8], *p = bytes;

	put(&p, number, sizeof(bytes));
	return mix(mark, bytes, sizeof(bytes));
}

static uint32_t mix_value(uint32_t mark, const struct sn_value *value)
{
	uint64_t bits = 0;

	mark = mix_number(mark, value->type);
	switch (value->type) {
	case SN_TYPE_TEXT:
		return mix(mix_number(mark, value->s.n), value->s.p, value->s.n);
	case SN_TYPE_F64:
		memcpy(&bits, &value->f, sizeof(bits));
		return mix_number(mark, bits);
	case SN_TYPE_BOOL:
		return mix_number(mark, value->b);
	case SN_TYPE_I64:
	case SN_TYPE_TIME:
		return mix_number(mark, (uint64_t)value->i);
	case SN_TYPE_NULL:
		break;
	}
	return mark;
}

uint32_t sn_cursor_mark(const struct sn_query *query)
{
	const char *name = query->dataset->name;
	uint32_t mark = mix(2166136261u, name, strlen(name));

	mark = mix_number(mark, query->dataset->version);
	mark = mix_number(mark, query->newest_first);
	for (unsigned i = 0; i < query->filter_count; i++) {
		const struct sn_filter *filter = &query->filters[i];

		mark = mix_number(mark, (uint64_t)filter->column);
		mark = mix_number(mark, filter->op);
		mark = mix_value(mark, &filter->value);
		if (filter->or_next)
			mark = mix_number(mark, SN_QUERY_FILTERS_MAX);
	}
	return mark;
}
