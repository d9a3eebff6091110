/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs that Tstat wrote of the captures in tests/data/pcap: tests/data/udp-expected.txt.
 * SONDE_CAPTURES names another directory of captures; its logs are then in
 * SONDE_CAPTURES/../tstat-expected/NAME/all-local/LOG.
 */
#ifndef SONDE_TESTS_METER_REFERENCE_H
#define SONDE_TESTS_METER_REFERENCE_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/util.h"

#define REFERENCE_COLUMNS_MAX 200
#define REFERENCE_LINE_MAX    8192

struct reference {
	FILE *file;
	char header[REFERENCE_LINE_MAX], line[REFERENCE_LINE_MAX];
	char *names[REFERENCE_COLUMNS_MAX], *values[REFERENCE_COLUMNS_MAX];
	size_t name_count, value_count;
};

static inline const char *reference_captures(void)
{
	const char *given = getenv("SONDE_CAPTURES");

	return given != NULL ? given : SN_TEST_DATA "/pcap";
}

static inline size_t reference_split(char *line, char **fields)
{
	size_t count = 0;

	for (char *word = strtok(line, " \n"); word != NULL && count < REFERENCE_COLUMNS_MAX;
	     word = strtok(NULL, " \n"))
		fields[count++] = word;
	return count;
}

/* The log's section of the file that has them all; NULL if there is none. */
static inline FILE *reference_section(const char *capture, const char *log)
{
	sn_autofree char *wanted = sn_xasprintf("@%s %s\n", capture, log);
	FILE *file = fopen(SN_TEST_DATA "/udp-expected.txt", "r");
	char line[REFERENCE_LINE_MAX];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strcmp(line, wanted) == 0)
			return file;
	if (file != NULL)
		fclose(file);
	return NULL;
}

static inline FILE *reference_file(const char *capture, const char *log)
{
	sn_autofree char *path = sn_xasprintf("%s/../tstat-expected/%s/all-local/%s",
					      reference_captures(), capture, log);

	return getenv("SONDE_CAPTURES") != NULL ? fopen(path, "r")
						: reference_section(capture, log);
}

/* False if there is no such log. */
static inline bool reference_open(struct reference *reference, const char *capture, const char *log)
{
	reference->file = reference_file(capture, log);
	if (reference->file == NULL)
		return false;
	if (fgets(reference->header, sizeof(reference->header), reference->file) == NULL) {
		fclose(reference->file);
		return false;
	}
	/* "#31#c_ip:1 ..." or "#c_ip:1 ..." */
	reference->name_count =
		reference_split(strrchr(reference->header, '#') + 1, reference->names);
	for (size_t i = 0; i < reference->name_count; i++)
		reference->names[i][strcspn(reference->names[i], ":")] = '\0';
	return true;
}

static inline bool reference_has(const char *capture, const char *log)
{
	FILE *file = reference_file(capture, log);

	if (file != NULL)
		fclose(file);
	return file != NULL;
}

static inline bool reference_next(struct reference *reference)
{
	if (fgets(reference->line, sizeof(reference->line), reference->file) == NULL ||
	    reference->line[0] == '@') {
		fclose(reference->file);
		return false;
	}
	reference->value_count = reference_split(reference->line, reference->values);
	return true;
}

static inline const char *reference_text(const struct reference *reference, const char *name)
{
	for (size_t i = 0; i < reference->value_count; i++)
		if (strcmp(reference->names[i], name) == 0)
			return reference->values[i];
	return "";
}

static inline double reference_number(const struct reference *reference, const char *name)
{
	return strtod(reference_text(reference, name), NULL);
}

/* Calls for each capture with its name and path; there may be no logs beside it. */
static inline void reference_for_each(void (*visit)(const char *name, const char *path))
{
	DIR *dir = opendir(reference_captures());
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		sn_autofree char *name = sn_xstrdup(entry->d_name);
		sn_autofree char *path = sn_xasprintf("%s/%s", reference_captures(), name);
		char *dot = strstr(name, ".pcap");

		if (dot == NULL)
			continue;
		*dot = '\0';
		visit(name, path);
	}
	if (dir != NULL)
		closedir(dir);
}

#endif
