/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readers: stores to read from on worker threads, kept open between questions.
 *
 * A store belongs to one thread at a time: whoever asks takes one on the loop,
 * hands it to a thread, and gives it back on the loop.
 */
#ifndef SONDE_HUB_READERS_H
#define SONDE_HUB_READERS_H

#include "base/err.h"
#include "store/store.h"

struct sn_readers;

struct sn_reader { /* zeroed is none */
	struct sn_store *store;
	unsigned generation;
};

/* `options` are borrowed. */
struct sn_readers *sn_readers_create(const char *dir, const struct sn_store_options *options);
/* All must have been given back. */
void sn_readers_destroy(struct sn_readers *readers);
int sn_readers_take(struct sn_readers *readers, struct sn_reader *reader, struct sn_err *err);
void sn_readers_give(struct sn_readers *readers, struct sn_reader *reader);
/* Days were dropped: what is open still shows them and is not used again. */
void sn_readers_renew(struct sn_readers *readers);

#endif
