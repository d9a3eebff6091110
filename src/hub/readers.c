/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/readers.h"

#include <stdlib.h>

#include "base/mem.h"

#define IDLE_MAX 4 /* as many as there are worker threads */

struct sn_readers {
	char *dir;
	const struct sn_store_options *options;
	struct sn_store *idle[IDLE_MAX];
	unsigned idle_count, generation;
};

struct sn_readers *sn_readers_create(const char *dir, const struct sn_store_options *options)
{
	struct sn_readers *readers = sn_new(struct sn_readers);

	readers->options = options;
	readers->dir = sn_xstrdup(dir);
	return readers;
}

static void close_idle(struct sn_readers *readers)
{
	while (readers->idle_count > 0)
		sn_store_close(readers->idle[--readers->idle_count]);
}

void sn_readers_destroy(struct sn_readers *readers)
{
	if (readers == NULL)
		return;
	close_idle(readers);
	free(readers->dir);
	free(readers);
}

int sn_readers_take(struct sn_readers *readers, struct sn_reader *reader, struct sn_err *err)
{
	reader->generation = readers->generation;
	if (readers->idle_count > 0) {
		reader->store = readers->idle[--readers->idle_count];
		return 0;
	}
	return sn_store_open_with(readers->dir, readers->options, &reader->store, err);
}

void sn_readers_give(struct sn_readers *readers, struct sn_reader *reader)
{
	struct sn_store *store = sn_steal(&reader->store);

	if (store != NULL && reader->generation == readers->generation &&
	    readers->idle_count < IDLE_MAX)
		readers->idle[readers->idle_count++] = store;
	else
		sn_store_close(store);
}

void sn_readers_renew(struct sn_readers *readers)
{
	readers->generation++;
	close_idle(readers);
}
