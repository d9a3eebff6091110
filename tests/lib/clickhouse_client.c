/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/clickhouse.h as a program, for end-to-end tests:
 *
 *   clickhouse_client URL CLUSTER CA COMMAND     CLUSTER and CA may be "-"
 *
 *   insert BLOCK FIRST ROWS   rows with these numbers, of 2026-03-01; seq is the number
 *   has BLOCK                 how many rows of it there are
 *   sum                       of all rows in the order of time: how many, and the sum of seq
 *   days                      of each day a line: day, rows
 *   drop DAY                  days since 1970-01-01
 *
 * Exit code 0; 1 with the reason on standard error and its name as the first word.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "store/clickhouse.h"

#define DAY 20513 /* 2026-03-01 */

static const struct sn_column columns[] = {SN_COMMON_COLUMNS};
static const struct sn_dataset dataset = {
	.name = "e2e_rows", .version = 1, .columns = columns, .column_count = SN_COUNT(columns)};

struct total {
	uint64_t rows, sum;
	int64_t last_ns;
};

static int add_up(const struct sn_columns *rows, const int64_t *numbers, void *ctx)
{
	struct total *total = ctx;
	struct sn_vector times = sn_columns_vector(rows, SN_COL_TIME);
	struct sn_vector seqs = sn_columns_vector(rows, SN_COL_SEQ);

	for (size_t i = 0; i < times.rows; i++) {
		if (seqs.i[i] != numbers[i] || times.i[i] < total->last_ns) {
			fprintf(stderr, "EBADMSG: row %" PRId64 " is not where it should be\n",
				numbers[i]);
			exit(1);
		}
		total->sum += (uint64_t)seqs.i[i];
		total->last_ns = times.i[i];
	}
	total->rows += times.rows;
	return 0;
}

static int insert(struct sn_clickhouse *ch, char **argv, struct sn_err *err)
{
	struct sn_clickhouse_block block = {
		.day = DAY, .id = strtoull(argv[0], NULL, 10), .first = strtoll(argv[1], NULL, 10)};
	int64_t rows = strtoll(argv[2], NULL, 10);
	struct sn_columns *made = sn_columns_create(&dataset);
	int rc;

	for (int64_t i = 0; i < rows; i++) {
		sn_columns_add_row(made);
		sn_columns_set_time(made, SN_COL_TIME,
				    DAY * 86400 * SN_NS_PER_S + (block.first + i) / 10);
		sn_columns_set_text(made, SN_COL_NODE, SN_STR("node"));
		sn_columns_set_i64(made, SN_COL_SEQ, block.first + i);
	}
	rc = sn_clickhouse_insert(ch, made, &block, err);
	sn_columns_destroy(made);
	return rc;
}

static int has(struct sn_clickhouse *ch, char **argv, struct sn_err *err)
{
	uint64_t rows;
	int rc = sn_clickhouse_has(ch, &dataset, DAY, strtoull(argv[0], NULL, 10), &rows, err);

	if (rc == 0)
		printf("%" PRIu64 "\n", rows);
	return rc;
}

static int sum(struct sn_clickhouse *ch, char **argv, struct sn_err *err)
{
	struct sn_query query = {.dataset = &dataset};
	struct sn_clickhouse_scan scan = {.query = &query};
	struct total total = {0};
	int rc = sn_clickhouse_scan(ch, &scan, add_up, &total, err);

	(void)argv;
	if (rc == 0)
		printf("%" PRIu64 " %" PRIu64 "\n", total.rows, total.sum);
	return rc;
}

static int print_day(const struct sn_clickhouse_day *day, void *ctx)
{
	(void)ctx;
	printf("%" PRId32 " %" PRIu64 "\n", day->day, day->rows);
	return 0;
}

static int days(struct sn_clickhouse *ch, char **argv, struct sn_err *err)
{
	(void)argv;
	return sn_clickhouse_days(ch, &dataset, print_day, NULL, err);
}

static int drop(struct sn_clickhouse *ch, char **argv, struct sn_err *err)
{
	return sn_clickhouse_drop(ch, (int32_t)strtol(argv[0], NULL, 10), err);
}

static const struct command {
	const char *name;
	int arguments;
	int (*run)(struct sn_clickhouse *ch, char **argv, struct sn_err *err);
} commands[] = {{"insert", 3, insert},
		{"has", 1, has},
		{"sum", 0, sum},
		{"days", 0, days},
		{"drop", 1, drop}};

static const char *given(const char *argument)
{
	return strcmp(argument, "-") != 0 ? argument : NULL;
}

int main(int argc, char **argv)
{
	const struct command *command = NULL;
	struct sn_clickhouse_options options = {0};
	struct sn_clickhouse *ch = NULL;
	struct sn_err err = {0};
	int rc;

	for (size_t i = 0; argc > 4 && i < SN_COUNT(commands); i++)
		if (strcmp(argv[4], commands[i].name) == 0 && argc == 5 + commands[i].arguments)
			command = &commands[i];
	if (command == NULL) {
		fprintf(stderr, "usage: clickhouse_client URL CLUSTER CA COMMAND ...\n");
		return 2;
	}
	options.url = argv[1];
	options.cluster = given(argv[2]);
	options.ca = given(argv[3]);
	rc = sn_clickhouse_open(&options, &ch, &err);
	if (rc == 0)
		rc = command->run(ch, argv + 5, &err);
	sn_clickhouse_close(ch);
	if (rc != 0)
		fprintf(stderr, "%s: %s\n", strerrorname_np(-rc), err.text);
	return rc != 0;
}
