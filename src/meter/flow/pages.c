/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/flow/pages.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#define LARGE_PAGE ((size_t)2 << 20)

static size_t round_up(size_t size)
{
	return (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
}

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "out of memory (%zu bytes)\n", size);
		abort();
	}
	return p;
}

/* Maps more than is needed and gives back what lies before and behind the aligned part. */
void *sn_pages_take(size_t size, size_t small_bytes)
{
	size_t whole = round_up(size), small = round_up(small_bytes);
	char *p = map(whole + LARGE_PAGE);
	size_t before = round_up((uintptr_t)p) - (uintptr_t)p;

	if (before > 0)
		munmap(p, before);
	if (before < LARGE_PAGE)
		munmap(p + before + whole, LARGE_PAGE - before);
	p += before;
	if (small < whole)
		madvise(p + small, whole - small, MADV_HUGEPAGE); /* a wish only */
	return p;
}

void sn_pages_touch(void *pages, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)pages / page * page;

	/* Where the system does not know how, pages come when they are written. */
	madvise((void *)start, (uintptr_t)pages + size - start, MADV_POPULATE_WRITE);
}

void sn_pages_give(void *pages, size_t size)
{
	if (pages != NULL)
		munmap(pages, round_up(size));
}
