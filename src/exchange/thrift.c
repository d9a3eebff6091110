/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/thrift.h"

#include <assert.h>

enum { TYPE_TRUE = 1, TYPE_FALSE = 2, TYPE_LIST = 9 };

#define SHORT_MAX 15 /* of what fits into the upper half of a byte */

void sn_thrift_varint(struct sn_buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		sn_buf_addc(out, (char)(value | 0x80));
	sn_buf_addc(out, (char)value);
}

static void add_zigzag(struct sn_buf *out, int64_t value)
{
	sn_thrift_varint(out, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void sn_thrift_init(struct sn_thrift *thrift, struct sn_buf *out)
{
	*thrift = (struct sn_thrift){.out = out};
}

static void add_field(struct sn_thrift *thrift, int id, int type)
{
	int *last = &thrift->id[thrift->depth - 1];

	assert(thrift->depth > 0 && id > *last);
	if (id - *last <= SHORT_MAX) {
		sn_buf_addc(thrift->out, (char)((id - *last) << 4 | type));
	} else {
		sn_buf_addc(thrift->out, (char)type);
		add_zigzag(thrift->out, id);
	}
	*last = id;
}

void sn_thrift_bool(struct sn_thrift *thrift, int id, bool value)
{
	add_field(thrift, id, value ? TYPE_TRUE : TYPE_FALSE);
}

void sn_thrift_i32(struct sn_thrift *thrift, int id, int32_t value)
{
	add_field(thrift, id, SN_THRIFT_I32);
	add_zigzag(thrift->out, value);
}

void sn_thrift_i64(struct sn_thrift *thrift, int id, int64_t value)
{
	add_field(thrift, id, SN_THRIFT_I64);
	add_zigzag(thrift->out, value);
}

void sn_thrift_binary(struct sn_thrift *thrift, int id, struct sn_str value)
{
	add_field(thrift, id, SN_THRIFT_BINARY);
	sn_thrift_add_binary(thrift, value);
}

void sn_thrift_list(struct sn_thrift *thrift, int id, enum sn_thrift_type type, size_t count)
{
	add_field(thrift, id, TYPE_LIST);
	if (count < SHORT_MAX) {
		sn_buf_addc(thrift->out, (char)(count << 4 | type));
	} else {
		sn_buf_addc(thrift->out, (char)(SHORT_MAX << 4 | type));
		sn_thrift_varint(thrift->out, count);
	}
}

void sn_thrift_struct(struct sn_thrift *thrift, int id)
{
	add_field(thrift, id, SN_THRIFT_STRUCT);
	sn_thrift_open(thrift);
}

void sn_thrift_open(struct sn_thrift *thrift)
{
	assert(thrift->depth < SN_THRIFT_DEPTH_MAX);
	thrift->id[thrift->depth++] = 0;
}

void sn_thrift_close(struct sn_thrift *thrift)
{
	assert(thrift->depth > 0);
	sn_buf_addc(thrift->out, 0);
	thrift->depth--;
}

void sn_thrift_add_i32(struct sn_thrift *thrift, int32_t value)
{
	add_zigzag(thrift->out, value);
}

void sn_thrift_add_binary(struct sn_thrift *thrift, struct sn_str value)
{
	sn_thrift_varint(thrift->out, value.n);
	sn_buf_add(thrift->out, value.p, value.n);
}
