/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/capture/merge.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/util.h"
#include "meter/capture/window.h"

#define BATCH 64

struct input {
	struct sn_capture_file *file;
	struct sn_packet packets[BATCH];
	int next, count;
};

struct sn_capture_merge {
	struct input *inputs;
	size_t count;
	uint16_t first_source;
	uint32_t *heap; /* inputs that have packets, the earliest on top */
	size_t heap_count;
	uint32_t *dry; /* inputs to be read before anything can be said */
	size_t dry_count;
};

int sn_capture_merge_create(struct sn_capture_file *const *files, size_t count,
			    uint16_t first_source, struct sn_capture_merge **merge,
			    struct sn_err *err)
{
	struct sn_capture_merge *made;

	if (count > SN_CAPTURE_MERGE_MAX) {
		for (size_t i = 0; i < count; i++)
			sn_capture_file_close(files[i]);
		return sn_err_set(err, -E2BIG,
				  "cannot merge %zu captures: at most %d can be open together",
				  count, SN_CAPTURE_MERGE_MAX);
	}
	made = sn_new(struct sn_capture_merge);
	made->inputs = sn_new_n(struct input, SN_MAX(count, (size_t)1));
	made->heap = sn_new_n(uint32_t, SN_MAX(count, (size_t)1));
	made->dry = sn_new_n(uint32_t, SN_MAX(count, (size_t)1));
	made->count = made->dry_count = count;
	made->first_source = first_source;
	for (size_t i = 0; i < count; i++) {
		made->inputs[i].file = files[i];
		made->dry[i] = (uint32_t)(count - 1 - i);
	}
	*merge = made;
	return 0;
}

void sn_capture_merge_destroy(struct sn_capture_merge *merge)
{
	if (merge == NULL)
		return;
	for (size_t i = 0; i < merge->count; i++)
		sn_capture_file_close(merge->inputs[i].file);
	free(merge->inputs);
	free(merge->heap);
	free(merge->dry);
	free(merge);
}

static bool before(const struct sn_capture_merge *merge, uint32_t a, uint32_t b)
{
	const struct input *x = &merge->inputs[a], *y = &merge->inputs[b];
	int64_t x_ns = x->packets[x->next].time_ns, y_ns = y->packets[y->next].time_ns;

	return x_ns != y_ns ? x_ns < y_ns : a < b;
}

static void sink(struct sn_capture_merge *merge, size_t at)
{
	uint32_t *heap = merge->heap, moving = heap[at];

	for (size_t child = 2 * at + 1; child < merge->heap_count; child = 2 * at + 1) {
		if (child + 1 < merge->heap_count && before(merge, heap[child + 1], heap[child]))
			child++;
		if (before(merge, moving, heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moving;
}

static void rise(struct sn_capture_merge *merge, uint32_t input)
{
	size_t at = merge->heap_count++;

	for (; at > 0 && before(merge, input, merge->heap[(at - 1) / 2]); at = (at - 1) / 2)
		merge->heap[at] = merge->heap[(at - 1) / 2];
	merge->heap[at] = input;
}

/* An input that ended or is damaged is in neither list from then on. */
static int refill(struct sn_capture_merge *merge, struct sn_err *err)
{
	while (merge->dry_count > 0) {
		uint32_t index = merge->dry[--merge->dry_count];
		struct input *input = &merge->inputs[index];

		input->next = 0;
		input->count = sn_capture_file_read(input->file, input->packets, BATCH, err);
		if (input->count < 0)
			return input->count;
		if (input->count > 0)
			rise(merge, index);
	}
	return 0;
}

/* The top's packet is taken; true when its input has none left. */
static bool advance(struct sn_capture_merge *merge)
{
	uint32_t index = merge->heap[0];
	struct input *input = &merge->inputs[index];
	bool dry = ++input->next == input->count;

	if (dry) {
		merge->dry[merge->dry_count++] = index;
		merge->heap[0] = merge->heap[--merge->heap_count];
	}
	if (merge->heap_count > 0)
		sink(merge, 0);
	return dry;
}

void sn_capture_merge_share(struct sn_capture_merge *merge, struct sn_windows *windows)
{
	sn_windows_reserve(windows, (unsigned)merge->count);
	for (size_t i = 0; i < merge->count; i++)
		sn_capture_file_share(merge->inputs[i].file, windows);
}

/* One file is in order as it is. */
static int read_only(struct sn_capture_merge *merge, struct sn_packet *packets, int max,
		     struct sn_err *err)
{
	int count = merge->dry_count > 0
			    ? sn_capture_file_read(merge->inputs[0].file, packets, max, err)
			    : 0;

	if (count <= 0)
		merge->dry_count = 0;
	for (int i = 0; i < count && merge->first_source != 0; i++)
		packets[i].source = merge->first_source;
	return count;
}

/* Stops where an input is used up: reading it would take the bytes of its packets away. */
int sn_capture_merge_read(struct sn_capture_merge *merge, struct sn_packet *packets, int max,
			  struct sn_err *err)
{
	int result, count = 0;

	if (merge->count == 1)
		return read_only(merge, packets, max, err);
	result = refill(merge, err);
	if (result < 0)
		return result;
	while (count < max && merge->heap_count > 0) {
		uint32_t index = merge->heap[0];
		const struct input *input = &merge->inputs[index];

		packets[count] = input->packets[input->next];
		packets[count++].source = (uint16_t)(merge->first_source + index);
		if (advance(merge))
			break;
	}
	return count;
}

uint64_t sn_capture_merge_offset(const struct sn_capture_merge *merge)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < merge->count; i++)
		sum += sn_capture_file_offset(merge->inputs[i].file);
	return sum;
}

uint64_t sn_capture_merge_size(const struct sn_capture_merge *merge)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < merge->count; i++) {
		uint64_t size = sn_capture_file_size(merge->inputs[i].file);

		if (size == 0)
			return 0;
		sum += size;
	}
	return sum;
}
