/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows on their way to a replica: whatever comes ends in rows that can be read, or in a refusal.
 * An input is a body as it is ('b'), or frames without their checksums ('f': per frame type,
 * length in 16 bits, payload), which are put there: nothing random would have the right ones.
 */
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include "store/replication.h"

static int read_rows(const struct sn_replication_rows *rows, void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < rows->column_count; i++) {
		struct sn_block_column *column = NULL;
		struct sn_err err = {0};

		if (sn_block_read(rows->columns[i].bytes, rows->columns[i].type, rows->rows,
				  &column, &err) != 0)
			return -1;
		sn_block_column_destroy(column);
	}
	return 0;
}

static int read_batch(const struct sn_replication_batch *batch, void *ctx)
{
	(void)ctx;
	return batch->rows == 0;
}

static int read_gap(const struct sn_replication_gap *gap, void *ctx)
{
	(void)ctx;
	return gap->next <= gap->first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(struct sn_str body)
{
	struct sn_replication_reader reader = {read_rows, read_batch, read_gap, NULL};
	struct sn_replication_end end;
	struct sn_err err = {0};

	(void)sn_replication_read(body, 1, &reader, &end, &err);
}

static void add_frame(struct sn_buf *body, uint8_t type, const uint8_t *payload, uint16_t length)
{
	size_t start = body->n;
	uint32_t size = htole32(length), sum;

	sn_buf_addc(body, (char)type);
	sn_buf_add(body, &size, sizeof(size));
	sn_buf_add(body, payload, length);
	sum = htole32((uint32_t)crc32_z(0, (const Bytef *)body->p + start, body->n - start));
	sn_buf_add(body, &sum, sizeof(sum));
}

static void read_frames(struct sn_rd *rd)
{
	struct sn_buf body = {0};

	sn_buf_add(&body, "SNDR\1", 5);
	while (sn_rd_left(rd) > 0) {
		uint8_t type = sn_rd_u8(rd);
		uint16_t length = sn_rd_u16le(rd);
		const uint8_t *payload = sn_rd_bytes(rd, length);

		if (payload != NULL)
			add_frame(&body, type, payload, length);
	}
	read_body(sn_buf_str(&body));
	sn_buf_finish(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sn_rd rd;
	uint8_t kind;

	sn_rd_init(&rd, data, size);
	kind = sn_rd_u8(&rd);
	if (kind == 'f')
		read_frames(&rd);
	else
		read_body((struct sn_str){(const char *)rd.p, sn_rd_left(&rd)});
	return 0;
}
