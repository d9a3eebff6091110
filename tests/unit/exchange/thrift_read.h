/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into structs of Thrift's compact protocol, as a reader of Parquet files does. */
#ifndef SONDE_TESTS_THRIFT_READ_H
#define SONDE_TESTS_THRIFT_READ_H

#include "base/buf.h"

enum { READ_TRUE = 1, READ_FALSE = 2, READ_BINARY = 8, READ_LIST = 9, READ_STRUCT = 12 };

static inline uint64_t read_varint(struct sn_rd *rd)
{
	uint64_t value = 0;
	uint8_t byte = 0x80;

	for (int shift = 0; shift < 64 && (byte & 0x80) != 0; shift += 7) {
		byte = sn_rd_u8(rd);
		value |= (uint64_t)(byte & 0x7f) << shift;
	}
	return value;
}

static inline int64_t read_int(struct sn_rd *rd)
{
	uint64_t value = read_varint(rd);

	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

static inline struct sn_str read_binary(struct sn_rd *rd)
{
	size_t size = read_varint(rd);

	return (struct sn_str){(const char *)sn_rd_bytes(rd, size), size};
}

static inline size_t read_list(struct sn_rd *rd, int *type)
{
	uint8_t head = sn_rd_u8(rd);

	*type = head & 15;
	return head >> 4 < 15 ? head >> 4 : read_varint(rd);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the structs are nested */
static inline void read_past(struct sn_rd *rd, int type)
{
	int inner, id;
	size_t count;

	switch (type) {
	case READ_TRUE:
	case READ_FALSE:
		break;
	case READ_BINARY:
		read_binary(rd);
		break;
	case READ_LIST:
		for (count = read_list(rd, &inner); count > 0 && sn_rd_ok(rd); count--)
			read_past(rd, inner);
		break;
	case READ_STRUCT:
		while ((inner = sn_rd_u8(rd)) != 0 && sn_rd_ok(rd)) {
			id = inner >> 4;
			if (id == 0)
				read_int(rd);
			read_past(rd, inner & 15);
		}
		break;
	default:
		read_varint(rd);
	}
}

/* Goes on to a field of the struct that begins at `rd`; its type, 0 if it is not there. */
static inline int read_field(struct sn_rd *rd, int wanted)
{
	int id = 0, head;

	while ((head = sn_rd_u8(rd)) != 0 && sn_rd_ok(rd)) {
		id = head >> 4 > 0 ? id + (head >> 4) : (int)read_int(rd);
		if (id == wanted)
			return head & 15;
		read_past(rd, head & 15);
	}
	return 0;
}

/* The same with a copy of the reader. */
static inline struct sn_rd field_of(struct sn_rd rd, int wanted)
{
	rd.failed |= read_field(&rd, wanted) == 0;
	return rd;
}

static inline int64_t int_of(struct sn_rd rd, int wanted)
{
	rd = field_of(rd, wanted);
	return read_int(&rd);
}

static inline struct sn_str text_of(struct sn_rd rd, int wanted)
{
	rd = field_of(rd, wanted);
	return read_binary(&rd);
}

static inline bool has_field(struct sn_rd rd, int wanted)
{
	return read_field(&rd, wanted) != 0;
}

static inline size_t count_of(struct sn_rd rd, int wanted)
{
	int type;

	rd = field_of(rd, wanted);
	return sn_rd_ok(&rd) ? read_list(&rd, &type) : 0;
}

/* Element `i` of a list of structs. */
static inline struct sn_rd element_of(struct sn_rd rd, int wanted, size_t i)
{
	int type;

	rd = field_of(rd, wanted);
	rd.failed |= i >= read_list(&rd, &type);
	for (; i > 0; i--)
		read_past(&rd, type);
	return rd;
}

#endif
