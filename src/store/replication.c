/* SPDX-License-Identifier: Apache-2.0 */
#include "store/replication.h"

#include <errno.h>
#include <string.h>

#include <zlib.h>

#include "base/mem.h"

#define MAGIC      "SNDR"
#define VERSION    1
#define HEAD_SIZE  5 /* of a frame */
#define CHECK_SIZE 4

/* Writing ------------------------------------------------------------------------------- */

static void add_number(struct sn_buf *out, uint64_t value, size_t size)
{
	uint64_t little = htole64(value);

	sn_buf_add(out, &little, size);
}

static void add_text(struct sn_buf *out, struct sn_str text, size_t length_size)
{
	add_number(out, text.n, length_size);
	sn_buf_add(out, text.p, text.n);
}

void sn_replication_begin(struct sn_replication_writer *writer, struct sn_buf *out)
{
	*writer = (struct sn_replication_writer){.out = out};
	sn_buf_adds(out, MAGIC);
	sn_buf_addc(out, VERSION);
}

static size_t open_frame(struct sn_replication_writer *writer, char type)
{
	size_t start = writer->out->n;

	sn_buf_addc(writer->out, type);
	add_number(writer->out, 0, 4);
	return start;
}

static void close_frame(struct sn_replication_writer *writer, size_t start)
{
	struct sn_buf *out = writer->out;
	uint32_t length = htole32((uint32_t)(out->n - start - HEAD_SIZE));

	memcpy(out->p + start + 1, &length, sizeof(length));
	add_number(out, crc32_z(0, (const Bytef *)out->p + start, out->n - start), CHECK_SIZE);
	writer->frames++;
}

void sn_replication_rows(struct sn_replication_writer *writer,
			 const struct sn_replication_rows *rows)
{
	size_t start = open_frame(writer, 'R');

	add_number(writer->out, (uint64_t)rows->first, 8);
	add_number(writer->out, rows->rows, 4);
	add_number(writer->out, rows->column_count, 2);
	for (size_t i = 0; i < rows->column_count; i++) {
		add_text(writer->out, rows->columns[i].name, 1);
		add_number(writer->out, (uint64_t)rows->columns[i].type, 1);
		add_text(writer->out, rows->columns[i].bytes, 4);
	}
	close_frame(writer, start);
}

void sn_replication_batch(struct sn_replication_writer *writer,
			  const struct sn_replication_batch *batch)
{
	size_t start = open_frame(writer, 'B');

	add_text(writer->out, batch->node, 1);
	add_text(writer->out, batch->stream, 1);
	add_number(writer->out, batch->seq, 8);
	sn_buf_add(writer->out, batch->digest, sizeof(batch->digest));
	add_number(writer->out, (uint64_t)batch->first, 8);
	add_number(writer->out, batch->rows, 4);
	close_frame(writer, start);
}

void sn_replication_gap(struct sn_replication_writer *writer, const struct sn_replication_gap *gap)
{
	size_t start = open_frame(writer, 'G');

	add_number(writer->out, (uint64_t)gap->first, 8);
	add_number(writer->out, (uint64_t)gap->next, 8);
	close_frame(writer, start);
}

void sn_replication_end(struct sn_replication_writer *writer, const struct sn_replication_end *end)
{
	uint32_t frames = writer->frames;
	size_t start = open_frame(writer, 'E');

	add_number(writer->out, (uint64_t)end->next, 8);
	add_number(writer->out, (uint64_t)end->head, 8);
	add_number(writer->out, frames, 4);
	close_frame(writer, start);
}

/* Reading --------------------------------------------------------------------------------- */

struct reading {
	const struct sn_replication_reader *reader;
	struct sn_replication_end *end;
	struct sn_err *err;
	int64_t next; /* number that the next frame begins with, or later */
	size_t rows;  /* so far */
	uint32_t frames;
	bool ended;
};

static int refuse(struct reading *reading, const char *what)
{
	return sn_err_set(reading->err, -EBADMSG, "rows of a replication: %s", what);
}

static bool read_text(struct sn_rd *rd, size_t length, size_t max, struct sn_str *text)
{
	*text = (struct sn_str){(const char *)sn_rd_bytes(rd, length), length};
	return sn_rd_ok(rd) && length <= max;
}

static bool name_is_good(struct sn_str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_'))
			return false;
	}
	return name.n > 0;
}

static bool read_column(struct sn_rd *rd, struct sn_replication_column *column)
{
	unsigned type;

	if (!read_text(rd, sn_rd_u8(rd), SN_REPLICATION_NAME_MAX, &column->name) ||
	    !name_is_good(column->name))
		return false;
	type = sn_rd_u8(rd);
	column->type = (enum sn_type)type;
	return type >= SN_TYPE_BOOL && type <= SN_TYPE_TIME &&
	       read_text(rd, sn_rd_u32le(rd), SN_REPLICATION_BODY_MAX, &column->bytes);
}

/* The first two columns of all datasets: a row has a time, and is of a node. */
static bool columns_are_good(const struct sn_replication_rows *rows)
{
	for (size_t i = 0; i < rows->column_count; i++)
		for (size_t j = 0; j < i; j++)
			if (sn_str_eq(rows->columns[i].name, rows->columns[j].name))
				return false;
	return rows->column_count > SN_COL_TIME &&
	       sn_str_eqc(rows->columns[SN_COL_TIME].name, "time") &&
	       rows->columns[SN_COL_TIME].type == SN_TYPE_TIME;
}

static int read_rows(struct reading *reading, struct sn_rd *rd)
{
	sn_autofree struct sn_replication_rows *rows = sn_new(struct sn_replication_rows);

	rows->first = (int64_t)sn_rd_u64le(rd);
	rows->rows = sn_rd_u32le(rd);
	rows->column_count = sn_rd_u16le(rd);
	if (!sn_rd_ok(rd) || rows->rows == 0 || rows->rows > SN_BLOCK_ROWS_MAX ||
	    rows->column_count > SN_DATASET_COLUMNS_MAX)
		return refuse(reading, "too many, or none");
	for (size_t i = 0; i < rows->column_count; i++)
		if (!read_column(rd, &rows->columns[i]))
			return refuse(reading, "a column that is none");
	if (sn_rd_left(rd) > 0 || !columns_are_good(rows))
		return refuse(reading, "columns that do not fit together");
	if (rows->first < reading->next || rows->first > INT64_MAX / 2)
		return refuse(reading, "numbers that do not follow each other");
	reading->next = rows->first + (int64_t)rows->rows;
	reading->rows += rows->rows;
	if (reading->rows > SN_REPLICATION_ROWS_MAX)
		return refuse(reading, "more than anybody asked for");
	return reading->reader->rows(rows, reading->reader->ctx);
}

static bool is_stream(struct sn_str text)
{
	return text.n <= 64 && name_is_good(text);
}

static int read_batch(struct reading *reading, struct sn_rd *rd)
{
	struct sn_replication_batch batch = {0};
	bool good = read_text(rd, sn_rd_u8(rd), SN_REPLICATION_NAME_MAX, &batch.node) &&
		    read_text(rd, sn_rd_u8(rd), SN_REPLICATION_NAME_MAX, &batch.stream);

	batch.seq = sn_rd_u64le(rd);
	sn_rd_copy(rd, batch.digest, sizeof(batch.digest));
	batch.first = (int64_t)sn_rd_u64le(rd);
	batch.rows = sn_rd_u32le(rd);
	if (!good || !sn_rd_ok(rd) || sn_rd_left(rd) > 0 || batch.node.n == 0 ||
	    memchr(batch.node.p, '\0', batch.node.n) != NULL || !is_stream(batch.stream) ||
	    batch.seq > INT64_MAX || batch.rows == 0 || batch.first < 1 ||
	    batch.first > INT64_MAX / 2 || batch.first + (int64_t)batch.rows > reading->next)
		return refuse(reading, "a batch that is none");
	return reading->reader->batch(&batch, reading->reader->ctx);
}

static int read_gap(struct reading *reading, struct sn_rd *rd)
{
	struct sn_replication_gap gap = {.first = (int64_t)sn_rd_u64le(rd)};

	gap.next = (int64_t)sn_rd_u64le(rd);
	if (!sn_rd_ok(rd) || sn_rd_left(rd) > 0 || gap.first < reading->next ||
	    gap.next <= gap.first || gap.next > INT64_MAX / 2)
		return refuse(reading, "a gap that is none");
	reading->next = gap.next;
	return reading->reader->gap(&gap, reading->reader->ctx);
}

static int read_end(struct reading *reading, struct sn_rd *rd)
{
	reading->end->next = (int64_t)sn_rd_u64le(rd);
	reading->end->head = (int64_t)sn_rd_u64le(rd);
	if (sn_rd_u32le(rd) != reading->frames || !sn_rd_ok(rd) || sn_rd_left(rd) > 0 ||
	    reading->end->next < reading->next || reading->end->head < reading->end->next ||
	    reading->end->head > INT64_MAX / 2)
		return refuse(reading, "an end that does not fit");
	reading->ended = true;
	return 0;
}

static int read_frame(struct reading *reading, struct sn_rd *rd)
{
	const uint8_t *start = rd->p;
	uint8_t type = sn_rd_u8(rd);
	uint32_t length = sn_rd_u32le(rd);
	const uint8_t *payload = sn_rd_bytes(rd, length);
	struct sn_rd inner;
	int rc;

	if (payload == NULL ||
	    sn_rd_u32le(rd) != (uint32_t)crc32_z(0, start, (z_size_t)length + HEAD_SIZE) ||
	    !sn_rd_ok(rd))
		return refuse(reading, "half of them, or damaged on the way");
	sn_rd_init(&inner, payload, length);
	if (type == 'R')
		rc = read_rows(reading, &inner);
	else if (type == 'B')
		rc = read_batch(reading, &inner);
	else if (type == 'G')
		rc = read_gap(reading, &inner);
	else if (type == 'E')
		rc = read_end(reading, &inner);
	else
		rc = refuse(reading, "a kind of frame that is not known");
	reading->frames++;
	return rc;
}

int sn_replication_read(struct sn_str body, int64_t from,
			const struct sn_replication_reader *reader, struct sn_replication_end *end,
			struct sn_err *err)
{
	struct reading reading = {.reader = reader, .end = end, .err = err, .next = from};
	const uint8_t *magic;
	uint8_t version;
	struct sn_rd rd;
	int rc = 0;

	sn_rd_init(&rd, body.p, body.n);
	magic = sn_rd_bytes(&rd, strlen(MAGIC));
	version = sn_rd_u8(&rd);
	if (body.n > SN_REPLICATION_BODY_MAX || !sn_rd_ok(&rd) ||
	    memcmp(magic, MAGIC, strlen(MAGIC)) != 0)
		return refuse(&reading, "they are none");
	if (version != VERSION)
		return sn_err_set(err, -EPROTONOSUPPORT,
				  "rows of a replication: of another release (install the newer "
				  "one of the two at both hubs)");
	while (rc == 0 && !reading.ended)
		rc = read_frame(&reading, &rd);
	if (rc == 0 && sn_rd_left(&rd) > 0)
		rc = refuse(&reading, "something behind their end");
	return rc;
}
