/* SPDX-License-Identifier: Apache-2.0 */
/* What writing and reading of columns share. */
#include "store/block_format.h"

#include <pthread.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

const double sn_block_tens[SN_BLOCK_PLACES_MAX + 1] = {1,   1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
						       1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

/* Part of the format, by way of the checksum. */
_Static_assert(SN_TYPE_BOOL == 1 && SN_TYPE_I64 == 2 && SN_TYPE_F64 == 3 && SN_TYPE_TEXT == 4 &&
		       SN_TYPE_TIME == 5,
	       "types keep their numbers");

uint32_t sn_block_checksum(enum sn_type type, size_t rows, struct sn_str rest)
{
	uint8_t before[5] = {(uint8_t)type, (uint8_t)rows, (uint8_t)(rows >> 8),
			     (uint8_t)(rows >> 16), (uint8_t)(rows >> 24)};
	uLong sum = crc32_z(0, before, sizeof(before));

	return (uint32_t)crc32_z(sum, (const Bytef *)rest.p, rest.n);
}

/* Memory of a thread -------------------------------------------------------- */

#define ROOM_KEPT (4 << 20) /* larger ones, for long texts, are not kept from column to column */

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void scratch_destroy(void *value)
{
	struct sn_block_scratch *scratch = value;

	ZSTD_freeCCtx(scratch->packer);
	ZSTD_freeDCtx(scratch->unpacker);
	for (size_t i = 0; i < SN_BLOCK_ROOMS; i++)
		free(scratch->rooms[i].p);
	free(scratch);
}

static void make_key(void)
{
	if (pthread_key_create(&scratch_key, scratch_destroy) != 0)
		abort();
}

struct sn_block_scratch *sn_block_scratch(void)
{
	struct sn_block_scratch *scratch;

	pthread_once(&scratch_once, make_key);
	scratch = pthread_getspecific(scratch_key);
	if (scratch != NULL)
		return scratch;
	scratch = sn_new(struct sn_block_scratch);
	scratch->packer = ZSTD_createCCtx();
	scratch->unpacker = ZSTD_createDCtx();
	if (scratch->packer == NULL || scratch->unpacker == NULL ||
	    pthread_setspecific(scratch_key, scratch) != 0)
		abort();
	return scratch;
}

void *sn_block_room(struct sn_block_scratch *scratch, enum sn_block_room room, size_t size)
{
	if (scratch->rooms[room].p == NULL || scratch->rooms[room].size < size ||
	    scratch->rooms[room].size > ROOM_KEPT) {
		free(scratch->rooms[room].p);
		scratch->rooms[room].p = sn_xmalloc(SN_MAX(size, (size_t)1));
		scratch->rooms[room].size = size;
	}
	return scratch->rooms[room].p;
}

/* Ranges -------------------------------------------------------------------- */

static bool range_of_whole(const struct sn_vector *vector, int64_t *min, int64_t *max)
{
	bool known = false;

	for (size_t i = 0; i < vector->rows; i++) {
		if (sn_vector_is_null(vector, i))
			continue;
		*min = known ? SN_MIN(*min, vector->i[i]) : vector->i[i];
		*max = known ? SN_MAX(*max, vector->i[i]) : vector->i[i];
		known = true;
	}
	return known;
}

static bool range_of_doubles(const struct sn_vector *vector, double *min, double *max)
{
	bool known = false;

	for (size_t i = 0; i < vector->rows; i++) {
		if (sn_vector_is_null(vector, i))
			continue;
		*min = known ? SN_MIN(*min, vector->f[i]) : vector->f[i];
		*max = known ? SN_MAX(*max, vector->f[i]) : vector->f[i];
		known = true;
	}
	return known;
}

void sn_vector_range(const struct sn_vector *vector, struct sn_block_range *range)
{
	*range = (struct sn_block_range){.known = false};
	if (vector->type == SN_TYPE_I64 || vector->type == SN_TYPE_TIME)
		range->known = range_of_whole(vector, &range->min.i, &range->max.i);
	else if (vector->type == SN_TYPE_F64)
		range->known = range_of_doubles(vector, &range->min.f, &range->max.f);
	if (range->known)
		range->min.type = range->max.type = vector->type;
}
