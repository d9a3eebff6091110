/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <assert.h>
#include <string.h>

#include "base/util.h"

const char *sn_type_name(enum sn_type type)
{
	static const char *const names[] = {
		[SN_TYPE_NULL] = "null",  [SN_TYPE_BOOL] = "bool", [SN_TYPE_I64] = "integer",
		[SN_TYPE_F64] = "number", [SN_TYPE_TEXT] = "text", [SN_TYPE_TIME] = "time",
	};

	assert((size_t)type < SN_COUNT(names));
	return names[type];
}

int sn_dataset_column(const struct sn_dataset *dataset, const char *name)
{
	for (size_t i = 0; i < dataset->column_count; i++)
		if (strcmp(dataset->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}
