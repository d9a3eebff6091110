/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the ping dataset through the JSON Lines reader and writer, beside Jansson
 * on the same lines in the same run: rows per second of processor time.
 * Argument: number of rows.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rows.h"
#include "data/codec.h"

#define ROWS_PER_BATCH 256 /* as in an upload */
#define ROUNDS         5

static double read_with_scanner(struct sn_str text)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	double start = bench_cpu_seconds();
	struct sn_err err;

	while (text.n > 0) {
		const char *feed = memchr(text.p, '\n', text.n);
		struct sn_str line = {text.p, (size_t)(feed - text.p)};

		if (sn_batch_rows(batch) == ROWS_PER_BATCH)
			sn_batch_clear(batch);
		if (sn_jsonl_read_row(batch, line, &err) != 0) {
			fprintf(stderr, "%s\n", err.text);
			exit(1);
		}
		text.p += line.n + 1;
		text.n -= line.n + 1;
	}
	start = bench_cpu_seconds() - start;
	sn_batch_destroy(batch);
	return start;
}

static double read_with_jansson(struct sn_str text)
{
	double start = bench_cpu_seconds();

	while (text.n > 0) {
		const char *feed = memchr(text.p, '\n', text.n);
		size_t length = (size_t)(feed - text.p);
		json_t *row = json_loadb(text.p, length, JSON_REJECT_DUPLICATES, NULL);

		if (row == NULL)
			exit(1);
		json_decref(row);
		text.p += length + 1;
		text.n -= length + 1;
	}
	return bench_cpu_seconds() - start;
}

static double write_rows(const struct sn_batch *batch, struct sn_buf *out, size_t rows)
{
	double start = bench_cpu_seconds();

	for (size_t i = 0; i < rows; i++) {
		if (i % ROWS_PER_BATCH == 0)
			sn_buf_clear(out);
		sn_jsonl_write_row(out, sn_batch_dataset(batch),
				   sn_batch_row(batch, i % sn_batch_rows(batch)));
	}
	return bench_cpu_seconds() - start;
}

static void report(const char *what, double seconds, size_t rows, double bytes)
{
	printf("%-16s %8.0f krows/s %6.0f MB/s\n", what, (double)rows / seconds / 1e3,
	       bytes / seconds / 1e6);
}

int main(int argc, char **argv)
{
	size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	double scanner = 1e9, jansson = 1e9, writer = 1e9;
	struct sn_buf text = {0}, scratch = {0};
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	for (size_t i = 0; i < rows; i++)
		bench_add_ping(batch, &prng, "01JNZ8W9E4T3Q7V5B2M6K1R0XN", (unsigned)(i % 10000),
			       1772366400000000000 + (int64_t)i * 123457, (int64_t)i);
	sn_jsonl_write(&text, batch);
	/* The best of several rounds, in turn: other work on the machine only ever adds time. */
	for (int round = 0; round < ROUNDS; round++) {
		scanner = SN_MIN(scanner, read_with_scanner(sn_buf_str(&text)));
		jansson = SN_MIN(jansson, read_with_jansson(sn_buf_str(&text)));
		writer = SN_MIN(writer, write_rows(batch, &scratch, rows));
	}
	printf("%zu ping rows of %.0f bytes\n", rows, (double)text.n / (double)rows);
	report("read", scanner, rows, (double)text.n);
	report("read, Jansson", jansson, rows, (double)text.n);
	report("write", writer, rows, (double)text.n);
	printf("ratio read/Jansson: %.1f\n", jansson / scanner);
	sn_buf_finish(&text);
	sn_buf_finish(&scratch);
	sn_batch_destroy(batch);
	return 0;
}
