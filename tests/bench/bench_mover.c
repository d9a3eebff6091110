/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of ping rows moves to ClickHouse: how fast, what it costs here and there, and what
 * questions cost before and after.  Arguments: days, rows per day.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench/columns.h"
#include "bench/rows.h"
#include "lib/clickhouse.h"
#include "store/mover.h"

#define FIRST_DAY    20513 /* 2026-03-01 */
#define DAY_NS       (86400 * SN_NS_PER_S)
#define BLOCK_ROWS   65536
#define WAIT_SECONDS 600

static struct clickhouse server;
static char dir[] = "/tmp/sonde-bench-XXXXXX";

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	clickhouse_destroy(&server);
	sn_fs_remove_tree(dir, NULL);
	exit(1);
}

static double seconds_since(uint64_t begin_ns)
{
	return (double)(sn_mono_ns() - begin_ns) / 1e9;
}

/* User and system time of the server so far. */
static double server_seconds(void)
{
	sn_autofree char *path = sn_xasprintf("/proc/%d/stat", (int)server.pid);
	unsigned long user = 0, system = 0;
	char line[1024] = "", *rest;
	FILE *file = fopen(path, "r");

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		die("no clickhouse-server");
	fclose(file);
	rest = strrchr(line, ')');
	if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				   &user, &system) != 2)
		die("no times of clickhouse-server");
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Filling ---------------------------------------------------------------------- */

static void put_block(struct sn_store *store, struct sn_prng *prng, int day, size_t rows,
		      uint64_t seq)
{
	struct sn_batch_id id = {.node = "bench", .stream = "bench", .seq = seq};
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_err err;

	for (size_t i = 0; i < rows; i++)
		bench_add_ping(batch, prng, "01JNZ8W9E4T3Q7V5B2M6K1R0XN", (unsigned)(i % 1000),
			       (FIRST_DAY + day) * DAY_NS + (int64_t)seq * 10000 * SN_NS_PER_MS +
				       (int64_t)i * SN_NS_PER_MS,
			       (int64_t)(seq * rows + i));
	sn_columns_add_batch(columns, batch);
	if (sn_store_put(store, &id, columns, &err) != 0)
		die(err.text);
	sn_batch_destroy(batch);
	sn_columns_destroy(columns);
}

static uint64_t fill(int days, size_t rows_per_day)
{
	struct sn_store *store;
	struct sn_prng prng;
	struct sn_err err;
	uint64_t seq = 0, rows = 0;

	sn_prng_seed(&prng, 1);
	if (sn_store_open(dir, &store, &err) != 0)
		die(err.text);
	for (int day = 0; day < days; day++)
		for (size_t left = rows_per_day, n; left > 0; left -= n) {
			n = SN_MIN(left, (size_t)BLOCK_ROWS);
			put_block(store, &prng, day, n, seq++);
			rows += n;
		}
	sn_store_close(store);
	return rows;
}

/* Questions -------------------------------------------------------------------- */

static int count_row(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(uint64_t *)ctx;
	return 0;
}

static void ask(struct sn_store *store, const char *what, const struct sn_query *query)
{
	uint64_t begin = sn_mono_ns(), rows = 0;
	struct sn_err err;

	if (sn_store_query(store, query, count_row, &rows, NULL, &err) != 0)
		die(err.text);
	printf("  %-44s %7.1f ms (%" PRIu64 " rows)\n", what, seconds_since(begin) * 1e3, rows);
}

static void ask_all(const struct sn_store_options *options, int days)
{
	struct sn_query newest = {.dataset = &sn_dataset_ping, .newest_first = true, .limit = 100};
	struct sn_query day = {.dataset = &sn_dataset_ping,
			       .since_ns = FIRST_DAY * DAY_NS,
			       .until_ns = (FIRST_DAY + 1) * DAY_NS,
			       .limit = SN_QUERY_LIMIT_MAX};
	struct sn_query target = {.dataset = &sn_dataset_ping, .limit = SN_QUERY_LIMIT_MAX};
	struct sn_store *store;
	uint64_t begin, rows = 0;
	struct sn_err err;

	target.filters[target.filter_count++] =
		(struct sn_filter){.column = sn_dataset_column(&sn_dataset_ping, "target"),
				   .op = SN_EQ,
				   .value = BENCH_TEXT("10.0.0.7")};
	if (sn_store_open_with(dir, options, &store, &err) != 0)
		die(err.text);
	ask(store, "newest 100 rows", &newest);
	ask(store, "first 100,000 rows of a day", &day);
	ask(store, "rows of one target of 1,000, all days", &target);
	begin = sn_mono_ns();
	if (sn_store_latest(store, &sn_dataset_ping, (FIRST_DAY + days - 1) * DAY_NS, count_row,
			    &rows, &err) != 0)
		die(err.text);
	printf("  %-44s %7.1f ms (%" PRIu64 " rows)\n", "newest row of each target, last day",
	       seconds_since(begin) * 1e3, rows);
	sn_store_close(store);
}

/* Moving ----------------------------------------------------------------------- */

static void move(const struct sn_clickhouse_options *clickhouse, uint64_t rows)
{
	struct sn_mover_config config = {.dir = dir, .clickhouse = *clickhouse, .after_ns = 1};
	double here = bench_cpu_seconds(), there = server_seconds();
	uint64_t begin = sn_mono_ns();
	struct sn_mover_status status;
	struct sn_mover *mover;
	struct sn_err err;

	if (sn_mover_start(&config, &mover, &err) != 0)
		die(err.text);
	do {
		usleep(50000);
		sn_mover_status(mover, &status);
		if (seconds_since(begin) > WAIT_SECONDS)
			die(status.reason);
	} while (status.moved_rows < rows);
	printf("moved %" PRIu64
	       " rows in %.1f s: %.0f krows/s; processor: %.2f s here, %.2f s there"
	       " (%.0f krows/s of both)\n",
	       rows, seconds_since(begin), (double)rows / seconds_since(begin) / 1e3,
	       bench_cpu_seconds() - here, server_seconds() - there,
	       (double)rows / (bench_cpu_seconds() - here + server_seconds() - there) / 1e3);
	sn_mover_stop(mover);
}

int main(int argc, char **argv)
{
	int days = argc > 1 ? atoi(argv[1]) : 10;
	size_t rows_per_day = argc > 2 ? strtoul(argv[2], NULL, 10) : 4 * (size_t)BLOCK_ROWS;
	struct sn_clickhouse_options clickhouse = {0};
	struct sn_store_options local = {0}, both = {.clickhouse = &clickhouse};
	uint64_t rows;

	if (!clickhouse_is_installed())
		return 0;
	if (mkdtemp(dir) == NULL || !clickhouse_create(&server))
		die("cannot start a ClickHouse");
	clickhouse.url = server.url;
	rows = fill(days, rows_per_day);
	printf("%d days, %" PRIu64 " rows\nquestions before:\n", days, rows);
	ask_all(&local, days);
	move(&clickhouse, rows);
	printf("questions after:\n");
	ask_all(&both, days);
	clickhouse_destroy(&server);
	sn_fs_remove_tree(dir, NULL);
	return 0;
}
