/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes Parquet files and what is in them as plain text, for parquet.mjs to
 * compare: usage parquet_files DIRECTORY.
 *
 * NAME.parquet and NAME.tsv: a line of column names with their types, then a line per row;
 * integers, truth values and times as decimal numbers, doubles with 17 digits, texts in
 * hexadecimal behind an 'x', nothing for null.
 */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/util.h"
#include "exchange/parquet.h"

static const struct sn_column columns[] = {
	SN_COMMON_COLUMNS,
	{"up", SN_TYPE_BOOL, "", "a truth value"},
	{"count_packets", SN_TYPE_I64, "packets", "an integer of few values"},
	{"delay_seconds", SN_TYPE_F64, "s", "a number"},
	{"name", SN_TYPE_TEXT, "", "a text of few values"},
	{"note", SN_TYPE_TEXT, "", "a \"text\" of many values"},
	{"never", SN_TYPE_TEXT, "", "a text that is never there"},
	{"always_zero", SN_TYPE_I64, "1", "always the same"},
};
static const struct sn_dataset sample = {
	.name = "sample",
	.version = 3,
	.columns = columns,
	.column_count = SN_COUNT(columns),
};
enum { UP = SN_COL_COMMON, COUNT, DELAY, NAME, NOTE, NEVER, ZERO };

#define START 1772366400000000000 /* 2026-03-01T12:00:00Z */

struct files {
	FILE *parquet, *tsv;
	struct sn_parquet *writer;
	struct sn_columns *rows;
};

static int write_file(const void *data, size_t size, void *ctx)
{
	return fwrite(data, 1, size, ctx) == size ? 0 : -EIO;
}

static void die(const char *what)
{
	fprintf(stderr, "parquet_files: %s\n", what);
	exit(1);
}

static FILE *create(const char *directory, const char *name, const char *ending)
{
	sn_autofree char *path = sn_xasprintf("%s/%s.%s", directory, name, ending);
	FILE *file = fopen(path, "we");

	if (file == NULL)
		die("cannot create a file");
	return file;
}

static void begin(struct files *files, const char *directory, const char *name,
		  const struct sn_dataset *dataset, const struct sn_parquet_options *options)
{
	files->parquet = create(directory, name, "parquet");
	files->tsv = create(directory, name, "tsv");
	files->writer = sn_parquet_create(dataset, options, write_file, files->parquet);
	files->rows = sn_columns_create(dataset);
	for (size_t i = 0; i < dataset->column_count; i++)
		fprintf(files->tsv, "%s%s:%s", i > 0 ? "\t" : "", dataset->columns[i].name,
			sn_type_name(dataset->columns[i].type));
	fputc('\n', files->tsv);
}

static void tell(FILE *out, const struct sn_value *value)
{
	switch (value->type) {
	case SN_TYPE_NULL:
		break;
	case SN_TYPE_BOOL:
		fprintf(out, "%d", value->b);
		break;
	case SN_TYPE_I64:
	case SN_TYPE_TIME:
		fprintf(out, "%lld", (long long)value->i);
		break;
	case SN_TYPE_F64:
		fprintf(out, "%.17g", value->f);
		break;
	case SN_TYPE_TEXT:
		fputc('x', out);
		for (size_t i = 0; i < value->s.n; i++)
			fprintf(out, "%02x", (uint8_t)value->s.p[i]);
		break;
	}
}

static void give(struct files *files)
{
	size_t count = sn_columns_dataset(files->rows)->column_count;
	struct sn_value *row = sn_new_n(struct sn_value, count);
	struct sn_err err;

	for (size_t i = 0; i < sn_columns_rows(files->rows); i++) {
		sn_columns_row(files->rows, i, row);
		for (size_t c = 0; c < count; c++) {
			if (c > 0)
				fputc('\t', files->tsv);
			tell(files->tsv, &row[c]);
		}
		fputc('\n', files->tsv);
	}
	if (sn_parquet_add_columns(files->writer, files->rows, &err) != 0)
		die(err.text);
	sn_columns_clear(files->rows);
	free(row);
}

static void end(struct files *files)
{
	struct sn_err err;

	give(files);
	if (sn_parquet_finish(files->writer, &err) != 0)
		die(err.text);
	sn_parquet_destroy(files->writer);
	sn_columns_destroy(files->rows);
	if (fclose(files->parquet) != 0 || fclose(files->tsv) != 0)
		die("cannot write a file");
}

static void add_sample(struct sn_columns *rows, struct sn_prng *prng, size_t i)
{
	static const char *const names[] = {"rome", "Zürich", "", "東京", "a\tb\n\"c\""};
	char note[40];

	sn_columns_add_row(rows);
	sn_columns_set_time(rows, SN_COL_TIME, START + (int64_t)i * 1000000007);
	sn_columns_set_text(rows, SN_COL_NODE, SN_STR("01JNZ8W9E4T3Q7V5B2M6K1R0XN"));
	sn_columns_set_i64(rows, SN_COL_SEQ, (int64_t)i);
	if (i % 3 != 0)
		sn_columns_set_bool(rows, UP, i % 7 < 3);
	if (i % 100 < 50)
		sn_columns_set_i64(rows, COUNT, (int64_t)(i % 5) - 2);
	if (i % 11 != 0)
		sn_columns_set_f64(rows, DELAY, sn_prng_unit(prng) / 10);
	if (i % 13 != 0)
		sn_columns_set_text(rows, NAME, sn_str(names[sn_prng_u64(prng) % SN_COUNT(names)]));
	snprintf(note, sizeof(note), "note %zu", (size_t)(sn_prng_u64(prng) % 1000000));
	sn_columns_set_text(rows, NOTE, sn_str(note));
	sn_columns_set_i64(rows, ZERO, 0);
}

static void write_sample(const char *directory, const char *name, size_t rows,
			 const struct sn_parquet_options *options)
{
	struct sn_prng prng;
	struct files files;

	sn_prng_seed(&prng, rows);
	begin(&files, directory, name, &sample, options);
	for (size_t i = 0; i < rows; i++) {
		add_sample(files.rows, &prng, i);
		if (i % 1000 == 999)
			give(&files);
	}
	end(&files);
}

static void write_nulls(const char *directory)
{
	struct files files;

	begin(&files, directory, "nulls", &sample, NULL);
	for (size_t i = 0; i < 100; i++)
		sn_columns_add_row(files.rows);
	end(&files);
}

static void write_extremes(const char *directory)
{
	static const int64_t integers[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	static const double numbers[] = {-DBL_MAX, -0.0, DBL_TRUE_MIN, 0.1, DBL_MAX};
	char longest[SN_TEXT_MAX];
	struct files files;

	memset(longest, 'z', sizeof(longest));
	begin(&files, directory, "extremes", &sample, NULL);
	for (size_t i = 0; i < SN_COUNT(integers); i++) {
		sn_columns_add_row(files.rows);
		/* DuckDB takes the greatest integer for an infinite time. */
		sn_columns_set_time(files.rows, SN_COL_TIME, integers[i] - (i == 4));
		sn_columns_set_i64(files.rows, COUNT, integers[i]);
		sn_columns_set_f64(files.rows, DELAY, numbers[i]);
		sn_columns_set_bool(files.rows, UP, i == 4);
		sn_columns_set_text(files.rows, NAME,
				    (struct sn_str){longest, i * SN_TEXT_MAX / 4});
		sn_columns_set_text(files.rows, NOTE, SN_STR("\xf4\x8f\xbf\xbf"));
	}
	end(&files);
}

/* Texts that repeat at first, more different ones than a dictionary takes later. */
static void write_overflow(const char *directory)
{
	struct files files;
	char note[40];

	begin(&files, directory, "overflow", &sample, NULL);
	for (size_t i = 0; i < 120000; i++) {
		sn_columns_add_row(files.rows);
		snprintf(note, sizeof(note), "%zu", i < 30000 ? i % 4000 : i);
		sn_columns_set_text(files.rows, NOTE, sn_str(note));
		sn_columns_set_i64(files.rows, COUNT, (int64_t)(i < 30000 ? i % 10 : i * 1000003));
		if (i % 2000 == 1999)
			give(&files);
	}
	end(&files);
}

/* All columns of the widest dataset, as a log of connections fills them. */
static void write_wide(const char *directory)
{
	const struct sn_dataset *dataset = &sn_dataset_tstat_tcp_complete;
	struct sn_prng prng;
	struct files files;
	char text[32];

	sn_prng_seed(&prng, 5);
	begin(&files, directory, "wide", dataset, &(struct sn_parquet_options){.group_rows = 1500});
	for (size_t i = 0; i < 4000; i++) {
		sn_columns_add_row(files.rows);
		for (int c = 0; c < (int)dataset->column_count; c++) {
			uint64_t draw = sn_prng_u64(&prng) % 1000 * (unsigned)(c % 5);

			snprintf(text, sizeof(text), "10.0.%u.%u", (unsigned)draw % 7,
				 (unsigned)draw % 251);
			if (dataset->columns[c].type == SN_TYPE_TIME)
				sn_columns_set_time(files.rows, c,
						    START + (int64_t)(i * 1000 + draw));
			else if (dataset->columns[c].type == SN_TYPE_I64)
				sn_columns_set_i64(files.rows, c, (int64_t)draw);
			else if (dataset->columns[c].type == SN_TYPE_F64)
				sn_columns_set_f64(files.rows, c, (double)draw / 1e3);
			else if (draw % 3 > 0)
				sn_columns_set_text(files.rows, c, sn_str(text));
		}
	}
	end(&files);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: parquet_files DIRECTORY");
	write_sample(argv[1], "empty", 0, NULL);
	write_sample(argv[1], "one", 1, NULL);
	write_sample(argv[1], "pages", 40000, NULL);
	write_sample(argv[1], "groups", 10000, &(struct sn_parquet_options){.group_rows = 300});
	write_nulls(argv[1]);
	write_extremes(argv[1]);
	write_overflow(argv[1]);
	write_wide(argv[1]);
	return 0;
}
