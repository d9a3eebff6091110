/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/rows_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "data/codec.h"
#include "exchange/monroe_csv.h"
#include "exchange/parquet.h"

#define PACK_EACH  (64 * 1024) /* bytes of text that are packed at once */
#define PACK_SPACE (64 * 1024)
#define ZSTD_LEVEL 3
#define GZIP_LEVEL 6
#define GZIP_BITS  (15 + 16) /* the largest window, a gzip header around it */

static const struct {
	const char *name, *suffix, *type;
} forms[SN_EXPORT_FORMS] = {
	[SN_EXPORT_CSV] = {"csv", ".csv", "text/csv; charset=utf-8"},
	[SN_EXPORT_JSONL] = {"jsonl", ".jsonl", "application/x-ndjson"},
	[SN_EXPORT_PARQUET] = {"parquet", ".parquet", "application/vnd.apache.parquet"},
	[SN_EXPORT_MONROE] = {"monroe", ".monroe.csv", "text/csv; charset=iso-8859-1"},
};
static const struct {
	const char *name, *suffix, *type;
} packings[SN_EXPORT_PACKINGS] = {
	[SN_EXPORT_PLAIN] = {"none", "", NULL},
	[SN_EXPORT_GZIP] = {"gzip", ".gz", "application/gzip"},
	[SN_EXPORT_ZSTD] = {"zstd", ".zst", "application/zstd"},
};

/* Names -------------------------------------------------------------------------- */

const char *sn_export_form_name(enum sn_export_form form)
{
	return forms[form].name;
}

int sn_export_form_parse(struct sn_str name, enum sn_export_form *form)
{
	for (size_t i = 0; i < SN_COUNT(forms); i++) {
		if (sn_str_eq(name, sn_str(forms[i].name))) {
			*form = (enum sn_export_form)i;
			return 0;
		}
	}
	return -EINVAL;
}

int sn_export_packing_parse(struct sn_str name, enum sn_export_packing *packing)
{
	for (size_t i = 0; i < SN_COUNT(packings); i++) {
		if (sn_str_eq(name, sn_str(packings[i].name))) {
			*packing = (enum sn_export_packing)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *sn_export_form_suffix(enum sn_export_form form)
{
	return forms[form].suffix;
}

const char *sn_export_packing_suffix(enum sn_export_packing packing)
{
	return packings[packing].suffix;
}

static bool take_suffix(struct sn_str *name, const char *suffix)
{
	size_t n = strlen(suffix);

	if (n == 0 || name->n < n || memcmp(name->p + name->n - n, suffix, n) != 0)
		return false;
	name->n -= n;
	return true;
}

int sn_export_of_name(const char *name, enum sn_export_form *form, enum sn_export_packing *packing)
{
	struct sn_str rest = sn_str(name);

	*packing = SN_EXPORT_PLAIN;
	for (size_t i = 0; i < SN_COUNT(packings) && *packing == SN_EXPORT_PLAIN; i++) {
		if (take_suffix(&rest, packings[i].suffix))
			*packing = (enum sn_export_packing)i;
	}
	/* From the end of the table: ".monroe.csv" ends like ".csv", too. */
	for (size_t i = SN_COUNT(forms); i-- > 0;) {
		if (take_suffix(&rest, forms[i].suffix)) {
			*form = (enum sn_export_form)i;
			return 0;
		}
	}
	if (!take_suffix(&rest, ".ndjson"))
		return -ENOENT;
	*form = SN_EXPORT_JSONL;
	return 0;
}

const char *sn_export_form_type(enum sn_export_form form, enum sn_export_packing packing)
{
	return packings[packing].type != NULL ? packings[packing].type : forms[form].type;
}

/* Writing ------------------------------------------------------------------------ */

struct sn_rows_writer {
	const struct sn_dataset *dataset;
	enum sn_export_form form;
	enum sn_export_packing packing;
	struct sn_buf ready, text; /* text: waits to be packed */
	struct sn_parquet *parquet;
	struct sn_monroe_csv *monroe;
	z_stream gzip;
	ZSTD_CCtx *zstd;
	uint64_t rows;
	size_t spill_each;
	sn_rows_spill_fn *spill; /* NULL: what is ready gathers */
	void *spill_ctx;
};

static struct sn_buf *text_of(struct sn_rows_writer *writer)
{
	return writer->packing == SN_EXPORT_PLAIN ? &writer->ready : &writer->text;
}

static int take_parquet(const void *data, size_t size, void *ctx)
{
	struct sn_rows_writer *writer = ctx;

	sn_buf_add(&writer->ready, data, size);
	if (writer->spill == NULL || writer->ready.n < writer->spill_each)
		return 0;
	return writer->spill(&writer->ready, writer->spill_ctx);
}

void sn_rows_writer_set_spill(struct sn_rows_writer *writer, size_t each, sn_rows_spill_fn *spill,
			      void *ctx)
{
	writer->spill_each = each;
	writer->spill = spill;
	writer->spill_ctx = ctx;
}

static int begin_packing(struct sn_rows_writer *writer, struct sn_err *err)
{
	bool failed = false;

	if (writer->packing == SN_EXPORT_ZSTD) {
		writer->zstd = ZSTD_createCCtx();
		failed = writer->zstd == NULL ||
			 ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel,
							     ZSTD_LEVEL)) ||
			 ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1));
	} else if (writer->packing == SN_EXPORT_GZIP) {
		failed = deflateInit2(&writer->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, 8,
				      Z_DEFAULT_STRATEGY) != Z_OK;
	}
	return failed ? sn_err_set(err, -ENOMEM, "cannot compress: out of memory") : 0;
}

static int begin_form(struct sn_rows_writer *writer, struct sn_err *err)
{
	const struct sn_dataset *dataset = writer->dataset;

	if (writer->form == SN_EXPORT_PARQUET && writer->packing != SN_EXPORT_PLAIN)
		return sn_err_set(
			err, -EINVAL,
			"a Parquet file is compressed inside (leave the compression out)");
	if (writer->form == SN_EXPORT_PARQUET)
		writer->parquet = sn_parquet_create(dataset, NULL, take_parquet, writer);
	if (writer->form == SN_EXPORT_MONROE) {
		writer->monroe = sn_monroe_csv_create(dataset, SN_MONROE_DUMP);
		if (writer->monroe == NULL)
			return sn_err_set(
				err, -EINVAL,
				"the form 'monroe' is for the tables of MONROE, 'monroe_*', "
				"with all their columns (use 'csv' for '%s')",
				dataset->name);
		sn_monroe_csv_header(writer->monroe, text_of(writer));
	}
	if (writer->form == SN_EXPORT_CSV)
		sn_csv_write_header(text_of(writer), dataset);
	return 0;
}

int sn_rows_writer_create(const struct sn_dataset *dataset, enum sn_export_form form,
			  enum sn_export_packing packing, struct sn_rows_writer **out,
			  struct sn_err *err)
{
	struct sn_rows_writer *writer = sn_new(struct sn_rows_writer);
	int rc;

	writer->dataset = dataset;
	writer->form = form;
	writer->packing = packing;
	rc = begin_form(writer, err);
	if (rc == 0)
		rc = begin_packing(writer, err);
	if (rc != 0) {
		sn_rows_writer_destroy(writer);
		return rc;
	}
	*out = writer;
	return 0;
}

void sn_rows_writer_destroy(struct sn_rows_writer *writer)
{
	if (writer == NULL)
		return;
	sn_parquet_destroy(writer->parquet);
	sn_monroe_csv_destroy(writer->monroe);
	ZSTD_freeCCtx(writer->zstd);
	if (writer->packing == SN_EXPORT_GZIP)
		deflateEnd(&writer->gzip);
	sn_buf_finish(&writer->ready);
	sn_buf_finish(&writer->text);
	free(writer);
}

static int pack_gzip(struct sn_rows_writer *writer, bool last)
{
	z_stream *gzip = &writer->gzip;
	int rc;

	gzip->next_in = (Bytef *)writer->text.p;
	gzip->avail_in = (uInt)writer->text.n;
	do {
		sn_buf_reserve(&writer->ready, PACK_SPACE);
		gzip->next_out = (Bytef *)writer->ready.p + writer->ready.n;
		gzip->avail_out = PACK_SPACE;
		rc = deflate(gzip, last ? Z_FINISH : Z_NO_FLUSH);
		if (rc == Z_STREAM_ERROR)
			return -EIO;
		writer->ready.n += PACK_SPACE - gzip->avail_out;
	} while (last ? rc != Z_STREAM_END : gzip->avail_in > 0);
	return 0;
}

static int pack_zstd(struct sn_rows_writer *writer, bool last)
{
	ZSTD_inBuffer in = {writer->text.p, writer->text.n, 0};
	size_t left;

	do {
		ZSTD_outBuffer out;

		sn_buf_reserve(&writer->ready, PACK_SPACE);
		out = (ZSTD_outBuffer){writer->ready.p + writer->ready.n, PACK_SPACE, 0};
		left = ZSTD_compressStream2(writer->zstd, &out, &in,
					    last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -EIO;
		writer->ready.n += out.pos;
	} while (last ? left > 0 : in.pos < in.size);
	return 0;
}

static int pack(struct sn_rows_writer *writer, bool last, struct sn_err *err)
{
	int rc = 0;

	if (!last && writer->text.n < PACK_EACH)
		return 0;
	if (writer->packing == SN_EXPORT_GZIP)
		rc = pack_gzip(writer, last);
	else if (writer->packing == SN_EXPORT_ZSTD)
		rc = pack_zstd(writer, last);
	sn_buf_clear(&writer->text);
	return rc == 0 ? 0 : sn_err_set(err, rc, "cannot compress the rows");
}

int sn_rows_writer_add(struct sn_rows_writer *writer, const struct sn_value *row,
		       struct sn_err *err)
{
	writer->rows++;
	switch (writer->form) {
	case SN_EXPORT_PARQUET:
		return sn_parquet_add_row(writer->parquet, row, err);
	case SN_EXPORT_MONROE:
		sn_monroe_csv_row(writer->monroe, row, text_of(writer));
		break;
	case SN_EXPORT_JSONL:
		sn_jsonl_write_row(text_of(writer), writer->dataset, row);
		break;
	default:
		sn_csv_write_row(text_of(writer), writer->dataset, row);
	}
	return writer->packing == SN_EXPORT_PLAIN ? 0 : pack(writer, false, err);
}

int sn_rows_writer_finish(struct sn_rows_writer *writer, struct sn_err *err)
{
	if (writer->form == SN_EXPORT_PARQUET)
		return sn_parquet_finish(writer->parquet, err);
	return writer->packing == SN_EXPORT_PLAIN ? 0 : pack(writer, true, err);
}

struct sn_buf *sn_rows_writer_ready(struct sn_rows_writer *writer)
{
	return &writer->ready;
}

uint64_t sn_rows_writer_rows(const struct sn_rows_writer *writer)
{
	return writer->rows;
}
