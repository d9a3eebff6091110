/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/parquet_column.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "exchange/parquet_rle.h"
#include "exchange/thrift.h"

/* A dictionary pays where its bytes stand for this many times as many in the page. */
#define REPEATED 2

/* The press ---------------------------------------------------------------- */

void sn_parquet_press_init(struct sn_parquet_press *press, int zstd_level)
{
	*press = (struct sn_parquet_press){.zstd = ZSTD_createCCtx()};
	press->level = sn_new_n(uint32_t, SN_PARQUET_PAGE_ROWS);
	if (press->zstd == NULL)
		press->rc = -ENOMEM;
	else
		ZSTD_CCtx_setParameter(press->zstd, ZSTD_c_compressionLevel, zstd_level);
}

void sn_parquet_press_finish(struct sn_parquet_press *press)
{
	ZSTD_freeCCtx(press->zstd);
	sn_buf_finish(&press->body);
	sn_buf_finish(&press->packed);
	free(press->level);
}

/* body -> packed */
static void compress_body(struct sn_parquet_press *press)
{
	size_t room = ZSTD_compressBound(press->body.n), size;

	sn_buf_clear(&press->packed);
	if (press->rc != 0)
		return;
	sn_buf_reserve(&press->packed, room);
	size = ZSTD_compress2(press->zstd, press->packed.p, room, press->body.p, press->body.n);
	if (ZSTD_isError(size))
		press->rc = -ENOMEM; /* the room is enough, so nothing else can be wrong */
	else
		press->packed.n = size;
}

/* Pages (parquet.thrift: PageHeader) --------------------------------------- */

enum { DATA_PAGE = 0, DICTIONARY_PAGE = 2 };
enum { DATA_HEADER = 5, DICTIONARY_HEADER = 7 }; /* fields of a page header */

static void begin_header(struct sn_thrift *thrift, int type, const struct sn_parquet_press *press)
{
	uLong sum = crc32(0, (const Bytef *)press->packed.p, (uInt)press->packed.n);

	sn_thrift_open(thrift);
	sn_thrift_i32(thrift, 1, type);
	sn_thrift_i32(thrift, 2, (int32_t)press->body.n);
	sn_thrift_i32(thrift, 3, (int32_t)press->packed.n);
	sn_thrift_i32(thrift, 4, (int32_t)(uint32_t)sum);
}

/* Writes what is in the press, as a page. */
static void add_page(struct sn_parquet_column *column, struct sn_buf *out, int type, size_t count,
		     enum sn_parquet_encoding encoding)
{
	struct sn_parquet_press *press = column->press;
	size_t before = out->n;
	struct sn_thrift thrift;

	compress_body(press);
	sn_thrift_init(&thrift, out);
	begin_header(&thrift, type, press);
	sn_thrift_struct(&thrift, type == DATA_PAGE ? DATA_HEADER : DICTIONARY_HEADER);
	sn_thrift_i32(&thrift, 1, (int32_t)count);
	sn_thrift_i32(&thrift, 2, (int32_t)encoding);
	if (type == DATA_PAGE) {
		sn_thrift_i32(&thrift, 3, SN_PARQUET_RLE); /* definition levels */
		sn_thrift_i32(&thrift, 4, SN_PARQUET_RLE); /* repetition levels: none */
	}
	sn_thrift_close(&thrift);
	sn_thrift_close(&thrift);
	column->unpacked_bytes += out->n - before + press->body.n;
	sn_buf_add(out, press->packed.p, press->packed.n);
}

static void add_levels(struct sn_parquet_column *column)
{
	struct sn_buf *body = &column->press->body;
	size_t at = body->n;
	uint32_t size = 0;

	for (size_t i = 0; i < column->rows; i++)
		column->press->level[i] = column->defined[i];
	sn_buf_add(body, &size, sizeof(size));
	sn_parquet_rle(body, column->press->level, column->rows, 1);
	size = htole32((uint32_t)(body->n - at - sizeof(size)));
	memcpy(body->p + at, &size, sizeof(size));
}

static void add_indexes(struct sn_parquet_column *column)
{
	struct sn_buf *body = &column->press->body;
	unsigned width = sn_parquet_width(column->dictionary.count - 1);

	sn_buf_addc(body, (char)width);
	sn_parquet_rle(body, column->index, column->values, width);
}

/* The values of the open page become PLAIN ones: fewer than REPEATED times the dictionary. */
static void leave_dictionary(struct sn_parquet_column *column)
{
	const struct sn_parquet_dictionary *dictionary = &column->dictionary;

	for (size_t i = 0; i < column->values; i++) {
		uint32_t entry = column->index[i];
		size_t at = (size_t)entry * 8, size = 8;

		if (column->type == SN_TYPE_TEXT) {
			at = dictionary->offset[entry];
			size = 4 + sn_parquet_dictionary_at(dictionary, entry).n;
		}
		sn_buf_add(&column->plain, dictionary->plain.p + at, size);
	}
	column->indexed = false;
}

static void judge_dictionary(struct sn_parquet_column *column)
{
	size_t plain = column->type == SN_TYPE_TEXT ? column->referred : column->values * 8;

	if (!column->indexed || column->index_pages > 0 ||
	    column->dictionary.plain.n * REPEATED <= plain)
		return;
	leave_dictionary(column);
	sn_parquet_dictionary_clear(&column->dictionary);
}

static void end_page(struct sn_parquet_column *column)
{
	enum sn_parquet_encoding encoding = SN_PARQUET_PLAIN;

	sn_buf_clear(&column->press->body);
	add_levels(column);
	if (column->values > 0)
		judge_dictionary(column);
	if (column->type == SN_TYPE_BOOL) {
		sn_parquet_pack(&column->press->body, column->index, column->values, 1);
	} else if (column->indexed && column->values > 0) {
		encoding = SN_PARQUET_INDEX;
		add_indexes(column);
	} else {
		sn_buf_add(&column->press->body, column->plain.p, column->plain.n);
	}
	add_page(column, &column->pages, DATA_PAGE, column->rows, encoding);
	if (encoding == SN_PARQUET_INDEX)
		column->index_pages++;
	else
		column->plain_pages++;
	column->rows = column->values = column->referred = 0;
	sn_buf_clear(&column->plain);
}

/* Pages from here on are PLAIN; the values so far stay what they are, if it pays. */
static void end_dictionary(struct sn_parquet_column *column)
{
	if (column->rows > 0)
		end_page(column);
	column->indexed = false;
}

/* Values ------------------------------------------------------------------- */

static void end_row(struct sn_parquet_column *column, bool defined)
{
	column->defined[column->rows++] = defined;
	column->chunk_rows++;
	column->chunk_nulls += !defined;
	if (column->rows == SN_PARQUET_PAGE_ROWS || column->plain.n >= SN_PARQUET_PAGE_BYTES)
		end_page(column);
}

static void note_integer(struct sn_parquet_range *range, int64_t value)
{
	if (!range->known || value < range->min.i)
		range->min.i = value;
	if (!range->known || value > range->max.i)
		range->max.i = value;
	range->known = true;
}

static void note_double(struct sn_parquet_range *range, double value)
{
	if (!range->known || value < range->min.f)
		range->min.f = value;
	if (!range->known || value > range->max.f)
		range->max.f = value;
	range->known = true;
}

/* By unsigned bytes: the order of UTF-8 texts in Parquet. */
static int compare_texts(struct sn_str a, struct sn_str b)
{
	size_t n = SN_MIN(a.n, b.n);
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static void keep_text(struct sn_buf *buf, struct sn_str text)
{
	sn_buf_clear(buf);
	sn_buf_add(buf, text.p, text.n);
}

static void note_text(struct sn_parquet_range *range, struct sn_str text)
{
	if (!range->known || compare_texts(text, sn_buf_str(&range->text_min)) < 0)
		keep_text(&range->text_min, text);
	if (!range->known || compare_texts(text, sn_buf_str(&range->text_max)) > 0)
		keep_text(&range->text_max, text);
	range->known = true;
}

static void add_number(struct sn_parquet_column *column, int64_t integer, uint64_t bits)
{
	uint32_t count = column->dictionary.count;
	double number;

	if (column->indexed) {
		uint32_t entry = sn_parquet_dictionary_number(&column->dictionary, bits);

		if (entry == SN_PARQUET_REFUSED)
			end_dictionary(column);
		else
			column->index[column->values] = entry;
	}
	if (!column->indexed) {
		bits = htole64(bits);
		sn_buf_add(&column->plain, &bits, sizeof(bits));
		bits = le64toh(bits);
	}
	column->values++;
	if (column->indexed && column->dictionary.count == count)
		return; /* it was noted when it came first */
	memcpy(&number, &bits, sizeof(number));
	if (column->type == SN_TYPE_F64)
		note_double(&column->range, number);
	else
		note_integer(&column->range, integer);
}

static void add_integer(struct sn_parquet_column *column, int64_t value)
{
	add_number(column, value, (uint64_t)value);
	end_row(column, true);
}

static void add_double(struct sn_parquet_column *column, double value)
{
	uint64_t bits;

	if (!isfinite(value)) {
		end_row(column, false);
		return;
	}
	memcpy(&bits, &value, sizeof(bits));
	add_number(column, 0, bits);
	end_row(column, true);
}

static void add_bool(struct sn_parquet_column *column, bool value)
{
	column->index[column->values++] = value;
	note_integer(&column->range, value);
	end_row(column, true);
}

/* What readers take for a STRING: UTF-8 (U+FFFD stands for what is not), of limited length. */
static struct sn_str proper_text(struct sn_parquet_column *column, struct sn_str text)
{
	struct sn_buf *repaired = &column->repaired;

	if (text.n > SN_TEXT_MAX)
		text.n = sn_utf8_cut(text, SN_TEXT_MAX);
	if (sn_utf8_valid(text))
		return text;
	sn_buf_clear(repaired);
	for (size_t i = 0; i < text.n;) {
		size_t length = sn_utf8_length(text.p + i, text.n - i);

		if (length == 0)
			sn_buf_adds(repaired, "\xef\xbf\xbd");
		else
			sn_buf_add(repaired, text.p + i, length);
		i += length > 0 ? length : 1;
	}
	return sn_buf_str(repaired);
}

/* False: the dictionary is full. */
static bool add_to_dictionary(struct sn_parquet_column *column, struct sn_str text)
{
	uint32_t count = column->dictionary.count;
	uint32_t entry = sn_parquet_dictionary_find(&column->dictionary, text);

	if (entry == SN_PARQUET_REFUSED) {
		text = proper_text(column, text);
		entry = sn_parquet_dictionary_text(&column->dictionary, text);
	}
	if (entry == SN_PARQUET_REFUSED)
		return false;
	if (column->dictionary.count > count)
		note_text(&column->range, text);
	column->index[column->values] = entry;
	column->referred += sizeof(entry) + text.n;
	return true;
}

static void add_text(struct sn_parquet_column *column, struct sn_str text)
{
	uint32_t length;

	if (column->indexed && !add_to_dictionary(column, text))
		end_dictionary(column);
	if (!column->indexed) {
		text = proper_text(column, text);
		length = htole32((uint32_t)text.n);
		sn_buf_add(&column->plain, &length, sizeof(length));
		sn_buf_add(&column->plain, text.p, text.n);
		note_text(&column->range, text);
	}
	column->values++;
	end_row(column, true);
}

void sn_parquet_column_add(struct sn_parquet_column *column, const struct sn_value *value)
{
	assert(value->type == SN_TYPE_NULL || value->type == column->type);
	switch (value->type) {
	case SN_TYPE_NULL:
		end_row(column, false);
		break;
	case SN_TYPE_BOOL:
		add_bool(column, value->b);
		break;
	case SN_TYPE_I64:
	case SN_TYPE_TIME:
		add_integer(column, value->i);
		break;
	case SN_TYPE_F64:
		add_double(column, value->f);
		break;
	case SN_TYPE_TEXT:
		add_text(column, value->s);
		break;
	}
}

void sn_parquet_column_add_vector(struct sn_parquet_column *column, const struct sn_vector *vector)
{
	assert(vector->type == column->type);
	for (size_t i = 0; i < vector->rows; i++) {
		if (sn_vector_is_null(vector, i))
			end_row(column, false);
		else if (column->type == SN_TYPE_F64)
			add_double(column, vector->f[i]);
		else if (column->type == SN_TYPE_TEXT)
			add_text(column, vector->s[i]);
		else if (column->type == SN_TYPE_BOOL)
			add_bool(column, vector->b[i] != 0);
		else
			add_integer(column, vector->i[i]);
	}
}

/* Chunks ------------------------------------------------------------------- */

void sn_parquet_column_init(struct sn_parquet_column *column, enum sn_type type,
			    struct sn_parquet_press *press)
{
	*column = (struct sn_parquet_column){.type = type, .press = press};
	column->indexed = type != SN_TYPE_BOOL;
	column->defined = sn_xmalloc(SN_PARQUET_PAGE_ROWS * sizeof(*column->defined));
	column->index = sn_xmalloc(SN_PARQUET_PAGE_ROWS * sizeof(*column->index));
	sn_parquet_dictionary_init(&column->dictionary);
}

void sn_parquet_column_finish(struct sn_parquet_column *column)
{
	sn_parquet_dictionary_finish(&column->dictionary);
	free(column->defined);
	free(column->index);
	sn_buf_finish(&column->plain);
	sn_buf_finish(&column->repaired);
	sn_buf_finish(&column->pages);
	sn_buf_finish(&column->range.text_min);
	sn_buf_finish(&column->range.text_max);
}

size_t sn_parquet_column_held(const struct sn_parquet_column *column)
{
	/* An entry has at least two slots, a text's its place, too. */
	size_t per_entry = 2 * sizeof(struct sn_parquet_slot) + sizeof(uint32_t);

	return column->pages.n + column->plain.n + column->dictionary.plain.n +
	       column->dictionary.count * per_entry + column->values * sizeof(*column->index);
}

void sn_parquet_column_end(struct sn_parquet_column *column, struct sn_buf *out)
{
	struct sn_buf *body = &column->press->body;

	if (column->rows > 0)
		end_page(column);
	if (column->index_pages == 0)
		return;
	sn_buf_clear(body);
	sn_buf_add(body, column->dictionary.plain.p, column->dictionary.plain.n);
	add_page(column, out, DICTIONARY_PAGE, column->dictionary.count, SN_PARQUET_PLAIN);
}

void sn_parquet_column_clear(struct sn_parquet_column *column)
{
	sn_parquet_dictionary_clear(&column->dictionary);
	column->indexed = column->type != SN_TYPE_BOOL;
	sn_buf_clear(&column->pages);
	column->chunk_rows = column->chunk_nulls = column->unpacked_bytes = 0;
	column->plain_pages = column->index_pages = 0;
	column->range.known = false;
}
