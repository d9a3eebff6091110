/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a list of files: read whole and in pieces it says the same, and no path comes
 * out that could lead out of a directory.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "transfer/list.h"

struct seen {
	uint64_t hash;
	size_t count, refused;
};

static int take(const struct sn_math_entry *entry, void *ctx)
{
	struct seen *seen = ctx;

	assert(entry->path.n > 0 && entry->path.n <= SN_MATH_PATH_MAX);
	assert(entry->path.p[0] != '/' && entry->path.p[0] != '.');
	assert(memmem(entry->path.p, entry->path.n, "/.", 2) == NULL);
	assert(memchr(entry->path.p, '\0', entry->path.n) == NULL);
	assert(!entry->detailed || entry->size <= SN_MATH_FILE_MAX);
	assert(entry->sha256[0] == '\0' || strlen(entry->sha256) == 64);
	seen->hash = seen->hash * 31 + sn_hash(entry->path.p, entry->path.n) + entry->size;
	seen->count++;
	sn_math_path_time(entry->path, false);
	return 0;
}

static void refuse(const char *reason, void *ctx)
{
	struct seen *seen = ctx;

	assert(reason[0] != '\0');
	seen->refused++;
}

static int read_in_pieces(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
	struct sn_math_list_reader *reader = sn_math_list_reader_create(take, refuse, seen);
	struct sn_err err = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < size; i += piece)
		rc = sn_math_list_reader_feed(
			reader, (struct sn_str){(const char *)data + i, SN_MIN(piece, size - i)},
			&err);
	if (rc == 0)
		rc = sn_math_list_reader_end(reader, &err);
	sn_math_list_reader_destroy(reader);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = {0}, pieces = {0};
	int rc = read_in_pieces(data, size, SN_MAX(size, (size_t)1), &whole);

	assert(rc == read_in_pieces(data, size, 3, &pieces));
	assert(whole.hash == pieces.hash && whole.count == pieces.count &&
	       whole.refused == pieces.refused);
	return 0;
}
