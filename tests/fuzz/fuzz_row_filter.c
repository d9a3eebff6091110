/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter of the rows API: the first byte chooses the column, the rest is the
 * value as in the query.  What is taken has the column's type.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "hub/api/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sn_dataset *dataset = &sn_dataset_flow;
	static char text[SN_TEXT_MAX];
	struct sn_filter filter = {0};
	struct sn_err err = {0};
	int column;

	if (size == 0)
		return 0;
	column = data[0] % (int)dataset->column_count;

	sn_autofree char *value = sn_xstrndup((const char *)data + 1, size - 1);
	if (sn_rows_parse_filter(dataset, column, value, 0, &filter, text, &err) != 0) {
		if (err.code >= 0 || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (filter.value.type != dataset->columns[column].type || filter.column != column)
		abort();
	return 0;
}
