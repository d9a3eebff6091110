/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of others into columns, readers alone: lines of log_tcp_complete (134 columns), records of
 * MONROE's ping, and ping rows as JSON Lines; rows and megabytes of text per second of processor
 * time.  Beside the logs: what strtod() and strtoull() take for their numbers.
 * Argument: number of rows.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/rows.h"
#include "data/codec.h"
#include "data/columns.h"
#include "exchange/monroe_json.h"
#include "exchange/tstat_log.h"

#define ROWS_PER_PART 16384
#define ROUNDS        5

/* A number of so many digits or fewer, as counters have: mostly small. */
static unsigned long long some_number(struct sn_prng *prng)
{
	static const unsigned long long limits[] = {1, 1, 1, 2, 10, 100, 3000, 1000000};
	uint64_t random = sn_prng_u64(prng);

	return (random >> 8) % limits[random % SN_COUNT(limits)];
}

static void add_text(struct sn_buf *out, const char *name, struct sn_prng *prng)
{
	uint64_t random = sn_prng_u64(prng);

	if (strcmp(name, "c_ip") == 0 || strcmp(name, "s_ip") == 0)
		sn_buf_addf(out, "10.%u.%u.%u", (unsigned)(random % 200),
			    (unsigned)(random >> 8 & 255), (unsigned)(random >> 16 & 255));
	else if (strcmp(name, "http_res") == 0)
		sn_buf_adds(out, random % 2 == 0 ? "200" : "---");
	else if (random % 3 == 0 && (strcmp(name, "c_tls_SNI") == 0 || strcmp(name, "fqdn") == 0))
		sn_buf_addf(out, "host%u.example.net", (unsigned)(random >> 8) % 5000);
	else
		sn_buf_addc(out, '-');
}

static void add_field(struct sn_buf *out, const struct sn_tstat_column *column, uint64_t first_us,
		      struct sn_prng *prng)
{
	uint64_t random = sn_prng_u64(prng);

	if (column->type == SN_TSTAT_TYPE_TEXT)
		add_text(out, column->name, prng);
	else if (strcmp(column->name, "first") == 0 || strcmp(column->name, "last") == 0)
		sn_buf_addf(out, "%f", (double)(first_us + random % 5000000) / 1000.0);
	else if (strcmp(column->name, "req_tm") == 0 || strcmp(column->name, "res_tm") == 0)
		sn_buf_adds(out, "0.0");
	else if (column->type == SN_TSTAT_TYPE_MS)
		sn_buf_addf(out, "%f", random % 4 == 0 ? 0 : (double)(random % 5000000) / 1000.0);
	else
		sn_buf_addf(out, "%llu", some_number(prng));
}

static void make_log(struct sn_buf *out, const struct sn_tstat_table *table, size_t rows)
{
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	sn_tstat_write_header(out, table, 31);
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = 0; i < table->count; i++) {
			if (i > 0)
				sn_buf_addc(out, ' ');
			add_field(out, &table->columns[i], 1772366400000000 + row * 1234, &prng);
		}
		sn_buf_addc(out, '\n');
	}
}

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

int main(int argc, char **argv)
{
	size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
	const struct sn_tstat_table *table = &sn_tstat_tables[SN_TSTAT_TCP_COMPLETE];
	struct sn_buf log = {0}, pings = {0}, records = {0};
	double tstat = 1e9, libc = 1e9, ping = 1e9, monroe = 1e9;

	make_log(&log, table, rows);
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
	sn_buf_finish(&log);
	sn_buf_finish(&pings);
	sn_buf_finish(&records);
	return 0;
}
