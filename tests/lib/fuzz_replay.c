/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a fuzz target's corpus without libFuzzer, so that each corpus is a
 * regression test with every compiler: one TAP line per file or directory given.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;

	if (file == NULL || fstat(fileno(file), &st) != 0) {
		printf("Bail out! cannot read '%s'\n", path);
		exit(1);
	}
	/* Exactly as large as the input, so that a sanitizer sees the first byte past it. */
	uint8_t *data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
	size_t size = data == NULL ? 0 : fread(data, 1, (size_t)st.st_size, file);

	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static void replay(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char child[4096];

	if (dir == NULL) {
		replay_file(path);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		replay_file(child);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		unsigned before = replayed;

		replay(argv[i]);
		printf("%s %d - %u inputs of '%s' are survived\n",
		       replayed > before ? "ok" : "not ok", i, replayed - before,
		       strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i]);
	}
	return 0;
}
