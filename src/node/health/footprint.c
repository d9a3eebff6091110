/* SPDX-License-Identifier: Apache-2.0 */
#include "node/health/footprint.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_MAX_BYTES (4096 + 128)

struct mapping {
	uintptr_t start, end;
	bool from_file; /* and not writable */
};

/* "7f00-7f10 r-xp 00001000 08:01 1234 /usr/lib/..."; false for the lines below it. */
static bool read_header(const char *line, struct mapping *mapping)
{
	uintptr_t start, end; /* apart: "Anonymous:" begins with a digit, too */
	char rights[5], path[2] = "";

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %1s", &start, &end, rights,
		   path) < 3)
		return false;
	*mapping = (struct mapping){
		.start = start,
		.end = end,
		.from_file = path[0] == '/' && strchr(rights, 'w') == NULL,
	};
	return true;
}

/*
 * A mapping that cannot be written and has no page of its own (relocated data has)
 * is in every byte as the file is, which is where dropped pages come back from.
 */
static void drop_if_clean(const char *line, const struct mapping *mapping)
{
	unsigned long own_kib;

	if (mapping->from_file && sscanf(line, "Anonymous: %lu kB", &own_kib) == 1 && own_kib == 0)
		madvise((void *)mapping->start, mapping->end - mapping->start, MADV_DONTNEED);
}

void sn_footprint_trim(void)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	struct mapping mapping = {0};
	char line[LINE_MAX_BYTES];

	malloc_trim(0);
	if (maps == NULL)
		return;
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (!read_header(line, &mapping))
			drop_if_clean(line, &mapping);
	}
	fclose(maps);
}
