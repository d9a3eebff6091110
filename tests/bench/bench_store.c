/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the ping dataset through append and commit, beside the least that SQLite can
 * do with them in the same run: one table without indexes, one prepared statement, the
 * same settings and the same rows per transaction.  Rows per second of processor time,
 * and then what the questions of a page in the browser take of it, before and after small blocks
 * were put together; and the same of a day of many nodes.
 * Arguments: nodes, targets per node, seconds of the fleet's life (one row per target each), rows
 * of the day (0: none).
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "bench/bind_row.h"
#include "bench/columns.h"
#include "bench/rows.h"
#include "store/db.h"
#include "store/store.h"

#define START_NS       (20513 * 86400 * SN_NS_PER_S)
#define ROWS_PER_BATCH 256
#define ROWS_PER_GROUP 5000 /* what a quarter of a second brings at 20,000 rows a second */

struct fleet {
	unsigned nodes, targets, seconds;
	struct sn_batch **batches; /* all that the fleet sends, in the order of arrival */
	struct sn_batch_id *ids;
	char (*names)[27];
	size_t batch_count, rows;
};

static void die(const struct sn_err *err)
{
	fprintf(stderr, "bench_store: %s\n", err->text);
	exit(1);
}

static void make_batch(struct fleet *fleet, struct sn_prng *prng, unsigned node, unsigned second,
		       unsigned from)
{
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_batch_id *id = &fleet->ids[fleet->batch_count];

	for (unsigned i = from; i < fleet->targets && i < from + ROWS_PER_BATCH; i++) {
		int64_t offset = (int64_t)i * SN_NS_PER_S / fleet->targets;

		bench_add_ping(batch, prng, fleet->names[node], i,
			       START_NS + second * SN_NS_PER_S + offset +
				       (int64_t)(sn_prng_u64(prng) % SN_NS_PER_MS),
			       (int64_t)second * fleet->targets + i);
	}
	*id = (struct sn_batch_id){.node = fleet->names[node],
				   .stream = "0123456789abcdef0123456789abcdef",
				   .seq = fleet->batch_count};
	fleet->rows += sn_batch_rows(batch);
	fleet->batches[fleet->batch_count++] = batch;
}

static void make_fleet(struct fleet *fleet)
{
	unsigned parts = (fleet->targets + ROWS_PER_BATCH - 1) / ROWS_PER_BATCH;
	size_t most = (size_t)fleet->nodes * parts * fleet->seconds;
	struct sn_prng prng;

	sn_prng_seed(&prng, 1);
	fleet->batches = sn_xcalloc(most, sizeof(struct sn_batch *));
	fleet->ids = sn_xcalloc(most, sizeof(struct sn_batch_id));
	fleet->names = sn_xcalloc(fleet->nodes, sizeof(*fleet->names));
	for (unsigned node = 0; node < fleet->nodes; node++)
		snprintf(fleet->names[node], sizeof(*fleet->names), "01JNZ8W9E4T3Q7V5B2M6%06u",
			 node % 1000000);
	for (unsigned second = 0; second < fleet->seconds; second++)
		for (unsigned part = 0; part < parts; part++)
			for (unsigned i = 0; i < fleet->nodes; i++)
				make_batch(fleet, &prng, (i * 7 + second * 13) % fleet->nodes,
					   second, part * ROWS_PER_BATCH);
}

static double run_store(const struct fleet *fleet, const char *dir)
{
	double start = bench_cpu_seconds();
	struct sn_store *store;
	struct sn_err err;
	size_t waiting = 0;

	if (sn_store_open(dir, &store, &err) != 0)
		die(&err);
	for (size_t i = 0; i < fleet->batch_count; i++) {
		if (sn_store_append(store, &fleet->ids[i], fleet->batches[i], &err) != 0)
			die(&err);
		waiting += sn_batch_rows(fleet->batches[i]);
		if (waiting >= ROWS_PER_GROUP || i + 1 == fleet->batch_count) {
			if (sn_store_commit(store, &err) != 0)
				die(&err);
			waiting = 0;
		}
	}
	sn_store_close(store);
	return bench_cpu_seconds() - start;
}

static double run_plain(const struct fleet *fleet, const char *path)
{
	static const char *const migrations[] = {NULL};
	const struct sn_dataset *dataset = &sn_dataset_ping;
	struct sn_buf create = {0}, insert = {0};
	double start = bench_cpu_seconds();
	sqlite3_stmt *statement;
	struct sn_err err;
	size_t waiting = 0;
	struct sn_db *db;

	for (size_t i = 0; i < dataset->column_count; i++) {
		sn_buf_addf(&create, "%s\"%s\"", i > 0 ? ", " : "CREATE TABLE rows(",
			    dataset->columns[i].name);
		sn_buf_adds(&insert, i > 0 ? ", ?" : "INSERT INTO rows VALUES(?");
	}
	sn_buf_addc(&create, ')');
	sn_buf_addc(&insert, ')');
	if (sn_db_open(path, migrations, 0, &db, &err) != 0 ||
	    sn_db_exec(db, sn_buf_cstr(&create), &err) != 0)
		die(&err);
	sqlite3_prepare_v2(sn_db_handle(db), sn_buf_cstr(&insert), -1, &statement, NULL);
	for (size_t i = 0; i < fleet->batch_count; i++) {
		const struct sn_batch *batch = fleet->batches[i];

		if (waiting == 0 && sn_db_begin(db, &err) != 0)
			die(&err);
		for (size_t row = 0; row < sn_batch_rows(batch); row++) {
			bind_row(statement, sn_batch_row(batch, row), dataset->column_count);
			sqlite3_step(statement);
			sqlite3_reset(statement);
		}
		waiting += sn_batch_rows(batch);
		if (waiting >= ROWS_PER_GROUP || i + 1 == fleet->batch_count) {
			if (sn_db_commit(db, &err) != 0)
				die(&err);
			waiting = 0;
		}
	}
	sqlite3_finalize(statement);
	sn_db_close(db);
	sn_buf_finish(&create);
	sn_buf_finish(&insert);
	return bench_cpu_seconds() - start;
}

static int count_row(const struct sn_value *row, void *ctx)
{
	(void)row;
	++*(size_t *)ctx;
	return 0;
}

static double run_query(struct sn_store *store, const struct sn_query *query, size_t *rows)
{
	double start = bench_cpu_seconds();
	struct sn_err err;
	int rc;

	*rows = 0;
	rc = query->limit > 0 ? sn_store_query(store, query, count_row, rows, NULL, &err)
			      : sn_store_latest(store, query->dataset, query->since_ns, count_row,
						rows, &err);
	if (rc != 0)
		die(&err);
	return bench_cpu_seconds() - start;
}

static void ask(const char *what, struct sn_store *store, const struct sn_query *query)
{
	size_t rows;
	double seconds = run_query(store, query, &rows);

	printf("%-44s %8.2f ms %8zu rows\n", what, seconds * 1e3, rows);
}

/* The mean of some, with all that the first one has opened. */
static void ask_often(const char *what, struct sn_store *store, const struct sn_query *query)
{
	double seconds = 0;
	size_t rows;

	for (int i = 0; i < 10; i++)
		seconds += run_query(store, query, &rows) / 10;
	printf("%-44s %8.2f ms %8zu rows\n", what, seconds * 1e3, rows);
}

static void ask_all(const struct fleet *fleet, const char *dir)
{
	int64_t end = START_NS + fleet->seconds * SN_NS_PER_S;
	struct sn_query query = {.dataset = &sn_dataset_ping, .newest_first = true, .limit = 100};
	struct sn_store *store;
	struct sn_err err;

	if (sn_store_open(dir, &store, &err) != 0)
		die(&err);
	ask("newest 100 of all (files opened)", store, &query);
	ask_often("newest 100 of all", store, &query);
	query.filters[query.filter_count++] = (struct sn_filter){
		sn_dataset_column(query.dataset, "target"), SN_EQ, BENCH_TEXT("10.0.0.3")};
	query.filters[query.filter_count++] =
		(struct sn_filter){SN_COL_NODE, SN_EQ, BENCH_TEXT(fleet->names[fleet->nodes / 2])};
	query.limit = SN_QUERY_LIMIT_MAX;
	ask_often("all of one node and target", store, &query);
	query.filter_count = 0;
	query.limit = 0;
	query.since_ns = end - 60 * SN_NS_PER_S;
	ask_often("latest per node and target, last minute", store, &query);
	sn_store_close(store);
}

/* A day --------------------------------------------------------------------------- */

#define DAY_NODES 5000
#define DAY_RUN   10 /* rows of one node side by side: what it sends at once */
#define DAY_PART  100000

/* Rows of a day in which each node has one target and sends some rows at a time. */
static void put_day(struct sn_store *store, size_t rows)
{
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_batch *batch = sn_batch_create(&sn_dataset_ping);
	struct sn_batch_id id = {.node = "import:bench", .stream = "import"};
	int64_t step = 86000 * SN_NS_PER_S / (int64_t)rows;
	struct sn_prng prng;
	struct sn_err err;

	sn_prng_seed(&prng, 2);
	for (size_t i = 0; i < rows; i++) {
		unsigned node = (unsigned)(i / DAY_RUN % DAY_NODES);
		char name[27];

		snprintf(name, sizeof(name), "01JNZ8W9E4T3Q7V5B2M6%06u", node);
		bench_add_ping(batch, &prng, name, node % 100,
			       START_NS + (int64_t)i * step +
				       (int64_t)(sn_prng_u64(&prng) % (10 * SN_NS_PER_S)),
			       (int64_t)i);
		if (sn_batch_rows(batch) < DAY_PART && i + 1 < rows)
			continue;
		sn_columns_add_batch(columns, batch);
		if (sn_store_put(store, &id, columns, &err) != 0)
			die(&err);
		id.seq++;
		sn_columns_clear(columns);
		sn_batch_clear(batch);
	}
	sn_batch_destroy(batch);
	sn_columns_destroy(columns);
}

static void ask_day(size_t rows, const char *dir)
{
	struct sn_query query = {.dataset = &sn_dataset_ping, .newest_first = true, .limit = 100};
	char name[27] = "01JNZ8W9E4T3Q7V5B2M6002500";
	struct sn_store *store;
	struct sn_err err;

	if (rows == 0)
		return;
	if (sn_store_open(dir, &store, &err) != 0)
		die(&err);
	printf("a day of %zu rows of %d nodes\n", rows, DAY_NODES);
	put_day(store, rows);
	if (sn_store_tidy(store, NULL, NULL, &err) != 0)
		die(&err);
	ask_often("newest 100 of all", store, &query);
	query.limit = SN_QUERY_LIMIT_MAX;
	query.filters[query.filter_count++] =
		(struct sn_filter){SN_COL_NODE, SN_EQ, BENCH_TEXT(name)};
	ask_often("all of one node", store, &query);
	query.limit = 100;
	ask_often("newest 100 of one node", store, &query);
	query.since_ns = START_NS + 43200 * SN_NS_PER_S;
	query.until_ns = query.since_ns + 3600 * SN_NS_PER_S;
	query.newest_first = false;
	ask_often("an hour of one node", store, &query);
	query.filter_count = 0;
	query.limit = 1000;
	ask_often("first 1,000 of an hour", store, &query);
	query.since_ns = query.until_ns = 0;
	query.filters[query.filter_count++] = (struct sn_filter){
		sn_dataset_column(query.dataset, "status"), SN_EQ, BENCH_TEXT("error")};
	ask_often("what does not occur", store, &query);
	sn_store_close(store);
}

/* Loaders -------------------------------------------------------------------------- */

#define LOADER_PARTS 24 /* of a file */
#define LOADER_ROWS  50000

struct loader {
	const char *dir, *source;
};

/* What an importer does: values by column, a block per part. */
static void *load_file(void *ctx)
{
	const struct loader *loader = ctx;
	struct sn_columns *columns = sn_columns_create(&sn_dataset_ping);
	struct sn_batch_id id = {.node = loader->source, .stream = "import"};
	struct sn_prng prng;
	struct sn_store *store;
	struct sn_err err;

	sn_prng_seed(&prng, 3);
	if (sn_store_open(loader->dir, &store, &err) != 0)
		die(&err);
	for (id.seq = 0; id.seq < LOADER_PARTS; id.seq++) {
		sn_columns_clear(columns);
		for (size_t i = 0; i < LOADER_ROWS; i++)
			bench_add_ping_columns(columns, &prng, i);
		if (sn_store_put(store, &id, columns, &err) != 0)
			die(&err);
	}
	sn_store_close(store);
	sn_columns_destroy(columns);
	return NULL;
}

/* As long as a loader works, and shares nothing with anybody. */
static void *count_up(void *ctx)
{
	for (volatile unsigned long i = 0; i < 1500000000; i++)
		;
	return ctx;
}

/* How many times as much two at once do as one, by the clock. */
static double measure_pair(void *(*run)(void *), void *alone, void *first, void *second)
{
	uint64_t start = sn_mono_ns(), single;
	pthread_t threads[2];

	run(alone);
	single = sn_mono_ns() - start;
	start = sn_mono_ns();
	if (pthread_create(&threads[0], NULL, run, first) != 0 ||
	    pthread_create(&threads[1], NULL, run, second) != 0)
		exit(1);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return 2 * (double)single / (double)(sn_mono_ns() - start);
}

/* Two of the same day; beside them what two processors are worth here and now. */
static void run_loaders(const char *dir)
{
	sn_autofree char *one = sn_fs_join(dir, "one"), *two = sn_fs_join(dir, "two");
	struct loader loaders[3] = {{one, "import:1"}, {two, "import:1"}, {two, "import:2"}};

	printf("two loaders of the same day %.2f times one;",
	       measure_pair(load_file, &loaders[0], &loaders[1], &loaders[2]));
	printf(" two that only count %.2f times\n", measure_pair(count_up, NULL, NULL, NULL));
}

static void report(const char *what, const struct fleet *fleet, double seconds, const char *path)
{
	sn_autofree char *command = sn_xasprintf("du -s --apparent-size -B1 '%s' | cut -f1", path);
	FILE *pipe = popen(command, "r");
	double bytes = 0;

	if (pipe == NULL || fscanf(pipe, "%lf", &bytes) != 1)
		bytes = 0;
	if (pipe != NULL)
		pclose(pipe);
	printf("%-16s %8.0f krows/s %8.2f us/row %6.0f B/row\n", what,
	       (double)fleet->rows / seconds / 1e3, seconds / (double)fleet->rows * 1e6,
	       bytes / (double)fleet->rows);
}

static void tidy(const struct fleet *fleet, const char *dir)
{
	double start = bench_cpu_seconds();
	struct sn_store *store;
	unsigned merges;
	struct sn_err err;

	if (sn_store_open(dir, &store, &err) != 0 || sn_store_tidy(store, NULL, &merges, &err) != 0)
		die(&err);
	sn_store_close(store);
	report("put together", fleet, bench_cpu_seconds() - start, dir);
}

int main(int argc, char **argv)
{
	struct fleet fleet = {.nodes = 100, .targets = 10, .seconds = 200};
	char dir[] = "/tmp/sonde-bench-XXXXXX";
	sn_autofree char *store_path = NULL, *plain_path = NULL, *day_path = NULL;
	size_t day_rows = argc > 4 ? strtoul(argv[4], NULL, 10) : 1000000;
	double store, plain;

	if (argc > 3) {
		fleet.nodes = (unsigned)strtoul(argv[1], NULL, 10);
		fleet.targets = (unsigned)strtoul(argv[2], NULL, 10);
		fleet.seconds = (unsigned)strtoul(argv[3], NULL, 10);
	}
	if (mkdtemp(dir) == NULL)
		return 1;
	store_path = sn_fs_join(dir, "store");
	plain_path = sn_fs_join(dir, "plain.db");
	day_path = sn_fs_join(dir, "day");
	make_fleet(&fleet);
	printf("%u nodes of %u targets, %zu rows in %zu batches\n", fleet.nodes, fleet.targets,
	       fleet.rows, fleet.batch_count);
	plain = run_plain(&fleet, plain_path);
	store = run_store(&fleet, store_path);
	report("store", &fleet, store, store_path);
	report("plain SQLite", &fleet, plain, plain_path);
	printf("ratio store/plain: %.2f\n", plain / store);
	ask_all(&fleet, store_path);
	tidy(&fleet, store_path);
	ask_all(&fleet, store_path);
	ask_day(day_rows, day_path);
	run_loaders(dir);
	for (size_t i = 0; i < fleet.batch_count; i++)
		sn_batch_destroy(fleet.batches[i]);
	free(fleet.batches);
	free(fleet.ids);
	free(fleet.names);
	sn_fs_remove_tree(dir, NULL);
	return 0;
}
