/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader takes is written and read again to the same rows; what it refuses has a reason.
 */
#include <assert.h>
#include <string.h>

#include "data/codec.h"

static void check_same(const struct sn_dataset *dataset, const struct sn_value *a,
		       const struct sn_value *b)
{
	for (size_t i = 0; i < dataset->column_count; i++) {
		assert(a[i].type == b[i].type);
		if (a[i].type == SN_TYPE_TEXT)
			assert(sn_str_eq(a[i].s, b[i].s));
		else if (a[i].type == SN_TYPE_BOOL)
			assert(a[i].b == b[i].b);
		else if (a[i].type != SN_TYPE_NULL)
			assert(memcmp(&a[i].i, &b[i].i, sizeof(a[i].i)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The first byte chooses the dataset. */
	const struct sn_dataset *dataset =
		sn_catalog[size > 0 ? (uint8_t)(data[0] - '0') % sn_catalog_count : 0];
	struct sn_str text = {(const char *)data + (size > 0), size - (size > 0)};
	struct sn_batch *batch = sn_batch_create(dataset);
	struct sn_buf written = {0};
	struct sn_err err = {0};
	int rc = sn_csv_read(batch, text, 64, &err);
	size_t rows = sn_batch_rows(batch);

	assert(rc == 0 || (rc < 0 && err.code == rc && err.text[0] != '\0'));
	sn_csv_write_header(&written, dataset);
	for (size_t i = 0; i < rows; i++)
		sn_csv_write_row(&written, dataset, sn_batch_row(batch, i));
	rc = sn_csv_read(batch, sn_buf_str(&written), rows, &err);
	assert(rc == 0 && sn_batch_rows(batch) == 2 * rows);
	for (size_t i = 0; i < rows; i++)
		check_same(dataset, sn_batch_row(batch, i), sn_batch_row(batch, rows + i));
	sn_buf_finish(&written);
	sn_batch_destroy(batch);
	return 0;
}
