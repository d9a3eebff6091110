/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parquet_dictionary: the different values of a column, numbered in the order
 * of their arrival.  Internal to the writer of Parquet files.
 *
 * Holds either numbers of 64 bits or texts, as PLAIN values already, so that the
 * dictionary page of a file is what is in memory.  Bounded: a value more than it
 * takes is refused.  Hashes are keyed: nobody can choose values that collide.
 */
#ifndef SONDE_EXCHANGE_PARQUET_DICTIONARY_H
#define SONDE_EXCHANGE_PARQUET_DICTIONARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define SN_PARQUET_ENTRIES_MAX    65536
#define SN_PARQUET_DICTIONARY_MAX (1024 * 1024) /* bytes */
#define SN_PARQUET_REFUSED        UINT32_MAX

struct sn_parquet_slot {
	uint32_t entry; /* number + 1; 0: free */
	uint32_t hash;
};

struct sn_parquet_dictionary {
	struct sn_buf plain; /* entries as PLAIN values */
	uint32_t count;
	uint32_t *offset; /* of texts in `plain`; NULL while there was none */
	struct sn_parquet_slot *slots;
	size_t mask;        /* of the slots; 0: there are none yet */
	uint64_t key;       /* odd; of the hash of numbers */
	uint32_t last;      /* entry found last */
	uint64_t last_bits; /* and its number */
};

void sn_parquet_dictionary_init(struct sn_parquet_dictionary *dictionary);
void sn_parquet_dictionary_finish(struct sn_parquet_dictionary *dictionary);
void sn_parquet_dictionary_clear(struct sn_parquet_dictionary *dictionary); /* keeps memory */

/* Number of the entry, a new one if need be; SN_PARQUET_REFUSED if it is full. */
uint32_t sn_parquet_dictionary_number(struct sn_parquet_dictionary *dictionary, uint64_t bits);
uint32_t sn_parquet_dictionary_text(struct sn_parquet_dictionary *dictionary, struct sn_str text);
/* Of a text that is there already; SN_PARQUET_REFUSED if it is not. */
uint32_t sn_parquet_dictionary_find(const struct sn_parquet_dictionary *dictionary,
				    struct sn_str text);

uint64_t sn_parquet_dictionary_bits(const struct sn_parquet_dictionary *dictionary, uint32_t entry);
struct sn_str sn_parquet_dictionary_at(const struct sn_parquet_dictionary *dictionary,
				       uint32_t entry); /* a text; borrowed until one is added */

#endif
