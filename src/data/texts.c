/* SPDX-License-Identifier: Apache-2.0 */
#include "data/texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/dataset.h"

#define CHUNK_BYTES (64 * 1024)

struct sn_texts_chunk {
	struct sn_texts_chunk *next; /* the one filled before this */
	size_t used;
	char bytes[CHUNK_BYTES];
};

_Static_assert(CHUNK_BYTES >= SN_TEXT_MAX, "a text fits into one chunk");

static void drop_chunks(struct sn_texts *texts, struct sn_texts_chunk *keep)
{
	while (texts->chunk != keep) {
		struct sn_texts_chunk *chunk = texts->chunk;

		texts->chunk = chunk->next;
		free(chunk);
	}
}

void sn_texts_finish(struct sn_texts *texts)
{
	drop_chunks(texts, NULL);
	texts->mark = 0;
}

void sn_texts_clear(struct sn_texts *texts)
{
	struct sn_texts_chunk *oldest = texts->chunk;

	/* One chunk is kept: what is filled again and again does not allocate. */
	while (oldest != NULL && oldest->next != NULL)
		oldest = oldest->next;
	drop_chunks(texts, oldest);
	if (oldest != NULL)
		oldest->used = 0;
	texts->mark = 0;
}

void sn_texts_mark(struct sn_texts *texts)
{
	texts->mark = texts->chunk != NULL ? texts->chunk->used : 0;
}

void sn_texts_take_back(struct sn_texts *texts)
{
	if (texts->chunk != NULL && texts->chunk->used > texts->mark)
		texts->chunk->used = texts->mark;
}

struct sn_str sn_texts_add(struct sn_texts *texts, struct sn_str text)
{
	struct sn_texts_chunk *chunk = texts->chunk;
	const char *zero;
	char *copy;

	/* JSON and SQLite take a zero byte for an end or an error: so it is the end. */
	zero = text.n > 0 ? memchr(text.p, '\0', text.n) : NULL;
	if (zero != NULL)
		text.n = (size_t)(zero - text.p);
	text.n = sn_utf8_cut(text, SN_TEXT_MAX);
	if (chunk == NULL || CHUNK_BYTES - chunk->used < text.n) {
		chunk = sn_xmalloc(sizeof(*chunk));
		chunk->next = texts->chunk;
		chunk->used = 0;
		texts->chunk = chunk;
		texts->mark = 0;
	}
	copy = chunk->bytes + chunk->used;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	chunk->used += text.n;
	return (struct sn_str){copy, text.n};
}
