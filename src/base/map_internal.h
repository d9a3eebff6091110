/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_internal: the hash under sn_hash() with a key of one's choice, so that it
 * can be held against the published test vectors.
 */
#ifndef SONDE_BASE_MAP_INTERNAL_H
#define SONDE_BASE_MAP_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#define SN_SIPHASH_KEY_SIZE 16

uint64_t sn_siphash24(const uint8_t key[SN_SIPHASH_KEY_SIZE], const void *data, size_t size);

#endif
