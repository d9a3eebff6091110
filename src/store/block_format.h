/* SPDX-License-Identifier: Apache-2.0 */
/*
 * block_format: what block_write.c and block_read.c agree about.
 *
 * Internal to the two.  Numbers are little-endian; "varint" is LEB128, "signed"
 * a varint of the zigzag form.
 *
 *   column   checksum (32 bits: CRC-32 of type, rows as 32 bits, and the rest), values
 *   column   of more than SN_BLOCK_PIECE_ROWS rows: checksum (of the rest without the pieces),
 *            kind PIECES, varint per piece: its size; the pieces, each a column
 *   values   kind (8 bits), and
 *   NOTHING  (all rows are null)
 *   SOME     "bytes" of a bit map (bit i % 8 of byte i / 8: row i is null), and the values of
 *            the other rows with a kind of their own
 *   WHOLE    "numbers"
 *   DECIMAL  8 bits n, "numbers" k: the double k / 10^n
 *   BITS     "numbers": the bits of doubles
 *   TEXTS    "numbers" (lengths), "bytes" of all texts, one behind the other
 *   WORDS    varint count of different texts, these like TEXTS, "numbers" (which, per row)
 *
 *   numbers  form (8 bits: width in bytes, SN_BLOCK_DELTA, SN_BLOCK_THOUSANDS, SN_BLOCK_APART),
 *            signed base, if DELTA a signed first value, "bytes" of width planes: the lowest byte
 *            of each number, then the next ones; with APART "bytes" of each plane, because the
 *            higher ones have another distribution than the lower ones.  number = base + plane
 *            bytes, or with DELTA the differences between neighbours are; with THOUSANDS times
 *            1000.  Arithmetic is modulo 2^64.
 *   bytes    of a size that is known from before.  None: nothing.  Else a varint: 0 and the
 *            bytes, or their size compressed and a zstd frame.
 */
#ifndef SONDE_STORE_BLOCK_FORMAT_H
#define SONDE_STORE_BLOCK_FORMAT_H

#include <stdint.h>

#include <zstd.h>

#include "store/block.h"

enum sn_block_kind {
	SN_BLOCK_NOTHING,
	SN_BLOCK_SOME,
	SN_BLOCK_WHOLE,
	SN_BLOCK_DECIMAL,
	SN_BLOCK_BITS,
	SN_BLOCK_TEXTS,
	SN_BLOCK_WORDS,
	SN_BLOCK_PIECES,
};

#define SN_BLOCK_WIDTH     0x0f
#define SN_BLOCK_DELTA     0x10
#define SN_BLOCK_THOUSANDS 0x20
#define SN_BLOCK_APART     0x40

#define SN_BLOCK_CHECKSUM_SIZE 4
#define SN_BLOCK_PLACES_MAX    12 /* n of DECIMAL */

/* Exact powers of ten, up to SN_BLOCK_PLACES_MAX. */
extern const double sn_block_tens[];

/* Of `rest`, the bytes behind the checksum. */
uint32_t sn_block_checksum(enum sn_type type, size_t rows, struct sn_str rest);

/*
 * Memory of this thread, so that a column takes neither allocations nor new tables for zstd;
 * freed when the thread ends.  Rooms are of whatever the one who asks puts there.
 */
enum sn_block_room {
	SN_BLOCK_ROOM_VALUES, /* values that are not null */
	SN_BLOCK_ROOM_NUMBERS,
	SN_BLOCK_ROOM_PLANES, /* and bytes of texts */
	SN_BLOCK_ROOM_PACKED, /* what zstd makes */
	SN_BLOCK_ROOM_TABLE,
	SN_BLOCK_ROOM_WORDS,
	SN_BLOCK_ROOM_HASHES, /* of the words */
	SN_BLOCK_ROOM_CODES,  /* which word, per row */
	SN_BLOCK_ROOMS
};
struct sn_block_scratch {
	ZSTD_CCtx *packer;
	ZSTD_DCtx *unpacker;
	struct {
		void *p;
		size_t size;
	} rooms[SN_BLOCK_ROOMS];
};
struct sn_block_scratch *sn_block_scratch(void);
/* At least so many bytes, whatever they are; valid until the room is asked for again. */
void *sn_block_room(struct sn_block_scratch *scratch, enum sn_block_room room, size_t size);

#endif
