/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thrift: writer of Thrift's compact protocol (thrift-compact-protocol.md of
 * Apache Thrift), as much of it as Parquet's metadata needs.
 *
 * Fields of a struct are written in the order of their ids.  Memory is the
 * buffer's; nothing can fail.
 */
#ifndef SONDE_EXCHANGE_THRIFT_H
#define SONDE_EXCHANGE_THRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SN_THRIFT_DEPTH_MAX 8

enum sn_thrift_type { /* of a list's elements */
		      SN_THRIFT_I32 = 5,
		      SN_THRIFT_I64 = 6,
		      SN_THRIFT_BINARY = 8,
		      SN_THRIFT_STRUCT = 12,
};

struct sn_thrift {
	struct sn_buf *out;
	int id[SN_THRIFT_DEPTH_MAX]; /* of the field written last, per open struct */
	unsigned depth;              /* structs that are open */
};

void sn_thrift_init(struct sn_thrift *thrift, struct sn_buf *out);

void sn_thrift_bool(struct sn_thrift *thrift, int id, bool value);
void sn_thrift_i32(struct sn_thrift *thrift, int id, int32_t value);
void sn_thrift_i64(struct sn_thrift *thrift, int id, int64_t value);
void sn_thrift_binary(struct sn_thrift *thrift, int id, struct sn_str value);
/* `count` elements follow. */
void sn_thrift_list(struct sn_thrift *thrift, int id, enum sn_thrift_type type, size_t count);
void sn_thrift_struct(struct sn_thrift *thrift, int id);
/* A struct that is no field: the outermost one, or an element of a list. */
void sn_thrift_open(struct sn_thrift *thrift);
void sn_thrift_close(struct sn_thrift *thrift); /* of either kind */

/* Elements of a list. */
void sn_thrift_add_i32(struct sn_thrift *thrift, int32_t value);
void sn_thrift_add_binary(struct sn_thrift *thrift, struct sn_str value);

/* Unsigned LEB128, which Parquet uses outside its metadata, too. */
void sn_thrift_varint(struct sn_buf *out, uint64_t value);

#endif
