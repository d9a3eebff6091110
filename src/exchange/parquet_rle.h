/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet_rle: small numbers as Parquet packs them (Encodings.md of the format:
 * "RLE/Bit-Packing Hybrid"), for definition levels, dictionary indexes and truth
 * values.  Internal to the writer of Parquet files.
 */
#ifndef SONDE_EXCHANGE_PARQUET_RLE_H
#define SONDE_EXCHANGE_PARQUET_RLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Bits that hold 0 .. `max`; at least 1, which all readers take. */
unsigned sn_parquet_width(uint32_t max);
/* Least significant bit first, the last byte filled with zeros. */
void sn_parquet_pack(struct sn_buf *out, const uint32_t *value, size_t count, unsigned width);
/* Runs of 8 or more equal values, groups of 8 packed ones between them. */
void sn_parquet_rle(struct sn_buf *out, const uint32_t *value, size_t count, unsigned width);

#endif
