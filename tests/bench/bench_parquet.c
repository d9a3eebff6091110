/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as Parquet files, beside the same rows as CSV and as CSV through zstd of the same level in
 * the same run: processor time and bytes.  MB/s are of the values as such.
 * Arguments: log rows, ping rows.
 */
#include <stdlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "bench/columns.h"
#include "bench/rows.h"
#include "data/codec.h"
#include "exchange/parquet.h"

#define ROUNDS      3
#define LEVEL       3
#define ROWS_PER_GO 4096 /* as many as come from the store at a time, about */

static void die(const char *what)
{
	fprintf(stderr, "bench_parquet: %s\n", what);
	exit(1);
}

static int count_bytes(const void *data, size_t size, void *ctx)
{
	size_t *bytes = ctx;

	(void)data;
	*bytes += size;
	return 0;
}

static size_t write_columns(const struct sn_columns *columns)
{
	struct sn_parquet *parquet;
	size_t bytes = 0;
	struct sn_err err;

	parquet = sn_parquet_create(sn_columns_dataset(columns),
				    &(struct sn_parquet_options){.zstd_level = LEVEL}, count_bytes,
				    &bytes);
	if (sn_parquet_add_columns(parquet, columns, &err) != 0 ||
	    sn_parquet_finish(parquet, &err) != 0)
		die(err.text);
	sn_parquet_destroy(parquet);
	return bytes;
}

static size_t write_rows(const struct sn_columns *columns)
{
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
	struct sn_parquet *parquet;
	size_t bytes = 0;
	struct sn_err err;

	parquet = sn_parquet_create(sn_columns_dataset(columns),
				    &(struct sn_parquet_options){.zstd_level = LEVEL}, count_bytes,
				    &bytes);
	for (size_t i = 0; i < sn_columns_rows(columns); i++) {
		sn_columns_row(columns, i, row);
		if (sn_parquet_add_row(parquet, row, &err) != 0)
			die(err.text);
	}
	if (sn_parquet_finish(parquet, &err) != 0)
		die(err.text);
	sn_parquet_destroy(parquet);
	return bytes;
}

static size_t csv(const struct sn_columns *columns, ZSTD_CCtx *zstd)
{
	const struct sn_dataset *dataset = sn_columns_dataset(columns);
	size_t rows = sn_columns_rows(columns), bytes = 0;
	struct sn_value row[SN_DATASET_COLUMNS_MAX];
	struct sn_buf text = {0}, packed = {0};

	for (size_t i = 0; i < rows; i++) {
		sn_columns_row(columns, i, row);
		sn_csv_write_row(&text, dataset, row);
		if ((i + 1) % ROWS_PER_GO != 0 && i + 1 < rows)
			continue;
		if (zstd != NULL) {
			sn_buf_clear(&packed);
			sn_buf_reserve(&packed, ZSTD_compressBound(text.n));
			bytes += ZSTD_compressCCtx(zstd, packed.p, packed.cap, text.p, text.n,
						   LEVEL);
		} else {
			bytes += text.n;
		}
		sn_buf_clear(&text);
	}
	sn_buf_finish(&text);
	sn_buf_finish(&packed);
	return bytes;
}

static size_t write_csv(const struct sn_columns *columns)
{
	return csv(columns, NULL);
}

static size_t write_csv_zstd(const struct sn_columns *columns)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t bytes = csv(columns, zstd);

	ZSTD_freeCCtx(zstd);
	return bytes;
}

static const struct way {
	const char *name;
	size_t (*write)(const struct sn_columns *columns);
} ways[] = {
	{"Parquet, columns", write_columns},
	{"Parquet, rows", write_rows},
	{"CSV", write_csv},
	{"CSV, zstd", write_csv_zstd},
};

static void run(const struct sn_columns *columns)
{
	double rows = (double)sn_columns_rows(columns), values = bench_values_bytes(columns);
	double best[SN_COUNT(ways)];
	size_t bytes[SN_COUNT(ways)];

	printf("%s: %.0f rows of %zu columns, %.0f B/row in memory\n",
	       sn_columns_dataset(columns)->name, rows, sn_columns_dataset(columns)->column_count,
	       values / rows);
	/* The best of several rounds, in turn: other work on the machine only ever adds time. */
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < SN_COUNT(ways); i++) {
			double start = bench_cpu_seconds();

			bytes[i] = ways[i].write(columns);
			start = bench_cpu_seconds() - start;
			best[i] = round == 0 ? start : SN_MIN(best[i], start);
		}
	for (size_t i = 0; i < SN_COUNT(ways); i++)
		printf("%-18s %7.0f krows/s %6.0f MB/s %7.1f B/row\n", ways[i].name,
		       rows / best[i] / 1e3, values / best[i] / 1e6, (double)bytes[i] / rows);
	printf("ratio CSV, zstd / Parquet: time %.2f, bytes %.2f\n", best[3] / best[0],
	       (double)bytes[3] / (double)bytes[0]);
}

typedef void add_row_fn(struct sn_columns *columns, struct sn_prng *prng, size_t row);

static void fill_and_run(const struct sn_dataset *dataset, add_row_fn *add, const char *rows)
{
	struct sn_columns *columns = sn_columns_create(dataset);
	size_t count = strtoul(rows, NULL, 10);
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	for (size_t i = 0; i < SN_MAX(count, (size_t)1); i++)
		add(columns, &prng, i);
	run(columns);
	sn_columns_destroy(columns);
}

int main(int argc, char **argv)
{
	fill_and_run(&sn_dataset_tstat_tcp_complete, bench_add_connection,
		     argc > 1 ? argv[1] : "100000");
	fill_and_run(&sn_dataset_ping, bench_add_ping_columns, argc > 2 ? argv[2] : "200000");
	return 0;
}
