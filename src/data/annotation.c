/* SPDX-License-Identifier: Apache-2.0 */
#include "data/annotation.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX "_ip"

static bool has_suffix(const char *name)
{
	size_t n = strlen(name), suffix = strlen(SUFFIX);

	return n > suffix && strcmp(name + n - suffix, SUFFIX) == 0;
}

bool sn_column_is_address(const struct sn_column *column)
{
	return column->type == SN_TYPE_TEXT &&
	       (strcmp(column->name, "address") == 0 || has_suffix(column->name));
}

/* The column beside an address, if it is there and of that type; else -1. */
static int beside(const struct sn_dataset *dataset, const char *address, const char *what,
		  enum sn_type type)
{
	size_t n = strlen(address) - (has_suffix(address) ? strlen(SUFFIX) : 0);
	char name[128];
	int column;

	snprintf(name, sizeof(name), "%.*s_%s", (int)n, address, what);
	column = sn_dataset_column(dataset, name);
	return column >= 0 && dataset->columns[column].type == type ? column : -1;
}

bool sn_dataset_annotated(const struct sn_dataset *dataset, struct sn_annotated *annotated)
{
	int annotation = sn_dataset_column(dataset, "annotation");

	annotated->count = 0;
	annotated->annotation = annotation >= 0 && dataset->columns[annotation].type == SN_TYPE_TEXT
					? annotation
					: -1;
	for (size_t i = 0; i < dataset->column_count && annotated->count < SN_ANNOTATED_MAX; i++) {
		const char *name = dataset->columns[i].name;
		int asn, country;

		if (!sn_column_is_address(&dataset->columns[i]))
			continue;
		asn = beside(dataset, name, "asn", SN_TYPE_I64);
		country = beside(dataset, name, "country", SN_TYPE_TEXT);
		if (asn < 0 || country < 0)
			continue;
		annotated->items[annotated->count].address = (int)i;
		annotated->items[annotated->count].asn = asn;
		annotated->items[annotated->count++].country = country;
	}
	return annotated->count > 0;
}
