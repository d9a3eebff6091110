/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

#define BYTES_PER_CELL 8

struct bin {
	const struct sn_dataset *dataset;
	struct sn_columns *rows;
	int32_t day;
	size_t known;  /* rows that are in `weight` */
	size_t weight; /* of its rows */
	size_t peak;   /* what its memory holds: columns keep theirs when they are emptied */
	uint64_t used; /* tick of the last place */
};

struct sn_parts {
	struct bin *bins;
	size_t count, capacity, last;
	uint64_t tick, seq;
};

struct sn_parts *sn_parts_create(void)
{
	return sn_new(struct sn_parts);
}

void sn_parts_destroy(struct sn_parts *parts)
{
	if (parts == NULL)
		return;
	for (size_t i = 0; i < parts->count; i++)
		sn_columns_destroy(parts->bins[i].rows);
	free(parts->bins);
	free(parts);
}

static bool is_of(const struct bin *bin, const struct sn_dataset *dataset, int32_t day)
{
	return bin->dataset == dataset && bin->day == day;
}

static struct bin *add_bin(struct sn_parts *parts, const struct sn_dataset *dataset, int32_t day)
{
	if (parts->count == parts->capacity) {
		parts->capacity = SN_MAX(parts->capacity * 2, (size_t)16);
		parts->bins = sn_xrealloc(parts->bins, parts->capacity, sizeof(*parts->bins));
	}
	parts->bins[parts->count] = (struct bin){
		.dataset = dataset,
		.day = day,
		.rows = sn_columns_create(dataset),
	};
	return &parts->bins[parts->count++];
}

struct sn_columns *sn_parts_place(struct sn_parts *parts, const struct sn_dataset *dataset,
				  int32_t day)
{
	struct bin *bin = NULL;

	if (parts->last < parts->count && is_of(&parts->bins[parts->last], dataset, day))
		bin = &parts->bins[parts->last];
	for (size_t i = 0; bin == NULL && i < parts->count; i++)
		if (is_of(&parts->bins[i], dataset, day))
			bin = &parts->bins[i];
	if (bin == NULL)
		bin = add_bin(parts, dataset, day);
	parts->last = (size_t)(bin - parts->bins);
	bin->used = ++parts->tick;
	return bin->rows;
}

void sn_parts_added(struct sn_parts *parts, uint64_t bytes)
{
	size_t fresh = 0;

	for (size_t i = 0; i < parts->count; i++)
		fresh += sn_columns_rows(parts->bins[i].rows) - parts->bins[i].known;
	for (size_t i = 0; fresh > 0 && i < parts->count; i++) {
		struct bin *bin = &parts->bins[i];
		size_t rows = sn_columns_rows(bin->rows);
		size_t each = (size_t)(bytes / fresh) + bin->dataset->column_count * BYTES_PER_CELL;

		bin->weight += (rows - bin->known) * each;
		bin->peak = SN_MAX(bin->peak, bin->weight);
		bin->known = rows;
	}
}

/* What is due ---------------------------------------------------------------- */

static void remove_bin(struct sn_parts *parts, size_t i)
{
	sn_columns_destroy(parts->bins[i].rows);
	parts->count--;
	memmove(&parts->bins[i], &parts->bins[i + 1], (parts->count - i) * sizeof(*parts->bins));
	parts->last = SIZE_MAX;
}

static size_t total_peak(const struct sn_parts *parts)
{
	size_t total = 0;

	for (size_t i = 0; i < parts->count; i++)
		total += parts->bins[i].peak;
	return total;
}

static bool has_too_much(const struct sn_parts *parts)
{
	return parts->count > SN_PARTS_DAYS_MAX || total_peak(parts) > SN_PARTS_WEIGHT_MAX;
}

/* The empty one that was not used for the longest time; SIZE_MAX. */
static size_t oldest_empty(const struct sn_parts *parts)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < parts->count; i++)
		if (parts->bins[i].known == 0 &&
		    (best == SIZE_MAX || parts->bins[i].used < parts->bins[best].used))
			best = i;
	return best;
}

static size_t find_full(const struct sn_parts *parts, size_t rows)
{
	for (size_t i = 0; i < parts->count; i++)
		if (parts->bins[i].known >= rows)
			return i;
	return SIZE_MAX;
}

/* Too many: what rests longest; too heavy: the heaviest. */
static size_t find_to_release(const struct sn_parts *parts)
{
	bool many = parts->count > SN_PARTS_DAYS_MAX;
	size_t best = 0;

	for (size_t i = 1; i < parts->count; i++) {
		const struct bin *bin = &parts->bins[i], *other = &parts->bins[best];

		if (many ? bin->used < other->used : bin->weight > other->weight)
			best = i;
	}
	return best;
}

bool sn_parts_next(struct sn_parts *parts, bool all, struct sn_part *part)
{
	size_t i = find_full(parts, all ? 1 : SN_PARTS_ROWS), empty;

	while (i == SIZE_MAX && has_too_much(parts)) {
		empty = oldest_empty(parts);
		if (empty != SIZE_MAX)
			remove_bin(parts, empty);
		else
			i = find_to_release(parts);
	}
	if (i == SIZE_MAX)
		return false;
	*part = (struct sn_part){
		.rows = parts->bins[i].rows,
		.day = parts->bins[i].day,
		.seq = parts->seq,
		.place = i,
	};
	return true;
}

void sn_parts_done(struct sn_parts *parts, const struct sn_part *part)
{
	struct bin *bin = &parts->bins[part->place];

	assert(part->seq == parts->seq && bin->rows == part->rows);
	parts->seq++;
	sn_columns_clear(bin->rows);
	bin->known = bin->weight = 0;
}
