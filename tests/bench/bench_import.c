/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of others: lines of log_tcp_complete (134 columns), records of MONROE's ping, and ping rows
 * as JSON Lines; rows and megabytes of text per second of processor time.  First the readers alone,
 * into columns; beside the logs what strtod() and strtoull() take for their numbers.  Then the
 * whole way into a store, digest of the file and all, beside `.import` of sqlite3 into a table of
 * the same columns; and two at once beside one after the other, by the clock. Argument: number of
 * rows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/columns.h"
#include "bench/import_store.h"
#include "bench/rows.h"
#include "bench/tstat_text.h"
#include "data/codec.h"
#include "data/columns.h"
#include "exchange/monroe_json.h"
#include "exchange/tstat_log.h"

#define ROWS_PER_PART 16384
#define ROUNDS        5
#define STORE_ROUNDS  3

static struct sn_columns *place(void *ctx, const struct sn_dataset *dataset, int32_t day)
{
	(void)dataset, (void)day;
	return ctx;
}

static void complain(void *ctx, const struct sn_bad_line *bad)
{
	(void)ctx;
	fprintf(stderr, "line %llu: %s\n", (unsigned long long)bad->line, bad->reason);
	exit(1);
}

static double read_log(const struct sn_tstat_table *table, struct sn_str text)
{
	struct sn_columns *columns = sn_columns_create(table->dataset);
	struct sn_intake intake = {.place = place, .bad = complain, .ctx = columns};
	struct sn_input *input = sn_input_create(text, SN_TSTAT_LOG_LINE_MAX);
	struct sn_tstat_reader *reader =
		sn_tstat_reader_create(input, table, SN_STR("rome"), &intake);
	double start = bench_cpu_seconds();
	struct sn_err err;

	while (sn_tstat_reader_read(reader, ROWS_PER_PART, &err) > 0)
		sn_columns_clear(columns);
	start = bench_cpu_seconds() - start;
	sn_tstat_reader_destroy(reader);
	sn_input_destroy(input);
	sn_columns_destroy(columns);
	return start;
}

/* What the C library makes of the same fields, without putting them anywhere. */
static double read_with_libc(const struct sn_tstat_table *table, const char *p)
{
	double start = bench_cpu_seconds(), sum = 0;
	unsigned long long total = 0;

	p = strchr(p, '\n') + 1;
	while (*p != '\0') {
		for (size_t i = 0; i < table->count; i++) {
			enum sn_tstat_type type = table->columns[i].type;
			char *end;

			if (type == SN_TSTAT_TYPE_TEXT)
				end = (char *)(uintptr_t)strpbrk(p, " \n");
			else if (type == SN_TSTAT_TYPE_INTEGER || type == SN_TSTAT_TYPE_FLAG)
				total += strtoull(p, &end, 10);
			else
				sum += strtod(p, &end);
			p = end + 1;
		}
	}
	start = bench_cpu_seconds() - start;
	if (sum < 0 && total == 0)
		printf("nothing read\n");
	return start;
}

/* Records of the MONROE testbed's ping experiment, every hundredth lost. */
static void make_monroe(struct sn_buf *out, size_t rows)
{
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	for (size_t i = 0; i < rows; i++) {
		sn_buf_addf(
			out,
			"{\"Guid\":\"sha256:"
			"15979bc2e2449b0011826c2bb8668df980da88221af3fc7916cb2eba4.1"
			".%zu.1\",\"Timestamp\":%zu.%06u,\"Iccid\":\"894608000000000%04zu\","
			"\"Operator\":\"Telia\",\"NodeId\":\"%zu\",\"DataId\":\"MONROE.EXP.PING\","
			"\"DataVersion\":2,\"SequenceNumber\":%zu,\"Host\":\"8.8.8.8\"",
			i % 150, 1772366400 + i / 500, (unsigned)(sn_prng_u64(&prng) % 1000000),
			i % 450, i % 150, i / 450);
		if (i % 100 != 99)
			sn_buf_addf(out, ",\"Rtt\":%.2f,\"Bytes\":64",
				    (double)(sn_prng_u64(&prng) % 10000 + 1000) / 100);
		sn_buf_adds(out, "}\n");
	}
}

static double read_monroe(struct sn_str text)
{
	struct sn_columns *columns = sn_columns_create(&sn_dataset_monroe_exp_ping);
	struct sn_intake intake = {.place = place, .bad = complain, .ctx = columns};
	struct sn_monroe_options options = {.strict = true};
	struct sn_input *input = sn_input_create(text, SN_MONROE_OBJECT_MAX);
	struct sn_monroe_reader *reader = sn_monroe_reader_create(input, &options, &intake);
	double start = bench_cpu_seconds();
	struct sn_err err;

	while (sn_monroe_reader_read(reader, ROWS_PER_PART, &err) > 0)
		sn_columns_clear(columns);
	start = bench_cpu_seconds() - start;
	sn_monroe_reader_destroy(reader);
	sn_input_destroy(input);
	sn_columns_destroy(columns);
	return start;
}

/* The way of rows that came as a batch. */
static double read_pings(struct sn_str text)
{
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	double start = bench_cpu_seconds();
	struct sn_err err;

	while (text.n > 0) {
		const char *feed = memchr(text.p, '\n', text.n);
		struct sn_str line = {text.p, (size_t)(feed - text.p)};

		if (sn_jsonl_read_row(batch, line, &err) != 0)
			exit(1);
		if (sn_batch_rows(batch) == 256) {
			sn_columns_add_batch(columns, batch);
			sn_batch_clear(batch);
		}
		if (sn_columns_rows(columns) >= ROWS_PER_PART)
			sn_columns_clear(columns);
		text.p += line.n + 1;
		text.n -= line.n + 1;
	}
	start = bench_cpu_seconds() - start;
	sn_batch_destroy(batch);
	sn_columns_destroy(columns);
	return start;
}

static void make_pings(struct sn_buf *out, size_t rows)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	for (size_t i = 0; i < rows; i++)
		bench_add_ping(batch, &prng, "01JNZ8W9E4T3Q7V5B2M6K1R0XN", (unsigned)(i % 10000),
			       1772366400000000000 + (int64_t)i * 123457, (int64_t)i);
	sn_jsonl_write(out, batch);
	sn_batch_destroy(batch);
}

static void report(const char *what, double seconds, size_t rows, size_t bytes)
{
	printf("%-24s %8.0f krows/s %6.0f MB/s  (%.0f bytes a row)\n", what,
	       (double)rows / seconds / 1e3, (double)bytes / seconds / 1e6,
	       (double)bytes / (double)rows);
}

static void report_import(const char *what, struct bench_imported imported, size_t rows,
			  size_t bytes)
{
	report(what, imported.seconds, rows, bytes);
	printf("%-24s %8.1f B/row in the file\n", "", imported.bytes_per_row);
}

static struct bench_imported best(struct bench_imported a, struct bench_imported b)
{
	return a.seconds < b.seconds ? a : b;
}

/* Another file of the same lines, the second half first; both go into the same day. */
static void rotate(const struct sn_buf *log, struct sn_buf *out)
{
	size_t header = (size_t)((const char *)memchr(log->p, '\n', log->n) + 1 - log->p);
	const char *middle = memchr(log->p + log->n / 2, '\n', log->n / 2);
	size_t first = (size_t)(middle + 1 - log->p);

	sn_buf_add(out, log->p, header);
	sn_buf_add(out, log->p + first, log->n - first);
	sn_buf_add(out, log->p + header, first - header);
}

static void import_logs(const struct sn_tstat_table *table, const struct sn_buf *log, size_t rows)
{
	struct bench_imported ours = {1e9, 0}, theirs = {1e9, 0};
	double alone = 1e9, together = 1e9;
	struct sn_buf other = {0};

	rotate(log, &other);
	for (int round = 0; round < STORE_ROUNDS; round++) {
		ours = best(ours, bench_import(table->name, sn_buf_str(log), rows));
		theirs = best(theirs, bench_sqlite3(table, sn_buf_str(log), rows));
		alone = SN_MIN(alone, bench_import_two(table->name, sn_buf_str(log),
						       sn_buf_str(&other), false));
		together = SN_MIN(together, bench_import_two(table->name, sn_buf_str(log),
							     sn_buf_str(&other), true));
	}
	report_import("log into a store", ours, rows, log->n);
	if (theirs.seconds > 0) {
		report_import("sqlite3 .import", theirs, rows, log->n);
		printf("%-24s %8.2f times its speed\n", "", theirs.seconds / ours.seconds);
	}
	printf("%-24s %8.2f times one (by the clock)\n", "two loaders", alone / together);
	sn_buf_finish(&other);
}

/* Ping rows as nodes send them: bench/columns.h. */
static void import_pings(size_t rows)
{
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_value *values = sn_new_n(struct sn_value, sn_dataset_ping.column_count);
	struct bench_imported ours = {1e9, 0};
	struct sn_buf text = {0};
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	for (size_t i = 0; i < rows; i++) {
		sn_columns_clear(columns);
		bench_add_ping_columns(columns, &prng, i);
		sn_columns_row(columns, 0, values);
		sn_jsonl_write_row(&text, &sn_dataset_ping, values);
	}
	for (int round = 0; round < STORE_ROUNDS; round++)
		ours = best(ours, bench_import("ping.jsonl", sn_buf_str(&text), rows));
	report_import("ping rows into a store", ours, rows, text.n);
	sn_buf_finish(&text);
	free(values);
	sn_columns_destroy(columns);
}

int main(int argc, char **argv)
{
	size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
	const struct sn_tstat_table *table = &sn_tstat_tables[SN_TSTAT_TCP_COMPLETE];
	struct sn_buf log = {0}, pings = {0}, records = {0};
	double tstat = 1e9, libc = 1e9, ping = 1e9, monroe = 1e9;

	bench_make_log(&log, table, rows);
	make_pings(&pings, rows);
	make_monroe(&records, rows);
	/* The best of several rounds, in turn: other work on the machine only ever adds time. */
	for (int round = 0; round < ROUNDS; round++) {
		tstat = SN_MIN(tstat, read_log(table, sn_buf_str(&log)));
		libc = SN_MIN(libc, read_with_libc(table, sn_buf_cstr(&log)));
		monroe = SN_MIN(monroe, read_monroe(sn_buf_str(&records)));
		ping = SN_MIN(ping, read_pings(sn_buf_str(&pings)));
	}
	report("log_tcp_complete", tstat, rows, log.n);
	report("the same by strtod alone", libc, rows, log.n);
	report("monroe_exp_ping, strict", monroe, rows, records.n);
	report("ping, JSON Lines", ping, rows, pings.n);
	import_logs(table, &log, rows);
	import_pings(rows);
	sn_buf_finish(&log);
	sn_buf_finish(&pings);
	sn_buf_finish(&records);
	return 0;
}
