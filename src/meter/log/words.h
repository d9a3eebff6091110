/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words: questions about eight bytes of a text at once, for writers that have to
 * look at every byte of it.
 *
 * A byte is found for sure; one behind it may then be taken for another.
 */
#ifndef SONDE_METER_LOG_WORDS_H
#define SONDE_METER_LOG_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SN_WORD_BYTES 8
#define SN_WORD_LOW   0x0101010101010101ULL
#define SN_WORD_HIGH  0x8080808080808080ULL

static inline uint64_t sn_word_load(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Not 0 if any byte is below `limit`, which is 128 at most. */
static inline uint64_t sn_word_below(uint64_t word, unsigned char limit)
{
	return (word - SN_WORD_LOW * limit) & ~word & SN_WORD_HIGH;
}

/* Not 0 if any byte is `c`. */
static inline uint64_t sn_word_has(uint64_t word, char c)
{
	return sn_word_below(word ^ SN_WORD_LOW * (unsigned char)c, 1);
}

#endif
